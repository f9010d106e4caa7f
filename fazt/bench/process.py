"""What the kernel knows about a running process: its children, its CPU time, its memory, the core it may use.

Rule: a figure covers the whole tree of a server, since peers do their work in children.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

LISTENING = "0A"  # the state in /proc/net/tcp


def tree(pid: int) -> tuple[int, ...]:
    """Return a process and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return tuple(found)


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds that the processes have used, in user space and in the kernel, to the nanosecond.

    The clock of another process is numbered by its pid: clock_getcpuclockid(3).
    """
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def core_of(pid: int) -> int | None:
    """Return the core that a process is kept on; None where it may use several."""
    allowed = os.sched_getaffinity(pid)
    return min(allowed) if len(allowed) == 1 else None


def busy_s(core: int) -> float:
    """Return the seconds that a core was not idle, whoever used it; other guests of its machine are among them."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, hard, soft, steal = (int(count) for count in ticks[:8])
            return (user + nice + system + hard + soft + steal) / os.sysconf("SC_CLK_TCK")
    return 0.0


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of the processes; pages that two of them share count in both."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def cores() -> tuple[int | None, int | None]:
    """Return the core for the server and the core for the load; None where there is one core for both."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[-1]) if len(allowed) > 1 else (None, None)


def pin(pids: Iterable[int], core: int | None) -> None:
    """Keep processes, with all their threads, on one core; do nothing for None."""
    if core is None:
        return
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


def listener(port: int) -> int | None:
    """Return the process that listens on a TCP port of this machine; None where this user may not see it."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{columns[9]}]")
    for entry in Path("/proc").iterdir():
        # A process may end, or belong to another user, while its descriptors are read.
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and any(os.readlink(fd) in sockets for fd in (entry / "fd").iterdir()):
                return int(entry.name)
    return None
