"""Sending answers whose body comes from a source: sendfile where there is a file, else piece by piece.

Rule: what goes through the transport and what goes past it never overtake each other.
"""

import asyncio

from fazt.edge.answer import Answer
from fazt.edge.bodies import PIECE_BYTES, FileSender
from fazt.edge.exchange import Connection


class BodySender:
    """Sends the bodies of one connection, one after the other."""

    __slots__ = ("_connection", "_file_sender")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._file_sender: FileSender | None = None

    @property
    def moved(self) -> int:
        """The number of bytes that went past the transport so far."""
        return 0 if self._file_sender is None else self._file_sender.moved

    @property
    def is_waiting(self) -> bool:
        """Whether a file waits for the client to read."""
        return self._file_sender is not None and self._file_sender.is_waiting

    def close(self) -> None:
        """Give back what the connection's end leaves behind."""
        if self._file_sender is not None:
            self._file_sender.close()

    def send_at_once(self, made: Answer) -> bool:
        """Send head and file in one go; False: what is left to be sent stands in `made`.

        Raises: OSError where the connection is gone.
        """
        connection = self._connection
        if len(made.pieces) != 1 or connection.descriptor < 0 or made.source is None:
            return False
        if connection.transport_used:
            connection.transport_used = connection.transport.get_write_buffer_size() != 0
        file, piece = made.source.fileno(), made.pieces[0]
        if file is None or connection.transport_used or isinstance(piece, bytes):
            return False
        sender = self._sender()
        made.data = made.data[sender.send_head(made.data) :]
        if made.data:
            return False
        left = sender.start(file, *piece)
        made.pieces = ((piece[0] + piece[1] - left, left),) if left else ()
        return not left

    async def send(self, made: Answer) -> None:
        """Send an answer as fast as the client reads.

        Raises: OSError where the client went away or the source is shorter than it said; what the source raises.
        """
        assert made.source is not None
        file = made.source.fileno()
        if made.data:
            self._connection.write(made.data)
        for piece in made.pieces:
            if isinstance(piece, bytes):
                self._connection.write(piece)
            elif file is not None and self._connection.descriptor >= 0:
                await self._empty()
                if self._sender().start(file, *piece):
                    await self._sender().finish()
            else:
                await self._copy(made, *piece)

    async def _copy(self, made: Answer, offset: int, length: int) -> None:
        """Send a part of a source that is no file."""
        assert made.source is not None
        while length:
            piece = await made.source.read(offset, min(length, PIECE_BYTES))
            if not piece:
                raise OSError("the body is shorter than its size")
            self._connection.write(piece)
            offset += len(piece)
            length -= len(piece)
            await self._connection.drain()

    async def _empty(self) -> None:
        """Wait until the transport holds nothing back, so that sendfile cannot overtake it."""
        connection = self._connection
        transport = connection.transport
        if not transport.get_write_buffer_size():
            return
        transport.set_write_buffer_limits(0)
        try:
            while transport.get_write_buffer_size():
                if connection.writable:  # queued in this turn of the loop: it goes out at its end
                    await asyncio.sleep(0)
                await connection.drain()
        finally:
            transport.set_write_buffer_limits()

    def _sender(self) -> FileSender:
        if self._file_sender is None:
            self._file_sender = FileSender(self._connection.parts.loop, self._connection.descriptor)
        return self._file_sender
