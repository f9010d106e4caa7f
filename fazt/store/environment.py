"""What a site's functions are started with: names with values, some of them secret.

Values come sealed (`fazt.data.environment`). Rule: a list of names reads no value, and whatever changes adds a change
of the kind `environment` under the site's name, since running functions have the old values.
"""

from dataclasses import dataclass, field

import apsw

from fazt.errors import Conflict, NotFound, OverQuota
from fazt.store import changes, rows, sites
from fazt.store.clock import now_ms

MOST_NAMES = 200  # of a site, secrets among them

ALL = "SELECT name, secret, updated_at, value FROM environment WHERE site = ? ORDER BY name"
LIST_NAMES = "SELECT name, secret, updated_at, NULL FROM environment WHERE site = ? ORDER BY name"
KIND_OF = "SELECT secret FROM environment WHERE site = ? AND name = ?"
COUNT = "SELECT count(*) FROM environment WHERE site = ?"
PUT = """
    INSERT INTO environment (site, name, value, secret, updated_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (site, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""
REMOVE = "DELETE FROM environment WHERE site = ? AND name = ? AND secret = ?"


@dataclass(frozen=True, slots=True)
class Variable:
    """A name and its sealed value, which is None in a list."""

    name: str
    secret: bool
    updated_at: int
    value: bytes | None = field(repr=False)


def load(connection: apsw.Connection, site_id: int) -> list[Variable]:
    """Return all that a site has, with values."""
    return [_variable(*row) for row in rows.fetch(connection, ALL, (site_id,))]


def list_names(connection: apsw.Connection, site_id: int) -> list[Variable]:
    """Return all that a site has, without values."""
    return [_variable(*row) for row in rows.fetch(connection, LIST_NAMES, (site_id,))]


def put(connection: apsw.Connection, site: str, name: str, value: bytes, secret: bool) -> Variable:
    """Give a name a value.

    Raises: SiteNotFound, SiteLocked; Conflict where the name is of the other kind; OverQuota.
    """
    owner = sites.get(connection, site)
    sites.check_unlocked(owner)
    present = rows.first(connection, KIND_OF, (owner.id, name))
    if present is None and rows.value(connection, COUNT, (owner.id,)) >= MOST_NAMES:
        raise OverQuota(f"A site may have at most {MOST_NAMES} variables and secrets; remove some first.")
    if present is not None and bool(present[0]) != secret:
        what = "a secret" if present[0] else "a variable that is no secret"
        raise Conflict(f"{name} is {what} of the site {site!r}; remove it first, or choose another name.")
    variable = Variable(name, secret, now_ms(), None)
    connection.execute(PUT, (owner.id, name, value, int(secret), variable.updated_at))
    changes.add(connection, "environment", site)
    return variable


def remove(connection: apsw.Connection, site: str, name: str, secret: bool) -> None:
    """Take a name away.

    Raises: SiteNotFound, SiteLocked, NotFound.
    """
    owner = sites.get(connection, site)
    sites.check_unlocked(owner)
    connection.execute(REMOVE, (owner.id, name, int(secret)))
    if not connection.changes():
        raise NotFound(f"The site {site!r} has no {'secret' if secret else 'variable'} {name}.")
    changes.add(connection, "environment", site)


def _variable(name: str, secret: int, updated_at: int, value: bytes | None) -> Variable:
    return Variable(name, bool(secret), updated_at, value)
