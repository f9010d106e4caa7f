"""`Cron`: makes a job of each time that a trigger comes to.

Jobs run it and write its end down (`fazt.jobs`); here is only what is due. Rule: the step of a trigger to its next
time and the job that is made of the present one are one write, so that a run is neither lost nor made twice.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import apsw

from fazt.clock import Clock, keep_looking
from fazt.cron.plan import NEVER, plan, rule_of, times_after
from fazt.cron.sync import sync
from fazt.errors import InvalidInput
from fazt.store import schedules
from fazt.store.changes import Change
from fazt.store.database import Database
from fazt.store.schedules import Firing

log = logging.getLogger("fazt.cron")

AT_ONCE = 100  # triggers that are fired in one write
AHEAD_MS = 86_400_000  # a clock that is set back by more was wrong before; by less, it is waited for


class Cron:
    """The one scheduler of triggers of a server; it sleeps until the next is due or a site changes."""

    def __init__(self, database: Database, wake_jobs: Callable[[], None], clock: Clock) -> None:
        self._database = database
        self._wake_jobs = wake_jobs
        self._clock = clock
        self._waking = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen = 0
        database.follow(self._on_changes)

    def wake(self) -> None:
        """Look at the triggers again: one was resumed."""
        self._waking.set()

    async def work(self) -> None:
        """Fire triggers until the task is cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            await keep_looking(self._look, self._waking, self._clock, log)
        finally:
            self._loop = None

    async def _look(self) -> int | None:
        """Fire what is due; return when to look again."""
        now = self._clock.now_ms()
        self._seen = await sync(self._database, now, self._seen)
        if await self._database.read(schedules.ahead, now + AHEAD_MS):
            await self._database.write(_begin_again, now)
        while firings := await self._database.read(_plan_due, now):
            if await self._database.write(_fire, firings, now):
                self._wake_jobs()
        return await self._database.read(schedules.next_fire)

    def _on_changes(self, changes: Sequence[Change]) -> None:
        """Look again where a site changed; called on the writing thread."""
        loop = self._loop
        if loop is not None and any(change.kind == "site" for change in changes):
            try:
                loop.call_soon_threadsafe(self._waking.set)
            except RuntimeError:  # the loop has ended: the next start reads the log
                log.debug("a change came after the end")


def _plan_due(connection: apsw.Connection, now: int) -> list[Firing]:
    return [plan(trigger, now) for trigger in schedules.due(connection, now, AT_ONCE)]


def _fire(connection: apsw.Connection, firings: Sequence[Firing], now: int) -> int:
    """Return how many runs were queued."""
    return sum(len(schedules.fire(connection, firing, now)) for firing in firings)


def _begin_again(connection: apsw.Connection, now: int) -> None:
    """Put back the triggers that were settled by a clock that was ahead."""
    for trigger in schedules.ahead(connection, now + AHEAD_MS):
        try:
            schedules.move_back(connection, trigger, now, times_after(rule_of(trigger), trigger.site_id, now))
        except InvalidInput as error:
            schedules.move_back(connection, trigger, now, NEVER)
            schedules.disable(connection, trigger, error.message)
