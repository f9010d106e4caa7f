"""The visits of all sites: out of the edge's ring of requests and what beacons send, into the store.

The ring holds the last requests only. Under load it loses some, oldest first; what was seen then stands for what was
not, and `unseen` says how many these were. Rule: whatever visitors send, memory, time and what is written stay bounded.
"""

import asyncio
import logging
import time
from functools import lru_cache
from typing import NamedTuple

import apsw

from fazt._speedups.hosts import normalise
from fazt._speedups.statistics import (
    MARK_AHEAD,
    MARK_HTML,
    MARK_PART,
    MARK_UNTRACKED,
    AccessRecord,
    AccessRing,
)
from fazt.errors import StoreError
from fazt.sites.hosting import Hosting
from fazt.store import statistics, visits
from fazt.store.database import Database, now_ms
from fazt.store.statistics import EVERYWHERE
from fazt.store.visits import Named
from fazt.visits.agents import read_agent
from fazt.visits.countries import Countries
from fazt.visits.names import LONGEST_EVENT, Names, clean, page_name, referrer_host
from fazt.visits.visitors import HOURS_A_DAY, Visitors

log = logging.getLogger("fazt.visits")

DRAIN_S = 0.5
WRITE_S = 10.0
FRESH_S = 2.0  # who reads sees what is not older than this
REST = 60  # times as long as counting took: it never takes more than a sixtieth of a core from who is being served
STEP_RECORDS = 25
MOST_RECORDS = 2048  # of one drain
HOUR_MS = 3_600_000
DAYS_KEPT = 400  # thirteen months
KINDS = ("page", "missing", "referrer", "browser", "system", "device", "country", "event")


class Visit(NamedTuple):
    """Somebody who looks at a page of a site."""

    site: str
    host: str  # normalised
    at_ms: int
    client: str
    agent: str
    path: str
    referrer: str


class Batch(NamedTuple):
    """What is written in one go."""

    hours: list[statistics.Visits]
    days: list[statistics.Visits]
    names: list[Named]
    today: int


