"""Byte streams between a function's call and the host: what a script pulls, and what it pushes.

Leaves to their makers where bytes come from and go to. Rule: a stream belongs to one call, is named by a number that
means nothing to any other call, and is released when its call ends.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from fazt.data.caller import Caller, Operation
from fazt.errors import FaztError, FetchAborted, InvalidInput, NotFound, TooLarge

PIECE = 65_536  # bytes, the most that one "stream.read" answers
ROOM = 65_536  # bytes that a pipe takes before its writer has to wait
MAX_STREAMS = 256  # open in one call

Owned = TypeVar("Owned")


class PerCall(Generic[Owned]):
    """One value for each call that needs one, released when the call ends.

    Whoever awaits something takes the value before and uses that same one afterwards: asked for again, a call that has
    ended meanwhile would get a new one, which nobody releases.
    """

    def __init__(self, make: Callable[[], Owned], release: Callable[[Owned], None]) -> None:
        self._make = make
        self._release = release
        self._values: dict[int, tuple[Caller, Owned]] = {}  # the caller stands in it so that its id is not used again

    def of(self, caller: Caller) -> Owned:
        """Return the value of a running call."""
        held = self._values.get(id(caller))
        if held is None:
            held = self._values[id(caller)] = (caller, self._make())
            caller.closers.append(partial(self._end, id(caller)))
        return held[1]

    def _end(self, number: int) -> None:
        _, value = self._values.pop(number)
        self._release(value)


class Writable(Protocol):
    """Where what a script pushes goes to."""

    async def write(self, data: bytes) -> None:
        """Take bytes, and come back when there is room for more."""

    def close(self) -> None:
        """Know that this was all."""

    def abort(self, error: FaztError) -> None:
        """Know that the rest does not come."""


class Pipe:
    """Bytes from one writer to one reader, who iterates; the writer waits while ROOM bytes are not taken yet."""

    def __init__(self, max_bytes: int | None = None, too_much: FaztError | None = None) -> None:
        self._max_bytes = max_bytes
        self._too_much = too_much or TooLarge(f"A streamed body may have {max_bytes} bytes.")
        self._size = 0  # of all that was written
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_closed = False
        self._is_dropped = False
        self._error: FaztError | None = None
        self._changed = asyncio.Event()

    async def write(self, data: bytes) -> None:
        """Add bytes, and wait until there is room for more.

        Raises: what the pipe was aborted with, `too_much`, InvalidInput.
        """
        if self._error is not None:
            raise self._error
        if self._is_closed:
            raise InvalidInput("The stream is closed: nothing can be written to it any more.")
        self._size += len(data)
        if self._max_bytes is not None and self._size > self._max_bytes:
            self.abort(self._too_much)
            raise self._too_much
        if data and not self._is_dropped:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            self._tell()
        while self._waiting_bytes >= ROOM:
            await self._changed.wait()
            if self._error is not None:
                raise self._error

    def close(self) -> None:
        """Say that this was all."""
        self._is_closed = True
        self._tell()

    def abort(self, error: FaztError) -> None:
        """Let both sides fail; what was not read yet is dropped. The first reason counts."""
        self._error = self._error or error
        self.drop()

    def drop(self) -> None:
        """Take whatever is written and forget it: nobody reads, and that is no failure yet."""
        self._is_dropped = True
        self._waiting.clear()
        self._waiting_bytes = 0
        self._tell()

    def _tell(self) -> None:
        """Wake everybody who waits for a change; those who come later wait for the next one."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def read(self) -> bytes:
        """Return the next bytes as they were written; b"" at the end.

        Raises: what the pipe was aborted with.
        """
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._is_closed:
                return b""
            await self._changed.wait()
        data = self._waiting.popleft()
        self._waiting_bytes -= len(data)
        self._tell()
        return data

    def __aiter__(self) -> "Pipe":
        return self

    async def __anext__(self) -> bytes:
        if data := await self.read():
            return data
        raise StopAsyncIteration


@dataclass(slots=True)
class _Readable:
    read: Callable[[], Awaitable[bytes]]
    cancel: Callable[[], None]
    rest: bytes = b""  # of what was read and did not fit in one answer
    is_busy: bool = False


