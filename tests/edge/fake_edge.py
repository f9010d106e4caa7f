"""An edge without sockets: its connections have fake transports, and time passes when a test says so."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httptools

from fazt._speedups.pages import Clock, Page, Pages, Variant
from fazt._speedups.statistics import AccessRing
from fazt.edge.limits import Limits
from fazt.edge.parts import Front, Parts
from fazt.edge.protocol import HttpProtocol

HOST = "blog.example"
MODIFIED = b"Tue, 24 Nov 2026 00:00:00 GMT"
HIGH_WATER = 65_536
QUIET_TURNS = 6  # of the loop, in which nothing was sent or read: then nothing more happens by itself


class Reply(NamedTuple):
    """One answer as a client reads it."""

    status: int
    fields: dict[str, str]
    body: bytes
    keep_alive: bool


class ReplyParser:
    """Bytes -> replies; it knows which of them are answers to HEAD."""

    def __init__(self, methods: list[str]) -> None:
        self.methods = methods
        self.replies: list[Reply] = []
        self.fields: dict[str, str] = {}
        self.body = b""
        self.parser: Any = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.decode().lower()
        assert lower not in self.fields, f"{lower} came twice"
        self.fields[lower] = value.decode("latin-1")

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        if status >= 200:
            self.replies.append(Reply(status, self.fields, self.body, self.parser.should_keep_alive()))
        self.fields, self.body = {}, b""


def read_replies(data: bytes, methods: list[str] | None = None) -> list[Reply]:
    """Return the answers that the bytes hold; what is left over or broken fails."""
    replies: list[Reply] = []
    methods = methods or []
    while data:
        head, blank, rest = data.partition(b"\r\n\r\n")
        assert blank, f"an unfinished head: {data!r}"
        method = methods[len(replies)] if len(replies) < len(methods) else "GET"
        parser = ReplyParser(methods)
        lines = head.split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        lower = {line.partition(b":")[0].strip().lower(): line.partition(b":")[2].strip() for line in lines[1:]}
        if method == "HEAD" or status in (204, 304) or status < 200:
            if status >= 200:
                fields = {name.decode(): value.decode("latin-1") for name, value in lower.items()}
                replies.append(Reply(status, fields, b"", lower.get(b"connection") != b"close"))
            data = rest
            continue
        if lower.get(b"transfer-encoding") == b"chunked":
            end = rest.index(b"0\r\n\r\n") + 5 if rest.startswith(b"0\r\n\r\n") else rest.index(b"\r\n0\r\n\r\n") + 7
        elif b"content-length" in lower:
            end = int(lower[b"content-length"])
        else:
            end = len(rest)
        assert len(rest) >= end, "an unfinished body"
        parser.parser.feed_data(head + blank + rest[:end])
        if b"content-length" not in lower and b"transfer-encoding" not in lower:
            fields = {name.decode(): value.decode("latin-1") for name, value in lower.items()}
            replies.append(Reply(status, fields, rest, keep_alive=False))
        else:
            assert len(parser.replies) == 1
            replies += parser.replies
        data = rest[end:]
    return replies


class FakeSocket:
    """What the protocol asks a TCP socket for."""

    family = socket.AF_INET

    def fileno(self) -> int:
        return -1


class FakeTransport(asyncio.Transport):
    """Notes what was sent; `stalled` keeps it in the buffer as a client does that does not read."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str) -> None:
        super().__init__({"socket": FakeSocket(), "peername": (address, 50_000)})
        self.loop = loop
        self.protocol: Any = None
        self.sent = bytearray()
        self.buffer = bytearray()
        self.stalled = self.closing = self.closed = self.aborted = self.eof_written = self.full = False
        self.reading = True
        self.high = HIGH_WATER

    def write(self, data: Any) -> None:
        assert not self.eof_written, "written behind the end"
        assert not self.closing, "written to a transport that is closing"
        (self.buffer if self.stalled else self.sent).extend(data)
        self._look()

    def _look(self) -> None:
        if len(self.buffer) > self.high and not self.full:
            self.full = True
            self.protocol.pause_writing()
        elif self.full and len(self.buffer) <= self.high // 4:
            self.full = False
            self.protocol.resume_writing()
        if self.closing and not self.buffer and not self.closed:
            self._lose()

    def drain(self, count: int = 1 << 40) -> None:
        """Let the client read from the buffer."""
        self.sent += self.buffer[:count]
        del self.buffer[:count]
        self._look()

    def get_write_buffer_size(self) -> int:
        return len(self.buffer)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = HIGH_WATER if high is None else high
        self._look()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof_written = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reading
        assert not self.closing
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            if not self.buffer:
                self._lose()

    def abort(self) -> None:
        if not self.closed:
            self.closing = self.aborted = True
            self.buffer.clear()
            self._lose()

    def _lose(self) -> None:
        self.closed = True
        self.loop.call_soon(self.protocol.connection_lost, None)


FRONT = Front(4698)


