"""The key that secrets are sealed with, as a file: where it is looked for, how it is made and put there.

It is 32 random bytes, written as 64 hexadecimal digits. It comes from `FAZT_KEY_FILE`, from systemd's credentials
(`$CREDENTIALS_DIRECTORY/fazt.key`) or lies beside the database (`data.db.key`). Rule: a file with a key in it is never
overwritten; one that makes room keeps its key under another name, where it is found again.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fazt.errors import StoreError
from fazt.store import faults
from fazt.store.staged import sync_folder

KEY_BYTES = 32
ID_BYTES = 8
VARIABLE = "FAZT_KEY_FILE"
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # systemd.exec(5)
CREDENTIAL = "fazt.key"
DIGITS = re.compile(rb"\s*([0-9a-fA-F]{64})\s*")
MOST_BYTES = 256  # of a file that could be a key


@dataclass(frozen=True, slots=True)
class Look:
    """What is at a place where a key is looked for; `fault` says why there is none, "" where there is one."""

    place: Path
    key: bytes | None = field(repr=False)
    fault: str = ""


def id_of(key: bytes) -> bytes:
    """Return what a key is called: it says which one it is, and nothing about it."""
    return hashlib.sha256(b"fazt key id\0" + key).digest()[:ID_BYTES]


def new_key() -> bytes:
    """Return a new key."""
    return secrets.token_bytes(KEY_BYTES)


def beside(path: Path) -> Path:
    """Return where the key of a database lies by itself."""
    return path.with_name(f"{path.name}.key")


def places(path: Path, environment: Mapping[str, str] | None = None) -> list[Path]:
    """Return where the key of a database is looked for, in order."""
    environment = os.environ if environment is None else environment
    found = []
    if named := environment.get(VARIABLE):
        found.append(Path(named).expanduser())
    if folder := environment.get(CREDENTIALS):
        handed_over = Path(folder, CREDENTIAL)
        found += [handed_over] if handed_over.exists() else []
    return [*found, beside(path)]


def look(path: Path, id: bytes | None = None) -> list[Look]:
    """Look at every place, also at the one where a key of that id was put aside."""
    aside = [] if id is None else [_aside(path, id)]
    return [look_at(place) for place in [*places(path), *(each for each in aside if each.exists())]]


def find(path: Path, id: bytes) -> bytes | None:
    """Return the key of that id, wherever it lies; None where it is nowhere."""
    return next((each.key for each in look(path, id) if each.key is not None and id_of(each.key) == id), None)


def choose(path: Path) -> bytes:
    """Return the key for a database that has none yet: one that is there, else a new one beside it.

    Raises: StoreError where a place that was named holds none; StorageFull, StoreReadOnly.
    """
    first = look(path)[0]
    if first.key is not None:
        return first.key
    if first.place != beside(path) or first.place.exists():
        raise StoreError(
            f"{first.fault} It is to be the key of this server's secrets: 64 hexadecimal digits, such as "
            f"`openssl rand -hex {KEY_BYTES}` prints."
        )
    key = new_key()
    _write(first.place, key, path)
    return key


def put(path: Path, key: bytes) -> Path:
    """Put a key beside its database, and one that is there already aside; return where it lies.

    Raises: StorageFull, StoreReadOnly, StoreError.
    """
    target = beside(path)
    present = look_at(target).key
    if present == key:
        return target
    try:
        if present is not None:
            target.replace(_aside(path, id_of(present)))
        elif target.exists():
            target.replace(target.with_name(f"{target.name}.unreadable"))
    except OSError as error:
        raise faults.from_os(error, target) from error
    _write(target, key, path)
    return target


def read_text(text: bytes) -> bytes | None:
    """Return the key that a text is, None where it is none."""
    match = DIGITS.fullmatch(text)
    return None if match is None else bytes.fromhex(match[1].decode())


def look_at(place: Path) -> Look:
    """Look at one place."""
    try:
        with place.open("rb") as file:
            text = file.read(MOST_BYTES)
    except FileNotFoundError:
        return Look(place, None, f"{place} is missing.")
    except OSError as error:
        return Look(place, None, f"{place} cannot be read: {error.strerror}.")
    key = read_text(text)
    return Look(place, key, "" if key is not None else f"{place} holds no key.")


def _aside(path: Path, id: bytes) -> Path:
    return path.with_name(f"{path.name}.key.{id.hex()}")


def _write(target: Path, key: bytes, database: Path) -> None:
    """Write a key to a file that is not there yet, whole or not at all, for the database's owner alone."""
    unfinished = target.with_name(f".{target.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:  # root may make it for a service, which must be able to read it
                owner = database.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            os.write(descriptor, key.hex().encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(unfinished, target)  # unlike a rename this replaces nothing
        sync_folder(target.parent)
    except OSError as error:
        raise faults.from_os(error, target) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
