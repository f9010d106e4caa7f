"""The edge's sockets: listening, the sweep of deadlines, and a stop that finishes what has begun."""

import asyncio
import contextlib
import errno
import logging
import resource
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing
from fazt.edge.deadlines import SWEEP_S, check
from fazt.edge.forwarded import Network
from fazt.edge.limits import Limits
from fazt.edge.parts import Front, Parts, Resolve, ToHttps
from fazt.edge.protocol import HttpProtocol
from fazt.errors import ListenError

if TYPE_CHECKING:
    from fazt.edge.tls_listener import ChooseContext, TlsListener

log = logging.getLogger("fazt.edge")
BACKLOG = 4096
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)  # on a machine that has it switched off
FIRST_REQUEST_S = 0.25  # for a request of a connection that was taken just before the stop
CUT_S = 1.0  # in which the loop tells every connection that it was cut


class Edge:
    """The server's front; made inside a running event loop."""

    def __init__(
        self,
        resolve: Resolve,
        app: Callable[..., Awaitable[None]],
        *,
        pages: Pages,
        clock: Clock,
        ring: AccessRing,
        limits: Limits,
        lane: bool = True,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._parts = Parts(loop, resolve, app, pages, clock, ring, limits, lane)
        self._servers: list[asyncio.AbstractServer] = []
        self._tls: list[TlsListener] = []
        self._port = 0
        self._unix_paths: list[Path] = []
        self._sweep = loop.create_task(self._sweep_deadlines())
        _raise_descriptor_limit()

    @property
    def connections(self) -> int:
        """The number of open connections, those of other edges left out."""
        return sum(not each.front.relayed for each in tuple(self._parts.connections))

    @property
    def port(self) -> int:
        """The TCP port that is listened on in plain HTTP; 0 where there is none."""
        return self._port

    @property
    def tls_port(self) -> int:
        """The TCP port that is listened on for HTTPS; 0 where there is none."""
        return self._tls[0].port if self._tls else 0

    async def listen_tcp(self, host: str, port: int) -> None:
        """Listen on an address.

        Raises: ListenError.
        """
        for opened in await asyncio.to_thread(bind, host, port, "--http"):
            await self.listen_socket(opened)

    async def listen_tls(self, host: str, port: int, choose: "ChooseContext") -> None:
        """Listen on an address for HTTPS, with the certificates that `choose` gives.

        Raises: ListenError.
        """
        for opened in await asyncio.to_thread(bind, host, port, "--https"):
            self.listen_tls_socket(opened, choose)

    def listen_tls_socket(self, opened: socket.socket, choose: "ChooseContext") -> None:
        """Listen for HTTPS on a socket that somebody else opened and keeps."""
        # Only who serves HTTPS loads what it takes.
        from fazt.edge.tls_listener import TlsListener

        opened.listen(BACKLOG)
        self._tls.append(TlsListener(opened, self._parts, choose))

    async def listen_socket(self, opened: socket.socket) -> None:
        """Listen on a socket that somebody else opened and keeps: who connects after the stop waits there."""
        made = partial(HttpProtocol, self._parts, Front(opened.getsockname()[1]))
        self._servers.append(await self._parts.loop.create_server(made, sock=opened, backlog=BACKLOG))
        self._port = opened.getsockname()[1]

    async def listen_relay(self, path: Path, report: Callable[..., Awaitable[None]]) -> None:
        """Listen on a Unix socket for other edges, which say who asks; only this user can open it.

        What they tell of themselves goes to the ASGI application `report`.

        Raises: ListenError.
        """
        self._parts.report = report
        made = partial(HttpProtocol, self._parts, Front(relayed=True))
        server = await self._parts.loop.create_unix_server(made, sock=_bind_unix(path), backlog=BACKLOG)
        self._servers.append(server)
        self._unix_paths.append(path)

    def hand_on(self, core: Path) -> None:
        """Let the edge behind a Unix socket go on with WebSockets."""
        self._parts.core = core

    async def listen_unix(self, path: Path) -> None:
        """Listen on a Unix socket that only this user (and root) can open.

        Raises: ListenError.
        """
        opened = _bind_unix(path)
        self._servers.append(
            await self._parts.loop.create_unix_server(partial(HttpProtocol, self._parts), sock=opened, backlog=64)
        )
        self._unix_paths.append(path)

    async def _sweep_deadlines(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self._parts.clock.monotonic
            for protocol in tuple(self._parts.connections):
                try:
                    check(protocol, now)
                except Exception:  # one bad connection must not end the sweep for all others
                    log.exception("a connection could not be checked")
                    protocol.transport.abort()

    def cut(self) -> None:
        """Close every connection, whatever it is in the middle of."""
        for protocol in tuple(self._parts.connections):
            protocol.abort()

    def limit(self, limits: Limits) -> None:
        """Let these limits hold from now on; a connection that is there keeps those of its reader."""
        self._parts.limits = limits

    def trust(self, proxies: tuple[Network, ...]) -> None:
        """Believe these proxies about who asks, on the connections that they open from now on."""
        self._parts.trusted = proxies

    def secure(self, to_https: ToHttps | None, hsts_s: int) -> None:
        """Send plain HTTP where `to_https` says, and have answers over TLS ask browsers to stay there for `hsts_s`."""
        self._parts.to_https = to_https
        self._parts.hsts = b"Strict-Transport-Security: max-age=%d\r\n" % hsts_s if hsts_s else b""

    async def stop(self, grace_s: float) -> None:
        """Take no more connections, let what has begun finish for `grace_s` seconds, then cut the rest."""
        parts = self._parts
        parts.stopping = True
        for server in self._servers:
            server.close()
        for listener in self._tls:
            listener.close()
        for path in self._unix_paths:
            _remove_socket(path)
        for listener in self._tls:
            await listener.settle(min(FIRST_REQUEST_S, grace_s))
        if not self._stop_idle(but_new=True):
            # Their request is on its way; closed now, they would be refused although they came before the stop.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(FIRST_REQUEST_S, grace_s)):
                    await parts.emptied()
            self._stop_idle(but_new=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await parts.emptied()
        self.cut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CUT_S):
                await parts.emptied()
        self._sweep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweep

    def _stop_idle(self, *, but_new: bool) -> bool:
        """End what has nothing to finish, new connections only if asked to; False where some were left out."""
        left = [each for each in tuple(self._parts.connections) if not each.stop(but_new=but_new)]
        return not left


def bind(host: str, port: int, flag: str, *, shared: bool = False) -> list[socket.socket]:
    """Return sockets on an address, on every one of the machine where `host` is empty; `flag`: what named it.

    `shared`: others of this user may listen on it too, each on a socket of its own (SO_REUSEPORT). Raises: ListenError.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in found:
            try:
                sockets.append(_bind_tcp(family, address, shared=shared))
            except OSError as error:
                if host or family != socket.AF_INET6 or error.errno not in NO_IPV6:
                    raise
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise ListenError(_listen_problem(error, host, port, flag)) from error
    return sockets


def _bind_tcp(family: int, address: Any, *, shared: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened


def _bind_unix(path: Path) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_socket(path)
        opened.bind(str(path))
        path.chmod(0o600)  # nobody can connect before the server listens
    except OSError as error:
        opened.close()
        raise ListenError(f"The socket {path} cannot be made: {error.strerror or error}.") from error
    return opened


def _remove_socket(path: Path) -> None:
    """Remove what another server left behind; never a file of another kind."""
    if path.is_socket():
        path.unlink(missing_ok=True)


def _raise_descriptor_limit() -> None:
    """Allow as many descriptors as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _listen_problem(error: OSError, host: str, port: int, flag: str) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is already in use: stop the other program, or choose another address with {flag}."
    if error.errno == errno.EACCES:
        return f"{where} may not be listened on: choose a port above 1023 with {flag}, or give the right to low ports."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where} is not an address of this machine: choose another with {flag}."
    return f"{where} cannot be listened on: {error.strerror or error}."
