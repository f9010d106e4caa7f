"""Counting: buckets of latency, the counters of a site, the ring of the last requests."""

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt._speedups.statistics import (
    BUCKETS,
    MARK_HTML,
    MARK_PART,
    MARK_UNTRACKED,
    AccessRing,
    Counters,
    SiteState,
    add_latencies,
    bucket_limit_ns,
    bucket_of,
)

LONGEST_NS = bucket_limit_ns(BUCKETS - 1)


def latencies(counters: Counters) -> dict[int, int]:
    """Return bucket -> count, without the empty ones."""
    return {index: n for index, n in enumerate(memoryview(counters.latency).cast("I")) if n}


@given(st.one_of(st.integers(0, 4096), st.integers(0, 2 * LONGEST_NS)))
@settings(deadline=None, max_examples=400)
def test_a_duration_lies_below_the_limit_of_its_bucket(duration_ns: int) -> None:
    bucket = bucket_of(duration_ns)
    assert duration_ns < bucket_limit_ns(bucket) or bucket == BUCKETS - 1
    assert bucket == 0 or duration_ns >= bucket_limit_ns(bucket - 1)


def test_buckets_are_narrow() -> None:
    limits = [bucket_limit_ns(bucket) for bucket in range(BUCKETS)]
    assert all(1.1 < after / before <= 1.25 for before, after in itertools.pairwise(limits))
    assert limits[0] < 2_000
    assert limits[-1] > 60_000_000_000


@pytest.mark.parametrize(("duration", "bucket"), [(-1, 0), (-(1 << 80), 0), (0, 0), (1 << 80, BUCKETS - 1)])
def test_no_duration_is_out_of_range(duration: int, bucket: int) -> None:
    assert bucket_of(duration) == bucket


@pytest.mark.parametrize("bucket", [-1, BUCKETS])
def test_there_is_no_other_bucket(bucket: int) -> None:
    with pytest.raises(IndexError):
        bucket_limit_ns(bucket)


def test_counts_are_taken_once() -> None:
    site = SiteState("blog")
    assert site.name == "blog"
    assert site.take() is None
    site.count(200, 10, 5_000, True)
    site.count(200, 20, 5_000, False)
    site.count(304, 0, 1, True)
    site.count(101, 0, 1, False)
    site.count(404, 7, 1, False)
    site.count(503, 3, 1 << 50, False)
    expected = {bucket_of(5_000): 2, 0: 3, BUCKETS - 1: 1}
    taken = site.take()
    assert taken is not None
    assert taken[:6] == (6, 40, 2, 4, 0, (1, 2, 1, 1, 1))
    assert latencies(taken) == expected
    assert len(taken.latency) == 4 * BUCKETS
    assert site.take() is None
    assert site.totals() == taken


def test_totals_hold_what_was_taken_and_what_was_not() -> None:
    site = SiteState("blog")
    for _ in range(3):
        site.count(200, 100, 1 << 20, True)
        assert site.take() is not None
    site.count(500, 1, 1 << 30, False)
    totals = site.totals()
    assert totals[:6] == (4, 301, 3, 1, 0, (0, 3, 0, 0, 1))
    assert latencies(totals) == {bucket_of(1 << 20): 3, bucket_of(1 << 30): 1}
    assert site.totals() == totals


@pytest.mark.parametrize("status", [-100, 0, 99, 600, 999])
def test_a_strange_status_counts_as_a_request_only(status: int) -> None:
    site = SiteState("blog")
    site.count(status, 0, 0, True)
    totals = site.totals()
    assert totals.requests == 1
    assert totals.statuses == (0, 0, 0, 0, 0)


def add(ring: AccessRing, path: bytes, host: bytes = b"host") -> None:
    ring.add(SiteState("blog"), "192.0.2.1", b"GET", host + path, len(host), 200, 12, 34, True)


