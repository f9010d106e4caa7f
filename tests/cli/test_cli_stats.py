"""`fazt stats`: numbers, lines of bars, and no character of a stranger that moves the cursor."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.cli.stats import BARS, WIDEST, spark

Run = Callable[..., Any]
TOTALS = {
    "views": 1204,
    "visitors": 611,
    "requests": 9873,
    "bytes": 12_000_000,
    "errors": 3,
    "bots": 77,
    "unseen": 0,
    "p50_ms": 0.05,
    "p95_ms": 0.4,
    "p99_ms": 1.25,
}
POINT = {
    "at": "2026-11-24T00:00:00.000Z",
    "views": 2,
    "visitors": 1,
    "requests": 5,
    "bytes": 9,
    "errors": 0,
    "p95_ms": 0,
}
NAMES = ("missing", "referrers", "browsers", "systems", "devices", "countries", "events")
SITE = {"totals": TOTALS, "series": [POINT], "pages": [{"name": "/a\x1b[2J", "count": 12}]} | {
    name: [] for name in NAMES
}


def test_a_site(run: Run, server: Any) -> None:
    server.answers["GET", "/api/sites/blog/statistics"] = 200, SITE
    ran = run("stats", "blog", "--days", "7")
    assert ran.code == 0
    assert "1,204" in ran.out
    assert "1.25 ms (99 %)" in ran.out
    assert "/a\ufffd[2J" in ran.out
    assert "FROM" not in ran.out
    assert "estimated" not in ran.out
    query = server.asked[-1].query
    assert query["step"] == "day"
    since, to = datetime.fromisoformat(query["from"]), datetime.fromisoformat(query["to"])
    assert (to.date() - since.date()).days == 6
    assert orjson.loads(run("stats", "blog", "--json").out) == SITE


def test_all_sites(run: Run, server: Any) -> None:
    found = {"totals": TOTALS | {"unseen": 5000}, "series": [], "sites": [{"name": "blog"} | TOTALS]}
    server.answers["GET", "/api/statistics"] = 200, found
    ran = run("stats")
    assert "5,000 requests came too fast" in ran.out
    assert ran.out.splitlines()[-1].split() == ["blog", "1,204", "611", "9,873", "3", "12.0", "MB"]
    server.answers["GET", "/api/statistics"] = 200, found | {"sites": []}
    assert "SITE" not in run("stats").out


@pytest.mark.parametrize("days", ["0", "401", "x"])
def test_days_that_cannot_be(run: Run, server: Any, days: str) -> None:
    assert run("stats", "--days", days).code == 2
    assert not server.asked


@given(st.lists(st.integers(0, 10**12), max_size=400))
def test_a_line_is_bounded_and_shows_the_most(counts: list[int]) -> None:
    line = spark(counts)
    assert len(line) <= WIDEST
    assert set(line) <= set(BARS) | {" "}
    assert len(counts) > WIDEST or [each == " " for each in line] == [count == 0 for count in counts]
    if max(counts, default=0) > 7 and len(counts) <= WIDEST:
        assert line[counts.index(max(counts))] == BARS[-1]
