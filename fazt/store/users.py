"""Users as they are kept: names, roles, the hash of a password, the second factor, recovery codes.

What a role may do, and how a password is checked, is decided in `fazt.auth`. Rule: there is always an owner; the last
one can neither be removed nor become something else.
"""

import builtins
from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import orjson

from fazt.errors import Conflict, NotFound
from fazt.store import rows, sealing
from fazt.store.clock import now_ms

SEEN_MS = 60_000
MOST_ADDRESSES = 50

FIELDS = """
    user.id, user.name, user.role, user.sites, user.password, user.totp, user.totp_step, user.pending_totp,
    user.created_at, user.last_seen_at,
    (SELECT count(*) FROM passkey WHERE passkey.user = user.id),
    (SELECT count(*) FROM recovery_code WHERE recovery_code.user = user.id)
"""
BY_NAME = f"SELECT {FIELDS} FROM user WHERE name = ?"  # noqa: S608
BY_ID = f"SELECT {FIELDS} FROM user WHERE id = ?"  # noqa: S608
LIST_PAGE = f"SELECT {FIELDS} FROM user WHERE name > ? ORDER BY name LIMIT ?"  # noqa: S608
ADD = "INSERT INTO user (name, role, sites, password, created_at) VALUES (?, ?, ?, ?, ?)"
SET_ROLE = "UPDATE user SET role = ?, sites = ? WHERE id = ?"
SET_PASSWORD = "UPDATE user SET password = ? WHERE id = ?"  # noqa: S105
SET_PENDING = "UPDATE user SET pending_totp = ? WHERE id = ?"
SET_TOTP = "UPDATE user SET totp = ?, totp_step = ?, pending_totp = NULL WHERE id = ?"
TAKE_STEP = "UPDATE user SET totp_step = ?1 WHERE id = ?2 AND totp_step < ?1"
SEEN = "UPDATE user SET last_seen_at = ?1 WHERE id = ?2 AND coalesce(last_seen_at, 0) <= ?1 - ?3"
REMOVE = "DELETE FROM user WHERE id = ?"
OWNERS = "SELECT count(*) FROM user WHERE role = 'owner'"
FORGET_CODES = "DELETE FROM recovery_code WHERE user = ?"
ADD_CODE = "INSERT INTO recovery_code (user, hash) VALUES (?, ?)"
TAKE_CODE = "DELETE FROM recovery_code WHERE user = ? AND hash = ?"
KNOWS = "SELECT 1 FROM known_address WHERE user = ? AND address = ?"
KNOW = """
    INSERT INTO known_address (user, address, last_at) VALUES (?, ?, ?)
    ON CONFLICT (user, address) DO UPDATE SET last_at = excluded.last_at
"""
FORGET_ADDRESSES = """
    DELETE FROM known_address WHERE user = ?1 AND address NOT IN
        (SELECT address FROM known_address WHERE user = ?1 ORDER BY last_at DESC LIMIT ?2)
"""


@dataclass(frozen=True, slots=True)
class User:
    """A person; `sites` are the names of the only sites that they may touch, None: all."""

    id: int
    name: str
    role: str
    sites: tuple[str, ...] | None
    password: str | None
    totp: builtins.bytes | None
    totp_step: int
    pending_totp: builtins.bytes | None
    created_at: int
    last_seen_at: int | None
    passkeys: int
    recovery_codes: int


def add(connection: apsw.Connection, name: str, role: str, sites: Sequence[str] | None, password: str | None) -> User:
    """Make a user; `password` is a hash.

    Raises: Conflict where there is one of that name.
    """
    if rows.first(connection, BY_NAME, (name,)):
        raise Conflict(f"There is a user {name!r} already.")
    connection.execute(ADD, (name, role, _json(sites), password, now_ms()))
    return get(connection, name)


def find(connection: apsw.Connection, name: str) -> User | None:
    """Return the user of that name."""
    row = rows.first(connection, BY_NAME, (name,))
    return None if row is None else _user(row)


def get(connection: apsw.Connection, name: str) -> User:
    """Return the user of that name.

    Raises: NotFound.
    """
    user = find(connection, name)
    if user is None:
        raise NotFound(f"There is no user {name!r}.")
    return user


def by_id(connection: apsw.Connection, id: int) -> User | None:
    """Return the user with that number."""
    row = rows.first(connection, BY_ID, (id,))
    return None if row is None else _user(row)


