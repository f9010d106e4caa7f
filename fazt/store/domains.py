"""Custom domains: which site a name outside the server's own domain belongs to.

Names come checked, as lower-case A-labels (`fazt.sites.names`). Rule: a domain belongs to one site only.
"""

from dataclasses import dataclass

import apsw

from fazt.errors import Conflict, NotFound
from fazt.store import changes, rows, sites
from fazt.store.clock import now_ms

FIND_SITE = "SELECT site.name FROM domain JOIN site ON site.id = domain.site WHERE domain.name = ?"
LIST_ALL = """
    SELECT domain.name, site.name, domain.created_at
    FROM domain JOIN site ON site.id = domain.site WHERE domain.name > ? ORDER BY domain.name LIMIT ?
"""
LIST_SITE = """
    SELECT domain.name, site.name, domain.created_at
    FROM domain JOIN site ON site.id = domain.site WHERE site.name = ? AND domain.name > ? ORDER BY domain.name LIMIT ?
"""
ADD = "INSERT INTO domain (name, site, created_at) VALUES (?, ?, ?)"
REMOVE = "DELETE FROM domain WHERE name = ?"


@dataclass(frozen=True, slots=True)
class Domain:
    """A custom domain and the name of the site that owns it."""

    name: str
    site: str
    created_at: int


def add(connection: apsw.Connection, name: str, site: str) -> Domain:
    """Give a domain to a site.

    Raises: SiteNotFound; Conflict where the domain has a site already.
    """
    owner = sites.get(connection, site)
    if (taken := find_site(connection, name)) is not None:
        raise Conflict(f"The domain {name} belongs to the site {taken!r} already.")
    domain = Domain(name, site, now_ms())
    connection.execute(ADD, (name, owner.id, domain.created_at))
    changes.add(connection, "domain", name)
    return domain


def remove(connection: apsw.Connection, name: str) -> None:
    """Take a domain away from its site.

    Raises: NotFound.
    """
    connection.execute(REMOVE, (name,))
    if not connection.changes():
        raise NotFound(f"There is no domain {name}.")
    changes.add(connection, "domain", name)


def find_site(connection: apsw.Connection, name: str) -> str | None:
    """Return the name of the site that a domain belongs to."""
    site: str | None = rows.value(connection, FIND_SITE, (name,))
    return site


def list_page(connection: apsw.Connection, site: str | None, after: str | None, limit: int) -> list[Domain]:
    """Return at most `limit` domains (of one site, or of all) in order of their names, beginning behind `after`."""
    if site is None:
        found = rows.fetch(connection, LIST_ALL, (after or "", limit))
    else:
        found = rows.fetch(connection, LIST_SITE, (site, after or "", limit))
    return [Domain(*row) for row in found]
