"""Versions: immutable sets of files of a site.

A version is known by its number inside the store and by its random id outside; the first 8 characters of an id are
unique within a site, since previews are named by them. Rule: nothing of a version changes after it was made.
"""

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from fazt.errors import BlobsMissing, InvalidInput, VersionNotFound
from fazt.store import changes, rows
from fazt.store.clock import now_ms

PREFIX_MIN = 4
PREFIX_UNIQUE = 8
ID_CHARACTERS = 32

FIND = """
    SELECT number, id, site, parent, message, source, files, bytes, created_at
    FROM version WHERE site = ? AND substr(id, 1, 8) BETWEEN ? AND ? LIMIT 2
"""
BY_NUMBER = "SELECT number, id, site, parent, message, source, files, bytes, created_at FROM version WHERE number = ?"
LIST_PAGE = """
    SELECT number, id, site, parent, message, source, files, bytes, created_at
    FROM version WHERE site = ? AND number < ? ORDER BY number DESC LIMIT ?
"""
PREVIOUS_LIVE = "SELECT previous_version FROM site WHERE id = ?"
TAKEN = "SELECT 1 FROM version WHERE site = ? AND substr(id, 1, 8) = ?"
ADD = """
    INSERT INTO version (id, site, parent, message, source, files, bytes, rules, created_at)
    VALUES (?, ?, (SELECT number FROM version WHERE number = ? AND site = ?), ?, ?, ?, 0, ?, ?)
"""
ADD_FILE = """
    INSERT INTO version_file (version, path, blob, public)
    SELECT ?, ?, id, ? FROM blob WHERE hash = ? AND complete = 1
"""
SET_BYTES = """
    UPDATE version SET bytes = (
        SELECT coalesce(sum(blob.size), 0) FROM version_file JOIN blob ON blob.id = version_file.blob
        WHERE version_file.version = version.number
    ) WHERE number = ?
"""
FILE_COUNT = "SELECT count(*) FROM version_file WHERE version = ?"
HAS_BLOB = "SELECT 1 FROM blob WHERE hash = ? AND complete = 1"
FILES = """
    SELECT version_file.path, blob.id, blob.hash, blob.size, version_file.public
    FROM version_file JOIN blob ON blob.id = version_file.blob
    WHERE version_file.version = ? AND version_file.path > ? ORDER BY version_file.path LIMIT ?
"""
FIND_FILE = """
    SELECT version_file.path, blob.id, blob.hash, blob.size, version_file.public
    FROM version_file JOIN blob ON blob.id = version_file.blob
    WHERE version_file.version = ? AND version_file.path = ?
"""
RULES = "SELECT rules FROM version WHERE number = ?"
COUNT = "SELECT count(*) FROM version WHERE site = ?"
COUNT_ALL = "SELECT count(*) FROM version"
PRUNABLE = """
    SELECT number, id, site, parent, message, source, files, bytes, created_at FROM version WHERE site = ?1
        AND coalesce(source = ?3, TRUE)
        AND number NOT IN (
            SELECT number FROM version WHERE site = ?1 AND coalesce(source = ?3, TRUE) ORDER BY number DESC LIMIT ?2
        )
        AND number IS NOT (SELECT live_version FROM site WHERE id = ?1)
        AND number IS NOT (SELECT previous_version FROM site WHERE id = ?1)
    ORDER BY number
"""
REMOVE = "DELETE FROM version WHERE number = ?"
SITE_NAME = "SELECT name FROM site WHERE id = ?"
LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file of a version that is to be made."""

    path: str
    hash: bytes
    public: bool


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable set of files of a site; `files` is their number, `bytes` their size together."""

    number: int
    id: str
    site_id: int
    parent: int | None
    message: str
    source: str
    files: int
    bytes: int
    created_at: int


@dataclass(frozen=True, slots=True)
class File:
    """A file of a version; one that is not public is never served."""

    path: str
    blob_id: int
    hash: bytes
    size: int
    public: bool


def create(
    connection: apsw.Connection,
    site_id: int,
    files: Sequence[NewFile],
    *,
    rules: bytes,
    message: str,
    source: str,
    parent: int | None,
) -> Version:
    """Make a version of a site; it is not live yet.

    Raises: BlobsMissing with the hashes (`missing`, hexadecimal) of contents that are not there or not complete;
    InvalidInput where a path comes twice.
    """
    id = _new_id(connection, site_id)
    connection.execute(ADD, (id, site_id, parent, site_id, message, source, len(files), rules, now_ms()))
    number = connection.last_insert_rowid()
    in_order = sorted(files, key=lambda file: file.path)
    for file, following in itertools.pairwise(in_order):
        if file.path == following.path:
            raise InvalidInput(f"The path {file.path!r} is given twice.")
    connection.executemany(ADD_FILE, ((number, file.path, int(file.public), file.hash) for file in in_order))
    if rows.value(connection, FILE_COUNT, (number,)) < len(files):
        hashes = dict.fromkeys(file.hash for file in files)
        missing = [hash.hex() for hash in hashes if rows.first(connection, HAS_BLOB, (hash,)) is None]
        raise BlobsMissing(f"The store lacks {len(missing)} of the contents; send them first.", missing=missing)
    connection.execute(SET_BYTES, (number,))
    return by_number(connection, number)