def list_page(connection: apsw.Connection, after: str | None, limit: int) -> list[User]:
    """Return at most `limit` users in order of their names, beginning behind the name `after`."""
    return [_user(row) for row in rows.fetch(connection, LIST_PAGE, (after or "", limit))]


def set_role(connection: apsw.Connection, name: str, role: str, sites: Sequence[str] | None) -> User:
    """Give a user another role. Raises: NotFound, Conflict where nobody would be owner."""
    user = get(connection, name)
    if role != "owner":
        _check_not_last(connection, user)
    connection.execute(SET_ROLE, (role, _json(sites), user.id))
    return get(connection, name)


def remove(connection: apsw.Connection, name: str) -> None:
    """Remove a user with their sessions. Raises: NotFound, Conflict where nobody would be owner."""
    user = get(connection, name)
    _check_not_last(connection, user)
    connection.execute(REMOVE, (user.id,))


def set_password(connection: apsw.Connection, id: int, password: str | None) -> None:
    """Keep the hash of a user's new password."""
    connection.execute(SET_PASSWORD, (password, id))


def set_pending_totp(connection: apsw.Connection, id: int, secret: bytes) -> None:
    """Keep a secret until a code confirms it. Raises: SecretsLocked."""
    connection.execute(SET_PENDING, (sealing.seal(connection, secret, "user", id, "pending_totp"), id))


def set_totp(connection: apsw.Connection, id: int, secret: bytes | None, step: int, codes: Sequence[bytes]) -> None:
    """Let this secret count from now on (None: no second factor), with the hashes of its recovery codes.

    Raises: SecretsLocked.
    """
    sealed = None if secret is None else sealing.seal(connection, secret, "user", id, "totp")
    connection.execute(SET_TOTP, (sealed, step, id))
    set_recovery_codes(connection, id, codes)


def open_totp(connection: apsw.Connection, user: User) -> bytes | None:
    """Return the secret of a second factor, None: there is none. Raises: SecretsLocked, StoreCorrupt."""
    return None if user.totp is None else sealing.open_sealed(connection, user.totp, "user", user.id, "totp")


def open_pending_totp(connection: apsw.Connection, user: User) -> bytes | None:
    """Return the secret that no code has confirmed yet. Raises: SecretsLocked, StoreCorrupt."""
    if user.pending_totp is None:
        return None
    return sealing.open_sealed(connection, user.pending_totp, "user", user.id, "pending_totp")


def set_recovery_codes(connection: apsw.Connection, id: int, codes: Sequence[bytes]) -> None:
    """Keep the hashes of new recovery codes; the old ones are of no use any more."""
    connection.execute(FORGET_CODES, (id,))
    for code in codes:
        connection.execute(ADD_CODE, (id, code))


def take_step(connection: apsw.Connection, id: int, step: int) -> bool:
    """Note that the code of a step was used; False where it was before, or a later one."""
    connection.execute(TAKE_STEP, (step, id))
    return connection.changes() > 0


def take_recovery_code(connection: apsw.Connection, id: int, hash: bytes) -> bool:
    """Use a recovery code up; False where there is none such."""
    connection.execute(TAKE_CODE, (id, hash))
    return connection.changes() > 0


def seen(connection: apsw.Connection, id: int) -> None:
    """Note that a user was here now."""
    connection.execute(SEEN, (now_ms(), id, SEEN_MS))


def has_owner(connection: apsw.Connection) -> bool:
    """Tell whether somebody owns this server yet."""
    return bool(rows.value(connection, OWNERS))


def knows(connection: apsw.Connection, id: int, address: str) -> bool:
    """Tell whether a user has signed in from an address before."""
    return rows.first(connection, KNOWS, (id, address)) is not None


def know(connection: apsw.Connection, id: int, address: str) -> bool:
    """Note where a user signed in from; return whether that is new."""
    new = not knows(connection, id, address)
    connection.execute(KNOW, (id, address, now_ms()))
    connection.execute(FORGET_ADDRESSES, (id, MOST_ADDRESSES))
    return new


def _check_not_last(connection: apsw.Connection, user: User) -> None:
    if user.role == "owner" and rows.value(connection, OWNERS) == 1:
        raise Conflict(f"{user.name} is the only owner; make somebody else one first.")


def _json(sites: Sequence[str] | None) -> str | None:
    return None if sites is None else orjson.dumps(list(sites)).decode()


def _user(row: rows.Row) -> User:
    sites = None if row[3] is None else tuple(orjson.loads(row[3]))
    return User(row[0], row[1], row[2], sites, *row[4:])
