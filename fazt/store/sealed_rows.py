"""All rows that hold secrets: sealed once in a database that is older than sealing, and given up with a lost key.

Rule: the first sealing is one transaction, with the id of its key. However it is cut off, every secret can be read
before and after. A new table with secrets that never stood in the clear needs `FORGET` alone.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import orjson

from fazt.errors import StoreError
from fazt.store import key_file, rows, sealing

logger = logging.getLogger("fazt.store")

PLAIN = b"\0"  # how values began that were not sealed
BUSY_TIMEOUT_MS = 5000
VACUUM_BYTES = 256 * 1024 * 1024  # a larger file is not written anew: its next start would take minutes

STATE = "SELECT id, swept, key FROM sealing_key WHERE one = 1"
HAS_TABLE = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'sealing_key'"
ADD_KEY = "INSERT INTO sealing_key (one, id, swept) VALUES (1, ?, 0)"
CHANGE_KEY = "UPDATE sealing_key SET id = ?, key = NULL"
CARRY_KEY = "UPDATE sealing_key SET key = ?"
SWEPT = "UPDATE sealing_key SET swept = 1"

SECRETS = "SELECT site, name, value FROM environment WHERE secret = 1"
PUT_SECRET = "UPDATE environment SET value = ? WHERE site = ? AND name = ?"  # noqa: S105
HOOKS = "SELECT number, name, secret FROM hook WHERE secret IS NOT NULL"
PUT_HOOK = "UPDATE hook SET secret = ? WHERE number = ?"
CHANNELS = "SELECT number, name, url, secret FROM notification"
PUT_CHANNEL = "UPDATE notification SET url = ?, secret = ? WHERE number = ?"
USERS = "SELECT id, totp, pending_totp FROM user WHERE totp IS NOT NULL OR pending_totp IS NOT NULL"
PUT_USER = "UPDATE user SET totp = ?, pending_totp = ? WHERE id = ?"
KEYS = "SELECT name, key FROM signing_key"
PUT_KEY = "UPDATE signing_key SET key = ? WHERE name = ?"
CERTIFICATES = "SELECT number, fingerprint, key FROM certificate"
PUT_CERTIFICATE = "UPDATE certificate SET key = ? WHERE number = ?"

FORGET = (
    "DELETE FROM certificate",
    "DELETE FROM acme_account",
    "DELETE FROM environment WHERE secret = 1",
    "UPDATE hook SET enabled = 0 WHERE secret IS NOT NULL",
    "UPDATE notification SET url = '', secret = NULL, enabled = 0",
    "UPDATE user SET totp = NULL, pending_totp = NULL",
)
SETTINGS = "SELECT name, value FROM setting"
REMOVE_SETTING = "DELETE FROM setting WHERE name = ?"
SNAPSHOTS = "SELECT number, settings FROM setting_change"
PUT_SNAPSHOT = "UPDATE setting_change SET settings = ? WHERE number = ?"


def begin(connection: apsw.Connection, path: Path, *, is_new: bool) -> None:
    """Have every secret of an opened database sealed, and its key in its place.

    Raises: StoreError where there is to be a key and is none; StorageFull.
    """
    state = rows.first(connection, STATE)
    if state is None:
        _seal_all(connection, key_file.choose(path))
        state = rows.first(connection, STATE)
        assert state is not None
    id, swept, carried = state
    if carried is not None:
        _take_out(connection, path, id, carried)
    if not swept:
        _sweep(connection, path, is_new=is_new)


def carry(connection: apsw.Connection, key: bytes) -> None:
    """Put the key into a copy that is to take it along."""
    connection.execute(CARRY_KEY, (key,))


def find_key_id(connection: apsw.Connection) -> bytes | None:
    """Return the id of the key of a database, None where it is older than sealing."""
    if not rows.value(connection, HAS_TABLE):
        return None
    state = rows.first(connection, STATE)
    return None if state is None else state[0]


def key_id_of(path: Path) -> bytes | None:
    """Return the id of the key of a database that a server may use meanwhile, None where it is older than sealing.

    Raises: StoreError.
    """
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            return find_key_id(connection)
    except apsw.Error as error:
        raise StoreError(f"{path} cannot be read: {error}.") from error


def forget(connection: apsw.Connection, key: bytes) -> None:
    """Give up what was sealed with a key that is lost, and seal with another one from now on.

    Secrets of sites, certificates and second factors are gone; hooks with a secret and notifications are switched off.
    """
    for statement in FORGET:
        connection.execute(statement)
    connection.execute(CHANGE_KEY, (key_file.id_of(key),))
    for number, name, _ in rows.fetch(connection, HOOKS):  # its style wants one: nobody knows this
        unknown = key_file.new_key().hex().encode()
        connection.execute(PUT_HOOK, (sealing.seal(connection, unknown, "hook", name), number))
    for name, value in rows.fetch(connection, SETTINGS):
        if isinstance(orjson.loads(value), dict):
            connection.execute(REMOVE_SETTING, (name,))
    for number, settings in rows.fetch(connection, SNAPSHOTS):  # the others can be gone back to still
        kept = {name: value for name, value in orjson.loads(settings).items() if not isinstance(value, dict)}
        connection.execute(PUT_SNAPSHOT, (orjson.dumps(kept), number))
    for name, _ in rows.fetch(connection, KEYS):
        connection.execute(PUT_KEY, (sealing.seal(connection, key_file.new_key(), "signing_key", name), name))


def _seal_all(connection: apsw.Connection, key: bytes) -> None:
    connection.pragma("secure_delete", True)  # what stood in their place is overwritten
    with connection:
        connection.execute(ADD_KEY, (key_file.id_of(key),))
        for site, name, value in rows.fetch(connection, SECRETS):
            _put(connection, PUT_SECRET, [(value.removeprefix(PLAIN), ("environment", site, name))], site, name)
        for number, name, value in rows.fetch(connection, HOOKS):
            _put(connection, PUT_HOOK, [(value.removeprefix(PLAIN), ("hook", name))], number)
        for number, name, url, value in rows.fetch(connection, CHANNELS):
            address = (url.encode(), ("notification", name, "url"))
            secret = (None if value is None else value.removeprefix(PLAIN), ("notification", name))
            _put(connection, PUT_CHANNEL, [address, secret], number)
        for id, totp, pending in rows.fetch(connection, USERS):
            _put(connection, PUT_USER, [(totp, ("user", id, "totp")), (pending, ("user", id, "pending_totp"))], id)
        for number, fingerprint, value in rows.fetch(connection, CERTIFICATES):
            _put(connection, PUT_CERTIFICATE, [(value, ("certificate", fingerprint))], number)
        for name, value in rows.fetch(connection, KEYS):
            _put(connection, PUT_KEY, [(value, ("signing_key", name))], name)
    connection.pragma("secure_delete", False)


def _put(
    connection: apsw.Connection,
    statement: str,
    values: Sequence[tuple[bytes | None, tuple[str | int, ...]]],
    *row: Any,
) -> None:
    """Seal the secrets of a row."""
    sealed = [None if value is None else sealing.seal(connection, value, *name) for value, name in values]
    connection.execute(statement, (*sealed, *row))


def _take_out(connection: apsw.Connection, path: Path, id: bytes, key: bytes) -> None:
    """Put the key that a backup brought beside the database, unless it is there, and take it out of the file."""
    if key_file.find(path, id) is None:
        key_file.put(path, key)
    connection.pragma("secure_delete", True)
    connection.execute(CARRY_KEY, (None,))
    connection.pragma("secure_delete", False)
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _sweep(connection: apsw.Connection, path: Path, *, is_new: bool) -> None:
    """Have nothing left in the file of what secrets were before; where the disk is too full, the next start does it."""
    try:
        if not is_new:
            if path.stat().st_size <= VACUUM_BYTES:
                connection.execute("VACUUM")
            else:
                connection.execute("PRAGMA incremental_vacuum").fetchall()
        connection.execute(SWEPT)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.FullError, apsw.CantOpenError, apsw.IOError) as error:
        logger.warning("%s may still hold what secrets were before; the next start clears it: %s", path, error)
