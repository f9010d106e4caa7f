"""The control groups of this process that bound its memory (cgroups(7), versions 1 and 2), and the bound itself."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class MemoryGroup(NamedTuple):
    """A group by its folder; `is_old`: of version 1, whose files have other names."""

    folder: Path
    is_old: bool


def memory_groups(root: Path = Path("/")) -> Iterator[MemoryGroup]:
    """Yield the groups of this process and those above them; inside a container the outer ones cannot be read."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # a system without control groups
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        folder = top / group.lstrip("/")
        while folder.is_relative_to(top):
            yield MemoryGroup(folder, bool(controllers))
            folder = folder.parent


def memory_limit_bytes(root: Path = Path("/")) -> int:
    """Return the memory that this process may use: the machine's, or less where a control group allows less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *(_limit(each) for each in memory_groups(root))])


def _limit(group: MemoryGroup) -> int:
    try:
        text = (group.folder / ("memory.limit_in_bytes" if group.is_old else "memory.max")).read_text().strip()
    except OSError:
        return sys.maxsize
    return int(text) if text.isdigit() else sys.maxsize
