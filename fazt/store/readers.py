"""Threads that read: each has a read-only connection of its own and takes jobs from one queue.

Rule: a job sees one consistent snapshot, which has ended before the job is answered.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import apsw

from fazt.store import faults, schema
from fazt.store.jobs import Job

PAUSE_STEP_S = 0.001


class Readers:
    """A few reading threads behind one queue; the writer's connection must be open as long as they run."""

    def __init__(self, path: Path, count: int, *, is_frozen: bool = False) -> None:
        self._path = path
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._open = threading.Event()  # cleared as long as nobody may begin to read
        self._open.set()
        self._busy = [False] * count
        self._connections: list[apsw.Connection] = []
        try:
            for _ in range(count):
                self._connections.append(schema.open_reader(path, is_frozen=is_frozen))
        except apsw.Error as error:
            self._close_connections()
            raise faults.from_sqlite(error, path) from error
        self._threads = [
            threading.Thread(target=self._run, args=(number, connection), name=f"fazt-reader-{number}", daemon=True)
            for number, connection in enumerate(self._connections)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; it is answered by whichever thread is free first."""
        self._queue.put(job)

    def stop(self) -> None:
        """Answer what is queued, end the threads and close their connections."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._close_connections()

    @contextmanager
    def paused(self, wait_s: float) -> Iterator[None]:
        """Let nobody begin to read as long as the block runs, which begins when all have ended, or after `wait_s`."""
        self._open.clear()
        try:
            until = time.monotonic() + wait_s
            while any(self._busy) and time.monotonic() < until:
                time.sleep(PAUSE_STEP_S)
            yield
        finally:
            self._open.set()

    def _enter(self, number: int) -> None:
        """Wait until reading may begin. What is noted before the look at the event, a pause that comes later sees."""
        self._busy[number] = True
        while not self._open.is_set():
            self._busy[number] = False
            self._open.wait()
            self._busy[number] = True

    def _close_connections(self) -> None:
        for connection in self._connections:
            connection.close()

    def _run(self, number: int, connection: apsw.Connection) -> None:
        while (job := self._queue.get()) is not None:
            self._enter(number)
            try:
                self._read(connection, job)
            except Exception as error:  # the thread must outlive one bad job
                job.error = job.error or faults.from_sqlite(error, self._path, connection)
            self._busy[number] = False
            job.answer()
            del job  # its result would live on in this frame until the next one comes

    def _read(self, connection: apsw.Connection, job: Job) -> None:
        try:
            connection.execute("BEGIN")
            job.call(connection)
            connection.execute("COMMIT" if job.error is None else "ROLLBACK")
        except apsw.Error as error:
            job.error = job.error or error
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if job.error is not None:
            job.release(connection)
            job.error = faults.from_sqlite(job.error, self._path, connection)
