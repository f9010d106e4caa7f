"""One WebSocket as ASGI, over the sans-I/O protocol of the `websockets` library (RFC 6455, RFC 7692).

Beside ASGI's own messages, `scope["extensions"]["fazt"]` has two plain functions for what goes to many clients at once:
`websocket.post(frame: bytes) -> bool` sends a frame that is framed already and never waits, and
`websocket.close(code, reason)` ends the WebSocket from outside of the application's task. `"compress": False` in
websocket.accept saves 32 KiB a connection.

Rule: the library decides what is legal; this module moves bytes and messages and holds both back when nobody reads.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader, InvalidState
from websockets.extensions import Extension, ServerExtensionFactory
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode, Frame, Opcode
from websockets.headers import parse_extension
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol

from fazt.edge.answer import error_answer
from fazt.edge.asgi import ASGIApplication, Message, checked_fields, scope_of
from fazt.edge.exchange import Connection, Exchange
from fazt.edge.request import Head

log = logging.getLogger("fazt.edge")
MAX_WAITING = 32  # messages; with more, reading pauses
PIECE_BYTES = 4096  # read at once; compressed, it can still hold a thousand times as much
CLOSE_TIMEOUT_S = 5.0
POST_BYTES = 262_144  # of posted frames that may wait for one client, with one more behind them
POST_MESSAGES = 1_024  # of them, by estimate: each costs memory beside its bytes
# Small windows: 32 KiB of memory for each side of a connection instead of 300
DEFLATE = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)


def is_handshake(head: Head) -> bool:
    """Tell whether a request asks for a WebSocket (RFC 6455 4.1); what is wrong with it is told by the library."""
    if head.method != b"GET" or head.version != "1.1" or head.content_length != 0:
        return False
    values = head.first()
    return values.get(b"upgrade", b"").lower() == b"websocket" and b"sec-websocket-key" in values


class WebSocketCall:
    """The application's side of one WebSocket."""

    __slots__ = (
        "_close_by",
        "_exchange",
        "_failed",
        "_fragments",
        "_heard_at",
        "_is_text",
        "_messages",
        "_pinged",
        "_posted",
        "_posted_bytes",
        "_protocol",
        "_response",
        "_rest",
        "_sans_io",
        "_told",
        "_waiters",
        "_waiting_bytes",
        "body_bytes",
        "scope",
        "status",
    )

    def __init__(self, exchange: Exchange, protocol: Connection) -> None:
        self._exchange = exchange
        self._protocol = protocol
        # It only speaks of frames: what the library keeps of a handshake would be a third of an idle connection.
        limit = protocol.parts.limits.max_message_bytes
        self._sans_io = Protocol(Side.SERVER, state=State.CONNECTING, max_size=limit)
        self._response: Response | None = None  # of the handshake, until it is sent
        self._rest = bytearray()  # received and not read yet
        self._messages: list[Message] = []  # for the application; few
        self._waiting_bytes = 0  # in `_messages`
        self._fragments = bytearray()
        self._is_text = False
        self._waiters: list[asyncio.Future[None]] = []  # of calls of `receive`
        self._failed = False  # what the client sent was not legal
        self._told = False  # the application knows that it is over
        self._heard_at = protocol.clock.monotonic
        self._pinged = False
        self._close_by = 0.0
        self._posted = self._posted_bytes = 0  # frames, since none waited
        self.status = 0
        self.body_bytes = 0  # sent in messages
        self.scope = scope_of(exchange, protocol, "websocket")
        offered = exchange.head.first().get(b"sec-websocket-protocol", b"").decode("latin-1")
        self.scope["subprotocols"] = [name.strip() for name in offered.split(",") if name.strip()]

    async def run(self, app: ASGIApplication, rest: bytes) -> None:
        """Call the application; `rest` came behind the handshake."""
        self._rest += rest
        self._response, _ = self._shake_hands(())
        if self._response is None:
            self._refuse(426, "The handshake is not valid.", [(b"Sec-WebSocket-Version", b"13")])
            return
        self._messages.append({"type": "websocket.connect"})
        extension = self.scope["extensions"]["fazt"]
        extension |= {"websocket.post": self.post, "websocket.close": self.hang_up}
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as error:
            if isinstance(error, ConnectionResetError) and (self._told or self._sans_io.state is not State.OPEN):
                return  # the application learned of the end by sending
            log.exception("the WebSocket %s failed", self._exchange.head.path.decode("latin-1"))
            self._end(CloseCode.INTERNAL_ERROR)
        else:
            self._end(CloseCode.NORMAL_CLOSURE)
        finally:
            self._told = True
        self.read_on()  # the closing handshake is still to come

    def _shake_hands(self, extensions: Sequence[ServerExtensionFactory]) -> tuple[Response | None, list[Extension]]:
        """Let the library look at the handshake: its answer, None where it is not valid, and what was agreed on."""
        head = self._exchange.head
        headers = Headers()
        for name, value in head.fields:
            headers[name.decode("ascii")] = value.decode("latin-1")
        try:
            for offer in headers.get_all("Sec-WebSocket-Extensions"):
                parse_extension(offer)
        except InvalidHeader:
            return None, []
        target = head.path + (b"?" + head.query if head.has_query else b"")
        server = ServerProtocol(extensions=extensions)
        response = server.accept(Request(target.decode("ascii"), headers))
        return (response, server.extensions) if response.status_code == 101 else (None, [])

    def _end(self, code: int) -> None:
        """Close from this side, with 403 where the handshake was never accepted."""
        if not self.status:
            self._refuse(403, "The WebSocket was not accepted.")
        elif self._sans_io.state is State.OPEN:
            self._sans_io.send_close(code)
            self._flush()

    def _refuse(self, status: int, message: str, fields: Sequence[tuple[bytes, bytes]] = ()) -> None:
        if self._protocol.closing:
            return
        self._told = True
        self.status = status
        made = error_answer(status, "websocket_refused", message, self._protocol.clock, close=True, fields=fields)
        self._protocol.write(made.data)
        self._protocol.close()

    # --- called by the application ---

    async def receive(self) -> Message:
        """Return the next message of the client, or the end.

        Raises: ConnectionResetError where the end was told already.
        """
        while not self._messages:
            if self._told:
                raise ConnectionResetError("the WebSocket is closed")
            waiter = self._protocol.parts.loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                self._waiters.remove(waiter)
        message = self._messages.pop(0)
        self._waiting_bytes -= _size(message)
        if message["type"] == "websocket.disconnect":
            self._told = True
        self.read_on()
        return message

    async def send(self, message: Message) -> None:
        """Take a message of the application; returns once the client has room for more.

        Raises: ConnectionResetError where the WebSocket is closed.
        """
        if self._protocol.closing:
            raise ConnectionResetError("the client went away")
        kind = message["type"]
        if not self.status:
            self._answer_handshake(kind, message)
            return
        try:
            if kind == "websocket.close":
                self._sans_io.send_close(message.get("code", 1000), message.get("reason") or "")
            elif kind != "websocket.send":
                raise RuntimeError(f"{kind} does not belong behind websocket.accept")
            elif message.get("bytes") is not None:
                self._sans_io.send_binary(message["bytes"])
                self.body_bytes += len(message["bytes"])
            else:
                data = message["text"].encode()
                self._sans_io.send_text(data)
                self.body_bytes += len(data)
        except InvalidState as error:
            raise ConnectionResetError("the WebSocket is closed") from error
        self._flush()
        await self._protocol.drain()

    def _answer_handshake(self, kind: str, message: Message) -> None:
        if kind == "websocket.close":
            self._refuse(403, "The WebSocket was not accepted.")
            return
        if kind != "websocket.accept":
            raise RuntimeError(f"{kind} does not belong before websocket.accept")
        fields = checked_fields(message.get("headers") or ())
        response, self._response = self._response, None
        offered = any(name == b"sec-websocket-extensions" for name, _ in self._exchange.head.fields)
        if offered and message.get("compress", True):  # only now: what it needs for each connection is much
            response, self._sans_io.extensions = self._shake_hands([DEFLATE])
        assert response is not None, "it was valid before the application was called"
        if message.get("subprotocol"):
            response.headers["Sec-WebSocket-Protocol"] = message["subprotocol"]
        for name, value in fields:
            response.headers[name.decode("ascii")] = value.decode("latin-1")
        self.status = 101
        self._sans_io.state = State.OPEN
        self._protocol.write(response.serialize())
        self._exchange.head.fields = []  # the scope has them; who holds many connections lets go of them there
        self.read_on()

    def post(self, frame: bytes) -> bool:
        """Send a whole frame of a server (RFC 6455 5.2: not masked) that is the same for many clients; never wait.

        False: not sent, since too much waits for this client already, or it is gone.
        """
        protocol = self._protocol
        if self._sans_io.state is not State.OPEN or protocol.closing:
            return False
        waiting = protocol.transport.get_write_buffer_size()
        if waiting:
            if waiting > POST_BYTES or self._posted * waiting > POST_MESSAGES * self._posted_bytes > 0:
                return False
            if self._posted_bytes > 4 * POST_BYTES:  # what was long ago says little about what waits now
                self._posted >>= 1
                self._posted_bytes >>= 1
        else:
            self._posted = self._posted_bytes = 0
        self._posted += 1
        self._posted_bytes += len(frame)
        self.body_bytes += len(frame)
        protocol.write(frame)
        return True

    def hang_up(self, code: int, reason: str = "") -> None:
        """Close behind what was sent; the application is told at once, without waiting for the client's answer."""
        if self._sans_io.state is State.OPEN and not self._protocol.closing:
            self._sans_io.send_close(code, reason)
            self._flush()
            self._tell({"type": "websocket.disconnect", "code": code, "reason": reason})

    # --- called by the protocol ---

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._heard_at = self._protocol.clock.monotonic
        self._pinged = False
        self._rest += data
        self.read_on()

    def read_on(self) -> None:
        """Read what waits, as long as the application takes messages and the client takes answers to its pings."""
        while self._rest and self._has_room() and not self._protocol.closing:
            piece = bytes(self._rest[:PIECE_BYTES])
            del self._rest[:PIECE_BYTES]
            self._sans_io.receive_data(piece)
            self._take_events()
            self._flush()
        if self._rest:
            self._protocol.hold_reading()
        else:
            self._protocol.let_read()

    def eof(self) -> None:
        """Take the end of what the client sends."""
        if self.status == 101:
            self._sans_io.receive_eof()
            self._take_events()

    def lost(self) -> None:
        """Tell the application that the connection is gone."""
        self._tell_end()

    def close(self) -> None:
        """Close because the server stops."""
        if self._sans_io.state is State.OPEN:
            self._sans_io.send_close(CloseCode.GOING_AWAY, "the server stops")
            self._flush()

    def check(self, now: float) -> None:
        """Ask a silent client whether it is still there, and cut one that does not answer."""
        interval = self._protocol.parts.limits.websocket_ping_s
        if self._rest:
            self._heard_at = now  # what it said waits to be read
        quiet = now - self._heard_at
        if self._sans_io.state is State.CLOSING:
            # What waits in front of the close frame gets the time that a slow reader has.
            waits = self._protocol.transport.get_write_buffer_size() > 0
            limits = self._protocol.parts.limits
            self._close_by = self._close_by or now + (limits.write_timeout_s if waits else CLOSE_TIMEOUT_S)
            if now > self._close_by:
                self._protocol.abort()
        elif self._sans_io.state is State.OPEN and quiet > 2 * interval:
            self._protocol.abort()
        elif self._sans_io.state is State.OPEN and quiet > interval and not self._pinged:
            self._pinged = True
            self._sans_io.send_ping(b"")
            self._flush()

    # --- between the library and the two sides ---

    def _has_room(self) -> bool:
        """Tell whether one more piece may be read: it can hold a few messages, or many pings to be answered."""
        if self._told:  # messages go nowhere now; only the closing handshake counts
            return self._protocol.writable
        full = (
            len(self._messages) >= MAX_WAITING
            or self._waiting_bytes >= self._protocol.parts.limits.receive_buffer_bytes
        )
        return self.status == 101 and self._protocol.writable and not full

    def _take_events(self) -> None:
        for event in self._sans_io.events_received():
            if isinstance(event, Frame) and not self._failed:
                self._take_frame(event)
        if self._sans_io.state is State.CLOSED or self._sans_io.close_rcvd is not None:
            self._tell_end()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._fragments += frame.data
        if not frame.fin:
            return
        data = bytes(self._fragments)
        self._fragments.clear()
        message: dict[str, Any] = {"type": "websocket.receive", "bytes": None, "text": None}
        if self._is_text:
            try:
                message["text"] = data.decode()
            except UnicodeDecodeError:
                self._failed = True
                self._sans_io.fail(CloseCode.INVALID_DATA, "not UTF-8")
                return
        else:
            message["bytes"] = data
        self._tell(message)

    def _tell_end(self) -> None:
        received = self._sans_io.close_rcvd
        code = int(CloseCode.ABNORMAL_CLOSURE) if received is None else int(received.code)
        reason = "" if received is None else received.reason
        self._tell({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _tell(self, message: Message) -> None:
        last = self._messages[-1]["type"] if self._messages else ""
        if not self._told and last != "websocket.disconnect":
            self._messages.append(message)
            self._waiting_bytes += _size(message)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _flush(self) -> None:
        """Write what the library wants to send; an empty piece is its end of file."""
        for piece in self._sans_io.data_to_send():
            if piece:
                self._protocol.write(piece)
            else:
                self._protocol.close()


def _size(message: Message) -> int:
    return len(message.get("bytes") or message.get("text") or b"")