def find(connection: apsw.Connection, site_id: int, prefix: str) -> Version | None:
    """Return the version of a site whose id begins with `prefix`, which must have at least 4 characters.

    Raises: InvalidInput where the prefix is too short, or fits several versions.
    """
    prefix = prefix.lower()
    if len(prefix) < PREFIX_MIN:
        raise InvalidInput(f"A version is named by at least {PREFIX_MIN} characters of its id, not {prefix!r}.")
    if len(prefix) > ID_CHARACTERS or not set(prefix) <= set("0123456789abcdef"):
        return None
    start = prefix[:PREFIX_UNIQUE]
    bounds = (start.ljust(PREFIX_UNIQUE, "0"), start.ljust(PREFIX_UNIQUE, "f"))
    found = [Version(*row) for row in rows.fetch(connection, FIND, (site_id, *bounds))]
    if len(found) > 1:
        raise InvalidInput(f"Several versions begin with {prefix!r}; give more characters.")
    return found[0] if found and found[0].id.startswith(prefix) else None


def get(connection: apsw.Connection, site_id: int, prefix: str) -> Version:
    """Return the version of a site whose id begins with `prefix`.

    Raises: VersionNotFound; InvalidInput as `find` does.
    """
    version = find(connection, site_id, prefix)
    if version is None:
        raise VersionNotFound(f"The site has no version {prefix!r}.")
    return version


def by_number(connection: apsw.Connection, number: int) -> Version:
    """Return a version by its number.

    Raises: VersionNotFound.
    """
    row = rows.first(connection, BY_NUMBER, (number,))
    if row is None:
        raise VersionNotFound(f"There is no version number {number}.")
    return Version(*row)


def list_page(connection: apsw.Connection, site_id: int, before: int | None, limit: int) -> list[Version]:
    """Return at most `limit` versions of a site, newest first, beginning behind the number `before`."""
    start = LARGEST_NUMBER if before is None else before
    return [Version(*row) for row in rows.fetch(connection, LIST_PAGE, (site_id, start, limit))]


def files(connection: apsw.Connection, number: int, after: str | None, limit: int) -> list[File]:
    """Return at most `limit` files of a version in order of their paths, beginning behind the path `after`."""
    return [_file(*row) for row in rows.fetch(connection, FILES, (number, after or "", limit))]


def find_files(connection: apsw.Connection, number: int, paths: Sequence[str]) -> dict[str, File]:
    """Return those of the paths that are files of the version; paths are compared byte for byte."""
    found: dict[str, File] = {}
    for path in paths:
        row = rows.first(connection, FIND_FILE, (number, path))
        if row is not None:
            found[path] = _file(*row)
    return found


def rules(connection: apsw.Connection, number: int) -> bytes:
    """Return the compiled rules of a version.

    Raises: VersionNotFound.
    """
    data: bytes | None = rows.value(connection, RULES, (number,))
    if data is None:
        raise VersionNotFound(f"There is no version number {number}.")
    return data


def previous_live(connection: apsw.Connection, site_id: int) -> Version | None:
    """Return the version that was live before the present one: what a rollback goes to."""
    number = rows.value(connection, PREVIOUS_LIVE, (site_id,))
    return None if number is None else by_number(connection, number)


def count(connection: apsw.Connection, site_id: int) -> int:
    """Return the number of versions of a site."""
    number: int = rows.value(connection, COUNT, (site_id,))
    return number


def count_all(connection: apsw.Connection) -> int:
    """Return the number of versions of all sites."""
    number: int = rows.value(connection, COUNT_ALL)
    return number


def prune(connection: apsw.Connection, site_id: int, keep: int, source: str | None = None) -> list[Version]:
    """Delete all but the newest `keep` versions, never the live one nor the one that was live before; return them.

    `source`: only among those that it made.

    Raises: InvalidInput where `keep` is negative.
    """
    if keep < 0:
        raise InvalidInput(f"A site cannot keep {keep} versions.")
    removed = [Version(*row) for row in rows.fetch(connection, PRUNABLE, (site_id, keep, source))]
    connection.executemany(REMOVE, [(version.number,) for version in removed])
    if removed:  # their previews are gone
        changes.add(connection, "site", rows.value(connection, SITE_NAME, (site_id,)))
    return removed


def _new_id(connection: apsw.Connection, site_id: int) -> str:
    while True:
        id = secrets.token_hex(ID_CHARACTERS // 2)
        if rows.first(connection, TAKEN, (site_id, id[:PREFIX_UNIQUE])) is None:
            return id


def _file(path: str, blob_id: int, hash: bytes, size: int, public: int) -> File:
    return File(path, blob_id, hash, size, bool(public))
