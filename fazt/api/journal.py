"""What was served and what went wrong, from memory to the database in batches, and back as lines for people.

Rule: serving never waits for this; a line is in memory first and in the file within ten seconds.
"""

import logging
from collections import deque
from typing import Any

import apsw
import orjson

from fazt._speedups.pages import Pages
from fazt._speedups.statistics import AccessRecord, AccessRing
from fazt.api.shapes import moment
from fazt.store import log_lines, statistics
from fazt.store.clock import now_ms
from fazt.store.database import Database
from fazt.store.statistics import Hour

HOUR_MS = 3_600_000
ERRORS_KEPT = 1000
LONGEST_MESSAGE = 4000
BATCH = 10_000

Line = tuple[int, str, str, bytes]  # time, site, kind, JSON


def access_line(record: AccessRecord) -> Line:
    """Return the line of one answered request; JSON escapes whatever a stranger sent."""
    line = {
        "at": moment(record.at_ms),
        "site": record.site,
        "kind": "access",
        "client": record.client,
        "method": record.method,
        "host": record.host,
        "path": record.path,
        "status": record.status,
        "bytes": record.body_bytes,
        "duration_us": record.duration_ns // 1000,
        "hit": record.hit,
    }
    return record.at_ms, record.site, "access", orjson.dumps(line)


class ErrorLines(logging.Handler):
    """Keeps the last errors that were logged, numbered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sequence = 0
        self._lines: deque[tuple[int, Line]] = deque(maxlen=ERRORS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        at = int(record.created * 1000)
        message = self.format(record)[:LONGEST_MESSAGE]
        line = orjson.dumps({"at": moment(at), "site": "", "kind": "error", "message": message})
        self.sequence += 1
        self._lines.append((self.sequence, (at, "", "error", line)))

    def since(self, sequence: int) -> list[Line]:
        """Return the lines after a number."""
        return [line for number, line in list(self._lines) if number > sequence]


class Journal:
    """The lines in memory, the history in the file, and the counts of each site and hour."""

    def __init__(self, database: Database, pages: Pages, ring: AccessRing, keep: int) -> None:
        self._database = database
        self._pages = pages
        self._ring = ring
        self._keep = keep
        self._written = (0, 0)  # the sequence of the ring, and of the errors, that are in the file
        self.errors = ErrorLines()

    async def flush(self) -> None:
        """Write what is new into the database, in one transaction; nothing where nothing is new."""
        hours = self._hours()
        ring_at, _, records = self._ring.since(self._written[0], BATCH)
        errors_at = self.errors.sequence
        lines = [access_line(record) for record in records] + self.errors.since(self._written[1])
        if hours or lines:
            await self._database.write(_store, hours, lines, self._keep)
        self._written = (ring_at, errors_at)

    def _hours(self) -> list[Hour]:
        hour = now_ms() // HOUR_MS
        taken = ((state.name, state.take()) for state in self._pages.sites())
        return [
            Hour(name, hour, counts.requests, counts.body_bytes, counts.hits, counts.statuses, counts.latency)
            for name, counts in taken
            if counts is not None
        ]

    async def recent(self, site: str | None, since_ms: int, limit: int) -> tuple[list[bytes], tuple[int, int]]:
        """Return the newest lines, oldest first, and where `news` goes on."""
        written, at = self._written, (self._ring.sequence, self.errors.sequence)
        stored = await self._database.read(log_lines.since, site, since_ms, limit)
        _, _, records = self._ring.since(written[0], BATCH)
        fresh = [access_line(record) for record in records] + self.errors.since(written[1])
        lines = [line.line for line in stored] + [line for _, line in _chosen(fresh, site, since_ms)]
        return lines[-limit:], at

    def news(self, site: str | None, at: tuple[int, int]) -> tuple[list[bytes], tuple[int, int]]:
        """Return the lines that came since, and where to go on."""
        ring_at, _, records = self._ring.since(at[0], BATCH)
        errors_at = self.errors.sequence
        lines = [access_line(record) for record in records] + self.errors.since(at[1])
        return [line for _, line in _chosen(lines, site, 0)], (ring_at, errors_at)


def _chosen(lines: list[Line], site: str | None, since_ms: int) -> list[tuple[int, bytes]]:
    return [(at, line) for at, owner, _, line in lines if at >= since_ms and site in (None, owner)]


def _store(connection: apsw.Connection, hours: list[Hour], lines: list[Line], keep: int) -> None:
    if hours:
        statistics.add_hours(connection, hours)
    if lines:
        log_lines.add(connection, lines)
        log_lines.trim(connection, keep)


def percentile_ms(latency: bytes, share: float, limits_ns: list[int]) -> float:
    """Return the duration below which that share of the requests stayed, from a histogram of 32-bit counts."""
    counts: Any = memoryview(latency).cast("I")
    wanted, seen = share * sum(counts), 0
    for count, limit in zip(counts, limits_ns, strict=True):
        seen += count
        if count and seen >= wanted:
            return limit / 1e6
    return 0.0
