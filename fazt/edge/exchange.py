"""One request on a connection, and the connection as those see it who answer the request."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from fazt._speedups.pages import Clock
from fazt.edge.parts import Front, Parts
from fazt.edge.relay import Origin
from fazt.edge.request import Head, Refusal


@dataclass(slots=True)
class Exchange:
    """One request and what is known about its answer."""

    head: Head
    started_ns: int
    body: bytearray = field(default_factory=bytearray)  # received and not read yet
    received: int = 0
    complete: bool = False  # the request's last byte is here
    continued: bool = False  # the client was told to send the body
    end_told: bool = False  # the application knows that the body is complete
    discarded: bool = False  # nobody reads the rest of the body
    disconnected: bool = False  # nothing more will come
    upgrade: bool = False  # the client offers to go on as a WebSocket
    closes: bool = False  # the connection ends behind the answer
    refusal: Refusal | None = None  # what went wrong in the middle of the body
    origin: Origin | None = None  # who asks, where another edge handed it on
    task: asyncio.Task[None] | None = None
    _came: asyncio.Event | None = None

    async def wait(self) -> None:
        """Wait until something came: a piece of the body, its end, the end of the answer or of the connection."""
        if self._came is None:
            self._came = asyncio.Event()
        self._came.clear()
        await self._came.wait()

    def wake(self) -> None:
        """Tell everybody who waits."""
        if self._came is not None:
            self._came.set()


class Connection(Protocol):
    """What an answer needs of its connection."""

    parts: Parts
    front: Front
    client: str
    client_port: int
    peer_uid: int | None
    clock: Clock
    closing: bool
    eof: bool  # the client sends no more
    writable: bool
    transport: asyncio.Transport
    transport_used: bool
    descriptor: int

    def client_of(self, exchange: Exchange) -> str:
        """Return the address of who asks."""

    def write(self, data: bytes) -> None:
        """Send bytes behind everything before them."""

    def write_answer(self, data: bytes) -> None:
        """Send bytes that begin with the head of an answer."""

    async def drain(self) -> None:
        """Wait until the client has room for more."""

    def close(self) -> None:
        """Close behind what was written."""

    def abort(self) -> None:
        """Cut the connection."""

    def must_close(self, exchange: Exchange) -> bool:
        """Tell whether the connection ends behind this answer."""

    def hold_reading(self) -> None:
        """Stop reading."""

    def let_read(self) -> None:
        """Read on."""
