"""One connection: order, bounds, half-closed connections, and what is left behind."""

import asyncio
import time
import tracemalloc
from typing import Any

import pytest
from fake_edge import FakeEdge, FakeSocket, count_body, reply, request
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.edge.deadlines import check
from fazt.edge.parts import neighbourhood
from fazt.edge.protocol import HttpProtocol


@pytest.fixture
def edge() -> Any:
    with FakeEdge() as edge:
        edge.add("/", b"home")
        yield edge


class Gate:
    """An application that answers with the path once it is told to."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.running = 0
        self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.opened.wait()
        await reply(send, 200, scope["path"].encode())
        self.running -= 1


class SlowSource:
    """A source that has no file and can break off."""

    def __init__(self, breaks: bool = False) -> None:
        self.breaks = breaks
        self.reads = 0

    def fileno(self) -> None:
        return None

    async def read(self, offset: int, length: int) -> bytes:
        await asyncio.sleep(0)
        self.reads += 1
        return b"" if self.breaks and offset > 100_000 else b"x" * min(length, 50_000)


@pytest.mark.parametrize("lane", [True, False])
@pytest.mark.parametrize("pieces", [None, 1, 100])
def test_answers_come_in_order(lane: bool, pieces: int | None) -> None:
    with FakeEdge(lane=lane) as edge:
        edge.app = gate = Gate()
        edge.add("/", b"home")
        edge.connect().send(request("/")).vanish()
        data = request("/api/1") + request("/") + request("/api/2", "Content-Length: 0") + request("/") * 2
        client = edge.connect().send(data, pieces=pieces)
        assert client.sent == b""
        gate.opened.set()
        edge.settle()
        assert [reply.body for reply in client.replies()] == [b"/api/1", b"home", b"/api/2", b"home", b"home"]
        assert gate.most == 1


def test_a_flood_of_requests_costs_its_bytes_only(edge: FakeEdge) -> None:
    edge.app = gate = Gate()
    client = edge.connect().send(request("/api") + request("/") * 6_000)
    reader = client.protocol.reader
    assert reader is not None
    assert not client.transport.reading
    assert len(reader.queue) < 64 + 4096 // 35
    client.send(request("/"))
    assert len(client.unsent) == 1  # nobody takes it
    gate.opened.set()
    edge.settle()
    assert len(client.replies()) == 6_002
    assert client.transport.reading


def test_a_client_that_does_not_read_gets_no_more_answers(edge: FakeEdge) -> None:
    edge.add("/large", b"x" * 30_000)
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/large") * 200)
    assert client.transport.get_write_buffer_size() < 65_536 + 2 * 31_000
    assert not client.transport.reading
    while len(client.sent) < 200 * 30_000:
        before = len(client.sent)
        client.transport.drain(50_000)
        edge.settle()
        assert client.transport.get_write_buffer_size() < 65_536 + 2 * 31_000
        assert len(client.sent) > before
    client.transport.stalled = False
    client.transport.drain()
    edge.settle()
    assert len(client.replies()) == 200
    assert client.transport.reading


def test_reading_goes_on_behind_a_queue(edge: FakeEdge) -> None:
    """A body whose first part came together with another request is read to its end."""
    client = edge.connect().send(request("/") + request("/api", "Content-Length: 6", method="POST") + b"abc")
    client.send(b"def" + request("/"))
    assert [reply.body for reply in client.replies()] == [b"home", b"6", b"home"]


def test_half_closed_connections_get_their_answers(edge: FakeEdge) -> None:
    edge.app = gate = Gate()
    client = edge.connect().send(request("/api/1") + request("/") + request("/api/2")).end()
    assert not client.transport.closed
    gate.opened.set()
    edge.settle()
    assert [reply.body for reply in client.replies()] == [b"/api/1", b"home", b"/api/2"]
    assert client.transport.closed
    assert not client.transport.aborted


@pytest.mark.parametrize("data", [b"", b"GET", request("/")[:-2], request("/"), b"\r\n"])
def test_half_closed_connections_without_a_question_are_closed(edge: FakeEdge, data: bytes) -> None:
    client = edge.connect().send(data).end()
    assert client.transport.closed
    assert not client.transport.aborted
    assert len(client.replies()) == (data == request("/"))


def test_half_closed_behind_half_a_request(edge: FakeEdge) -> None:
    edge.app = gate = Gate()
    client = edge.connect().send(request("/api") + b"GET / HT").end()
    gate.opened.set()
    edge.settle()
    assert len(client.replies()) == 1
    assert client.transport.closed


def test_close_leaves_the_rest_unanswered(edge: FakeEdge) -> None:
    client = edge.connect().send(request("/", "Connection: close") + request("/absent"))
    assert [reply.keep_alive for reply in client.replies()] == [False]
    assert client.transport.eof_written
    client.end()
    assert client.transport.closed
    assert b"/absent" not in edge.asked


@pytest.mark.parametrize("path", ["/", "/api", "/slow"])
def test_nothing_is_left_of_a_lost_connection(edge: FakeEdge, path: str) -> None:
    edge.add("/slow", b"x" * 1_000_000, source=SlowSource())
    edge.app = count_body
    client = edge.connect()
    client.transport.stalled = True
    client.send(request(path, "Content-Length: 5", method="POST" if path == "/api" else "GET") + b"abc")
    client.vanish()
    assert not edge.parts.connections
    assert not edge.parts.per_address
    assert not asyncio.all_tasks(edge.loop)
    assert client.protocol.reader is None


def test_a_source_is_read_as_fast_as_the_client_reads(edge: FakeEdge) -> None:
    source = SlowSource()
    edge.add("/slow", b"x" * 1_000_000, source=source)
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/slow") + request("/"))
    assert source.reads == 2
    client.transport.stalled = False
    client.transport.drain()
    edge.settle()
    first, second = client.replies()
    assert (len(first.body), second.body) == (1_000_000, b"home")


def test_a_source_that_breaks_off_cuts_the_connection(edge: FakeEdge, caplog: pytest.LogCaptureFixture) -> None:
    edge.add("/slow", b"x" * 1_000_000, source=SlowSource(breaks=True))
    client = edge.connect().send(request("/slow") + request("/"))
    assert client.transport.aborted
    assert client.sent.count(b"HTTP/1.1") == 1
    assert "shorter" in caplog.text


def test_a_source_that_raises_cuts_the_connection(edge: FakeEdge, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SlowSource):
        async def read(self, offset: int, length: int) -> bytes:
            raise LookupError("broken")

    edge.add("/slow", b"x" * 1_000_000, source=Broken())
    client = edge.connect().send(request("/slow"))
    assert client.transport.aborted
    assert "LookupError" in caplog.text


def test_caps_of_connections() -> None:
    with FakeEdge(max_connections=5, max_connections_per_address=2) as edge:
        clients = [edge.connect(address) for address in ["192.0.2.1"] * 3 + ["192.0.2.2", "127.0.0.1", "127.0.0.1"]]
        edge.settle()
        assert [client.transport.aborted for client in clients] == [False, False, True, False, False, False]
        extra = edge.connect("::1")
        edge.settle()
        assert extra.transport.aborted
        clients[0].vanish()
        assert not edge.connect("192.0.2.1").transport.aborted
        clients[3].vanish()
        assert edge.parts.per_address == {"192.0.2.1": 2}


def test_loopback_is_not_capped() -> None:
    with FakeEdge(max_connections_per_address=1) as edge:
        clients = [edge.connect(address) for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] * 3]
        assert not any(client.transport.aborted for client in clients)


def test_a_client_without_an_address(edge: FakeEdge) -> None:
    client = edge.connect()
    client.vanish()
    client.transport._extra["peername"] = None
    protocol = HttpProtocol(edge.parts)
    protocol.connection_made(client.transport)
    assert protocol.client == ""
    protocol.connection_lost(None)


def test_a_new_connection_may_still_ask_after_the_stop(edge: FakeEdge) -> None:
    fresh, asked = edge.connect(), edge.connect().send(request("/api"))
    edge.settle()
    edge.parts.stopping = True
    assert [each.protocol.stop(but_new=True) for each in (fresh, asked)] == [False, True]
    edge.settle()
    assert (fresh.closed, asked.closed) == (False, True)
    fresh.send(request("/"))
    edge.settle()
    (answer,) = fresh.replies()
    assert (answer.status, answer.keep_alive, fresh.closed) == (200, False, True)


def test_stopping_finishes_what_has_begun(edge: FakeEdge) -> None:
    edge.app = gate = Gate()
    idle, asking, fresh = edge.connect().send(request("/")), edge.connect().send(request("/api")), edge.connect()
    half = edge.connect().send(b"GET / HTTP/1.1\r\n")
    edge.parts.stopping = True
    for protocol in tuple(edge.parts.connections):
        protocol.stop()
    edge.settle()
    assert idle.closed
    assert fresh.closed
    assert half.closed
    assert not asking.closed
    late = edge.connect().send(request("/"))  # it was taken before the listener closed
    edge.settle()
    assert ([each.keep_alive for each in late.replies()], late.closed) == ([False], True)
    gate.opened.set()
    edge.settle()
    assert [reply.keep_alive for reply in asking.replies()] == [False]
    assert asking.closed


def test_an_idle_connection_is_small(edge: FakeEdge) -> None:
    edge.connect().send(request("/") * 2)
    transports = [edge.connect().transport for _ in range(100)]
    ask = request("/", "X-Unknown: 1")
    tracemalloc.start()
    protocols = [HttpProtocol(edge.parts) for _ in transports]
    for protocol, transport in zip(protocols, transports, strict=True):
        protocol.connection_made(transport)
        protocol.data_received(ask)  # the lane declines: the protocol has a parser afterwards
        transport.sent.clear()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for protocol in protocols:
        protocol.connection_lost(None)
    assert taken / len(protocols) < 4096


def test_hits_and_misses_are_counted_once(edge: FakeEdge) -> None:
    edge.connect().send(request("/") * 2 + request("/", "X-Unknown: 1") + request("/absent"))
    _, _, records = edge.ring.since(0)
    assert [(record.path, record.status, record.hit, record.body_bytes) for record in records] == [
        ("/", 200, False, 4), ("/", 200, True, 4), ("/", 200, True, 4), ("/absent", 404, False, 12),
    ]  # fmt: skip
    assert edge.pages.site("blog").totals().requests == 4


def test_the_fake_socket_has_no_descriptor() -> None:
    assert FakeSocket().fileno() == -1


PARTS = [
    request("/"),
    request("/", method="HEAD"),
    request("/slow"),
    request("/absent", "Content-Length: 3", method="POST") + b"abc",
    request("/api", "Content-Length: 3", method="POST") + b"abc",
    request("/api", "Content-Length: 3", "Expect: 100-continue", method="POST") + b"abc",
    request("/api", "Transfer-Encoding: chunked", method="POST") + b"1\r\na\r\n0\r\n\r\n",
    request("/api", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 3", method="POST") + b"abc",
    request("/api", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
    request("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
    request("/", "Connection: close"),
    request("/", version="1.0"),
    request("*", method="OPTIONS"),
    b"\r\n",
    b"GET / HT",
    b"garbage\r\n\r\n",
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(PARTS), st.binary(max_size=9)), max_size=8),
    st.sampled_from([None, 1, 3, 20, 64]),
    st.sampled_from(["stay", "end", "vanish", "sweep"]),
    st.booleans(),
)
def test_whatever_comes(parts: list[bytes], pieces: int | None, ending: str, stalled: bool) -> None:
    """No exception, no task and no connection is left, and what was sent are whole answers."""
    with FakeEdge() as edge:
        edge.add("/", b"home")
        edge.add("/slow", b"x" * 200_000, source=SlowSource())
        client = edge.connect()
        client.transport.stalled = stalled
        client.send(b"".join(parts), pieces=pieces)
        client.transport.stalled = False
        client.transport.drain()
        edge.settle()
        if ending == "end":
            client.unsent.clear()
            client.end()
            assert client.closed
        elif ending == "vanish":
            client.vanish()
        elif ending == "sweep":
            for second in range(80):
                check(client.protocol, time.monotonic() + second)
                edge.settle()
            assert client.closed
        assert len(client.sent.split(b"HTTP/1.1 ")) <= len(parts) * 3 + 3
        if ending != "stay":
            assert not edge.parts.connections or client.transport.eof_written
            assert not asyncio.all_tasks(edge.loop)


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:127.0.0.1", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("local", ""),
    ],
)
def test_clients_are_counted_by_what_one_of_them_can_have(client: str, counted: str) -> None:
    assert neighbourhood(client) == counted
