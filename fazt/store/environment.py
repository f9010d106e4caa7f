"""What a site's functions are started with: names with values, some of them secret.

Secrets are sealed here on their way in and opened on their way out. Rule: a list reads no secret, and whatever changes
adds a change of the kind `environment` under the site's name, since running functions have the old values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import apsw

from fazt.errors import Conflict, NotFound, OverQuota, StoreError
from fazt.store import changes, rows, sealing, sites
from fazt.store.clock import now_ms

MOST_NAMES = 200  # of a site, secrets among them
PLAIN = b"\0"  # what is no secret is kept as it is, behind this

ALL = "SELECT name, secret, updated_at, value FROM environment WHERE site = ? ORDER BY name"
OF_A_KIND = """
    SELECT name, secret, updated_at, CASE secret WHEN 0 THEN value END FROM environment
    WHERE site = ? AND secret = ? ORDER BY name
"""
KIND_OF = "SELECT secret FROM environment WHERE site = ? AND name = ?"
COUNT = "SELECT count(*) FROM environment WHERE site = ?"
PUT = """
    INSERT INTO environment (site, name, value, secret, updated_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (site, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""
REMOVE_ALL = "DELETE FROM environment WHERE site = ?"
REMOVE = "DELETE FROM environment WHERE site = ? AND name = ? AND secret = ?"


@dataclass(frozen=True, slots=True)
class Variable:
    """A name and its value, which is None where it is a secret in a list."""

    name: str
    secret: bool
    updated_at: int
    value: bytes | None = field(repr=False)


def load(connection: apsw.Connection, site_id: int) -> list[Variable]:
    """Return all that a site has, with values. Raises: SecretsLocked, StoreError."""
    return [_variable(connection, site_id, *row) for row in rows.fetch(connection, ALL, (site_id,))]


def list_kind(connection: apsw.Connection, site_id: int, *, secret: bool) -> list[Variable]:
    """Return the secrets of a site without values, or what is no secret with them."""
    found = rows.fetch(connection, OF_A_KIND, (site_id, int(secret)))
    return [_variable(connection, site_id, *row) for row in found]


def put(connection: apsw.Connection, site: str, name: str, value: bytes, secret: bool) -> Variable:
    """Give a name a value.

    Raises: SiteNotFound, SiteLocked; Conflict where the name is of the other kind; OverQuota; SecretsLocked.
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
    kept = sealing.seal(connection, value, "environment", owner.id, name) if secret else PLAIN + value
    connection.execute(PUT, (owner.id, name, kept, int(secret), variable.updated_at))
    changes.add(connection, "environment", site)
    return variable


def replace_all(connection: apsw.Connection, site: str, wanted: Sequence[Variable]) -> None:
    """Let a site have exactly these from now on. Raises: SiteNotFound, SiteLocked, OverQuota, SecretsLocked."""
    owner = sites.get(connection, site)
    sites.check_unlocked(owner)
    connection.execute(REMOVE_ALL, (owner.id,))
    changes.add(connection, "environment", site)
    for each in wanted:
        put(connection, site, each.name, each.value or b"", each.secret)


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


def _variable(
    connection: apsw.Connection, site_id: int, name: str, secret: int, updated_at: int, kept: bytes | None
) -> Variable:
    if kept is None:
        return Variable(name, bool(secret), updated_at, None)
    if secret:
        value = sealing.open_sealed(connection, kept, "environment", site_id, name)
    elif kept.startswith(PLAIN):
        value = kept[len(PLAIN) :]
    else:
        raise StoreError(f"The value of {name} was stored by a newer Fazt; upgrade this one to use it.")
    return Variable(name, bool(secret), updated_at, value)
