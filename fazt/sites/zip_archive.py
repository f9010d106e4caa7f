"""ZIP: the list of what is in it, checked, and the content of one entry.

Owns the reading of the format (PKWARE APPNOTE 6.3.10) where `zipfile` forgives too much: it takes data in front,
overlapping entries, and local headers that say something else than the directory. Rule: the central directory counts,
and an archive that contradicts itself anywhere is refused whole.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from fazt.errors import InvalidArchive
from fazt.sites.names import shown

READ_BYTES = 1 << 18
MAX_DIRECTORY_BYTES = 256 << 20

_END = struct.Struct("<4s4H2LH")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _DESCRIPTOR, _PATCHED, _STRONG, _UTF_8, _MASKED = 1, 1 << 3, 1 << 5, 1 << 6, 1 << 11, 1 << 13
_UNIX_SYSTEMS = (3, 19)


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One entry of the central directory."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int  # of Unix, with the kind of file; 0 where the archive was not made there

    @property
    def is_folder(self) -> bool:
        """Say whether the entry stands for a folder."""
        return self.name.endswith("/")

    @property
    def is_special(self) -> bool:
        """Say whether it is a link, a device or the like."""
        kind = stat.S_IFMT(self.mode)
        return kind not in (0, stat.S_IFREG) and not (self.is_folder and kind == stat.S_IFDIR)


class ZipArchive:
    """An open ZIP file; `entries` are in order of the directory."""

    def __init__(self, descriptor: int, *, max_entries: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        count, start, length, end = self._find_directory()
        if count > max_entries:
            raise InvalidArchive(f"The archive has {count} entries; at most {max_entries} are taken.")
        if start + length != end:
            raise InvalidArchive(
                "The archive's directory is not where it says, or something stands in front of the archive."
            )
        if length > MAX_DIRECTORY_BYTES:
            raise InvalidArchive("The archive's directory is too large.")
        self.entries = list(_read_directory(self._read(start, length), count))
        self._places = self._check_places(start)

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, offset) if 0 <= offset <= self._size else b""
        if len(data) != length:
            raise InvalidArchive("The archive is cut off.")
        return data

    def _find_directory(self) -> tuple[int, int, int, int]:
        """Return the number of entries, where the directory begins, its length, and where it must end."""
        tail_length = min(self._size, _END.size + _FULL_16)
        tail = self._read(self._size - tail_length, tail_length)
        places = []
        at = tail.rfind(b"PK\x05\x06")
        while at >= 0:
            if len(tail) - at >= _END.size and _END.unpack_from(tail, at)[7] == len(tail) - at - _END.size:
                places.append(at)
            at = tail.rfind(b"PK\x05\x06", 0, at)
        if not places:
            raise InvalidArchive("The archive is cut off, or something stands behind its end.")
        if len(places) > 1:
            raise InvalidArchive("The archive has two ends.")
        _, disk, first_disk, here, count, length, start, _ = _END.unpack_from(tail, places[0])
        end = self._size - tail_length + places[0]
        if _FULL_16 in (disk, first_disk, here, count) or _FULL_32 in (length, start):
            return self._find_directory_64(end)
        if disk or first_disk or here != count:
            raise InvalidArchive("The archive is one part of several.")
        return count, start, length, end

    def _find_directory_64(self, end: int) -> tuple[int, int, int, int]:
        at = end - _END_64_LOCATOR.size
        signature, disk, place, disks = _END_64_LOCATOR.unpack(self._read(at, _END_64_LOCATOR.size))
        if signature != b"PK\x06\x07" or disk or disks != 1:
            raise InvalidArchive("The archive's Zip64 locator is damaged.")
        fields = _END_64.unpack(self._read(place, _END_64.size))
        signature, record, _, _, disk, first_disk, here, count, length, start = fields
        if signature != b"PK\x06\x06" or disk or first_disk or here != count or place + 12 + record != at:
            raise InvalidArchive("The archive's Zip64 end record is damaged.")
        return count, start, length, place

    def _check_places(self, directory: int) -> dict[int, int]:
        """Hold every local header against the directory; return where the data of each entry (by offset) begins."""
        places: dict[int, int] = {}
        reached = 0
        for entry in sorted(self.entries, key=lambda entry: entry.offset):
            if not reached and entry.offset:
                raise InvalidArchive("Something stands in front of the archive.")
            if entry.offset < reached or entry.offset in places:
                raise InvalidArchive(f"The entry {shown(entry.name)} overlaps another.")
            data = places[entry.offset] = self._check_local(entry)
            reached = data + entry.packed
            if entry.flags & _DESCRIPTOR:
                reached += self._check_descriptor(entry, reached, directory)
            if reached > directory:
                raise InvalidArchive(f"The entry {shown(entry.name)} runs into the archive's directory.")
        return places

    def _check_local(self, entry: ZipEntry) -> int:
        head = _LOCAL.unpack(self._read(entry.offset, _LOCAL.size))
        signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = head
        rest = self._read(entry.offset + _LOCAL.size, name_length + extra_length)
        agrees = (signature, flags, method, rest[:name_length]) == (
            b"PK\x03\x04",
            entry.flags,
            entry.method,
            entry.raw_name,
        )
        if agrees:
            sizes = _wide_sizes(rest[name_length:], [size, packed], entry.name)
            same = (crc, *sizes) == (entry.crc, entry.size, entry.packed)
            agrees = same or (
                bool(flags & _DESCRIPTOR) and crc in (0, entry.crc) and set(sizes) <= {0, entry.size, entry.packed}
            )
        if not agrees:
            raise InvalidArchive(
                f"The entry {shown(entry.name)} says one thing in the directory and another in its place."
            )
        return int(entry.offset + _LOCAL.size + name_length + extra_length)

    def _check_descriptor(self, entry: ZipEntry, at: int, directory: int) -> int:
        """Return the length of the data descriptor, which has four forms: with signature or not, 32 or 64 bits."""
        found = self._read(at, max(0, min(24, directory - at)))
        for layout in ("<3L", "<L2Q"):
            body = struct.pack(layout, entry.crc, entry.packed, entry.size) if _fits(layout, entry) else None
            for form in () if body is None else (b"PK\x07\x08" + body, body):
                if found.startswith(form):
                    return len(form)
        raise InvalidArchive(f"The entry {shown(entry.name)} is followed by sizes that the directory does not know.")

    def content(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield an entry's content in pieces; length and checksum have been checked when the last one is out."""
        inflater = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == _DEFLATED else None
        at, end = self._places[entry.offset], self._places[entry.offset] + entry.packed
        crc = size = 0
        while at < end:
            data = self._read(at, min(READ_BYTES, end - at))
            at += len(data)
            for piece in [data] if inflater is None else _inflate(inflater, data, entry):
                size += len(piece)
                crc = zlib.crc32(piece, crc)
                if size > entry.size:
                    raise InvalidArchive(f"The entry {shown(entry.name)} is longer than it says.")
                yield piece
        if size != entry.size or (inflater is not None and not inflater.eof):
            raise InvalidArchive(f"The entry {shown(entry.name)} is shorter than it says.")
        if crc != entry.crc:
            raise InvalidArchive(f"The entry {shown(entry.name)} is damaged: its checksum is wrong.")


