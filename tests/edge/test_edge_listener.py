"""The edge over real sockets: large files, cut connections, the stop, addresses that cannot be had, the Unix socket."""

import asyncio
import contextlib
import hashlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
import websockets
from fake_edge import count_body, read_replies, reply, request

from fazt._speedups.pages import Clock, Page, Pages, Variant
from fazt._speedups.statistics import AccessRing
from fazt.edge.limits import Limits
from fazt.edge.listener import Edge
from fazt.errors import ListenError

LARGE = 20_000_000


class FileSource:
    """A file that is sent with sendfile, or read in pieces."""

    def __init__(self, path: Path, *, sendfile: bool = True) -> None:
        self.file = path.open("rb")
        self.sendfile = sendfile

    def fileno(self) -> int | None:
        return self.file.fileno() if self.sendfile else None

    async def read(self, offset: int, length: int) -> bytes:
        return os.pread(self.file.fileno(), min(length, 262_144), offset)


class Server:
    """An edge with some pages and an application."""

    def __init__(self, large: Path, app: Any = count_body, **limits: Any) -> None:
        self.pages, self.clock, self.ring = Pages(1 << 24), Clock(), AccessRing()
        self.sources = {b"/sendfile": FileSource(large), b"/pieces": FileSource(large, sendfile=False)}
        self.edge = Edge(self.resolve, app, pages=self.pages, clock=self.clock, ring=self.ring, limits=Limits(**limits))

    async def resolve(self, host: str, path: bytes, query: bytes) -> Page | None:
        if path.startswith(b"/api"):
            return None
        source = self.sources.get(path)
        variant = Variant("", b'"tag"', LARGE, None, source) if source else Variant("", b'"tag"', 4, b"home", None)
        site = self.pages.site("blog")
        return Page(site, self.pages.generation, 200, [(b"Content-Type", b"text/plain")], [variant], keep=True)

    def close(self) -> None:
        for source in self.sources.values():
            source.file.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("edge") / "large"
    block = bytes(range(251)) * 997
    with path.open("wb") as file:
        written = 0
        while written < LARGE:
            written += file.write(block[: LARGE - written])
    yield path
    path.unlink()


@contextlib.asynccontextmanager
async def serving(large: Path, app: Any = count_body, **limits: Any) -> Any:
    server = Server(large, app, **limits)
    try:
        await server.edge.listen_tcp("127.0.0.1", 0)
        yield server
    finally:
        await server.edge.stop(0)
        assert server.edge.connections == 0
        server.close()


async def connect(server: Server, *, receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.edge.port))
    except OSError:
        client.close()
        raise
    return client


