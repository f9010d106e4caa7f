"""Statistics and the overview: what visitors did comes out as numbers and plain JSON, whoever may ask."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw
import pytest
from api_calls import Api

from fazt._speedups.statistics import MARK_HTML, MARK_UNTRACKED
from fazt.api import overview
from fazt.api.statistics import DAY_MS, HOUR_MS, Span, read_span
from fazt.errors import InvalidInput
from fazt.store import sites, users

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def serve(
    api: Api,
    path: str = "/",
    *,
    site: str = "blog",
    status: int = 200,
    client: str = "192.0.2.1",
    agent: str = FIREFOX,
    referer: str = "",
    marks: int = MARK_HTML,
    method: bytes = b"GET",
    host: str | None = None,
) -> None:
    """Record a request as the edge does."""
    state = api.pages.site(site)
    state.count(status, 10, 1_500_000, False)
    name = host or f"{site}.localhost"
    key = name.encode() + path.encode("latin-1")
    notes = (referer.encode("latin-1"), agent.encode("latin-1"), marks)
    api.ring.add(state, client, method, key, len(name), status, 10, 1_500_000, False, *notes)


def flush(api: Api) -> None:
    api.runner.run(api.history.flush())
    api.runner.run(api.visits.flush())


def show(api: Api, query: str = "", site: str = "blog") -> Any:
    flush(api)
    answer = api.ask("GET", f"/api/sites/{site}/statistics{query}")
    assert answer.status == 200, answer.body
    return answer.json


def names(found: list[dict[str, Any]]) -> dict[str, int]:
    return {each["name"]: each["count"] for each in found}


@pytest.fixture
def blog(api: Api) -> Api:
    for site in ("blog", "other"):
        api.ask("POST", "/api/sites", {"name": site})
    return api


def test_visits_come_out_as_numbers_and_names(blog: Api) -> None:
    serve(blog, "/", referer="https://www.news.example/item?id=1")
    serve(blog, "/", client="192.0.2.2", agent=IPHONE, referer="http://blog.localhost:4698/about")
    serve(blog, "/caf%C3%A9", client="192.0.2.2", agent=IPHONE)
    serve(blog, "/style.css", marks=0)
    serve(blog, "/gone", status=404)
    serve(blog, "/broken", status=500)
    serve(blog, "/", agent=GOOGLEBOT)
    serve(blog, "/quiet", marks=MARK_HTML | MARK_UNTRACKED, client="192.0.2.9", referer="https://secret.example/")
    found = show(blog)
    totals = found["totals"]
    assert {key: totals[key] for key in ("views", "visitors", "requests", "bytes", "errors", "bots", "unseen")} == {
        "views": 3,
        "visitors": 2,
        "requests": 8,
        "bytes": 80,
        "errors": 1,
        "bots": 1,
        "unseen": 0,
    }
    assert totals["p50_ms"] == pytest.approx(1.5, rel=0.25)
    assert found["pages"] == [{"name": "/", "count": 2}, {"name": "/café", "count": 1}]
    assert found["missing"] == [{"name": "/gone", "count": 1}]
    assert found["referrers"] == [{"name": "news.example", "count": 1}]
    assert names(found["browsers"]) == {"Safari": 2, "Firefox": 1}
    assert names(found["systems"]) == {"iOS": 2, "Linux": 1}
    assert names(found["devices"]) == {"Phone": 2, "Desktop": 1}
    assert found["countries"] == found["events"] == []
    assert names(found["statuses"]) == {"2xx": 6, "4xx": 1, "5xx": 1}
    assert found["step"] == "day"
    assert 30 <= len(found["series"]) <= 32
    assert sum(point["views"] for point in found["series"]) == 3
    assert sum(point["visitors"] for point in found["series"]) == 2
    assert show(blog, site="other")["totals"]["requests"] == 0


def test_by_the_hour(blog: Api) -> None:
    serve(blog)
    now = datetime.now(UTC)
    since = (now - timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    found = show(blog, f"?from={since}")
    assert found["step"] == "hour"
    assert 2 <= len(found["series"]) <= 4
    assert found["totals"]["views"] == found["totals"]["visitors"] == 1
    assert found["series"][-1]["requests"] + found["series"][-2]["requests"] == 1


def test_what_comes_again_adds_up(blog: Api) -> None:
    for client in ("192.0.2.1", "192.0.2.1", "192.0.2.3"):
        serve(blog, client=client)
        flush(blog)
    assert show(blog)["totals"]["views"] == 3
    assert show(blog)["totals"]["visitors"] == 2


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "\x1b[31m\x00\x07",
        "{{7*7}}",
        "' OR 1=1 --",
        "a" * 9000,
    ],
)
def test_hostile_text_is_text(blog: Api, hostile: str) -> None:
    text = hostile.encode("ascii", "replace").decode()
    serve(blog, f"/{text}", agent=text, referer=f"https://{text}/x")
    serve(blog, f"/{text}", agent=f"{FIREFOX} {text}", referer=f"https://{text}/")
    serve(blog, f"/{text}", status=404, agent=f"{FIREFOX} {text}")
    flush(blog)
    answer = blog.ask("GET", "/api/sites/blog/statistics")
    assert answer.headers["content-type"] == "application/json"
    found = answer.json
    for name in LISTS:
        for each in found[name]:
            assert each["name"].isprintable()
            assert len(each["name"]) <= 200
    assert {each["name"] for each in found["browsers"]} <= {"Firefox"}
    assert blog.ask("GET", "/api/overview").status == 200


LISTS = ("pages", "missing", "referrers", "browsers", "systems", "devices", "countries", "events")


def test_the_whole_server(blog: Api) -> None:
    for client in ("192.0.2.1", "192.0.2.2"):
        serve(blog, client=client)
    serve(blog, site="other")
    flush(blog)
    found = blog.ask("GET", "/api/statistics").json
    assert (found["totals"]["views"], found["totals"]["visitors"], found["totals"]["requests"]) == (3, 2, 3)
    assert [(site["name"], site["views"], site["visitors"]) for site in found["sites"]] == [
        ("blog", 2, 2),
        ("other", 1, 1),
    ]
    mine = blog.ask("GET", "/api/statistics", token=blog.token("read", site="other")).json
    assert mine["totals"]["requests"] == 1
    assert [site["name"] for site in mine["sites"]] == ["other"]
    hourly = blog.ask("GET", "/api/statistics?step=hour&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z").json
    assert len(hourly["series"]) == 24


def test_who_may_ask(blog: Api) -> None:
    token = blog.token("read", site="other")
    assert blog.ask("GET", "/api/sites/blog/statistics", token=token).status == 403
    assert blog.ask("GET", "/api/sites/other/statistics", token=token).status == 200
    assert blog.ask("GET", "/api/sites/none/statistics").code == "site_not_found"
    assert blog.ask("GET", "/api/statistics", token=blog.token("deploy")).status == 403
    assert blog.ask("GET", "/api/overview", token=blog.token("deploy")).status == 403


def test_a_site_takes_its_statistics_with_it(blog: Api) -> None:
    serve(blog)
    flush(blog)
    blog.ask("PATCH", "/api/sites/blog", {"name": "log"})
    found = show(blog, site="log")
    assert found["totals"]["views"] == 1
    assert found["pages"] == [{"name": "/", "count": 1}]
    blog.ask("DELETE", "/api/sites/log")
    blog.ask("POST", "/api/sites", {"name": "log"})
    assert show(blog, site="log")["totals"]["views"] == 0


NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("since", "to", "step", "span"),
    [
        (None, None, None, Span("day", (NOW - 30 * DAY_MS) // DAY_MS, NOW // DAY_MS + 1)),
        ("2026-11-24", "2026-11-25", None, Span("hour", 20781 * 24, 20782 * 24)),
        ("2026-11-24T10:30:00Z", "2026-11-24T11:30:00Z", "hour", Span("hour", 20781 * 24 + 10, 20781 * 24 + 12)),
        ("2026-11-24T01:00:00+02:00", "2026-11-25T00:00:00Z", "day", Span("day", 20780, 20782)),
    ],
)
def test_a_time_is_whole_steps(since: str | None, to: str | None, step: Any, span: Span) -> None:
    assert read_span(since, to, step, NOW) == span


@pytest.mark.parametrize(
    ("since", "to", "step"),
    [
        ("yesterday", None, None),
        ("2026-11-24", "2026-11-24", None),
        ("2026-11-25", "2026-11-24", None),
        ("1969-01-01", "1971-01-01", None),
        ("0001-01-01T00:00:00+23:59", None, None),
        ("9999-12-30", "9999-12-31T23:59:59Z", "day"),
        ("2024-01-01", "2026-01-01", "day"),
        ("2026-01-01", "2026-03-01", "hour"),
    ],
)
def test_a_time_that_cannot_be(since: str, to: str | None, step: Any) -> None:
    with pytest.raises(InvalidInput):
        read_span(since, to, step, NOW)


def test_the_overview(blog: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert blog.deploy("blog", {"index.html": b"hello"}).status == 201
    for status in (200, 200, 500):
        serve(blog, status=status)
    for _ in range(12):
        serve(blog, site="other", status=503)
    flush(blog)
    found = blog.ask("GET", "/api/overview").json
    assert found["server"].keys() == {"version", "domain", "started_at", "memory_bytes", "disk", "connections"}
    assert found["server"]["disk"]["free_bytes"] > 0
    sites = len(blog.ask("GET", "/api/sites").json["items"])
    assert len(found["sites"]) == sites
    assert found["totals"] == {"sites": sites, "versions": 1, "requests_24h": 15, "views_24h": 2, "errors_24h": 13}
    assert [site["name"] for site in found["sites"]][:2] == ["other", "blog"]
    first = found["sites"][1]
    assert (first["views_24h"], first["requests_24h"], first["errors_24h"]) == (2, 3, 1)
    assert first["live_version"] is not None
    assert first["url"] == "http://blog.localhost:4698/"
    assert len(first["spark"]) == len(found["series"]) == 30
    assert sum(first["spark"]) == 3
    assert sum(point["requests"] for point in found["series"]) == 15
    notes = {(note["kind"], note["site"]) for note in found["attention"]}
    assert notes >= {("errors", "other"), ("empty", "other")}
    assert ("errors", "blog") not in notes
    assert all(note["message"] and note["action"].startswith("fazt ") for note in found["attention"])
    monkeypatch.setattr(overview, "disk", lambda path: (1 << 20, 1 << 40))
    assert blog.ask("GET", "/api/overview").json["attention"][0]["kind"] == "disk"
    mine = blog.ask("GET", "/api/overview", token=blog.token("read", site="blog")).json
    assert [site["name"] for site in mine["sites"]] == ["blog"]
    assert mine["totals"]["requests_24h"] == 3
    assert "other" not in str(mine["attention"])
    assert "disk" not in {note["kind"] for note in mine["attention"]}


def test_what_needs_attention_of_jobs_triggers_and_users(blog: Api) -> None:
    blog.database.write_blocking(users.add, "ann", "owner", None, "hash")
    blog.database.write_blocking(trouble)
    notes = blog.ask("GET", "/api/overview").json["attention"]
    found = {(note["kind"], note["site"]): note for note in notes}
    assert found["one_factor", None]["message"].startswith("ann signs in")
    assert "2 jobs of blog failed" in found["jobs", "blog"]["message"]
    assert found["trigger", "blog"]["message"].endswith("cannot be run: no such time zone")
    assert found["paused", "other"]["action"] == "fazt cron resume other tidy"
    mine = blog.ask("GET", "/api/overview", token=blog.token("read", site="other")).json["attention"]
    assert {note["kind"] for note in mine} == {"paused", "empty"}
    mine = blog.ask("GET", "/api/overview", token=blog.token("read")).json["attention"]
    assert "one_factor" not in {note["kind"] for note in mine}


def trouble(connection: apsw.Connection) -> None:
    blog, other = (sites.get(connection, name).id for name in ("blog", "other"))
    now = int(time.time() * 1000)
    for number, finished in enumerate((now, now - 1000, now - 2 * DAY_MS)):
        connection.execute(
            "INSERT INTO job (id, site, kind, name, handler, data, state, max_attempts, backoff_ms, timeout_ms, run_at,"
            " created_at, finished_at) VALUES (?, ?, 'job', 'mail', 'x', '{}', 'failed', 1, 1, 1, 1, 1, ?)",
            (str(number), blog, finished),
        )
    for site, paused, error in ((blog, 0, "no such time zone"), (other, 1, None), (other, 0, None)):
        connection.execute(
            "INSERT INTO cron_trigger (site, name, definition, last_at, paused, error, created_at)"
            " VALUES (?, ?, '{}', 0, ?, ?, 0)",
            (site, "tidy" if paused or error else "fine", paused, error),
        )


SEED = """
    WITH RECURSIVE n(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value < ?2 - 1)
    INSERT INTO site_hour (site, hour, requests, bytes, hits, status_1xx, status_2xx, status_3xx, status_4xx,
        status_5xx, latency, views, visitors, bots, unseen)
    SELECT site.name, ?1 - n.value, 10, 1000, 9, 0, 8, 1, 1, 0, zeroblob(416), 5, 3, 1, 0 FROM site, n
