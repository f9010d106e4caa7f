"""What an error of SQLite or of the file system means for the caller.

Rule: no `apsw` or `OSError` about the state of the disk or the file leaves the store; it becomes one of the store's
errors, whose message names the path. An error that shows a bug (a constraint, bad SQL) passes as it is.
"""

import errno
from pathlib import Path

import apsw

from fazt.errors import StorageFull, StoreBusy, StoreCorrupt, StoreError, StoreReadOnly

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def storage_full(path: Path) -> StorageFull:
    """Return the error that says the disk is full."""
    return StorageFull(f"The disk that holds {path} is full; nothing was changed. Free some space and try again.")


def out_of_room(path: Path, reserve: int) -> StorageFull:
    """Return the error that says that what is left of the disk is the reserve."""
    return StorageFull(
        f"The disk that holds {path} is almost full: the last {reserve / 1e6:,.0f} MB stay free, so that reading and "
        "deleting go on. Nothing was changed; free some space and try again."
    )


def read_only(path: Path) -> StoreReadOnly:
    """Return the error that says the database cannot be written."""
    return StoreReadOnly(f"{path} is read-only for this user, or lies in a folder or on a file system that is.")


def from_os(error: OSError, path: Path) -> StoreError:
    """Return the store's error for one of the file system."""
    if error.errno in FULL:
        return storage_full(path)
    if error.errno in READ_ONLY:
        return read_only(path)
    return StoreError(f"{path} cannot be opened: {error.strerror or error}.")


def from_sqlite(error: BaseException, path: Path, connection: apsw.Connection | None = None) -> BaseException:
    """Return the store's error for one of SQLite; any other error is returned as it is."""
    if not isinstance(error, apsw.Error):
        return error
    system = connection.system_errno if connection is not None and isinstance(error, apsw.IOError) else 0
    if isinstance(error, apsw.FullError) or system in FULL:
        return storage_full(path)
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError) or system == errno.EROFS:
        return read_only(path)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return StoreCorrupt(f"{path} is damaged ({error}). Put a copy that you trust in its place.")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreBusy(f"{path} is locked by another program that uses it; try again when that has finished.")
    if isinstance(error, apsw.CantOpenError | apsw.IOError | apsw.ProtocolError):
        return StoreError(f"{path} cannot be read or written ({error}).")
    return error
