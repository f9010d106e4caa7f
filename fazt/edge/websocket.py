"""One WebSocket as ASGI, over the sans-I/O protocol of the `websockets` library (RFC 6455, RFC 7692).

Rule: the library decides what is legal; this module moves bytes and messages and holds both back when nobody reads.
"""

import asyncio
import logging
from collections import deque
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from fazt.edge.answer import error_answer
from fazt.edge.asgi import ASGIApplication, Message, checked_fields, scope_of
from fazt.edge.exchange import Connection, Exchange
from fazt.edge.request import Head

log = logging.getLogger("fazt.edge")
MAX_WAITING = 32  # messages; with more, reading pauses
CLOSE_TIMEOUT_S = 5.0


def is_handshake(head: Head) -> bool:
    """Tell whether a request asks for a WebSocket (RFC 6455 4.1); what is wrong with it is told by the library."""
    if head.method != b"GET" or head.version != "1.1" or head.content_length != 0:
        return False
    values = head.first()
    return values.get(b"upgrade", b"").lower() == b"websocket" and b"sec-websocket-key" in values


class WebSocketCall:
    """The application's side of one WebSocket."""

    def __init__(self, exchange: Exchange, protocol: Connection) -> None:
        self._exchange = exchange
        self._protocol = protocol
        limit = protocol.parts.limits.max_message_bytes
        self._sans_io = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()], max_size=limit)
        self._messages: deque[Message] = deque()
        self._fragments: list[bytes] = []
        self._text = False
        self._waiter: asyncio.Future[None] | None = None
        self._told = False  # the application knows that it is over
        self._accepted = False
        self._heard_at = protocol.clock.monotonic
        self._pinged = False
        self._close_by = 0.0
        head = exchange.head
        headers = Headers()
        for name, value in head.fields:
            headers[name.decode("ascii")] = value.decode("latin-1")
        target = head.path + (b"?" + head.query if head.has_query else b"")
        self._request = Request(target.decode("ascii"), headers)
        self._scope = scope_of(exchange, protocol, "websocket")
        offered = head.first().get(b"sec-websocket-protocol", b"").decode("latin-1")
        self._scope["subprotocols"] = [name.strip() for name in offered.split(",") if name.strip()]

    async def run(self, app: ASGIApplication, rest: bytes) -> None:
        """Call the application; `rest` came behind the handshake."""
        self._sans_io.receive_data(self._request.serialize())
        self._sans_io.events_received()
        self._response = self._sans_io.accept(self._request)
        if self._response.status_code != 101:
            self._refuse_with(self._response.status_code, "The handshake is not valid.")
            return
        self._messages.append({"type": "websocket.connect"})
        self._rest = rest
        try:
            await app(self._scope, self.receive, self.send)
        except ConnectionResetError:
            self._protocol.abort()
        except Exception:
            log.exception("the WebSocket %s failed", self._exchange.head.path.decode("latin-1"))
            self._end(CloseCode.INTERNAL_ERROR)
        else:
            self._end(CloseCode.NORMAL_CLOSURE)
        self._told = True

    def _end(self, code: int) -> None:
        """Close from this side, with 403 where the handshake was never accepted."""
        if not self._accepted:
            self._refuse_with(403, "The WebSocket was not accepted.")
        elif self._sans_io.state is State.OPEN:
            self._sans_io.send_close(code)
            self._flush()

    def _refuse_with(self, status: int, message: str) -> None:
        if self._told or self._protocol.closing:
            return
        self._told = True
        made = error_answer(status, "websocket_refused", message, self._protocol.clock, close=True)
        self._protocol.write(made.data)
        self._protocol.transport.close()

    async def receive(self) -> Message:
        """Return the next message of the client, or the end."""
        while not self._messages:
            if self._told:
                raise ConnectionResetError("the WebSocket is closed")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        message = self._messages.popleft()
        if message["type"] == "websocket.disconnect":
            self._told = True
        if len(self._messages) < MAX_WAITING:
            self._protocol.let_read()
        return message

    async def send(self, message: Message) -> None:
        """Take a message of the application; returns once the client has room for more."""
        if self._protocol.closing:
            raise ConnectionResetError("the client went away")
        kind = message["type"]
        if not self._accepted:
            if kind == "websocket.accept":
                self._accept(message)
            elif kind == "websocket.close":
                self._refuse_with(403, "The WebSocket was not accepted.")
            else:
                raise RuntimeError(f"{kind} does not belong before websocket.accept")
            return
        try:
            if kind == "websocket.close":
                self._sans_io.send_close(message.get("code", 1000), message.get("reason") or "")
            elif message.get("bytes") is not None:
                self._sans_io.send_binary(message["bytes"])
            else:
                self._sans_io.send_text(message["text"].encode())
        except InvalidState as error:
            raise ConnectionResetError("the WebSocket is closed") from error
        self._flush()
        await self._protocol.drain()

    def _accept(self, message: Message) -> None:
        self._accepted = True
        if message.get("subprotocol"):
            self._response.headers["Sec-WebSocket-Protocol"] = message["subprotocol"]
        for name, value in checked_fields(message.get("headers", ())):
            self._response.headers[name.decode("ascii")] = value.decode("latin-1")
        self._sans_io.send_response(self._response)
        self._flush()
        if self._rest:
            self.feed(self._rest)

    # --- called by the protocol ---

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""
        if not self._accepted:
            self._rest += data
            if len(self._rest) > self._protocol.parts.limits.max_message_bytes:
                self._protocol.abort()
            return
        self._heard_at = self._protocol.clock.monotonic
        self._pinged = False
        self._sans_io.receive_data(data)
        self._take_events()
        if not self._protocol.closing:
            self._flush()

    def eof(self) -> None:
        """Take the end of what the client sends."""
        if self._accepted:
            self._sans_io.receive_eof()
            self._take_events()

    def lost(self) -> None:
        """Tell the application that the connection is gone."""
        self._tell({"type": "websocket.disconnect", "code": int(self._sans_io.close_code or 1006)})

    def close(self) -> None:
        """Close because the server stops."""
        if self._accepted and self._sans_io.state is State.OPEN:
            self._sans_io.send_close(CloseCode.GOING_AWAY, "the server stops")
            self._flush()

    def check(self, now: float) -> None:
        """Ask a silent client whether it is still there, and cut one that does not answer."""
        quiet = now - self._heard_at
        interval = self._protocol.parts.limits.websocket_ping_s
        if self._sans_io.state is State.CLOSING:
            self._close_by = self._close_by or now + CLOSE_TIMEOUT_S
            if now > self._close_by:
                self._protocol.abort()
        elif self._accepted and quiet > 2 * interval:
            self._protocol.abort()
        elif self._accepted and quiet > interval and not self._pinged:
            self._pinged = True
            self._sans_io.send_ping(b"")
            self._flush()

    # --- between the library and the two sides ---

    def _take_events(self) -> None:
        for event in self._sans_io.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
        if self._sans_io.state is State.CLOSED or self._sans_io.close_rcvd is not None:
            self._tell({"type": "websocket.disconnect", "code": int(self._sans_io.close_code or 1005)})

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text = frame.opcode is Opcode.TEXT
            self._fragments = []
        elif frame.opcode is not Opcode.CONT:
            return
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            return
        data = b"".join(self._fragments)
        self._fragments = []
        message: dict[str, Any] = {"type": "websocket.receive", "bytes": None, "text": None}
        if self._text:
            try:
                message["text"] = data.decode()
            except UnicodeDecodeError:
                self._sans_io.fail(CloseCode.INVALID_DATA, "not UTF-8")
                return
        else:
            message["bytes"] = data
        self._tell(message)

    def _tell(self, message: Message) -> None:
        last = self._messages[-1]["type"] if self._messages else ""
        if not self._told and last != "websocket.disconnect":
            self._messages.append(message)
            if len(self._messages) >= MAX_WAITING:
                self._protocol.hold_reading()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _flush(self) -> None:
        """Write what the library wants to send; an empty piece is its end of file."""
        for piece in self._sans_io.data_to_send():
            if piece:
                self._protocol.write(piece)
            else:
                self._protocol.transport.close()
        if not self._protocol.writable:
            self._protocol.hold_reading()  # a client that pings and never reads fills nobody's memory
