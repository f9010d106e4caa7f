"""A connection that another edge goes on with: the handshake of a WebSocket is handed on, then bytes both ways.

Rule: what one side does not read, the other is not asked for.
"""

import asyncio
from pathlib import Path
from typing import cast

from fazt.edge.exchange import Connection, Exchange
from fazt.edge.relay import Origin, origin_field, relayed_target, without_relay
from fazt.errors import CoreUnavailable


class Tunnel(asyncio.Protocol):
    """The bytes of one client on their way to another edge and back."""

    def __init__(self, exchange: Exchange, protocol: Connection, path: Path) -> None:
        self._exchange = exchange
        self._protocol = protocol
        self._path = str(path)
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()  # from the client, until the other side is there
        self._ended = False

    async def run(self, rest: bytes) -> None:
        """Begin; `rest` came behind the handshake. Raises: CoreUnavailable."""
        self._waiting += rest
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, self._path)
        except OSError:
            raise CoreUnavailable from None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        if self._ended:
            self._transport.abort()
            return
        self._transport.write(self._head() + bytes(self._waiting))
        self._waiting.clear()
        self._protocol.let_read()

    def _head(self) -> bytes:
        head, protocol, exchange = self._exchange.head, self._protocol, self._exchange
        front = protocol.front
        origin = Origin(protocol.client_of(exchange), protocol.client_port, front.scheme, front.port)
        target = head.path + (b"?" + head.query if head.has_query else b"")
        target = relayed_target(target, head.raw_host, head.fields)
        lines = [b"%s %s HTTP/1.1\r\n" % (head.method, target)]
        lines += [b"%s: %s\r\n" % field for field in without_relay(head.fields)]
        lines.append(b"%s: %s\r\n\r\n" % origin_field(origin))
        return b"".join(lines)

    # --- from the other side ---

    def data_received(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._protocol.write(data)
        if not self._protocol.writable and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """End."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Close the client's side behind what was sent."""
        self._transport = None
        if not self._ended:
            self._ended = True
            self._protocol.close()

    def pause_writing(self) -> None:
        """Let the client wait."""
        self._protocol.hold_reading()

    def resume_writing(self) -> None:
        """Read on from the client."""
        self._protocol.let_read()

    # --- from the client, as its connection calls it ---

    def feed(self, data: bytes) -> None:
        """Hand bytes on."""
        if self._transport is None:
            self._waiting += data
            self._protocol.hold_reading()
        else:
            self._transport.write(data)

    def read_on(self) -> None:
        """The client has read: there is room for more."""
        if self._transport is not None:
            self._transport.resume_reading()

    def eof(self) -> None:
        """The client sends no more."""
        self._end()

    def lost(self) -> None:
        """The client is gone."""
        self._end()

    def close(self) -> None:
        """The server stops: the other side says so to its application, and ends the connection."""

    def check(self, now: float) -> None:
        """Times are looked at by the other side."""

    def _end(self) -> None:
        self._ended = True
        if self._transport is not None:
            self._transport.close()
