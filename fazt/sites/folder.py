"""A folder on this computer → the files of a site.

Owns the walk (what is left out, where links lead) and the hashing, which is spread over threads. Rule: nothing outside
the folder is ever read, and no file is named in a way that `check_path` refuses.
"""

import functools
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from fazt.errors import InvalidInput, TooLarge
from fazt.sites.ignore import IGNORE_FILE, Ignore, is_always_left_out
from fazt.sites.local_file import ArchiveLimits, LocalFile
from fazt.sites.names import check_path, shown

__all__ = ["ArchiveLimits", "LocalFile", "read_folder"]

THREADS = min(4, os.cpu_count() or 1)
BATCH_FILES = 64
BATCH_BYTES = 4 << 20
READ_WHOLE_BYTES = 1 << 20
MAX_DEPTH = 128  # of folders; a path of 1,024 bytes hardly goes deeper, and a loop of links ends here at the latest


def read_folder(
    folder: Path, *, on_file: Callable[[LocalFile], None] | None = None, limits: ArchiveLimits
) -> list[LocalFile]:
    """Return the files of a folder in order of path, hashed; `on_file` hears of each when it has been read.

    Raises: InvalidInput, InvalidPath and TooLarge, naming the file.
    """
    if not folder.is_dir():
        raise InvalidInput(
            f"{shown(str(folder))} is not a folder." if folder.exists() else f"There is no folder {shown(str(folder))}."
        )
    found = _Walk(folder, limits).run()
    files: list[LocalFile] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="hash") as pool:
        for batch in pool.map(functools.partial(_read_batch, limits), _batches(found)):
            files.extend(batch)
            if on_file is not None:
                for file in batch:
                    on_file(file)
    files.sort(key=lambda file: file.path)
    return files


class _Walk:
    """One walk through a folder: collects (path in the site, path on disk, size)."""

    def __init__(self, folder: Path, limits: ArchiveLimits) -> None:
        self._top = os.path.realpath(folder)
        self._limits = limits
        self._ignore = _read_ignore(self._top)
        self._found: list[tuple[str, str, int]] = []
        self._bytes = 0

    def run(self) -> list[tuple[str, str, int]]:
        self._enter(self._top, "", (self._top,))
        return self._found

    def _enter(self, place: str, prefix: str, chain: tuple[str, ...]) -> None:
        """Take in a folder; `chain` is the real folders that led here, to notice a link back to one of them."""
        if len(chain) > MAX_DEPTH:
            raise InvalidInput(f"The folder {shown(prefix)} is nested more than {MAX_DEPTH} deep.")
        try:
            with os.scandir(place) as scan:
                entries = [entry for entry in scan if not is_always_left_out(entry.name)]
        except OSError as error:
            raise InvalidInput(f"The folder {shown(prefix or place)} cannot be read: {error.strerror}.") from None
        for entry in entries:
            self._take(entry, prefix + entry.name, chain)

    def _take(self, entry: "os.DirEntry[str]", path: str, chain: tuple[str, ...]) -> None:
        is_link = entry.is_symlink()
        if is_link and self._leaves_out(path, is_folder=True):
            return
        try:
            real = self._follow(entry.path, path) if is_link else entry.path
            status = entry.stat()
        except OSError as error:
            raise InvalidInput(f"{shown(path)} cannot be read: {error.strerror}.") from None
        if stat.S_ISDIR(status.st_mode):
            if self._leaves_out(path, is_folder=True):
                return
            if real in chain:
                raise InvalidInput(f"The link {shown(path)} leads back to a folder that it lies in; remove it.")
            check_path(path)
            self._enter(real, path + "/", (*chain, real))
        elif not self._leaves_out(path, is_folder=False):
            if not stat.S_ISREG(status.st_mode):
                raise InvalidInput(f"{shown(path)} is neither a file nor a folder; leave it out with {IGNORE_FILE}.")
            self._add(check_path(path), real, status.st_size)

    def _leaves_out(self, path: str, *, is_folder: bool) -> bool:
        if self._ignore is None:
            return False
        return self._ignore.leaves_out_folder(path) if is_folder else self._ignore.leaves_out(path)

    def _follow(self, link: str, path: str) -> str:
        """Return where a link leads, which must be inside the folder."""
        real = os.path.realpath(link)
        if real != self._top and not real.startswith(self._top.rstrip("/") + "/"):
            raise InvalidInput(f"The link {shown(path)} leads out of the folder; replace it by what it points to.")
        if not os.path.exists(real):
            raise InvalidInput(f"The link {shown(path)} leads nowhere; remove it.")
        return real

    def _add(self, path: str, place: str, size: int) -> None:
        self._found.append((path, place, size))
        self._bytes += size
        if len(self._found) > self._limits.max_files:
            raise TooLarge(f"The folder has more than {self._limits.max_files} files.")
        if size > self._limits.max_file_bytes:
            raise TooLarge(f"{shown(path)} is larger than {self._limits.max_file_bytes} bytes.")
        if self._bytes > self._limits.max_total_bytes:
            raise TooLarge(f"The files of the folder are larger than {self._limits.max_total_bytes} bytes together.")


def _read_ignore(top: str) -> Ignore | None:
    place = os.path.join(top, IGNORE_FILE)
    if not os.path.isfile(place):
        return None
    if not os.path.realpath(place).startswith(top.rstrip("/") + "/"):
        raise InvalidInput(f"The link {shown(IGNORE_FILE)} leads out of the folder; replace it by what it points to.")
    try:
        with open(place, "rb") as file:
            return Ignore(file.read())
    except OSError as error:
        raise InvalidInput(f"{shown(IGNORE_FILE)} cannot be read: {error.strerror}.") from None


def _batches(found: list[tuple[str, str, int]]) -> Iterator[list[tuple[str, str, int]]]:
    """Group small files, since handing one to a thread costs as much as hashing it."""
    batch: list[tuple[str, str, int]] = []
    total = 0
    for item in found:
        batch.append(item)
        total += item[2]
        if len(batch) >= BATCH_FILES or total >= BATCH_BYTES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _read_batch(limits: ArchiveLimits, batch: list[tuple[str, str, int]]) -> list[LocalFile]:
    return [_read_file(limits, path, place) for path, place, _ in batch]


def _read_file(limits: ArchiveLimits, path: str, place: str) -> LocalFile:
    try:
        with open(place, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= READ_WHOLE_BYTES:
                data = file.readall()
                size, digest = len(data), hashlib.sha256(data).digest()
            else:
                digest = hashlib.file_digest(file, "sha256").digest()
                size = file.tell()
    except OSError as error:
        raise InvalidInput(f"{shown(path)} cannot be read: {error.strerror}.") from None
    if size > limits.max_file_bytes:
        raise TooLarge(f"{shown(path)} is larger than {limits.max_file_bytes} bytes.")
    return LocalFile(path, size, digest, functools.partial(_open, place))


def _open(place: str) -> BinaryIO:
    return open(place, "rb")
