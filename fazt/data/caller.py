"""On whose behalf something is asked: what the host knows of a function's call.

Rule: site, version and limits stand here because the host put them here; nothing of it ever comes from the script.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Caller:
    """One call of a function; `unit` keeps what it writes until it ends, None: each write is committed by itself."""

    site: str  # its name when the call began
    site_id: int
    version: int  # the number of the version whose code runs
    call: str  # the call's id, as the log has it
    depth: int = 0  # how many functions stand behind this one, each having fetched the next
    net: tuple[str, ...] | None = None  # hosts that `fetch` may reach; None: all public ones
    unit: Any = None
    subrequests: int = 0  # so far, of this call
    fetched_bytes: int = 0
    closers: list[Callable[[], None]] = field(default_factory=list)  # called once, when the call ends
    closed: bool = False  # it has ended: nothing may be asked on its behalf any more

    def close(self) -> None:
        """Release what belongs to the call."""
        self.closed = True
        while self.closers:
            self.closers.pop()()


# What JavaScript may ask of the host: (caller, JSON value, bytes) -> (JSON value, bytes). A FaztError it raises rejects
# the promise with its code and message; anything else is logged and rejects it with "internal_error".
Operation = Callable[[Caller, Any, bytes], Awaitable[tuple[Any, bytes]]]
