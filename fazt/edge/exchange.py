"""One request on a connection, and the connection as those see it who answer the request."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from fazt._speedups.pages import Clock
from fazt.edge.parts import Parts
from fazt.edge.request import Head, Refusal


@dataclass(slots=True)
class Exchange:
    """One request and what is known about its answer."""

    head: Head
    started_ns: int
    body: bytearray = field(default_factory=bytearray)  # received and not read yet
    received: int = 0
    complete: bool = False  # the request's last byte is here
    continued: bool = False
    end_told: bool = False
    discarded: bool = False  # nobody reads the body
    disconnected: bool = False
    upgrade: bool = False
    closes: bool = False  # the connection ends behind the answer
    refusal: Refusal | None = None  # what went wrong in the middle of the body
    waiter: asyncio.Future[None] | None = None
    task: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Wait until something came: a piece of the body, its end, or the end of the connection."""
        self.waiter = asyncio.get_running_loop().create_future()
        await self.waiter

    def wake(self) -> None:
        """Tell whoever waits."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Connection(Protocol):
    """What an answer needs of its connection."""

    parts: Parts
    client: str
    client_port: int
    peer_uid: int | None
    clock: Clock
    closing: bool
    writable: bool
    transport: asyncio.Transport

    def write(self, data: bytes) -> None:
        """Send bytes behind everything before them."""

    async def drain(self) -> None:
        """Wait until the client has room for more."""

    def abort(self) -> None:
        """Cut the connection."""

    def must_close(self, exchange: Exchange) -> bool:
        """Tell whether the connection ends behind this answer."""

    def hold_reading(self) -> None:
        """Stop reading."""

    def let_read(self) -> None:
        """Read on."""
