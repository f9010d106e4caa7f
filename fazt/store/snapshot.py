"""A copy of the database as it was at one moment, made while others write.

Rule: the moment is that of one read transaction, which stays open: a copy that is made page by page would begin anew at
each write (sqlite.org/c3ref/backup_finish.html).
"""

import time
from contextlib import closing
from pathlib import Path

import apsw

from fazt.store import faults, schema

STEP_PAGES = 256  # copied at once: 1 MiB
PAUSE_S = 0.001  # between steps, for those who write


def copy(source: Path, target: Path) -> None:
    """Copy an open database to a new file, which is whole and closed afterwards. Raises: StorageFull, StoreError."""
    try:
        with closing(schema.open_reader(source)) as reader, closing(apsw.Connection(str(target))) as writer:
            target.chmod(0o600)
            schema.pragma(writer, "synchronous = OFF")  # it counts only once all of it was read again
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            with writer.backup("main", reader, "main") as backup:
                while not backup.done:
                    backup.step(STEP_PAGES)
                    time.sleep(PAUSE_S)
            reader.execute("ROLLBACK")
            schema.pragma(writer, "journal_mode = DELETE")
    except apsw.Error as error:
        raise faults.from_sqlite(error, target) from error
    except OSError as error:
        raise faults.from_os(error, target) from error
