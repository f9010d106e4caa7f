"""Where functions, rooms and jobs meet: the parts that run them, and the calls that each makes of the others.

Rooms, jobs and functions know nothing of each other. Rule: whoever has a function run goes through the one service.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fazt.api.call_log import CallLog
from fazt.api.failed_calls import FailedCalls
from fazt.api.rooms import RELAY, RoomEvent, RoomSite
from fazt.api.routing import Application
from fazt.cron.cron import Cron
from fazt.data.caller import Caller
from fazt.data.room_limits import RoomSettings
from fazt.data.rooms import Rooms
from fazt.errors import JobFailed, NotFound
from fazt.functions.allowance import Allowance
from fazt.functions.calls import Report
from fazt.functions.pool import Pool
from fazt.functions.routes import ROOMS
from fazt.functions.service import MISSING, Service
from fazt.functions.targets import Target, Targets
from fazt.functions.workshop import Workshop
from fazt.jobs.jobs import Jobs
from fazt.jobs.running import JobRun, RunResult
from fazt.outbound.client import Outbound
from fazt.sites.cron_rules import find_handler
from fazt.sites.room_rules import read_rooms
from fazt.store.changes import Change

if TYPE_CHECKING:  # pydantic, which it needs, is not loaded with the server
    from fazt.api import shapes

EVENTS = {"join": "onJoin", "message": "onMessage", "leave": "onLeave"}


@dataclass(frozen=True, slots=True)
class FunctionParts:
    """What the server joins: applications, and what runs in the background."""

    targets: Targets
    pool: Pool
    workshop: Workshop
    app: Application
    rooms: Application
    room_members: Rooms
    jobs: Jobs
    cron: Cron
    outbound: Outbound
    log: CallLog
    failed: FailedCalls

    def background(self) -> list[Coroutine[None, None, None]]:
        """Return what runs as long as the server does."""
        return [self.pool.run(), self.failed.run(), self.room_members.run(), self.jobs.work(), self.cron.work()]

    def as_json(self) -> "shapes.FunctionsState":
        """Return how functions are doing, as JSON has it."""
        return {
            "runners": self.pool.count(),
            "started": self.pool.started,
            "memory_bytes": self.pool.memory_bytes(),
            "sites": self.log.sites(),
        }

    def allow(self, allowance: Allowance, memory_bytes: int) -> None:
        """Let functions have at most this from now on."""
        self.targets.allow(allowance)
        self.pool.allow(allowance.bounds, memory_bytes)

    async def stop(self) -> None:
        """End every process and connection."""
        await self.pool.stop()
        await self.outbound.close()
        await self.failed.flush()


class FunctionCalls:
    """The calls that jobs and rooms have made for them."""

    def __init__(self, rooms: Rooms, log: CallLog, failed: FailedCalls) -> None:
        self._rooms = rooms
        self._log = log
        self._failed = failed
        self._targets: Targets
        self._service: Service
        self._loop = asyncio.get_running_loop()
        self._known: dict[str, int] = {}  # sites that something ran for: the name, and the number it had then
        self._looking: set[asyncio.Task[None]] = set()

    def join(self, targets: Targets, service: Service) -> None:
        """Know the parts that could only be made after those that need this."""
        self._targets = targets
        self._service = service

    def follow(self, changes: Sequence[Change]) -> None:
        """Let go of what a changed site had; called on the writing thread."""
        names = [change.key for change in changes if change.kind == "site" and change.key in self._known]
        if names:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nothing is left to be let go
                self._loop.call_soon_threadsafe(self._look_again, names)

    def _look_again(self, names: Sequence[str]) -> None:
        task = self._loop.create_task(self._release(names))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _release(self, names: Sequence[str]) -> None:
        """Find the targets of sites anew, which retires runners of old code; close the rooms of a site that is gone."""
        for name in names:
            target = await self._of_site(name)
            before = self._known.get(name)
            if before is not None and (target is None or target.site_id != before):
                self._rooms.close_site(before)
                if target is None:
                    self._known.pop(name, None)

    def on_report(self, report: Report, target: Target) -> None:
        """Take a call that has ended."""
        self._known[target.site] = target.site_id
        self._log.report(report)
        self._failed.ended(report)

    # --- jobs ---

    async def run_job(self, run: JobRun) -> RunResult:
        """Run the handler of a job or of a cron trigger.

        Raises: JobFailed, FunctionError and its kin.
        """
        target = await self._of_site(run.site)
        if target is None or target.site_id != run.site_id:
            raise JobFailed("The site has no live version any more.")
        module = find_handler(run.handler, target.program.modules.keys())
        if module is None:
            raise JobFailed(f"The site has no {run.handler} any more.")
        value = await self._service.run_export(
            target,
            module,
            run.export,
            [run.data],
            kind=run.kind,
            name=run.handler,
            unit=run.unit,
            timeout_s=run.timeout_s,
        )
        if value is MISSING:
            raise JobFailed(f"{module} has no default export.")
        return RunResult(value)

    async def has_job(self, site: str, name: str) -> bool:
        """Tell whether the live version of a site has a job of that name."""
        target = await self._of_site(site)
        return target is not None and target.program.routes.job(name) is not None

    # --- rooms ---

    async def find_room_site(self, host: str) -> RoomSite | None:
        """Return the site of a host, as its rooms need it."""
        target = await self._targets.find(host)
        if target is None:
            return None
        self._known[target.site] = target.site_id
        return RoomSite(
            target.site,
            target.site_id,
            target.version.number,
            read_rooms(target.rules.manifest.rest),
            lambda name: target.program.routes.room(name) is not None,
            frozenset(),
        )

    async def room_settings(self, caller: Caller, room: str) -> RoomSettings:
        """Return how a room of the caller's site is kept. Raises: NotFound."""
        target = await self._of_site(caller.site)
        rule = None
        if target is not None:
            rule = read_rooms(target.rules.manifest.rest).find(room)
        if rule is None:
            raise NotFound(f"This site has no room {room!r}.")
        return RoomSettings(rule.history, rule.presence, rule.members)

    async def handle_room_event(self, event: RoomEvent) -> Any:
        """Have a site's function decide about an event of a room; RELAY where it has none for it."""
        target = await self._of_site(event.site.name)
        match = None if target is None else target.program.routes.room(event.handler)
        if target is None or match is None:
            return RELAY
        arguments = [event.data, event.member] if event.kind == "message" else [event.member]
        value = await self._service.run_export(
            target,
            match.module,
            EVENTS[event.kind],
            arguments,
            kind="room",
            name=f"{ROOMS}{event.handler} {event.kind}",
            params={**match.params, "room": event.room},
        )
        return RELAY if value is MISSING else value

    async def _of_site(self, site: str) -> Target | None:
        return await self._targets.of_site(site)
