"""Contents, known by their SHA-256, in chunks of 256 KiB, and their compressed variants.

Rule: a blob counts only when it is complete, which means that every chunk is there and the hash of all was checked.
What nothing uses stands in `unused_blob`, which the schema's triggers keep, and is collected from there.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from fazt.errors import InvalidInput, NotFound
from fazt.store import changes, rows, schema
from fazt.store.clock import now_ms
from fazt.store.jobs import Refused

CHUNK_BYTES = 262144

FIND = "SELECT id, hash, size FROM blob WHERE hash = ? AND complete = 1"
STATE = "SELECT id, size, complete FROM blob WHERE hash = ?"
RENEW = "UPDATE blob SET created_at = ? WHERE id = ?"
ADD = "INSERT INTO blob (hash, size, complete, compressed, created_at) VALUES (?, ?, ?, ?, ?)"
COMPLETE = "UPDATE blob SET complete = 1 WHERE id = ?"
REMOVE = "DELETE FROM blob WHERE id = ?"
ADD_CHUNK = "INSERT OR REPLACE INTO chunk (blob, n, data) VALUES (?, ?, ?)"
CHUNK_NUMBERS = "SELECT n FROM chunk WHERE blob = ? ORDER BY n"
CHUNK_COUNT = "SELECT count(*) FROM chunk WHERE blob = ?"
READ_CHUNK = "SELECT data FROM chunk WHERE blob = ? AND n = ?"
READ_ALL = "SELECT data FROM chunk WHERE blob = ? ORDER BY n"
VARIANTS = """
    SELECT variant.encoding, blob.id, blob.hash, blob.size FROM variant JOIN blob ON blob.id = variant.body
    WHERE variant.blob = ? ORDER BY variant.encoding
"""
TO_COMPRESS = """
    SELECT id, hash, size, path FROM (
        SELECT blob.id, blob.hash, blob.size,
            (SELECT path FROM version_file WHERE version_file.blob = blob.id AND public = 1 LIMIT 1) AS path
        FROM blob WHERE complete = 1 AND compressed = 0
    ) WHERE path IS NOT NULL LIMIT ?
"""
SET_COMPRESSED = "UPDATE blob SET compressed = 1 WHERE id = ? AND complete = 1"
ADD_VARIANT = "INSERT OR REPLACE INTO variant (blob, encoding, body) VALUES (?, ?, ?)"
LIVE_IN = """
    SELECT DISTINCT site.name FROM version_file JOIN site ON site.live_version = version_file.version
    WHERE version_file.blob = ? ORDER BY site.name
"""
UNUSED = """
    SELECT blob.id, blob.size FROM unused_blob JOIN blob ON blob.id = unused_blob.blob
    WHERE blob.created_at <= ? LIMIT ?
"""
ALL = "SELECT id, hash, size FROM blob WHERE complete = 1"
TOTALS = "SELECT count(*), coalesce(sum(size), 0) FROM blob WHERE complete = 1"


@dataclass(frozen=True, slots=True)
class Blob:
    """A complete blob."""

    id: int
    hash: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A blob that the store lacks; `chunks` are the numbers of those that it lacks, None: all of them."""

    hash: bytes
    size: int
    chunks: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class CodedBlob:
    """A variant: the coding (`gzip`, `br` or `zstd`) and the blob that holds the coded bytes."""

    encoding: str
    blob: Blob


@dataclass(frozen=True, slots=True)
class Uncompressed:
    """A blob without variants and the path of one file that uses it."""

    blob: Blob
    path: str


@dataclass(frozen=True, slots=True)
class Collected:
    """How many blobs were deleted, and how many bytes they had."""

    blobs: int
    bytes: int


