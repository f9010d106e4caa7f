"""How much memory is left, and what gives way when that is little: pages first, then functions that nobody calls.

What may be used is the machine's memory, or less where a control group allows less (cgroups(7)); what the kernel can
take back at once, such as files that it keeps in memory, counts as free. Rule: it looks once a second, off the paths of
requests, and what gave way comes back by and by when there is room again.
"""

import asyncio
import ctypes
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fazt.control_groups import MemoryGroup, memory_groups

log = logging.getLogger("fazt.memory")

LOOK_S = 1.0
LOW_SHARE = 10  # of what may be used: one part in so many
MOST_LOW_BYTES = 512 << 20  # on a large machine a tenth would be too much to call it little
LEAST_PAGES_BYTES = 4 << 20
LOOKS_BETWEEN_GROWTH = 5


@dataclass(frozen=True, slots=True)
class Memory:
    """What may be used in all, and what of it is left."""

    limit: int
    available: int

    @property
    def low(self) -> int:
        """How much must be left, so that nothing has to give way."""
        return min(self.limit // LOW_SHARE, MOST_LOW_BYTES)


class Pages(Protocol):
    """The page cache."""

    @property
    def max_bytes(self) -> int:
        """What it may hold."""

    def resize(self, max_bytes: int) -> None:
        """Hold at most so much from now on."""


class MemoryGuard:
    """Makes room in memory before the kernel ends the process."""

    def __init__(
        self,
        pages: Pages,
        used_bytes: Callable[[], int],
        wanted_bytes: Callable[[], int],
        retire_idle: Callable[[], int],
        look: Callable[[], Memory | None],
    ) -> None:
        """Take the pages with what they hold and may hold by the settings, and what lets idle functions go."""
        self._pages = pages
        self._used_bytes = used_bytes
        self._wanted_bytes = wanted_bytes
        self._retire_idle = retire_idle
        self._look = look
        self._since_growth = 0
        self._is_low = False
        self._before: int | None = None  # what was left at the last look

    async def run(self) -> None:
        """Look once a second, until the task is cancelled; a system that does not tell is left alone."""
        while (memory := await asyncio.to_thread(self._look)) is not None:
            try:
                if self.weigh(memory):
                    await asyncio.to_thread(give_back)
            except Exception:  # one bad round must not end all later ones
                log.exception("memory was not given back")
            await asyncio.sleep(LOOK_S)

    def weigh(self, memory: Memory) -> bool:
        """Let give way what must, or come back what may; return whether something gave way."""
        spent = max(0, (self._before or memory.available) - memory.available)
        self._before = memory.available
        missing = memory.low + spent - memory.available  # until the next look as much may be spent again
        if missing > 0:
            self._since_growth = 0
            return self._shrink(memory, missing)
        self._since_growth += 1
        if memory.available > 2 * memory.low + spent and self._since_growth >= LOOKS_BETWEEN_GROWTH:
            self._grow()
        return False

    def _shrink(self, memory: Memory, missing: int) -> bool:
        if not self._is_low:
            self._is_low = True
            log.warning("memory runs low: %d of %d MB are left", memory.available >> 20, memory.limit >> 20)
        held = min(self._pages.max_bytes, self._used_bytes())
        smaller = max(LEAST_PAGES_BYTES, min(held * 3 // 4, held - missing))
        has_shrunk = smaller < self._pages.max_bytes
        if has_shrunk:
            self._pages.resize(smaller)
        if held <= LEAST_PAGES_BYTES or memory.available < memory.low // 2:
            return self._retire_idle() > 0 or has_shrunk
        return has_shrunk

    def _grow(self) -> None:
        present, wanted = self._pages.max_bytes, self._wanted_bytes()
        if present < wanted:
            self._since_growth = 0
            self._pages.resize(min(wanted, present * 5 // 4))
        elif self._is_low:
            self._is_low = False
            log.info("there is enough memory again")


def give_back() -> None:
    """Give what was freed back to the system, where the C library can (malloc_trim(3) of glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def look(root: Path = Path("/")) -> Memory | None:
    """Return what is left for this process, None where the system does not tell."""
    found = [memory for each in memory_groups(root) if (memory := _left(each)) is not None]
    with suppress(OSError, KeyError):
        said = _fields(root / "proc/meminfo", r"(\w+):\s+(\d+) kB")
        found.append(Memory(said["MemTotal"] * 1024, said["MemAvailable"] * 1024))
    return min(found, key=lambda memory: memory.available - memory.low, default=None)


def _left(group: MemoryGroup) -> Memory | None:
    """Return what a control group allows and has left; None where it allows everything, or cannot be seen."""
    folder, is_old = group
    limit_name, used_name, prefix = (
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_") if is_old else ("memory.max", "memory.current", "")
    )
    try:
        limit, used = ((folder / name).read_text().strip() for name in (limit_name, used_name))
        if not limit.isdigit() or int(limit) >= 1 << 60:  # no limit, as the older kind says it
            return None
        said = _fields(folder / "memory.stat", r"(\w+) (\d+)")
        # Of the files that are read often the kernel keeps some; it counts half of them, too, for a machine.
        reclaimable = said.get(f"{prefix}inactive_file", 0) + said.get(f"{prefix}active_file", 0) // 2
    except (OSError, ValueError):  # inside a container the outer groups cannot be seen
        return None
    return Memory(int(limit), max(0, int(limit) - int(used) + reclaimable))


def _fields(path: Path, pattern: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(pattern, path.read_text())}
