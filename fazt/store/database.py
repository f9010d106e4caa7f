"""The one file that everything is kept in: `Database` opens, locks, reads, writes and closes it.

`read` and `write` are the two doors to the store's functions. Rule: functions that go through them touch nothing but
the connection, since a write may be run a second time when another write of its group filled the disk.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import apsw

from fazt.errors import StorageFull, StoreError, StoreReadOnly, WritingStopped
from fazt.store import blobs, faults, schema, staged, unwritable
from fazt.store.clock import now_ms
from fazt.store.jobs import Job
from fazt.store.lock import take_lock
from fazt.store.readers import Readers
from fazt.store.unwritable import NoWriter
from fazt.store.writer import Listener, Writer

__all__ = ["Database", "now_ms"]

logger = logging.getLogger("fazt.store")

SHRINK_PAGES = 512  # given back in one transaction: few, since each may pass through the WAL of a disk that is full

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """One open database: a writing thread, a few reading ones, and the lock that keeps other processes out."""

    def __init__(self, path: Path, lock: int | None, writer: Writer | NoWriter, readers: Readers) -> None:
        self.path = path
        self._lock = lock
        self._writer = writer
        self._readers = readers
        self._writing_stopped = False
        self._gate = threading.Lock()  # nothing may be queued after the threads were told to end
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, create: bool = True, readers: int = 3) -> "Database":
        """Open the database at `path`, make it (`create`) where there is none, and bring its schema up to date.

        One on a disk that is read-only is read, and refuses to be written. Raises: StoreBusy, StoreReadOnly,
        StoreCorrupt, StorageFull, StoreError; each message names the path.
        """
        path = Path(os.path.realpath(path))  # the lock and the WAL lie beside the file itself, not beside a link to it
        if path.is_dir():
            raise StoreError(f"{path} is a folder, not a database.")
        if not create and not path.exists() and not staged.is_staged(path):
            raise StoreError(f"There is no database at {path}.")
        if create and not staged.is_staged(path):
            schema.make_file(path)
        if path.exists() and unwritable.is_on_read_only_disk(path):
            return cls._open_unwritable(path, None, readers, faults.read_only)
        lock = take_lock(path)
        try:
            staged.swap_in(path)
            try:
                writer = _begin_writing(path)
            except StoreReadOnly:  # the file alone: the lock keeps away whoever might write it
                return cls._open_unwritable(path, lock, readers, faults.read_only)
            except StorageFull:  # there is not even room to begin
                return cls._open_unwritable(path, lock, readers, faults.storage_full)
            try:
                reading = Readers(path, readers)
                writer.pause_readers = reading.paused
                return cls(path, lock, writer, reading)
            except BaseException:
                writer.stop()
                writer.close()
                raise
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def _open_unwritable(
        cls, path: Path, lock: int | None, readers: int, refusal: Callable[[Path], StoreError]
    ) -> "Database":
        """Open a database that cannot be written; `refusal` makes the error that each write ends with."""
        is_frozen = unwritable.check(path)
        logger.warning("%s It is read, and nothing can be changed until the next start.", refusal(path).message)
        return cls(path, lock, NoWriter(path, refusal), Readers(path, readers, is_frozen=is_frozen))

    async def read(
        self, function: Callable[Concatenate[apsw.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `function(connection, ...)` on a reading thread, in one consistent snapshot."""
        job = Job(function, args, kwargs, asyncio.get_running_loop())
        self._submit(self._readers, job)
        return cast("T", await cast("asyncio.Future[Any]", job.waiter))

    async def write(
        self, function: Callable[Concatenate[apsw.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `function(connection, ...)` on the writing thread; return when what it wrote is on disk.

        It is all or nothing: where it raises, nothing of it is kept. Raises: WritingStopped in a read-only time.
        """
        self._check_writing()
        return await self.write_always(function, *args, **kwargs)

    async def write_always(
        self, function: Callable[Concatenate[apsw.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write` does in a read-only time too: for what ends such a time."""
        job = Job(function, args, kwargs, asyncio.get_running_loop())
        self._submit(self._writer, job)
        return cast("T", await cast("asyncio.Future[Any]", job.waiter))

    def read_blocking(
        self, function: Callable[Concatenate[apsw.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `read` does, for a thread that has no event loop."""
        job = Job(function, args, kwargs, None)
        self._submit(self._readers, job)
        return cast("T", job.wait())

    def write_blocking(
        self, function: Callable[Concatenate[apsw.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write` does, for a thread that has no event loop."""
        self._check_writing()
        job = Job(function, args, kwargs, None)
        self._submit(self._writer, job)
        return cast("T", job.wait())

    def follow(self, listener: Listener) -> None:
        """Call `listener(changes)` on the writing thread after each COMMIT, before its writes are answered."""
        self._writer.follow(listener)

    @property
    def is_writing_stopped(self) -> bool:
        """Whether this is a read-only time."""
        return self._writing_stopped or isinstance(self._writer, NoWriter)

    def stop_writing(self, stopped: bool) -> None:
        """Let a read-only time begin or end: writes that come in it are refused, those that wait already are done."""
        self._writing_stopped = stopped

    def _check_writing(self) -> None:
        if self._writing_stopped:
            raise WritingStopped("This server is read-only at the moment (its setting read_only); nothing was changed.")

    def keep_free(self, reserve_bytes: int) -> None:
        """Let growth leave so much of the disk from now on; 0: a share of it."""
        self._writer.disk_reserve_bytes = reserve_bytes

    def shrink(self) -> int:
        """Give the pages that are no longer used back to the disk; return the bytes by which the file became smaller.

        Blocks its thread; other writes come in between.
        """
        before = self.file_bytes()
        while self.write_blocking(blobs.shrink, SHRINK_PAGES) == SHRINK_PAGES:
            pass
        job = Job(self._writer.cut_wal, (), {}, None, transaction=False)
        self._submit(self._writer, job)
        job.wait()
        return max(0, before - self.file_bytes())

    def file_bytes(self) -> int:
        """Return what the database takes up on disk, what is still in its WAL included."""
        return self.path.stat().st_size + self._writer.wal_bytes()

    def wal_bytes(self) -> int:
        """Return the size of the WAL alone."""
        return self._writer.wal_bytes()

    def close(self) -> None:
        """Finish what is queued, copy the WAL into the file and release the lock; more than once is harmless."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
        self._writer.stop()
        self._readers.stop()
        self._writer.close()
        if self._lock is not None:
            os.close(self._lock)

    def _submit(self, threads: Writer | NoWriter | Readers, job: Job) -> None:
        if job.loop is None and self._writer.is_current_thread() and threads is self._writer:
            raise RuntimeError("a follower of changes must not wait for a write: it runs on the writing thread")
        with self._gate:
            if self._closed:
                raise StoreError(f"{self.path} is closed.")
            threads.submit(job)


def _begin_writing(path: Path) -> Writer:
    """Return the writer. Raises: StorageFull where there is no room to begin, whatever is done for it; StoreError."""
    try:
        return Writer(path)
    except StorageFull:
        unwritable.fold_wal(path)
        return Writer(path)
