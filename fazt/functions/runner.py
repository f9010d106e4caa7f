"""A runner that has become a site's: the code it was given, and the calls that are under way in it.

Rule: one runner only ever sees the code of one version of one site; what comes from it is believed about nothing else
than its own calls.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fazt.errors import FunctionCrashed, QueueFull
from fazt.functions.bridge import Bridge, refusal
from fazt.functions.calls import Call, lost, sound
from fazt.functions.engine import Process
from fazt.functions.frames import Frame, Kind, encode

log = logging.getLogger("fazt.functions")

PIECE_BYTES = 1 << 20  # of a module in one frame
MOST_ASKED_BYTES = 32 << 20  # of the questions of a process that are under way
LARGE_AT_ONCE = 8  # questions of a process with large answers; the next ones wait until it has taken those
MEASURED_S = 5.0  # the memory of a process is read at most so often: it takes half a millisecond
LONGEST_LINE = 16_384 + 200
_BODY_PREFIX = b'["body.'
_LARGE_PREFIXES = (b'["kv.get', b'["kv.list', b'["files.read', b'["files.list')


class Runner:
    """One process at work for a site."""

    def __init__(self, process: Process, bridge: Bridge, on_gone: Callable[["Runner", str], None]) -> None:
        self.calls: dict[int, Call] = {}
        self.retired = False
        self.gone = False
        self.used_at = time.monotonic()
        self.served = 0
        self._measured = 0.0, 0  # when, and bytes
        self._process = process
        self._bridge = bridge
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._numbers = 0
        self._asked_bytes = 0
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        process.on_frames = self._take
        process.on_lost = self._lost

    def load(
        self, modules: Mapping[str, str], site: Mapping[str, Any], env: Mapping[str, str], secrets: Mapping[str, str]
    ) -> None:
        """Give the process its code, and what it is told of its site."""
        for path, code in modules.items():
            data = code.encode()
            for at in range(0, len(data) or 1, PIECE_BYTES):
                value = {"part": path, "first": at == 0}
                self._process.send(encode(Kind.PROGRAM, 0, 0, value, data[at : at + PIECE_BYTES]))
        self._process.send(encode(Kind.PROGRAM, 0, 0, {"site": dict(site), "env": dict(env), "secrets": dict(secrets)}))

    def begin(self, call: Call, value: Mapping[str, Any], data: bytes = b"") -> None:
        """Begin a call.

        Raises: FunctionCrashed where the process is gone.
        """
        if self.gone:
            raise FunctionCrashed("The process of this function ended before the call.")
        self._numbers += 1
        call.number = self._numbers
        self.calls[call.number] = call
        self.used_at = time.monotonic()
        self.served += 1
        self._process.send(encode(Kind.START, call.number, 0, value, data))

    def abort(self, call: Call, reason: str) -> None:
        """Tell a call that nobody waits for it any more."""
        if not call.ended and not self.gone:
            self._process.send(encode(Kind.ABORT, call.number, 0, {"reason": reason}))

    def retire(self) -> None:
        """Take no more calls; end when those under way have ended."""
        self.retired = True
        self._end_if_idle()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def memory_bytes(self) -> int:
        """Return the memory that the process alone holds."""
        return self._process.resident_bytes()

    def recent_memory_bytes(self) -> int:
        """Return the same as it was a few seconds ago at most."""
        now = time.monotonic()
        at, size = self._measured
        if now - at >= MEASURED_S:
            self._measured = now, self.memory_bytes() or size
        return self._measured[1]

    def _end_if_idle(self) -> None:
        # A call that timed out may never end: a promise that nobody resolves.
        if self.retired and not self.gone and all(call.timed_out for call in self.calls.values()):
            self._process.kill()

    def _take(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            call = self.calls.get(frame.call)
            if call is None:
                continue
            call.cpu_us = frame.cpu_us
            if frame.kind == Kind.ASK:
                self._ask(call, frame)
            elif frame.kind == Kind.RESULT or frame.kind == Kind.FAILED:
                call.take_result(frame)
            elif frame.kind == Kind.DONE:
                del self.calls[frame.call]
                call.end()
                self._end_if_idle()
            elif frame.kind == Kind.LOG:
                level = str(sound(frame).get("level", "info"))[:8]
                if call.on_log is not None:
                    call.on_log(call, level, frame.data[:LONGEST_LINE].decode("utf-8", "replace"))

    def _ask(self, call: Call, frame: Frame) -> None:
        size = len(frame.json) + len(frame.data)
        if not call.may_ask() or self._asked_bytes + size > MOST_ASKED_BYTES:
            call.asked()
            error = QueueFull("This call has too many questions to the host under way.")
            self._process.send(refusal(frame.call, frame.seq, error))
            return
        self._asked_bytes += size
        task = self._loop.create_task(self._answer(call, frame))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, call: Call, frame: Frame) -> None:
        try:
            if frame.json.startswith(_LARGE_PREFIXES):
                async with self._large:
                    await self._process.drained()
                    await self._answer_now(call, frame)
            else:
                await self._answer_now(call, frame)
        finally:
            call.asked()
            self._asked_bytes -= len(frame.json) + len(frame.data)

    async def _answer_now(self, call: Call, frame: Frame) -> None:
        if frame.json.startswith(_BODY_PREFIX) and call.body is not None:
            answer = await self._take_body(call, frame)
        else:
            answer = await self._bridge.answer(call.caller, frame.call, frame.seq, frame.json, frame.data)
        if not call.ended:
            self._process.send(answer)

    async def _take_body(self, call: Call, frame: Frame) -> bytes:
        """Hand a piece of an answer's body on; answer when the client has room for more."""
        assert call.body is not None
        what = "end" if frame.json.startswith(b'["body.end') else "write"
        try:
            await call.body(what, frame.data)
        except ConnectionError:
            return refusal(frame.call, frame.seq, FunctionCrashed("The client went away."))
        return encode(Kind.REPLY, frame.call, frame.seq)

    def _lost(self, reason: str, number: int) -> None:
        """Let every call under way fail: the one that was running for its own reason, the others for being there."""
        self.gone = True
        calls, self.calls = list(self.calls.values()), {}
        for call in calls:
            call.fail(lost(reason, culprit=call.number == number or len(calls) == 1))
            call.end()
        for task in self._tasks:
            task.cancel()
        self._on_gone(self, reason)
