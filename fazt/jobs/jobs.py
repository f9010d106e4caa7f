"""`Jobs`: takes what is due from the queue, has it run, and writes down what came of it.

It runs the jobs that scripts queue and the runs of cron triggers alike. What a function is, `run` knows. Rule: a run's
end is one write: its keys, the jobs that it queued and the job's own state, or nothing of it.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import apsw
import orjson

from fazt.clock import Clock, keep_looking
from fazt.data.kv_unit import Unit
from fazt.errors import Conflict, FaztError, JobFailed, KvConflict, StoreError
from fazt.jobs.buffer import Buffer, Enqueued, add_all
from fazt.jobs.running import JobRun, Run
from fazt.store import kv, queue
from fazt.store.database import Database
from fazt.store.kv import Reads, Write
from fazt.store.queue import QueuedJob

log = logging.getLogger("fazt.jobs")

AT_ONCE = 8
AT_ONCE_PER_SITE = 2
MAX_REPEATS = 5  # of a run whose reads had moved; each begins at once and costs no attempt
MAX_PAUSE_MS = 6 * 3_600_000
GRACE_S = 5.0  # for `run` to see to its own time limit
MAX_RESULT_BYTES = 64 * 1024
MAX_ERROR_CHARACTERS = 4000
TRIM_EVERY_MS = 3_600_000
TRIM_AFTER = 64  # ends
TRIM_AT_ONCE = 500  # rows in one write, so that others come in between


class Jobs:
    """The one scheduler of a server; it sleeps until the next job is due or somebody wakes it."""

    def __init__(
        self, database: Database, run: Run, clock: Clock, *, at_once: int = AT_ONCE, per_site: int = AT_ONCE_PER_SITE
    ) -> None:
        self._database = database
        self._run = run
        self._clock = clock
        self._at_once = at_once
        self._per_site = per_site
        self._waking = asyncio.Event()
        self._running: dict[str, tuple[QueuedJob, asyncio.Task[None]]] = {}
        self._buffers: WeakKeyDictionary[Unit, Buffer] = WeakKeyDictionary()
        self._ended_of: set[int] | None = None  # sites whose jobs ended since the last trim; None: it may be any
        self._ended = 0
        self._trim_at = 0
        self._taken_over = False  # what the process before left under way

    def now_ms(self) -> int:
        """Return the time by the clock of the jobs."""
        return self._clock.now_ms()

    def wake(self) -> None:
        """Look at the queue again: something was queued, cancelled or is to be tried again."""
        self._waking.set()

    def interrupt(self, id: str) -> None:
        """End the run of a job that was cancelled, if it is under way."""
        if id in self._running:
            self._running[id][1].cancel()

    def buffer_of(self, unit: Any) -> Buffer | None:
        """Return where a run that has this unit queues its jobs; None for what is not a run's unit."""
        return self._buffers.get(unit) if isinstance(unit, Unit) else None

    async def work(self) -> None:
        """Run jobs until the task is cancelled; runs under way then are ended, and their jobs wait as before."""
        try:
            await keep_looking(self._look, self._waking, self._clock, log)
        finally:
            await self._stop()

    async def _look(self) -> int | None:
        """Begin what is due and can be begun; return when to look again."""
        now = self._clock.now_ms()
        if not self._taken_over:
            await self._database.write(queue.take_over, now)
            self._taken_over = True
        await self._trim(now)
        alive = frozenset(str(job.lease_token) for job, _ in self._running.values())
        outlook = await self._database.read(queue.look, now)
        if outlook.is_over and await self._database.write(queue.expire, now, alive) > 0:
            outlook = await self._database.read(queue.look, now)
        free = self._at_once - len(self._running)
        if outlook.is_due and free > 0:
            for job in await self._database.write(queue.lease, now, free, self._per_site):
                task = asyncio.create_task(self._work_off(job), name=f"job {job.id}")
                self._running[job.id] = job, task
                task.add_done_callback(partial(self._on_end, job))
        return self._trim_at if outlook.next_at is None else min(outlook.next_at, self._trim_at)

    async def _work_off(self, job: QueuedJob) -> None:
        try:
            await self._repeat(job)
        except StoreError as error:  # not the job's fault: it runs again when its lease is over
            log.warning("the end of the job %s of %s was not written: %s", job.id, job.site, error)
        except Exception:
            log.exception("the job %s of %s came to no end", job.id, job.site)

    def _on_end(self, job: QueuedJob, task: asyncio.Task[None]) -> None:
        del self._running[job.id]
        if self._ended_of is not None:
            self._ended_of.add(job.site_id)
        self._ended += 1
        self.wake()

    async def _repeat(self, job: QueuedJob) -> None:
        """Run a job until its end is written."""
        error = ""
        for _ in range(1 + MAX_REPEATS):
            unit = Unit()
            buffer = self._buffers[unit] = Buffer(self._database, job.site_id, job.id)
            try:
                result = await self._run_once(job, unit)
            except KvConflict as conflict:
                error = conflict.message
                continue
            except FaztError as failure:
                return await self._fail(job, failure.message)
            finally:
                unit.end()
                buffer.end()
            try:
                await self._database.write(
                    commit, job, self._clock.now_ms(), result, unit.reads, unit.writes, buffer.enqueued
                )
                return None
            except Conflict as conflict:
                error = conflict.message
            except StoreError:
                raise
            except FaztError as failure:
                return await self._fail(job, failure.message)
        return await self._fail(job, f"It was repeated {MAX_REPEATS} times, since others wrote what it read. {error}")

    async def _run_once(self, job: QueuedJob, unit: Unit) -> bytes | None:
        """Run a job and return its result as it is kept: JSON, None where it is too large.

        Raises: FaztError.
        """
        timeout_s = job.timeout_ms / 1000
        data = orjson.loads(job.data)
        told = JobRun(
            job.site, job.site_id, job.kind, job.handler, "default", data, unit, timeout_s, job.id, job.attempts
        )
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                result = await self._run(told)
            value = orjson.dumps(result.value)
        except FaztError:
            raise
        except TimeoutError:
            raise JobFailed(f"It took longer than {timeout_s:g} s.") from None
        except Exception as error:
            log.exception("the job %s of %s failed", job.id, job.site)
            raise JobFailed("It failed inside the server, whose log says why.") from error
        return value if len(value) <= MAX_RESULT_BYTES else None

    async def _fail(self, job: QueuedJob, message: str) -> None:
        now = self._clock.now_ms()
        await self._database.write(queue.fail, job, now, message[:MAX_ERROR_CHARACTERS], now + pause_ms(job))

    async def _trim(self, now: int) -> None:
        """Delete ended jobs that nobody is to see any more, once an hour and after many ends."""
        if now < self._trim_at and self._trim_at - now <= TRIM_EVERY_MS and self._ended < TRIM_AFTER:
            return
        sites = None if self._ended_of is None else sorted(self._ended_of)
        self._ended_of, self._ended, self._trim_at = set(), 0, now + TRIM_EVERY_MS
        while await self._database.write(queue.trim, sites, now, TRIM_AT_ONCE):
            pass

    async def _stop(self) -> None:
        under_way = list(self._running.values())
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
        if under_way:
            try:
                await self._database.write(queue.release, [job for job, _ in under_way])
            except StoreError as error:  # the next start takes them over
                log.warning("jobs under way were not given back: %s", error)


def pause_ms(job: QueuedJob) -> int:
    """Return how long a job waits after a failure: twice as long each time, a quarter more or less at random."""
    pause = min(job.backoff_ms << min(job.attempts - 1, 40), MAX_PAUSE_MS)
    return pause * 3 // 4 + secrets.randbelow(pause // 2 + 1)


def commit(
    connection: apsw.Connection,
    job: QueuedJob,
    now: int,
    result: bytes | None,
    reads: Reads,
    writes: Sequence[Write],
    enqueued: Sequence[Enqueued],
) -> bool:
    """End a job well with all that its run wrote; return False, and write nothing, where it was taken away.

    Raises: Conflict where something that the run read has moved; what the store and the queue raise.
    """
    if not queue.finish(connection, job, now, result):
        return False
    if writes or reads.versions or reads.ranges:
        kv.apply(connection, job.site_id, reads, writes)
    add_all(connection, job.site_id, enqueued, now)
    return True
