"""One request as ASGI: scope, receive, send (ASGI 3.0, HTTP 2.4).

Rule: whatever the application does, what goes out is one well-formed answer, or a closed connection.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote

from fazt._speedups.pages import Page
from fazt.edge.answer import error_answer, make_head
from fazt.edge.exchange import Connection, Exchange
from fazt.errors import FaztError

Message = MutableMapping[str, Any]
ASGIApplication = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

log = logging.getLogger("fazt.edge")
OURS = {b"date", b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"trailer", b"te", b"proxy-connection"}
INTERNAL_ERROR = (500, "internal_error", "Something went wrong on this server; its log says what.")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def checked_fields(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the fields of an answer without those that are the server's own.

    Raises: ValueError where a name is no token or a value could end its line (RFC 9110 5.5).
    """
    fields = []
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or _FORBIDDEN.search(value):
            raise ValueError(f"a field that cannot be sent: {name!r}: {value!r}")
        if name.lower() not in OURS:
            fields.append((name, value.strip(b" \t")))
    return fields


def scope_of(exchange: Exchange, protocol: Connection, kind: str) -> dict[str, Any]:
    """Return the ASGI scope of a request; `scope["extensions"]["fazt"]` says who and where."""
    head, origin = exchange.head, exchange.origin
    scheme, port = (protocol.front.scheme, protocol.front.port) if origin is None else (origin.scheme, origin.port)
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": head.version,
        "method": head.method.decode("ascii"),
        "scheme": scheme if kind == "http" else scheme.replace("http", "ws"),
        "path": unquote(head.path.decode("ascii"), errors="replace"),
        "raw_path": head.path,
        "query_string": head.query,
        "root_path": "",
        "headers": head.fields,
        "client": (protocol.client_of(exchange), protocol.client_port if origin is None else origin.client_port),
        "server": (head.host, port),
        "extensions": {
            "fazt": {
                "host": head.host,
                "authority": head.raw_host,
                "peer_uid": protocol.peer_uid,
                "site": None,
                "page": None,
            }
        },
    }


