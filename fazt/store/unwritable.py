"""A database on a disk that cannot be written, or on one without any room: it is read, and each write is refused.

Rule: nothing is opened here that somebody else could be writing: the disk is read-only for everybody, or the lock is
held by this process.
"""

import logging
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw

from fazt.errors import StoreError
from fazt.store import faults, schema
from fazt.store.jobs import Job
from fazt.store.writer import Listener

logger = logging.getLogger("fazt.store")


class NoWriter:
    """Stands in the place of the writer where nothing can be written."""

    def __init__(self, path: Path, refusal: Callable[[Path], StoreError]) -> None:
        self._path = path
        self._refusal = refusal
        self.disk_reserve_bytes = 0

    def submit(self, job: Job) -> None:
        """Refuse a job."""
        job.error = self._refusal(self._path)
        job.answer()

    def follow(self, listener: Listener) -> None:
        """Tell nobody anything: nothing changes."""

    def is_current_thread(self) -> bool:
        """Tell that there is no such thread."""
        return False

    def stop(self) -> None:
        """End nothing."""

    def close(self) -> None:
        """Close nothing."""

    def cut_wal(self, connection: apsw.Connection) -> bool:
        """Leave the WAL as it is."""
        return False

    def wal_bytes(self) -> int:
        """Return the size of the WAL file."""
        return wal_bytes(self._path)


def is_on_read_only_disk(path: Path) -> bool:
    """Tell whether nobody can write where a file lies."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def wal_bytes(path: Path) -> int:
    """Return the size of the WAL of a database."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.stat().st_size if wal.exists() else 0


def fold_wal(path: Path) -> None:
    """Copy the WAL into the file and delete it, where there is no room for anything: it takes none, and gives some.

    To be called under the lock. What does not fit stays in the WAL.
    """
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.pragma("locking_mode", "EXCLUSIVE")  # its index is in memory then, not in a file
            connection.pragma("schema_version")  # the file is opened at the first statement
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.Error as error:
        logger.warning("the WAL of %s cannot be copied into it now: %s", path, error)


def check(path: Path) -> bool:
    """See whether a database can be read as it is; return whether it must be opened as one that nobody changes.

    Raises: StoreCorrupt; StoreError where it is older or newer than this Fazt.
    """
    schema.check_header(path)
    try:
        try:
            reader, is_frozen = schema.open_reader(path), False
            schema.pragma(reader, "user_version")
        except (apsw.CantOpenError, apsw.FullError, apsw.IOError):  # the files of the WAL cannot be made
            if wal_bytes(path):
                raise
            reader, is_frozen = schema.open_reader(path, is_frozen=True), True
        present, wanted = schema.pragma(reader, "user_version"), schema.migrations()[-1][0]
        reader.close()
    except apsw.Error as error:
        raise faults.from_sqlite(error, path) from error
    if present != wanted:
        raise StoreError(
            f"{path} has the schema {present}, this Fazt wants {wanted}, and the disk cannot be written: "
            "copy it to one that can be written, or make room."
        )
    return is_frozen
