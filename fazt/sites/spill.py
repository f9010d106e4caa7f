"""The spill cache: large blobs as files beside the database, and the bodies that stream from them or from chunks.

A blob is read from its chunks at first, copied at its second use, and sent with sendfile from then on. Rule: whatever
is in the folder may be deleted at any moment while serving; a file counts only after its hash was checked.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import queue
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import apsw

from fazt.errors import FaztError, NotFound
from fazt.store import blobs
from fazt.store.blobs import CHUNK_BYTES, Blob
from fazt.store.database import Database

log = logging.getLogger("fazt.sites")

REMEMBERED_USES = 4096
KEPT_FREE_BYTES = 64 << 20  # the last of the disk is the database's
UNFINISHED = "unfinished-"
HASH_DIGITS = 64
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class ChunkSource:
    """A body that is read from the store's chunks."""

    __slots__ = ("_blob", "_database")

    def __init__(self, database: Database, blob: Blob) -> None:
        self._database = database
        self._blob = blob

    async def read(self, offset: int, length: int) -> bytes:
        """Return 1 to `length` bytes from `offset`, at most up to the end of a chunk."""
        data = await self._database.read(_chunk, self._blob.hash, offset // CHUNK_BYTES)
        start = offset % CHUNK_BYTES
        return data[start : start + length]

    def fileno(self) -> int | None:
        """Return None: there is no file."""
        return None


class FileSource:
    """A body that is read from a file of the spill cache; it holds the file open as long as anybody holds it."""

    __slots__ = ("_descriptor", "_fallback")

    def __init__(self, descriptor: int, fallback: ChunkSource) -> None:
        self._descriptor = descriptor
        self._fallback = fallback

    async def read(self, offset: int, length: int) -> bytes:
        """Return 1 to `length` bytes from `offset`."""
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(None, os.pread, self._descriptor, min(length, CHUNK_BYTES), offset)
        return data or await self._fallback.read(offset, length)  # somebody has cut the file short

    def fileno(self) -> int | None:
        """Return the file's descriptor."""
        return self._descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class SpillStatistics:
    """The spill cache as it stands."""

    files: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int
    copies: int


class Spill:
    """The folder of large blobs, bounded in bytes; what was not used for longest goes first."""

    def __init__(self, folder: Path, max_bytes: int, database: Database) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._database = database
        self._lock = threading.Lock()
        self._sizes: OrderedDict[bytes, int] = OrderedDict()  # hash -> size of what is in the folder, oldest use first
        self._bytes = 0
        self._used: OrderedDict[bytes, None] = OrderedDict()  # blobs that were used once
        self._copying: set[bytes] = set()
        self._hits = self._misses = self._copies = 0
        self._closing = threading.Event()
        self._queue: queue.Queue[Blob | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="fazt-spill", daemon=True)
        self._thread.start()

    def source(self, blob: Blob) -> ChunkSource | FileSource:
        """Return a body of the blob; its second use has it copied into the folder, behind the caller's back."""
        chunks = ChunkSource(self._database, blob)
        descriptor = self._open(blob)
        with self._lock:
            if descriptor is not None:
                self._hits += 1
                self._add(blob)
                return FileSource(descriptor, chunks)
            self._misses += 1
            self._forget(blob.hash)
            if blob.hash in self._used:
                if blob.size <= self._max_bytes and blob.hash not in self._copying:
                    self._copying.add(blob.hash)
                    self._queue.put(blob)
            else:
                self._used[blob.hash] = None
                if len(self._used) > REMEMBERED_USES:
                    self._used.popitem(last=False)
        return chunks

    def statistics(self) -> SpillStatistics:
        """Return the cache as it stands."""
        with self._lock:
            return SpillStatistics(
                len(self._sizes), self._bytes, self._max_bytes, self._hits, self._misses, self._copies
            )

    def resize(self, max_bytes: int) -> None:
        """Take at most so many bytes of disk from now on."""
        with self._lock:
            self._max_bytes = max_bytes
            while self._bytes > max_bytes:
                self._evict()

    def clear(self) -> None:
        """Delete every file; bodies under way are sent to their end."""
        with self._lock:
            while self._sizes:
                self._evict()

    def close(self) -> None:
        """Stop copying; the files stay for the next start."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join()

    def _path(self, hash: bytes) -> Path:
        name = hash.hex()
        return self._folder / name[:2] / name

    def _open(self, blob: Blob) -> int | None:
        try:
            descriptor = os.open(self._path(blob.hash), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # deleted by somebody, or never there: the chunks are always right
            return None
        if os.fstat(descriptor).st_size == blob.size:
            return descriptor
        os.close(descriptor)
        return None

    def _add(self, blob: Blob) -> None:
        """Note that a blob's file is there and is used now; the lock is held."""
        if blob.hash not in self._sizes:
            self._sizes[blob.hash] = blob.size
            self._bytes += blob.size
        self._sizes.move_to_end(blob.hash)
        while self._bytes > self._max_bytes and len(self._sizes) > 1:
            self._evict()

    def _forget(self, hash: bytes) -> None:
        self._bytes -= self._sizes.pop(hash, 0)

    def _evict(self) -> None:
        hash, size = self._sizes.popitem(last=False)
        self._bytes -= size
        self._used.pop(hash, None)
        with contextlib.suppress(OSError):  # deleted by somebody else
            self._path(hash).unlink()

    def _run(self) -> None:
        """Look through the folder once, then copy what is asked for."""
        try:
            self._scan()
        except OSError:
            log.exception("the spill cache %s cannot be read", self._folder)
        while (blob := self._queue.get()) is not None:
            made = self._try_copy(blob)
            with self._lock:
                self._copying.discard(blob.hash)
                if not made:  # it is tried again after two more uses
                    self._used.pop(blob.hash, None)
            self._queue.task_done()
        self._queue.task_done()

    def _try_copy(self, blob: Blob) -> bool:
        try:
            self._copy(blob)
        except (OSError, FaztError) as error:
            if not self._closing.is_set():
                log.warning("a file of the spill cache %s was not made: %s", self._folder, error)
            return False
        except Exception:
            log.exception("a file of the spill cache %s was not made", self._folder)
            return False
        return True

    def _scan(self) -> None:
        """Count the files that an earlier run left, newest last, and delete what it did not finish."""
        found: list[tuple[float, bytes, int]] = []
        if not self._folder.is_dir():
            return
        for path in self._folder.rglob("*"):
            if path.name.startswith(UNFINISHED):
                path.unlink(missing_ok=True)
            elif len(path.name) == HASH_DIGITS and path.is_file():
                with contextlib.suppress(OSError, ValueError):
                    state = path.stat()
                    found.append((state.st_mtime, bytes.fromhex(path.name), state.st_size))
        with self._lock:
            for _, hash, size in sorted(found, reverse=True):
                if hash not in self._sizes:
                    self._sizes[hash] = size
                    self._sizes.move_to_end(hash, last=False)
                    self._bytes += size
            while self._bytes > self._max_bytes:
                self._evict()

    def _copy(self, blob: Blob) -> None:
        """Write a blob's chunks to a file under another name, check its hash, and give it its own name."""
        target = self._path(blob.hash)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize < blob.size + KEPT_FREE_BYTES:
            return
        unfinished = self._folder / f"{UNFINISHED}{secrets.token_hex(8)}"
        try:
            digest = hashlib.sha256()
            with os.fdopen(os.open(unfinished, NEW_FILE, 0o600), "wb") as file:
                for n in range(blobs.chunk_count(blob.size)):
                    if self._closing.is_set():
                        return
                    data = self._database.read_blocking(_chunk, blob.hash, n)
                    digest.update(data)
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())  # after a power cut a file has its content or is not there
            if digest.digest() != blob.hash:
                raise OSError(f"what was written of {blob.hash.hex()} has another hash")
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        with self._lock:
            self._copies += 1
            self._add(blob)


def _chunk(connection: apsw.Connection, hash: bytes, n: int) -> bytes:
    """Return a chunk of the blob of that hash: by its hash, since numbers of deleted blobs are given out again."""
    blob = blobs.find(connection, hash)
    if blob is None:
        raise NotFound(f"The content {hash.hex()} is gone.")
    return blobs.read_chunk(connection, blob.id, n)
