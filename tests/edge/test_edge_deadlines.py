"""What the sweep cuts, and what it leaves alone."""

import time
from typing import Any

import pytest
from fake_edge import FakeClient, FakeEdge, count_body, read_body, reply, request

from fazt.edge.deadlines import check


@pytest.fixture
def edge() -> Any:
    with FakeEdge() as edge:
        edge.add("/", b"home")
        yield edge


def sweep(client: FakeClient, seconds: int, *, fast: bool = False) -> None:
    """Let that many seconds pass, one sweep in each."""
    start = getattr(client, "now", None) or max(time.monotonic(), client.edge.clock.monotonic)
    for second in range(1, seconds + 1):
        check(client.protocol, start + second)
        client.edge.settle()
        if client.transport.closed:
            break
    client.now = start + seconds  # type: ignore[attr-defined]


async def never(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def test_idle_connections(edge: FakeEdge) -> None:
    for client in (edge.connect(), edge.connect().send(request("/")), edge.connect().send(b"\r\n\r\n")):
        sweep(client, 59)
        assert not client.closed
        sweep(client, 3)
        assert client.closed
        assert not client.transport.aborted


def test_a_head_that_does_not_end(edge: FakeEdge) -> None:
    client = edge.connect().send(b"GET / HTTP/1.1\r\n")
    for _ in range(9):
        sweep(client, 1)
        client.send(b"X: y\r\n")  # what comes does not buy time
    assert not client.closed
    sweep(client, 2)
    assert [reply.status for reply in client.replies()] == [408]
    assert client.transport.eof_written
    sweep(client, 5)
    assert client.transport.closed


def test_a_head_behind_a_slow_answer_is_not_late(edge: FakeEdge) -> None:
    edge.app = never
    client = edge.connect().send(request("/api") + b"GET / HT")
    sweep(client, 50)
    assert not client.transport.closed


def test_a_slow_body_is_answered_with_408(edge: FakeEdge) -> None:
    edge.app = count_body
    client = edge.connect().send(request("/api", "Content-Length: 100000", method="POST"))
    for _ in range(9):
        client.send(b"x" * 10)
        sweep(client, 1)
    assert not client.sent
    sweep(client, 3)
    assert [reply.status for reply in client.replies()] == [408]
    assert client.transport.eof_written
    assert not client.transport.aborted


def test_a_slow_head_takes_nothing_off_the_bodys_time(edge: FakeEdge) -> None:
    edge.app = count_body
    client = edge.connect().send(request("/api", "Content-Length: 3", method="POST")[:-2])
    reader = client.protocol.reader
    assert reader is not None
    reader.started_at -= 9
    client.send(b"\r\n")
    sweep(client, 9)
    assert client.send(b"abc").replies()[0].body == b"3"


def test_a_body_that_is_fast_enough(edge: FakeEdge) -> None:
    edge.app = count_body
    client = edge.connect().send(request("/api", "Content-Length: 100000", method="POST"))
    for _ in range(40):
        client.send(b"x" * 2500)
        sweep(client, 1)
    assert client.replies()[0].body == b"100000"


def test_a_body_that_nobody_reads_is_not_late(edge: FakeEdge) -> None:
    edge.app = lambda scope, receive, send: edge.loop.create_future()
    client = edge.connect().send(
        request("/api", "Content-Length: 1000000", method="POST") + b"x" * 300_000, pieces=100_000
    )
    assert not client.transport.reading
    sweep(client, 600)
    assert not client.transport.closed


def test_a_body_that_waits_for_100_is_not_late(edge: FakeEdge) -> None:
    edge.app = lambda scope, receive, send: edge.loop.create_future()
    client = edge.connect().send(request("/api", "Content-Length: 1000", "Expect: 100-continue", method="POST"))
    sweep(client, 100)
    assert not client.transport.closed


def test_an_answer_that_has_begun_is_cut(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await read_body(receive)

    edge.app = app
    client = edge.connect().send(request("/api", "Content-Length: 1000", method="POST"))
    sweep(client, 20)
    assert client.transport.aborted


def test_the_rest_of_an_unread_body_is_not_waited_for(edge: FakeEdge) -> None:
    edge.app = lambda scope, receive, send: reply(send, 200, b"early")
    client = edge.connect().send(request("/api", "Content-Length: 1000", method="POST"))
    assert not client.closed
    sweep(client, 20)
    assert client.closed
    assert len(client.replies()) == 1


def test_a_slow_application_is_not_cut(edge: FakeEdge) -> None:
    edge.app = never
    client = edge.connect().send(request("/api"))
    sweep(client, 600)
    assert not client.transport.closed


def test_idle_counts_from_the_end_of_the_answer(edge: FakeEdge) -> None:
    edge.app = never
    client = edge.connect().send(request("/api"))
    client.protocol.answered_at = 0
    exchange = client.protocol.active
    assert exchange is not None
    client.protocol.finish(exchange)
    assert client.protocol.answered_at == edge.clock.monotonic


@pytest.mark.parametrize("path", ["/large", "/api"])
def test_a_client_that_reads_nothing(edge: FakeEdge, path: str) -> None:
    edge.add("/large", b"x" * 100_000)
    edge.app = lambda scope, receive, send: reply(send, 200, b"x" * 100_000)
    client = edge.connect()
    client.transport.stalled = True
    client.send(request(path))
    sweep(client, 29)
    assert not client.transport.closed
    sweep(client, 5)
    assert client.transport.aborted


def test_a_client_that_reads_slowly(edge: FakeEdge) -> None:
    edge.add("/large", b"x" * 100_000)
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/large"))
    for _ in range(20):
        sweep(client, 20)
        client.transport.drain(1000)
    assert not client.transport.closed


def test_a_client_that_takes_the_last_answer_slowly(edge: FakeEdge) -> None:
    """Lingering begins when the answer is sent, not when it is made."""
    edge.add("/large", b"x" * 100_000)
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/large", "Connection: close"))
    assert client.transport.eof_written
    for _ in range(11):
        sweep(client, 10)
        client.transport.drain(10_000)
    assert len(client.replies()[0].body) == 100_000
    assert not client.transport.closed
    sweep(client, 4)
    assert client.transport.closed


def test_a_client_that_takes_the_last_answer_never(edge: FakeEdge) -> None:
    edge.add("/large", b"x" * 100_000)
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/large", "Connection: close"))
    sweep(client, 40)
    assert client.transport.aborted


def test_a_client_that_never_closes(edge: FakeEdge) -> None:
    client = edge.connect().send(request("/", "Connection: close"))
    sweep(client, 1)
    assert not client.transport.closed
    sweep(client, 3)
    assert client.transport.closed