def chunk_count(size: int) -> int:
    """Return the number of chunks of a blob; an empty blob has one, which is empty."""
    return max(1, -(-size // CHUNK_BYTES))


def chunk_length(size: int, n: int) -> int:
    """Return the length of chunk `n` of a blob of `size` bytes."""
    return min(CHUNK_BYTES, size - n * CHUNK_BYTES)


def missing(connection: apsw.Connection, wanted: Sequence[tuple[bytes, int]]) -> list[Missing]:
    """Return which of the wanted (hash, size) the store lacks, each once, and spare the others from collection.

    Raises: InvalidInput where a hash belongs to a content of another size.
    """
    now = now_ms()
    sizes: dict[bytes, int] = {}
    lacking: list[Missing] = []
    present: list[tuple[int, int]] = []
    for hash, size in wanted:
        if (known := sizes.setdefault(hash, size)) != size:
            raise InvalidInput(f"The hash {hash.hex()} is given with two sizes, {known} and {size}.")
    for hash, size in sizes.items():
        state = _state(connection, hash)
        if state is None:
            _check_blob(hash, size)
            lacking.append(Missing(hash, size, None))
            continue
        blob, stored_size, complete = state
        if complete:
            _check_size(hash, size, stored_size)
            present.append((now, blob))
        elif size != stored_size:
            # Nobody has proved the size of an unfinished upload: it must not be in the way of another one.
            connection.execute(REMOVE, (blob,))
            lacking.append(Missing(hash, size, None))
        else:
            present.append((now, blob))
            lacking.append(Missing(hash, size, _missing_chunks(connection, blob, size)))
    connection.executemany(RENEW, present)
    return lacking


def put_chunk(connection: apsw.Connection, hash: bytes, size: int, n: int, data: bytes) -> bool:
    """Store chunk `n` of the blob of that hash and size; return True when this made the blob complete.

    Raises: InvalidInput where number, length or hash is wrong; a blob whose chunks together have another hash is
    deleted, so that its upload can begin again.
    """
    _check_blob(hash, size)
    count = chunk_count(size)
    if not 0 <= n < count:
        raise InvalidInput(f"The blob {hash.hex()} of {size} bytes has {count} chunks, none with number {n}.")
    if len(data) != chunk_length(size, n):
        expected = chunk_length(size, n)
        raise InvalidInput(f"Chunk {n} of the blob {hash.hex()} must have {expected} bytes, not {len(data)}.")
    if count == 1 and hashlib.sha256(data).digest() != hash:
        raise InvalidInput(f"The content sent as {hash.hex()} has another hash.")
    state = _state(connection, hash)
    if state is None:
        connection.execute(ADD, (hash, size, int(count == 1), 0, now_ms()))
        blob = connection.last_insert_rowid()
    else:
        blob, stored_size, complete = state
        _check_size(hash, size, stored_size)
        if complete:
            return False
    connection.execute(ADD_CHUNK, (blob, n, data))
    if count == 1:
        return True
    if rows.value(connection, CHUNK_COUNT, (blob,)) < count:
        return False
    if _content_hash(connection, blob) != hash:
        connection.execute(REMOVE, (blob,))
        raise Refused(f"The content sent as {hash.hex()} has another hash; send all of its chunks again.")
    connection.execute(COMPLETE, (blob,))
    return True


def put(connection: apsw.Connection, data: bytes) -> bytes:
    """Store a whole content; return its hash."""
    hash = hashlib.sha256(data).digest()
    _put(connection, hash, data, compressed=False)
    return hash


def find(connection: apsw.Connection, hash: bytes) -> Blob | None:
    """Return the complete blob of that hash."""
    row = rows.first(connection, FIND, (hash,))
    return Blob(*row) if row else None


def read_chunk(connection: apsw.Connection, blob_id: int, n: int) -> bytes:
    """Return chunk `n` of a blob.

    Raises: NotFound where the blob is gone.
    """
    data: bytes | None = rows.value(connection, READ_CHUNK, (blob_id, n))
    if data is None:
        raise NotFound(f"There is no chunk {n} of blob {blob_id}.")
    return data


def read_all(connection: apsw.Connection, blob_id: int) -> bytes:
    """Return the whole content of a blob, for blobs that are known to be small.

    Raises: NotFound where the blob is gone.
    """
    pieces = [data for (data,) in rows.fetch(connection, READ_ALL, (blob_id,))]
    if not pieces:
        raise NotFound(f"There is no blob {blob_id}.")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def variants(connection: apsw.Connection, blob_id: int) -> list[CodedBlob]:
    """Return the compressed variants of a blob."""
    return [CodedBlob(encoding, Blob(*blob)) for encoding, *blob in rows.fetch(connection, VARIANTS, (blob_id,))]


def to_compress(connection: apsw.Connection, limit: int) -> list[Uncompressed]:
    """Return blobs of public files that nobody has tried to compress yet, oldest first."""
    return [Uncompressed(Blob(*blob), path) for *blob, path in rows.fetch(connection, TO_COMPRESS, (limit,))]


def add_variants(connection: apsw.Connection, blob_id: int, coded: Sequence[tuple[str, bytes]]) -> list[str]:
    """Store what a blob was compressed to (nothing where it is not worth it) and never offer it again.

    Returns the names of the sites that serve the blob now, each with a change, where any variant was stored.
    """
    connection.execute(SET_COMPRESSED, (blob_id,))
    if not connection.changes() or not coded:  # collected in the meantime
        return []
    for encoding, data in coded:
        body = _put(connection, hashlib.sha256(data).digest(), data, compressed=True)
        connection.execute(ADD_VARIANT, (blob_id, encoding, body))
    sites: list[str] = [name for (name,) in rows.fetch(connection, LIVE_IN, (blob_id,))]
    for name in sites:
        changes.add(connection, "site", name)
    return sites


def collect(connection: apsw.Connection, limit: int, older_than_ms: int) -> Collected:
    """Delete at most `limit` blobs that no version and no variant uses and that nobody asked for in `older_than_ms`.

    Unfinished uploads count too. The variants of a deleted blob are deleted in the same way, in their turn.
    """
    newest = now_ms() - older_than_ms
    count = size = 0
    # A round may free variants, which the next one finds.
    while count < limit and (unused := rows.fetch(connection, UNUSED, (newest, limit - count))):
        connection.executemany(REMOVE, [(blob,) for blob, _ in unused])
        count += len(unused)
        size += sum(bytes for _, bytes in unused)
    return Collected(count, size)


def shrink(connection: apsw.Connection, pages: int) -> int:
    """Take at most `pages` unused pages out of the file; return how many (the file shrinks with the checkpoint)."""
    before: int = schema.pragma(connection, "freelist_count")
    if before:
        schema.pragma(connection, f"incremental_vacuum({pages:d})")
    after: int = schema.pragma(connection, "freelist_count")
    return before - after


def list_all(connection: apsw.Connection) -> list[Blob]:
    """Return every complete blob, for who checks them all."""
    return [Blob(*row) for row in rows.fetch(connection, ALL)]


def totals(connection: apsw.Connection) -> tuple[int, int]:
    """Return the number of complete blobs and the bytes they have together."""
    count, size = rows.fetch(connection, TOTALS)[0]
    return count, size


def _state(connection: apsw.Connection, hash: bytes) -> rows.Row | None:
    """Return (id, size, complete) of a blob, finished or not."""
    return rows.first(connection, STATE, (hash,))


def _check_blob(hash: bytes, size: int) -> None:
    if len(hash) != hashlib.sha256().digest_size:
        raise InvalidInput(f"A hash has 32 bytes, not {len(hash)}.")
    if size < 0:
        raise InvalidInput(f"The blob {hash.hex()} cannot have {size} bytes.")


def _check_size(hash: bytes, size: int, stored_size: int) -> None:
    if size != stored_size:
        raise InvalidInput(f"The content {hash.hex()} has {stored_size} bytes, not {size}.")


def _missing_chunks(connection: apsw.Connection, blob: int, size: int) -> tuple[int, ...] | None:
    stored = {n for (n,) in rows.fetch(connection, CHUNK_NUMBERS, (blob,))}
    return tuple(n for n in range(chunk_count(size)) if n not in stored) if stored else None


def _content_hash(connection: apsw.Connection, blob: int) -> bytes:
    digest = hashlib.sha256()
    for (data,) in connection.execute(READ_ALL, (blob,)):
        digest.update(data)
    return digest.digest()


def _put(connection: apsw.Connection, hash: bytes, data: bytes, *, compressed: bool) -> int:
    """Store a content whose hash is known to be right; return the blob's number."""
    state = _state(connection, hash)
    if state is not None and state[2]:
        connection.execute(RENEW, (now_ms(), state[0]))
        blob: int = state[0]
        return blob
    if state is not None:
        connection.execute(REMOVE, (state[0],))
    connection.execute(ADD, (hash, len(data), 1, int(compressed), now_ms()))
    blob = connection.last_insert_rowid()
    pieces = (data[start : start + CHUNK_BYTES] for start in range(0, max(1, len(data)), CHUNK_BYTES))
    connection.executemany(ADD_CHUNK, ((blob, n, piece) for n, piece in enumerate(pieces)))
    return blob
