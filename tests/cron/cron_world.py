"""A database with deployed sites, `Cron` on it, a clock that a test sets, and a count of wakes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from fazt.cron.cron import Cron
from fazt.sites.manifest import parse_manifest
from fazt.store import queue, schedules, sites, versions
from fazt.store.database import Database
from fazt.store.queue import QueuedJob
from fazt.store.schedules import Trigger

NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z
MINUTE = 60_000
HOUR = 60 * MINUTE


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

    async def set(self, now: int) -> None:
        """Set the clock and wait until the scheduler has seen to it."""
        self.now = now
        await self.look()

    async def look(self) -> None:
        self._asleep.clear()
        self._moved.set()
        await self._asleep.wait()

    async def asleep(self) -> None:
        await self._asleep.wait()


class World:
    def __init__(self, path: Path) -> None:
        self.database = Database.open(path)
        self.clock = FakeClock()
        self.wakes = 0
        self.cron = Cron(self.database, self._wake, self.clock)

    def _wake(self) -> None:
        self.wakes += 1

    def deploy(self, *triggers: Any, site: str = "blog") -> int:
        """Let a version with these triggers go live; return the site's id."""
        manifest = parse_manifest(orjson.dumps({"cron": list(triggers)}))
        return self.deploy_rules(orjson.dumps({"manifest": manifest.as_json()}), site)

    def deploy_rules(self, rules: bytes, site: str = "blog") -> int:
        def make(connection: Any) -> int:
            owner = sites.find(connection, site) or sites.create(connection, site)
            version = versions.create(
                connection, owner.id, [], rules=rules, message="", source="test", parent=owner.live_version
            )
            sites.set_live(connection, owner.id, version.number)
            return owner.id

        return self.database.write_blocking(make)

    def trigger(self, site_id: int, name: str = "tidy") -> Trigger:
        return self.database.read_blocking(schedules.get, site_id, name)

    def triggers(self, site_id: int) -> list[str]:
        return [trigger.name for trigger in self.database.read_blocking(schedules.of_site, site_id)]

    def runs(self, site_id: int, name: str = "tidy") -> list[QueuedJob]:
        """Return the runs of a trigger, oldest first."""
        return self.database.read_blocking(queue.list_runs, site_id, name, None, 1000)[::-1]

    def times(self, site_id: int, name: str = "tidy") -> list[int | None]:
        return [run.scheduled_at for run in self.runs(site_id, name)]

    def finish_all(self) -> None:
        def finish(connection: Any) -> int:
            jobs = queue.lease(connection, self.clock.now, 1000, 1000)
            return sum(queue.finish(connection, job, self.clock.now, None) for job in jobs)

        while self.database.write_blocking(finish):
            pass


@asynccontextmanager
async def working(path: Path) -> AsyncIterator[World]:
    """Give a world whose triggers are fired."""
    world = World(path)
    async with firing(world):
        yield world
    world.database.close()


@asynccontextmanager
async def firing(world: World) -> AsyncIterator[None]:
    task = asyncio.create_task(world.cron.work())
    try:
        await world.clock.asleep()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
