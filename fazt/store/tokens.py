"""Tokens as they are kept: who made them may do what, for which site, until when.

The secret itself is never stored, only its SHA-256. Whether a token still holds and what it allows is decided in
`fazt.auth.tokens`; an expired token is found here like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import orjson

from fazt.errors import Conflict, NotFound
from fazt.store import rows
from fazt.store.clock import now_ms

TOUCH_MS = 60_000  # the time of the last use is kept to the minute, so that a busy token does not write all the time

ADD = "INSERT INTO token (id, hash, label, sites, actions, expires_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
HAS = "SELECT 1 FROM token WHERE id = ? OR hash = ?"
FIND_BY_HASH = "SELECT id, label, sites, actions, expires_at, last_used_at, created_at FROM token WHERE hash = ?"
LIST_PAGE = (
    "SELECT id, label, sites, actions, expires_at, last_used_at, created_at FROM token WHERE id > ? ORDER BY id LIMIT ?"
)
REMOVE = "DELETE FROM token WHERE id = ?"
TOUCH = "UPDATE token SET last_used_at = ?1 WHERE id = ?2 AND coalesce(last_used_at, 0) <= ?1 - ?3"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token may do; `sites` are the names of the only sites that it may touch, None: all."""

    id: str
    label: str
    sites: tuple[str, ...] | None
    actions: tuple[str, ...]
    expires_at: int | None
    last_used_at: int | None
    created_at: int


def add(
    connection: apsw.Connection,
    id: str,
    hash: bytes,
    label: str,
    sites: Sequence[str] | None,
    actions: Sequence[str],
    expires_at: int | None,
) -> Token:
    """Keep a new token under the hash of its secret.

    Raises: Conflict where there is a token of that id.
    """
    if rows.first(connection, HAS, (id, hash)):
        raise Conflict(f"There is a token {id} already.")
    token = Token(id, label, None if sites is None else tuple(sites), tuple(actions), expires_at, None, now_ms())
    listed = None if sites is None else orjson.dumps(list(sites)).decode()
    connection.execute(ADD, (id, hash, label, listed, ",".join(token.actions), expires_at, token.created_at))
    return token


def find_by_hash(connection: apsw.Connection, hash: bytes) -> Token | None:
    """Return the token whose secret has that hash, expired or not."""
    row = rows.first(connection, FIND_BY_HASH, (hash,))
    return _token(*row) if row else None


def list_page(connection: apsw.Connection, after: str | None, limit: int) -> list[Token]:
    """Return at most `limit` tokens in order of their ids, beginning behind the id `after`."""
    return [_token(*row) for row in rows.fetch(connection, LIST_PAGE, (after or "", limit))]


def remove(connection: apsw.Connection, id: str) -> None:
    """Revoke a token.

    Raises: NotFound.
    """
    connection.execute(REMOVE, (id,))
    if not connection.changes():
        raise NotFound(f"There is no token {id}.")


def touch(connection: apsw.Connection, id: str) -> None:
    """Note that a token was used now."""
    connection.execute(TOUCH, (now_ms(), id, TOUCH_MS))


def _token(
    id: str, label: str, sites: str | None, actions: str, expires_at: int | None, used_at: int | None, created_at: int
) -> Token:
    named = None if sites is None else tuple(orjson.loads(sites))
    return Token(id, label, named, tuple(actions.split(",")) if actions else (), expires_at, used_at, created_at)
