"""A version as a tar stream, byte for byte.

Rule: the same version gives the same bytes each time: its own time on every file, owner 0, files in order of path.
"""

import tarfile
from collections.abc import AsyncIterator

import apsw

from fazt.errors import NotFound
from fazt.sites.spill import ChunkSource
from fazt.store import blobs, versions
from fazt.store.blobs import CHUNK_BYTES, Blob
from fazt.store.database import Database
from fazt.store.versions import File, Version

LISTED = 500
MODE = 0o644


async def tar_of(database: Database, version: Version) -> AsyncIterator[bytes]:
    """Yield a tar of every file of a version, private ones too, in pieces of about 256 KiB at most.

    Raises: NotFound where the version is deleted in the meantime.
    """
    after: str | None = None
    while files := await database.read(versions.files, version.number, after, LISTED):
        for group in _groups(files):
            if group[0].size <= CHUNK_BYTES:
                yield await database.read(_small_files, group, version.created_at)
            else:
                async for piece in _large_file(database, group[0], version.created_at):
                    yield piece
        after = files[-1].path
    yield bytes(2 * tarfile.BLOCKSIZE)


def _groups(files: list[File]) -> list[list[File]]:
    """Put small files that follow each other together, so that they take one read; a large one stands alone."""
    groups: list[list[File]] = []
    room = 0
    for file in files:
        length = tarfile.BLOCKSIZE + file.size + len(_padding(file.size))
        if length > room:
            groups.append([])
            room = CHUNK_BYTES
        groups[-1].append(file)
        room -= length
    return groups


def _small_files(connection: apsw.Connection, files: list[File], at_ms: int) -> bytes:
    pieces = []
    for file in files:
        blob = blobs.find(connection, file.hash)  # by hash: numbers of deleted blobs are given out again
        if blob is None:
            raise NotFound(f"The content of {file.path!r} is gone.")
        pieces += [_header(file, at_ms), blobs.read_all(connection, blob.id), _padding(file.size)]
    return b"".join(pieces)


async def _large_file(database: Database, file: File, at_ms: int) -> AsyncIterator[bytes]:
    yield _header(file, at_ms)
    source = ChunkSource(database, Blob(file.blob_id, file.hash, file.size))
    for offset in range(0, file.size, CHUNK_BYTES):
        yield await source.read(offset, CHUNK_BYTES)
    yield _padding(file.size)


def _header(file: File, at_ms: int) -> bytes:
    entry = tarfile.TarInfo(file.path)
    entry.size = file.size
    entry.mtime = at_ms // 1000
    entry.mode = MODE
    return entry.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
