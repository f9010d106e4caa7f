"""HTTPS: a ClientHello is looked at, a certificate chosen by it, and the connection handed to TLS as it came.

The look leaves the bytes where they are (MSG_PEEK), so that the handshake is OpenSSL's alone from its first byte.
Rule: a name that nobody has a certificate for is refused, and no other one's certificate is shown in its place.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from aiofastnet import Transport, connect_accepted_socket

from fazt.edge.client_hello import MAX_HELLO_BYTES, Hello, NotTls, read_hello
from fazt.edge.parts import Front, Parts, neighbourhood
from fazt.edge.protocol import HttpProtocol
from fazt.errors import FaztError

log = logging.getLogger("fazt.edge")
# (host, protocols by ALPN) -> what TLS is begun with; None: nobody has a certificate for that name
ChooseContext = Callable[[str, Sequence[bytes]], Awaitable[ssl.SSLContext | None]]
ACME_PROTOCOL = b"acme-tls/1"  # RFC 8737: a handshake and nothing else
ACCEPTS_AT_ONCE = 64
FULL_PAUSE_S = 0.5  # where there is no descriptor left
CLOSE_S = 1.0  # in which a client answers that a connection is at its end
UNRECOGNIZED_NAME = b"\x15\x03\x01\x00\x02\x02\x70"  # a fatal alert (RFC 8446 6.2), as a record
PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 59\r\n"
    b"Connection: close\r\n\r\nThis port speaks HTTPS: write https:// before the address.\n"
)
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class TlsListener:
    """A listening socket whose connections are TLS."""

    def __init__(self, opened: socket.socket, parts: Parts, choose: ChooseContext) -> None:
        opened.setblocking(False)
        self._opened = opened
        self._parts = parts
        self._choose = choose
        self._front = Front(opened.getsockname()[1], "https")
        self._beginning: dict[asyncio.Task[None], str] = {}  # handshakes under way, and whose they are
        self._resuming: asyncio.TimerHandle | None = None
        parts.loop.set_exception_handler(_take_failure)
        self._resume()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._front.port

    def close(self) -> None:
        """Take no more connections; those whose handshake has begun may finish it."""
        if self._resuming is not None:
            self._resuming.cancel()
        if self._opened.fileno() >= 0:
            self._parts.loop.remove_reader(self._opened.fileno())
            self._opened.close()

    async def settle(self, grace_s: float) -> None:
        """Wait until each handshake has ended, cut those that take longer."""
        if not self._beginning:
            return
        _, late = await asyncio.wait(self._beginning, timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _resume(self) -> None:
        self._resuming = None
        self._parts.loop.add_reader(self._opened.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                opened, peer = self._opened.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("a connection could not be taken: %s", error)
                if error.errno in NO_DESCRIPTOR:  # what is open now has to end first
                    self._parts.loop.remove_reader(self._opened.fileno())
                    self._resuming = self._parts.loop.call_later(FULL_PAUSE_S, self._resume)
                return
            address = neighbourhood(str(peer[0]))
            if not self._has_room(address):
                opened.close()
                continue
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._parts.loop.create_task(self._begin(opened))
            self._beginning[task] = address
            task.add_done_callback(self._beginning.pop)

    def _has_room(self, address: str) -> bool:
        """Tell whether one more may begin; from one address as from all together (they are not connected yet)."""
        limits = self._parts.limits
        if len(self._beginning) + len(self._parts.connections) >= limits.max_connections:
            return False
        if not address or len(self._beginning) < limits.max_connections_per_address:
            return True
        from_there = sum(other == address for other in self._beginning.values())
        return from_there < limits.max_connections_per_address

    async def _begin(self, opened: socket.socket) -> None:
        """Bring a connection from its first byte to its protocol; whatever goes wrong is that client's alone."""
        try:
            await self._shake_hands(opened)
        except NotTls as error:
            log.debug("no TLS: %s", error)
            _refuse(opened, PLAIN_HTTP)
        except (OSError, TimeoutError) as error:  # of the handshake too: ssl.SSLError is an OSError
            log.debug("a TLS connection did not come about: %s", error)
            opened.close()
        except FaztError as error:  # the certificate could not be looked up
            log.warning("a TLS connection could not be begun: %s", error.message)
            opened.close()
        except BaseException:
            opened.close()
            raise

    async def _shake_hands(self, opened: socket.socket) -> None:
        loop, time_s = self._parts.loop, self._parts.limits.header_timeout_s
        async with asyncio.timeout(time_s):
            hello = await self._look(opened)
            context = await self._choose(hello.host, hello.protocols)
        if context is None:
            _refuse(opened, UNRECOGNIZED_NAME)
            return
        made: Callable[[], asyncio.Protocol] = partial(HttpProtocol, self._parts, self._front, hello.host)
        if ACME_PROTOCOL in hello.protocols:
            made = _Ended
        await connect_accepted_socket(
            loop, made, opened, ssl=context, ssl_handshake_timeout=time_s, ssl_shutdown_timeout=CLOSE_S
        )

    async def _look(self, opened: socket.socket) -> Hello:
        """Return what a client asks for, as soon as all of that is here; it stays in the socket.

        Raises: NotTls, ConnectionResetError, OSError.
        """
        seen = 0
        while True:
            try:
                data = opened.recv(MAX_HELLO_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                data = None
            if data is not None:
                if len(data) <= seen:
                    raise ConnectionResetError("the client went away in its first message")
                if (hello := read_hello(data)) is not None:
                    break
                seen = len(data)
            await self._readable(opened, seen + 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return hello

    async def _readable(self, opened: socket.socket, wanted: int) -> None:
        """Wait until so many bytes are here, or the end is."""
        loop = self._parts.loop
        came = loop.create_future()
        # Else what stays in the socket would wake the loop again and again.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
        loop.add_reader(opened.fileno(), _set, came)
        try:
            await came
        finally:
            loop.remove_reader(opened.fileno())


def _take_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of clients that leave in their handshake: anybody could fill the log. All else is said as ever."""
    error = context.get("exception")
    kind = error if isinstance(error, type) else type(error)  # the library gives classes too
    if isinstance(context.get("transport"), Transport) and issubclass(kind, OSError | EOFError):
        log.debug("a TLS connection ended: %s", context.get("message"))
    else:
        loop.default_exception_handler(context)


def _set(came: "asyncio.Future[None]") -> None:
    if not came.done():
        came.set_result(None)


def _refuse(opened: socket.socket, answer: bytes) -> None:
    """Say why, and close; what came is read, else the answer would be lost with it (RFC 9293 3.10.4)."""
    with contextlib.suppress(OSError):
        opened.recv(MAX_HELLO_BYTES)
        opened.send(answer)
    opened.close()


class _Ended(asyncio.Protocol):
    """A connection that proved what it was opened to prove (RFC 8737 3)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it."""
        transport.close()
