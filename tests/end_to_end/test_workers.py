"""Several processes as one server: real ones, asked over real sockets, killed at will."""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
import websockets.sync.client
from loopback import Answer, FaztServer, free_port, send
from made_certificates import make_certificate

HOST = "blog.localhost"
DASHBOARD = "dashboard.localhost"
WORKERS = 2
ECHO = """
export async function POST(request) { return new Response(`got ${(await request.arrayBuffer()).byteLength}`); }
export function GET(request) { return Response.json({ url: request.url, relay: request.headers.get("fazt-relay") }); }
"""
SLOW = """
export async function GET() {
  const stream = new ReadableStream({ async start(controller) {
    for (let count = 0; count < 5; count++) {
      controller.enqueue(new TextEncoder().encode(`data: ${count}\\n\\n`));
      await new Promise((done) => setTimeout(done, 100));
    }
    controller.close();
  }});
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
}
"""


@pytest.fixture
def several(start_server: Callable[..., FaztServer], tmp_path: Path) -> Iterator[FaztServer]:
    server = start_server(flags=["--workers", str(WORKERS)])
    until(lambda: len(workers_of(server)) == WORKERS)
    deploy(server, tmp_path, "first")
    yield server
    output = server.stop()
    assert "Traceback" not in output
    assert not children(server.pid)


def deploy(server: FaztServer, folder: Path, text: str) -> None:
    blog = folder / "blog"
    (blog / "api").mkdir(parents=True, exist_ok=True)
    (blog / "index.html").write_text(text)
    (blog / "api" / "echo.js").write_text(ECHO)
    (blog / "api" / "slow.js").write_text(SLOW)
    server.cli("deploy", str(blog), "--site", "blog")


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def command_of(pid: int) -> str:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def workers_of(server: FaztServer) -> list[int]:
    return [pid for pid in children(server.pid) if "fazt.server.worker" in command_of(pid)]


def core_of(server: FaztServer) -> int:
    (core,) = [pid for pid in children(server.pid) if "fazt.server.worker" not in command_of(pid)]
    return core


def status(server: FaztServer) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(server.cli("status", "--json").stdout)
    return found


