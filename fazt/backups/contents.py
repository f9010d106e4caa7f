"""What is in a copy of a database, and whether all of it is whole."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from fazt.errors import BackupRefused, NotFound, SecretsLocked, StoreCorrupt
from fazt.store import audit, blobs, changes, faults, key_file, schema, sealed_rows, sealing, sites, versions
from fazt.store.audit import Entry
from fazt.store.blobs import Blob

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy holds."""

    schema: int
    sequence: int
    sites: tuple[str, ...]
    versions: int
    blobs: int
    key_id: bytes | None  # of the key that its secrets are sealed with


def look(path: Path) -> Contents:
    """Return what a closed copy holds.

    Raises: BackupRefused where it is of a newer Fazt or of another program, or where it cannot be read.
    """
    with _opened(path) as connection:
        number = schema.pragma(connection, "user_version")
        newest = schema.migrations()[-1][0]
        if number > newest:
            raise BackupRefused(
                f"It was made by a newer Fazt (schema {number}, this one knows {newest}): upgrade first."
            )
        names = tuple(site.name for site in sites.list_page(connection, None, NO_LIMIT))
        return Contents(
            schema=number,
            sequence=changes.last(connection),
            sites=names,
            versions=versions.count_all(connection),
            blobs=blobs.totals(connection)[0],
            key_id=sealed_rows.find_key_id(connection),
        )


def take_key_along(path: Path, database: Path, *, required: bool) -> bytes | None:
    """Put the key of a database's secrets into a copy of it, and return it; None where it is missing.

    Raises: SecretsLocked where it is missing and required.
    """
    with _changing(path) as connection:
        id = sealing.key_id(connection)
        key = key_file.find(database, id)
        if key is not None:
            sealed_rows.carry(connection, key)
        elif required:
            raise SecretsLocked(sealing.LOST.format(id=id.hex()))
        return key


def write_down(path: Path, entry: Entry) -> None:
    """Add a row to the audit log of a closed copy; one that is older than the log has none. Raises: StoreError."""
    with _changing(path) as connection:
        if schema.pragma(connection, "user_version") >= audit.SINCE:
            audit.add(connection, entry)


def check(path: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Check a closed copy: its structure, its references, and the hash of every content in it.

    Raises: BackupRefused, which says what is wrong.
    """
    with _opened(path) as connection:
        damage = schema.find_damage(connection)
        if damage is not None:
            raise BackupRefused(f"Its database is damaged: {damage}.")
        found = blobs.list_all(connection)
        for number, blob in enumerate(found, 1):
            if not _is_whole(connection, blob):
                raise BackupRefused(f"A content in it is damaged: {blob.hash.hex()}.")
            if progress is not None:
                progress(number, len(found))


def _is_whole(connection: apsw.Connection, blob: Blob) -> bool:
    made = hashlib.sha256()
    try:
        for n in range(blobs.chunk_count(blob.size)):
            made.update(blobs.read_chunk(connection, blob.id, n))
    except NotFound:
        return False
    return made.digest() == blob.hash


@contextmanager
def _changing(path: Path) -> Iterator[apsw.Connection]:
    """Open a closed copy for writing; it has no WAL: what is committed is in it. Raises: StoreError."""
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            yield connection
    except apsw.Error as error:
        raise faults.from_sqlite(error, path) from error


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    """Open a copy for reading, without leaving files beside it."""
    try:
        schema.check_header(path)
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        with closing(apsw.Connection(f"{path.resolve().as_uri()}?immutable=1", flags=flags)) as connection:
            yield connection
    except (apsw.Error, StoreCorrupt) as error:
        raise BackupRefused(f"Its database cannot be read: {error}.") from error
