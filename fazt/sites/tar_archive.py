"""tar, plain or packed with gzip, bzip2 or xz: its files, one after the other, from a stream.

`tarfile` reads the format; this module owns what it forgives: an archive that is cut off between two files or has a
broken header in the middle ends early there without a word, and names and pax records of any length are read in whole.
Rule: unpacked bytes are counted as they come, and what is not a plain file or folder refuses the archive.
"""

import bz2
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol, Self

from fazt.errors import InvalidArchive
from fazt.sites.local_file import ArchiveLimits
from fazt.sites.names import shown

READ_BYTES = 1 << 18
MAX_NAME_RECORD_BYTES = 1 << 16
MAX_READS_AT_END = 100  # tarfile skips an entry of 2**60 bytes by reading on at the end, for years
XZ_MEMORY_BYTES = 256 << 20
RATIO_FREE_BYTES = 1 << 20
_NAME_RECORDS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_FOLDER_OR_FILE = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.DIRTYPE)


class Reader(Protocol):
    """Something to read bytes from, in order."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end."""


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class _Gzip:
    """zlib's decompressor in the shape of the two others: it keeps what it has not used yet."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _decompressor(head: bytes) -> type[_Gzip] | type[bz2.BZ2Decompressor] | None:
    if head.startswith(b"\x1f\x8b"):
        return _Gzip
    return bz2.BZ2Decompressor if head.startswith(b"BZh") else None


class _Unpacked:
    """The tar bytes behind a packed or plain stream, counted against the limits."""

    def __init__(self, source: Reader, head: bytes, limits: ArchiveLimits) -> None:
        self._source = source
        self._limits = limits
        self._head = head
        self._packed = self.unpacked = self._reads_at_end = 0
        self._is_xz = head.startswith(b"\xfd7zXZ\x00")
        self._kind = _decompressor(head)
        self._unpacker = self._new_unpacker()
        # headers and padding come on top of the files: 2 blocks each, and the records for long names
        self._most = limits.max_total_bytes + limits.max_files * 4096 + RATIO_FREE_BYTES

    def _new_unpacker(self) -> _Decompressor | None:
        if self._is_xz:
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
        return self._kind() if self._kind is not None else None

    def _raw(self, size: int) -> bytes:
        data, self._head = self._head[:size], self._head[size:]
        data = data or self._source.read(size)
        if not data:
            self._reads_at_end += 1
            if self._reads_at_end > MAX_READS_AT_END:
                raise InvalidArchive("The archive is cut off.")
        self._packed += len(data)
        return data

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes, fewer only at the end."""
        pieces = []
        while size > 0 and (piece := self._some(min(size, READ_BYTES))):
            pieces.append(piece)
            size -= len(piece)
            self.unpacked += len(piece)
            if self.unpacked > self._most:
                raise InvalidArchive(f"The archive unpacks to more than {self._limits.max_total_bytes} bytes.")
            if self.unpacked > RATIO_FREE_BYTES and self.unpacked > self._packed * self._limits.max_ratio:
                raise InvalidArchive(f"The archive unpacks to more than {self._limits.max_ratio} times its size.")
        return b"".join(pieces)

    def _some(self, size: int) -> bytes:
        if self._unpacker is None:
            return self._raw(size)
        data = b""
        while True:
            if self._unpacker.eof:  # asking a finished one again is an error to bz2 and lzma
                data = self._next_member()
                if not data:
                    return b""
            try:
                piece = self._unpacker.decompress(data, size)
            except (zlib.error, OSError, ValueError, lzma.LZMAError, MemoryError) as error:
                raise InvalidArchive(f"The archive is damaged: {error}.") from None
            if piece:
                return piece
            if not self._unpacker.eof:
                data = self._raw(READ_BYTES)
                if not data:
                    raise InvalidArchive("The archive is cut off.")

    def _next_member(self) -> bytes:
        """Begin the next member of a stream made of several; padding with zeros is not one."""
        assert self._unpacker is not None
        data = self._unpacker.unused_data or self._raw(READ_BYTES)
        while data and not data.strip(b"\0"):
            data = self._raw(READ_BYTES)
        if data:
            self._unpacker = self._new_unpacker()
        return data


class _Header(tarfile.TarInfo):
    """A header that tells apart a proper end, a cut and a fault, and that refuses records of unreasonable size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read one block."""
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in _NAME_RECORDS and header.size > MAX_NAME_RECORD_BYTES):
            raise InvalidArchive(f"The entry {shown(header.name)} has a header of an impossible size.")
        return header

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        """Read the next header with what belongs to it."""
        try:
            return super().fromtarfile(tar)
        except _END_ERROR:
            raise
        except tarfile.HeaderError as error:
            if tar.offset == 0:
                raise InvalidArchive("This is neither a ZIP nor a tar (plain, gzip, bzip2 or xz).") from None
            raise InvalidArchive(f"The archive is damaged or cut off: {error}.") from None


# Two blocks of zeros, the one proper end. The class is not in the type stubs.
_END_ERROR: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined]


class TarEntry:
    """One entry of the stream; its content can be read until the next one is asked for."""

    def __init__(self, header: tarfile.TarInfo, content: BinaryIO | None) -> None:
        self.name = header.name.removeprefix("./")
        self.size = header.size
        self.is_folder = header.isdir()
        self.is_special = header.type not in _FOLDER_OR_FILE or header.issparse()
        self._content = content

    def content(self) -> Iterator[bytes]:
        """Yield the content in pieces."""
        assert self._content is not None
        left = self.size
        while left:
            try:
                piece = self._content.read(min(READ_BYTES, left))
            except tarfile.TarError:
                piece = b""
            if not piece:
                raise InvalidArchive(f"The archive is cut off in the entry {shown(self.name)}.")
            left -= len(piece)
            yield piece


def read_tar(source: Reader, head: bytes, limits: ArchiveLimits) -> Iterator[TarEntry]:
    """Yield the entries of a tar whose first bytes, `head`, have been read already."""
    stream: Any = _Unpacked(source, head, limits)
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header, errors="surrogateescape") as tar:
            while header := tar.next():
                if header.size < 0:  # a pax record may say so
                    raise InvalidArchive(f"The entry {shown(header.name)} has a negative size.")
                content: Any = tar.extractfile(header) if header.isreg() else None
                yield TarEntry(header, content)
                tar.members.clear()  # type: ignore[attr-defined]  # or the list grows with every header
            _expect_end(tar.fileobj)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidArchive(f"The archive is damaged: {error}.") from None


def _expect_end(stream: Any) -> None:
    """Read on to the end, which also checks the checksums there: only zeros may follow."""
    while rest := stream.read(READ_BYTES):
        if rest.strip(b"\0"):
            raise InvalidArchive("Something stands behind the end of the archive.")
