"""What a backup costs those who write meanwhile: the time of each write, without a backup and during one.

    .venv/bin/python bench/backup.py [--mib 1024] [--seconds 10]

One writer sets a key, waits until that is on disk, and goes on: closed loop, so that what it waits for is the store.
The database is filled with contents that do not compress. Restoring it is timed as well.
"""

import argparse
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fazt.backups import restoring
from fazt.backups.shelf import Shelf
from fazt.store import blobs, kv, sites
from fazt.store.database import Database
from fazt.store.kv import Write

MIB = 1 << 20
BLOB_CHUNKS = 16  # 4 MiB


def main() -> None:
    """Measure, and print what was found."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--mib", type=int, default=1024, help="size of the database")
    wanted.add_argument("--seconds", type=float, default=10, help="how long is written without a backup")
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="fazt-bench-", dir=".") as folder:
        path = Path(folder, "data.db")
        with closing(Database.open(path)) as database:
            site = fill(database, given.mib)
            say(f"{given.mib} MiB, nothing else", write_until(database, site, timer(given.seconds)))
            shelf = Shelf(path, Path(folder, "backups"))
            done = threading.Event()
            began = time.perf_counter()
            thread = threading.Thread(target=make, args=(shelf, done))
            thread.start()
            times = write_until(database, site, done.is_set)
            thread.join()
            say(f"during a backup of {time.perf_counter() - began:.1f} s", times)
        began = time.perf_counter()
        restoring.stage(shelf.find("latest").path, path)
        restoring.finish(path)
        print(f"restored, all of it checked, in {time.perf_counter() - began:.1f} s")


def make(shelf: Shelf, done: threading.Event) -> None:
    """Make a backup, and say when it is over."""
    try:
        shelf.create()
    finally:
        done.set()


def fill(database: Database, mib: int) -> int:
    """Fill the database with contents; return the number of a site."""
    for _ in range(mib * MIB // (BLOB_CHUNKS * blobs.CHUNK_BYTES)):
        pieces = [os.urandom(blobs.CHUNK_BYTES) for _ in range(BLOB_CHUNKS)]
        hash = hashlib.sha256(b"".join(pieces)).digest()
        for n, data in enumerate(pieces):
            database.write_blocking(blobs.put_chunk, hash, BLOB_CHUNKS * blobs.CHUNK_BYTES, n, data)
    return database.write_blocking(sites.create, "bench").id


def timer(seconds: float) -> Callable[[], bool]:
    """Return what tells whether the time is over."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def write_until(database: Database, site: int, is_over: Callable[[], bool]) -> list[float]:
    """Write until it is over; return the milliseconds that each write took."""
    times = []
    while not is_over():
        began = time.perf_counter()
        value = b"%d" % len(times)
        database.write_blocking(kv.put, site, Write(f"key {len(times) % 100}", "json", value, None), None, 0)
        times.append((time.perf_counter() - began) * 1000)
    return times


def say(what: str, times: list[float]) -> None:
    """Print percentiles."""
    found = sorted(times)
    middle, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
    print(f"{what}: {len(found)} writes, p50 {middle:.2f} ms, p99 {p99:.2f} ms, slowest {found[-1]:.1f} ms")


if __name__ == "__main__":
    main()
