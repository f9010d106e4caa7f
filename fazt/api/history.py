"""What was served and what went wrong, written down: lines for `fazt logs`, and counts by the hour.

The edge records requests in memory; every few seconds what is new is written in one go, and nothing is written while
nothing happens. Rule: a reader sees each line once, whether it is still in memory or in the store already.
"""

import asyncio
import heapq
import logging
from collections.abc import AsyncIterator
from typing import NamedTuple

import apsw

from fazt._speedups.pages import Pages
from fazt._speedups.statistics import AccessRecord, AccessRing
from fazt.api.call_log import CallLog, as_lines
from fazt.api.error_log import ErrorLog
from fazt.api.lines import Line, access_line
from fazt.errors import StoreError
from fazt.functions.calls import Report
from fazt.store import log_lines, statistics
from fazt.store.database import Database, now_ms
from fazt.store.log_lines import LogLine
from fazt.store.statistics import Hour

log = logging.getLogger("fazt.history")

WRITE_S = 10.0
FRESH_S = 2.0  # who reads statistics sees what is not older than this
POLL_S = 0.25
RING_RECORDS = 2048
STEP_LINES = 20
HOUR_MS = 3_600_000
HOURS_KEPT = 400 * 24
MOST_WAITING_HOURS = 20_000  # what a full disk may keep waiting


class Position(NamedTuple):
    """How far somebody has read: numbers of the last access record, error line and line of functions."""

    access: int
    error: int
    call: int


class News(NamedTuple):
    """What is behind a position, not made into lines yet: that takes time."""

    records: list[AccessRecord]
    errors: list[Line]
    calls: list[Line | Report]

    def lines(self) -> list[Line]:
        """Return it as lines, in order of time."""
        lines = [access_line(record) for record in self.records]
        lines += self.errors
        lines += as_lines(self.calls)
        return sorted(lines, key=lambda line: line.at)

    async def lines_in_steps(self) -> list[Line]:
        """Return the same; the loop has its turn after every few lines.

        Thousands at once would hold up everybody for 50 ms, on whatever thread: the interpreter lock is one.
        """
        lines = list(self.errors)
        for at in range(0, len(self.records), STEP_LINES):
            lines += [access_line(record) for record in self.records[at : at + STEP_LINES]]
            await asyncio.sleep(0)
        for at in range(0, len(self.calls), STEP_LINES):
            lines += as_lines(self.calls[at : at + STEP_LINES])
            await asyncio.sleep(0)
        return sorted(lines, key=lambda line: line.at)


class History:
    """Writes down what the edge recorded, and gives it back."""

    def __init__(
        self,
        database: Database,
        pages: Pages,
        ring: AccessRing,
        errors: ErrorLog,
        calls: CallLog,
        *,
        keep_lines: int,
    ) -> None:
        self._database = database
        self._pages = pages
        self._ring = ring
        self._errors = errors
        self._calls = calls
        self._keep_lines = keep_lines
        self._written = Position(0, 0, 0)
        self._hours: list[Hour] = []
        self._lock = asyncio.Lock()  # what is being written is neither in memory nor in the store for a reader
        self._stopped = asyncio.Event()
        self._stopped.set()  # until `run`: where nothing is recorded there is nothing to wait for
        self._failing = False
        self._flushed_at = 0.0

    async def run(self) -> None:
        """Write down what is new every few seconds, until the task is cancelled."""
        self._stopped.clear()
        while True:
            await asyncio.sleep(WRITE_S)
            try:
                await self.flush()
            except Exception:  # one bad write must not end the log
                log.exception("the log was not written")

    def keep(self, lines: int) -> None:
        """Keep so many lines in the store from the next write on."""
        self._keep_lines = lines

    def stop(self) -> None:
        """End those who follow."""
        self._stopped.set()

    async def freshen(self) -> None:
        """Write down what is new, unless that was done a moment ago; one that is under way is waited for."""
        async with self._lock:
            if asyncio.get_running_loop().time() - self._flushed_at >= FRESH_S:
                await self._flush()

    async def ends_within(self, seconds: float) -> bool:
        """Wait so long; tell whether those who follow are to end."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return False
        return True

    @property
    def is_waiting(self) -> bool:
        """Whether something could not be written, and waits in memory alone."""
        return self._failing

    async def flush(self) -> None:
        """Write down what is new; what the store refuses now is tried again the next time."""
        async with self._lock:
            await self._flush()

    async def _flush(self) -> None:
        self._flushed_at = asyncio.get_running_loop().time()
        position, news = self._behind(self._written)
        self._take_hours()
        if not any(news) and not self._hours:
            return
        try:
            await self._database.write(_write, await news.lines_in_steps(), self._hours, self._keep_lines)
        except StoreError as error:
            if not self._failing:  # said once: it would be a new line to write each time
                log.warning("the log and the statistics wait in memory: %s", error)
            self._failing = True
        else:
            self._failing = False
            self._hours = []
            self._written = position

    async def read(self, wanted: frozenset[str] | None, since_ms: int, limit: int) -> tuple[list[Line], Position]:
        """Return the newest `limit` lines (of these sites, or all) since a time, oldest first, and how far they go."""
        async with self._lock:
            position, news = self._behind(self._written)
            stored = await self._database.read(_stored, wanted, since_ms, limit)
        lines = [Line(line.at, line.site, line.kind, line.line) for line in stored]
        lines += [line for line in news.lines() if line.at >= since_ms and _is_of(line, wanted)]
        return lines[-limit:], position

    async def follow(self, wanted: frozenset[str] | None, position: Position) -> AsyncIterator[list[Line]]:
        """Yield what comes behind a position, an empty list where nothing came, until the server stops."""
        while not self._stopped.is_set():
            position, news = self._behind(position)
            yield [line for line in news.lines() if _is_of(line, wanted)]
            try:
                async with asyncio.timeout(POLL_S):
                    await self._stopped.wait()
            except TimeoutError:
                continue

    def _behind(self, position: Position) -> tuple[Position, News]:
        """Return the new position and what is behind the old one."""
        error, errors = self._errors.since(position.error)
        access, _, records = self._ring.since(position.access, RING_RECORDS)
        call, calls = self._calls.behind(position.call)
        return Position(access, error, call), News(records, errors, calls)

    def _take_hours(self) -> None:
        hour = now_ms() // HOUR_MS
        for state in self._pages.sites():
            counters = state.take()
            if counters is not None and counters.requests:
                served = (counters.requests, counters.body_bytes, counters.hits, counters.statuses)
                self._hours.append(Hour(state.name, hour, *served, counters.latency))
        del self._hours[:-MOST_WAITING_HOURS]


def _is_of(line: Line, wanted: frozenset[str] | None) -> bool:
    return wanted is None or line.site in wanted


def _stored(connection: apsw.Connection, wanted: frozenset[str] | None, since_ms: int, limit: int) -> list[LogLine]:
    if wanted is None:
        return log_lines.since(connection, None, since_ms, limit)
    found = [log_lines.since(connection, site, since_ms, limit) for site in wanted]
    return list(heapq.merge(*found, key=lambda line: line.id))[-limit:]


def _write(connection: apsw.Connection, lines: list[Line], hours: list[Hour], keep_lines: int) -> None:
    statistics.add_hours(connection, hours)
    if hours:
        statistics.trim(connection, hours[-1].hour - HOURS_KEPT)
    if lines:
        log_lines.add(connection, lines)
        log_lines.trim(connection, keep_lines)
