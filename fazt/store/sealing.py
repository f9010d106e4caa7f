"""Secrets at rest: `seal` on the way into the database, `open_sealed` on the way out, with a key that is not in it.

A sealed value is: 1, the id of the key (8 bytes), a random nonce (12), and the secret under AES-256-GCM (16 bytes more
than it has). The first nine bytes and the row that it is for are authenticated with it: a value that was changed, or
moved to another row, does not open. Rule: what is secret gets into a table through `seal` alone. Where the key is
missing nothing can be sealed or opened, and nothing is overwritten.
"""

import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import orjson

from fazt.errors import SecretsLocked, StoreCorrupt
from fazt.store import key_file, rows

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORM = b"\x01"
HEAD_BYTES = len(FORM) + key_file.ID_BYTES
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_ID = "SELECT id FROM sealing_key WHERE one = 1"
LOST = (
    "The secrets of this server cannot be opened: their key {id} is missing. "
    "`fazt key status` says where it is looked for, `fazt key give` puts it there."
)


def seal(connection: apsw.Connection, secret: bytes, *row: str | int) -> bytes:
    """Return a secret as it is stored; `row` is its table, what the row is called there, and maybe its column.

    Raises: SecretsLocked where the key is missing.
    """
    id = key_id(connection)
    head, nonce = FORM + id, secrets.token_bytes(NONCE_BYTES)
    return head + nonce + _cipher(_path(connection), id).encrypt(nonce, secret, head + _name(row))


def open_sealed(connection: apsw.Connection, sealed: bytes, *row: str | int) -> bytes:
    """Return the secret that was sealed for this row.

    Raises: SecretsLocked where its key is missing; StoreCorrupt where it is not what was sealed for this row.
    """
    from cryptography.exceptions import InvalidTag  # see _cipher

    head, nonce = sealed[:HEAD_BYTES], sealed[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES]
    if len(sealed) < HEAD_BYTES + NONCE_BYTES + TAG_BYTES or not head.startswith(FORM):
        raise _damaged(row)
    cipher = _cipher(_path(connection), head[len(FORM) :])
    try:
        return cipher.decrypt(nonce, sealed[HEAD_BYTES + NONCE_BYTES :], head + _name(row))
    except InvalidTag:
        raise _damaged(row) from None


def key_id(connection: apsw.Connection) -> bytes:
    """Return the id of the key that the secrets of this database are sealed with."""
    id: bytes = rows.value(connection, KEY_ID)
    return id


@lru_cache(maxsize=16)  # what was not found is looked for again each time
def _cipher(path: Path, id: bytes) -> "AESGCM":
    """Return what seals with the key of that id. Raises: SecretsLocked."""
    # It takes some milliseconds to load: only who has secrets needs it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = key_file.find(path, id)
    if key is None:
        raise SecretsLocked(LOST.format(id=id.hex()))
    return AESGCM(key)


def forget_keys() -> None:
    """Read every key anew when it is needed next."""
    _cipher.cache_clear()


def _path(connection: apsw.Connection) -> Path:
    return Path(connection.filename)


def _name(row: tuple[str | int, ...]) -> bytes:
    return orjson.dumps(row)


def _damaged(row: tuple[str | int, ...]) -> StoreCorrupt:
    what = " ".join(str(part) for part in row)
    return StoreCorrupt(f"The secret of {what} is damaged, or was moved there from elsewhere. Set it again.")
