"""Which certificates are wanted, and which of them are due: the hosts that exist, and no other name.

Rule: a name is ordered only if it means something here and if an authority could know it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import apsw

from fazt.acme.renewal import renew_at
from fazt.sites.hosting import NOT_FOUND_SITE, PLATFORM, ROOT_SITE, Hosting
from fazt.store import acme, certificates, domains, sites
from fazt.store.certificates import Certificate

PAGE = 1000
BUILT_IN = (ROOT_SITE, NOT_FOUND_SITE)  # of which one answers under the domain itself, the other under no name
# Names that no public authority may sign (RFC 6761, RFC 7686, RFC 8375, RFC 9476)
RESERVED = frozenset(("localhost", "local", "test", "example", "invalid", "internal", "onion", "arpa", "alt", "lan"))
LEAST_LEFT_MS = 7 * 24 * 3_600_000  # of another certificate that covers a host: then it needs none of its own


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate that is wanted, by its names."""

    names: tuple[str, ...]
    by_dns: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate that is wanted, and when it is to be ordered (ms); `present` is the one that it replaces."""

    wanted: Wanted
    at: int
    present: Certificate | None = None


def can_be_signed(host: str, *, publicly: bool) -> bool:
    """Tell whether an authority can know a host; `publicly`: one that signs for the whole internet."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        last = host.rpartition(".")[2]
        return "." in host and last != "localhost" and not (publicly and last in RESERVED)
    return False


def hosts(connection: apsw.Connection, hosting: Hosting) -> Iterator[str]:
    """Yield every host that exists, those of the server itself first."""
    domain = hosting.domain
    yield from (domain, f"www.{domain}", f"admin.{domain}", *(f"{name}.{domain}" for name in sorted(PLATFORM)))
    after: str | None = None
    while page := sites.list_page(connection, after, PAGE):
        yield from (f"{site.name}.{domain}" for site in page if site.name not in BUILT_IN)
        after = page[-1].name
    after = None
    while found := domains.list_page(connection, None, after, PAGE):
        yield from (each.name for each in found)
        after = found[-1].name


def wanted(connection: apsw.Connection, hosting: Hosting, *, by_dns: bool, publicly: bool) -> Iterator[Wanted]:
    """Yield the certificates that are wanted; `by_dns`: one of them is for the domain and every name below it."""
    domain = hosting.domain
    signable = can_be_signed(domain, publicly=publicly)
    if by_dns and signable:
        yield Wanted((domain, f"*.{domain}"), by_dns=True)
    for host in hosts(connection, hosting):
        below = host == domain or host.endswith(f".{domain}")
        if below and (by_dns or not signable):
            continue
        if can_be_signed(host, publicly=publicly):
            yield Wanted((host,))


def survey(connection: apsw.Connection, hosting: Hosting, now: int, *, by_dns: bool, publicly: bool) -> list[Due]:
    """Return all that is wanted, with when it is due."""
    asked = {each.fingerprint: each.renew_at for each in acme.list_renewals(connection)}
    found = wanted(connection, hosting, by_dns=by_dns, publicly=publicly)
    return [_due(connection, each, now, asked) for each in dict.fromkeys(found)]


def _due(connection: apsw.Connection, each: Wanted, now: int, asked: dict[str, int]) -> Due:
    present = [_present(connection, name, now) for name in each.names]
    covered = [found for found in present if found is not None and now < found.not_after]
    if len(covered) < len(each.names):
        return Due(each, 0)
    first = min(covered, key=lambda found: found.not_after)
    if first.source == "uploaded" or set(first.names) != set(each.names):
        return Due(each, first.not_after - LEAST_LEFT_MS)
    at = asked.get(first.fingerprint) or renew_at(each.names[0], first.not_before, first.not_after)
    return Due(each, at, first)


def _present(connection: apsw.Connection, name: str, now: int) -> Certificate | None:
    number = certificates.find_for(connection, name, now)
    return None if number is None else certificates.get(connection, number)


def to_ask(due: Sequence[Due]) -> list[Certificate]:
    """Return the certificates whose authority may have a word on when they are renewed."""
    return [each.present for each in due if each.present is not None]
