"""The background maker of variants: each blob that is worth it is compressed once, on a thread of its own.

Rule: it only ever adds to what is served; whatever goes wrong here, the file goes out as it is.
"""

import contextlib
import logging
import os
import threading
import time
import zlib
from collections.abc import Callable, Sequence

import apsw
import brotli
import zstandard

from fazt.errors import FaztError, NotFound
from fazt.sites.media_types import is_compressible, media_type
from fazt.store import blobs
from fazt.store.blobs import Uncompressed
from fazt.store.database import Database

log = logging.getLogger("fazt.sites")

SMALLEST = 256
LARGEST = 16 << 20
BEST_BROTLI_BYTES = 128 << 10  # brotli 11 takes twenty times as long as 9, which counts for large files
LEAST_SAVED_BYTES = 64
LEAST_SAVED_SHARE = 0.05
PIECE_BYTES = 256 << 10  # between two pieces the thread looks whether it is to stop
LISTED = 256
GROUP_BYTES = 1 << 20
GROUP_BLOBS = 64
GROUP_S = 0.5
RETRY_S = 60.0
NICENESS = 10

Coded = list[tuple[str, bytes]]
Group = list[tuple[int, Coded]]


class Stopped(Exception):
    """The compressor is stopping, in the middle of a blob."""


class Compressor:
    """The thread that compresses; `wake` tells it that there may be something new."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._waking = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it looks at once for what an earlier run left."""
        self._waking.set()
        self._thread = threading.Thread(target=self._run, name="fazt-compressor", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have it look for new blobs."""
        self._waking.set()

    def stop(self) -> None:
        """Stop after the piece that is in work; what is left is done at the next start."""
        self._stopping.set()
        self._waking.set()
        if self._thread is not None:
            self._thread.join()

    def drain(self) -> int:
        """Compress all that waits; return how many blobs were looked at."""
        count = 0
        while not self._stopping.is_set():
            waiting = self._database.read_blocking(blobs.to_compress, LISTED)
            if not waiting:
                break
            self._compress(sorted(waiting, key=lambda each: each.blob.size))
            count += len(waiting)
        return count

    def _run(self) -> None:
        # In Linux each thread has a niceness of its own; visitors come first.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        pause: float | None = None
        while not self._stopping.is_set():
            self._waking.wait(pause)
            self._waking.clear()
            pause = None
            try:
                self.drain()
            except FaztError as error:
                log.warning("compressing goes on later: %s", error)
                pause = RETRY_S
            except Exception:
                log.exception("compressing failed; it goes on later")
                pause = RETRY_S

    def _compress(self, waiting: Sequence[Uncompressed]) -> None:
        """Compress blobs and store what came of them in groups: a group is one commit and one change of its sites."""
        group: Group = []
        size, began = 0, time.monotonic()
        with contextlib.suppress(Stopped):  # what is finished by then is stored below
            for each in waiting:
                coded = self._variants(each)
                group.append((each.blob.id, coded))
                size += sum(len(data) for _, data in coded)
                if size >= GROUP_BYTES or len(group) >= GROUP_BLOBS or time.monotonic() - began > GROUP_S:
                    self._database.write_blocking(_store, group)
                    group, size, began = [], 0, time.monotonic()
        if group:
            self._database.write_blocking(_store, group)

    def _variants(self, each: Uncompressed) -> Coded:
        if not (SMALLEST <= each.blob.size <= LARGEST and is_compressible(media_type(each.path))):
            return []
        try:
            data = self._database.read_blocking(blobs.read_all, each.blob.id)
        except NotFound:  # collected in the meantime
            return []
        made = [("br", self._brotli(data)), ("zstd", self._zstd(data)), ("gzip", self._gzip(data))]
        return [(encoding, coded) for encoding, coded in made if is_worth_it(len(data), len(coded))]

    def _brotli(self, data: bytes) -> bytes:
        compressor = brotli.Compressor(quality=11 if len(data) < BEST_BROTLI_BYTES else 9)
        return self._in_pieces(data, compressor.process, compressor.finish)

    def _zstd(self, data: bytes) -> bytes:
        # Level 19 never takes a window over 8 MiB, which is the most that a browser has to accept (RFC 9659).
        compressor = zstandard.ZstdCompressor(level=19).compressobj(size=len(data))
        return self._in_pieces(data, compressor.compress, compressor.flush)

    def _gzip(self, data: bytes) -> bytes:
        compressor = zlib.compressobj(9, zlib.DEFLATED, 31)  # 31: with a gzip header, whose time is 0
        return self._in_pieces(data, compressor.compress, compressor.flush)

    def _in_pieces(self, data: bytes, feed: Callable[[bytes], bytes], finish: Callable[[], bytes]) -> bytes:
        coded = []
        for start in range(0, len(data), PIECE_BYTES):
            if self._stopping.is_set():
                raise Stopped
            coded.append(feed(data[start : start + PIECE_BYTES]))
        return b"".join([*coded, finish()])


def is_worth_it(size: int, coded: int) -> bool:
    """Tell whether a coded body saves enough to be kept."""
    return size - coded >= max(LEAST_SAVED_BYTES, size * LEAST_SAVED_SHARE)


def _store(connection: apsw.Connection, group: Group) -> None:
    for blob_id, coded in group:
        blobs.add_variants(connection, blob_id, coded)
