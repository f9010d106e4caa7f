"""WebSockets between the library's own client and the application, over a fake transport (RFC 6455)."""

import asyncio
import zlib
from typing import Any

import pytest
from fake_edge import HOST, FakeClient, FakeEdge, request
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from fazt.edge.deadlines import check

SEEN: list[Any] = []


async def echo(scope: Any, receive: Any, send: Any) -> None:
    SEEN.append(scope)
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            SEEN.append((message["code"], message["reason"]))
            return
        await send({"type": "websocket.send", "text": message["text"], "bytes": message["bytes"]})


@pytest.fixture
def edge() -> Any:
    SEEN.clear()
    with FakeEdge() as edge:
        edge.app = echo
        edge.add("/", b"home")
        yield edge


class Browser:
    """A WebSocket client over a fake connection."""

    def __init__(self, edge: FakeEdge, *, path: str = "/api/ws?a=b", deflate: bool = False, **options: Any) -> None:
        extensions = [ClientPerMessageDeflateFactory()] if deflate else None
        self.sans_io = ClientProtocol(parse_uri(f"ws://{HOST}{path}"), extensions=extensions, **options)
        self.client: FakeClient = edge.connect()
        self.handshake = self.sans_io.connect()
        self.sans_io.send_request(self.handshake)
        self.frames: list[Frame] = []

    def go(self) -> "Browser":
        """Send what is to be sent, and read what comes."""
        self.client.send(b"".join(self.sans_io.data_to_send()))
        return self.look()

    def look(self) -> "Browser":
        data = self.client.new_bytes()
        if data:
            self.sans_io.receive_data(data)
        if self.client.closed:
            self.sans_io.receive_eof()
        self.frames += [event for event in self.sans_io.events_received() if isinstance(event, Frame)]
        return self

    def raw(self, data: bytes) -> "Browser":
        """Send bytes as they are."""
        self.client.send(data)
        return self.look()

    def contents(self, opcode: Opcode) -> list[bytes]:
        return [bytes(frame.data) for frame in self.frames if frame.opcode is opcode]


