"""Room on the disk: how much of it growth must leave.

Rule: what makes the database grow is refused at the reserve, long before the disk is full; what gives room back, and
what fits into pages that are free already, goes on to the end.
"""

import os
from pathlib import Path

from fazt.store import faults

FLOOR_BYTES = 2 * 1024 * 1024  # growth always leaves this, so that deleting is still possible
LEAST_BYTES = 64 * 1024 * 1024
MOST_BYTES = 1024 * 1024 * 1024
SHARE = 50  # of the disk: one part in so many
LARGEST_SHARE = 10  # on a small disk the reserve must not be most of it
SMALL_BYTES = 64 * 1024  # signing in, a setting, the audit of a removal: these may use half of the reserve


def reserve_bytes(size: int, wanted: int) -> int:
    """Return how much growth leaves free on a disk of some size; `wanted` 0: a share of it, within bounds."""
    chosen = wanted or min(max(LEAST_BYTES, size // SHARE), MOST_BYTES, size // LARGEST_SHARE)
    return max(FLOOR_BYTES, chosen)


def check_growth(path: Path, waiting: int, growth: int, wanted: int) -> None:
    """Refuse a growth of the file at `path` that would use up the reserve.

    `waiting`: bytes that earlier commits still have to copy into the file. Raises: StorageFull.
    """
    disk = os.statvfs(path)
    if not disk.f_blocks:  # a file system that does not tell
        return
    reserve = reserve_bytes(disk.f_blocks * disk.f_frsize, wanted)
    limit = reserve if growth > SMALL_BYTES else max(FLOOR_BYTES, reserve // 2)
    if disk.f_bavail * disk.f_frsize - waiting - growth < limit:
        raise faults.out_of_room(path, reserve)
