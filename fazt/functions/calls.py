"""One call of a function while it is under way: what the runner says of it, and what becomes of it.

A call has a result (an answer's head, or a value), perhaps a body in pieces, and an end, which comes when everything
given to `waitUntil` has ended too. Rule: a call ends exactly once, and what belongs to it is released then.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fazt.data.caller import Caller
from fazt.errors import FaztError, FunctionCrashed, FunctionError, FunctionLimit
from fazt.functions.frames import Frame, Kind

IDS_AT_ONCE = 256
MOST_ASKING = 256  # questions of one call that may be under way
REASONS = {
    "cpu": ("function_cpu_limit", "took more CPU time than a call may"),
    "memory": ("function_memory_limit", "took more memory than the site may"),
}


_ids: Iterator[str] = iter(())


def new_id() -> str:
    """Return the id of a new call: 16 characters."""
    global _ids
    found = next(_ids, None)
    if found is None:  # the kernel is asked for chance once in a while: it takes longer than the rest
        digits = secrets.token_hex(8 * IDS_AT_ONCE)
        _ids = iter([digits[at : at + 16] for at in range(0, len(digits), 16)])
        found = next(_ids)
    return found


def lost(reason: str, *, culprit: bool) -> FunctionError:
    """Return what a call fails with whose runner ended; `culprit`: it was this call that was running."""
    if culprit and reason in REASONS:
        code, told = REASONS[reason]
        return FunctionLimit(f"The function {told}.", code)
    return FunctionCrashed("The process of this function ended under the call.")


@dataclass(slots=True)
class Failure:
    """What a script threw, as its author is told."""

    name: str
    message: str
    stack: str


@dataclass(slots=True)
class Report:
    """What is known of a call when it has ended."""

    id: str
    site: str
    kind: str
    name: str  # the path asked for, or the handler's name
    method: str = ""
    status: int = 0
    error: str = ""  # code of what went wrong
    failure: Failure | None = None
    started_ms: int = 0
    duration_us: int = 0
    cpu_us: int = 0
    memory_bytes: int = 0
    logs: list[tuple[str, str]] = field(default_factory=list)


class Call:
    """One call under way; made by its owner, begun by a runner."""

    __slots__ = (
        "_asking",
        "begun_ns",
        "body",
        "caller",
        "cpu_us",
        "ended",
        "failure",
        "number",
        "on_end",
        "on_log",
        "result",
        "timed_out",
    )

    def __init__(self, caller: Caller, loop: asyncio.AbstractEventLoop) -> None:
        self.caller = caller
        self.number = 0  # among the runner's calls
        self.result: asyncio.Future[Frame] = loop.create_future()
        self.body: Callable[[str, bytes], Awaitable[None]] | None = None  # takes the pieces of an answer's body
        self.ended = False
        self.timed_out = False
        self.begun_ns = time.monotonic_ns()
        self.cpu_us = 0
        self.failure: Failure | None = None
        self.on_end: list[Callable[[Call], None]] = []  # called when it has ended
        self.on_log: Callable[[Call, str, str], None] | None = None
        self._asking = 0

    def take_result(self, frame: Frame) -> None:
        """Take the result of the handler, or what it threw; it may throw behind its result, in a stream."""
        if frame.kind == Kind.RESULT:
            if not self.result.done():
                self.result.set_result(frame)
            return
        value = sound(frame)
        self.failure = Failure(
            _text(value.get("name"), 200), _text(value.get("message"), 4000), _text(value.get("stack"), 8000)
        )
        self.fail(FunctionError("The function failed; the log of its site says why."))

    def fail(self, error: FaztError) -> None:
        """Let the call fail, unless it has a result already."""
        if not self.result.done():
            self.result.set_exception(error)
            self.result.exception()  # seen: whoever asked may have gone

    def end(self) -> None:
        """Release everything; the second time nothing happens."""
        if self.ended:
            return
        self.ended = True
        self.fail(FunctionError("The function ended without an answer."))
        self.caller.close()
        for told in self.on_end:
            told(self)
        # What was told refers to this call: without this, only the collector of cycles would free it.
        self.on_end.clear()
        self.on_log = self.body = None

    def may_ask(self) -> bool:
        """Count a question; tell whether it may be asked."""
        self._asking += 1
        return self._asking <= MOST_ASKING

    def asked(self) -> None:
        """Count a question's answer."""
        self._asking -= 1


def sound(frame: Frame) -> dict[str, Any]:
    """Return the object that a frame of a runner holds, empty where it holds something else."""
    try:
        value = frame.value()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Any, longest: int) -> str:
    return value[:longest] if isinstance(value, str) else ""
