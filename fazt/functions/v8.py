"""V8, through mini-racer's library: processes forked from a zygote.

Owns the zygote, which is started when the first process is asked for and again where it has died. Rule: the event loop
never waits for it; an order that it does not answer fails after a while.
"""

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from fazt.errors import EngineFailed
from fazt.functions.engine import Bounds, Process
from fazt.functions.frames import Decoder, Frame, Kind
from fazt.functions.turns import Turns

log = logging.getLogger("fazt.functions")

START_TIMEOUT_S = 20.0
STATUS_TIMEOUT_S = 2.0
HEAP_SHARE = 0.75  # of a process's memory that JavaScript objects may take; buffers may take the rest
SPARE_BYTES = 24 << 20  # for V8 itself: compiled code, the collector's own tables
REPORT_BYTES = 4096
JOINED_BYTES = 64 << 10  # sent to a process that wait for the end of the turn, at most, before somebody waits for room
MOST_WAITING_BYTES = 1 << 20  # of frames of one process that wait for their turn
PRIVATE = re.compile(r"^Private_\w+: +(\d+) kB$", re.MULTILINE)
KEPT_VARIABLES = ("PYTHONPATH", "LD_LIBRARY_PATH", "PATH")  # nothing else of the server's environment reaches it


class V8Process(asyncio.Protocol):
    """One runner, as the server sees it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns) -> None:
        self.on_frames: Callable[[Sequence[Frame]], None] = lambda frames: None
        self.on_lost: Callable[[str, int], None] = lambda reason, call: None
        self.pid = 0
        self.ready: asyncio.Future[None] = loop.create_future()
        self.status: asyncio.Future[int] = loop.create_future()
        self._loop = loop
        self._pidfd = -1
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._fatal: str | None = None
        self._fatal_call = 0
        self._killed = False
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._turns = turns
        self._frames: deque[Frame] = deque()  # those whose turn has not come
        self._frames_bytes = 0
        self._in_line = False
        self._holds = False  # reads nothing: enough waits for its turn

    def born(self, pid: int, pidfd: int) -> None:
        """Take what the zygote says of the new process."""
        self.pid, self._pidfd = pid, pidfd

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the runner."""
        try:
            frames = self._decoder.feed(data)
        except ValueError as error:
            self._fatal = str(error)
            self.kill()
            return
        if frames and frames[-1].kind == Kind.FATAL:
            self._take_fatal(frames[-1])
        if frames and not self.ready.done():
            if frames[0].kind == Kind.READY:
                self.ready.set_result(None)
            frames = frames[1:]
        self._frames.extend(frames)
        self._frames_bytes += len(data)
        # Half a frame is nothing to hold for: its other half would never come.
        if self._frames and self._frames_bytes > MOST_WAITING_BYTES and self._transport is not None:
            self._holds = True
            self._transport.pause_reading()
        self._line_up()

    def _line_up(self) -> None:
        if self._frames and not self._in_line:
            self._in_line = True
            self._turns.take(self._deliver)

    def _deliver(self) -> None:
        """Hand on the next frame, and the end of its call where that comes right behind it."""
        self._in_line = False
        frames = self._frames
        if not frames:
            return
        first = frames.popleft()
        if frames and frames[0].kind == Kind.DONE and frames[0].call == first.call:
            self.on_frames((first, frames.popleft()))
        else:
            self.on_frames((first,))
        if not frames:
            self._frames_bytes = 0
            if self._holds and self._transport is not None and not self._transport.is_closing():
                self._holds = False
                self._transport.resume_reading()
        self._line_up()

    def _take_fatal(self, frame: Frame) -> None:
        self._fatal_call = frame.call
        try:
            told = json.loads(frame.json)
            self._fatal = str(told["reason"])
            if self._fatal == "start":
                log.error("a runner did not start: %s", told.get("message"))
        except (ValueError, KeyError, TypeError):
            self._fatal = "internal"

    def connection_lost(self, error: Exception | None) -> None:
        """Find out why the runner ended, and tell."""
        self._transport = None
        self._roomy.set()
        frames, self._frames = list(self._frames), deque()
        if frames:
            self.on_frames(frames)
        self._loop.create_task(self._tell_lost())

    def pause_writing(self) -> None:
        """Know that the runner does not take what it is sent as fast as it comes."""
        self._roomy.clear()

    def resume_writing(self) -> None:
        """Know that it has taken most of it."""
        self._roomy.set()

    async def drained(self) -> None:
        """Wait until the runner has taken most of what was sent to it."""
        if self._unsent_bytes >= JOINED_BYTES:
            self._write()
        await self._roomy.wait()

    async def _tell_lost(self) -> None:
        status = None
        if self.pid:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_TIMEOUT_S):
                    status = await asyncio.shield(self.status)
        if self._pidfd >= 0:
            if status is None:
                self._signal()  # it closed its socket and lives on
            os.close(self._pidfd)
            self._pidfd = -1
        reason = self._fatal or ("killed" if self._killed else _reason(status))
        if not self.ready.done():
            self.ready.set_exception(EngineFailed(f"A process for functions did not start ({reason})."))
            self.ready.exception()  # seen: whoever waited may have gone
        self.on_lost(reason, self._fatal_call)

    def send(self, frame: bytes) -> None:
        """Send a frame, together with all others of this turn of the loop: each write would wake the process."""
        if not self._unsent:
            self._loop.call_soon(self._write)
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)

    def _write(self) -> None:
        frames, self._unsent, self._unsent_bytes = self._unsent, [], 0
        if frames and self._transport is not None:
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def kill(self) -> None:
        """End the process at once."""
        self._killed = True
        self._signal()
        if self._transport is not None:
            self._transport.abort()

    def _signal(self) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def resident_bytes(self) -> int:
        """Return the memory of this process that no other shares."""
        try:
            rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        except OSError:
            return 0
        return sum(int(kib) for kib in PRIVATE.findall(rollup)) * 1024