async def read(client: socket.socket, count: int | None = None) -> bytes:
    """Read at least that many bytes, or all until the end."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while count is None or len(data) < count:
            piece = await asyncio.get_running_loop().sock_recv(client, 1 << 20)
            if not piece:
                break
            data += piece
    return bytes(data)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    uvloop.run(asyncio.wait_for(scenario(), 30))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("path", ["/sendfile", "/pieces"])
def test_large_files_arrive_whole(large: Path, path: str) -> None:
    async def scenario() -> None:
        async with serving(large) as server:
            client = await connect(server)
            data = (
                request(path)
                + request("/")
                + request(path, "Range: bytes=5-1000004")
                + request("/", "Connection: close")
            )
            await asyncio.get_running_loop().sock_sendall(client, data)
            whole, small, part, last = read_replies(await read(client))
            assert hashlib.sha256(whole.body).digest() == hashlib.sha256(large.read_bytes()).digest()
            assert part.body == large.read_bytes()[5:1_000_005]
            assert (small.body, last.body, last.keep_alive) == (b"home", b"home", False)
            client.close()

    run(scenario)


@pytest.mark.parametrize("path", ["/sendfile", "/pieces"])
def test_several_ranges_of_a_large_file(large: Path, path: str) -> None:
    async def scenario() -> None:
        async with serving(large) as server:
            client = await connect(server)
            data = request(path, "Range: bytes=0-999999, 5000000-6999999, -7", "Connection: close")
            await asyncio.get_running_loop().sock_sendall(client, data)
            (answer,) = read_replies(await read(client))
            content = large.read_bytes()
            boundary = b"--" + answer.fields["content-type"].partition("=")[2].encode()
            parts = [part.partition(b"\r\n\r\n")[2][:-2] for part in answer.body.split(boundary)[1:-1]]
            assert parts == [content[:1_000_000], content[5_000_000:7_000_000], content[-7:]]
            client.close()

    run(scenario)


@pytest.mark.parametrize("path", ["/sendfile", "/pieces"])
def test_clients_that_do_not_read_cost_little(large: Path, path: str) -> None:
    async def scenario() -> None:
        async with serving(large) as server:
            before = memory()
            clients = [await connect(server, receive_buffer=4096) for _ in range(30)]
            for client in clients:
                await asyncio.get_running_loop().sock_sendall(client, request(path))
                await read(client, 1)
            assert memory() - before < 30 * 1_000_000
            assert server.edge.connections == 30
            for client in clients:
                client.close()
            await until(lambda: server.edge.connections == 0)

    run(scenario)


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("path", ["/sendfile", "/pieces"])
def test_clients_that_go_away_leave_nothing(large: Path, path: str, reset: bool) -> None:
    async def scenario() -> None:
        async with serving(large) as server:
            before = descriptors()
            tasks = len(asyncio.all_tasks())
            for _ in range(20):
                client = await connect(server, receive_buffer=4096)
                await asyncio.get_running_loop().sock_sendall(client, request(path))
                await read(client, 1000)
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                client.close()
            await until(lambda: server.edge.connections == 0)
            await until(lambda: len(asyncio.all_tasks()) == tasks)
            assert descriptors() <= before

    run(scenario)


def test_a_file_that_shrinks_cuts_the_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"x" * 1000)

    async def scenario() -> None:
        async with serving(short) as server:
            client = await connect(server)
            await asyncio.get_running_loop().sock_sendall(client, request("/sendfile") + request("/"))
            data = await read(client)
            assert data.count(b"HTTP/1.1") == 1
            client.close()

    run(scenario)
    assert "shorter" in caplog.text


def test_the_stop_finishes_a_running_answer(large: Path) -> None:
    going = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await going.wait()
        await reply(send, 200, b"finished")

    async def scenario() -> None:
        async with serving(large, app) as server:
            idle, busy, reading = (
                await connect(server),
                await connect(server),
                await connect(server, receive_buffer=4096),
            )
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(idle, request("/"))
            await read(idle, 1)
            await loop.sock_sendall(busy, request("/api"))
            await loop.sock_sendall(reading, request("/sendfile"))
            taken = len(await read(reading, 1))
            await until(lambda: len(asyncio.all_tasks()) >= 4)
            stop = asyncio.create_task(server.edge.stop(10))
            await read(idle)  # closed at once
            with pytest.raises(OSError):
                await connect(server)
            assert not stop.done()
            going.set()
            (answer,) = read_replies(await read(busy))
            assert (answer.body, answer.keep_alive) == (b"finished", False)
            busy.close()
            assert taken + len(await read(reading)) > LARGE
            reading.close()
            await stop
            idle.close()

    run(scenario)


def test_the_stop_does_not_wait_for_ever(large: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def scenario() -> None:
        async with serving(large, app) as server:
            client = await connect(server)
            await asyncio.get_running_loop().sock_sendall(client, request("/api"))
            await until(lambda: server.edge.connections == 1)
            await server.edge.stop(0.05)
            assert server.edge.connections == 0
            client.close()

    run(scenario)


def test_the_lane_and_the_reader_share_a_socket(large: Path) -> None:
    async def scenario() -> None:
        async with serving(large) as server:
            client = await connect(server)
            hit = request("/")
            data = (
                hit * 3
                + request("/api")
                + hit
                + request("/", "X-Unknown: 1")
                + hit * 2
                + request("/", "Connection: close")
            )
            await asyncio.get_running_loop().sock_sendall(client, data)
            bodies = [reply.body for reply in read_replies(await read(client))]
            assert bodies == [b"home"] * 3 + [b"0"] + [b"home"] * 5
            client.close()

    run(scenario)


def test_too_many_connections(large: Path) -> None:
    async def scenario() -> None:
        async with serving(large, max_connections=2) as server:
            first, second, third = [await connect(server) for _ in range(3)]
            assert await read(third) == b""
            await asyncio.get_running_loop().sock_sendall(first, request("/"))
            assert (await read(first, 1)).startswith(b"HTTP/1.1 200")
            for client in (first, second, third):
                client.close()

    run(scenario)


def test_idle_connections_are_swept(large: Path) -> None:
    async def scenario() -> None:
        async with serving(large, idle_timeout_s=0.1) as server:
            client = await connect(server)
            await until(lambda: server.edge.connections == 1)
            server.clock.tick()
            ticking = asyncio.create_task(tick(server.clock))
            assert await read(client) == b""
            ticking.cancel()
            client.close()

    run(scenario)


async def tick(clock: Clock) -> None:
    while True:
        await asyncio.sleep(0.05)
        clock.tick()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (
            "127.0.0.1",
            "127.0.0.1:{port} is already in use: stop the other program, or choose another address with --http.",
        ),
        ("192.0.2.1", "192.0.2.1:{port} is not an address of this machine: choose another with --http."),
        ("no such host", "cannot be listened on"),
    ],
)
def test_addresses_that_cannot_be_had(large: Path, host: str, words: str) -> None:
    async def scenario() -> None:
        async with serving(large) as server:
            with pytest.raises(ListenError) as problem:
                await server.edge.listen_tcp(host, server.edge.port)
            assert words.format(port=server.edge.port) in problem.value.message

    run(scenario)


def test_websockets(large: Path) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({**message, "type": "websocket.send"})

    async def scenario() -> None:
        async with serving(large, echo) as server:
            async with websockets.connect(f"ws://127.0.0.1:{server.edge.port}/api", proxy=None) as client:
                for content in ("hello", b"x" * 1_000_000, "ä" * 100_000):
                    await client.send(content)
                    assert await client.recv() == content
                assert await (await client.ping()) >= 0
            assert client.close_code == 1000
            await until(lambda: server.edge.connections == 0)
            staying = await websockets.connect(f"ws://127.0.0.1:{server.edge.port}/api", proxy=None)
            stop = asyncio.create_task(server.edge.stop(10))
            await staying.wait_closed()
            assert staying.close_code == 1001
            await stop

    run(scenario)


def test_no_descriptors_left() -> None:
    """Connections beyond the limit of the process wait or are closed; the loop does not spin, and goes on later."""
    program = Path(__file__).with_name("few_descriptors.py")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=30)
    assert done.stdout == "served\nserved\n", done.stderr


def test_the_unix_socket(large: Path, tmp_path: Path) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await count_body(scope, receive, send)

    async def scenario() -> None:
        path = tmp_path / "fazt.sock"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        async with serving(large, app) as server:
            await server.edge.listen_unix(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(
                request("/") * 2 + request("/", "Content-Length: 3", "Connection: close", method="POST") + b"abc"
            )
            replies = read_replies(await reader.read())
            assert [reply.body for reply in replies] == [b"0", b"0", b"3"]
            assert seen[0]["extensions"]["fazt"]["peer_uid"] == os.getuid()
            writer.close()
            await writer.wait_closed()
        assert not path.exists()

    run(scenario)


def test_a_file_in_the_place_of_the_socket_stays(large: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "fazt.sock"
        path.write_text("mine")
        async with serving(large) as server:
            before = descriptors()
            with pytest.raises(ListenError, match="cannot be made"):
                await server.edge.listen_unix(path)
            assert descriptors() == before
        assert path.read_text() == "mine"

    run(scenario)
