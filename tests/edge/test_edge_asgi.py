"""The application's side: bodies in, answers out, and what happens when it does not keep to the rules."""

import asyncio
import logging
from typing import Any

import pytest
from fake_edge import HOST, FakeEdge, count_body, read_body, reply, request

from fazt.edge.asgi import checked_fields
from fazt.errors import InvalidInput

POST = f"POST /api HTTP/1.1\r\nHost: {HOST}\r\n"
SEEN: list[Any] = []


@pytest.fixture
def edge() -> Any:
    SEEN.clear()
    with FakeEdge() as edge:
        edge.add("/", b"home")
        yield edge


async def start(send: Any, *fields: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(fields)})


async def body(send: Any, data: bytes = b"", *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


# --- the scope and the request's body ---


def test_the_scope(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        SEEN.append(scope)
        scope["extensions"]["fazt"]["site"] = "blog"
        await reply(send, 200, b"")

    edge.app = app
    edge.connect().send(request("/api/%C3%A4%2Fb?c=%20d", "X-Name: \xe4 ", "Accept: a", "Accept: b"))
    (scope,) = SEEN
    assert scope["type"] == "http"
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
    assert (scope["method"], scope["http_version"], scope["scheme"]) == ("GET", "1.1", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/api/ä/b", b"/api/%C3%A4%2Fb", b"c=%20d")
    assert scope["headers"] == [
        (b"host", b"blog.example"), (b"x-name", b"\xe4"), (b"accept", b"a"), (b"accept", b"b"),
    ]  # fmt: skip
    assert (scope["client"], scope["server"], scope["root_path"]) == (("192.0.2.7", 50_000), ("blog.example", 4698), "")
    told = {"host": "blog.example", "authority": b"blog.example", "peer_uid": None, "site": "blog", "page": None}
    assert scope["extensions"]["fazt"] == told
    _, _, records = edge.ring.since(0)
    assert [(record.site, record.path, record.status, record.hit) for record in records] == [
        ("blog", "/api/%C3%A4%2Fb", 200, False)
    ]


@pytest.mark.parametrize("pieces", [None, 1, 5, 1000])
@pytest.mark.parametrize("size", [0, 1, 4096, 5000])
def test_bodies(edge: FakeEdge, size: int, pieces: int | None) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await reply(send, 200, (await read_body(receive) or b"")[::-1])

    edge.app = app
    content = bytes(index % 251 for index in range(size))
    lengths = f"Content-Length: {size}\r\n\r\n".encode() + content
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(content[at : at + 700]), content[at : at + 700]) for at in range(0, size, 700)
    )
    chunked = b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    client = edge.connect().send(POST.encode() + lengths + POST.encode() + chunked + request("/"), pieces=pieces)
    assert [reply.body for reply in client.replies()] == [content[::-1], content[::-1], b"home"]


def test_100_continue_when_the_body_is_read(edge: FakeEdge) -> None:
    client = edge.connect().send(f"{POST}Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n".encode())
    assert client.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc" + request("/"))
    assert [reply.body for reply in client.replies()] == [b"3", b"home"]


def test_no_100_when_the_body_is_not_read(edge: FakeEdge) -> None:
    edge.app = lambda scope, receive, send: reply(send, 403, b"no")
    client = edge.connect().send(f"{POST}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode())
    (answer,) = client.replies()
    assert (answer.status, answer.keep_alive) == (403, False)
    assert client.closed


@pytest.mark.parametrize("content", [b"abc", b"ab"])
def test_no_100_when_the_body_is_there(edge: FakeEdge, content: bytes) -> None:
    client = edge.connect().send(f"{POST}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode() + content)
    assert b"100" not in client.sent
    client.send(b"c"[: 3 - len(content)])
    assert client.replies()[0].body == b"3"


def test_no_100_for_http_1_0(edge: FakeEdge) -> None:
    data = request("/api", "Content-Length: 3", "Expect: 100-continue", method="POST", version="1.0")
    client = edge.connect().send(data)
    assert client.sent == b""
    assert client.send(b"abc").replies()[0].body == b"3"


def test_a_short_body_that_nobody_reads_is_thrown_away(edge: FakeEdge) -> None:
    edge.app = lambda scope, receive, send: reply(send, 200, b"early")
    client = edge.connect().send(f"{POST}Content-Length: 100000\r\n\r\n".encode() + b"x" * 10)
    assert client.replies()[0].keep_alive
    for _ in range(9):
        client.send(b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n" * 322 + b"x" * 18)
    assert b"/evil" not in edge.asked
    rest = 100_000 - 10 - 9 * (322 * 31 + 18)
    assert len(client.protocol.reader.current.body) == 0  # type: ignore[union-attr]
    client.send(b"y" * rest + request("/"))
    assert [reply.body for reply in client.replies()] == [b"early", b"home"]


@pytest.mark.parametrize("framing", ["Content-Length: 10000000", "Transfer-Encoding: chunked"])
def test_a_long_body_that_nobody_reads_ends_the_connection(edge: FakeEdge, framing: str) -> None:
    edge.app = lambda scope, receive, send: reply(send, 200, b"early")
    client = edge.connect().send(f"{POST}{framing}\r\n\r\n".encode())
    assert not client.replies()[0].keep_alive
    assert client.transport.eof_written
    assert not client.transport.closed  # the client gets time to read
    client.send(b"x" * 200_000)
    assert not client.transport.closed
    client.send(b"x" * 100_000)
    assert client.transport.aborted
    assert len(client.replies()) == 1


def test_an_answer_may_begin_before_the_body_is_read(edge: FakeEdge) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b">", more=True)
        while True:
            message = await receive()
            await body(send, message["body"], more=message["more_body"])
            if not message["more_body"]:
                return

    edge.app = echo
    client = edge.connect().send(f"{POST}Content-Length: 6\r\n\r\n".encode())
    assert client.sent.endswith(b"1\r\n>\r\n")
    client.send(b"abc").send(b"def" + request("/"))
    assert [reply.body for reply in client.replies()] == [b">abcdef", b"home"]


def test_a_body_that_waits_stops_reading(edge: FakeEdge) -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await count_body(scope, receive, send)

    edge.app = app
    size = 2_000_000
    client = edge.connect().send(f"{POST}Content-Length: {size}\r\n\r\n".encode() + b"x" * size, pieces=100_000)
    assert not client.transport.reading
    waiting = client.protocol.active
    assert waiting is not None
    assert len(waiting.body) <= 262_144 + 100_000
    go_on.set()
    edge.settle()
    assert client.replies()[0].body == b"2000000"
    assert client.transport.reading


def test_the_end_of_the_client_reaches_the_application(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        SEEN.append(await read_body(receive))
        with pytest.raises(ConnectionResetError):
            await reply(send, 200, b"")
        SEEN.append("end")

    edge.app = app
    edge.connect().send(f"{POST}Content-Length: 6\r\n\r\nabc".encode()).vanish()
    assert SEEN == [None, "end"]
    client = edge.connect().send(f"{POST}Content-Length: 6\r\n\r\nabc".encode()).end()
    assert SEEN == [None, "end"] * 2
    assert client.transport.closed
    assert client.sent == b""


def test_receive_ends_with_the_answer(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        waiting = [asyncio.create_task(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        await reply(send, 200, b"done")
        SEEN.extend(message["type"] for message in await asyncio.gather(*waiting))
        SEEN.append((await receive())["type"])

    edge.app = app
    client = edge.connect().send(request("/api") + request("/"))
    assert SEEN == ["http.disconnect"] * 3
    assert [reply.body for reply in client.replies()] == [b"done", b"home"]


@pytest.mark.parametrize("reads", [True, False])
def test_a_body_that_grows_too_long(reads: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if reads:
            SEEN.append(await read_body(receive))
        else:
            await asyncio.sleep(0)
        await reply(send, 200, b"unaware")

    SEEN.clear()
    with FakeEdge(max_body_bytes=1000) as edge:
        edge.app = app
        content = b"1F4\r\n" + b"x" * 500 + b"\r\n"
        client = edge.connect().send(f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode() + content * 3 + b"0\r\n\r\n")
        (answer,) = client.replies()
        assert answer.status == (413 if reads else 200)
        assert not answer.keep_alive
        assert client.transport.eof_written
        assert not client.transport.aborted
        assert ([None] if reads else []) == SEEN


def test_malformed_chunks_cut_an_answer_that_has_begun(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b"x", more=True)
        await read_body(receive)

    edge.app = app
    client = edge.connect().send(f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode()).send(b"zz\r\n")
    assert client.transport.aborted
    assert not client.sent.endswith(b"0\r\n\r\n")


# --- answers ---


def test_chunked(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, (b"Content-Type", b"text/plain"))
        for piece in (b"", b"abc", b"", b"x" * 300):
            await body(send, piece, more=True)
        await body(send)

    edge.app = app
    client = edge.connect().send(request("/api") + request("/"))
    assert client.replies()[0].body == b"abc" + b"x" * 300
    assert client.replies()[0].fields["transfer-encoding"] == "chunked"
    assert client.replies()[1].body == b"home"
    assert b"\r\n12c\r\n" in client.sent


def test_http_1_0_gets_no_chunks(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b"abc", more=True)
        await body(send, b"def")

    edge.app = app
    client = edge.connect().send(request("/api", "Connection: keep-alive", version="1.0"))
    (answer,) = client.replies()
    assert answer.body == b"abcdef"
    assert "transfer-encoding" not in answer.fields
    assert client.closed


@pytest.mark.parametrize("declared", [True, False])
def test_head(edge: FakeEdge, declared: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, *([(b"content-length", b"6")] if declared else []))
        await body(send, b"abc", more=True)
        await body(send, b"def")

    edge.app = app
    client = edge.connect().send(request("/api", method="HEAD") + request("/"))
    first, second = client.replies("HEAD", "GET")
    assert first.fields.get("content-length") == ("6" if declared else None)
    assert (first.body, second.body) == (b"", b"home")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(edge: FakeEdge, status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, (b"content-length", b"3"), status=status)
        await body(send, b"abc")

    edge.app = app
    client = edge.connect().send(request("/api") + request("/"))
    assert [reply.body for reply in client.replies()] == [b"", b"home"]
    assert ("content-length" in client.replies()[0].fields) == (status == 304)


def test_fields_of_the_server_stay_the_servers(edge: FakeEdge) -> None:
    fields = [
        (b"Date", b"x"),
        (b"connection", b"close"),
        (b"Transfer-Encoding", b"gzip"),
        (b"Upgrade", b"x"),
        (b"X-A", b" b "),
    ]
    edge.app = lambda scope, receive, send: reply(send, 200, b"abc", *fields)
    (answer,) = edge.connect().send(request("/api")).replies()
    assert answer.keep_alive
    assert answer.fields["x-a"] == "b"
    assert answer.fields["date"].endswith("GMT")
    assert not {"transfer-encoding", "upgrade", "connection"} & set(answer.fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"X", b"a\r\nSet-Cookie: evil"),
        (b"X", b"a\nb"),
        (b"X", b"a\rb"),
        (b"X", b"a\x00b"),
        (b"X", b"a\x7fb"),
        (b"X\r\nY", b"a"),
        (b"X Y", b"a"),
        (b"X:", b"a"),
        (b"", b"a"),
        (b"\xe4", b"a"),
    ],
)
def test_fields_that_cannot_be_sent(name: bytes, value: bytes) -> None:
    with pytest.raises(ValueError):
        checked_fields([(name, value)])


def test_fields_that_can_be_sent() -> None:
    assert checked_fields([(b"X", b"a\tb \xe4")]) == [(b"X", b"a\tb \xe4")]


# --- applications that do not keep to the rules ---


async def raises_at_once(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError("secret")


async def raises_after_start(scope: Any, receive: Any, send: Any) -> None:
    await start(send)
    raise LookupError("secret")


async def returns_without_answer(scope: Any, receive: Any, send: Any) -> None:
    pass


async def returns_after_start(scope: Any, receive: Any, send: Any) -> None:
    await start(send)


async def sends_a_body_first(scope: Any, receive: Any, send: Any) -> None:
    await body(send, b"x")


async def sends_too_much(scope: Any, receive: Any, send: Any) -> None:
    await start(send, (b"content-length", b"1"))
    await body(send, b"xy")


async def sends_too_little(scope: Any, receive: Any, send: Any) -> None:
    await start(send, (b"content-length", b"3"))
    await body(send, b"xy")


async def sends_two_lengths(scope: Any, receive: Any, send: Any) -> None:
    await start(send, (b"content-length", b"2"), (b"Content-Length", b"2"))
    await body(send, b"xy")


async def sends_a_strange_length(scope: Any, receive: Any, send: Any) -> None:
    await start(send, (b"content-length", b"+2"))
    await body(send, b"xy")


async def sends_a_bad_field(scope: Any, receive: Any, send: Any) -> None:
    await start(send, (b"x", b"a\r\nb: c"))


async def sends_100(scope: Any, receive: Any, send: Any) -> None:
    await start(send, status=100)


async def sends_nonsense(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "nonsense"})


async def starts_twice(scope: Any, receive: Any, send: Any) -> None:
    await start(send)
    await start(send)


async def loses_another_connection(scope: Any, receive: Any, send: Any) -> None:
    raise ConnectionResetError("of a database")


BEFORE_START = [
    raises_at_once,
    raises_after_start,
    returns_without_answer,
    returns_after_start,
    sends_a_body_first,
    sends_too_much,
    sends_too_little,
    sends_two_lengths,
    sends_a_strange_length,
    sends_a_bad_field,
    sends_100,
    sends_nonsense,
    starts_twice,
    loses_another_connection,
]


@pytest.mark.parametrize("app", BEFORE_START)
def test_nothing_sent_yet_means_500(edge: FakeEdge, app: Any, caplog: pytest.LogCaptureFixture) -> None:
    edge.app = app
    client = edge.connect().send(request("/api") + request("/"))
    first, second = client.replies()
    assert first.status == 500
    assert first.fields["cache-control"] == "no-store"
    assert b"internal_error" in first.body
    assert b"secret" not in first.body
    assert second.body == b"home"
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info


async def raises_in_the_middle(scope: Any, receive: Any, send: Any) -> None:
    await start(send)
    await body(send, b"x", more=True)
    raise LookupError("secret")


async def returns_in_the_middle(scope: Any, receive: Any, send: Any) -> None:
    await start(send)
    await body(send, b"x", more=True)


async def sends_too_much_later(scope: Any, receive: Any, send: Any) -> None:
    await start(send, (b"content-length", b"2"))
    await body(send, b"x", more=True)
    await body(send, b"yz")


async def sends_too_little_later(scope: Any, receive: Any, send: Any) -> None:
    await start(send, (b"content-length", b"2"))
    await body(send, b"x", more=True)
    await body(send)


@pytest.mark.parametrize(
    "app", [raises_in_the_middle, returns_in_the_middle, sends_too_much_later, sends_too_little_later]
)
def test_half_an_answer_is_cut(edge: FakeEdge, app: Any, caplog: pytest.LogCaptureFixture) -> None:
    edge.app = app
    client = edge.connect().send(request("/api") + request("/"))
    assert client.transport.aborted
    assert client.sent.count(b"HTTP/1.1") == 1
    assert not client.sent.endswith(b"0\r\n\r\n")
    assert len(caplog.records) == 1


async def raises_behind_the_end(scope: Any, receive: Any, send: Any) -> None:
    await reply(send, 200, b"whole")
    raise LookupError("secret")


async def sends_behind_the_end(scope: Any, receive: Any, send: Any) -> None:
    await reply(send, 200, b"whole")
    await body(send, b"more")


@pytest.mark.parametrize("app", [raises_behind_the_end, sends_behind_the_end])
def test_a_whole_answer_stays_whole(edge: FakeEdge, app: Any, caplog: pytest.LogCaptureFixture) -> None:
    edge.app = app
    client = edge.connect().send(request("/api") + request("/"))
    assert [reply.body for reply in client.replies()] == [b"whole", b"home"]
    assert len(caplog.records) == 1


def test_errors_of_ours_keep_their_status(edge: FakeEdge, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise InvalidInput("No.")

    edge.app = app
    (answer,) = edge.connect().send(request("/api")).replies()
    assert (answer.status, answer.body) == (400, b'{"error":{"code":"invalid_input","message":"No."}}')
    (answer,) = edge.connect().send(request("/api", method="HEAD")).replies("HEAD")
    assert (answer.status, answer.fields["content-length"]) == (400, "50")
    assert not caplog.records


def test_a_resolver_that_fails(edge: FakeEdge, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise LookupError("secret")

    def refused() -> Any:
        raise InvalidInput("No.")

    edge.made = {b"/broken": broken, b"/refused": refused}
    client = edge.connect().send(request("/broken") + request("/refused") + request("/absent"))
    assert [reply.status for reply in client.replies()] == [500, 400, 404]
    assert b"secret" not in client.sent
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


# --- back-pressure ---


def test_send_waits_for_a_client_that_does_not_read(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        for _ in range(100):
            await body(send, b"x" * 10_000, more=True)
            SEEN.append("sent")
        await body(send)

    edge.app = app
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/api"))
    assert 6 <= len(SEEN) <= 7
    assert client.transport.get_write_buffer_size() < 80_000
    for _ in range(40):
        client.transport.drain(60_000)
        edge.settle()
        assert client.transport.get_write_buffer_size() < 80_000
    assert len(SEEN) == 100
    assert len(client.replies()[0].body) == 1_000_000


def test_several_senders_all_go_on(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await asyncio.gather(*(body(send, b"x" * 70_000, more=True) for _ in range(3)))
        await body(send)

    edge.app = app
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/api"))
    client.transport.stalled = False
    client.transport.drain()
    edge.settle()
    assert len(client.replies()[0].body) == 210_000


def test_a_client_that_vanishes_frees_the_sender(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        try:
            while True:
                await body(send, b"x" * 70_000, more=True)
        finally:
            SEEN.append("free")

    edge.app = app
    client = edge.connect()
    client.transport.stalled = True
    client.send(request("/api"))
    assert SEEN == []
    client.vanish()
    assert SEEN == ["free"]
