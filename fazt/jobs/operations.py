"""What scripts may ask of jobs: `jobs.enqueue`.

Rule: outside of a run, a job is on disk before the script is told its id; a run's own jobs are queued with its end.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fazt.data.caller import Caller, Operation
from fazt.errors import NotFound
from fazt.jobs.jobs import Jobs
from fazt.jobs.options import parse_job
from fazt.store import queue
from fazt.store.database import Database

# Whether the live version of a site has a job of that name: (site, name).
HasJob = Callable[[str, str], Awaitable[bool]]


def jobs_operations(database: Database, jobs: Jobs, has_job: HasJob) -> dict[str, Operation]:
    """Return the operations of jobs."""

    async def enqueue(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        job = parse_job(value, jobs.now_ms())
        if not await has_job(caller.site, job.name):
            raise NotFound(f"There is no job {job.name!r}: the site has no {job.handler} with a default export.")
        buffer = jobs.buffer_of(caller.unit)
        if buffer is not None:
            return {"id": await buffer.add(job)}, b""
        id = await database.write(queue.add, caller.site_id, job, jobs.now_ms())
        jobs.wake()
        return {"id": id}, b""

    return {"jobs.enqueue": enqueue}