"""
SEED_DAYS = """
    INSERT INTO site_day (site, day, requests, bytes, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx,
        latency, views, visitors, bots, unseen)
    SELECT site, hour / 24, sum(requests), sum(bytes), 0, sum(status_2xx), 0, 0, 0, zeroblob(416), sum(views), 40, 1, 0
    FROM site_hour GROUP BY site, hour / 24
"""


def seed(connection: apsw.Connection, site_count: int, days: int) -> None:
    connection.executemany(
        "INSERT INTO site (name, created_at) VALUES (?, 0)", [(f"site-{number:04}",) for number in range(site_count)]
    )
    connection.execute(SEED, (int(time.time() * 1000) // HOUR_MS, days * 24))
    connection.execute(SEED_DAYS)


@pytest.mark.slow
def test_a_thousand_sites_and_thirty_days(api: Api) -> None:
    api.database.write_blocking(seed, 1000, 30)
    ask: Callable[[str], Any] = lambda target: api.ask("GET", target)  # noqa: E731
    ask("/api/overview")
    for target, most_s in (("/api/overview", 0.5), ("/api/statistics", 0.5), ("/api/sites/site-0001/statistics", 0.1)):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            answer = ask(target)
            times.append(time.perf_counter() - started)
            assert answer.status == 200
        print(f"{target}: {min(times) * 1000:.0f} ms, {len(answer.body):,} bytes")
        assert min(times) < most_s
    found = ask("/api/overview").json
    assert found["totals"]["requests_24h"] == 240 * len(found["sites"])
    assert all(sum(site["spark"]) > 240 for site in found["sites"])
