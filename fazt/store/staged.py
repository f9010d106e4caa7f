"""A database that waits to take the place of another: it is put there before that is opened, under its lock.

Whoever stages one ends with a rename to `<path>.restore`; from then on it is decided. What was there before is kept.
Rule: it can be cut off anywhere and is finished by the next who opens the database; nothing that is kept is replaced.
"""

import os
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from fazt.store import faults

BESIDE = ("-wal", "-shm")  # files of SQLite that belong to the database of that name


def staged_path(path: Path) -> Path:
    """Return where a database lies that waits to take the place of the one at `path`."""
    return path.with_name(f"{path.name}.restore")


def is_staged(path: Path) -> bool:
    """Tell whether one waits."""
    return staged_path(path).exists()


def swap_in(path: Path) -> Path | None:
    """Put what is staged in the place of the database; return where the one before is kept, None: nothing was staged.

    To be called under the lock only. Raises: StorageFull, StoreReadOnly, StoreError.
    """
    staged = staged_path(path)
    if not staged.exists():
        return None
    try:
        kept = _free_name(path, staged)
        # The WAL first: a database without its WAL is older than it was, one with a WAL of another is damaged.
        for ending in (*BESIDE, ""):
            old = path.with_name(path.name + ending)
            if old.exists():
                old.replace(kept.with_name(kept.name + ending))
        sync_folder(path.parent)
        staged.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise faults.from_os(error, path) from error
    return kept


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_name(path: Path, staged: Path) -> Path:
    """Return a name for what was there before: that of the decision, so that a moved WAL meets its database."""
    moment = datetime.fromtimestamp(int(staged.stat().st_mtime), UTC)
    name = f"{path.name}.before-{moment:%Y%m%d-%H%M%S}"
    for number in count():
        kept = path.with_name(name if number == 0 else f"{name}.{number}")
        if not kept.exists():
            return kept
    raise AssertionError
