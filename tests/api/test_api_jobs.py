"""`/api/jobs` and `/api/cron`: lists, what can be done, and tokens of one site."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from api_calls import ORIGIN, Api

from fazt.api.admin import admin
from fazt.api.cron import Cron
from fazt.api.jobs import Jobs
from fazt.api.sites import Sites
from fazt.api.tokens import Tokens
from fazt.server.making import make_hosting
from fazt.settings import Settings
from fazt.sites.manifest import parse_manifest
from fazt.store import queue, sites, versions
from fazt.store.clock import now_ms
from fazt.store.database import Database
from fazt.store.queue import NewJob

JOB = NewJob("", "job", "mail", "api/_jobs/mail.js", b'{"to":"me"}', 3, 1000, 1000, 0)


class Calls:
    """What the routes called."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.interrupted: list[str] = []


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def api(tmp_path: Path, calls: Calls) -> Iterator[Api]:
    with asyncio.Runner() as runner, closing(Database.open(tmp_path / "data.db")) as database:
        api = Api.__new__(Api)  # only what answers these calls
        api.database, api.runner = database, runner
        resources: list[Any] = [
            Jobs(api.database, lambda: calls.woken.append("jobs"), calls.interrupted.append),
            Cron(api.database, lambda: calls.woken.append("jobs"), lambda: calls.woken.append("cron")),
            Sites(api.database, make_hosting(Settings()), lambda: None),
            Tokens(api.database),
        ]
        api.app = admin(api.database, resources, ORIGIN)
        for name in ("blog", "shop"):
            api.database.write_blocking(sites.create, name)
        yield api


def add(api: Api, site: str = "blog", **fields: Any) -> str:
    owner = api.database.read_blocking(sites.get, site)
    job = replace(JOB, id=queue.new_id(), **fields)
    return api.database.write_blocking(queue.add, owner.id, job, now_ms())


def deploy(api: Api, cron: bytes, site: str = "blog") -> None:
    def make(connection: Any) -> None:
        owner = sites.get(connection, site)
        rules = orjson.dumps({"manifest": parse_manifest(b'{"cron": ' + cron + b"}").as_json()})
        version = versions.create(connection, owner.id, [], rules=rules, message="", source="", parent=None)
        sites.set_live(connection, owner.id, version.number)

    api.database.write_blocking(make)


def test_jobs_are_listed_newest_first_page_by_page(api: Api) -> None:
    ids = [add(api, site) for site in ("blog", "shop", "blog")]
    first = api.ask("GET", "/api/jobs?limit=2").json
    assert [job["id"] for job in first["items"]] == ids[:0:-1]
    rest = api.ask("GET", f"/api/jobs?limit=2&after={first['next']}").json
    assert ([job["id"] for job in rest["items"]], rest["next"]) == (ids[:1], None)
    job = rest["items"][0]
    assert job | {"created_at": ""} == {
        "id": ids[0],
        "site": "blog",
        "kind": "job",
        "name": "mail",
        "handler": "api/_jobs/mail.js",
        "state": "waiting",
        "attempts": 0,
        "max_attempts": 3,
        "unique": None,
        "data": {"to": "me"},
        "result": None,
        "error": None,
        "run_at": "1970-01-01T00:00:00.000Z",
        "scheduled_at": None,
        "created_at": "",
        "started_at": None,
        "finished_at": None,
    }
    assert [job["id"] for job in api.ask("GET", "/api/jobs?site=shop").json["items"]] == [ids[1]]
    assert api.ask("GET", "/api/jobs?state=failed").json["items"] == []
    assert api.ask("GET", "/api/jobs?state=lost").code == "invalid_input"
    assert api.ask("GET", "/api/jobs?after=x").code == "invalid_input"
    assert api.ask("GET", "/api/jobs?site=nothing").code == "site_not_found"


def test_jobs_are_cancelled_and_tried_again(api: Api, calls: Calls) -> None:
    id = add(api)
    assert api.ask("POST", f"/api/jobs/{id}/cancel").json["state"] == "cancelled"
    assert calls.interrupted == [id]
    assert api.ask("POST", f"/api/jobs/{id}/cancel").code == "conflict"
    assert api.ask("POST", f"/api/jobs/{id}/retry").json["state"] == "waiting"
    assert calls.woken == ["jobs"]
    assert api.ask("POST", "/api/jobs/nothing/retry").code == "not_found"


