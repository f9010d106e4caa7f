"""HTTP/1.1 on one connection: answers in the order of the requests, back-pressure, and the end (RFC 9112).

The compiled lane answers what it fully understands; every other byte comes to `feed`, and the reader makes exchanges of
them. Rule: one exchange is answered at a time, and nothing is read from a client that does not take its answers.
"""

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

from fazt._speedups.lane import Lane, add_field
from fazt._speedups.pages import Page, is_html
from fazt._speedups.scan import read_notes
from fazt._speedups.statistics import MARK_HTML
from fazt.edge.answer import Answer, answer, error_answer, make_head
from fazt.edge.asgi import INTERNAL_ERROR, HttpCall
from fazt.edge.exchange import Exchange
from fazt.edge.forwarded import client_of, is_trusted
from fazt.edge.limits import relayed
from fazt.edge.parts import Front, Parts, neighbourhood
from fazt.edge.reader import Reader
from fazt.edge.relay import REPORT, take_origin
from fazt.edge.request import Head, Refusal
from fazt.edge.sending import BodySender
from fazt.edge.tunnel import Tunnel
from fazt.edge.websocket import WebSocketCall
from fazt.errors import CoreUnavailable, FaztError
from fazt.outbound.client import LOOP_HEADER

log = logging.getLogger("fazt.edge")
INSIDE = LOOP_HEADER.lower().encode()
NEW_S = 1.0  # in which the first request of a connection may still be on its way