def _fits(layout: str, entry: ZipEntry) -> bool:
    return layout != "<3L" or max(entry.packed, entry.size) <= _FULL_32


def _inflate(inflater: "zlib._Decompress", data: bytes, entry: ZipEntry) -> Iterator[bytes]:
    """Yield what so much input gives; zlib may hold output back when a piece is full, so a full one asks again."""
    while True:
        if inflater.eof:
            raise InvalidArchive(f"The entry {shown(entry.name)} has something behind its end.")
        try:
            piece = inflater.decompress(data, READ_BYTES)
        except zlib.error:
            raise InvalidArchive(f"The entry {shown(entry.name)} is damaged.") from None
        data = inflater.unconsumed_tail or inflater.unused_data
        if piece:
            yield piece
        if not data and (inflater.eof or len(piece) < READ_BYTES):
            return


def _read_directory(data: bytes, count: int) -> Iterator[ZipEntry]:
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(data):
            raise InvalidArchive("The archive's directory is cut off.")
        fields = _CENTRAL.unpack_from(data, at)
        name_end = at + _CENTRAL.size + fields[10]
        extra_end = name_end + fields[11]
        following = extra_end + fields[12]
        if fields[0] != b"PK\x01\x02" or following > len(data):
            raise InvalidArchive("The archive's directory is damaged.")
        yield _read_entry(fields, data[at + _CENTRAL.size : name_end], data[name_end:extra_end])
        at = following
    if at != len(data):
        raise InvalidArchive("The archive's directory holds more than its entries.")


def _read_entry(fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> ZipEntry:
    _, made_by, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes, offset = fields
    name = _read_name(raw_name, flags, extra)
    if flags & (_ENCRYPTED | _STRONG | _MASKED):
        raise InvalidArchive(f"The entry {shown(name)} is encrypted.")
    if method not in (_STORED, _DEFLATED) or flags & _PATCHED:
        raise InvalidArchive(
            f"The entry {shown(name)} is packed in a way (method {method}) that is not supported; use deflate."
        )
    size, packed, offset = _wide_sizes(extra, [size, packed, offset], name)
    if disk not in (0, _FULL_16):
        raise InvalidArchive("The archive is one part of several.")
    if method == _STORED and packed != size:
        raise InvalidArchive(f"The entry {shown(name)} gives two sizes for the same bytes.")
    mode = attributes >> 16 if made_by >> 8 in _UNIX_SYSTEMS else 0
    if name.endswith("/") and size:
        raise InvalidArchive(f"The entry {shown(name)} is a folder with content.")
    return ZipEntry(name, raw_name, flags, method, crc, packed, size, offset, mode)


def _read_name(raw: bytes, flags: int, extra: bytes) -> str:
    """Decode a name: UTF-8 where the flag or an extra field says so or where it is; else the code page of old DOS."""
    try:
        if flags & _UTF_8:
            return raw.decode()
        unicode = _extra_field(extra, 0x7075)
        if unicode is not None and unicode[:5] == b"\x01" + struct.pack("<L", zlib.crc32(raw)):
            return unicode[5:].decode()
    except UnicodeError:
        raise InvalidArchive(f"The entry {shown(raw.decode('latin-1'))} has a name that is not valid UTF-8.") from None
    try:
        return raw.decode()
    except UnicodeError:
        return raw.decode("cp437")


def _extra_field(extra: bytes, wanted: int) -> bytes | None:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return None


def _wide_sizes(extra: bytes, narrow: list[int], name: str) -> list[int]:
    """Replace each number that is all ones by the next one of the Zip64 extra field."""
    if _FULL_32 not in narrow:
        return narrow
    field = _extra_field(extra, 1) or b""
    numbers = iter([number for (number,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])])
    wide = [next(numbers, -1) if number == _FULL_32 else number for number in narrow]
    if -1 in wide:
        raise InvalidArchive(f"The entry {shown(name)} lacks its Zip64 sizes.")
    return wide
