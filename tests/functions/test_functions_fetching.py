"""What a script's `fetch` and streams ask of the host: replies, streams both ways, limits, and the end of a call."""

import asyncio
import contextlib
import gc
import hashlib
import ipaddress
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from scripted_origin import Origin, Visit, answer, message

from fazt.data.caller import Caller
from fazt.errors import FaztError, FetchAborted, FetchFailed, FetchLimit, FetchRefused, InvalidInput, NotFound, TooLarge
from fazt.functions import fetching
from fazt.functions.fetching import fetch_operations
from fazt.functions.streams import Pipe, Streams, stream_operations
from fazt.outbound.client import Outbound

LONG_S = 10.0  # a moment in which every small answer of these tests is complete


class Script:
    """One call of a function, with what its runtime asks of the host."""

    def __init__(self, world: "World", **caller: Any) -> None:
        self.world = world
        self.caller = Caller(**({"site": "blog", "site_id": 1, "version": 1, "call": "c1"} | caller))
        self.requests = 0

    async def call(self, name: str, value: Any, data: bytes = b"") -> tuple[Any, bytes]:
        return await self.world.operations[name](self.caller, value, data)

    def ask(self, path: str, **value: Any) -> dict[str, Any]:
        self.requests += 1
        url = path if "://" in path else self.world.origin.url(path)
        return {
            "request": self.requests,
            "method": "GET",
            "url": url,
            "headers": [],
            "redirect": "follow",
            "body": None,
        } | value

    async def fetch(self, path: str, data: bytes = b"", **value: Any) -> tuple[Any, bytes]:
        return await self.call("fetch", self.ask(path, **value), data)

    async def read(self, stream: int) -> list[bytes]:
        pieces = []
        while True:
            value, piece = await self.call("stream.read", {"id": stream})
            if value["done"]:
                assert piece == b""
                return pieces
            assert 0 < len(piece) <= 65_536
            pieces.append(piece)


class World:
    """A client, a server on loopback, and the operations between them."""

    def __init__(self, origin: Origin, outbound: Outbound, moment_s: float) -> None:
        self.origin = origin
        self.outbound = outbound
        self.streams = Streams()
        self.operations = fetch_operations(outbound, self.streams, moment_s) | stream_operations(self.streams)
        self.scripts: list[Script] = []

    def script(self, **caller: Any) -> Script:
        self.scripts.append(Script(self, **caller))
        return self.scripts[-1]


