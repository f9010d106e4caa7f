"""A database, `Jobs` on it, a clock that a test sets, and runs that do what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fazt.data.caller import Caller
from fazt.jobs.jobs import Jobs
from fazt.jobs.operations import jobs_operations
from fazt.jobs.running import JobRun, RunResult
from fazt.store import kv, queue, sites
from fazt.store.database import Database
from fazt.store.kv import Write
from fazt.store.queue import QueuedJob

NOW = 1_800_000_000_000


class FakeClock:
    def __init__(self) -> None:
        self.now = NOW
        self.until: int | None = None
        self._asleep = asyncio.Event()
        self._moved = asyncio.Event()

    def now_ms(self) -> int:
        return self.now

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        if event.is_set() or (until_ms is not None and until_ms <= self.now):
            return
        self.until = until_ms
        self._moved.clear()
        self._asleep.set()
        waiting = [asyncio.ensure_future(each.wait()) for each in (event, self._moved)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._asleep.clear()
            for task in waiting:
                task.cancel()

    def advance(self, milliseconds: int) -> None:
        self.now += milliseconds
        self._asleep.clear()
        self._moved.set()

    async def asleep(self) -> None:
        await self._asleep.wait()

    async def next_sleep(self) -> None:
        self._asleep.clear()
        await self._asleep.wait()


Behaviour = Callable[[JobRun], Awaitable[Any]]


class World:
    def __init__(self, path: Path, **limits: int) -> None:
        self.database = Database.open(path)
        self.clock = FakeClock()
        self.jobs = Jobs(self.database, self._run, self.clock, **limits)
        self.behaviours: dict[str, Behaviour] = {}
        self.runs: list[JobRun] = []
        self.known = {"mail", "other", "slow"}
        self.operations = jobs_operations(self.database, self.jobs, self._has_job)
        self.site = self.database.write_blocking(sites.create, "blog")

    async def _has_job(self, site: str, name: str) -> bool:
        return name in self.known

    async def _run(self, run: JobRun) -> RunResult:
        self.runs.append(run)
        name = run.handler.rpartition("/")[2].removesuffix(".js")
        return RunResult(await self.behaviours[name](run) if name in self.behaviours else None)

    def caller(self, unit: Any = None) -> Caller:
        return Caller("blog", self.site.id, 1, "call", unit=unit)

    async def enqueue(self, name: str = "mail", data: Any = None, unit: Any = None, **options: Any) -> str:
        value = {"name": name, "data": data, "options": options or None}
        answer, _ = await self.operations["jobs.enqueue"](self.caller(unit), value, b"")
        id: str = answer["id"]
        return id

    def job(self, id: str) -> QueuedJob:
        return self.database.read_blocking(queue.get, id)

    def states(self) -> list[str]:
        return [job.state for job in self.database.read_blocking(queue.list_page, None, None, None, 999)][::-1]

    def value(self, key: str) -> bytes | None:
        entry = self.database.read_blocking(kv.find, self.site.id, key, NOW)
        return None if entry is None else entry.value

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; it is asked each time that the scheduler has nothing to do for now."""
        await self.clock.asleep()
        while not condition():
            await self.clock.next_sleep()

    async def ended(self, *ids: str) -> None:
        await self.until(lambda: all(self.job(id).finished_at is not None for id in ids))


@asynccontextmanager
async def working(path: Path, **limits: int) -> AsyncIterator[World]:
    """Give a world whose jobs are run."""
    world = World(path, **limits)
    task = asyncio.create_task(world.jobs.work())
    try:
        await world.clock.asleep()
        yield world
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        world.database.close()


def put(run: JobRun, key: str, value: bytes) -> None:
    """Write as `kv.set` does inside a run."""
    run.unit.put(Write(key, "json", value, None))
