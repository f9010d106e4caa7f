"""The lock that lets one process at a time use a database: an exclusive `flock` on `<path>.lock`.

Rule: the lock file is never deleted, since two processes could then each hold a lock on a file of that name.
"""

import errno
import fcntl
import os
from pathlib import Path

from fazt.errors import StoreBusy
from fazt.store import faults


def take_lock(path: Path) -> int:
    """Lock the database at `path` for this process; return the descriptor whose closing ends it.

    Raises: StoreBusy, StoreReadOnly, StorageFull, StoreError.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise faults.from_os(error, path) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sign(descriptor, path)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        process = f" (process {holder})" if holder.isdecimal() else ""
        raise StoreBusy(f"{path} is in use by another fazt{process}.") from None
    except OSError as error:
        os.close(descriptor)
        raise faults.from_os(error, path) from error
    return descriptor


def _sign(descriptor: int, path: Path) -> None:
    """Write this process's number into the lock file and give the file to the database's owner."""
    if os.geteuid() == 0:
        # Root may look into the database of a service; the service must be able to take the lock again afterwards.
        owner = path.stat() if path.exists() else path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except OSError as error:
        # The number only makes a message clearer; what is stored can be read from a full disk too.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
