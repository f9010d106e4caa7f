"""Putting a backup in the place of the database: staged beside it while it is in use, swapped in before it is opened.

Staging ends with one rename, and from then on the restore is decided: whoever opens the database next finishes it,
however often they are killed meanwhile. The database that was there is kept. Rule: nothing is staged that was not
checked whole.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from fazt.backups import contents
from fazt.backups.file import Header, Progress
from fazt.backups.shelf import prove_file
from fazt.store import faults
from fazt.store.audit import Entry
from fazt.store.lock import take_lock
from fazt.store.staged import BESIDE, is_staged, staged_path, swap_in, sync_folder


def stage(
    backup: Path,
    database: Path,
    passphrase: str | None = None,
    boot: Callable[[Path, Sequence[str]], None] | None = None,
    progress: Progress | None = None,
    entry: Entry | None = None,
) -> Header:
    """Check a backup and decide that it takes the place of the database when that is opened next.

    `entry` is written to the audit log of what is restored: that of the database which is swapped out goes with it.
    Blocks its thread. Raises: BackupRefused, StorageFull, StoreError; nothing has changed then.
    """
    unfinished = database.with_name(f".{database.name}.restore.part")
    try:
        header = prove_file(backup, unfinished, passphrase, boot, progress)
        if entry is not None:
            contents.write_down(unfinished, entry)
        if os.geteuid() == 0 and database.exists():  # the service must be able to write it
            owner = database.stat()
            os.chown(unfinished, owner.st_uid, owner.st_gid)
        unfinished.replace(staged_path(database))
        sync_folder(database.parent)
    except OSError as error:
        raise faults.from_os(error, database) from error
    finally:
        for ending in ("", *BESIDE):
            with suppress(OSError):
                unfinished.with_name(unfinished.name + ending).unlink(missing_ok=True)
    return header


def finish(database: Path) -> Path | None:
    """Put what is staged in the place of the database; return where the one before is kept, None: nothing was staged.

    Whoever opens the database does the same. Raises: StoreBusy where it is in use, StoreError.
    """
    if not is_staged(database):
        return None
    lock = take_lock(database)
    try:
        return swap_in(database)
    finally:
        os.close(lock)