def test_a_token_of_one_site_sees_and_changes_that_alone(api: Api) -> None:
    mine, other = add(api), add(api, "shop")
    deploy(api, b'[{"name": "tidy", "schedule": "every 1h"}]')
    deploy(api, b'[{"name": "tidy", "schedule": "every 1h"}]', "shop")
    token = api.token("read", "admin", site="blog")
    assert [job["id"] for job in api.ask("GET", "/api/jobs", token=token).json["items"]] == [mine]
    assert api.ask("GET", "/api/jobs?site=shop", token=token).code == "forbidden"
    assert api.ask("POST", f"/api/jobs/{other}/cancel", token=token).code == "forbidden"
    assert api.ask("POST", f"/api/jobs/{other}/retry", token=token).code == "forbidden"
    assert api.ask("POST", f"/api/jobs/{mine}/cancel", token=token).status == 200
    assert [item["site"] for item in api.ask("GET", "/api/cron", token=token).json["items"]] == ["blog"]
    assert api.ask("GET", "/api/cron?site=shop", token=token).code == "forbidden"
    for call in ("run", "pause", "resume"):
        assert api.ask("POST", f"/api/cron/shop/tidy/{call}", token=token).code == "forbidden"
        assert api.ask("POST", f"/api/cron/blog/tidy/{call}", token=token).status in (200, 201)
    assert api.ask("GET", "/api/cron/shop/tidy/history", token=token).code == "forbidden"
    reader = api.token("read", site="blog")
    assert api.ask("POST", f"/api/jobs/{mine}/retry", token=reader).code == "forbidden"
    assert api.ask("POST", "/api/cron/blog/tidy/run", token=reader).code == "forbidden"


def test_triggers_are_listed_with_their_next_times(api: Api) -> None:
    deploy(api, b'[{"name": "tidy", "schedule": "every 1h", "jitter": 5}, {"name": "away", "schedule": "@daily"}]')
    deploy(api, b'[{"name": "tidy", "schedule": "0 3 * * *", "tz": "Europe/Berlin"}]', "shop")
    first = api.ask("GET", "/api/cron?limit=2&upcoming=3").json
    assert [(item["site"], item["name"]) for item in first["items"]] == [("blog", "away"), ("blog", "tidy")]
    assert first["next"] == "blog/tidy"
    tidy = first["items"][1]
    assert len(tidy["upcoming"]) == 3
    assert all(time.endswith(":00:00.000Z") for time in tidy["upcoming"])
    assert tidy | {"upcoming": []} == {
        "site": "blog",
        "name": "tidy",
        "schedule": "every 1h",
        "tz": "UTC",
        "handler": "api/_cron/tidy.js",
        "timeout_s": 300,
        "retries": 0,
        "overlap": "skip",
        "catchup": "one",
        "jitter_s": 5,
        "paused": False,
        "error": None,
        "upcoming": [],
        "last": None,
        "skipped": 0,
        "skipped_at": None,
    }
    rest = api.ask("GET", "/api/cron?limit=2&after=blog/tidy").json
    assert [(item["site"], item["tz"]) for item in rest["items"]] == [("shop", "Europe/Berlin")]
    assert rest["next"] is None
    assert api.ask("GET", "/api/cron?after=x").code == "invalid_input"
    assert len(api.ask("GET", "/api/cron?site=shop&upcoming=0").json["items"]) == 1


def test_a_trigger_is_run_paused_and_resumed(api: Api, calls: Calls) -> None:
    deploy(api, b'[{"name": "tidy", "schedule": "every 1h"}]')
    made = api.ask("POST", "/api/cron/blog/tidy/run")
    assert (made.status, made.json["kind"], made.json["scheduled_at"]) == (201, "cron", None)
    history = api.ask("GET", "/api/cron/blog/tidy/history?limit=1").json
    assert history == {"items": [made.json], "next": None}
    paused = api.ask("POST", "/api/cron/blog/tidy/pause").json
    assert (paused["paused"], paused["upcoming"], paused["last"]["id"]) == (True, [], made.json["id"])
    resumed = api.ask("POST", "/api/cron/blog/tidy/resume").json
    assert (resumed["paused"], len(resumed["upcoming"])) == (False, 5)
    assert calls.woken == ["jobs", "cron"]
    for call in ("POST", "run"), ("POST", "pause"), ("POST", "resume"), ("GET", "history"):
        assert api.ask(call[0], f"/api/cron/blog/nothing/{call[1]}").code == "not_found"
        assert api.ask(call[0], f"/api/cron/nothing/tidy/{call[1]}").code == "site_not_found"
