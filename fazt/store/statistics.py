"""What was served, by site and hour: counts and a histogram of latencies.

Rule: what is added comes on top of what is there; nothing is ever replaced.
"""

import builtins
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import apsw

from fazt.store import rows

COUNT_BYTES = 4
LARGEST_COUNT = 2**32 - 1

LATENCY = "SELECT latency FROM site_hour WHERE site = ? AND hour = ?"
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
HOURS = """
    SELECT site, hour, requests, bytes, hits, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, latency
    FROM site_hour
    WHERE site = ? AND hour >= ? ORDER BY hour
"""
TRIM = "DELETE FROM site_hour WHERE hour < ?"


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
    statuses: tuple[int, int, int, int, int]
    latency: builtins.bytes


def add_hours(connection: apsw.Connection, hours: Sequence[Hour]) -> None:
    """Add counts to those of their hours."""
    for hour in hours:
        stored = rows.value(connection, LATENCY, (hour.site, hour.hour))
        latency = hour.latency if stored is None else _add_histograms(stored, hour.latency)
        counts = (hour.requests, hour.bytes, hour.hits, *hour.statuses)
        connection.execute(ADD, (hour.site, hour.hour, *counts, latency))


def hours(connection: apsw.Connection, site: str, since_hour: int) -> list[Hour]:
    """Return the hours of a site in which it had requests, oldest first."""
    found = rows.fetch(connection, HOURS, (site, since_hour))
    return [
        Hour(name, hour, requests, size, hits, (first, second, third, fourth, fifth), latency)
        for name, hour, requests, size, hits, first, second, third, fourth, fifth, latency in found
    ]


def trim(connection: apsw.Connection, before_hour: int) -> None:
    """Delete what is older than an hour."""
    connection.execute(TRIM, (before_hour,))


def _counts(histogram: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(histogram) // COUNT_BYTES}I", histogram)


def _add_histograms(one: bytes, other: bytes) -> bytes:
    """Add two histograms bucket by bucket; where one is shorter, its last buckets are empty."""
    sums = [min(a + b, LARGEST_COUNT) for a, b in zip_longest(_counts(one), _counts(other), fillvalue=0)]
    return struct.pack(f"<{len(sums)}I", *sums)
