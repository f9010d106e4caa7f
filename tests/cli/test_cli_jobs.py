"""`fazt jobs` and `fazt cron`: what they ask the API, and what they say of the answer."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

Run = Callable[..., Any]

JOB = {
    "id": "8c1f03ab52d94e7710aa",
    "site": "blog",
    "kind": "cron",
    "name": "tidy",
    "handler": "api/_cron/tidy.js",
    "state": "failed",
    "attempts": 2,
    "max_attempts": 2,
    "unique": None,
    "data": {},
    "result": None,
    "error": "it went\x1b[2J wrong\nbadly",
    "run_at": "2026-01-01T00:00:00.000Z",
    "scheduled_at": "2026-01-01T00:00:00.000Z",
    "created_at": "2026-01-01T00:00:00.000Z",
    "started_at": "2026-01-01T00:00:00.000Z",
    "finished_at": "2026-01-01T00:00:01.500Z",
}
TRIGGER = {
    "site": "blog",
    "name": "tidy",
    "schedule": "every 1h",
    "tz": "UTC",
    "paused": False,
    "error": None,
    "upcoming": [f"2030-01-01T0{hour}:00:00.000Z" for hour in range(6)],
    "last": JOB,
}


def test_jobs_are_listed(run: Run, server: Any) -> None:
    server.answers["GET", "/api/jobs"] = 200, {"items": [JOB], "next": "5"}
    ran = run("jobs", "list", "blog", "--state", "failed", "--limit", "7")
    assert server.asked[-1].query == {"site": "blog", "state": "failed", "limit": "7"}
    assert "8c1f03ab52d94e7710aa" in ran.out
    assert "2/2" in ran.out
    assert "it went\ufffd[2J wrong" in ran.out
    assert "badly" not in ran.out
    assert orjson.loads(run("jobs", "list", "--json").out) == {"items": [JOB]}
    server.answers["GET", "/api/jobs"] = 200, {"items": [], "next": None}
    assert "fazt.jobs.enqueue" in run("jobs", "list").out
    assert run("jobs", "list", "--state", "lost").code == 2


@pytest.mark.parametrize(("command", "words"), [("retry", "runs as soon as"), ("cancel", "is cancelled")])
def test_jobs_are_tried_again_and_cancelled(run: Run, server: Any, command: str, words: str) -> None:
    server.answers["POST", f"/api/jobs/x/{command}"] = 200, JOB
    assert words in run("jobs", command, "x").out
    assert orjson.loads(run("jobs", command, "x", "--json").out) == JOB


def test_triggers_are_listed_with_their_next_runs(run: Run, server: Any) -> None:
    others: list[dict[str, Any]] = [
        {**TRIGGER, "name": "off", "paused": True, "upcoming": [], "last": None},
        {**TRIGGER, "name": "bad", "error": "no zone", "upcoming": []},
        {**TRIGGER, "name": "over", "upcoming": []},
    ]
    server.answers["GET", "/api/cron"] = 200, {"items": [TRIGGER, *others], "next": None}
    ran = run("cron", "list", "blog", "--next", "3")
    assert server.asked[-1].query["upcoming"] == "5"
    assert ran.out.count("2030-01-01") + ran.out.count("2029-12-31") == 3
    assert "paused" in ran.out
    assert "broken" in ran.out
    assert "blog bad: no zone" in ran.err
    listed = orjson.loads(run("cron", "list", "--json").out)
    assert listed["items"][0]["upcoming"] == TRIGGER["upcoming"]
    server.answers["GET", "/api/cron"] = 200, {"items": [], "next": None}
    assert '"cron": [' in run("cron", "list").out


def test_the_history_of_a_trigger(run: Run, server: Any) -> None:
    unfinished = {
        **JOB,
        "scheduled_at": None,
        "state": "waiting",
        "started_at": None,
        "finished_at": None,
        "error": None,
    }
    server.answers["GET", "/api/cron/blog/tidy/history"] = 200, {"items": [unfinished, JOB], "next": None}
    ran = run("cron", "history", "blog", "tidy")
    assert "by hand" in ran.out
    assert "1.500 s" in ran.out
    assert len(orjson.loads(run("cron", "history", "blog", "tidy", "--json").out)["items"]) == 2
    server.answers["GET", "/api/cron/blog/tidy/history"] = 200, {"items": [], "next": None}
    assert "has not run yet" in run("cron", "history", "blog", "tidy").out


def test_a_trigger_is_run_paused_and_resumed(run: Run, server: Any) -> None:
    server.answers["POST", "/api/cron/blog/tidy/run"] = 201, JOB
    assert "runs now" in run("cron", "run", "blog", "tidy").out
    server.live = False
    assert "when the server does" in run("cron", "run", "blog", "tidy").out
    for command, words in (("pause", "is paused"), ("resume", "runs next 20")):
        server.answers["POST", f"/api/cron/blog/tidy/{command}"] = 200, TRIGGER
        assert words in run("cron", command, "blog", "tidy").out
        assert orjson.loads(run("cron", command, "blog", "tidy", "--json").out) == TRIGGER
    assert orjson.loads(run("cron", "run", "blog", "tidy", "--json").out) == JOB
    server.answers["POST", "/api/cron/blog/tidy/resume"] = 200, {**TRIGGER, "upcoming": []}
    assert "never runs" in run("cron", "resume", "blog", "tidy").out


def test_a_preview_asks_no_server(run: Run) -> None:
    ran = run("cron", "preview", "30 2 * * mon-fri", "--tz", "Europe/Berlin", "--next", "3")
    assert ran.code == 0
    assert ran.out.count("02:30:00 CE") == 3
    told = orjson.loads(run("cron", "preview", "every 1h", "--json").out)
    assert (told["tz"], len(told["upcoming"])) == ("UTC", 5)
    assert all(time.endswith(":00:00.000Z") for time in told["upcoming"])
    refused = run("cron", "preview", "*/90 * * * *")
    assert refused.code == 1
    assert "larger than the minute" in refused.err