def _reason(status: int | None) -> str:
    """Return why a process ended that said nothing: V8 stops with a trap where the memory is at its end."""
    if status is None or status == 0:
        return "ended"
    if status in (-signal.SIGTRAP, -signal.SIGABRT, -signal.SIGILL, -signal.SIGSEGV, -signal.SIGBUS):
        return "memory"
    return "cpu" if status == -signal.SIGXCPU else "killed" if status == -signal.SIGKILL else "ended"


@dataclass(slots=True)
class _Zygote:
    """The process that forks, and what is asked of it."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    ready: asyncio.Future[None]
    orders: dict[int, asyncio.Future[tuple[int, int]]] = field(default_factory=dict)
    processes: dict[int, V8Process] = field(default_factory=dict)


class V8Engine:
    """Makes runners."""

    def __init__(self) -> None:
        self._zygote: _Zygote | None = None
        self._launching: asyncio.Task[_Zygote] | None = None
        self._orders = 0
        self._stopped = False
        self._turns: Turns | None = None

    async def start(self, script: str, bounds: Bounds) -> Process:
        """Return a new process.

        Raises: EngineFailed.
        """
        loop = asyncio.get_running_loop()
        zygote = await self._started()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        if self._turns is None:
            self._turns = Turns()
        process = V8Process(loop, self._turns)
        try:
            await loop.create_unix_connection(lambda: process, sock=ours)
            pid, pidfd = await self._order(zygote, theirs, script, bounds)
        except BaseException:  # whoever wanted it may have been cancelled
            process.kill()
            ours.close()
            raise
        finally:
            theirs.close()
        process.born(pid, pidfd)
        zygote.processes[pid] = process
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await asyncio.shield(process.ready)
        except TimeoutError:
            process.kill()
            raise EngineFailed("A process for functions did not start in time.") from None
        return process

    async def _order(self, zygote: _Zygote, theirs: socket.socket, script: str, bounds: Bounds) -> tuple[int, int]:
        self._orders += 1
        number = self._orders
        order = {
            "order": number,
            "script": script,
            "heap_bytes": int(bounds.memory_bytes * HEAP_SHARE),
            "memory_bytes": bounds.memory_bytes + SPARE_BYTES,
            "cpu_cap_s": bounds.cpu_s,
        }
        answer: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        zygote.orders[number] = answer
        try:
            socket.send_fds(zygote.control, [json.dumps(order).encode()], [theirs.fileno()])
            async with asyncio.timeout(START_TIMEOUT_S):
                return await answer
        except (OSError, TimeoutError) as error:
            self._lose(zygote)
            raise EngineFailed("The process that starts functions does not answer.") from error
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                _end_unwanted(answer.result()[1])  # it came in the same turn in which the waiting ended
            raise
        finally:
            zygote.orders.pop(number, None)

    async def _started(self) -> _Zygote:
        """Return the zygote, started where there is none. Raises: EngineFailed."""
        if self._stopped:
            raise EngineFailed("The server is stopping.")
        if self._zygote is not None and self._zygote.process.poll() is None:
            return self._zygote
        if self._launching is None or self._launching.done():
            # A task of its own: one caller who is cancelled must not leave half a zygote behind.
            self._launching = asyncio.create_task(self._bring_up())
        return await asyncio.shield(self._launching)

    async def _bring_up(self) -> _Zygote:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            process = await asyncio.to_thread(_launch, theirs.fileno())
        except OSError as error:
            ours.close()
            raise EngineFailed(f"V8 did not start: {error}.") from error
        finally:
            theirs.close()
        zygote = _Zygote(process, ours, loop.create_future())
        loop.add_reader(ours.fileno(), self._take_report, zygote)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await asyncio.shield(zygote.ready)
        except (TimeoutError, EngineFailed):
            self._lose(zygote)
            raise EngineFailed("V8 did not start; is mini-racer installed for this Python?") from None
        self._zygote = zygote
        return zygote

    def _take_report(self, zygote: _Zygote) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(zygote.control, REPORT_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._lose(zygote)
            return
        report: dict[str, Any] = json.loads(data)
        if "ready" in report:
            zygote.ready.set_result(None)
        elif "ended" in report:
            process = zygote.processes.pop(report["ended"], None)
            if process is not None and not process.status.done():
                process.status.set_result(report["status"])
        else:
            answer = zygote.orders.get(report["order"])
            if "failed" in report:
                if answer is not None and not answer.done():
                    answer.set_exception(EngineFailed(f"No process for functions can be made: {report['failed']}."))
            elif answer is None or answer.done():
                _end_unwanted(descriptors[0])
            else:
                answer.set_result((report["pid"], descriptors[0]))

    def _lose(self, zygote: _Zygote) -> None:
        """Forget a zygote that is gone or must go; its runners end with it."""
        if zygote.control.fileno() < 0:
            return  # forgotten already
        asyncio.get_running_loop().remove_reader(zygote.control.fileno())
        zygote.control.close()
        if zygote.process.poll() is None:
            zygote.process.kill()
        zygote.process.wait()
        waiting: list[asyncio.Future[Any]] = [zygote.ready, *zygote.orders.values()]
        for answer in waiting:
            if not answer.done():
                answer.set_exception(EngineFailed("The process that starts functions has ended."))
        zygote.ready.exception()  # seen: not everybody waits for it
        for process in zygote.processes.values():
            if not process.status.done():
                process.status.set_result(-signal.SIGKILL)  # nobody is left to tell it
        if self._zygote is zygote:
            self._zygote = None
            if not self._stopped:
                log.error("the process that starts functions has ended; another one is started")

    async def stop(self) -> None:
        """End every process."""
        self._stopped = True
        if self._launching is not None:
            await asyncio.wait({self._launching})
        if self._zygote is not None:
            for process in self._zygote.processes.values():
                process.kill()
            self._lose(self._zygote)


def _end_unwanted(pidfd: int) -> None:
    """End a new process that nobody waits for any more."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)


def _launch(descriptor: int) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    command = [sys.executable, "-m", "fazt.functions.zygote", str(descriptor)]
    return subprocess.Popen(command, env=environment, pass_fds=[descriptor], stdin=subprocess.DEVNULL)
