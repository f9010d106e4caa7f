"""Bodies that are too large to be kept: where they come from, and how a file gets to a socket in constant memory.

Rule: at most one piece of a body is in memory per connection, and a client that does not read stops the reading of it.
"""

import asyncio
import os
import socket
from typing import Protocol

PIECE_BYTES = 262_144
SENDFILE_BYTES = 1 << 20  # one call sends at most this much, so that other connections get their turn


class Source(Protocol):
    """The bytes of one blob, readable anywhere and by several requests at once."""

    async def read(self, offset: int, length: int) -> bytes:
        """Return 1 to `length` bytes from `offset`; at most 256 KiB at once."""

    def fileno(self) -> int | None:
        """Return a file descriptor with the same bytes, for sendfile; None where there is no file."""


class FileSender:
    """Sends parts of files down a socket with sendfile(2).

    The socket is a duplicate of the transport's: the loop does not watch a transport's own descriptor for others.
    """

    __slots__ = ("_done", "_file", "_left", "_loop", "_offset", "_socket", "moved")

    def __init__(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        self._loop = loop
        self._socket = socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._file = -1
        self._offset = 0
        self._left = 0
        self._done: asyncio.Future[None] | None = None  # there is one while the socket is watched
        self.moved = 0  # bytes sent so far; the sweep of deadlines looks whether it grows

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for the client to read."""
        return self._done is not None

    def send_head(self, head: bytes) -> int:
        """Send what the socket takes of a head that a file follows; return the number of bytes.

        Raises: OSError where the connection is gone.
        """
        try:
            return self._socket.send(head, socket.MSG_MORE)
        except BlockingIOError:
            return 0

    def start(self, file: int, offset: int, length: int) -> int:
        """Send what the socket takes now; return how many bytes are left for `finish`.

        Raises: OSError where the connection is gone.
        """
        self._file, self._offset, self._left = file, offset, length
        self._pump()
        return self._left

    async def finish(self) -> None:
        """Send the rest, as fast as the client reads.

        Raises: OSError where the connection is gone.
        """
        self._done = self._loop.create_future()
        self._loop.add_writer(self._socket.fileno(), self._go_on)
        try:
            await self._done
        finally:
            self._stop()

    def close(self) -> None:
        """Give the duplicate back; whoever waits in `finish` is told."""
        done = self._done
        self._stop()
        self._socket.close()
        if done is not None and not done.done():
            done.set_exception(ConnectionResetError("the client went away"))

    def _stop(self) -> None:
        if self._done is not None:
            self._done = None
            self._loop.remove_writer(self._socket.fileno())

    def _pump(self) -> None:
        """Send until the socket is full, or one turn's share was sent."""
        turn = SENDFILE_BYTES
        while self._left and turn > 0:
            try:
                sent = os.sendfile(self._socket.fileno(), self._file, self._offset, min(self._left, turn))
            except BlockingIOError:
                return
            if sent == 0:
                raise OSError("the file is shorter than its size")
            self._offset += sent
            self._left -= sent
            self.moved += sent
            turn -= sent

    def _go_on(self) -> None:
        """Send more: the socket has room."""
        if self._done is None or self._done.done():
            return
        try:
            self._pump()
        except OSError as error:
            self._done.set_exception(error)
            return
        if not self._left:
            self._done.set_result(None)
