"""A ZIP or a tar → the files of a site, unpacked one behind the other into one temporary file.

Owns what both formats have in common: names, duplicates, limits, what is left out, and where the content goes. Rule: no
name from an archive is ever used as a name on disk, and one bad entry refuses the whole archive.
"""

import functools
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fazt.errors import InvalidArchive, InvalidInput, InvalidPath
from fazt.sites.ignore import IGNORE_FILE, MAX_IGNORE_BYTES, Ignore, is_path_always_left_out
from fazt.sites.local_file import ArchiveLimits, LocalFile
from fazt.sites.names import check_path, check_paths, shown
from fazt.sites.tar_archive import RATIO_FREE_BYTES, READ_BYTES, Reader, TarEntry, read_tar
from fazt.sites.zip_archive import ZipArchive, ZipEntry

__all__ = ["ArchiveLimits", "LocalFile", "read_archive"]

CONTENT_FILE = "content"
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


def read_archive(stream_or_path: Path | BinaryIO, spool: Path, *, limits: ArchiveLimits) -> list[LocalFile]:
    """Unpack an archive into the empty folder `spool`, which the caller removes; return its files in order of path.

    What the format is, its first bytes say. Raises: InvalidArchive, naming the entry.
    """
    if not isinstance(stream_or_path, Path):
        return _read(stream_or_path, spool, limits)
    try:
        with stream_or_path.open("rb") as stream:
            return _read(stream, spool, limits)
    except IsADirectoryError:
        raise InvalidInput(f"{shown(str(stream_or_path))} is a folder, not an archive.") from None
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {shown(str(stream_or_path))}.") from None
    except PermissionError:
        raise InvalidInput(f"The file {shown(str(stream_or_path))} cannot be read.") from None


def _read(stream: BinaryIO, spool: Path, limits: ArchiveLimits) -> list[LocalFile]:
    head = _read_head(stream)
    place = spool / CONTENT_FILE
    with place.open("xb", buffering=READ_BYTES) as output:  # 50,000 files of their own can take a minute to make
        unpacking = _Unpacking(place, output, limits)
        if not head.startswith(_ZIP_STARTS):
            for entry in read_tar(stream, head, limits):
                unpacking.take_tar(entry)
            return unpacking.finish()
        with _seekable(stream, head, spool, limits) as file:
            archive = ZipArchive(file.fileno(), max_entries=2 * limits.max_files)
            _check_ratio(archive.entries, os.fstat(file.fileno()).st_size, limits)
            for zip_entry in archive.entries:
                unpacking.take_zip(archive, zip_entry)
        return unpacking.finish()


def _read_head(stream: Reader) -> bytes:
    """Return the first block, or less where there is not so much; a pipe may give it in pieces."""
    head = b""
    while len(head) < 512 and (piece := stream.read(512 - len(head))):
        head += piece
    return head


def _seekable(stream: BinaryIO, head: bytes, spool: Path, limits: ArchiveLimits) -> BinaryIO:
    """Return the ZIP as a file of its own: its directory is at the end. A pipe is written down first."""
    try:
        if stream.seekable():
            return os.fdopen(os.dup(stream.fileno()), "rb")
    except io.UnsupportedOperation:
        pass  # bytes in memory have no descriptor; they are written down like a pipe
    return _copy(stream, head, spool, limits)


def _copy(stream: BinaryIO, head: bytes, spool: Path, limits: ArchiveLimits) -> BinaryIO:
    most = limits.max_total_bytes + limits.max_files * 4096
    file = (spool / "archive").open("w+b")
    piece, size = head, 0
    while piece:
        size += len(piece)
        if size > most:
            file.close()
            raise InvalidArchive(f"The archive is larger than {limits.max_total_bytes} bytes.")
        file.write(piece)
        piece = stream.read(READ_BYTES)
    file.flush()
    return file


