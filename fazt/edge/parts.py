"""What all connections of one edge share: the functions they call, the limits, and who is connected."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from fazt._speedups.pages import Clock, Page, Pages
from fazt._speedups.statistics import AccessRing
from fazt.edge.forwarded import Network
from fazt.edge.limits import Limits

# (normalised host, path as it came and beginning with "/", query without "?") -> a file of a site, or None: ask the app
Resolve = Callable[[str, bytes, bytes], Awaitable[Page | None]]
# (normalised host, path, query) -> where a request in plain HTTP is sent, None: it is answered as it came
ToHttps = Callable[[str, bytes, bytes], Awaitable[bytes | None]]
LOOPBACK = ("127.", "::ffff:127.")


@dataclass(frozen=True, slots=True)
class Front:
    """What a connection came in by."""

    port: int = 0
    scheme: str = "http"
    relayed: bool = False  # over a Unix socket, from another edge that says who asks


@dataclass(slots=True)
class Parts:
    """The edge as its connections see it."""

    loop: asyncio.AbstractEventLoop
    resolve: Resolve
    app: Callable[..., Awaitable[None]]
    pages: Pages
    clock: Clock
    ring: AccessRing
    limits: Limits
    lane: bool
    report: Callable[..., Awaitable[None]] | None = None  # takes what other edges tell of themselves
    core: Path | None = None  # the socket of the edge that goes on with WebSockets; None: this one does
    to_https: ToHttps | None = None  # asked for each request in plain HTTP, where that is not the way in
    hsts: bytes = b""  # a field with its line's end, which answers over TLS have (RFC 6797 6.1)
    stopping: bool = False
    trusted: tuple[Network, ...] = ()  # proxies that are believed about who asks
    connections: set[Any] = field(default_factory=set)  # of HttpProtocol
    per_address: dict[str, int] = field(default_factory=dict)  # loopback is not counted
    empty: asyncio.Event = field(default_factory=asyncio.Event)

    def admit(self, protocol: Any) -> bool:
        """Note a new connection; False where there are too many, in total or from its address.

        The socket of the machine's own user is never full: it is how an owner mends a limit set too low.
        """
        full = len(self.connections) >= self.limits.max_connections
        if full and protocol.peer_uid is None and not protocol.front.relayed:
            return False
        address = "" if protocol.behind_proxy else neighbourhood(protocol.client)
        if address:
            count = self.per_address.get(address, 0)
            if count >= self.limits.max_connections_per_address:
                return False
            self.per_address[address] = count + 1
        self.connections.add(protocol)
        return True

    async def emptied(self) -> None:
        """Wait until nobody is connected."""
        self.empty.clear()
        if self.connections:
            await self.empty.wait()

    def release(self, protocol: Any) -> None:
        """Forget a connection that ended."""
        if protocol not in self.connections:
            return
        self.connections.discard(protocol)
        if not self.connections:
            self.empty.set()
        address = "" if protocol.behind_proxy else neighbourhood(protocol.client)
        count = self.per_address.get(address, 0)
        if count > 1:
            self.per_address[address] = count - 1
        else:
            self.per_address.pop(address, None)


def neighbourhood(client: str) -> str:
    """Return what connections of one client are counted under; "" for this machine itself, which is not counted.

    An IPv6 client has at least a /64 of addresses to come from (RFC 6177), so that one stands for all of them.
    """
    if client.startswith(LOOPBACK) or client in ("::1", "local"):
        return ""
    if ":" not in client:
        return client
    address = IPv6Address(client.partition("%")[0])
    if address.ipv4_mapped is not None:
        return neighbourhood(str(address.ipv4_mapped))
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
