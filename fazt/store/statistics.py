"""What was served, by site and hour, and by site and day: counts, visits and a histogram of latencies.

The site EVERYWHERE stands for the whole server. Rule: what is added comes on top of what is there; nothing is ever
replaced.
"""

import builtins
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import apsw
import orjson

from fazt._speedups.statistics import add_latencies
from fazt.store import rows

EVERYWHERE = ""
HOURS_A_DAY = 24

LATENCY = "SELECT latency FROM site_hour WHERE site = ? AND hour = ?"
DAY_LATENCY = "SELECT latency FROM site_day WHERE site = ? AND day = ?"
ADD = """
    INSERT INTO site_hour (site, hour, requests, bytes, hits,
        status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (site, hour) DO UPDATE SET
        requests = requests + excluded.requests, bytes = bytes + excluded.bytes, hits = hits + excluded.hits,
        status_1xx = status_1xx + excluded.status_1xx, status_2xx = status_2xx + excluded.status_2xx,
        status_3xx = status_3xx + excluded.status_3xx, status_4xx = status_4xx + excluded.status_4xx,
        status_5xx = status_5xx + excluded.status_5xx, latency = excluded.latency
"""
ADD_DAY = """
    INSERT INTO site_day (site, day, requests, bytes,
        status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (site, day) DO UPDATE SET
        requests = requests + excluded.requests, bytes = bytes + excluded.bytes,
        status_1xx = status_1xx + excluded.status_1xx, status_2xx = status_2xx + excluded.status_2xx,
        status_3xx = status_3xx + excluded.status_3xx, status_4xx = status_4xx + excluded.status_4xx,
        status_5xx = status_5xx + excluded.status_5xx, latency = excluded.latency
"""
ADD_VISITS = """
    INSERT INTO site_hour (site, hour, requests, bytes, hits,
        status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency, views, visitors, bots, unseen)
    VALUES (?, ?, 0, 0, 0, 0, 0, 0, 0, 0, x'', ?, ?, ?, ?)
    ON CONFLICT (site, hour) DO UPDATE SET
        views = views + excluded.views, visitors = visitors + excluded.visitors,
        bots = bots + excluded.bots, unseen = unseen + excluded.unseen
"""
ADD_DAY_VISITS = """
    INSERT INTO site_day (site, day, requests, bytes,
        status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency, views, visitors, bots, unseen)
    VALUES (?, ?, 0, 0, 0, 0, 0, 0, 0, x'', ?, ?, ?, ?)
    ON CONFLICT (site, day) DO UPDATE SET
        views = views + excluded.views, visitors = visitors + excluded.visitors,
        bots = bots + excluded.bots, unseen = unseen + excluded.unseen
"""
HOURS = """
    SELECT site, hour, requests, bytes, hits, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency
    FROM site_hour
    WHERE site = ? AND hour >= ? ORDER BY hour
"""
COUNTED = """
    requests, bytes, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency, views, visitors, bots, unseen
"""
HOURS_BETWEEN = f"""
    SELECT site, hour, {COUNTED} FROM site_hour
    WHERE site IN (SELECT value FROM json_each(?)) AND hour >= ? AND hour < ?
"""  # noqa: S608
DAYS_BETWEEN = f"""
    SELECT site, day, {COUNTED} FROM site_day
    WHERE site IN (SELECT value FROM json_each(?)) AND day >= ? AND day < ?
"""  # noqa: S608
BUSIEST = """
    SELECT site FROM site_day WHERE day >= ? AND day < ? AND site != ''
        AND (?3 IS NULL OR site IN (SELECT value FROM json_each(?3)))
    GROUP BY site ORDER BY sum(requests) DESC, site LIMIT ?
"""
TRIM = "DELETE FROM site_hour WHERE hour < ?"
TRIM_DAYS = "DELETE FROM site_day WHERE day < ?"
RENAME = "UPDATE OR REPLACE site_hour SET site = ? WHERE site = ?"
RENAME_DAYS = "UPDATE OR REPLACE site_day SET site = ? WHERE site = ?"
REMOVE = "DELETE FROM site_hour WHERE site = ?"
REMOVE_DAYS = "DELETE FROM site_day WHERE site = ?"

Statuses = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Hour:
    """What a site served in one hour (hours since 1970-01-01 UTC).

    `statuses` are the counts of 1xx to 5xx; `latency` is a histogram of little-endian 32-bit counts.
    """

    site: str
    hour: int
    requests: int
    bytes: int
    hits: int
    statuses: Statuses
    latency: builtins.bytes


