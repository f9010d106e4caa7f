"""Keys and values of a site: reading, writing, the order of keys, what is out of date, and how much a site may keep.

Keys are compared byte for byte. A version is the number of a write: it rises with every write of the database and is
never used again. Rule: a row whose time is over is invisible at once to every function here; sweeping only makes room.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import apsw

from fazt.errors import InvalidInput, KvConflict, OverQuota, SiteNotFound
from fazt.store import rows
from fazt.store.clock import now_ms

SWEEP_BYTES = 16 << 20  # taken away in one transaction
SWEEP_ROWS = 1000
LAST_CODE_POINT = "\U0010ffff"
ABSENT = 0  # the version of what is not there; writes are counted from 1
NO_LIMIT = 1 << 62
ENTRY_BYTES = 100  # of an entry in an answer, besides key and value
LARGEST_NUMBER = 2**53 - 1  # JavaScript counts exactly up to here
WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,16}")

FIND = """
    SELECT key, kind, octet_length(value), version, expires_at, value FROM kv
    WHERE site = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)
"""
LIST_PAGE = """
    SELECT key, kind, octet_length(value), version, expires_at, NULL FROM kv
    WHERE site = ?1 AND key >= ?2 AND key < ?3 AND (expires_at IS NULL OR expires_at > ?4) ORDER BY key LIMIT ?5
"""
LIST_VALUES = """
    SELECT key, kind, octet_length(value), version, expires_at, value FROM kv
    WHERE site = ?1 AND key >= ?2 AND key < ?3 AND (expires_at IS NULL OR expires_at > ?4) ORDER BY key LIMIT ?5
"""
COUNT = """
    SELECT count(*) FROM kv
    WHERE site = ?1 AND key >= ?2 AND key < ?3 AND (expires_at IS NULL OR expires_at > ?4)
"""
# What a write must know beforehand; a longer value is no number. Joined with the totals it took six times as long.
STATE = """
    SELECT version, expires_at, octet_length(value), kind, CASE WHEN octet_length(value) <= 20 THEN value END
    FROM kv WHERE site = ? AND key = ?
"""
TOTAL = """
    SELECT coalesce(kv_total.keys, 0), coalesce(kv_total.bytes, 0)
    FROM site LEFT JOIN kv_total ON kv_total.site = site.id WHERE site.id = ?