def masked(opcode: int, content: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a frame of a client with a mask of zeros."""
    length = len(content)
    head = bytes([opcode | (0x80 if fin else 0)])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65_536:
        head += b"\xfe" + length.to_bytes(2, "big")
    else:
        head += b"\xff" + length.to_bytes(8, "big")
    return head + bytes(4) + content


def opened(edge: FakeEdge, **options: Any) -> Browser:
    browser = Browser(edge, **options).go()
    assert browser.sans_io.handshake_exc is None
    return browser


@pytest.mark.parametrize("deflate", [True, False])
def test_echo(edge: FakeEdge, deflate: bool) -> None:
    browser = opened(edge, deflate=deflate)
    assert bool(browser.sans_io.extensions) == deflate
    for text in (b"hello", b"", "ä€😀".encode(), b"x" * 200_000):
        browser.sans_io.send_text(text)
        browser.sans_io.send_binary(text)
        browser.go()
    assert (
        browser.contents(Opcode.TEXT)
        == browser.contents(Opcode.BINARY)
        == [b"hello", b"", "ä€😀".encode(), b"x" * 200_000]
    )


def test_the_scope(edge: FakeEdge) -> None:
    opened(edge, subprotocols=["chat", "superchat"])
    scope = SEEN[0]
    assert (scope["type"], scope["scheme"], scope["path"], scope["query_string"]) == (
        "websocket",
        "ws",
        "/api/ws",
        b"a=b",
    )
    assert scope["subprotocols"] == ["chat", "superchat"]
    assert scope["extensions"]["fazt"]["host"] == HOST


def test_subprotocol_and_fields(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(
            {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-a", b"b"), (b"upgrade", b"evil")]}
        )
        await receive()

    edge.app = app
    browser = opened(edge, subprotocols=["chat"])
    assert browser.sans_io.subprotocol == "chat"
    assert b"x-a: b\r\n" in browser.client.sent
    assert b"evil" not in browser.client.sent


def test_fragments_and_pings_between_them(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.raw(masked(1, b"he", fin=False) + masked(9, b"ping") + masked(0, b"ll", fin=False) + masked(0, b"o"))
    assert browser.contents(Opcode.PONG) == [b"ping"]
    assert browser.contents(Opcode.TEXT) == [b"hello"]


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_bytes_in_pieces(edge: FakeEdge, size: int) -> None:
    browser = Browser(edge)
    browser.client.send(b"".join(browser.sans_io.data_to_send()), pieces=size)
    browser.look()
    browser.client.send(masked(1, b"hello") + masked(2, b"x" * 300), pieces=size)
    browser.look()
    assert [bytes(frame.data) for frame in browser.frames] == [b"hello", b"x" * 300]


def test_frames_right_behind_the_handshake(edge: FakeEdge) -> None:
    browser = Browser(edge)
    browser.raw(b"".join(browser.sans_io.data_to_send()) + masked(1, b"early"))
    assert browser.contents(Opcode.TEXT) == [b"early"]


def test_the_handshake_waits_its_turn(edge: FakeEdge) -> None:
    browser = Browser(edge)
    data = b"".join(browser.sans_io.data_to_send())
    browser.client.send(request("/") + data).send(masked(1, b"later"))
    assert browser.client.sent.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 101" in browser.client.sent
    assert browser.client.sent.endswith(b"\x81\x05later")


def test_the_client_closes(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.sans_io.send_close(4321, "bye")
    browser.go()
    assert SEEN[1] == (4321, "bye")
    assert browser.sans_io.close_code == 4321
    assert browser.client.closed
    assert not browser.client.transport.aborted


def test_the_application_closes(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4000, "reason": "enough"})
        with pytest.raises(ConnectionResetError):
            await send({"type": "websocket.send", "text": "more"})

    edge.app = app
    browser = opened(edge).go().go()
    assert (browser.sans_io.close_code, browser.sans_io.close_reason) == (4000, "enough")
    assert browser.client.closed


@pytest.mark.parametrize("problem", [None, LookupError, ConnectionResetError])
def test_the_application_ends(
    edge: FakeEdge, problem: type[Exception] | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if problem:
            raise problem("of something else")

    edge.app = app
    browser = opened(edge).go().go()
    assert browser.sans_io.close_code == (1011 if problem else 1000)
    assert browser.client.closed
    assert len(caplog.records) == bool(problem)


@pytest.mark.parametrize("way", ["close", "return", "raise", "send first"])
def test_refused(edge: FakeEdge, way: str, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if way == "close":
            await send({"type": "websocket.close", "code": 1008})
        elif way == "raise":
            raise LookupError("x")
        elif way == "send first":
            await send({"type": "websocket.send", "text": "x"})

    edge.app = app
    browser = Browser(edge).go()
    (answer,) = browser.client.replies()
    assert (answer.status, answer.keep_alive) == (403, False)
    assert browser.client.closed
    assert len(caplog.records) == (way in ("raise", "send first"))


@pytest.mark.parametrize(
    "fields",
    [
        ("Sec-WebSocket-Version: 12", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",),
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"),
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: !!!"),
        (
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Extensions: permessage-deflate; =",
        ),
    ],
)
def test_bad_handshakes(edge: FakeEdge, fields: tuple[str, ...]) -> None:
    client = edge.connect().send(request("/api", "Connection: Upgrade", "Upgrade: websocket", *fields) + b"rest")
    (answer,) = client.replies()
    assert (answer.status, answer.fields["sec-websocket-version"]) == (426, "13")
    assert client.closed
    assert SEEN == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(1, b"\xff"), 1007),
        (masked(1, b"\xc3", fin=False) + masked(0, b"\x28"), 1007),
        (masked(2, b"x" * 1_048_577), 1009),
        (masked(2, b"x" * 600_000, fin=False) + masked(0, b"x" * 600_000), 1009),
        (masked(1)[:1] + b"\x00", 1002),
        (masked(3), 1002),
        (b"\xf1\x80" + bytes(4), 1002),
        (masked(0, b"x"), 1002),
        (masked(1, b"x", fin=False) + masked(1, b"y"), 1002),
        (masked(9, b"x" * 126), 1002),
        (masked(9, b"x", fin=False), 1002),
        (masked(8, b"x"), 1002),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_legal_closes(edge: FakeEdge, data: bytes, code: int) -> None:
    browser = opened(edge)
    browser.client.send(data + masked(1, b"behind"))
    assert browser.client.sent.endswith(
        code.to_bytes(2, "big") + browser.client.sent.partition(code.to_bytes(2, "big"))[2]
    )
    assert code.to_bytes(2, "big") in browser.client.sent
    assert b"behind" not in browser.client.sent
    assert browser.client.closed
    browser.client.end()
    assert SEEN[1][0] in (1006, code)


def test_the_largest_message(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.raw(masked(2, b"x" * 1_048_576))
    assert len(browser.contents(Opcode.BINARY)[0]) == 1_048_576


def test_many_empty_fragments_cost_nothing(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.raw(masked(1, b"", fin=False) + masked(0, b"", fin=False) * 5_000 + masked(0, b"end"))
    assert browser.contents(Opcode.TEXT) == [b"end"]


def test_an_application_that_does_not_read_stops_the_client(edge: FakeEdge) -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        while (await receive())["type"] != "websocket.disconnect":
            SEEN.append(1)

    edge.app = app
    browser = opened(edge)
    browser.client.send(masked(1, b"x" * 10) * 10_000, pieces=10_000)
    assert not browser.client.transport.reading
    call = browser.client.protocol.upgraded
    assert call is not None
    assert len(call._messages) < 32 + 4096 // 16
    go_on.set()
    edge.settle()
    assert len(SEEN) == 10_000
    assert browser.client.transport.reading


def test_a_bomb_is_unpacked_one_by_one(edge: FakeEdge) -> None:
    """Each message is a thousand times as large as it came; only a few of them are in memory at once."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await edge.loop.create_future()

    edge.app = app
    browser = opened(edge, deflate=True)
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    packed = packer.compress(b"x" * 1_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    browser.client.send(masked(0x42, packed[:-4]) + masked(2, b"a") * 0 + b"".join(
        masked(0x42, (packer.compress(b"x" * 1_000_000) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]) for _ in range(60)
    ))  # fmt: skip
    call = browser.client.protocol.upgraded
    assert call is not None
    assert 1_000_000 <= call._waiting_bytes <= 6_000_000
    assert not browser.client.transport.reading


def test_a_client_that_pings_and_does_not_read(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.client.transport.stalled = True
    browser.client.send(masked(9, b"x" * 100) * 5_000, pieces=20_000)
    assert browser.client.transport.get_write_buffer_size() < 65_536 + 2 * 4096
    assert not browser.client.transport.reading
    browser.client.transport.stalled = False
    browser.client.transport.drain()
    edge.settle()
    assert len(browser.look().contents(Opcode.PONG)) == 5_000


def test_send_waits_for_a_client_that_does_not_read(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(50):
            await send({"type": "websocket.send", "bytes": b"x" * 10_000})
            SEEN.append(1)

    edge.app = app
    browser = Browser(edge)
    browser.client.transport.stalled = True
    browser.client.send(b"".join(browser.sans_io.data_to_send()))
    assert len(SEEN) < 8
    browser.client.vanish()
    assert len(SEEN) < 8
    assert not asyncio.all_tasks(edge.loop)


class Post:
    """An application that sends frames from outside of its task."""

    def __init__(self, edge: FakeEdge, *, compress: bool = False) -> None:
        self.compress = compress
        self.ended: list[Any] = []
        edge.app = self.run

    async def run(self, scope: Any, receive: Any, send: Any) -> None:
        self.post = scope["extensions"]["fazt"]["websocket.post"]
        self.hang_up = scope["extensions"]["fazt"]["websocket.close"]
        await receive()
        assert not self.post(FRAME)
        self.hang_up(1013, "too early")
        await send({"type": "websocket.accept", "compress": self.compress})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})
        self.ended.append((message["code"], message["reason"]))


FRAME = b"\x81\x05hello"


@pytest.mark.parametrize("compress", [False, True])
def test_frames_are_posted_without_waiting(edge: FakeEdge, compress: bool) -> None:
    app = Post(edge, compress=compress)
    browser = opened(edge, deflate=True)
    assert bool(browser.sans_io.extensions) == compress
    assert app.post(FRAME)
    assert app.post(b"\x81\x7e\x01\x00" + b"x" * 256)
    browser.sans_io.send_text(b"answered between them")
    browser.go()
    assert app.post(FRAME)
    assert browser.look().contents(Opcode.TEXT) == [b"hello", b"x" * 256, b"answered between them", b"hello"]


def test_what_waits_for_a_client_is_bounded_in_bytes(edge: FakeEdge) -> None:
    app = Post(edge)
    browser = opened(edge)
    other = opened(edge)
    assert app.post(FRAME)
    assert other.look().contents(Opcode.TEXT) == [b"hello"]
    app = Post(edge)
    slow = opened(edge)
    slow.client.transport.stalled = True
    frame = b"\x82\x7e\x27\x10" + b"x" * 10_000
    posted = 0
    while app.post(frame):
        posted += 1
    assert posted == 262_144 // len(frame) + 1
    slow.client.transport.stalled = False
    slow.client.transport.drain()
    edge.settle()
    assert app.post(frame)
    assert len(slow.look().contents(Opcode.BINARY)) == posted + 1
    assert browser.client.closed is False


def test_what_waits_for_a_client_is_bounded_in_number(edge: FakeEdge) -> None:
    app = Post(edge)
    browser = opened(edge)
    browser.client.transport.stalled = True
    posted = 0
    while app.post(FRAME):
        posted += 1
    assert 1_000 <= posted <= 1_050
    browser.client.transport.drain(len(FRAME) * 500)  # a client that reads, though always a little late
    for _ in range(20_000):
        assert app.post(FRAME)
        browser.client.transport.drain(len(FRAME))


def test_a_client_is_hung_up_on_behind_what_it_was_sent(edge: FakeEdge) -> None:
    app = Post(edge)
    browser = opened(edge)
    browser.client.transport.stalled = True
    while app.post(b"\x82\x7e\x27\x10" + b"x" * 10_000):
        pass
    app.hang_up(1013, "too slow")
    app.hang_up(1000, "again")
    assert not app.post(FRAME)
    edge.settle()
    assert app.ended == [(1013, "too slow")]  # without waiting for the client
    sweep(browser, 29)
    assert not browser.client.transport.aborted
    browser.client.transport.stalled = False
    browser.client.transport.drain()
    browser.look().go()
    assert (browser.sans_io.close_code, browser.sans_io.close_reason) == (1013, "too slow")
    assert len(browser.contents(Opcode.BINARY)) == 27
    assert browser.client.closed


def test_a_client_that_never_reads_again_is_cut(edge: FakeEdge) -> None:
    app = Post(edge)
    browser = opened(edge)
    browser.client.transport.stalled = True
    app.post(FRAME)
    app.hang_up(1013, "")
    sweep(browser, 32)
    assert browser.client.transport.aborted
    assert not app.post(FRAME)


def test_a_lost_connection_is_told(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.client.vanish()
    assert SEEN[1] == (1006, "")


def test_a_half_closed_connection_is_told(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.client.end()
    assert SEEN[1] == (1006, "")
    assert browser.client.transport.closed


def sweep(browser: Browser, seconds: int) -> None:
    start = browser.client.edge.clock.monotonic
    for second in range(1, seconds + 1):
        check(browser.client.protocol, start + second)
        browser.client.edge.settle()


def test_a_silent_client_is_asked_and_cut(edge: FakeEdge) -> None:
    browser = opened(edge)
    sweep(browser, 21)
    assert browser.look().contents(Opcode.PING) == [b""]
    assert not browser.client.transport.closed
    sweep(browser, 41)
    assert browser.client.transport.aborted
    assert SEEN[1][0] == 1006


def test_a_client_that_answers_pings_stays(edge: FakeEdge) -> None:
    browser = opened(edge)
    for _ in range(5):
        sweep(browser, 21)
        browser.look().go()
    assert len(browser.contents(Opcode.PING)) == 5
    assert not browser.client.transport.closed


def test_a_client_that_does_not_answer_a_close_is_cut(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    edge.app = app
    browser = opened(edge)
    sweep(browser, 4)
    assert not browser.client.transport.closed
    sweep(browser, 8)
    assert browser.client.transport.aborted


def test_the_server_stops(edge: FakeEdge) -> None:
    browser = opened(edge)
    browser.client.protocol.stop()
    browser.go().go()
    assert browser.sans_io.close_code == 1001
    assert browser.client.closed


def test_connections_are_counted_for_the_site(edge: FakeEdge) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"]["fazt"]["site"] = "blog"
        await echo(scope, receive, send)

    edge.app = app
    browser = opened(edge)
    browser.raw(masked(1, b"hello"))
    browser.client.vanish()
    _, _, records = edge.ring.since(0)
    assert [(record.status, record.body_bytes) for record in records] == [(101, 5)]
