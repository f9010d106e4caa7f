"""Who may see a site, as it is kept: rules that the owner chose, share links, and the key that signs passes.

Rule: each change adds a row to `changes`, so that no page that was kept before is served after it.
"""

import builtins
from dataclasses import dataclass

import apsw

from fazt.errors import Conflict, NotFound
from fazt.store import changes, rows, sealing, sites
from fazt.store.clock import now_ms

MOST_SHARES = 1000  # of one site

RULES = "SELECT rules FROM protection WHERE site = ?"
PUT = "INSERT INTO protection (site, rules) VALUES (?, ?) ON CONFLICT (site) DO UPDATE SET rules = excluded.rules"
REMOVE = "DELETE FROM protection WHERE site = ?"
FIELDS = "id, path, version, label, made_by, created_at, expires_at, uses"
SHARES = f"SELECT {FIELDS} FROM share WHERE site = ? ORDER BY created_at DESC, id"  # noqa: S608
SHARE = f"SELECT {FIELDS} FROM share WHERE site = ? AND hash = ?"  # noqa: S608
COUNT = "SELECT count(*) FROM share WHERE site = ?"
ADD_SHARE = """
    INSERT INTO share (id, hash, site, path, version, label, made_by, created_at, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
REMOVE_SHARE = "DELETE FROM share WHERE id = ? AND site = ?"
USED = "UPDATE share SET uses = uses + 1 WHERE id = ?"
KEY = "SELECT key FROM signing_key WHERE name = 'passes'"


@dataclass(frozen=True, slots=True)
class Share:
    """A link for whoever has it; `version` is the id of the one preview that it is for, None: what is live."""

    id: str
    path: str
    version: str | None
    label: str
    made_by: str
    created_at: int
    expires_at: int
    uses: int


def rules(connection: apsw.Connection, site_id: int) -> builtins.bytes | None:
    """Return the rules that the owner chose (JSON), None where they chose none."""
    found: builtins.bytes | None = rows.value(connection, RULES, (site_id,))
    return found


def put_rules(connection: apsw.Connection, site: str, data: builtins.bytes) -> None:
    """Keep the rules of a site. Raises: SiteNotFound, SiteLocked."""
    owner = sites.get(connection, site)
    sites.check_unlocked(owner)
    connection.execute(PUT, (owner.id, data))
    changes.add(connection, "site", site)


def remove_rules(connection: apsw.Connection, site: str) -> None:
    """Let `fazt.json` alone say who may see a site. Raises: SiteNotFound, SiteLocked."""
    owner = sites.get(connection, site)
    sites.check_unlocked(owner)
    connection.execute(REMOVE, (owner.id,))
    changes.add(connection, "site", site)


def shares(connection: apsw.Connection, site_id: int) -> list[Share]:
    """Return the share links of a site, newest first, ended ones too."""
    return [Share(*row) for row in rows.fetch(connection, SHARES, (site_id,))]


def find_share(connection: apsw.Connection, site_id: int, hash: builtins.bytes) -> Share | None:
    """Return the share link of a site whose secret has that hash."""
    row = rows.first(connection, SHARE, (site_id, hash))
    return None if row is None else Share(*row)


def add_share(
    connection: apsw.Connection,
    site: str,
    id: str,
    hash: builtins.bytes,
    path: str,
    version: str | None,
    label: str,
    made_by: str,
    expires_at: int,
) -> Share:
    """Keep a share link under the hash of its secret. Raises: SiteNotFound, Conflict."""
    owner = sites.get(connection, site)
    if rows.value(connection, COUNT, (owner.id,)) >= MOST_SHARES:
        raise Conflict(f"A site has {MOST_SHARES} share links at most; revoke some first.")
    now = now_ms()
    connection.execute(ADD_SHARE, (id, hash, owner.id, path, version, label, made_by, now, expires_at))
    changes.add(connection, "site", site)
    return Share(id, path, version, label, made_by, now, expires_at, 0)


def remove_share(connection: apsw.Connection, site: str, id: str) -> None:
    """Revoke a share link. Raises: SiteNotFound, NotFound."""
    owner = sites.get(connection, site)
    connection.execute(REMOVE_SHARE, (id, owner.id))
    if not connection.changes():
        raise NotFound(f"There is no share link {id}.")
    changes.add(connection, "site", site)


def note_use(connection: apsw.Connection, id: str) -> None:
    """Count that a share link was opened."""
    connection.execute(USED, (id,))


def signing_key(connection: apsw.Connection) -> builtins.bytes:
    """Return the key that passes are signed with. Raises: SecretsLocked, StoreCorrupt."""
    return sealing.open_sealed(connection, rows.value(connection, KEY), "signing_key", "passes")
