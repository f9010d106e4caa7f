"""Which host means what: a site, a preview, a custom domain, a host of the platform, a redirect, or nothing.

Rule: a host that nobody owns is `unknown`; it never falls back to some site.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import apsw

from fazt.store import domains, sites

ROOT_SITE = "root"
NOT_FOUND_SITE = "404"
REDIRECT_TO_WWW = "redirect-to-www"
PLATFORM = frozenset(("dashboard", "dav"))
PREVIEW = re.compile(r"([0-9a-f]{8})--(.+)")


@dataclass(frozen=True, slots=True)
class Place:
    """What a host means; `location` is a URL without its path, for a redirect."""

    kind: Literal["site", "preview", "platform", "redirect", "unknown"]
    host: str
    site: str | None = None
    version: str | None = None
    location: str | None = None
    name: str | None = None


class Hosting:
    """The hosts of a server with one domain."""

    def __init__(self, domain: str, www: str, public_url: Callable[[str], str]) -> None:
        self.domain = domain
        self._to_www = www == REDIRECT_TO_WWW
        self._public_url = public_url

    def url(self, host: str) -> str:
        """Return the URL of a host as visitors see it: `http://host[:port]/`."""
        return self._public_url(host)

    def site_host(self, site: str) -> str:
        """Return the host that a site has under the server's domain."""
        if site != ROOT_SITE:
            return f"{site}.{self.domain}"
        return f"www.{self.domain}" if self._to_www else self.domain

    def is_platform_host(self, host: str) -> bool:
        """Tell whether a normalised host is the platform's own: no site's function may ask it anything."""
        label = host.removesuffix(f".{self.domain}")
        return label != host and (label in PLATFORM or label == "admin")

    def is_site_host(self, host: str) -> bool:
        """Tell whether a normalised host lies under the server's domain and is not the platform's own."""
        under = host == self.domain or host.endswith(f".{self.domain}")
        return under and not self.is_platform_host(host)

    def is_bare(self, host: str) -> bool:
        """Tell whether a normalised host is the server's domain itself, with or without `www`."""
        return host in (self.domain, f"www.{self.domain}")

    def is_preview_host(self, host: str) -> bool:
        """Tell whether a normalised host is that of a preview, whether there is one or not."""
        label = host.removesuffix(f".{self.domain}")
        return label != host and PREVIEW.fullmatch(label) is not None

    def site_url(self, site: str) -> str:
        """Return the URL of a site."""
        return self.url(self.domain if site == ROOT_SITE else f"{site}.{self.domain}")

    def preview_url(self, site: str, version: str) -> str:
        """Return the URL of one version (its id) of a site."""
        return self.url(f"{version[:8]}--{site}.{self.domain}")

    def place(self, connection: apsw.Connection, host: str) -> Place:
        """Return what a normalised host means."""
        if host == self.domain:
            return self._redirect(host, f"www.{host}") if self._to_www else self._site(connection, host, ROOT_SITE)
        label = host.removesuffix(f".{self.domain}")
        if label == host:
            owner = domains.find_site(connection, host)
            return Place("unknown", host) if owner is None else Place("site", host, site=owner)
        if label == "www":
            return self._site(connection, host, ROOT_SITE) if self._to_www else self._redirect(host, self.domain)
        if label == "admin":
            return self._redirect(host, f"dashboard.{self.domain}")
        if label in PLATFORM:
            return Place("platform", host, name=label)
        if preview := PREVIEW.fullmatch(label):
            version, site = preview.groups()
            if sites.find(connection, site) is not None:
                return Place("preview", host, site=site, version=version)
            return Place("unknown", host)
        return self._site(connection, host, label)

    def _site(self, connection: apsw.Connection, host: str, name: str) -> Place:
        return Place("unknown", host) if sites.find(connection, name) is None else Place("site", host, site=name)

    def _redirect(self, host: str, target: str) -> Place:
        return Place("redirect", host, location=self.url(target).rstrip("/"))
