"""Sessions of browsers that are signed in, and invites.

Rule: the secret in a cookie or a link is never stored, only its SHA-256; a session whose time is over is not found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import orjson

from fazt.errors import Conflict, NotFound
from fazt.store import rows
from fazt.store.clock import now_ms

SLIDE_MS = 60_000  # the time of the last use is kept to the minute, so that a busy page does not write all the time
DAY_MS = 86_400_000
IDLE_MS = 30 * DAY_MS
LONGEST_MS = 365 * DAY_MS
MOST_OF_ONE_USER = 100

FIELDS = "id, user, address, user_agent, created_at, last_seen_at, expires_at"
ADD = "INSERT INTO session (hash, id, user, address, user_agent, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: E501
FIND = f"SELECT {FIELDS} FROM session WHERE hash = ? AND expires_at > ?"  # noqa: S608
LIST = f"SELECT {FIELDS} FROM session WHERE user = ? AND expires_at > ? ORDER BY last_seen_at DESC, id"  # noqa: S608
SLIDE = """
    UPDATE session SET last_seen_at = ?1, expires_at = min(?1 + ?2, created_at + ?3)
    WHERE id = ?4 AND last_seen_at <= ?5
"""
REMOVE = "DELETE FROM session WHERE id = ? AND user = ?"
REMOVE_ALL = "DELETE FROM session WHERE user = ?1 AND (?2 IS NULL OR id <> ?2)"
SWEEP = "DELETE FROM session WHERE expires_at <= ?"
KEEP_NEWEST = """
    DELETE FROM session WHERE user = ?1 AND id NOT IN
        (SELECT id FROM session WHERE user = ?1 ORDER BY last_seen_at DESC LIMIT ?2)
"""
ADD_INVITE = "INSERT INTO invite (id, hash, role, sites, made_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
INVITES = "SELECT id, role, sites, made_by, created_at, expires_at FROM invite WHERE id > ? AND expires_at > ? ORDER BY id LIMIT ?"  # noqa: E501
TAKE_INVITE = """
    DELETE FROM invite WHERE hash = ? AND expires_at > ? RETURNING id, role, sites, made_by, created_at, expires_at
"""
REMOVE_INVITE = "DELETE FROM invite WHERE id = ?"
SWEEP_INVITES = "DELETE FROM invite WHERE expires_at <= ?"
COUNT_INVITES = "SELECT count(*) FROM invite"
MOST_INVITES = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in; `user` is the number of the user."""

    id: str
    user: int
    address: str
    user_agent: str
    created_at: int
    last_seen_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Invite:
    """What the account will be that a link makes."""

    id: str
    role: str
    sites: tuple[str, ...] | None
    made_by: str
    created_at: int
    expires_at: int


def add(connection: apsw.Connection, hash: bytes, id: str, user: int, address: str, user_agent: str) -> Session:
    """Keep a new session under the hash of its secret; the oldest go where a user has too many."""
    now = now_ms()
    connection.execute(SWEEP, (now,))
    session = Session(id, user, address, user_agent, now, now, now + IDLE_MS)
    connection.execute(ADD, (hash, id, user, address, user_agent, now, now, session.expires_at))
    connection.execute(KEEP_NEWEST, (user, MOST_OF_ONE_USER))
    return session


def find(connection: apsw.Connection, hash: bytes) -> Session | None:
    """Return the session whose secret has that hash."""
    row = rows.first(connection, FIND, (hash, now_ms()))
    return None if row is None else Session(*row)


def list_of(connection: apsw.Connection, user: int) -> list[Session]:
    """Return the sessions of a user, the last used first."""
    return [Session(*row) for row in rows.fetch(connection, LIST, (user, now_ms()))]


def slide(connection: apsw.Connection, id: str) -> None:
    """Let a session that was used now hold for longer."""
    now = now_ms()
    connection.execute(SLIDE, (now, IDLE_MS, LONGEST_MS, id, now - SLIDE_MS))


def remove(connection: apsw.Connection, id: str, user: int) -> None:
    """End a session of a user. Raises: NotFound."""
    connection.execute(REMOVE, (id, user))
    if not connection.changes():
        raise NotFound(f"There is no session {id}.")


def remove_all(connection: apsw.Connection, user: int, but: str | None = None) -> int:
    """End all sessions of a user, but one; return how many ended."""
    connection.execute(REMOVE_ALL, (user, but))
    return connection.changes()


def add_invite(
    connection: apsw.Connection,
    id: str,
    hash: bytes,
    role: str,
    sites: Sequence[str] | None,
    made_by: str,
    expires_at: int,
) -> Invite:
    """Keep an invite under the hash of its secret. Raises: Conflict where there are too many."""
    now = now_ms()
    connection.execute(SWEEP_INVITES, (now,))
    if rows.value(connection, COUNT_INVITES) >= MOST_INVITES:
        raise Conflict(f"There are {MOST_INVITES} invites already; remove some first.")
    listed = None if sites is None else orjson.dumps(list(sites)).decode()
    connection.execute(ADD_INVITE, (id, hash, role, listed, made_by, now, expires_at))
    return Invite(id, role, None if sites is None else tuple(sites), made_by, now, expires_at)


def list_invites(connection: apsw.Connection, after: str | None, limit: int) -> list[Invite]:
    """Return at most `limit` invites that still hold, in order of their ids."""
    return [_invite(row) for row in rows.fetch(connection, INVITES, (after or "", now_ms(), limit))]


def take_invite(connection: apsw.Connection, hash: bytes) -> Invite | None:
    """Use an invite up; None where there is none such any more."""
    row = rows.first(connection, TAKE_INVITE, (hash, now_ms()))
    return None if row is None else _invite(row)


def remove_invite(connection: apsw.Connection, id: str) -> None:
    """Take an invite back. Raises: NotFound."""
    connection.execute(REMOVE_INVITE, (id,))
    if not connection.changes():
        raise NotFound(f"There is no invite {id}.")


def _invite(row: rows.Row) -> Invite:
    sites = None if row[2] is None else tuple(orjson.loads(row[2]))
    return Invite(row[0], row[1], sites, *row[3:])
