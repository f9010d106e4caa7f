"""Memory that runs low: what gives way, in which order, and how it comes back."""

from pathlib import Path

import pytest

from fazt.machine.memory import LEAST_PAGES_BYTES, LOOKS_BETWEEN_GROWTH, Memory, MemoryGuard, look

MIB = 1 << 20
MEMINFO = "MemTotal:        2048000 kB\nMemFree:          100000 kB\nMemAvailable:    1024000 kB\n"


class World:
    """Pages and functions on a machine with 1 GiB."""

    def __init__(self) -> None:
        self.max_bytes = 256 * MIB
        self.used = 200 * MIB
        self.idle = 3
        self.guard = MemoryGuard(self, lambda: self.used, lambda: 256 * MIB, self.retire, lambda: None)

    def resize(self, max_bytes: int) -> None:
        self.max_bytes, self.used = max_bytes, min(self.used, max_bytes)

    def retire(self) -> int:
        gone, self.idle = self.idle, 0
        return gone

    def weigh(self, available: int) -> bool:
        return self.guard.weigh(Memory(1024 * MIB, available))


def test_where_there_is_enough_nothing_gives_way() -> None:
    world = World()
    assert not any(world.weigh(available) for available in (103 * MIB, 500 * MIB, 1024 * MIB))
    assert (world.max_bytes, world.idle) == (256 * MIB, 3)


def test_what_is_spent_fast_is_reckoned_with() -> None:
    """Between two looks 150 MB went: as much again would be more than there is."""
    world = World()
    assert not world.weigh(350 * MIB)
    assert world.weigh(200 * MIB)
    assert (world.max_bytes, world.idle) == (200 * MIB - (1024 * MIB // 10 + 150 * MIB - 200 * MIB), 3)
    assert not world.weigh(240 * MIB)


def test_pages_give_way_first_then_idle_functions() -> None:
    world = World()
    assert world.weigh(90 * MIB)
    assert (world.max_bytes, world.idle) == (150 * MIB, 3)  # a quarter of what they held
    while world.max_bytes > LEAST_PAGES_BYTES:
        assert world.weigh(90 * MIB)
    assert world.idle == 3
    assert world.weigh(90 * MIB)
    assert world.idle == 0
    assert not world.weigh(90 * MIB)  # nothing is left that could


def test_where_it_is_very_low_both_give_way_at_once() -> None:
    world = World()
    assert world.weigh(40 * MIB)
    assert (world.max_bytes, world.idle) == (200 * MIB - (1024 * MIB // 10 - 40 * MIB), 0)


def test_what_gave_way_comes_back_by_and_by() -> None:
    world = World()
    world.weigh(40 * MIB)
    seen = []
    for _ in range(LOOKS_BETWEEN_GROWTH * 10):
        world.weigh(500 * MIB)
        seen.append(world.max_bytes)
    assert seen[0] < 150 * MIB
    assert seen == sorted(seen)
    assert seen[-1] == 256 * MIB
    assert world.weigh(400 * MIB) is False
    assert world.max_bytes == 256 * MIB


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_machine_alone(tmp_path: Path) -> None:
    put(tmp_path, {"proc/meminfo": MEMINFO})
    assert look(tmp_path) == Memory(2048000 * 1024, 1024000 * 1024)
    assert look(tmp_path / "nowhere") is None


@pytest.mark.parametrize("outer", [False, True])
def test_a_control_group(tmp_path: Path, outer: bool) -> None:
    """The limit may stand in the process's own group, or in one around it."""
    group = "sys/fs/cgroup/system.slice" if outer else "sys/fs/cgroup/system.slice/fazt.service"
    put(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/system.slice/fazt.service\n",
            "sys/fs/cgroup/system.slice/fazt.service/memory.max": "max\n",
            f"{group}/memory.max": f"{256 * MIB}\n",
            f"{group}/memory.current": f"{250 * MIB}\n",
            f"{group}/memory.stat": f"anon 5\ninactive_file {40 * MIB}\n",
        },
    )
    assert look(tmp_path) == Memory(256 * MIB, 46 * MIB)


def test_an_older_control_group(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/memory/fazt"
    put(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "5:cpu,memory:/fazt\n1:name=systemd:/\n",
            f"{group}/memory.limit_in_bytes": f"{128 * MIB}\n",
            f"{group}/memory.usage_in_bytes": f"{130 * MIB}\n",
            f"{group}/memory.stat": "total_inactive_file 0\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{(1 << 63) - 4096}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
        },
    )
    assert look(tmp_path) == Memory(128 * MIB, 0)


def test_this_machine_tells() -> None:
    found = look()
    assert found is not None
    assert 0 < found.available <= found.limit
