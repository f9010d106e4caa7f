"""The keeper: starts a core and its workers, gives them what they share, and starts again whichever of them ends.

It owns the listening sockets, so that nobody is refused meanwhile. Rule: it does nothing else, and so has no reason to
end itself: where the core dies, the workers go on answering with pages until the next core is there.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from fazt.edge.listener import BACKLOG, bind
from fazt.server.handed_over import take_handed_over
from fazt.server.joined import AGAIN, FLAGS_VARIABLE, Joined, make_word, relay_path
from fazt.server.making import workers_of
from fazt.settings import Settings, listen_address

log = logging.getLogger("fazt.server")
FAILED = 1
PAUSES_S = (0.0, 0.2, 1.0, 5.0)  # before a process is started again, by how often it ended in a row
SOUND_S = 30.0  # after which an end is not one in a row
SERVE = [sys.executable, "-m", "fazt", "serve"]
WORK = [sys.executable, "-m", "fazt.server.worker"]


def keep(flags: Mapping[str, object], path: Path, settings: Settings) -> bool:
    """Run a server of several processes until it is told to stop; return whether somebody asked for a new start.

    Raises: ListenError; SystemExit where the core failed, which has said why.
    """
    sockets = Sockets.open(settings, workers_of(settings))
    with asyncio.Runner() as runner:
        code = runner.run(Keeper(flags, Path(os.path.realpath(path)), sockets).run())
    if code not in (0, AGAIN):
        raise SystemExit(code)
    return code == AGAIN


@dataclass
class Sockets:
    """The listening sockets: for each worker those that it answers on."""

    http: Sequence[Sequence[socket.socket]]
    https: Sequence[Sequence[socket.socket]]

    @classmethod
    def open(cls, settings: Settings, workers: int) -> "Sockets":
        """Take what a supervisor handed over, which all workers share, else give each its own. Raises: ListenError."""
        plain, secure = take_handed_over(settings)
        return cls(
            [plain] * workers if plain else _bind(settings.http, "--http", workers),
            [secure] * workers if secure else _bind(settings.https, "--https", workers),
        )


def _bind(listens: str, flag: str, workers: int) -> list[list[socket.socket]]:
    if not listens:
        return [[] for _ in range(workers)]
    address = listen_address(listens)
    for each in bind(*address, flag):  # without sharing: whoever is there already is told of
        each.close()
    opened = [bind(*address, flag, shared=True) for _ in range(workers)]
    for each in (one for several in opened for one in several):
        each.listen(BACKLOG)
    return opened


@dataclass
class Kept:
    """A process that is started again when it ends."""

    name: str
    joined: Joined
    process: asyncio.subprocess.Process | None = None
    ends: int = 0
    started_at: float = field(default_factory=time.monotonic)


class Keeper:
    """Keeps the processes of one server."""

    def __init__(self, flags: Mapping[str, object], path: Path, sockets: Sockets) -> None:
        self._flags = flags
        self._path = path
        self._sockets = sockets
        self._stopping = asyncio.Event()
        self._code = 0

    async def run(self) -> int:
        """Run until the core has ended for good."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        (ready, told), (alive, _) = os.pipe(), os.pipe()  # what is held open of the second ends with this process
        common = (len(self._sockets.http), make_word(), str(relay_path(self._path)), alive)
        core = Kept("core", Joined("core", 0, *common, ready=told))
        workers = [
            Kept(f"worker {number}", Joined("worker", number, *common, _numbers(http), _numbers(https)))
            for number, (http, https) in enumerate(zip(self._sockets.http, self._sockets.https, strict=True), 1)
        ]
        loop.add_signal_handler(signal.SIGHUP, self._hang_up, core)
        await self._start(core)
        os.close(told)
        if not await self._is_ready(core, ready):
            return self._code or FAILED
        core.joined = Joined("core", 0, *common)
        for each in workers:
            await self._start(each)
        keeping = [asyncio.ensure_future(self._keep(each)) for each in (core, *workers)]
        await self._stopping.wait()
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        await self._stop(core, workers)
        return self._code

    def _hang_up(self, core: Kept) -> None:
        """Have the core read anew what it reads at SIGHUP; on a terminal it says that this was closed."""
        if sys.stdin is not None and os.isatty(0):
            self._stopping.set()
        else:
            _signal(core, signal.SIGHUP)

    async def _is_ready(self, core: Kept, ready: int) -> bool:
        """Wait until the core answers; False where it ended, or was told to stop."""
        assert core.process is not None
        with os.fdopen(ready, "rb") as pipe:
            closed = asyncio.ensure_future(asyncio.to_thread(pipe.read, 1))
            ended = asyncio.ensure_future(core.process.wait())
            stopping = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait({closed, ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not self._stopping.is_set():
                await asyncio.wait({ended}, timeout=0.05)  # an end closes the pipe too
            else:
                core.process.send_signal(signal.SIGTERM)
                await ended
            await closed
            if ended.done():
                self._code = ended.result()
                return False
            ended.cancel()
        return True

    async def _keep(self, kept: Kept) -> None:
        """Start a process again whenever it ends."""
        while True:
            assert kept.process is not None
            code = await kept.process.wait()
            if kept.joined.role == "core" and code in (0, AGAIN):  # it was told to stop, or to start anew
                self._code = code
                self._stopping.set()
                return
            sound = time.monotonic() - kept.started_at > SOUND_S
            kept.ends = 1 if sound else kept.ends + 1
            pause_s = PAUSES_S[min(kept.ends - 1, len(PAUSES_S) - 1)]
            log.error("the %s ended (%d); it is started again", kept.name, code)
            await asyncio.sleep(pause_s)
            await self._start(kept)

    async def _start(self, kept: Kept) -> None:
        joined = kept.joined
        kept.started_at = time.monotonic()
        given = {**joined.environment(), "FAZT_DB": str(self._path), FLAGS_VARIABLE: orjson.dumps(self._flags).decode()}
        environment = {**os.environ, **given}
        environment.pop("WATCHDOG_PID", None)  # it names the keeper; the core is what is alive
        if joined.role == "worker":
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
                environment.pop(name, None)
        kept.process = await asyncio.create_subprocess_exec(
            *(SERVE if joined.role == "core" else WORK),
            env=environment,
            pass_fds=joined.descriptors,
            start_new_session=True,  # Ctrl-C is for the keeper: it stops them in order
        )

    async def _stop(self, core: Kept, workers: Sequence[Kept]) -> None:
        """Let the workers finish while the core is there to answer, then the core; a second signal cuts both short."""
        hurrying = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, hurrying.set)
        hurry = asyncio.ensure_future(self._hurry(hurrying, [core, *workers]))
        try:
            for group in (workers, [core]):
                for each in group:
                    _signal(each, signal.SIGTERM)
                await asyncio.gather(*(each.process.wait() for each in group if each.process is not None))
        finally:
            hurry.cancel()
        if self._code == 0 and core.process is not None and core.process.returncode not in (0, AGAIN):
            self._code = core.process.returncode or 0

    async def _hurry(self, hurrying: asyncio.Event, kept: Sequence[Kept]) -> None:
        await hurrying.wait()
        for each in kept:
            _signal(each, signal.SIGTERM)


def _signal(kept: Kept, number: signal.Signals) -> None:
    if kept.process is not None and kept.process.returncode is None:
        with suppress(ProcessLookupError):
            kept.process.send_signal(number)


def _numbers(sockets: Sequence[socket.socket]) -> list[int]:
    return [each.fileno() for each in sockets]
