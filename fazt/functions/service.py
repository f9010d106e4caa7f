"""Making calls: a target and what is to be run -> a call under way in a runner, within what its site may take.

Every call of a function goes through here, whoever makes it: a request, a job, a room, the owner. Rule: a site has so
many calls under way at a time; as many may wait for a short while, and the rest is refused at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fazt.data.caller import Caller
from fazt.errors import BadAnswer, FaztError, FunctionBusy, FunctionError, FunctionTimeout
from fazt.functions.calls import Call, Report, new_id, sound
from fazt.functions.pool import Pool
from fazt.functions.runner import Runner
from fazt.functions.targets import Target
from fazt.store.database import now_ms

WAIT_S = 2.0  # for a place among a site's calls
MOST_LOGGED = 1001  # lines of one call, and among them the one that says that there were more
MOST_LOGGED_CHARACTERS = 512 << 10
MISSING = object()  # what `run_export` returns where a module has no such export


@dataclass(slots=True)
class _Site:
    """The calls of one site that are under way, and those that wait for a place."""

    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Underway:
    """A call that was begun, its runner and what will be reported of it."""

    call: Call
    runner: Runner
    report: Report
    release: Callable[[], None]
    timeout_s: float
    deadline: asyncio.TimerHandle | None = None


class Service:
    """Begins calls, ends them in time, and reports them."""

    def __init__(
        self,
        pool: Pool,
        on_report: Callable[[Report, Target], None],
        on_console: Callable[[str, str, str, str], None],
    ) -> None:
        """Name who is told of calls that have ended, and of what functions log: site, call, level, text."""
        self._pool = pool
        self._on_report = on_report
        self._on_console = on_console
        self._sites: dict[int, _Site] = {}
        self._streaming: set[Underway] = set()  # those without a deadline

    async def begin(
        self,
        target: Target,
        value: dict[str, Any],
        data: bytes = b"",
        *,
        kind: str,
        name: str,
        method: str = "",
        depth: int = 0,
        unit: Any = None,
        timeout_s: float | None = None,
        body: Callable[[str, bytes], Any] | None = None,
        prepare: Callable[[Caller, dict[str, Any]], None] | None = None,
    ) -> Underway:
        """Begin a call; `prepare` may add to what the runner is told, once the caller is known.

        Raises: FunctionBusy, EngineFailed, FunctionCrashed.
        """
        report = Report(new_id(), target.site, kind, name, method, started_ms=now_ms())
        caller = Caller(
            target.site, target.site_id, target.version.number, report.id, depth=depth, net=target.net, unit=unit
        )
        seconds = target.allowance.timeout_s if timeout_s is None else timeout_s
        place = await self._place(target)
        try:
            runner = await self._pool.acquire(target.code)
            call = Call(caller, asyncio.get_running_loop())
            call.body = body
            underway = Underway(call, runner, report, place, seconds)
            call.on_log = self._logger(report)
            call.on_end.append(lambda call: self._ended(underway, target))
            value["id"], value["version"] = report.id, target.version.id
            if prepare is not None:
                prepare(caller, value)
            runner.begin(call, value, data)
        except BaseException as error:
            caller.close()
            place()
            if isinstance(error, FaztError):
                report.status, report.error = error.status, error.code
                self._on_report(report, target)
            raise
        self._set_deadline(underway)
        return underway

    def _set_deadline(self, underway: Underway) -> None:
        self._streaming.discard(underway)
        underway.deadline = asyncio.get_running_loop().call_later(underway.timeout_s, self._timed_out, underway)

    def answering(self, underway: Underway) -> None:
        """Let a call that streams its answer take its time: its client may leave, and is cut where it does not read."""
        if underway.deadline is not None and not underway.call.ended and not underway.call.timed_out:
            underway.deadline.cancel()
            self._streaming.add(underway)

    def answered(self, underway: Underway) -> None:
        """Give a call that has streamed its answer a deadline again, for what it does behind it."""
        if underway in self._streaming:
            self._set_deadline(underway)

    @staticmethod
    async def wait_for_end(underway: Underway) -> None:
        """Wait until everything that belongs to a call has ended."""
        if not underway.call.ended:
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            underway.call.on_end.append(lambda call: None if ended.done() else ended.set_result(None))
            await ended

    async def run_export(
        self,
        target: Target,
        module: str,
        export: str,
        arguments: Sequence[Any],
        *,
        kind: str,
        name: str,
        params: Mapping[str, str] | None = None,
        unit: Any = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Call an export of a module with values that are JSON; return its value, MISSING where there is none such.

        Returns once everything that belongs to the call has ended. Raises: FunctionError and its kin.
        """
        value = {
            "kind": "export",
            "module": module,
            "export": export,
            "arguments": list(arguments),
            "params": dict(params or {}),
        }
        underway = await self.begin(target, value, kind=kind, name=name, unit=unit, timeout_s=timeout_s)
        try:
            frame = await underway.call.result
            await self.wait_for_end(underway)
        except FunctionError as error:
            self.note(underway, error)
            if underway.call.failure is not None:
                failure = underway.call.failure
                raise FunctionError(f"{failure.name}: {failure.message}".removeprefix(": ")) from error
            raise
        if underway.call.timed_out:
            raise FunctionTimeout("The function took longer than it may.")
        result = sound(frame)
        if result.get("missing") is True:
            return MISSING
        if "value" not in result:
            raise BadAnswer("The function's result cannot be read.")
        return result["value"]

    def note(self, underway: Underway, error: FaztError) -> None:
        """Write into the report what went wrong; it goes out when the call ends."""
        underway.report.status, underway.report.error = error.status, error.code

    def abort(self, underway: Underway, reason: str) -> None:
        """Tell a call that nobody waits for it any more; one that streamed has a deadline again."""
        underway.runner.abort(underway.call, reason)
        self.answered(underway)

    def _timed_out(self, underway: Underway) -> None:
        call = underway.call
        if call.ended:
            return
        call.timed_out = True
        error = FunctionTimeout("The function took longer than it may.")
        if not call.result.done():
            self.note(underway, error)
        call.fail(error)
        underway.runner.abort(call, "The call took longer than it may.")
        # Whatever keeps it busy may never end: the next call gets a process that is in order.
        self._pool.retire(underway.runner)
        for other in [each for each in self._streaming if each.runner is underway.runner]:
            self._set_deadline(other)  # it may be what keeps the process busy; if not, its client comes back

    def _ended(self, underway: Underway, target: Target) -> None:
        if underway.deadline is not None:
            underway.deadline.cancel()
        self._streaming.discard(underway)
        underway.release()
        call, report = underway.call, underway.report
        report.duration_us = (time.monotonic_ns() - call.begun_ns) // 1000
        report.cpu_us = call.cpu_us
        report.memory_bytes = underway.runner.recent_memory_bytes()
        report.failure = call.failure
        if call.result.done() and (error := call.result.exception()) is not None and not report.error:
            assert isinstance(error, FaztError)
            self.note(underway, error)
        # Behind whoever waits for the result, who knows the status: both may have come in the same breath.
        asyncio.get_running_loop().call_soon(self._on_report, report, target)

    def _logger(self, report: Report) -> Callable[[Call, str, str], None]:
        left = MOST_LOGGED_CHARACTERS  # the script counts too, and is not believed

        def log(call: Call, level: str, text: str) -> None:
            nonlocal left
            if len(report.logs) < MOST_LOGGED and left > 0:
                left -= len(text)
                report.logs.append((level, text))
                self._on_console(report.site, report.id, level, text)

        return log

    # --- places ---

    async def _place(self, target: Target) -> Callable[[], None]:
        """Take a place among the site's calls; return what gives it back.

        Raises: FunctionBusy.
        """
        site = self._sites.get(target.site_id)
        if site is None:
            site = self._sites[target.site_id] = _Site()
        most = target.allowance.concurrency
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if given_back:
                return
            given_back = True
            while site.waiting:
                waiter = site.waiting.popleft()
                if not waiter.done():
                    waiter.set_result(None)  # the place goes from hand to hand
                    return
            site.running -= 1
            if not site.running and self._sites.get(target.site_id) is site:
                del self._sites[target.site_id]

        if site.running < most:
            site.running += 1
            return give_back
        if len(site.waiting) >= most:
            raise FunctionBusy("This site has too many calls under way.")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        site.waiting.append(waiter)
        try:
            async with asyncio.timeout(WAIT_S):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                give_back()  # it came in the same turn in which the waiting ended
            if isinstance(error, TimeoutError):
                raise FunctionBusy("This site has too many calls under way.") from None
            raise
        finally:
            with suppress(ValueError):
                site.waiting.remove(waiter)
        return give_back
