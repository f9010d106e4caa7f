"""A pack: several chunks of blobs in one upload.

Each piece is 32 bytes of hash, 8 bytes size of the blob, 4 bytes chunk number, 4 bytes length (big-endian), then the
chunk. Rule: what does not add up to the last byte is refused whole.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from fazt.errors import InvalidInput

HEAD = struct.Struct(">32sQII")
MAX_CHUNK_BYTES = 262_144


class Piece(NamedTuple):
    """One chunk of one blob."""

    hash: bytes
    size: int  # of the whole blob
    n: int
    data: bytes


def encode(pieces: Iterable[Piece]) -> bytes:
    """Return the pieces as a pack."""
    out = bytearray()
    for piece in pieces:
        out += HEAD.pack(piece.hash, piece.size, piece.n, len(piece.data))
        out += piece.data
    return bytes(out)


def decode(data: bytes) -> list[Piece]:
    """Return the pieces of a pack.

    Raises: InvalidInput.
    """
    pieces: list[Piece] = []
    at = 0
    while at < len(data):
        if len(data) - at < HEAD.size:
            raise InvalidInput(f"The pack ends in the middle of a head, at byte {at}.")
        hash, size, n, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        if length > MAX_CHUNK_BYTES:
            raise InvalidInput(f"A chunk has at most {MAX_CHUNK_BYTES} bytes, not {length}.")
        if len(data) - at < length:
            raise InvalidInput(f"The pack ends in the middle of a chunk, at byte {at}.")
        if size > 1 << 62:
            raise InvalidInput("A blob of that size cannot be.")
        pieces.append(Piece(hash, size, n, data[at : at + length]))
        at += length
    return pieces
