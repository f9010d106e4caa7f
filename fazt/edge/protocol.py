"""HTTP/1.1 on one connection: framing, order, back-pressure, deadlines (RFC 9112).

The compiled lane answers what it fully understands; every other byte comes to `feed`, is parsed by httptools, and
becomes an exchange. Exchanges are answered one after the other, in the order they came. Rule: on any doubt about where
a message ends the connection is closed behind the answers to the requests before it.
"""

import asyncio
import errno
import logging
import socket
import struct
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

import httptools

from fazt._speedups.lane import Lane
from fazt._speedups.pages import Page
from fazt.edge.answer import Answer, answer, error_answer, make_head
from fazt.edge.asgi import HttpCall
from fazt.edge.bodies import PIECE_BYTES, FileSender
from fazt.edge.exchange import Exchange
from fazt.edge.parts import Parts
from fazt.edge.request import Head, Refusal, bad, read_head
from fazt.edge.websocket import WebSocketCall, is_handshake
from fazt.errors import FaztError

log = logging.getLogger("fazt.edge")
MAX_BLANK_BYTES = 64


class HttpProtocol(Lane, asyncio.Protocol):
    """One connection of the edge."""

    __slots__ = (
        "active",
        "blank_bytes",
        "client_port",
        "closing",
        "current",
        "deadline",
        "eof",
        "fields",
        "finished",
        "framing_bytes",
        "head_bytes",
        "head_fed",
        "in_head",
        "parser",
        "parts",
        "paused",
        "peer_uid",
        "progress",
        "progress_at",
        "queue",
        "room",
        "sender",
        "started_at",
        "started_ns",
        "target",
        "upgraded",
    )

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.pages, parts.clock, parts.ring)
        self.parts = parts
        self.parser: Any = None  # made when the lane declines for the first time
        self.queue: deque[Exchange | Refusal] | None = None
        self.active: Exchange | None = None  # the exchange being answered
        self.current: Exchange | None = None  # the exchange whose body is being received
        self.in_head = self.finished = self.closing = self.eof = self.paused = False
        self.fields: list[tuple[bytes, bytes]] = []
        self.target = b""
        self.head_bytes = self.head_fed = self.framing_bytes = self.blank_bytes = 0
        self.started_ns = 0
        self.started_at = self.clock.monotonic
        self.deadline = 0.0
        self.progress: tuple[int, int] = (0, 0)
        self.progress_at = 0.0
        self.room: asyncio.Future[None] | None = None
        self.sender: FileSender | None = None
        self.upgraded: WebSocketCall | None = None
        self.client_port = 0
        self.peer_uid: int | None = None

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection, or refuse it where there are too many."""
        assert isinstance(transport, asyncio.Transport) or transport is not None
        self.transport = transport  # type: ignore[assignment]
        opened = transport.get_extra_info("socket")
        if opened.family == socket.AF_UNIX:
            packed = opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            self.peer_uid = struct.unpack("3i", packed)[1]
            self.client = "local"
        else:
            self.client, self.client_port = transport.get_extra_info("peername")[:2]
            self.descriptor = opened.fileno()
        if not self.parts.admit(self):
            self.transport.abort()
            return
        self.lane_open = self.parts.lane and self.peer_uid is None

    def connection_lost(self, error: Exception | None) -> None:
        """Release everything that belongs to the connection."""
        self.lane_open = False
        self.closing = True
        self.descriptor = -1
        self.parts.release(self)
        for exchange in {id(item): item for item in (self.active, self.current) if item is not None}.values():
            exchange.disconnected = True
            exchange.wake()
        if self.upgraded is not None:
            self.upgraded.lost()
        if self.room is not None and not self.room.done():
            self.room.set_result(None)
        if self.sender is not None:
            self.sender.close()
        self.queue = None
        self.parser = None

    def eof_received(self) -> bool:
        """Go on answering what was asked before the client closed its half."""
        self.eof = True
        if self.upgraded is not None:
            self.upgraded.eof()
            return False
        if self.current is not None:  # the rest of this body will never come
            self.current.disconnected = True
            self.current.wake()
        return self.active is not None or bool(self.queue)

    def pause_writing(self) -> None:
        """Stop answering: the client does not read as fast as it asks."""
        self.writable = False

    def resume_writing(self) -> None:
        """Go on answering."""
        self.writable = True
        if self.room is not None and not self.room.done():
            self.room.set_result(None)
        if self.upgraded is None:
            self.advance()

    def abort(self) -> None:
        """Cut the connection."""
        self.lane_open = False
        self.closing = True
        self.transport.abort()

    # --- bytes in ---

    def feed(self, data: bytes) -> None:
        """Parse bytes that the lane left, and answer what became complete."""
        if self.upgraded is not None:
            self.upgraded.feed(data)
            return
        if self.closing or self.finished:
            self._take_behind_the_end(data)
            return
        self.lane_open = False
        if self.queue is None:
            self.queue = deque()
        if self.in_head:
            self.head_fed += len(data)
        elif self.current is not None:
            self.framing_bytes += len(data)
        else:
            self.blank_bytes += len(data)
        self._parse(data)
        self._check_sizes()
        if self.active is not None or len(self.queue) > 1:
            self.hold_reading()
        self.advance()

    def _parse(self, data: bytes) -> None:
        """Give bytes to the parser; what it refuses is queued behind the requests before it."""
        while True:
            if self.parser is None:
                self.parser = httptools.HttpRequestParser(self)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self.parser = None
                rest = data[upgrade.args[0] :]
                last = self.queue[-1] if self.queue else None
                if isinstance(last, Exchange) and last.upgrade:
                    last.body += rest  # for the other protocol, or for the parser if it is not taken
                    self.finished = True
                    return
                if not rest or self.finished:
                    return
                data = rest
                continue
            except httptools.HttpParserError as error:
                if not self.finished:
                    cause = error.__context__
                    self._refuse(cause if isinstance(cause, Refusal) else bad(f"The request is malformed: {error}."))
            return

    def _refuse(self, refusal: Refusal) -> None:
        """Queue an error; nothing that comes after it is read."""
        self.finished = True
        self.in_head = False
        if self.current is not None:
            self.current.refusal = refusal
            self.current.head.keep_alive = False
            self.current.wake()
        elif self.queue is not None:
            self.queue.append(refusal)

    def _check_sizes(self) -> None:
        """Hold what is not counted by the callbacks: unfinished fields, chunk extensions, empty lines."""
        limits = self.parts.limits
        if self.finished:
            return
        if self.in_head and self.head_fed > limits.max_head_bytes:
            self._refuse(self._too_long())
        elif self.current is not None:
            if self.framing_bytes > limits.max_framing_bytes + 9 * self.current.received:
                self._refuse(bad("The framing of the body is larger than it may be."))
        elif not self.in_head and not self.queue and self.active is None and self.blank_bytes > MAX_BLANK_BYTES:
            self._refuse(bad("There are only empty lines where a request should be."))

    def _too_long(self) -> Refusal:
        limits = self.parts.limits
        if not self.fields and (len(self.target) > limits.max_target_bytes or not self.target):
            return Refusal(414, "target_too_long", f"The target is longer than {limits.max_target_bytes} bytes.")
        return Refusal(431, "head_too_large", f"The head is larger than {limits.max_head_bytes} bytes.")

    def _take_behind_the_end(self, data: bytes) -> None:
        """Keep what may be meant for another protocol, throw away the rest; a client that does not stop is cut."""
        limit = self.parts.limits.max_discarded_bytes
        if self.active is not None and self.active.upgrade and len(self.active.body) < limit:
            self.active.body += data
            return
        self.framing_bytes += len(data)
        if self.closing and self.framing_bytes > limit:
            self.transport.abort()

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """Begin a message."""
        if self.finished:
            raise bad("There is nothing after the last request.")
        self.in_head = True
        self.started_ns = time.monotonic_ns()
        self.started_at = time.monotonic()
        self.fields = []
        self.target = b""
        self.head_bytes = self.head_fed = self.blank_bytes = 0

    def on_url(self, piece: bytes) -> None:
        """Join the pieces of the target."""
        self.target += piece
        self.head_bytes += len(piece)
        if len(self.target) > self.parts.limits.max_target_bytes:
            raise self._too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; one of a trailer is only counted."""
        limits = self.parts.limits
        if not self.in_head:
            return
        self.head_bytes += len(name) + len(value) + 4
        self.fields.append((name.lower(), value.strip(b" \t")))
        if self.head_bytes > limits.max_head_bytes:
            raise Refusal(431, "head_too_large", f"The head is larger than {limits.max_head_bytes} bytes.")
        if len(self.fields) > limits.max_headers:
            raise Refusal(431, "head_too_large", f"There are more than {limits.max_headers} fields.")

    def on_headers_complete(self) -> None:
        """Check the head and queue the exchange."""
        self.in_head = False
        parser = self.parser
        head = read_head(
            parser.get_method(),
            self.target,
            parser.get_http_version(),
            self.fields,
            keep_alive=parser.should_keep_alive(),
        )
        limit = self.parts.limits.max_body_bytes
        if head.content_length is not None and head.content_length > limit:
            raise Refusal(413, "too_large", f"A body may have {limit} bytes at most.")
        exchange = Exchange(head, self.started_ns, upgrade=bool(parser.should_upgrade()) and is_handshake(head))
        self.fields = []
        self.framing_bytes = 0
        self.current = exchange
        assert self.queue is not None
        self.queue.append(exchange)

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        exchange = self.current
        assert exchange is not None
        exchange.received += len(piece)
        if exchange.discarded:
            return
        if exchange.received > self.parts.limits.max_body_bytes:
            raise Refusal(413, "too_large", f"A body may have {self.parts.limits.max_body_bytes} bytes at most.")
        exchange.body += piece
        exchange.wake()
        if len(exchange.body) > self.parts.limits.receive_buffer_bytes:
            self.hold_reading()

    def on_message_complete(self) -> None:
        """End a message."""
        exchange = self.current
        assert exchange is not None
        exchange.complete = True
        exchange.wake()
        self.current = None
        self.finished = not exchange.head.keep_alive

    # --- answers, in order ---

    def advance(self) -> None:
        """Answer the next exchange, as long as the client reads."""
        while self.active is None and self.queue and self.writable and not self.closing:
            item = self.queue.popleft()
            if isinstance(item, Refusal):
                self.write(error_answer(item.status, item.code, item.message, self.clock, close=True).data)
                self._close()
                return
            self.active = item
            self._begin(item)
        if self.active is None and not self.queue and not self.closing:
            if self.eof or self.parts.stopping:
                self._close()
                return
            self.let_read()
            self.lane_open = (
                self.parts.lane and self.peer_uid is None and not (self.in_head or self.current or self.finished)
            )

    def _begin(self, exchange: Exchange) -> None:
        """Answer at once with a page in memory, else in a task."""
        head = exchange.head
        if self.peer_uid is None and not exchange.upgrade:
            if head.path == b"*":
                fields = [(b"Content-Length", b"0"), (b"Allow", b"GET, HEAD, OPTIONS")]
                self.write(make_head(200, fields, self.clock, close=self.must_close(exchange)))
                self.finish(exchange)
                return
            page = self.pages.get(head.raw_host + head.path)
            if page is not None:
                made = self._send_page(exchange, page, hit=True)
                if made is not None:
                    work = self._stream(exchange, page, made, hit=True)
                    exchange.task = self.parts.loop.create_task(self._in_task(work))
                return
        exchange.task = self.parts.loop.create_task(self._in_task(self._run(exchange)))

    async def _in_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what an exchange takes, then go on with the next one."""
        await work
        if not self.closing and self.upgraded is None:
            self.advance()

    async def _run(self, exchange: Exchange) -> None:
        """Ask the resolver for the page, or the application for an answer."""
        head = exchange.head
        page = None
        if self.peer_uid is None and head.path != b"*":
            try:
                page = await self.parts.resolve(head.host, head.path, head.query)
            except Exception as error:
                self._resolve_failed(exchange, error)
                return
        if self.closing:
            return
        if page is not None:
            if exchange.upgrade:
                self._put_back(exchange)
            if page.keep and self._is_canonical(head):
                self.pages.put(head.raw_host + head.path, page)
            made = self._send_page(exchange, page, hit=False)
            if made is not None:
                await self._stream(exchange, page, made, hit=False)
        elif exchange.upgrade:
            await self._run_websocket(exchange)
        else:
            call = HttpCall(exchange, self)
            await call.run(self.parts.app)
            site = call.scope["extensions"]["fazt"]["site"]
            if site is not None and call.status:
                self._count(exchange, site, call.status, call.body_bytes, hit=False)
            self.finish(exchange)

    def _resolve_failed(self, exchange: Exchange, error: Exception) -> None:
        status, code, message = 500, "internal_error", "Something went wrong on this server; its log says what."
        if isinstance(error, FaztError):
            status, code, message = error.status, error.code, error.message
        else:
            log.error("resolving %s failed", exchange.head.path.decode("latin-1"), exc_info=error)
        if self.closing:
            return
        bodyless = exchange.head.method == b"HEAD"
        close = self.must_close(exchange)
        self.write(error_answer(status, code, message, self.clock, close=close, bodyless=bodyless).data)
        self.finish(exchange)

    def _is_canonical(self, head: Head) -> bool:
        """Tell whether the host was spelled in its one form, so that spellings cannot fill the cache."""
        host = head.host.encode()
        return head.raw_host in (host, b"%s:%d" % (host, self.parts.port))

    async def _run_websocket(self, exchange: Exchange) -> None:
        rest = bytes(exchange.body)
        exchange.body.clear()
        self.upgraded = WebSocketCall(exchange, self)
        await self.upgraded.run(self.parts.app, rest)

    def _put_back(self, exchange: Exchange) -> None:
        """Go on with HTTP where an upgrade was offered and is not taken (RFC 9110 7.8)."""
        rest = bytes(exchange.body)
        exchange.body.clear()
        self.finished = not exchange.head.keep_alive
        if rest and not self.finished:
            self._parse(rest)

    def must_close(self, exchange: Exchange) -> bool:
        """Tell whether the connection ends behind this answer, and see to an unread body (RFC 9112 9.3)."""
        if not exchange.complete:
            exchange.discarded = True
            left = None if exchange.head.content_length is None else exchange.head.content_length - exchange.received
            waits = exchange.head.expects_continue and not exchange.continued
            if waits or exchange.disconnected or left is None or left > self.parts.limits.max_discarded_bytes:
                exchange.closes = True
        if not exchange.head.keep_alive or self.parts.stopping or exchange.refusal is not None:
            exchange.closes = True
        return exchange.closes

    def _send_page(self, exchange: Exchange, page: Page, *, hit: bool) -> Answer | None:
        """Send what can be sent at once; return the answer where some of it is left to be streamed."""
        made = answer(page, exchange.head, self.clock, close=self.must_close(exchange))
        if not made.pieces:
            self.write(made.data)
        elif not self._send_file(made):
            return made
        self._count(exchange, page.site.name, made.status, made.body_bytes, hit=hit)
        self.finish(exchange)
        return None

    # --- bodies that come from a source ---

    def _send_file(self, made: Answer) -> bool:
        """Send head and file at once if the socket takes all of it; what is left to be sent stands in `made`."""
        assert made.source is not None
        if len(made.pieces) != 1 or self.descriptor < 0:
            return False
        if self.transport_used:
            self.transport_used = self.transport.get_write_buffer_size() != 0
        file = made.source.fileno()
        piece = made.pieces[0]
        if file is None or self.transport_used or isinstance(piece, bytes):
            return False
        try:
            left = self._file_sender().start(made.data, file, piece[0], piece[1])
        except BlockingIOError as full:
            made.data = made.data[int(full.args[1]) :]
            return False
        except OSError:
            self.abort()
            return False
        made.data = b""
        made.pieces = ((piece[0] + piece[1] - left, left),) if left else ()
        return not left

    def _file_sender(self) -> FileSender:
        if self.sender is None:
            duplicate = socket.fromfd(self.descriptor, socket.AF_INET, socket.SOCK_STREAM)
            duplicate.setblocking(False)
            self.sender = FileSender(self.parts.loop, duplicate)
        return self.sender

    async def _stream(self, exchange: Exchange, page: Page, made: Answer, *, hit: bool) -> None:
        """Send an answer piece by piece, as fast as the client reads."""
        assert made.source is not None
        file = made.source.fileno()
        try:
            if made.data:
                self.write(made.data)
            for piece in made.pieces:
                if isinstance(piece, bytes):
                    self.write(piece)
                elif file is not None and self.descriptor >= 0:
                    await self._empty()
                    if self._file_sender().start(b"", file, *piece):
                        await self._file_sender().finish()
                else:
                    await self._copy(made, *piece)
        except (OSError, FaztError) as error:
            if not isinstance(error, ConnectionError) and getattr(error, "errno", None) != errno.EPIPE:
                log.error("sending %s stopped: %s", exchange.head.path.decode("latin-1"), error)
            self.abort()
        if not self.closing:
            self._count(exchange, page.site.name, made.status, made.body_bytes, hit=hit)
            self.finish(exchange)

    async def _copy(self, made: Answer, offset: int, length: int) -> None:
        """Send a part of a source that is no file."""
        assert made.source is not None
        while length:
            piece = await made.source.read(offset, min(length, PIECE_BYTES))
            if not piece:
                raise ConnectionResetError("the body is shorter than its size")
            self.write(piece)
            offset += len(piece)
            length -= len(piece)
            await self.drain()

    # --- bytes out ---

    def write(self, data: bytes) -> None:
        """Send bytes through the transport, behind everything before them."""
        if not self.closing:
            self.transport_used = True
            self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has room for more.

        Raises: ConnectionResetError where it went away.
        """
        while not self.writable and not self.closing:
            self.room = self.parts.loop.create_future()
            await self.room
        if self.closing:
            raise ConnectionResetError("the client went away")

    async def _empty(self) -> None:
        """Wait until the transport holds nothing back, so that sendfile cannot overtake it."""
        if not self.transport.get_write_buffer_size():
            return
        self.transport.set_write_buffer_limits(0)
        try:
            while self.transport.get_write_buffer_size():
                if self.writable:  # queued in this turn of the loop: it goes out at its end
                    await asyncio.sleep(0)
                await self.drain()
        finally:
            self.transport.set_write_buffer_limits()

    def finish(self, exchange: Exchange) -> None:
        """End an exchange; whoever called goes on with `advance`."""
        exchange.task = None
        if self.active is exchange and not self.closing:
            self.active = None
            if exchange.closes or exchange.refusal is not None:
                self._close()

    def _count(self, exchange: Exchange, site: str, status: int, body_bytes: int, *, hit: bool) -> None:
        duration = time.monotonic_ns() - exchange.started_ns
        state = self.pages.site(site)
        state.count(status, body_bytes, duration, hit)
        head = exchange.head
        key = head.raw_host + head.path
        self.ring.add(state, self.client, head.method, key, len(head.raw_host), status, body_bytes, duration, hit)

    def _close(self) -> None:
        """Close behind what was written; a client that still sends gets time to read it (RFC 9112 9.6)."""
        self.lane_open = False
        if self.closing:
            return
        more = self.finished or self.current is not None
        self.closing = True
        self.framing_bytes = 0
        if self.eof or not more or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.deadline = self.clock.monotonic + self.parts.limits.linger_s
        self.let_read()

    def stop(self) -> None:
        """End the connection as soon as what has begun is finished; the server stops."""
        if self.upgraded is not None:
            self.upgraded.close()
        elif self.active is None and not self.queue and self.current is None and not self.closing:
            self.lane_open = False
            self.closing = True
            self.transport.close()
        else:
            self.lane_open = False

    # --- reading, paused and resumed ---

    def hold_reading(self) -> None:
        """Stop reading while there is enough to do."""
        if not self.paused and not self.closing:
            self.paused = True
            self.transport.pause_reading()

    def let_read(self) -> None:
        """Read on, unless too much of a body waits to be read."""
        waiting = self.current
        if waiting is not None and len(waiting.body) > self.parts.limits.receive_buffer_bytes:
            return
        if self.paused and not self.transport.is_closing():
            self.paused = False
            self.transport.resume_reading()