def test_a_record_has_all_parts() -> None:
    ring = AccessRing(4)
    assert ring.since(0) == (0, 0, [])
    ring.add(SiteState("blog"), "192.0.2.1", b"HEAD", b"Host:80/a/\xe9", 7, 304, 0, 1234, False)
    following, lost, [record] = ring.since(0)
    assert (following, lost) == (1, 0)
    assert record[1:] == ("blog", "192.0.2.1", "HEAD", "Host:80", "/a/é", 304, 0, 1234, False, "", "", 0)
    assert record.at_ms > 1_700_000_000_000


@pytest.mark.parametrize(
    ("status", "marks", "kept"),
    [(200, MARK_HTML, True), (404, 0, True), (404, MARK_PART, True), (200, 0, False), (500, MARK_UNTRACKED, False)],
)
def test_where_somebody_came_from_is_kept_of_visits(status: int, marks: int, kept: bool) -> None:
    ring = AccessRing(1)
    ring.add(SiteState("blog"), "::1", b"GET", b"h/", 1, status, 0, 1, False, b"f" * 900, b"agent" * 90, 9)
    ring.add(SiteState("blog"), "::1", b"GET", b"h/", 1, status, 0, 1, False, b"from\xe9", b"agent" * 90, marks)
    [record] = ring.since(0)[2]
    assert (record.referer, record.agent) == (("fromé", ("agent" * 90)[:255]) if kept else ("", ""))
    assert record.marks == marks


def test_histograms_are_added() -> None:
    assert add_latencies([]) == b""
    one, other = struct.pack("<2I", 1, 2**32 - 1), struct.pack("<3I", 2, 7, 5)
    assert struct.unpack("<3I", add_latencies([one, other, b""])) == (3, 2**32 - 1, 5)
    assert len(add_latencies([bytes(4000)])) == 4 * BUCKETS


@given(st.integers(1, 8), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=20))
@settings(deadline=None, max_examples=100)
def test_reading_on_step_by_step(capacity: int, steps: list[tuple[int, int]]) -> None:
    """Whoever reads on with `after` sees each record once that is still there, and knows how many are not."""
    ring = AccessRing(capacity)
    position = added = seen = lost = 0
    for more, limit in steps:
        for _ in range(more):
            added += 1
            add(ring, b"/%d" % added)
        position, missed, records = ring.after(position, limit)
        assert [record.path for record in records] == [
            f"/{position - len(records) + n + 1}" for n in range(len(records))
        ]
        assert len(records) == min(limit, added - seen - lost - missed)
        seen, lost = seen + len(records), lost + missed
    while position < ring.sequence:
        position, missed, records = ring.after(position, 3)
        seen, lost = seen + len(records), lost + missed
    assert seen + lost == added


def test_long_names_are_cut() -> None:
    ring = AccessRing(1)
    add(ring, b"/" * 5000, b"h" * 400)
    [record] = ring.since(0)[2]
    assert (len(record.host), len(record.path)) == (255, 2048)


def test_a_ring_holds_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        AccessRing(0)


@given(
    st.integers(1, 8),
    st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 40), st.integers(0, 12))), max_size=40),
)
@settings(deadline=None, max_examples=200)
def test_ring_against_a_list(capacity: int, steps: list[tuple[int, int] | None]) -> None:
    """`None` adds a record, a pair asks for what came after a sequence, up to a limit."""
    ring = AccessRing(capacity)
    added: list[str] = []
    for step in steps:
        if step is None:
            add(ring, b"/%d" % len(added))
            added.append(f"/{len(added)}")
            continue
        sequence, limit = step
        sequence = min(sequence, len(added))
        wanted = added[sequence:]
        there = min(len(wanted), capacity, limit)
        following, lost, records = ring.since(step[0], limit)
        assert following == ring.sequence == len(added)
        assert [record.path for record in records] == wanted[len(wanted) - there :]
        assert lost == len(wanted) - there
