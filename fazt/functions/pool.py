"""Which runner takes a call: those of a site's version, a spare one, or a new one.

Owns how many processes there are. Runners without a site wait as spares, with the web standards loaded, so that the
first call of a site costs little; a site under load gets more runners; those that were not used for longest go first.
Rule: a call of a version never runs on the code of another.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fazt.errors import EngineFailed, FunctionBusy
from fazt.functions.bridge import Bridge
from fazt.functions.engine import Bounds, Engine, Process
from fazt.functions.runner import Runner

log = logging.getLogger("fazt.functions")

SCRIPT = "runtime"
RUNNER_BYTES = 6 << 20  # what an idle runner is counted as
LEAST_RUNNERS = 4
IDLE_S = 600.0
SWEEP_S = 5.0
CALLS_OF_ONE = 12  # a runner with more calls under way gets a colleague, where there is a core for it
CRASHES = 30  # of one site within CRASH_S: more, and its calls are refused until it is quiet
CRASH_S = 60.0
LINGER_S = 1.0


@dataclass(frozen=True, slots=True)
class Code:
    """What a runner is given: the key names the code, so that equal keys share runners."""

    key: Hashable
    site_id: int
    modules: Mapping[str, str]
    site: Mapping[str, Any]
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    bounds: Bounds


@dataclass(slots=True)
class _Group:
    """The runners of one version."""

    runners: list[Runner] = field(default_factory=list)
    starting: asyncio.Future[Runner] | None = None


class Pool:
    """The runners of all sites."""

    def __init__(
        self, engine: Engine, bridge: Bridge, *, bounds: Bounds, memory_bytes: int, cores: int, spares: int = 1
    ) -> None:
        self._engine = engine
        self._bridge = bridge
        self._bounds = bounds  # of the spares
        self._most = max(LEAST_RUNNERS, memory_bytes // RUNNER_BYTES)
        self._cores = max(1, cores)
        self._wanted_spares = spares
        self._spares: deque[Process] = deque()
        self._making_spare = False
        self._groups: OrderedDict[Hashable, _Group] = OrderedDict()  # used last: at the end
        self._crashes: dict[int, deque[float]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self.started = 0

    async def run(self) -> None:
        """Let go of what is idle, until the task is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self.retire_idle(IDLE_S)

    def retire_idle(self, idle_s: float) -> int:
        """Let the runners go that nobody has called for so long; return how many that were."""
        before = time.monotonic() - idle_s
        idle = [
            runner
            for group in self._groups.values()
            for runner in group.runners
            if not runner.calls and runner.used_at < before
        ]
        for runner in idle:
            runner.retire()
        return len(idle)

    def warm(self) -> None:
        """Start what the first call will need, in the background."""
        if not self._stopped and not self._making_spare and len(self._spares) < self._wanted_spares:
            self._making_spare = True
            self._spawn(self._make_spare())

    async def acquire(self, code: Code) -> Runner:
        """Return the runner that takes the next call.

        Raises: FunctionBusy where the site's code has crashed too often; EngineFailed.
        """
        group = self._groups.get(code.key)
        if group is None:
            group = self._groups[code.key] = _Group()
        self._groups.move_to_end(code.key)
        runner = min(group.runners, key=lambda runner: len(runner.calls), default=None)
        if runner is None:
            return await self._first(group, code)
        if len(runner.calls) >= CALLS_OF_ONE and len(group.runners) < self._cores and group.starting is None:
            group.starting = asyncio.ensure_future(self._start(group, code))  # at once: the next call sees it
            self._spawn(self._colleague(group, group.starting))
        return runner

    async def _first(self, group: _Group, code: Code) -> Runner:
        self._check_crashes(code.site_id)
        if group.starting is None:
            group.starting = asyncio.ensure_future(self._start(group, code))
        starting = group.starting
        try:
            return await asyncio.shield(starting)
        finally:
            if group.starting is starting and starting.done():
                group.starting = None

    async def _colleague(self, group: _Group, starting: asyncio.Future[Runner]) -> None:
        try:
            runner = await starting
            if runner.retired:  # forgotten meanwhile: it ends once those have begun their calls who waited for it
                asyncio.get_running_loop().call_later(LINGER_S, runner.retire)
        except (EngineFailed, FunctionBusy) as error:
            log.warning("a second runner was not started: %s", error)
        finally:
            group.starting = None

    async def _start(self, group: _Group, code: Code) -> Runner:
        self._make_room()
        process = self._take_spare(code.bounds)
        if process is None:
            process = await self._engine.start(SCRIPT, code.bounds)
        self.started += 1

        def gone(runner: Runner, reason: str) -> None:
            self._gone(code, group, runner, reason)

        runner = Runner(process, self._bridge, gone)
        runner.load(code.modules, code.site, code.env, code.secrets)
        if self._groups.get(code.key) is group:
            group.runners.append(runner)
        else:
            runner.retired = True  # forgotten meanwhile: it serves those who wait for it and nobody else
        self.warm()
        return runner

    def _gone(self, code: Code, group: _Group, runner: Runner, reason: str) -> None:
        if runner in group.runners:
            group.runners.remove(runner)
        if not group.runners and group.starting is None and self._groups.get(code.key) is group:
            del self._groups[code.key]
        if reason not in ("killed", "ended") or not runner.retired:
            self._crashes.setdefault(code.site_id, deque(maxlen=CRASHES)).append(time.monotonic())

    def _check_crashes(self, site_id: int) -> None:
        crashes = self._crashes.get(site_id)
        if crashes is None:
            return
        if time.monotonic() - crashes[-1] > CRASH_S:
            del self._crashes[site_id]
        elif len(crashes) == CRASHES and time.monotonic() - crashes[0] < CRASH_S:
            raise FunctionBusy("The functions of this site crashed too often; they are tried again in a minute.")

    def _take_spare(self, bounds: Bounds) -> Process | None:
        return self._spares.popleft() if self._spares and bounds == self._bounds else None

    async def _make_spare(self) -> None:
        try:
            process = await self._engine.start(SCRIPT, self._bounds)
        except EngineFailed as error:
            log.warning("no spare runner: %s", error)
            return
        finally:
            self._making_spare = False
        process.on_lost = lambda reason, call: self._spares.remove(process) if process in self._spares else None
        self._spares.append(process)
        self.warm()

    def _make_room(self) -> None:
        """Let the runners go that were not used for longest, down to the number that there may be."""
        while self.count() >= self._most:
            idle = next(
                (runner for group in self._groups.values() for runner in group.runners if not runner.calls), None
            )
            if idle is None:
                if self.count() >= 2 * self._most:
                    raise FunctionBusy("Too many functions are at work at the moment.")
                return
            idle.retire()
            for group in self._groups.values():
                if idle in group.runners:
                    group.runners.remove(idle)
                    break

    def retire_key(self, key: Hashable) -> None:
        """Let no new call go to the runners of some code; those under way end on them."""
        group = self._groups.pop(key, None)
        if group is not None:
            runners, group.runners = group.runners, []
            for runner in runners:
                runner.retire()

    def retire(self, runner: Runner) -> None:
        """Let no new call go to one runner."""
        for group in self._groups.values():
            if runner in group.runners:
                group.runners.remove(runner)
        runner.retire()

    def count(self) -> int:
        """Return how many runners have a site."""
        return sum(len(group.runners) for group in self._groups.values())

    def allow(self, bounds: Bounds, memory_bytes: int) -> None:
        """Start spares with these bounds from now on, and hold so many runners at most."""
        self._bounds = bounds
        self._most = max(LEAST_RUNNERS, memory_bytes // RUNNER_BYTES)

    def memory_bytes(self) -> int:
        """Return the memory of all runners with a site; reads a file for each."""
        return sum(runner.memory_bytes() for group in self._groups.values() for runner in group.runners)

    async def stop(self) -> None:
        """End every process."""
        self._stopped = True
        for task in list(self._tasks):
            task.cancel()
        await self._engine.stop()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