def try_out(
    body: Callable[[World], Awaitable[None]],
    routes: dict[str, Any] | None = None,
    moment_s: float = LONG_S,
    receive_buffer: int | None = None,
    loopback: bool = True,
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "inside.test" else ["127.0.0.1"]

    async def scenario() -> None:
        async with Origin(routes or {}, receive_buffer=receive_buffer) as origin:
            allowed = (ipaddress.ip_network("127.0.0.0/8"),) if loopback else ()
            outbound = Outbound(allowed_networks=allowed, resolve=resolve)
            world = World(origin, outbound, moment_s)
            try:
                await body(world)
            finally:
                for script in world.scripts:
                    script.caller.close()
                await outbound.close()

    uvloop.run(asyncio.wait_for(scenario(), 30))
    gc.collect()  # what was not closed complains now, in the test that forgot it


# --- replies ---------------------------------------------------------------------------------------------------------


def test_a_small_answer_is_given_whole() -> None:
    async def body(world: World) -> None:
        script = world.script()
        value, data = await script.fetch("/small?a=b#c")
        url = world.origin.url("/small?a=b")
        assert value == {
            "status": 201,
            "statusText": "Made",
            "url": url,
            "redirected": False,
            "headers": [["content-length", "5"], ["x-a", "1"]],
            "stream": None,
        }
        assert data == b"small"
        for path, status in (("/none", 204), ("/empty", 200), ("/exact", 200)):
            value, data = await script.fetch(path)
            assert (value["status"], value["stream"], len(data)) == (status, None, 65_536 if path == "/exact" else 0)
        assert (script.caller.subrequests, script.caller.fetched_bytes) == (4, 5 + 65_536)

    routes = {
        "/small": answer(b"small", "201 Made", X_A="1"),
        "/none": answer(b"", "204 No Content"),
        "/empty": answer(b""),
        "/exact": answer(bytes(65_536)),
    }
    try_out(body, routes)


def test_a_large_answer_is_a_stream() -> None:
    text = bytes(range(256)) * 4000

    async def body(world: World) -> None:
        script = world.script()
        value, data = await script.fetch("/large")
        assert (type(value["stream"]), data) == (int, b"")
        assert b"".join(await script.read(value["stream"])) == text
        with pytest.raises(NotFound):
            await script.read(value["stream"])
        assert script.caller.fetched_bytes == len(text)

    try_out(body, {"/large": answer(text)})


def test_an_answer_that_takes_longer_than_a_moment_is_a_stream_and_loses_nothing() -> None:
    go_on = asyncio.Event()

    async def slow(visit: Visit) -> bytes:
        visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        await go_on.wait()
        return b"rest"

    async def body(world: World) -> None:
        script = world.script()
        value, _ = await script.fetch("/slow")
        go_on.set()
        assert b"".join(await script.read(value["stream"])) == b"halfrest"

    try_out(body, {"/slow": slow}, moment_s=0.0)


def test_a_body_that_fails_fails_when_it_is_read() -> None:
    async def broken(visit: Visit) -> bytes | None:
        visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return None

    async def body(world: World) -> None:
        script = world.script()
        for path, head in (("/broken", [b"half"]), ("/rubbish", [])):
            value, _ = await script.fetch(path)
            assert value["status"] == 200
            for piece in head:
                assert await script.call("stream.read", {"id": value["stream"]}) == ({"done": False}, piece)
            with pytest.raises(FetchFailed):
                await script.call("stream.read", {"id": value["stream"]})
            with pytest.raises(NotFound):
                await script.call("stream.read", {"id": value["stream"]})
        value, _ = await script.fetch("/rubbish")  # and when it is not, nobody is told

    try_out(body, {"/broken": broken, "/rubbish": answer(b"rubbish", Content_Encoding="gzip")})


def test_method_headers_and_body_arrive() -> None:
    async def body(world: World) -> None:
        script = world.script()
        headers = [["Content-Type", "text/x"], ["X-A", "1"], ["X-A", "2"]]
        await script.fetch("/post", b"data", method="post", headers=headers, body="inline")
        visit = world.origin.seen[0]
        assert (visit.method, visit.body) == ("POST", b"data")
        assert [value for name, value in visit.headers if name == "X-A"] == ["1", "2"]
        assert visit.header("content-type") == "text/x"
        await script.fetch("/post", b"not sent", method="POST")
        assert world.origin.seen[1].body == b""

    try_out(body, {"/post": answer()})


def test_refusals_have_their_codes() -> None:
    async def body(world: World) -> None:
        script = world.script()
        for url, code in (
            ("http://127.0.0.1/", "fetch_refused"),
            ("http://0x7f.1/", "fetch_refused"),
            ("http://inside.test/", "fetch_refused"),
            ("http://[::ffff:127.0.0.1]/", "fetch_refused"),
            ("ftp://files.test/", "fetch_refused"),
            ("//nothing", "invalid_input"),
        ):
            with pytest.raises(FaztError) as caught:
                await script.fetch("x://", url=url)
            assert caught.value.code == code
        assert world.origin.connections == 0

    try_out(body, loopback=False)


def test_the_sites_list_and_the_depth_come_from_the_caller() -> None:
    async def body(world: World) -> None:
        with pytest.raises(FetchRefused, match=r"needs\.net"):
            await world.script(net=("other.test",)).fetch("/")
        await world.script(net=("origin.test",)).fetch("/", net=["x"], site="y", depth=-1)

    try_out(body, {"/": answer()})


def test_two_sites_do_not_share_a_connection_and_two_calls_of_one_do() -> None:
    async def body(world: World) -> None:
        for site_id in (1, 1, 2):
            await world.script(site_id=site_id).fetch("/")
        assert [visit.connection for visit in world.origin.seen] == [1, 1, 2]

    try_out(body, {"/": answer()})


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_call_fetches_20_times() -> None:
    async def body(world: World) -> None:
        script = world.script()
        await script.fetch("/go")  # counts twice
        await asyncio.gather(*(script.fetch("/") for _ in range(18)))
        for path in ("/", "/go"):
            with pytest.raises(FetchLimit, match="20 times"):
                await script.fetch(path)
        assert len(world.origin.seen) == 20
        await world.script(call="c2").fetch("/")

    try_out(body, {"/": answer(), "/go": answer(status="302 Found", Location="/")})


def test_all_answers_of_a_call_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_FETCHED", 1_000_000)

    async def body(world: World) -> None:
        script = world.script()
        first, _ = await script.fetch("/large")
        second, _ = await script.fetch("/large")
        await script.read(first["stream"])
        with pytest.raises(FetchLimit, match="together"):
            await script.read(second["stream"])

    try_out(body, {"/large": answer(bytes(600_000))})


def test_a_body_may_have_10_mb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BODY", 1000)

    async def body(world: World) -> None:
        script = world.script()
        with pytest.raises(FetchLimit, match="1000 bytes"):
            await script.fetch("/", bytes(1001), method="POST", body="inline")
        opened, _ = await script.call("fetch.open", script.ask("/", method="POST", body="stream"))
        await script.call("stream.write", opened, bytes(1000))
        with pytest.raises(FetchLimit, match="1000 bytes"):
            await script.call("stream.write", opened, b"x")
        with pytest.raises(FaztError):
            await script.call("fetch.response", opened)

    try_out(body, {"/": answer()})


# --- streams ---------------------------------------------------------------------------------------------------------


async def echo(visit: Visit) -> bytes | None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while size := int(await visit.reader.readline(), 16):
        data = await visit.reader.readexactly(size + 2)
        visit.writer.write(b"%x\r\n%s" % (size, data))
    visit.writer.write(b"0\r\n\r\n")
    await visit.reader.readexactly(2)
    return b""


def test_streams_both_ways_at_once() -> None:
    async def body(world: World) -> None:
        script = world.script()
        opened, _ = await script.call("fetch.open", script.ask("/echo", method="POST", body="stream"))
        await script.call("stream.write", opened, b"one")
        value, data = await script.call("fetch.response", opened)
        assert (value["status"], data) == (200, b"")
        stream = {"id": value["stream"]}
        assert await script.call("stream.read", stream) == ({"done": False}, b"one")
        for word in (b"two", b"three"):
            await script.call("stream.write", opened, word)
            assert await script.call("stream.read", stream) == ({"done": False}, word)
        await script.call("stream.close", opened)
        assert await script.call("stream.read", stream) == ({"done": True}, b"")
        with pytest.raises(NotFound):
            await script.call("stream.write", opened, b"x")
        with pytest.raises(NotFound):
            await script.call("fetch.response", opened)

    try_out(body, {"/echo": echo}, moment_s=0.0)


def test_who_writes_waits_for_a_server_that_does_not_read() -> None:
    go_on = asyncio.Event()
    piece = bytes(range(256)) * 256
    count = 150

    async def slow(visit: Visit) -> bytes:
        visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go_on.wait()
        visit.writer.transport.resume_reading()  # type: ignore[attr-defined]
        return message(hashlib.sha256(await visit.read_body()).digest())

    async def body(world: World) -> None:
        script, written = world.script(), 0
        opened, _ = await script.call("fetch.open", script.ask("/slow", method="PUT", body="stream"))

        async def push() -> None:
            nonlocal written
            for _ in range(count):
                await script.call("stream.write", opened, piece)
                written += 1
            await script.call("stream.close", opened)

        pushing = asyncio.ensure_future(push())
        other, last = world.script(), -1
        while written > last:  # until nothing moves while another request comes and goes
            last = written
            for _ in range(3):
                await other.fetch("/ping")
                other.caller.subrequests = 0
        assert written < count
        go_on.set()
        value, data = await script.call("fetch.response", opened)
        await pushing
        assert (value["status"], data) == (200, hashlib.sha256(piece * count).digest())

    try_out(body, {"/slow": slow, "/ping": answer()}, receive_buffer=65_536)


def test_a_stream_that_is_not_read_is_not_fetched() -> None:
    sent, is_full, gone = 0, asyncio.Event(), asyncio.Event()

    async def flood(visit: Visit) -> bytes | None:
        nonlocal sent
        visit.writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                visit.writer.write(bytes(65_536))
                sent += 65_536
                if visit.writer.transport.get_write_buffer_size() > 0:
                    is_full.set()
                await visit.writer.drain()
        finally:
            gone.set()

    async def body(world: World) -> None:
        script = world.script()
        value, _ = await script.fetch("/flood")
        await is_full.wait()
        await world.script().fetch("/ping")
        assert script.caller.fetched_bytes <= 512 * 1024
        await script.call("stream.cancel", {"id": value["stream"]})
        await gone.wait()

    try_out(body, {"/flood": flood, "/ping": answer()})


def test_a_redirect_cannot_take_a_streamed_body_along() -> None:
    async def body(world: World) -> None:
        script = world.script()
        opened, _ = await script.call("fetch.open", script.ask("/go", method="POST", body="stream"))
        await script.call("stream.write", opened, b"x")
        await script.call("stream.close", opened)
        with pytest.raises(FetchFailed, match="twice"):
            await script.call("fetch.response", opened)

    try_out(body, {"/go": answer(status="307 Go", Location="/")})


def test_writes_fail_with_the_reason_of_the_request() -> None:
    async def body(world: World) -> None:
        script = world.script()
        opened, _ = await script.call("fetch.open", script.ask("http://inside.test/", method="POST", body="stream"))
        with pytest.raises(FetchRefused, match="private"):
            await script.call("fetch.response", opened)
        with pytest.raises(FetchRefused, match="private"):
            await script.call("stream.write", opened, b"x")

    try_out(body)


def test_an_answer_before_the_end_of_the_body_lets_the_writer_know() -> None:
    gone = asyncio.Event()

    async def early(visit: Visit) -> None:
        visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        visit.writer.write(message(b"no, thanks", "413 Too Large"))
        await gone.wait()

    async def body(world: World) -> None:
        script = world.script()
        opened, _ = await script.call("fetch.open", script.ask("/early", method="POST", body="stream"))
        writing = asyncio.gather(*(script.call("stream.write", opened, bytes(2_000_000)) for _ in range(5)))
        value, data = await script.call("fetch.response", opened)
        await writing  # that it went nowhere must not look like a failure before the answer is known
        assert (value["status"], data) == (413, b"no, thanks")
        with pytest.raises(FetchAborted):
            await script.call("stream.write", opened, b"x")
        gone.set()

    try_out(body, {"/early": early}, receive_buffer=65_536)


def test_an_aborted_body_ends_the_request() -> None:
    gone = asyncio.Event()

    async def wait(visit: Visit) -> bytes | None:
        try:
            await visit.read_body()
        finally:
            gone.set()
        return None

    async def body(world: World) -> None:
        script = world.script()
        opened, _ = await script.call("fetch.open", script.ask("/wait", method="POST", body="stream"))
        await script.call("stream.write", opened, b"x")
        await script.call("stream.abort", opened | {"reason": "no"})
        with pytest.raises(FaztError):
            await script.call("fetch.response", opened)
        await gone.wait()

    try_out(body, {"/wait": wait})


# --- the end ---------------------------------------------------------------------------------------------------------


class Silent:
    """A handler that answers nothing, or a head only, and knows when the client came and went."""

    def __init__(self, head: bytes = b"") -> None:
        self.head, self.came, self.gone = head, asyncio.Event(), asyncio.Event()

    async def __call__(self, visit: Visit) -> bytes | None:
        visit.writer.write(self.head)
        self.came.set()
        try:
            await visit.reader.read()
        finally:
            self.gone.set()
        return None


def test_a_request_is_given_up_by_its_number() -> None:
    async def body(world: World) -> None:
        script, silent = world.script(), Silent()
        world.origin.routes["/silent"] = silent
        asked = asyncio.ensure_future(script.fetch("/silent", request=77))
        await silent.came.wait()
        with pytest.raises(InvalidInput, match="under way"):
            await script.fetch("/silent", request=77)
        await script.call("fetch.cancel", {"request": 78})
        await script.call("fetch.cancel", {"request": 77})
        with pytest.raises(FetchAborted):
            await asked
        await silent.gone.wait()
        await script.call("fetch.cancel", {"request": 77})

    try_out(body)


def test_an_opened_request_is_given_up_by_its_stream() -> None:
    async def body(world: World) -> None:
        script, silent = world.script(), Silent()
        world.origin.routes["/silent"] = silent
        opened, _ = await script.call("fetch.open", script.ask("/silent", method="POST", body="stream"))
        await silent.came.wait()
        await script.call("fetch.cancel", opened)
        await silent.gone.wait()
        with pytest.raises(FetchAborted):
            await script.call("fetch.response", opened)

    try_out(body)


def test_giving_a_request_up_closes_the_stream_that_its_answer_became() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"

    async def body(world: World) -> None:
        script, plain, streamed = world.script(), Silent(head), Silent(head)
        world.origin.routes |= {"/plain": plain, "/streamed": streamed}
        value, _ = await script.fetch("/plain", request=5)
        await script.call("fetch.cancel", {"request": 5})
        await plain.gone.wait()
        opened, _ = await script.call("fetch.open", script.ask("/streamed", method="POST", body="stream"))
        streaming, _ = await script.call("fetch.response", opened)
        await script.call("fetch.cancel", opened)
        await streamed.gone.wait()
        for stream in (value["stream"], streaming["stream"]):
            with pytest.raises(NotFound):
                await script.read(stream)
        with pytest.raises(FetchAborted):
            await script.call("stream.write", opened, b"x")

    try_out(body, moment_s=0.0)


def test_who_asks_may_be_cancelled() -> None:
    async def body(world: World) -> None:
        script, silent = world.script(), Silent()
        world.origin.routes["/silent"] = silent
        asked = asyncio.ensure_future(script.fetch("/silent"))
        await silent.came.wait()
        asked.cancel()
        await silent.gone.wait()
        assert asked.cancelled() or isinstance(await asyncio.gather(asked, return_exceptions=True), list)

    try_out(body)


def test_nothing_outlives_the_call() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"

    async def body(world: World) -> None:
        script = world.script()
        handlers = {"/asked": Silent(), "/read": Silent(head), "/opened": Silent(), "/parked": Silent(head)}
        world.origin.routes |= handlers
        asked = asyncio.ensure_future(script.fetch("/asked"))
        value, _ = await script.fetch("/read")
        await script.fetch("/parked")
        opened, _ = await script.call("fetch.open", script.ask("/opened", method="POST", body="stream"))
        assert await script.call("stream.read", {"id": value["stream"]}) == ({"done": False}, b"half")
        reading = asyncio.ensure_future(script.call("stream.read", {"id": value["stream"]}))
        waiting = asyncio.ensure_future(script.call("fetch.response", opened))
        for handler in handlers.values():
            await handler.came.wait()
        script.caller.close()
        for handler in handlers.values():
            await handler.gone.wait()
        for task in (asked, reading, waiting):
            with pytest.raises(FaztError):
                await task

    try_out(body, moment_s=0.0)


def test_a_stream_is_known_to_its_own_call_only() -> None:
    async def body(world: World) -> None:
        script, other = world.script(), world.script()
        value, _ = await script.fetch("/large")
        with pytest.raises(NotFound):
            await other.call("stream.read", {"id": value["stream"]})
        await other.call("stream.cancel", {"id": value["stream"]})
        assert len(b"".join(await script.read(value["stream"]))) == 100_000

    try_out(body, {"/large": answer(bytes(100_000))})


# --- what a hostile script sends -------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["request", "method", "url", "headers", "redirect", "body", "id"]
GOOD = {"request": 1, "method": "POST", "url": "http://127.0.0.1/", "headers": [["a", "b"]], "redirect": "error"}
VALUES = JSON | st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(["inline", "stream", "GET", 1, 2])).map(
    lambda given: GOOD | given
)
NAMES = ["fetch", "fetch.open", "fetch.response", "fetch.cancel"] + [
    f"stream.{verb}" for verb in ("read", "cancel", "write", "close", "abort")
]


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES, st.binary(max_size=20)), min_size=1, max_size=6))
def test_whatever_a_script_sends_is_answered_or_refused(calls: list[tuple[str, Any, bytes]]) -> None:
    async def scenario() -> None:
        outbound, streams = Outbound(), Streams()
        operations = fetch_operations(outbound, streams) | stream_operations(streams)
        caller = Caller("blog", 1, 1, "c")
        try:
            for name, value, data in calls:
                with contextlib.suppress(FaztError):
                    await operations[name](caller, value, data)
        finally:
            caller.close()
            await outbound.close()

    asyncio.run(scenario())