class Visits:
    """Counts who visits, and writes it down every few seconds."""

    def __init__(self, database: Database, ring: AccessRing, hosting: Hosting, countries: Countries) -> None:
        self._database = database
        self._ring = ring
        self._hosting = hosting
        self._countries = countries
        self._position = 0
        self._counts: dict[tuple[str, int], list[float]] = {}  # (site, hour) -> views, bots, unseen
        self._names = Names()
        self._visitors = Visitors()
        self._waiting: list[Batch] = []  # one that the store refused
        self._lock = asyncio.Lock()
        self._flushed_at = 0.0
        self._busy_s = 0.0  # spent on counting since the last pause
        self._normal_host = lru_cache(maxsize=1024)(_normal_host)

    async def run(self) -> None:
        """Count what the ring has, and write it down every few seconds, until the task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(DRAIN_S, self._busy_s * REST))
            self._busy_s = 0.0
            try:
                if loop.time() - self._flushed_at >= WRITE_S:
                    await self.flush()
                elif self._ring.sequence != self._position:
                    async with self._lock:
                        await self._drain()
            except Exception:  # one bad record or write must not end the counting
                log.exception("visits were not counted")

    async def freshen(self) -> None:
        """Write down what is new, unless that was done a moment ago; one that is under way is waited for."""
        async with self._lock:
            if asyncio.get_running_loop().time() - self._flushed_at >= FRESH_S:
                await self._flush()

    def locate_by(self, countries: Countries) -> None:
        """Know the countries of visitors by another database from now on."""
        self._countries = countries

    @property
    def is_waiting(self) -> bool:
        """Whether something could not be written, and waits in memory alone."""
        return bool(self._waiting)

    async def flush(self) -> None:
        """Count and write down what is new; what the store refuses now is tried again the next time."""
        async with self._lock:
            await self._flush()

    async def _flush(self) -> None:
        self._flushed_at = asyncio.get_running_loop().time()
        await self._drain()
        if not self._waiting:
            batch = await self._make_batch()
            if any(batch[:3]):
                self._waiting.append(batch)
        if not self._waiting:
            return
        try:
            await self._database.write(_write, self._waiting[0])
        except StoreError as error:
            log.info("the visits wait in memory: %s", error)  # the history of requests tells the owner of it
        else:
            self._waiting.clear()

    def note_view(self, visit: Visit) -> None:
        """Count a page view that a beacon told of."""
        self._note(visit, 1.0)

    def note_event(self, site: str, name: str, at_ms: int) -> None:
        """Count an event of a site's own."""
        name = clean(name, LONGEST_EVENT)
        if name:
            self._names.add((site, at_ms // HOUR_MS // HOURS_A_DAY, "event"), name, 1.0)

    async def _drain(self) -> None:
        """Count what is in the ring, in small steps: thousands at once would hold up everybody."""
        records: list[AccessRecord] = []
        lost = 0
        while len(records) < MOST_RECORDS and self._position != self._ring.sequence:
            self._position, missed, some = self._ring.after(self._position, STEP_RECORDS)
            lost += missed
            records += some
            await asyncio.sleep(0)
        weight = 1 + lost / len(records) if records else 1.0
        for at in range(0, len(records), STEP_RECORDS):
            began = time.monotonic()
            for record in records[at : at + STEP_RECORDS]:
                self._count(record, weight)
            self._busy_s += time.monotonic() - began
            await asyncio.sleep(0)

    def _count(self, record: AccessRecord, weight: float) -> None:
        """Count a request; `weight`: so many of its kind were answered."""
        hour = record.at_ms // HOUR_MS
        if weight > 1:
            for site in (record.site, EVERYWHERE):
                self._of(site, hour)[2] += weight - 1
        missing = record.status == 404
        viewed = bool(record.marks & MARK_HTML) and (200 <= record.status < 300 or record.status == 304)
        if record.method != "GET" or not (missing or viewed) or record.marks & (MARK_UNTRACKED | MARK_AHEAD):
            return
        host = self._normal_host(record.host)
        if self._hosting.is_preview_host(host):
            return
        if read_agent(record.agent).bot:
            if viewed:
                for site in (record.site, EVERYWHERE):
                    self._of(site, hour)[1] += weight
        elif missing:
            self._names.add((record.site, hour // HOURS_A_DAY, "missing"), page_name(record.path), weight)
        elif not record.marks & MARK_PART:
            who = (record.client, record.agent, record.path, record.referer)
            self._note(Visit(record.site, host, record.at_ms, *who), weight)

    def _note(self, visit: Visit, weight: float) -> None:
        hour = visit.at_ms // HOUR_MS
        sites = (visit.site, EVERYWHERE)
        for site in sites:
            self._of(site, hour)[0] += weight
        self._visitors.add(sites, hour, visit.client, visit.agent)
        agent = read_agent(visit.agent)
        names = {
            "page": page_name(visit.path),
            "browser": agent.browser,
            "system": agent.system,
            "device": agent.device,
            "referrer": self._foreign_host(visit),
            "country": self._countries(visit.client),
        }
        for kind, name in names.items():
            if name:
                self._names.add((visit.site, hour // HOURS_A_DAY, kind), name, weight)

    def _foreign_host(self, visit: Visit) -> str:
        """Return the host that a visitor came from, "" where it is the site's own. Its domains: see `store.visits`."""
        host = referrer_host(visit.referrer)
        if host in (visit.host, self._hosting.site_host(visit.site)) or self._hosting.is_preview_host(host):
            return ""
        return host.removeprefix("www.") if host != visit.host.removeprefix("www.") else ""

    def _of(self, site: str, hour: int) -> list[float]:
        return self._counts.setdefault((site, hour), [0.0, 0.0, 0.0])

    async def _make_batch(self) -> Batch:
        for number, site in enumerate(self._visitors.touched()):
            self._visitors.tell(site)
            if number % STEP_RECORDS == 0:
                await asyncio.sleep(0)
        by_hour, by_day = self._visitors.take()
        counts, self._counts = self._counts, {}
        names = self._names.take()
        hours, days = _as_visits(counts, by_hour), _as_visits(_by_day(counts), by_day)
        named = []
        for (site, day, kind), found in names.items():
            named += [Named(site, day, kind, name, round(count)) for name, count in found.items()]
            if len(named) % STEP_RECORDS == 0:
                await asyncio.sleep(0)
        return Batch(hours, days, named, now_ms() // HOUR_MS // HOURS_A_DAY)


def _by_day(counts: dict[tuple[str, int], list[float]]) -> dict[tuple[str, int], list[float]]:
    summed: dict[tuple[str, int], list[float]] = {}
    for (site, hour), own in counts.items():
        total = summed.setdefault((site, hour // HOURS_A_DAY), [0.0, 0.0, 0.0])
        for place, count in enumerate(own):
            total[place] += count
    return summed


def _as_visits(
    counts: dict[tuple[str, int], list[float]], visitors: dict[tuple[str, int], int]
) -> list[statistics.Visits]:
    found = []
    for key in sorted({*counts, *visitors}):
        views, bots, unseen = counts.get(key, (0.0, 0.0, 0.0))
        found.append(statistics.Visits(*key, round(views), visitors.get(key, 0), round(bots), round(unseen)))
    return found


def _normal_host(raw: str) -> str:
    return normalise(raw.encode("latin-1")) or ""


def _write(connection: apsw.Connection, batch: Batch) -> None:
    statistics.add_visits(connection, batch.hours, batch.days)
    visits.add(connection, batch.names)
    visits.trim(connection, batch.today - DAYS_KEPT)
