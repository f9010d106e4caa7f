"""What the rest of this package asks of a JavaScript engine: processes that take frames and send frames.

`v8` is the one that there is. Rule: nothing above this line knows which engine runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fazt.functions.frames import Frame


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one process may take."""

    memory_bytes: int = 128 << 20
    cpu_s: float = 5.0  # of one call


class Process(Protocol):
    """One process with one isolate, which has not seen any site's code before its first frame."""

    on_frames: Callable[[Sequence[Frame]], None]
    on_lost: Callable[[str, int], None]  # called once: why, and the number of the call that was running or 0

    def send(self, frame: bytes) -> None:
        """Send a frame; frames to a process that is gone go nowhere."""

    async def drained(self) -> None:
        """Wait until the process has taken most of what was sent to it."""

    def kill(self) -> None:
        """End the process at once."""

    def resident_bytes(self) -> int:
        """Return the memory that this process alone holds; 0 where it is gone."""


class Engine(Protocol):
    """Makes processes."""

    async def start(self, script: str, bounds: Bounds) -> Process:
        """Return a new process that has evaluated one of our scripts and is ready for frames.

        Raises: EngineFailed.
        """

    async def stop(self) -> None:
        """End every process."""