# --- streams of other makers -----------------------------------------------------------------------------------------


def test_other_parts_register_streams_of_their_own() -> None:
    async def scenario() -> None:
        streams, cancelled = Streams(), []
        operations = stream_operations(streams)
        caller = Caller("blog", 1, 1, "c")

        async def pieces() -> Any:
            yield b"a" * 100_000
            yield b"b"

        number = streams.add_readable(caller, partial(anext, pieces(), b""), lambda: cancelled.append("first"))
        got = [await operations["stream.read"](caller, {"id": number}, b"") for _ in range(4)]
        assert [(value["done"], len(data)) for value, data in got] == [
            (False, 65_536),
            (False, 34_464),
            (False, 1),
            (True, 0),
        ]
        pipe = Pipe()
        written = streams.add_writable(caller, pipe)
        await operations["stream.write"](caller, {"id": written}, b"out")
        assert await pipe.read() == b"out"
        never = asyncio.get_running_loop().create_future()

        async def read() -> bytes:
            return bytes(await never)

        number = streams.add_readable(caller, read, lambda: cancelled.append("second"))
        reading = asyncio.ensure_future(operations["stream.read"](caller, {"id": number}, b""))
        await asyncio.wait({reading}, timeout=0)
        with pytest.raises(InvalidInput, match="already"):
            await operations["stream.read"](caller, {"id": number}, b"")
        caller.close()
        assert cancelled == ["second"]
        with pytest.raises(FetchAborted):
            await pipe.read()
        never.set_result(b"late")
        assert await reading == ({"done": False}, b"late")

    asyncio.run(scenario())


