"""Bodies that are too large to be kept: where they come from, and how they get to a socket in constant memory.

Rule: at most one piece of a body is in memory per connection, and a client that does not read stops the reading of it.
"""

import asyncio
import errno
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
    """Sends a part of a file down a socket with sendfile(2); `done` is set with None or the error.

    The socket is a duplicate of the transport's: the loop does not watch a transport's own descriptor for others.
    """

    __slots__ = ("_file", "_left", "_loop", "_offset", "_socket", "_watching", "done", "moved")

    def __init__(self, loop: asyncio.AbstractEventLoop, duplicate: socket.socket) -> None:
        self._loop = loop
        self._socket = duplicate
        self._file = -1
        self._offset = 0
        self._left = 0
        self._watching = False
        self.done: asyncio.Future[None] | None = None
        self.moved = 0  # bytes sent so far; the sweep of deadlines looks whether it grows

    def start(self, head: bytes, file: int, offset: int, length: int) -> int:
        """Send what the socket takes now; return how many bytes are left for `finish`.

        Raises: OSError where the connection is gone.
        """
        self._file, self._offset, self._left = file, offset, length
        if head:
            try:
                sent = self._socket.send(head, socket.MSG_MORE)
            except BlockingIOError:
                sent = 0
            if sent < len(head):
                raise BlockingIOError(errno.EAGAIN, str(sent))
        self._pump()
        return self._left

    async def finish(self) -> None:
        """Send the rest, as fast as the client reads."""
        self.done = self._loop.create_future()
        self._loop.add_writer(self._socket.fileno(), self._writable)
        self._watching = True
        try:
            await self.done
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop watching the socket."""
        if self._watching:
            self._watching = False
            self._loop.remove_writer(self._socket.fileno())

    def close(self) -> None:
        """Give the duplicate back."""
        self.stop()
        self._socket.close()
        if self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionResetError("the client went away"))

    def _pump(self) -> None:
        """Send until the socket is full, or one turn's share was sent."""
        turn = SENDFILE_BYTES
        while self._left and turn > 0:
            try:
                sent = os.sendfile(self._socket.fileno(), self._file, self._offset, min(self._left, turn))
            except BlockingIOError:
                return
            if sent == 0:
                raise ConnectionResetError("the file is shorter than its size")
            self._offset += sent
            self._left -= sent
            self.moved += sent
            turn -= sent

    def _writable(self) -> None:
        assert self.done is not None
        if self.done.done():
            return
        try:
            self._pump()
        except OSError as error:
            self.done.set_exception(error)
            return
        if not self._left:
            self.done.set_result(None)
