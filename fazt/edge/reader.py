"""Bytes of one connection -> requests, over httptools: framing, sizes, and where reading has to end (RFC 9112).

Rule: on any doubt about where a message ends nothing behind it is read, and the refusal waits its turn behind the
requests before it. What has no room in the queue stays unread, so that a flood of tiny requests costs no more memory
than its bytes.
"""

import time
from collections import deque
from typing import Any

import httptools

from fazt.edge.exchange import Exchange
from fazt.edge.limits import Limits
from fazt.edge.request import Refusal, bad, read_head
from fazt.edge.websocket import is_handshake

MAX_FRAMING = 9  # received bytes for one byte of a body: chunks of one byte, written as tersely as they can be, take 6
PIECE_BYTES = 4096  # parsed at once; sizes are looked at in between


class Reader:
    """What one connection has received and not answered yet; httptools calls the methods that begin with `on_`."""

    __slots__ = (
        "current",
        "fields",
        "finished",
        "framing_bytes",
        "head_bytes",
        "head_fed",
        "in_head",
        "limits",
        "parser",
        "queue",
        "rest",
        "resuming",
        "started_at",
        "started_ns",
        "target",
        "thrown_bytes",
        "upgrading",
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.parser: Any = httptools.HttpRequestParser(self)
        self.queue: deque[Exchange | Refusal] = deque()
        self.current: Exchange | None = None  # the exchange whose body is being received
        self.rest = b""  # not parsed yet
        self.in_head = False
        self.finished = False  # nothing more is read
        self.resuming = False  # the parser is being told of a body that it left out
        self.upgrading = False  # what follows may be meant for another protocol
        self.fields: list[tuple[bytes, bytes]] = []
        self.target = b""
        self.head_bytes = self.head_fed = self.framing_bytes = self.thrown_bytes = 0
        self.started_ns = 0
        self.started_at = 0.0

    # --- bytes in ---

    def feed(self, data: bytes) -> None:
        """Take bytes and read as far as there is room."""
        self.rest = self.rest + data if self.rest else data
        self.read_on()

    def read_on(self) -> bool:
        """Read what waits, as far as there is room; tell whether something is in the queue."""
        data, at = self.rest, 0
        self.rest = b""
        while at < len(data) and not self.finished and not self.upgrading:
            if len(self.queue) >= self.limits.max_pipelined:
                break
            at += self._parse(data[at : at + self._share()])
            self._check_sizes()
        if not self.finished:
            self.rest = data[at:]
        return bool(self.queue)

    def take_rest(self) -> bytes:
        """Hand over what came behind an upgrade; the other protocol reads on."""
        rest, self.rest = self.rest, b""
        self.finished = True
        self.parser = None  # a WebSocket may stay for days, and there may be many
        return rest

    def refuse_upgrade(self, exchange: Exchange) -> None:
        """Go on with HTTP where an upgrade was offered and is not taken (RFC 9110 7.8)."""
        self.upgrading = False
        self.finished = not exchange.head.keep_alive

    def refuse(self, refusal: Refusal) -> None:
        """Queue an error, or end the body that is being received with it; nothing that comes after it is read."""
        self.finished = True
        self.in_head = False
        self.rest = b""
        if self.current is not None:
            self.current.refusal = refusal
            self.current.head.keep_alive = False
            self.current.wake()
        else:
            self.queue.append(refusal)

    def _share(self) -> int:
        """Return how many bytes may be parsed at once: all of a body whose length is known, else a few."""
        body = self.current
        if body is None or body.head.content_length is None:
            return PIECE_BYTES
        return max(PIECE_BYTES, body.head.content_length - body.received)

    def _parse(self, data: bytes) -> int:
        """Give bytes to the parser; return how many of them it took."""
        if self.in_head:
            self.head_fed += len(data)
        elif self.current is not None:
            self.framing_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.parser = httptools.HttpRequestParser(self)  # the old one reads no further
            if self.current is not None:
                self._resume_body(self.current)
            return int(upgrade.args[0])
        except httptools.HttpParserError as error:
            if not self.finished:
                cause = error.__context__
                self.refuse(cause if isinstance(cause, Refusal) else bad(f"The request is malformed: {error}."))
        return len(data)

    def _resume_body(self, exchange: Exchange) -> None:
        """Let a new parser read the body of a request that offers an upgrade: the old one ends in front of it.

        Without this such a body would be read as the next request.
        """
        length = exchange.head.content_length
        framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
        self.resuming = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n\r\n" % framing)
        self.resuming = False

    def _check_sizes(self) -> None:
        """Hold what is not counted by the callbacks: unfinished fields, chunk extensions, trailers."""
        limits = self.limits
        if self.finished:
            return
        if self.in_head:
            if self.head_fed > limits.max_head_bytes:
                self.refuse(self._too_long())
        elif self.current is not None and (
            self.framing_bytes > limits.max_framing_bytes + MAX_FRAMING * self.current.received
        ):
            self.refuse(bad("The framing of the body is larger than it may be."))

    def _too_long(self) -> Refusal:
        limits = self.limits
        if not self.fields and (len(self.target) > limits.max_target_bytes or not self.target):
            return Refusal(414, "target_too_long", f"The target is longer than {limits.max_target_bytes} bytes.")
        return Refusal(431, "head_too_large", f"The head is larger than {limits.max_head_bytes} bytes.")

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """Begin a message."""
        if self.resuming:
            return
        if self.finished:
            raise bad("There is nothing after the last request.")
        self.in_head = True
        self.started_ns = time.monotonic_ns()
        self.started_at = self.started_ns / 1e9
        self.fields = []
        self.target = b""
        self.head_bytes = self.head_fed = 0

    def on_url(self, piece: bytes) -> None:
        """Join the pieces of the target."""
        if self.resuming:
            return
        self.target += piece
        self.head_bytes += len(piece)
        if len(self.target) > self.limits.max_target_bytes:
            raise self._too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; one of a trailer is only counted, by `_check_sizes`."""
        limits = self.limits
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
        if self.resuming:
            return
        self.in_head = False
        parser = self.parser
        head = read_head(
            parser.get_method(),
            self.target,
            parser.get_http_version(),
            self.fields,
            keep_alive=parser.should_keep_alive(),
        )
        limit = self.limits.max_body_bytes
        if head.content_length is not None and head.content_length > limit:
            raise Refusal(413, "too_large", f"A body may have {limit} bytes at most.")
        exchange = Exchange(head, self.started_ns, upgrade=bool(parser.should_upgrade()) and is_handshake(head))
        self.fields = []
        self.framing_bytes = 0
        if head.content_length != 0:
            self.started_at = time.monotonic()  # a slow head takes nothing off the body's time
        self.current = exchange
        self.queue.append(exchange)

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        exchange = self.current
        assert exchange is not None
        exchange.received += len(piece)
        if exchange.discarded:
            return
        if exchange.received > self.limits.max_body_bytes:
            raise Refusal(413, "too_large", f"A body may have {self.limits.max_body_bytes} bytes at most.")
        exchange.body += piece
        exchange.wake()

    def on_message_complete(self) -> None:
        """End a message."""
        exchange = self.current
        assert exchange is not None
        if exchange.head.content_length != 0 and self.parser.should_upgrade():
            return  # the body is still to come: `_resume_body`
        exchange.complete = True
        exchange.wake()
        self.current = None
        self.finished = not exchange.head.keep_alive
        self.upgrading = exchange.upgrade
