"""Whole copies of the database: of one in use, one before each migration, and the way back to that.

Rule: a copy that has its name is whole and on disk.
"""

import os
import shutil
from pathlib import Path

import apsw

from fazt.errors import StoreError
from fazt.store import rows

NAMES = "SELECT name FROM site WHERE live_version IS NOT NULL ORDER BY name"


def kept_path(path: Path, schema: int) -> Path:
    """Return where the copy lies that was made before a database left a schema behind."""
    return path.with_name(f"{path.name}.schema-{schema}")


def copy(connection: apsw.Connection, target: Path) -> None:
    """Copy what a connection sees into a file that only this user can read."""
    new = target.with_name(f".{target.name}.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    copied = apsw.Connection(str(new), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with copied.backup("main", connection, "main") as backup:
            backup.step(-1)
    finally:
        copied.close()
    _put(new, target)


def take(path: Path, target: Path) -> list[str]:
    """Copy a database, whether a server uses it or not; return the names of its sites that are live.

    Raises: StoreError.
    """
    if not path.is_file():
        raise StoreError(f"There is no database at {path}.")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(5000)
            copy(connection, target)
            return [name for (name,) in rows.fetch(connection, NAMES)]
        finally:
            connection.close()
    except apsw.Error as error:
        raise StoreError(f"{path} cannot be copied: {error}.") from error


def schema_of(path: Path) -> int:
    """Return the number of the last migration that a database has seen. Raises: StoreError."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(5000)
            return int(connection.pragma("user_version"))
        finally:
            connection.close()
    except apsw.Error as error:
        raise StoreError(f"{path} cannot be read: {error}.") from error


def restore(path: Path, schema: int) -> None:
    """Put the copy from before a migration in the place of a database that nobody uses.

    Raises: StoreError where there is none.
    """
    kept = kept_path(path, schema)
    if not kept.is_file():
        raise StoreError(f"There is no copy of schema {schema} beside {path}.")
    new, owner = path.with_name(f".{path.name}.restored"), path.stat()
    shutil.copyfile(kept, new)
    os.chmod(new, owner.st_mode & 0o777)
    if (os.geteuid(), os.getegid()) != (owner.st_uid, owner.st_gid):
        os.chown(new, owner.st_uid, owner.st_gid)
    for ending in ("-wal", "-shm"):  # of what is replaced: they would be taken for those of the copy
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    _put(new, path)


def _put(new: Path, target: Path) -> None:
    """Give a finished file its name, once all of it is on disk."""
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