class HttpCall:
    """The application's side of one exchange."""

    __slots__ = (
        "body_bytes",
        "chunked",
        "exchange",
        "fields",
        "left",
        "protocol",
        "scope",
        "started",
        "status",
        "whole",
    )

    def __init__(self, exchange: Exchange, protocol: Connection) -> None:
        self.exchange = exchange
        self.protocol = protocol
        self.scope = scope_of(exchange, protocol, "http")
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.started = False  # the head is on its way
        self.whole = False  # the last byte of the answer is
        self.chunked = False
        self.left: int | None = None  # of the declared Content-Length
        self.body_bytes = 0

    async def run(self, app: ASGIApplication) -> None:
        """Call the application and see to it that an answer ends."""
        try:
            await app(self.scope, self.receive, self.send)
            if not self.whole and not self.exchange.disconnected and (self.page is None or self.started):
                raise RuntimeError("the application returned before its answer was whole")
        except FaztError as error:
            self._fail(error.status, error.code, error.message)
        except Exception as error:
            if isinstance(error, ConnectionResetError) and self._is_over():
                if not self.whole:
                    self.protocol.abort()
                return
            log.exception("%s %s failed", self.scope["method"], self.exchange.head.path.decode("latin-1"))
            self._fail(*INTERNAL_ERROR)

    @property
    def page(self) -> Page | None:
        """The page that the application handed over, to be sent in place of an answer of its own."""
        page: Page | None = self.scope["extensions"]["fazt"]["page"]
        return page

    def _is_over(self) -> bool:
        """Tell whether nobody waits for the answer any more, or it was an error and is on its way."""
        return self.exchange.disconnected or self.protocol.closing or self.exchange.refusal is not None

    def _fail(self, status: int, code: str, message: str) -> None:
        """Answer with an error where nothing was sent yet, else cut the connection: half must not look whole."""
        if self.whole:
            return
        if self.started:
            self.protocol.abort()
            return
        exchange = self.exchange
        close = self.protocol.must_close(exchange)
        bodyless = exchange.head.method == b"HEAD"
        self.started = self.whole = True
        made = error_answer(status, code, message, self.protocol.clock, close=close, bodyless=bodyless)
        self.status, self.body_bytes = status, made.body_bytes
        self.protocol.write_answer(made.data)

    async def receive(self) -> Message:
        """Return the next piece of the request's body, or http.disconnect once there is nothing more to come."""
        exchange = self.exchange
        if exchange.head.expects_continue and not exchange.continued and not self.started:
            exchange.continued = True
            if not exchange.received:
                self.protocol.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not exchange.disconnected:
            if exchange.refusal is not None:
                refusal = exchange.refusal
                self._fail(refusal.status, refusal.code, refusal.message)
                break
            if exchange.body or (exchange.complete and not exchange.end_told):
                piece = bytes(exchange.body)
                exchange.body.clear()
                exchange.end_told = exchange.complete
                self.protocol.let_read()
                return {"type": "http.request", "body": piece, "more_body": not exchange.complete}
            if self.whole or (self.protocol.eof and exchange.end_told):
                break  # whoever closes its half behind a request has most likely gone: it waits for no long answer
            await exchange.wait()
        return {"type": "http.disconnect", "fazt.reads_on": not exchange.disconnected}

    async def send(self, message: Message) -> None:
        """Take the next part of the answer; returns once the client has room for more."""
        if self.exchange.disconnected or (self.whole and self._is_over()):
            raise ConnectionResetError("the client went away")
        if message["type"] == "http.response.start":
            if self.status:
                raise RuntimeError("a second http.response.start")
            self._frame(message["status"], checked_fields(message.get("headers", ())))
            return
        if message["type"] != "http.response.body" or not self.status or self.whole:
            raise RuntimeError(f"{message['type']} does not belong here")
        self._write_body(message.get("body", b""), more=message.get("more_body", False))
        await self.protocol.drain()

    def _frame(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        """Decide how the end of the body is told (RFC 9112 6)."""
        head = self.exchange.head
        declared = [value for name, value in fields if name.lower() == b"content-length"]
        if not 200 <= status <= 999:
            raise ValueError(f"{status} is not the status of an answer")
        if len(declared) > 1 or not all(value.isdigit() for value in declared):
            raise ValueError(f"a Content-Length that cannot be sent: {declared}")
        if status in (204, 304) or head.method == b"HEAD":
            self.left = 0
            if status == 204:
                fields = [field for field in fields if field[0].lower() != b"content-length"]
        elif declared:
            self.left = int(declared[0])
        elif head.version == "1.1":
            self.chunked = True
            fields = [*fields, (b"Transfer-Encoding", b"chunked")]
        self.status, self.fields = status, fields

    def _write_body(self, body: bytes, *, more: bool) -> None:
        bodyless = self.exchange.head.method == b"HEAD" or self.status in (204, 304)
        if bodyless:
            body = b""
        if self.left is not None:
            if len(body) > self.left or (not more and len(body) < self.left):
                raise RuntimeError("the body is not as long as its Content-Length")
            self.left -= len(body)
        self.body_bytes += len(body)
        out, write = [], self.protocol.write
        if not self.started:
            self.started, write = True, self.protocol.write_answer
            close = self.protocol.must_close(self.exchange)
            out.append(make_head(self.status, self.fields, self.protocol.clock, close=close))
        if self.chunked:
            if body:
                out += [b"%x\r\n" % len(body), body, b"\r\n"]
            if not more:
                out.append(b"0\r\n\r\n")
        else:
            out.append(body)
        write(b"".join(out))
        if not more:
            self.whole = True
            self.exchange.wake()  # whoever waits in `receive` learns that it is over
