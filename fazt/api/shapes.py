"""Values of the store as the API shows them."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import apsw

from fazt.sites.hosting import Hosting
from fazt.store import domains, sites, versions
from fazt.store.sites import Site
from fazt.store.tokens import Token
from fazt.store.versions import Version

ALL = 1_000_000


def moment(at_ms: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


def site_shape(connection: apsw.Connection, hosting: Hosting, site: Site) -> dict[str, Any]:
    """Return a site."""
    live = None if site.live_version is None else versions.by_number(connection, site.live_version)
    return {
        "name": site.name,
        "url": hosting.site_url(site.name),
        "live_version": live.id if live else None,
        "locked": site.locked,
        "created_at": moment(site.created_at),
        "files": live.files if live else 0,
        "bytes": live.bytes if live else 0,
        "versions": versions.count(connection, site.id),
        "domains": [domain.name for domain in domains.list_page(connection, site.name, None, ALL)],
    }


def version_shape(connection: apsw.Connection, hosting: Hosting, site: Site, version: Version) -> dict[str, Any]:
    """Return a version."""
    parent = None if version.parent is None else versions.by_number(connection, version.parent).id
    return {
        "id": version.id,
        "site": site.name,
        "url": hosting.preview_url(site.name, version.id),
        "live": site.live_version == version.number,
        "parent": parent,
        "message": version.message,
        "source": version.source,
        "created_at": moment(version.created_at),
        "files": version.files,
        "bytes": version.bytes,
    }


def token_shape(token: Token) -> dict[str, Any]:
    """Return a token, without its secret."""
    shape = asdict(token)
    for name in ("expires_at", "last_used_at", "created_at"):
        shape[name] = moment(shape[name])
    return shape


def find_site(connection: apsw.Connection, hosting: Hosting, name: str) -> dict[str, Any]:
    """Return one site by its name.

    Raises: SiteNotFound.
    """
    return site_shape(connection, hosting, sites.get(connection, name))


def page_of(items: list[dict[str, Any]], limit: int, cursor: str) -> dict[str, Any]:
    """Return a list of the API; `cursor` names the field that the next page begins behind."""
    return {"items": items, "next": items[-1][cursor] if len(items) == limit else None}
