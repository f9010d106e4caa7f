"""A server in a control group that is too small for its page cache: the cache gives way, and the server lives."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import FaztServer

OLD, NEW = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
MIB = 1 << 20
LIMIT = 100 * MIB  # what the server had before it came into the group does not count
FILES, FILE_BYTES = 800, 200_000  # 160 MB of pages
PAUSE_S = 0.01  # slower than the guard looks


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group with little memory, for the processes whose numbers are put into its `cgroup.procs`."""
    if os.geteuid() != 0:
        pytest.skip("a control group takes root")
    top, name = (OLD, "memory.limit_in_bytes") if OLD.is_dir() else (NEW, "memory.max")
    group = top / f"fazt-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / name).write_text(str(LIMIT))
    except OSError as error:
        pytest.skip(f"there are no control groups to make here: {error}")
    yield group
    deadline = time.monotonic() + 10
    while group.exists() and time.monotonic() < deadline:  # its last process is on its way out
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.05)


def cache_of(server: FaztServer) -> dict[str, int]:
    found: dict[str, int] = json.loads(server.cli("status", "--json").stdout)["cache"]
    return found


def test_the_page_cache_gives_way(start_server: Callable[..., FaztServer], tmp_path: Path, small_group: Path) -> None:
    server = start_server(FAZT_PAGE_CACHE_BYTES=str(1 << 30))
    site = tmp_path / "site"
    site.mkdir()
    for number in range(FILES):
        (site / f"{number}.bin").write_bytes(os.urandom(FILE_BYTES))
    server.cli("deploy", str(site), "--site", "demo")
    server.stop()
    server = start_server(server.database, FAZT_PAGE_CACHE_BYTES=str(1 << 30))
    (small_group / "cgroup.procs").write_text(str(server.pid))
    with server.connection() as connection:
        for number in range(FILES):
            connection.request("GET", f"/{number}.bin", headers={"Host": "demo.localhost"})
            answer = connection.getresponse()
            assert (answer.status, len(answer.read())) == (200, FILE_BYTES)
            time.sleep(PAUSE_S)
    found = cache_of(server)
    assert found["bytes"] < FILES * FILE_BYTES
    assert found["max_bytes"] < 1 << 30
    assert server.get("/1.bin", host="demo.localhost").status == 200
    assert "memory runs low" in server.stop()