class HttpProtocol(Lane, asyncio.Protocol):
    """One connection of the edge."""

    __slots__ = (
        "active",
        "answered_at",
        "behind_proxy",
        "client_port",
        "closing",
        "deadline",
        "eof",
        "front",
        "parts",
        "paused",
        "peer_uid",
        "progress",
        "progress_at",
        "reader",
        "room",
        "sender",
        "upgraded",
    )

    def __init__(self, parts: Parts, front: Front | None = None, host: str = "") -> None:
        """Make one connection; `host`: the only one that it is for, by the name that TLS was begun with."""
        super().__init__(parts.pages, parts.clock, parts.ring)
        self.parts = parts
        self.front = front or Front()
        if host:
            self.bound_host = host.encode()
            self.bound_authority = b"%s:%d" % (self.bound_host, self.front.port)
            self.extra_field = parts.hsts or None
        self.reader: Reader | None = None  # made when the lane declines for the first time
        self.active: Exchange | None = None  # the exchange being answered
        self.closing = False  # nothing more is sent
        self.eof = False  # the client sends no more
        self.paused = False
        self.answered_at = self.clock.monotonic
        self.deadline = 0.0  # of a connection that is closing; set by the sweep
        self.progress: tuple[int, int] = (0, 0)
        self.progress_at = 0.0
        self.room: asyncio.Event | None = None
        self.sender: BodySender | None = None
        self.upgraded: WebSocketCall | Tunnel | None = None
        self.client_port = 0
        self.peer_uid: int | None = None
        self.behind_proxy = False  # a trusted one: who asks stands in each request

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection, or refuse it where there are too many."""
        self.transport = cast(asyncio.Transport, transport)
        opened = transport.get_extra_info("socket")
        if self.front.relayed:
            self.client = ""
        elif opened.family == socket.AF_UNIX:
            packed = opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            self.peer_uid = struct.unpack("3i", packed)[1]
            self.client = "local"
        else:
            peer = transport.get_extra_info("peername") or ("", 0)  # a client that is gone already has none
            self.client, self.client_port = peer[:2]
            self.behind_proxy = is_trusted(self.client, self.parts.trusted)
            if self.front.scheme == "http":  # else what is sent has to be encrypted first
                self.descriptor = opened.fileno()
        if not self.parts.admit(self):
            self.abort()
            return
        self.lane_open = self._may_use_lane()

    def connection_lost(self, error: Exception | None) -> None:
        """Release everything that belongs to the connection."""
        self.lane_open = False
        self.closing = True
        self.descriptor = -1
        self.parts.release(self)
        self._tell_disconnected(self.active)
        if self.reader is not None:
            self._tell_disconnected(self.reader.current)
        if self.upgraded is not None:
            self.upgraded.lost()
        if self.room is not None:
            self.room.set()
        if self.sender is not None:
            self.sender.close()
        self.reader = None

    def eof_received(self) -> bool:
        """Go on answering what was asked before the client closed its half."""
        self.eof = True
        if self.upgraded is not None:
            self.upgraded.eof()
            return False
        reader = self.reader
        if reader is None or self.closing:
            return False
        self._tell_disconnected(reader.current)  # the rest of this body will never come
        if self.active is not None:
            self.active.wake()  # whoever waits for the client to go
        return self.active is not None or bool(reader.queue or reader.rest)

    @staticmethod
    def _tell_disconnected(exchange: Exchange | None) -> None:
        if exchange is not None:
            exchange.disconnected = True
            exchange.wake()

    def pause_writing(self) -> None:
        """Stop answering: the client does not read as fast as it asks."""
        self.writable = False

    def resume_writing(self) -> None:
        """Go on answering."""
        self.writable = True
        if self.room is not None:
            self.room.set()
        if self.upgraded is not None:
            self.upgraded.read_on()
        elif self.reader is not None:
            self.advance()

    def client_of(self, exchange: Exchange) -> str:
        """Return the address of who asks."""
        if exchange.origin is not None:
            return exchange.origin.client
        if not self.behind_proxy:
            return self.client
        return client_of(exchange.head.fields, self.client, self.parts.trusted)

    def abort(self) -> None:
        """Cut the connection."""
        self.lane_open = False
        self.closing = True
        self.transport.abort()

    def stop(self, *, but_new: bool = False) -> bool:
        """End the connection as soon as what has begun is finished; the server stops.

        `but_new`: leave a connection alone that is new and asked for nothing yet; False where it was.
        """
        self.lane_open = False
        reader = self.reader
        if but_new and self._is_new():
            return False
        if self.upgraded is not None:
            self.upgraded.close()
        elif self.active is None and (reader is None or not (reader.queue or reader.current)):
            self.close()
        return True

    def _is_new(self) -> bool:
        """Tell whether the first request may still be on its way; the lane counts in ticks of the clock."""
        unasked = self.reader is None and self.last_active == self.answered_at
        return unasked and self.upgraded is None and self.clock.monotonic - self.answered_at <= NEW_S

    def _may_use_lane(self) -> bool:
        parts = self.parts
        open_to_all = self.peer_uid is None and not self.behind_proxy and not self.front.relayed
        return parts.lane and not parts.stopping and open_to_all and not self._is_plain()

    def _is_plain(self) -> bool:
        """Tell whether what is asked here may have to be asked by HTTPS; a trusted proxy adds TLS itself."""
        plain = self.front.scheme == "http" and self.parts.to_https is not None
        return plain and self.peer_uid is None and not self.behind_proxy and not self.front.relayed

    # --- bytes in ---

    def feed(self, data: bytes) -> None:
        """Take bytes that the lane left, and answer what became complete."""
        reader = self.reader
        if reader is None:
            reader = self.reader = Reader(relayed(self.parts.limits) if self.front.relayed else self.parts.limits)
        if self.closing or (reader.finished and self.upgraded is None):
            self._throw_away(reader, data)
            return
        if self.upgraded is not None:
            self.upgraded.feed(data)
            return
        self.lane_open = False
        reader.feed(data)
        self.advance()
        if not self.closing and self._has_enough():
            self.hold_reading()

    def _throw_away(self, reader: Reader, data: bytes) -> None:
        """Throw away what comes behind the end, for a while: closing at once could cost the client its answer."""
        reader.thrown_bytes += len(data)
        if not self.closing:
            self.hold_reading()
        elif reader.thrown_bytes > self.parts.limits.max_discarded_bytes:
            self.transport.abort()

    # --- answers, in order ---

    def advance(self) -> None:
        """Answer the next exchange, as long as the client reads."""
        reader = self.reader
        if reader is None:
            return
        while self.active is None and self.writable and not self.closing:
            if not reader.queue and not reader.read_on():
                break
            item = reader.queue.popleft()
            if isinstance(item, Refusal):
                self.write_answer(error_answer(item.status, item.code, item.message, self.clock, close=True).data)
                self.close()
                return
            self.active = item
            self._begin(item)
        if self.closing:
            return
        if self.active is None and not reader.queue and not reader.rest:
            if self.eof or self.parts.stopping or reader.finished:
                self.close()
                return
            self.lane_open = self._may_use_lane() and not reader.in_head and reader.current is None
        self.let_read()

    def _begin(self, exchange: Exchange) -> None:
        """Answer at once with a page in memory, else in a task."""
        head = exchange.head
        if self.bound_host is not None and head.host.encode() != self.bound_host:
            self._fail(
                exchange, 421, "misdirected_request", f"This connection is for {self.bound_host.decode()} alone."
            )
            return
        if head.path == b"*" and self.peer_uid is None and not exchange.upgrade:
            fields = [(b"Content-Length", b"0"), (b"Allow", b"GET, HEAD, OPTIONS")]
            self.write_answer(make_head(200, fields, self.clock, close=self.must_close(exchange)))
            self.finish(exchange)
            return
        if self.front.relayed:
            self._begin_relayed(exchange)
            return
        if self._is_plain():
            exchange.task = self._start(self._run_plain(exchange))
            return
        if self.peer_uid is None and not exchange.upgrade:
            page = self.pages.get(head.raw_host + head.path)
            if page is not None:
                made = self._send_page(exchange, page, hit=True)
                if made is not None:
                    exchange.task = self._start(self._send_rest(exchange, page, made, hit=True))
                return
        exchange.task = self._start(self._run(exchange))

    def _begin_relayed(self, exchange: Exchange) -> None:
        """Ask the application: the other edge has looked for a page already."""
        try:
            exchange.origin = take_origin(exchange.head)
        except Refusal as refusal:
            self._fail(exchange, refusal.status, refusal.code, refusal.message)
            return
        if exchange.origin.scheme == REPORT:
            exchange.task = self._start(self._run_report(exchange))
        else:
            exchange.task = self._start(self._run_app(exchange))

    async def _run_report(self, exchange: Exchange) -> None:
        """Take what the other edge tells of itself."""
        if self.parts.report is None:
            self._fail(exchange, 404, "not_found", "Nobody takes reports here.")
            return
        await HttpCall(exchange, self).run(self.parts.report)
        self.finish(exchange)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.parts.loop.create_task(self._in_task(work))

    async def _in_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what an exchange takes, then go on with the next one."""
        try:
            await work
        except Exception:  # the connection must not wait for an answer that nobody gives any more
            log.exception("a request failed")
            self.abort()
        if not self.closing and self.upgraded is None:
            self.advance()

    async def _run_plain(self, exchange: Exchange) -> None:
        """Send the client to HTTPS, where its host has that (RFC 9110 15.4.9)."""
        head, to_https = exchange.head, self.parts.to_https
        location = None
        if to_https is not None and not self._is_from_here(head):
            location = await to_https(head.host, head.path, head.query)
        if location is None:
            await self._run(exchange)
        elif not self.closing:
            fields = [(b"Location", location), (b"Content-Length", b"0")]
            self.write_answer(make_head(308, fields, self.clock, close=self.must_close(exchange)))
            self.finish(exchange)

    def _is_from_here(self, head: Head) -> bool:
        """Tell whether a function of this server asks: it comes by the shortest way, and there is no other for it."""
        return not neighbourhood(self.client) and any(name == INSIDE for name, _ in head.fields)

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
            if page.keep and self._is_canonical(head):
                self.pages.put(head.raw_host + head.path, page)
            await self._send_whole(exchange, page)
        elif exchange.upgrade and self.parts.core is not None:
            await self._run_tunnel(exchange, self.parts.core)
        else:
            await self._run_app(exchange)

    async def _run_app(self, exchange: Exchange) -> None:
        """Ask the application for an answer."""
        if exchange.upgrade:
            await self._run_websocket(exchange)
            return
        call = HttpCall(exchange, self)
        await call.run(self.parts.app)
        if call.page is not None and not call.started and not self.closing:
            await self._send_whole(exchange, call.page)
            return
        self._count_call(exchange, call)
        self.finish(exchange)

    async def _run_tunnel(self, exchange: Exchange, core: Path) -> None:
        """Let another edge go on with the connection."""
        assert self.reader is not None
        tunnel = Tunnel(exchange, self, core)
        self.upgraded = tunnel
        try:
            await tunnel.run(self.reader.take_rest())
        except CoreUnavailable as error:
            self.upgraded = None
            self._fail(exchange, error.status, error.code, error.message)
            self.close()

    async def _send_whole(self, exchange: Exchange, page: Page) -> None:
        made = self._send_page(exchange, page, hit=False)
        if made is not None:
            await self._send_rest(exchange, page, made, hit=False)

    def _resolve_failed(self, exchange: Exchange, error: Exception) -> None:
        status, code, message = INTERNAL_ERROR
        if isinstance(error, FaztError):
            status, code, message = error.status, error.code, error.message
        else:
            log.error("resolving %s failed", exchange.head.path.decode("latin-1"), exc_info=error)
        self._fail(exchange, status, code, message)

    def _fail(self, exchange: Exchange, status: int, code: str, message: str) -> None:
        bodyless = exchange.head.method == b"HEAD"
        close = self.must_close(exchange)
        self.write_answer(error_answer(status, code, message, self.clock, close=close, bodyless=bodyless).data)
        self.finish(exchange)

    def _is_canonical(self, head: Head) -> bool:
        """Tell whether the host was spelled in its one form, so that spellings cannot fill the cache."""
        host = head.host.encode()
        return head.raw_host in (host, b"%s:%d" % (host, self.front.port))

    async def _run_websocket(self, exchange: Exchange) -> None:
        assert self.reader is not None
        call = self.upgraded = WebSocketCall(exchange, self)
        await call.run(self.parts.app, self.reader.take_rest())
        self._count_call(exchange, call)

    def must_close(self, exchange: Exchange) -> bool:
        """Tell whether the connection ends behind this answer (RFC 9112 9.3).

        It does where a body is not here yet that may be too long to be read for nothing, or that will not come.
        """
        if not exchange.complete:
            left = None if exchange.head.content_length is None else exchange.head.content_length - exchange.received
            waits = exchange.head.expects_continue and not exchange.continued
            if waits or exchange.disconnected or left is None or left > self.parts.limits.max_discarded_bytes:
                exchange.closes = True
        if not exchange.head.keep_alive or self.parts.stopping or exchange.refusal is not None:
            exchange.closes = True
        return exchange.closes

    def finish(self, exchange: Exchange) -> None:
        """End an exchange; whoever called goes on with `advance`."""
        exchange.task = None
        if self.active is not exchange or self.closing:
            return
        self.active = None
        self.answered_at = self.clock.monotonic
        if not exchange.complete:
            exchange.discarded = True
            exchange.body.clear()
        if exchange.closes or exchange.refusal is not None:
            self.close()
        elif exchange.upgrade and self.reader is not None:
            self.reader.refuse_upgrade(exchange)

    # --- pages ---

    def _send_page(self, exchange: Exchange, page: Page, *, hit: bool) -> Answer | None:
        """Send what can be sent at once; return the answer where some of it is left to be sent."""
        made = answer(page, exchange.head, self.clock, close=self.must_close(exchange))
        if self.extra_field is not None:
            made.data = add_field(made.data, self.extra_field)
        if not made.pieces:
            self.write(made.data)
        else:
            if self.sender is None:
                self.sender = BodySender(self)
            try:
                if not self.sender.send_at_once(made):
                    return made
            except OSError as error:
                self._sending_failed(exchange, error)
                return None
        self._count(exchange, page.site.name, made.status, made.body_bytes, hit=hit, marks=page.marks)
        self.finish(exchange)
        return None

    async def _send_rest(self, exchange: Exchange, page: Page, made: Answer, *, hit: bool) -> None:
        assert self.sender is not None
        try:
            await self.sender.send(made)
        except (OSError, FaztError) as error:
            self._sending_failed(exchange, error)
            return
        self._count(exchange, page.site.name, made.status, made.body_bytes, hit=hit, marks=page.marks)
        self.finish(exchange)

    def _sending_failed(self, exchange: Exchange, error: Exception) -> None:
        """Cut the connection: half an answer must not look whole."""
        if not isinstance(error, ConnectionError):
            log.error("sending %s stopped: %s", exchange.head.path.decode("latin-1"), error)
        self.abort()

    # --- records ---

    def _count_call(self, exchange: Exchange, call: HttpCall | WebSocketCall) -> None:
        """Count what the application answered, where it said which site that was for."""
        site = call.scope["extensions"]["fazt"]["site"]
        if site is not None and call.status:
            marks = MARK_HTML if isinstance(call, HttpCall) and is_html(call.fields) else 0
            self._count(exchange, site, call.status, call.body_bytes, hit=False, marks=marks)

    def _count(self, exchange: Exchange, site: str, status: int, body_bytes: int, *, hit: bool, marks: int) -> None:
        duration = time.monotonic_ns() - exchange.started_ns
        state = self.pages.site(site)
        state.count(status, body_bytes, duration, hit)
        head = exchange.head
        key = head.raw_host + head.path
        referer, agent, said = read_notes(head.fields)
        record = (key, len(head.raw_host), status, body_bytes, duration, hit, referer, agent, marks | said)
        self.ring.add(state, self.client_of(exchange), head.method, *record)

    # --- bytes out ---

    def write(self, data: bytes) -> None:
        """Send bytes through the transport, behind everything before them."""
        if not self.closing:
            self.transport_used = True
            self.transport.write(data)

    def write_answer(self, data: bytes) -> None:
        """Send bytes that begin with the head of an answer."""
        self.write(data if self.extra_field is None else add_field(data, self.extra_field))

    async def drain(self) -> None:
        """Wait until the client has room for more.

        Raises: ConnectionResetError where it went away.
        """
        while not self.writable and not self.closing:
            if self.room is None:
                self.room = asyncio.Event()
            self.room.clear()
            await self.room.wait()
        if self.closing:
            raise ConnectionResetError("the client went away")

    def close(self) -> None:
        """Close behind what was written; a client that still sends gets time to read it (RFC 9112 9.6)."""
        self.lane_open = False
        if self.closing:
            return
        self.closing = True
        reader = self.reader
        may_send = reader is not None and (reader.finished or reader.upgrading or reader.current is not None)
        if self.eof or not may_send or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._resume_reading()

    # --- reading, paused and resumed ---

    def hold_reading(self) -> None:
        """Stop reading while there is enough to do."""
        if not self.paused and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def let_read(self) -> None:
        """Read on, unless too much waits already."""
        if not self._has_enough():
            self._resume_reading()

    def _has_enough(self) -> bool:
        """Tell whether another request waits behind the one being answered, or too much of a body."""
        reader = self.reader
        if reader is None or self.upgraded is not None:
            return False
        if reader.rest or len(reader.queue) > (self.active is None):
            return True
        body = reader.current
        return body is not None and len(body.body) > self.parts.limits.receive_buffer_bytes

    def _resume_reading(self) -> None:
        if self.paused and not self.transport.is_closing():
            self.paused = False
            self.transport.resume_reading()