class FakeClient:
    """A client of a fake edge: sends when the server reads, and reads what was sent."""

    def __init__(self, edge: "FakeEdge", address: str) -> None:
        self.edge = edge
        self.transport = FakeTransport(edge.loop, address)
        self.protocol = HttpProtocol(edge.parts, FRONT)
        self.transport.protocol = self.protocol
        self.protocol.connection_made(self.transport)
        self.unsent: list[bytes] = []
        self.taken = 0

    @property
    def sent(self) -> bytes:
        """What the server has sent so far."""
        return bytes(self.transport.sent)

    @property
    def closed(self) -> bool:
        """Whether the server sends no more."""
        return self.transport.closed or self.transport.eof_written

    def send(self, data: bytes, *, pieces: int | None = None) -> "FakeClient":
        """Send, in pieces of that many bytes; wait until the server has done what it can do."""
        size = pieces or len(data) or 1
        self.unsent += [data[at : at + size] for at in range(0, len(data), size)]
        self.edge.settle()
        return self

    def deliver(self) -> bool:
        """Hand over one piece, if the server reads."""
        if not self.unsent or not self.transport.reading or self.transport.closing:
            return False
        self.protocol.data_received(self.unsent.pop(0))
        return True

    def end(self) -> "FakeClient":
        """Close the client's half of the connection."""
        self.edge.settle()
        assert not self.unsent
        if not self.protocol.eof_received():
            self.transport.close()
        self.edge.settle()
        return self

    def vanish(self) -> None:
        """Cut the connection as a client does that goes away."""
        self.transport.abort()
        self.edge.settle()

    def replies(self, *methods: str) -> list[Reply]:
        """Return all answers so far."""
        return read_replies(self.sent, list(methods))

    def new_bytes(self) -> bytes:
        """Return what was sent since the last call."""
        data = self.sent[self.taken :]
        self.taken += len(data)
        return data


class FakeEdge:
    """Parts, pages and an application; `with` it, so that its loop is closed."""

    def __init__(self, *, lane: bool = True, **limits: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.pages = Pages(1 << 24)
        self.clock = Clock()
        self.ring = AccessRing(256)
        self.made: dict[bytes, Callable[[], Page]] = {}
        self.asked: list[bytes] = []  # paths that the resolver was asked for
        self.called: list[str] = []  # paths that the application was called for
        self.app: Callable[..., Awaitable[None]] = count_body
        self.problems: list[str] = []
        self.clients: list[FakeClient] = []
        limit = Limits(**limits)
        self.parts = Parts(self.loop, self._resolve, self._call, self.pages, self.clock, self.ring, limit, lane)
        self.loop.set_exception_handler(lambda _, context: self.problems.append(str(context)))

    def __enter__(self) -> "FakeEdge":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.vanish()
        self.settle()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.close()
        assert not self.parts.connections
        assert not self.problems, self.problems

    async def _resolve(self, host: str, path: bytes, query: bytes) -> Page | None:
        self.asked.append(path)
        if path.startswith(b"/api"):
            return None
        if path in self.made:
            return self.made[path]()
        return self.page(b"nothing here", status=404, etag=b"")

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        self.called.append(scope["path"])
        await self.app(scope, receive, send)

    def page(self, body: bytes, *, status: int = 200, **options: Any) -> Page:
        """Return a page of the site `blog`; `coded` holds encoding -> body, `source` takes the place of the body."""
        etag = options.get("etag", b'"%d"' % len(body))
        source = options.get("source")
        variants = [Variant("", etag, len(body), None if source else body, source)]
        for encoding, data in options.get("coded", {}).items():
            variants.append(Variant(encoding, etag[:-1] + encoding.encode() + b'"', len(data), data, None))
        modified = options.get("modified", MODIFIED if status == 200 else b"")
        headers = [(b"Content-Type", options.get("kind", b"text/plain")), *options.get("headers", ())]
        if modified:
            headers.append((b"Last-Modified", modified))
        keep = options.get("keep", True)
        site = self.pages.site("blog")
        return Page(site, self.pages.generation, status, headers, variants, keep=keep, last_modified=modified)

    def add(self, path: str, body: bytes, **options: Any) -> None:
        """Let the resolver know a page."""
        self.made[path.encode()] = lambda: self.page(body, **options)

    def connect(self, address: str = "192.0.2.7") -> FakeClient:
        client = FakeClient(self, address)
        self.clients.append(client)
        return client

    def settle(self) -> None:
        """Let everything happen that can happen."""
        self.loop.run_until_complete(self._settle())

    async def _settle(self) -> None:
        quiet, before = 0, -1
        while quiet < QUIET_TURNS:
            delivered = [client.deliver() for client in self.clients]
            await asyncio.sleep(0)
            now = sum(len(client.transport.sent) + len(client.transport.buffer) for client in self.clients)
            quiet = 0 if any(delivered) or now != before else quiet + 1
            before = now


def request(path: str = "/", *fields: str, method: str = "GET", host: str | None = HOST, version: str = "1.1") -> bytes:
    """Return a request; each of `fields` is a line."""
    lines = [f"{method} {path} HTTP/{version}", *([f"Host: {host}"] if host is not None else []), *fields]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


async def read_body(receive: Any) -> bytes | None:
    """Return the body of a request as an application reads it; None where it does not end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def reply(send: Any, status: int, body: bytes, *fields: tuple[bytes, bytes]) -> None:
    """Send a whole answer with its length."""
    headers = [(b"content-length", b"%d" % len(body)), *fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def count_body(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the number of bytes of the body."""
    body = await read_body(receive)
    if body is not None:
        await reply(send, 200, b"%d" % len(body))