@dataclass(frozen=True, slots=True)
class Visits:
    """Who came to a site in one hour or day (its number since 1970-01-01 UTC).

    `bots` are page views by programs; `unseen` are requests of which nothing but their number is known.
    """

    site: str
    at: int
    views: int
    visitors: int
    bots: int
    unseen: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What a site served in one hour or day (its number since 1970-01-01 UTC), and who came."""

    site: str
    at: int
    requests: int
    bytes: int
    statuses: Statuses
    latency: builtins.bytes
    views: int
    visitors: int
    bots: int
    unseen: int


def add_hours(connection: apsw.Connection, hours: Sequence[Hour]) -> None:
    """Add counts to those of their hours and days, and to those of the whole server."""
    for hour in [*hours, *_summed(hours)]:
        stored = rows.value(connection, LATENCY, (hour.site, hour.hour))
        latency = hour.latency if stored is None else add_latencies((stored, hour.latency))
        counts = (hour.requests, hour.bytes, hour.hits, *hour.statuses)
        connection.execute(ADD, (hour.site, hour.hour, *counts, latency))
        day = hour.hour // HOURS_A_DAY
        stored = rows.value(connection, DAY_LATENCY, (hour.site, day))
        latency = hour.latency if stored is None else add_latencies((stored, hour.latency))
        connection.execute(ADD_DAY, (hour.site, day, hour.requests, hour.bytes, *hour.statuses, latency))


def _summed(hours: Sequence[Hour]) -> list[Hour]:
    """Return the hours of all sites as hours of the server."""
    by_hour: dict[int, list[Hour]] = {}
    for hour in hours:
        by_hour.setdefault(hour.hour, []).append(hour)
    summed = []
    for number, parts in by_hour.items():
        first, second, third, fourth, fifth = (sum(group) for group in zip(*(p.statuses for p in parts), strict=True))
        served = (sum(part.requests for part in parts), sum(part.bytes for part in parts), sum(p.hits for p in parts))
        latency = add_latencies([part.latency for part in parts])
        summed.append(Hour(EVERYWHERE, number, *served, (first, second, third, fourth, fifth), latency))
    return summed


def add_visits(connection: apsw.Connection, hours: Iterable[Visits], days: Iterable[Visits]) -> None:
    """Add visits to those of their hours and days."""
    connection.executemany(ADD_VISITS, [_visits_row(each) for each in hours])
    connection.executemany(ADD_DAY_VISITS, [_visits_row(each) for each in days])


def _visits_row(visits: Visits) -> tuple[str, int, int, int, int, int]:
    return visits.site, visits.at, visits.views, visits.visitors, visits.bots, visits.unseen


def hours(connection: apsw.Connection, site: str, since_hour: int) -> list[Hour]:
    """Return the hours of a site in which it had requests, oldest first."""
    found = rows.fetch(connection, HOURS, (site, since_hour))
    return [
        Hour(name, hour, requests, size, hits, (first, second, third, fourth, fifth), latency)
        for name, hour, requests, size, hits, first, second, third, fourth, fifth, latency in found
    ]


def hours_between(connection: apsw.Connection, sites: Sequence[str], first: int, end: int) -> list[Counted]:
    """Return what there is of the hours from `first` to before `end` of some sites, in no order."""
    return _between(connection, HOURS_BETWEEN, sites, first, end)


def days_between(connection: apsw.Connection, sites: Sequence[str], first: int, end: int) -> list[Counted]:
    """Return what there is of the days from `first` to before `end` of some sites, in no order."""
    return _between(connection, DAYS_BETWEEN, sites, first, end)


def _between(connection: apsw.Connection, sql: str, sites: Sequence[str], first: int, end: int) -> list[Counted]:
    found = rows.fetch(connection, sql, (orjson.dumps(list(sites)).decode(), first, end))
    return [
        Counted(site, at, requests, size, (one, two, three, four, five), latency, *visits)
        for site, at, requests, size, one, two, three, four, five, latency, *visits in found
    ]


def busiest(
    connection: apsw.Connection, sites: Iterable[str] | None, first_day: int, end_day: int, limit: int
) -> list[str]:
    """Return the names of the sites (of some, None: of all) with most requests in some days."""
    names = None if sites is None else orjson.dumps(list(sites)).decode()
    return [name for (name,) in rows.fetch(connection, BUSIEST, (first_day, end_day, names, limit))]


def trim(connection: apsw.Connection, before_hour: int) -> None:
    """Delete what is older than an hour."""
    connection.execute(TRIM, (before_hour,))
    connection.execute(TRIM_DAYS, (before_hour // HOURS_A_DAY,))


def rename(connection: apsw.Connection, name: str, new_name: str) -> None:
    """Let what was counted for a site count for it under its new name."""
    connection.execute(RENAME, (new_name, name))
    connection.execute(RENAME_DAYS, (new_name, name))


def remove(connection: apsw.Connection, name: str) -> None:
    """Delete what was counted for a site."""
    connection.execute(REMOVE, (name,))
    connection.execute(REMOVE_DAYS, (name,))
