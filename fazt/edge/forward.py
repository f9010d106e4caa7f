"""Hands requests on to another edge over a Unix socket, and its answers back: the ASGI application of a worker.

Bodies go piece by piece in both directions, as fast as the slower side reads. Rule: a client that leaves takes its
request along, and one whose answer broke off in the middle learns that it did.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import httptools

from fazt.edge.asgi import Message
from fazt.edge.relay import Origin, origin_field, relayed_target, without_relay
from fazt.edge.request import Fields
from fazt.errors import CoreUnavailable

HOP_BY_HOP = frozenset(  # RFC 9110 7.6.1
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
MOST_IDLE = 64  # connections that are kept for the next requests
IDLE_S = 15.0  # shorter than the other side keeps them
WAITING_BYTES = 262_144
SENT_TWICE = frozenset(("GET", "HEAD", "OPTIONS"))


class _Lost(CoreUnavailable):
    """The other process went away."""


class _Closed(_Lost):
    """It went away before it answered anything."""


class CoreConnection(asyncio.Protocol):
    """A connection to the other edge; httptools calls the methods that begin with `on_`."""

    def __init__(self) -> None:
        self.parser: Any = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport | None = None
        self.events: deque[Message] = deque()
        self.waiting_bytes = 0
        self.lost = False
        self.is_sent = True  # all of the request
        self.is_left = False  # by the client, which reads no answer
        self.may_send = asyncio.Event()  # the body, which a client sends when it is told to
        self.idle_since = 0.0
        self._fields: Fields = []
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        self.lost = True
        self._came.set()
        self._room.set()

    def pause_writing(self) -> None:
        """Let the sender wait."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Let the sender go on."""
        self._room.set()

    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer."""
        assert self.transport is not None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()
        self._came.set()
        if self.waiting_bytes > WAITING_BYTES:
            self.transport.pause_reading()

    def on_status(self, status: bytes) -> None:
        """Begin an answer."""
        self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Tell the head."""
        fields, self._fields = self._fields, []
        self.events.append({"type": "head", "status": self.parser.get_status_code(), "headers": fields})

    def on_body(self, body: bytes) -> None:
        """Tell a piece of the body."""
        self.waiting_bytes += len(body)
        self.events.append({"type": "body", "body": body})

    def on_message_complete(self) -> None:
        """Tell the end."""
        self.events.append({"type": "end", "keep": self.parser.should_keep_alive()})

    async def next_event(self) -> Message:
        """Return what comes next. Raises: _Lost."""
        while not self.events:
            if self.lost:
                raise _Lost
            self._came.clear()
            await self._came.wait()
        event = self.events.popleft()
        if event["type"] == "body":
            self.waiting_bytes -= len(event["body"])
            if self.waiting_bytes <= WAITING_BYTES and self.transport is not None and not self.lost:
                self.transport.resume_reading()
        return event

    async def write(self, data: bytes) -> None:
        """Send bytes, once there is room. Raises: _Lost."""
        await self._room.wait()
        if self.lost:
            raise _Lost
        self.write_now(data)

    def write_now(self, data: bytes) -> None:
        """Send bytes without waiting for room; what is sent to a side that went away is lost."""
        if self.transport is not None:
            self.transport.write(data)

    def end_sending(self) -> None:
        """Tell the other side that no more comes; what it answers is still read."""
        if self.transport is not None and not self.lost:
            self.transport.write_eof()

    def leave(self) -> None:
        """End it, since nobody waits for the answer."""
        self.is_left = True
        self.close()

    def close(self) -> None:
        """End it."""
        if self.transport is not None:
            self.transport.abort()