def _check_ratio(entries: Iterable[ZipEntry], packed: int, limits: ArchiveLimits) -> None:
    """Refuse a bomb by what it declares; what is declared is enforced while unpacking."""
    size = sum(entry.size for entry in entries)
    if size > RATIO_FREE_BYTES and size > packed * limits.max_ratio:
        raise InvalidArchive(f"The archive unpacks to more than {limits.max_ratio} times its size.")


class _Unpacking:
    """The files taken out of one archive so far."""

    def __init__(self, place: Path, output: BinaryIO, limits: ArchiveLimits) -> None:
        self._place = str(place)
        self._output = output
        self._written = 0
        self._limits = limits
        self._files: list[LocalFile] = []
        self._names: set[str] = set()
        self._bytes = 0
        self._ignore: Ignore | None = None

    def take_zip(self, archive: ZipArchive, entry: ZipEntry) -> None:
        """Take one entry of a ZIP."""
        path = self._check(entry.name.removesuffix("/"), entry.is_folder, entry.is_special, entry.size)
        if path is not None:
            self._write(path, archive.content(entry))

    def take_tar(self, entry: TarEntry) -> None:
        """Take one entry of a tar."""
        if entry.is_folder and entry.name in ("", "."):
            return
        path = self._check(entry.name, entry.is_folder, entry.is_special, entry.size)
        if path is not None:
            self._write(path, entry.content())

    def _check(self, path: str, is_folder: bool, is_special: bool, size: int) -> str | None:
        """Return the path if the entry is a file to be unpacked."""
        try:
            check_path(path)
        except InvalidPath as error:
            raise InvalidArchive(error.message) from None
        if is_folder and not is_special:
            return None
        if path in self._names:
            raise InvalidArchive(f"The entry {shown(path)} is there twice.")
        self._names.add(path)
        if path != IGNORE_FILE and is_path_always_left_out(path):
            return None
        if is_special:
            raise InvalidArchive(
                f"The entry {shown(path)} is a link, a device or a sparse file; only plain files are taken."
            )
        self._count(path, size)
        return path

    def _count(self, path: str, size: int) -> None:
        limits = self._limits
        self._bytes += size
        if len(self._files) >= limits.max_files:
            raise InvalidArchive(f"The archive has more than {limits.max_files} files.")
        if size > limits.max_file_bytes:
            raise InvalidArchive(f"The entry {shown(path)} is larger than {limits.max_file_bytes} bytes.")
        if self._bytes > limits.max_total_bytes:
            raise InvalidArchive(f"The archive unpacks to more than {limits.max_total_bytes} bytes.")

    def _write(self, path: str, pieces: Iterator[bytes]) -> None:
        if path == IGNORE_FILE:
            self._take_ignore(pieces)
            return
        digest = hashlib.sha256()
        size = 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            self._output.write(piece)
        start, self._written = self._written, self._written + size
        self._files.append(LocalFile(path, size, digest.digest(), functools.partial(_open, self._place, start, size)))

    def _take_ignore(self, pieces: Iterator[bytes]) -> None:
        data = b""
        for piece in pieces:
            data += piece
            if len(data) > MAX_IGNORE_BYTES:
                break
        try:
            self._ignore = Ignore(data)
        except InvalidInput as error:
            raise InvalidArchive(error.message) from None

    def finish(self) -> list[LocalFile]:
        """Return what is kept, after the checks that need all names."""
        try:
            check_paths(self._names, strict=True)
        except InvalidPath as error:
            raise InvalidArchive(error.message) from None
        files = self._files
        if self._ignore is not None:
            files = [file for file in files if not self._ignore.leaves_out(file.path)]
        return sorted(files, key=lambda file: file.path)


class _Section(io.RawIOBase):
    """A part of a file as if it were a file."""

    def __init__(self, place: str, start: int, size: int) -> None:
        self._file = open(place, "rb", buffering=0)  # noqa: SIM115 (closed with the section)
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        count = os.preadv(self._file.fileno(), [view], self._start + self._at) if view else 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _open(place: str, start: int, size: int) -> BinaryIO:
    return io.BufferedReader(_Section(place, start, size))