"""
NEXT_VERSION = "UPDATE kv_version SET version = version + ? WHERE id = 1 RETURNING version"
PUT = """
    INSERT INTO kv (site, key, value, kind, version, expires_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (site, key) DO UPDATE SET
        value = excluded.value, kind = excluded.kind, version = excluded.version, expires_at = excluded.expires_at
"""
REMOVE = "DELETE FROM kv WHERE site = ? AND key = ?"
REMOVE_ROW = "DELETE FROM kv WHERE rowid = ?"
EXPIRED = "SELECT rowid, octet_length(value) FROM kv WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
FIRST_ROWS = "SELECT rowid, octet_length(value) FROM kv WHERE site = ? LIMIT ?"

Kind = Literal["json", "bytes"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and what is kept under it; `value` is None where a list was made without values."""

    key: str
    kind: Kind
    size: int
    version: int
    expires_at: int | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be put under a key; `value` None: the key is to go."""

    key: str
    kind: Kind
    value: bytes | None
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Range:
    """Keys from `low` to before `high` (None: to the last) that were looked at, and how many there were."""

    low: str
    high: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Reads:
    """What a decision was based on: versions of keys (`ABSENT`: was not there), and whole ranges."""

    versions: dict[str, int]
    ranges: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """What a site may keep; keys count with their bytes too."""

    keys: int = 1_000_000
    bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Total:
    """What a site keeps, with what expired and was not swept yet."""

    keys: int
    bytes: int


DEFAULT_QUOTA = Quota()
Kept = tuple[str, bytes, str, int | None]  # key, value, kind, expiry (ms)
EXPORT = "SELECT key, value, kind, expires_at FROM kv WHERE site = ? ORDER BY key"
REMOVE_ALL = "DELETE FROM kv WHERE site = ?"


def find(connection: apsw.Connection, site_id: int, key: str, now: int) -> Entry | None:
    """Return what is kept under a key."""
    row = rows.first(connection, FIND, (site_id, key, now))
    return Entry(*row) if row else None


def find_many(connection: apsw.Connection, site_id: int, keys: Sequence[str], now: int) -> list[Entry | None]:
    """Return what is kept under each of the keys, in their order."""
    return [find(connection, site_id, key, now) for key in keys]


def prefix_end(prefix: str) -> str | None:
    """Return the first text behind all that begin with `prefix`; None where nothing is."""
    kept = prefix.rstrip(LAST_CODE_POINT)
    if not kept:
        return None
    # Halves of surrogate pairs are no characters: they lie between U+D7FF and U+E000.
    return kept[:-1] + ("\ue000" if kept[-1] == "\ud7ff" else chr(ord(kept[-1]) + 1))


def page_start(prefix: str, after: str | None) -> str:
    """Return where a page of the keys that begin with `prefix` starts, the one after the key `after`."""
    return prefix if after is None or after < prefix else after + "\0"  # the next text behind it


def list_page(
    connection: apsw.Connection,
    site_id: int,
    low: str,
    high: str | None,
    limit: int,
    now: int,
    with_values: bool = False,
    max_bytes: int = NO_LIMIT,
) -> tuple[list[Entry], bool]:
    """Return at most `limit` entries in order of their keys, from `low` to before `high` (None: to the last).

    It ends before an answer of them would take more than `max_bytes`, but not before the first. Also tell whether there
    are no more.
    """
    bounds = (site_id, low, _bound(high), now)
    found = [Entry(*row) for row in rows.fetch(connection, LIST_PAGE, (*bounds, limit + 1))]
    count = fitting([weight(entry.key, entry.size if with_values else 0) for entry in found[:limit]], max_bytes)
    entries = found[:count]
    if with_values:
        entries = [Entry(*row) for row in rows.fetch(connection, LIST_VALUES, (*bounds, count))]
    return entries, count == len(found)


def weight(key: str, size: int) -> int:
    """Return how many bytes a key and a value of that size take in an answer at most: JSON may write one as six."""
    return size + 6 * len(key.encode()) + ENTRY_BYTES


def fitting(weights: Sequence[int], max_bytes: int) -> int:
    """Return how many of the first ones fit, at least one where there is one."""
    total = 0
    for count, each in enumerate(weights):
        total += each
        if count and total > max_bytes:
            return count
    return len(weights)


def total(connection: apsw.Connection, site_id: int) -> Total:
    """Return how much a site keeps.

    Raises: SiteNotFound.
    """
    row = rows.first(connection, TOTAL, (site_id,))
    if row is None:
        raise SiteNotFound("The site does not exist any more.")
    return Total(*row)


def put(
    connection: apsw.Connection,
    site_id: int,
    write: Write,
    expected: int | None,
    now: int,
    quota: Quota = DEFAULT_QUOTA,
) -> int:
    """Write one key and return the write's version; `expected`: only if its version is that one now.

    Nothing is written where it raises. Raises: KvConflict, OverQuota, SiteNotFound.
    """
    state = _state(connection, site_id, write.key)
    current = _visible(state, now)
    if expected is not None and expected != current:
        raise conflict(write.key)
    if write.value is None:
        if current != ABSENT:
            connection.execute(REMOVE, (site_id, write.key))
        return current
    _check_room(connection, site_id, write, state, now, quota)
    version = _next_version(connection, 1)
    connection.execute(PUT, (site_id, write.key, write.value, write.kind, version, write.expires_at))
    return version


def increment(
    connection: apsw.Connection,
    site_id: int,
    key: str,
    by: int,
    expires_at: int | None,
    now: int,
    quota: Quota = DEFAULT_QUOTA,
) -> tuple[int, int]:
    """Add to a number, 0 where there is none; return it and its version. `expires_at` is for a key that is new.

    Raises: InvalidInput where it is no whole number or leaves the range of exact ones; OverQuota, SiteNotFound.
    """
    state = _state(connection, site_id, key)
    number = by
    if _visible(state, now) != ABSENT:
        assert state.kind is not None
        number = add(key, state.kind, state.value, by)
        expires_at = state.expires_at
    write = Write(key, "json", b"%d" % number, expires_at)
    _check_room(connection, site_id, write, state, now, quota)
    version = _next_version(connection, 1)
    connection.execute(PUT, (site_id, key, write.value, write.kind, version, expires_at))
    return number, version


def add(key: str, kind: Kind, value: bytes | None, by: int) -> int:
    """Return the number that a value stands for, plus `by`.

    Raises: InvalidInput.
    """
    if kind != "json" or value is None or not WHOLE_NUMBER.fullmatch(value):
        raise InvalidInput(f"The key {key!r} does not hold a whole number, so that nothing can be added to it.")
    number = int(value) + by
    if abs(number) > LARGEST_NUMBER:
        raise InvalidInput(f"The key {key!r} would leave the range of exact numbers, which ends at 2^53 - 1.")
    return number


def apply(
    connection: apsw.Connection,
    site_id: int,
    reads: Reads,
    writes: Sequence[Write],
    now: int | None = None,
    quota: Quota = DEFAULT_QUOTA,
) -> None:
    """Write all, if nothing that was read has moved since.

    To be called inside a transaction or savepoint that is undone where this raises.
    Raises: KvConflict, OverQuota, SiteNotFound.
    """
    now = now_ms() if now is None else now
    for key, version in reads.versions.items():
        if _visible(_state(connection, site_id, key), now) != version:
            raise conflict(key)
    for span in reads.ranges:
        if rows.value(connection, COUNT, (site_id, span.low, _bound(span.high), now)) != span.count:
            raise KvConflict("Keys that were listed have changed since.")
    before = total(connection, site_id)
    version = _next_version(connection, len(writes)) - len(writes) if writes else 0
    for number, write in enumerate(writes, 1):
        if write.value is None:
            connection.execute(REMOVE, (site_id, write.key))
        else:
            values = (site_id, write.key, write.value, write.kind, version + number, write.expires_at)
            connection.execute(PUT, values)
    if not writes or _fits(after := total(connection, site_id), before, quota):
        return
    if sweep(connection, now) and _fits(total(connection, site_id), before, quota):
        return
    raise over_quota(after, quota)


def sweep(connection: apsw.Connection, now: int, limit: int = SWEEP_ROWS) -> int:
    """Delete some of what expired, of all sites; return how many rows there were, 0 when there is nothing left."""
    return _delete(connection, rows.fetch(connection, EXPIRED, (now, limit)))


def clear(connection: apsw.Connection, site_id: int, limit: int = SWEEP_ROWS) -> int:
    """Delete some of what a site keeps; return how many rows there were, 0 when there is nothing left.

    A site that is removed takes all of it along at once; to clear it before keeps other writes from waiting.
    """
    return _delete(connection, rows.fetch(connection, FIRST_ROWS, (site_id, limit)))


def export(connection: apsw.Connection, site_id: int) -> Iterator[Kept]:
    """Yield everything that a site keeps, in order of the keys."""
    yield from connection.execute(EXPORT, (site_id,))


def replace_all(connection: apsw.Connection, site_id: int, kept: Iterable[Kept]) -> int:
    """Let a site keep exactly this from now on; return how many keys that are."""
    connection.execute(REMOVE_ALL, (site_id,))
    count = 0
    for key, value, kind, expires_at in kept:
        connection.execute(PUT, (site_id, key, value, kind, _next_version(connection, 1), expires_at))
        count += 1
    return count


def conflict(key: str) -> KvConflict:
    """Return the error that says that a key is not what it was expected to be."""
    return KvConflict(f"The key {key!r} has changed since it was read, or is not as `ifVersion` says.")


def over_quota(total: Total, quota: Quota) -> OverQuota:
    """Return the error that says that a site is full."""
    if total.keys > quota.keys:
        return OverQuota(f"This site would keep more than {quota.keys} keys; delete some first.")
    return OverQuota(f"This site would keep more than {quota.bytes} bytes of keys and values; delete some first.")


class _State(NamedTuple):
    """What is known of a key before a write; each None where there is no row."""

    version: int | None
    expires_at: int | None
    size: int | None
    kind: Kind | None
    value: bytes | None


NO_ROW = _State(None, None, None, None, None)


def _state(connection: apsw.Connection, site_id: int, key: str) -> _State:
    row = rows.first(connection, STATE, (site_id, key))
    return NO_ROW if row is None else _State(*row)


def _visible(state: _State, now: int) -> int:
    """Return the version that a reader sees."""
    gone = state.version is None or (state.expires_at is not None and state.expires_at <= now)
    return ABSENT if gone or state.version is None else state.version


def _check_room(connection: apsw.Connection, site_id: int, write: Write, state: _State, now: int, quota: Quota) -> None:
    """Let pass a write for which there is room, or can be made.

    Raises: OverQuota, SiteNotFound.
    """
    assert write.value is not None
    if state.version is not None and state.size is not None and len(write.value) <= state.size:
        return
    for attempt in range(2):
        before = total(connection, site_id)
        is_new = state.version is None
        grown = len(write.value) - (state.size or 0) + (len(write.key.encode()) if is_new else 0)
        after = Total(before.keys + is_new, before.bytes + grown)
        if _fits(after, before, quota):
            return
        if attempt == 0 and sweep(connection, now):
            state = _state(connection, site_id, write.key)
    raise over_quota(after, quota)


def _fits(after: Total, before: Total, quota: Quota) -> bool:
    """Tell whether a site may keep that much; what does not grow is always allowed."""
    return (after.keys <= quota.keys or after.keys <= before.keys) and (
        after.bytes <= quota.bytes or after.bytes <= before.bytes
    )


def _next_version(connection: apsw.Connection, count: int) -> int:
    """Take so many numbers; return the last of them."""
    version: int = rows.value(connection, NEXT_VERSION, (count,))
    return version


def _delete(connection: apsw.Connection, found: list[rows.Row]) -> int:
    """Delete rows until there is enough for one transaction; return how many."""
    size = 0
    for count, (row, row_bytes) in enumerate(found, 1):
        connection.execute(REMOVE_ROW, (row,))
        size += row_bytes
        if size >= SWEEP_BYTES:
            return count
    return len(found)


def _bound(high: str | None) -> str | bytes:
    """Return the end of a range as SQLite compares it: every text comes before every blob."""
    return b"" if high is None else high