class Forwarder:
    """An ASGI application that another process answers."""

    def __init__(self, path: Path) -> None:
        """`path`: the Unix socket of the other edge."""
        self._path = str(path)
        self._idle: list[CoreConnection] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request on. Raises: CoreUnavailable; ConnectionResetError where the client went away."""
        connection = self._kept(scope)
        if connection is not None:
            with suppress(_Closed):
                await self._exchange(connection, scope, receive, send)
                return
        try:
            await self._exchange(await self._connect(), scope, receive, send)
        except _Closed:
            raise CoreUnavailable from None

    async def _exchange(self, connection: CoreConnection, scope: Any, receive: Any, send: Any) -> None:
        """Send a request and hand its answer back. Raises: _Closed where the other side answered nothing."""
        connection.is_sent = not _has_body(scope)
        connection.may_send.clear()
        if not _waits(scope):
            connection.may_send.set()
        connection.write_now(request_head(scope))
        sending = asyncio.ensure_future(self._send_body(connection, scope, receive))
        keep = False
        try:
            keep = await self._answer(connection, scope, send)
        except _Lost:
            if connection.is_left:
                raise ConnectionResetError("the client went away") from None
            raise
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, _Lost):
                await sending
            self._give_back(connection, keep=keep and connection.is_sent)

    def _kept(self, scope: Any) -> CoreConnection | None:
        """Return a connection that was kept, for a request that may be sent again if it turns out to be closed."""
        now = asyncio.get_running_loop().time()
        while self._idle and _may_be_sent_twice(scope):
            connection = self._idle.pop()
            if not connection.lost and now - connection.idle_since <= IDLE_S:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: CoreConnection, *, keep: bool) -> None:
        if keep and not connection.lost and not connection.events and len(self._idle) < MOST_IDLE:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self) -> CoreConnection:
        try:
            _, connection = await asyncio.get_running_loop().create_unix_connection(CoreConnection, self._path)
        except OSError:
            raise CoreUnavailable from None
        return connection

    async def _send_body(self, connection: CoreConnection, scope: Any, receive: Any) -> None:
        """Send the body as it comes, then wait for the client to leave, which ends the request there too."""
        chunked = _is_chunked(scope)
        await connection.may_send.wait()  # asking for the body tells the client to send it (RFC 9110 10.1.1)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                connection.is_sent = False
                (connection.end_sending if message["fazt.reads_on"] else connection.leave)()
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            if chunked:
                body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
            if body:
                await connection.write(body)
            if not more:
                connection.is_sent = True

    async def _answer(self, connection: CoreConnection, scope: Any, send: Any) -> bool:
        """Send the answer on as it comes; return whether the connection can be used again."""
        try:
            event = await connection.next_event()
        except _Lost:
            raise _Closed from None
        while event["type"] != "head" or event["status"] < 200:
            if event["type"] == "head" and event["status"] == 100:
                connection.may_send.set()
            event = await connection.next_event()
        fields = [field for field in event["headers"] if field[0].lower() not in HOP_BY_HOP]
        await send({"type": "http.response.start", "status": event["status"], "headers": fields})
        if scope["method"] == "HEAD":  # the parser does not know that there is no body
            await send({"type": "http.response.body", "body": b""})
            return False
        while (event := await connection.next_event())["type"] == "body":
            await send({"type": "http.response.body", "body": event["body"], "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return bool(event["keep"])


def request_head(scope: Any) -> bytes:
    """Return the head of a request as it is handed on."""
    client, client_port = scope["client"]
    origin = Origin(client, client_port, scope["scheme"], scope["server"][1])
    fields: Sequence[tuple[bytes, bytes]] = without_relay(scope["headers"])
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    target = relayed_target(target, scope["extensions"]["fazt"]["authority"], scope["headers"])
    lines = [b"%s %s HTTP/1.1\r\n" % (scope["method"].encode(), target)]
    lines += [b"%s: %s\r\n" % field for field in fields if field[0] not in HOP_BY_HOP]
    if _is_chunked(scope):
        lines.append(b"transfer-encoding: chunked\r\n")
    lines.append(b"%s: %s\r\n\r\n" % origin_field(origin))
    return b"".join(lines)


def _may_be_sent_twice(scope: Any) -> bool:
    """Tell whether a request can be sent again: it changes nothing, and its body is not gone (RFC 9110 9.2.2)."""
    return not _has_body(scope) and scope["method"] in SENT_TWICE


def _has_body(scope: Any) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _waits(scope: Any) -> bool:
    """Tell whether the client sends its body only when it is told to."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])


def _is_chunked(scope: Any) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])
