"""Passkeys as they are kept: public keys, by the ids of their credentials."""

import builtins
from dataclasses import dataclass

import apsw

from fazt.errors import Conflict, NotFound
from fazt.store import rows
from fazt.store.clock import now_ms

MOST_OF_ONE_USER = 20

FIELDS = "id, user, label, public_key, sign_count, created_at, last_used_at"
FIND = f"SELECT {FIELDS} FROM passkey WHERE id = ?"  # noqa: S608
LIST = f"SELECT {FIELDS} FROM passkey WHERE user = ? ORDER BY created_at, id"  # noqa: S608
ADD = "INSERT INTO passkey (id, user, label, public_key, sign_count, created_at) VALUES (?, ?, ?, ?, ?, ?)"
USED = "UPDATE passkey SET sign_count = ?, last_used_at = ? WHERE id = ?"
REMOVE = "DELETE FROM passkey WHERE id = ? AND user = ?"


@dataclass(frozen=True, slots=True)
class Passkey:
    """A credential; `user` is the number of the user, `public_key` is COSE."""

    id: str
    user: int
    label: str
    public_key: builtins.bytes
    sign_count: int
    created_at: int
    last_used_at: int | None


def add(connection: apsw.Connection, id: str, user: int, label: str, public_key: bytes, sign_count: int) -> Passkey:
    """Keep a new passkey. Raises: Conflict where it is known, or the user has too many."""
    if find(connection, id) is not None:
        raise Conflict("This passkey is known already.")
    if len(list_of(connection, user)) >= MOST_OF_ONE_USER:
        raise Conflict(f"An account has {MOST_OF_ONE_USER} passkeys at most; remove one first.")
    now = now_ms()
    connection.execute(ADD, (id, user, label, public_key, sign_count, now))
    return Passkey(id, user, label, public_key, sign_count, now, None)


def find(connection: apsw.Connection, id: str) -> Passkey | None:
    """Return the passkey with that credential id."""
    row = rows.first(connection, FIND, (id,))
    return None if row is None else Passkey(*row)


def list_of(connection: apsw.Connection, user: int) -> list[Passkey]:
    """Return the passkeys of a user, oldest first."""
    return [Passkey(*row) for row in rows.fetch(connection, LIST, (user,))]


def used(connection: apsw.Connection, id: str, sign_count: int) -> None:
    """Note that a passkey was used now, and how often its maker says it was."""
    connection.execute(USED, (sign_count, now_ms(), id))


def remove(connection: apsw.Connection, id: str, user: int) -> None:
    """Forget a passkey of a user. Raises: NotFound."""
    connection.execute(REMOVE, (id, user))
    if not connection.changes():
        raise NotFound("There is no such passkey.")
