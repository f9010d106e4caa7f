"""The one thread that writes, in groups: several waiting writes share one transaction and so one fsync.

Each write of a group has its savepoint, so that a failed one undoes only itself. Rule: a write is answered after the
COMMIT that made it durable and after every follower has been told of its changes; never before.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from queue import Empty, SimpleQueue

import apsw

from fazt.errors import StorageFull
from fazt.store import changes, faults, room, schema
from fazt.store.changes import Change
from fazt.store.jobs import Job, Refused

GROUP_JOBS = 64
GROUP_NS = 50_000_000  # a group that took this long is committed; the rest of it waits for the next one
IDLE_S = 1.0  # quiet time after which the WAL is copied into the file and cut
LARGE_WAL_BYTES = 64 * 1024 * 1024  # size at which the WAL is cut without waiting for quiet
FRAME_HEAD_BYTES = 24  # before each page in the WAL
NICENESS = 5
CUT_AGAIN_S = 1.0  # pause after a reader stood in the way
PAUSE_S = 0.1  # how long readers that pause are waited for
PAUSE_AGAIN_S = 10.0
CHECKPOINT_BUSY_MS = 200  # how long cutting the WAL waits for readers; what fails is tried again later

Listener = Callable[[Sequence[Change]], None]
logger = logging.getLogger("fazt.store")


class Writer:
    """The writing thread and its connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._connection = schema.open_writer(path)
        self._page_bytes: int = schema.pragma(self._connection, "page_size")
        self._pages: int = schema.pragma(self._connection, "page_count")  # as of the last COMMIT
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._listeners: list[Listener] = []
        self._seen = changes.last(self._connection)
        self.disk_reserve_bytes = 0  # 0: as `room` says
        self._must_checkpoint = False
        self._cut_again_at = self._pause_again_at = 0.0
        self.pause_readers: Callable[[float], AbstractContextManager[None]] = lambda _wait_s: nullcontext()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="fazt-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; jobs are run in the order they came."""
        self._queue.put(job)

    def follow(self, listener: Listener) -> None:
        """Call `listener` with the changes of each group after its COMMIT, before the group is answered."""
        self._listeners.append(listener)

    def is_current_thread(self) -> bool:
        """Tell whether the caller runs on the writing thread, where waiting for a write would be for ever."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Answer what is queued and end the thread; the connection stays open for `close`."""
        self._queue.put(None)
        self._thread.join()

    def close(self) -> None:
        """Copy the WAL into the file and close the connection, which removes the WAL."""
        self.cut_wal(self._connection)
        self._connection.close()

    def cut_wal(self, connection: apsw.Connection, wait_ms: int = CHECKPOINT_BUSY_MS) -> bool:
        """Copy the WAL into the file and cut it to nothing; return False where a reader prevents that for now."""
        connection.set_busy_timeout(wait_ms)
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            return False
        except apsw.Error as error:
            # Nothing is lost: what was committed stays in the WAL, and the next checkpoint begins where this ended.
            logger.warning("The WAL of %s cannot be copied into it now: %s", self._path, error)
        finally:
            connection.set_busy_timeout(schema.BUSY_TIMEOUT_MS)
        return True

    def wal_bytes(self) -> int:
        """Return the size of the WAL file."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _run(self) -> None:
        # In Linux each thread has a niceness of its own; whoever reads a page on the same core comes first. It took the
        # p99 of pages during deploys on one core from 15-20 ms to 6-8 ms, and nothing from the deploys.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while (group := self._next_group()) is not None:
            jobs = list(group)
            try:
                while group:
                    if group[0].transaction:
                        group = self._run_group(group)
                    else:
                        job = group.pop(0)
                        job.call(self._connection)
                        self._answer([job])
            except Exception as error:  # the thread must outlive one bad group, and whoever waits must hear of it
                logger.exception("The writer failed")
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._fail(jobs, error)
            if self.wal_bytes() > LARGE_WAL_BYTES and time.monotonic() >= self._cut_again_at:
                self._cut_large_wal()

    def _cut_large_wal(self) -> None:
        """Cut the WAL although there is no quiet.

        A reader in the way is not waited for: others wait for their writes. But where there is always one, they are
        asked now and then to pause for a moment; a backup, which reads for long, prevents even that, until it ends.
        """
        now = time.monotonic()
        cut = self.cut_wal(self._connection, 0)
        if not cut and now >= self._pause_again_at:
            with self.pause_readers(PAUSE_S):
                cut = self.cut_wal(self._connection, 0)
            self._pause_again_at = now + PAUSE_AGAIN_S
        self._cut_again_at = 0.0 if cut else time.monotonic() + CUT_AGAIN_S

    def _next_group(self) -> list[Job] | None:
        """Return the jobs that wait, at least one; None when the writer is to stop. Tidy up in a quiet moment."""
        while not self._stopping:
            try:
                job = self._queue.get(timeout=IDLE_S if self._must_checkpoint else None)
            except Empty:
                self._must_checkpoint = not self.cut_wal(self._connection)
                continue
            group = []
            while job is not None:
                group.append(job)
                if len(group) == GROUP_JOBS:
                    return group
                try:
                    job = self._queue.get_nowait()
                except Empty:
                    return group
            self._stopping = True
            return group
        return None

    def _run_group(self, group: list[Job]) -> list[Job]:
        """Run jobs in one transaction and answer them; return those that were left for the next one."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            self._fail(group, error)
            return []
        ends_ns = time.monotonic_ns() + GROUP_NS
        run: list[Job] = []
        while group and group[0].transaction and (not run or time.monotonic_ns() < ends_ns):
            run.append(group.pop(0))
            self._call_in_savepoint(run[-1])
            if not connection.in_transaction:
                self._run_again(run)
                return group
        self._commit(run)
        return group

    def _call_in_savepoint(self, job: Job) -> None:
        connection = self._connection
        try:
            connection.execute("SAVEPOINT job")
            job.call(connection)
            job.release(connection)
            if connection.in_transaction:
                if job.error is not None and not isinstance(job.error, Refused):
                    connection.execute("ROLLBACK TO job")
                connection.execute("RELEASE job")
        except apsw.Error as error:
            job.error = job.error or error
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _run_again(self, run: list[Job]) -> None:
        """Answer a group whose transaction SQLite undid (disk full, I/O error) because of the last job of `run`.

        Those before it did nothing wrong: each is run again by itself.
        """
        *others, culprit = run
        culprit.error = culprit.error or apsw.FullError("the transaction was undone")
        self._answer([culprit])
        self._run_each(others)

    def _run_each(self, jobs: list[Job]) -> None:
        """Run jobs of a transaction that was undone again, each by itself."""
        for job in jobs:
            if job.error is None or isinstance(job.error, Refused):
                self._run_group([job])
            else:
                self._answer([job])

    def _commit(self, run: list[Job]) -> None:
        connection = self._connection
        try:
            news = changes.since(connection, self._seen)
            self._check_room()
            connection.execute("COMMIT")
        except (apsw.Error, OSError, StorageFull) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, StorageFull) and len(run) > 1:  # what gives room back must not fail with what takes it
                self._run_each(run)
            else:
                self._fail(run, faults.from_os(error, self._path) if isinstance(error, OSError) else error)
            return
        self._pages = schema.pragma(connection, "page_count")
        self._must_checkpoint = True
        if news:
            self._seen = news[-1].seq
            self._tell(news)
        self._answer(run)

    def _check_room(self) -> None:
        """Refuse a COMMIT after which the WAL, copied into the file, would use up the reserve on the disk.

        Otherwise the WAL could fill the disk, and then nothing could be written any more, not even a deletion.
        """
        pages: int = schema.pragma(self._connection, "page_count")
        growth = pages * self._page_bytes - self._path.stat().st_size
        if growth <= 0:
            return
        # COMMIT itself writes the new pages of this transaction into the WAL first.
        frames = max(0, pages - self._pages) * (self._page_bytes + FRAME_HEAD_BYTES)
        room.check_growth(self._path, growth, frames, self.disk_reserve_bytes)

    def _tell(self, news: Sequence[Change]) -> None:
        for listener in self._listeners:
            try:
                listener(news)
            except Exception:  # one bad follower must not stop the writer, nor the others
                logger.exception("A follower of changes failed")

    def _fail(self, jobs: list[Job], error: BaseException) -> None:
        for job in jobs:
            job.error = job.error or error
        self._answer(jobs)

    def _answer(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.error is not None:
                job.error = faults.from_sqlite(job.error, self._path, self._connection)
        if any(isinstance(job.error, StorageFull) for job in jobs):
            self.cut_wal(self._connection)  # what was written of the failed transaction still takes up the disk
        for job in jobs:
            job.answer()
