"""Putting a backup in the place of the database: staged beside it while it is in use, swapped in before it is opened.

Staging ends with one rename, and from then on the restore is decided: whoever opens the database next finishes it,
however often they are killed meanwhile. The database that was there is kept. Rule: nothing is staged that was not
checked whole.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from fazt.backups.file import Header, Progress, sync_folder
from fazt.backups.shelf import prove_file
from fazt.store import faults
from fazt.store.lock import take_lock

STAGED = "restore"
BESIDE = ("-wal", "-shm")  # files of SQLite that belong to the database of that name


def stage(
    backup: Path,
    database: Path,
    passphrase: str | None = None,
    boot: Callable[[Path, Sequence[str]], None] | None = None,
    progress: Progress | None = None,
) -> Header:
    """Check a backup and decide that it takes the place of the database when that is opened next.

    Blocks its thread. Raises: BackupRefused, StorageFull, StoreError; nothing has changed then.
    """
    unfinished = database.with_name(f".{database.name}.{STAGED}.part")
    try:
        header = prove_file(backup, unfinished, passphrase, boot, progress)
        if os.geteuid() == 0 and database.exists():  # the service must be able to write it
            owner = database.stat()
            os.chown(unfinished, owner.st_uid, owner.st_gid)
        unfinished.replace(_staged(database))
        sync_folder(database.parent)
    except OSError as error:
        raise faults.from_os(error, database) from error
    finally:
        for ending in ("", *BESIDE):
            with suppress(OSError):
                unfinished.with_name(unfinished.name + ending).unlink(missing_ok=True)
    return header


def is_staged(database: Path) -> bool:
    """Tell whether a backup waits to take the place of the database."""
    return _staged(database).exists()


def finish(database: Path) -> Path | None:
    """Put what is staged in the place of the database; return where the one before is kept, None: nothing was staged.

    Takes the database's lock meanwhile. Raises: StoreBusy where it is in use, StoreError.
    """
    staged = _staged(database)
    if not staged.exists():
        return None
    lock = take_lock(database)
    try:
        if not staged.exists():  # another process was faster
            return None
        # The name is that of the decision, so that a second attempt goes on where the first one was killed.
        moment = datetime.fromtimestamp(int(staged.stat().st_mtime), UTC)
        kept = database.with_name(f"{database.name}.before-{moment:%Y%m%d-%H%M%S}")
        # The WAL first: a database without its WAL is older than it was, one with a WAL of another is damaged.
        for ending in (*BESIDE, ""):
            old = database.with_name(database.name + ending)
            if old.exists():
                old.replace(kept.with_name(kept.name + ending))
        sync_folder(database.parent)
        staged.replace(database)
        sync_folder(database.parent)
        return kept
    except OSError as error:
        raise faults.from_os(error, database) from error
    finally:
        os.close(lock)


def _staged(database: Path) -> Path:
    return database.with_name(f"{database.name}.{STAGED}")