class Ends:
    """The ends of one call's streams that its script holds."""

    def __init__(self) -> None:
        self.is_closed = False
        self._last = 0
        self._readables: dict[int, _Readable] = {}
        self._writables: dict[int, Writable] = {}

    def add_readable(self, read: Callable[[], Awaitable[bytes]], cancel: Callable[[], None]) -> int:
        """Register what the script may pull; `read` gives b"" at the end, `cancel` is called when it is not read to it.

        Raises: FetchAborted where the call has ended; InvalidInput where it has too many streams.
        """
        number = self._next()
        self._readables[number] = _Readable(read, cancel)
        return number

    def add_writable(self, writable: Writable) -> int:
        """Register where the script may push.

        Raises: as `add_readable`.
        """
        number = self._next()
        self._writables[number] = writable
        return number

    def _next(self) -> int:
        if self.is_closed:
            raise FetchAborted("The call has ended.")
        if len(self._readables) + len(self._writables) >= MAX_STREAMS:
            raise InvalidInput(f"A call may have {MAX_STREAMS} streams open at a time.")
        self._last += 1
        return self._last

    async def read(self, number: int) -> bytes:
        """Return the next bytes of a readable, PIECE at most; b"" at the end, after which it is gone."""
        readable = self._readables.get(number)
        if readable is None:
            raise NotFound(f"There is no stream {number} to read in this call.")
        if readable.is_busy:
            raise InvalidInput(f"Stream {number} is being read already.")
        readable.is_busy = True
        try:
            data = readable.rest or await readable.read()
        except BaseException:
            self.cancel(number)
            raise
        finally:
            readable.is_busy = False
        readable.rest = data[PIECE:]
        if not data:
            self._readables.pop(number, None)
        return data[:PIECE]

    def cancel(self, number: int) -> None:
        """Let a readable go; nothing happens where it has ended already."""
        if readable := self._readables.pop(number, None):
            readable.cancel()

    async def write(self, number: int, data: bytes) -> None:
        """Push bytes; comes back when there is room for more."""
        writable = self._writables.get(number)
        if writable is None:
            raise NotFound(f"There is no stream {number} to write to in this call.")
        await writable.write(data)

    def finish(self, number: int, error: FaztError | None = None) -> None:
        """End a writable, well or with a reason; nothing happens where it has ended already."""
        if writable := self._writables.pop(number, None):
            if error is None:
                writable.close()
            else:
                writable.abort(error)

    def close(self) -> None:
        """Release everything: the call has ended."""
        self.is_closed = True
        for number in tuple(self._readables):
            self.cancel(number)
        for number in tuple(self._writables):
            self.finish(number, FetchAborted("The call has ended."))


class Streams:
    """The streams of all calls."""

    def __init__(self) -> None:
        self._calls = PerCall(Ends, Ends.close)

    def of(self, caller: Caller) -> Ends:
        """Return the ends of a running call; see PerCall for when to ask."""
        return self._calls.of(caller)

    def add_readable(self, caller: Caller, read: Callable[[], Awaitable[bytes]], cancel: Callable[[], None]) -> int:
        """Register what a call may pull and return its number."""
        return self.of(caller).add_readable(read, cancel)

    def add_writable(self, caller: Caller, writable: Writable) -> int:
        """Register where a call may push and return its number."""
        return self.of(caller).add_writable(writable)


def stream_operations(streams: Streams) -> dict[str, Operation]:
    """Return what a script does with its streams: read, cancel, write, close, abort."""

    async def read(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        piece = await streams.of(caller).read(number_in(value))
        return {"done": not piece}, piece

    async def cancel(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        streams.of(caller).cancel(number_in(value))
        return {}, b""

    async def write(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        await streams.of(caller).write(number_in(value), data)
        return {}, b""

    async def close(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        streams.of(caller).finish(number_in(value))
        return {}, b""

    async def abort(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        streams.of(caller).finish(number_in(value), FetchAborted("The script aborted the stream."))
        return {}, b""

    return {
        "stream.read": read,
        "stream.cancel": cancel,
        "stream.write": write,
        "stream.close": close,
        "stream.abort": abort,
    }


def number_in(value: Any, name: str = "id") -> int:
    """Return a number out of what a script sent.

    Raises: InvalidInput.
    """
    number = value.get(name) if isinstance(value, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise InvalidInput(f"{name!r} must be a whole number.")
    return number
