"""A copy of the database as it was at one moment, made while others write.

Rule: the moment is that of one read transaction, which stays open: a copy that is made page by page would begin anew at
each write (sqlite.org/c3ref/backup_finish.html).
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw

from fazt.store import faults, schema

STEP_PAGES = 256  # copied at once: 1 MiB
PAUSE_S = 0.001  # between steps, for those who write


def copy(source: Path, target: Path) -> None:
    """Copy an open database to a new file, which is whole and closed afterwards. Raises: StorageFull, StoreError."""
    try:
        with (
            _descriptor(target) as descriptor,
            closing(schema.open_reader(source)) as reader,
            closing(schema.open_checkpointer(source)) as checkpointer,
            closing(apsw.Connection(str(target))) as writer,
        ):
            schema.pragma(writer, "synchronous = OFF")  # it counts only once all of it was read again
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            with writer.backup("main", reader, "main") as backup:
                while not backup.done:
                    backup.step(STEP_PAGES)
                    # Little at a time: whoever writes to the database waits behind all that is on its way to the disk.
                    os.fdatasync(descriptor)
                    time.sleep(PAUSE_S)
            reader.execute("ROLLBACK")
            # What was written meanwhile is copied out of the WAL here: else the next write would have to do it.
            with suppress(apsw.BusyError):  # the writer does so in this very moment
                checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            schema.pragma(writer, "journal_mode = DELETE")
    except apsw.Error as error:
        raise faults.from_sqlite(error, target) from error
    except OSError as error:
        raise faults.from_os(error, target) from error


@contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    """Make a new file that only its owner can read, and give a descriptor of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
