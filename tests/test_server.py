"""The server as one: what it checks before it starts, what it costs to start, how it stops."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import FaztServer, free_port, run_cli

from fazt._speedups.pages import Pages
from fazt.control_groups import memory_limit_bytes
from fazt.errors import InvalidInput, ListenError, StoreBusy
from fazt.server.alone import open_api
from fazt.server.making import make_hosting, make_limits, make_spill, page_cache_bytes, remove_spills
from fazt.server.running import forget_pages
from fazt.server.serving import run
from fazt.settings import Settings, listen_address, public_url
from fazt.store import sites
from fazt.store.changes import Change
from fazt.store.database import Database

HEAVY = {"fastapi", "starlette", "pydantic", "pydantic_core", "anyio", "fazt.api.admin", "fazt.cli.deploy"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaztServer]:
    server = FaztServer(tmp_path / "data.db", free_port())
    yield server.start()
    if server.process is not None and server.process.poll() is None:
        server.process.kill()
        server.process.communicate()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:4698", ("127.0.0.1", 4698)),
        ("[::1]:80", ("::1", 80)),
        ("[::]:65535", ("::", 65535)),
        (":80", ("", 80)),
        ("name.example:1", ("name.example", 1)),
    ],
)
def test_an_address_is_read(text: str, expected: tuple[str, int]) -> None:
    assert listen_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", "80", "127.0.0.1", "127.0.0.1:", "h:0", "h:65536", "h:-1", "h:x", "::1:80", "h:٣"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not an address"):
        listen_address(text)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Settings(), "http://h.localhost:4698/"),
        (Settings(http="0.0.0.0:80"), "http://h.localhost/"),
        (Settings(http="0.0.0.0:8080", public_scheme="https"), "https://h.localhost/"),
        (Settings(http="0.0.0.0:8080", public_scheme="http"), "http://h.localhost/"),
    ],
)
def test_urls_are_what_visitors_write(settings: Settings, url: str) -> None:
    assert public_url(settings, "h.localhost") == url


async def opened_and_closed(path: Path, flags: dict[str, str]) -> None:
    async with open_api(path, flags):
        pass


@pytest.mark.parametrize(
    "flags",
    [
        {"domain": ""},
        {"domain": "a b"},
        {"domain": "example.org:80"},
        {"domain": "http://example.org"},
        {"domain": "bücher.example"},
        {"www": "somewhere"},
        {"public_scheme": "ftp"},
        {"http": "nowhere"},
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_is_opened(flags: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        run(flags, tmp_path / "data.db", print)
    with pytest.raises(InvalidInput):
        asyncio.run(opened_and_closed(tmp_path / "data.db", flags))
    assert list(tmp_path.iterdir()) == []


def test_the_domain_is_brought_to_its_one_form() -> None:
    assert make_hosting(Settings(domain="Example.ORG.")).domain == "example.org"


def test_limits_come_from_the_settings() -> None:
    limits = make_limits(Settings(max_connections=7, header_timeout_s=1.5, idle_timeout_s=2.5))
    assert (limits.max_connections, limits.header_timeout_s, limits.idle_timeout_s) == (7, 1.5, 2.5)
    assert page_cache_bytes(Settings(page_cache_bytes=123)) == 123
    assert page_cache_bytes(Settings()) == memory_limit_bytes() // 4


def group(root: Path, line: str, limits: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line)
    for path, text in limits.items():
        (root / "sys/fs/cgroup" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("line", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1000000\n"}, 1_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2000000\n", "memory.max": "3000000\n"}, 2_000_000),
        (
            "4:cpu:/a\n3:memory:/a\n",
            {"memory/a/memory.limit_in_bytes": "4000000\n", "cpu/a/memory.max": "1"},
            4_000_000,
        ),
        ("3:memory:/a\n", {"memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("0::/a\n", {}, None),
        ("", {}, None),
    ],
)
def test_a_control_group_limits_the_memory(
    tmp_path: Path, line: str, limits: dict[str, str], expected: int | None
) -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory_limit_bytes(group(tmp_path, line, limits)) == (expected or machine)


def test_changes_make_pages_stale() -> None:
    pages = Pages(1 << 20)
    blog, other = pages.site("blog"), pages.site("other")
    before = (blog.generation, other.generation)
    forget_pages(pages, [Change(1, "site", "blog", 0)])
    assert blog.generation > before[0]
    assert other.generation == before[1]
    before = (blog.generation, other.generation)
    forget_pages(pages, [Change(2, "site", "root", 0), Change(3, "domain", "blog.example", 0)])
    assert blog.generation > before[0]  # whoever had the domain, or has it now
    assert other.generation > before[1]


def test_nothing_heavy_is_loaded_before_the_server_answers() -> None:
    code = "import sys, fazt.server.serving; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not HEAVY & set(loaded.stdout.split())


def test_a_busy_port_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        flags = {"http": f"127.0.0.1:{taken.getsockname()[1]}"}
        handlers = list(logging.getLogger().handlers)
        with pytest.raises(ListenError, match="in use"):
            run(flags, tmp_path / "data.db", print)
        assert logging.getLogger().handlers == handlers
    database = Database.open(tmp_path / "data.db")
    assert database.read_blocking(sites.count) == 0
    database.close()
    assert not (tmp_path / "data.db.sock").exists()


def test_the_api_opens_in_process_where_no_server_runs(tmp_path: Path) -> None:
    path = tmp_path / "data.db"

    async def twice() -> None:
        async with open_api(path, {}):
            with pytest.raises(StoreBusy, match=r"data\.db"):
                await opened_and_closed(path, {})
        await opened_and_closed(path, {})

    asyncio.run(twice())
    assert not path.with_name("data.db-wal").exists()


def test_the_spill_cache_lies_beside_the_database(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "data.db")
    spill = make_spill(Settings(spill_cache_bytes=5), database)
    assert spill.statistics().max_bytes == 5
    spill.close()
    database.close()


def test_spill_caches_of_workers_that_are_no_more_are_removed(tmp_path: Path) -> None:
    for name in (
        "data.db.cache",
        "data.db.cache-1",
        "data.db.cache-2",
        "data.db.cache-10",
        "data.db.cache-x",
        "o.db.cache-9",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    remove_spills(tmp_path / "data.db", 2)
    left = ["data.db.cache", "data.db.cache-1", "data.db.cache-2", "data.db.cache-x", "o.db.cache-9"]
    assert sorted(each.name for each in tmp_path.iterdir()) == left
    remove_spills(tmp_path / "data.db", 0)
    assert sorted(each.name for each in tmp_path.iterdir()) == [left[0], *left[3:]]


def test_a_server_stops_clean(server: FaztServer, tmp_path: Path) -> None:
    assert server.get("/", host="localhost").status == 200
    path = server.database.with_name("data.db.sock")
    assert path.stat().st_mode & 0o777 == 0o600
    output = server.stop()
    assert server.process is not None
    assert server.process.returncode == 0
    assert "Traceback" not in output
    assert not path.exists()
    left = {entry.name for entry in tmp_path.iterdir()} - {"data.db", "data.db.key", "data.db.lock", "data.db.cache"}
    assert left == set()
    lines = [json.loads(line) for line in run_cli("logs", "--json", database=server.database).stdout.splitlines()]
    assert [line["path"] for line in lines if line["kind"] == "access"] == ["/"]
    database = Database.open(server.database)
    assert [site.name for site in database.read_blocking(sites.list_page, None, 10)] == ["404", "root"]
    database.close()


def slow_reader(server: FaztServer, tmp_path: Path) -> socket.socket:
    """Return a connection with an answer that nobody reads on."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "big.bin").write_bytes(os.urandom(24 << 20))
    server.cli("deploy", str(tmp_path / "site"), "--site", "big")
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(b"GET /big.bin HTTP/1.1\r\nHost: big.localhost\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    return connection


def wait_until_refused(server: FaztServer) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            return
    raise AssertionError("the server goes on taking connections")


def test_a_second_signal_waits_for_nobody(server: FaztServer, tmp_path: Path) -> None:
    with slow_reader(server, tmp_path):
        assert server.process is not None
        server.process.send_signal(signal.SIGINT)
        wait_until_refused(server)
        assert server.process.poll() is None
        started = time.monotonic()
        output = server.stop(signal.SIGINT)
        assert time.monotonic() - started < 5
        assert server.process.returncode == 0
        assert "Traceback" not in output


def test_following_the_log_does_not_hold_the_server_up(server: FaztServer) -> None:
    command = [sys.executable, "-m", "fazt", "logs", "-f", "--db", str(server.database), "--json"]
    server.get("/first", host="localhost")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["path"] == "/first"
        server.get("/second", host="localhost")
        assert json.loads(following.stdout.readline())["path"] == "/second"
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 10
        assert following.wait(timeout=20) == 0


def test_the_api_is_reached_at_the_dashboards_host_only(server: FaztServer) -> None:
    token = json.loads(server.cli("token", "create", "--action", "read", "--json").stdout)["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert server.get("/api/sites", host=f"dashboard.localhost:{server.port}", headers=headers).status == 200
    assert server.get("/api/sites", host="dashboard.localhost").status == 401
    for host in ("localhost", "404.localhost", "unknown.localhost", "127.0.0.1", "dav.localhost"):
        answer = server.get("/api/sites", host=host, headers=headers)
        assert (answer.status, b'"items"' in answer.body) == (404, False), host
    for host in ("localhost", "dashboard.localhost", "unknown.example", "dav.localhost", "127.0.0.1"):
        assert server.get("/_fazt/health", host=host).body == b"ok\n"


def test_a_large_body_without_a_token_is_not_read(server: FaztServer) -> None:
    head = b"POST /api/blobs HTTP/1.1\r\nHost: dashboard.localhost\r\nContent-Length: 60000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head + bytes(100_000))
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in answer.lower()


@pytest.mark.slow
def test_starting_takes_no_longer_with_many_sites(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "data.db")

    def fill(connection: Any) -> None:
        for number in range(10_000):
            sites.create(connection, f"site-{number}")

    database.write_blocking(fill)
    database.close()
    took: list[float] = []
    for _ in range(3):
        server = FaztServer(tmp_path / "data.db", free_port())
        started = time.monotonic()
        server.start()
        took.append(time.monotonic() - started)
        resident = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        server.stop()
    assert min(took) < 1.5
    assert resident < 90 << 20


def test_deploys_from_many_threads_are_all_seen(server: FaztServer, tmp_path: Path) -> None:
    def deploy(number: int) -> None:
        folder = tmp_path / f"s{number}"
        folder.mkdir()
        (folder / "index.html").write_text(f"site {number}")
        server.cli("deploy", str(folder), "--site", f"s{number}")

    threads: list[threading.Thread] = [threading.Thread(target=deploy, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert server.get("/", host=f"s{number}.localhost").body == f"site {number}".encode()