def test_a_call_has_256_streams_at_most() -> None:
    async def scenario() -> None:
        streams, caller = Streams(), Caller("blog", 1, 1, "c")
        for _ in range(256):
            streams.add_writable(caller, Pipe())
        with pytest.raises(InvalidInput, match="256"):
            streams.add_writable(caller, Pipe())
        ends = streams.of(caller)
        caller.close()
        with pytest.raises(FetchAborted):
            ends.add_writable(Pipe())

    asyncio.run(scenario())


def test_a_pipe_lets_its_writer_wait_until_there_is_room() -> None:
    async def scenario() -> None:
        pipe = Pipe(300_000)
        first = asyncio.ensure_future(pipe.write(bytes(65_536)))
        second = asyncio.ensure_future(pipe.write(b"x"))
        await asyncio.wait({first, second}, timeout=0)
        assert not first.done()
        assert not second.done()
        assert len(await pipe.read()) == 65_536
        await asyncio.gather(first, second)
        assert await pipe.read() == b"x"
        with pytest.raises(TooLarge):
            await pipe.write(bytes(300_000))
        with pytest.raises(TooLarge):
            await pipe.read()
        done = Pipe()
        await done.write(b"last")
        done.close()
        assert [piece async for piece in done] == [b"last"]
        with pytest.raises(InvalidInput, match="closed"):
            await done.write(b"more")

    asyncio.run(scenario())