@contextlib.contextmanager
def connections(server: FaztServer, count: int) -> Iterator[list[http.client.HTTPConnection]]:
    """Give connections that stay open; the kernel spreads them over the workers."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server.connection()) for _ in range(count)]


def test_it_is_one_server(several: FaztServer) -> None:
    for _ in range(10):
        assert several.get("/", host=HOST).body == b"first"
        assert several.get("/nothing", host=HOST).status == 404
    assert orjson.loads(several.get("/api/session", host=DASHBOARD).body)["state"] == "setup"
    assert several.get("/", host=DASHBOARD).status == 200
    told = several.get("/api/echo", host=HOST, headers={"Fazt-Relay": "192.0.2.1 1 https 443"})
    assert orjson.loads(told.body) == {"url": f"http://{HOST}:{several.port}/api/echo", "relay": None}
    assert several.get("/", host="nobody.localhost").status == 404


def test_bodies_go_through_in_both_directions(several: FaztServer) -> None:
    size = 9_000_000
    with several.connection() as connection:
        connection.request("POST", "/api/echo", body=bytes(size), headers={"Host": HOST})
        assert connection.getresponse().read() == b"got %d" % size
        pieces = (bytes(100_000) for _ in range(20))
        connection.request("POST", "/api/echo", body=pieces, headers={"Host": HOST}, encode_chunked=True)
        assert connection.getresponse().read() == b"got 2000000"
        connection.request("GET", "/", headers={"Host": HOST})
        assert connection.getresponse().read() == b"first"
    began = time.monotonic()
    with several.connection() as connection:
        connection.request("GET", "/api/slow", headers={"Host": HOST})
        answer = connection.getresponse()
        first = answer.read1()
        assert first.startswith(b"data: 0")
        assert time.monotonic() - began < 0.45  # long before the last one
        assert (first + answer.read()).count(b"data: ") == 5


def test_no_page_is_stale_after_a_deploy(several: FaztServer, tmp_path: Path) -> None:
    with connections(several, 12) as opened:
        for number in range(15):
            deploy(several, tmp_path, f"number {number}")
            for _ in range(3):
                for connection in opened:
                    assert send(connection, "/", host=HOST).body == b"number %d" % number


def test_what_is_counted_adds_up(several: FaztServer) -> None:
    asked = 0
    with connections(several, 10) as opened:
        for connection in opened * 20:
            assert send(connection, "/", host=HOST).status == 200
            asked += 1
    for _ in range(7):
        several.get("/api/echo", host=HOST)
        asked += 1

    def counted() -> int:
        sites = {site["name"]: site for site in status(several)["sites"]}  # type: ignore[attr-defined]
        return int(sites["blog"]["requests"]) if "blog" in sites else 0

    until(lambda: counted() >= asked)
    assert counted() == asked
    found = status(several)
    assert found["workers"] == WORKERS
    lines = several.cli("logs", "blog").stdout.splitlines()
    assert sum("GET blog.localhost/" in line for line in lines) > 50  # of the last hundred


def test_who_asks_is_known(several: FaztServer) -> None:
    several.cli("config", "set", "trusted_proxies", "127.0.0.0/8")
    time.sleep(1.2)  # until every worker knows
    for path in ("/", "/api/echo"):
        several.get(path, host=HOST, headers={"X-Forwarded-For": "192.0.2.7"})
    until(lambda: several.cli("logs", "blog").stdout.count("192.0.2.7") == 2)


def test_a_room_spans_the_workers(several: FaztServer) -> None:
    address = f"ws://{HOST}:{several.port}/_fazt/room/hall"
    headers = {"Origin": f"http://{HOST}:{several.port}"}
    with contextlib.ExitStack() as stack:
        members = []
        for _ in range(6):
            opened = socket.create_connection(("127.0.0.1", several.port))
            client = websockets.sync.client.connect(address, sock=opened, additional_headers=headers)
            members.append(stack.enter_context(client))
        for member in members:
            assert json.loads(member.recv(5))["type"] == "welcome"
        members[0].send(json.dumps({"type": "send", "data": "hello"}))
        for member in members:
            while (said := json.loads(member.recv(5))).get("data") != "hello":
                assert said["type"] != "error", said


def test_the_cache_of_every_process_is_emptied(several: FaztServer) -> None:
    with connections(several, 10) as opened:
        for connection in opened * 3:
            send(connection, "/", host=HOST)
        until(lambda: status(several)["cache"]["entries"] >= WORKERS)  # type: ignore[index]
        several.cli("cache", "clear")
        for connection in opened:
            assert send(connection, "/", host=HOST).body == b"first"


def test_a_worker_that_dies_is_replaced(several: FaztServer) -> None:
    first = set(workers_of(several))
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(set(workers_of(several)) - {victim}) == WORKERS)
    for _ in range(20):
        assert several.get("/", host=HOST).body == b"first"


def test_pages_are_served_while_the_core_is_dead(several: FaztServer, tmp_path: Path) -> None:
    stop, failed, answered = threading.Event(), list[object](), [0]

    def ask() -> None:
        with several.connection() as connection:
            while not stop.is_set():
                try:
                    answer = send(connection, "/", host=HOST)
                except OSError as error:
                    failed.append(error)
                    return
                if (answer.status, answer.body) != (200, b"first"):
                    failed.append(answer)
                answered[0] += 1

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    core = core_of(several)
    os.kill(core, signal.SIGKILL)
    seen: set[int] = set()

    def is_back() -> bool:
        seen.add(several.get("/api/echo", host=HOST).status)
        return 200 in seen and len(children(several.pid)) == WORKERS + 1 and core not in children(several.pid)

    until(is_back)
    stop.set()
    for thread in asking:
        thread.join()
    assert not failed
    assert answered[0] > 100
    assert seen <= {200, 502}
    deploy(several, tmp_path, "second")
    for _ in range(10):
        assert several.get("/", host=HOST).body == b"second"


def test_a_restore_starts_all_of_them_anew(several: FaztServer, tmp_path: Path) -> None:
    several.cli("backup", "create")
    deploy(several, tmp_path, "second")
    pid, before = several.pid, set(children(several.pid))
    several.cli("backup", "restore", "latest", "--yes")

    def is_back() -> bool:
        with contextlib.suppress(OSError):
            return several.get("/", host=HOST).body == b"first"
        return False

    until(is_back)
    until(lambda: len(workers_of(several)) == WORKERS)
    assert several.pid == pid
    assert not before & set(children(pid))
    assert several.get("/api/echo", host=HOST).status == 200


def test_a_core_alone_that_finishes_a_restore_takes_the_workers_along(several: FaztServer, tmp_path: Path) -> None:
    backup = tmp_path / "before.db"
    with (
        contextlib.closing(sqlite3.connect(several.database)) as old,
        contextlib.closing(sqlite3.connect(backup)) as to,
    ):
        old.backup(to)
    deploy(several, tmp_path, "second")
    before = set(workers_of(several))
    backup.rename(f"{several.database}.restore")
    os.kill(core_of(several), signal.SIGKILL)
    until(lambda: len(set(workers_of(several)) - before) == WORKERS)
    until(lambda: all(several.get("/", host=HOST).body == b"first" for _ in range(10)))
    deploy(several, tmp_path, "third")
    for _ in range(10):
        assert several.get("/", host=HOST).body == b"third"


def test_nobody_is_left_behind_by_a_keeper_that_dies(several: FaztServer) -> None:
    left = children(several.pid)
    assert len(left) == WORKERS + 1
    os.kill(several.pid, signal.SIGKILL)
    several.stop()
    until(lambda: not any("fazt" in command_of(pid) for pid in left))
    several.start()
    assert several.get("/", host=HOST).body == b"first"


def test_a_hangup_is_for_the_core(several: FaztServer) -> None:
    before = children(several.pid)
    os.kill(several.pid, signal.SIGHUP)
    time.sleep(0.3)
    assert several.get("/api/echo", host=HOST).status == 200
    assert children(several.pid) == before


def test_a_stop_lets_requests_finish(several: FaztServer) -> None:
    with several.connection() as connection:
        connection.request("GET", "/api/slow", headers={"Host": HOST})
        answer = connection.getresponse()
        assert answer.read1().startswith(b"data: 0")
        several.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        assert answer.read().count(b"data: ") >= 4
    until(lambda: several.process.poll() is not None)  # type: ignore[union-attr]
    assert several.process.returncode == 0  # type: ignore[union-attr]
    assert "Traceback" not in several.stop()
    several.start()  # with functions there from the beginning
    assert several.get("/api/echo", host=HOST).status == 200
    assert several.get("/", host=HOST).body == b"first"


def test_https(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    port = free_port()
    flags = ["--workers", "2", "--domain", "example.org", "--https", f"127.0.0.1:{port}"]
    server = start_server(flags=flags, FAZT_ACME="no")
    deploy(server, tmp_path, "first")
    chain, key = make_certificate("blog.example.org")
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    server.cli("cert", "add", str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"))

    def get(path: str) -> Answer:
        context = ssl.create_default_context(cadata=chain.decode())
        connection = http.client.HTTPConnection("127.0.0.1")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            connection.sock = context.wrap_socket(plain, server_hostname="blog.example.org")
            try:
                return send(connection, path, host="blog.example.org")
            finally:
                connection.close()

    for _ in range(6):
        assert get("/").body == b"first"
        answer = get("/api/echo")
        assert orjson.loads(answer.body)["url"] == f"https://blog.example.org:{port}/api/echo"
        assert answer.header("Strict-Transport-Security") == "max-age=604800"
        assert server.get("/", host="blog.example.org").status == 308
    assert "Traceback" not in server.stop()


def test_a_port_that_is_taken_is_told(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    taken = start_server()
    done = taken.cli(
        "serve", "--workers", "2", "--http", f"127.0.0.1:{taken.port}", "--db", str(tmp_path / "b.db"), check=False
    )
    assert done.returncode == 1
    assert "is already in use" in done.stderr
