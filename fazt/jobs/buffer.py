"""The jobs that a run queues: kept until it ends well, then queued in the same transaction, else forgotten.

Rule: what the script was told (the id of a job that is there already, or of its own new one) holds when they are
queued; where it does not hold any more, the run is repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import apsw

from fazt.errors import Conflict, InvalidInput, TooLarge
from fazt.store import queue
from fazt.store.database import Database
from fazt.store.queue import NewJob

MOST_JOBS = 1000
MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that is to be queued; `seen` is the job of its unique key that was there, which then stands for it."""

    job: NewJob
    seen: str | None


class Buffer:
    """What one run queues."""

    def __init__(self, database: Database, site_id: int, job_id: str) -> None:
        self._database = database
        self._site_id = site_id
        self._job_id = job_id
        self._bytes = 0
        self._ended = False
        self.enqueued: list[Enqueued] = []

    async def add(self, job: NewJob) -> str:
        """Keep a job until the run's end; return its id, or that of the job which stands for it.

        The run's own job does not: it has ended by the time that the new one is queued. Raises: InvalidInput after
        the end; TooLarge.
        """
        self._check(job)
        seen = None
        if job.unique_key is not None:
            seen = await self._database.read(queue.find_active, self._site_id, job.name, job.unique_key)
            self._check(job)
            for other in self.enqueued:
                if (other.job.name, other.job.unique_key) == (job.name, job.unique_key):
                    return other.seen or other.job.id
        self.enqueued.append(Enqueued(job, None if seen == self._job_id else seen))
        self._bytes += len(job.data)
        return self.enqueued[-1].seen or job.id

    def end(self) -> None:
        """Take nothing any more."""
        self._ended = True

    def _check(self, job: NewJob) -> None:
        if self._ended:
            raise InvalidInput("The run of this job has ended; await what it queues.")
        if len(self.enqueued) >= MOST_JOBS or self._bytes + len(job.data) > MOST_BYTES:
            raise TooLarge(f"A run may queue at most {MOST_JOBS} jobs with {MOST_BYTES >> 20} MiB of data.")


def add_all(connection: apsw.Connection, site_id: int, enqueued: Sequence[Enqueued], now: int) -> None:
    """Queue what a run has queued.

    Raises: Conflict where what the script was told holds no more; QueueFull, SiteNotFound.
    """
    for each in enqueued:
        if each.job.unique_key is not None:
            active = queue.find_active(connection, site_id, each.job.name, each.job.unique_key)
            if active != each.seen:
                raise Conflict(f"Another job of the unique key {each.job.unique_key!r} came or went in between.")
        if each.seen is None:
            queue.add(connection, site_id, replace(each.job, run_at=max(each.job.run_at, now)), now)
