"""The calls about keys, variables and secrets: what they answer, what they refuse, and whom."""

import asyncio
import base64
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from api_calls import ORIGIN, Answer, Api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fazt.api.admin import admin
from fazt.api.environment import EnvironmentCalls
from fazt.api.kv import Kv
from fazt.api.sites import Sites
from fazt.api.tokens import Tokens
from fazt.server.making import make_hosting
from fazt.settings import Settings
from fazt.store import changes, kv, sites
from fazt.store.database import Database
from fazt.store.kv import Write

KV, ENV, SECRETS = "/api/sites/blog/kv", "/api/sites/blog/env", "/api/sites/blog/secrets"


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[Api]:
    """An API of these resources alone, with two sites."""
    with contextlib.closing(Database.open(tmp_path / "data.db")) as database, asyncio.Runner() as runner:
        api = Api.__new__(Api)
        api.database, api.runner = database, runner
        all_sites = Sites(database, make_hosting(Settings()), lambda: None)
        api.app = admin(database, [Kv(database), EnvironmentCalls(database), Tokens(database), all_sites], ORIGIN)
        for site in ("blog", "other"):
            api.ask("POST", "/api/sites", {"name": site})
        yield api


def at(key: str) -> str:
    return f"{KV}/{quote(key, safe='')}"


def put(api: Api, key: str, **body: Any) -> Answer:
    return api.ask("PUT", at(key), body)


def test_an_entry_from_its_first_write_to_its_end(blog: Api) -> None:
    made = put(blog, "a/b", value={"n": [1, 2.5, None]})
    assert made.status == 200
    entry = {"key": "a/b", "kind": "json", "size": 18, "version": made.json["version"], "expires_at": None}
    assert made.json == entry
    assert blog.ask("GET", at("a/b")).json == {**entry, "value": {"n": [1, 2.5, None]}}
    assert blog.ask("GET", f"{KV}/a/b").json["key"] == "a/b"  # slashes may stand there as they are
    raw = put(blog, "a/c", base64=base64.b64encode(b"\x00\xff").decode(), ttl=60)
    assert (raw.json["kind"], raw.json["size"]) == ("bytes", 2)
    assert raw.json["expires_at"].endswith("Z")
    assert blog.ask("GET", at("a/c")).json["base64"] == "AP8="
    assert [item["key"] for item in blog.ask("GET", KV).json["items"]] == ["a/b", "a/c"]
    assert "value" not in blog.ask("GET", KV).json["items"][0]
    assert blog.ask("DELETE", at("a/b")).status == 204
    for method in ("GET", "DELETE"):
        gone = blog.ask(method, at("a/b"))
        assert (gone.status, gone.code) == (404, "not_found")


def test_pages_of_keys(blog: Api) -> None:
    for number in range(5):
        put(blog, f"p/{number}", value=number)
    put(blog, "q", value=0)
    first = blog.ask("GET", f"{KV}?prefix=p/&limit=3").json
    assert ([item["key"] for item in first["items"]], first["next"]) == (["p/0", "p/1", "p/2"], "p/2")
    rest = blog.ask("GET", f"{KV}?prefix=p/&limit=3&after={first['next']}").json
    assert ([item["key"] for item in rest["items"]], rest["next"]) == (["p/3", "p/4"], None)
    assert blog.ask("GET", "/api/sites/other/kv").json == {"items": [], "next": None}


def test_a_write_may_expect_a_version(blog: Api) -> None:
    made = put(blog, "a", value=1, if_version=None)
    refused = put(blog, "a", value=2, if_version=None)
    assert (refused.status, refused.code) == (409, "kv_conflict")
    assert put(blog, "a", value=2, if_version=made.json["version"] + 1).status == 409
    assert put(blog, "a", value=2, if_version=made.json["version"]).status == 200
    assert put(blog, "a", value=3).status == 200


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(["\n", "a\n", "/"]))
def test_any_key_can_be_read_and_removed(blog: Api, key: str) -> None:
    site = blog.database.read_blocking(sites.get, "blog").id
    blog.database.write_blocking(kv.put, site, Write(key, "json", b"1", None), None, 0)
    assert blog.ask("GET", at(key)).json["key"] == key
    assert blog.ask("DELETE", at(key)).status == 204
    assert blog.database.read_blocking(kv.find, site, key, 0) is None


NO_VALUE: list[Any] = [
    {},
    {"value": 1, "base64": ""},
    {"base64": None},
    {"base64": "?"},
    {"value": 1, "ttl": 0},
    {"value": 1, "ttl": -1},
    {"value": 1, "ttl": 1e300},
    {"value": 1, "if_version": -1},
    {"value": 1, "if_version": "x"},
    {"value": 1, "other": 1},
    b'{"value": NaN}',
    b'{"value": 1e999}',
    b'{"value": 123456789012345678901234567890}',
    b'{"value": "\\ud800"}',
    b'{"value": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b"[]",
    b"{",
]


@pytest.mark.parametrize("body", NO_VALUE, ids=lambda body: str(body)[:30])
def test_what_cannot_be_kept(blog: Api, body: Any) -> None:
    answer = blog.ask("PUT", at("a"), body, headers=[("content-type", "application/json")])
    assert (answer.status, answer.code) == (400, "invalid_input"), answer.body
    assert blog.ask("GET", at("a")).status == 404


def test_limits(blog: Api) -> None:
    assert put(blog, "x" * 513, value=1).code == "invalid_input"
    assert put(blog, "x" * 512, value=1).status == 200
    assert blog.ask("GET", f"{KV}?prefix={'x' * 513}").status == 400
    assert blog.ask("GET", f"{KV}?after={'x' * 513}").status == 400
    assert put(blog, "a", value="x" * (1 << 20)).code == "too_large"
    assert blog.ask("GET", "/api/sites/nothing/kv").code == "site_not_found"
    assert blog.ask("PUT", "/api/sites/nothing/kv/a", {"value": 1}).code == "site_not_found"
    assert blog.ask("DELETE", "/api/sites/nothing/kv/a").code == "site_not_found"
    assert blog.ask("GET", f"{KV}/").status == 404


def test_variables(blog: Api) -> None:
    before = blog.database.read_blocking(changes.last)
    made = blog.ask("PUT", f"{ENV}/GREETING", {"value": "hello"})
    assert made.json == {"name": "GREETING", "updated_at": made.json["updated_at"], "value": "hello"}
    assert blog.ask("GET", ENV).json == {"items": [made.json], "next": None}
    assert blog.ask("GET", "/api/sites/other/env").json["items"] == []
    assert blog.ask("DELETE", f"{ENV}/GREETING").status == 204
    assert blog.ask("DELETE", f"{ENV}/GREETING").code == "not_found"
    news = blog.database.read_blocking(changes.since, before)
    assert [(change.kind, change.key) for change in news] == [("environment", "blog")] * 2


def test_a_secret_goes_in_and_never_comes_out(blog: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        blog.ask("PUT", f"{SECRETS}/KEY", {"value": "s3cret"}),
        blog.ask("GET", SECRETS),
        blog.ask("GET", ENV),
        blog.ask("PUT", f"{ENV}/KEY", {"value": "s3cret"}),
        blog.ask("PUT", f"{SECRETS}/KEY", {"value": ["s3cret"]}),
        blog.ask("PUT", f"{SECRETS}/KEY", {"value": "s3cret" * 10_000}),
        blog.ask("PUT", f"{SECRETS}/K-Y", {"value": "s3cret"}),
        blog.ask("PUT", f"{SECRETS}/KEY", {"s3cret": "s3cret"[:3]}),
        blog.ask("GET", f"{SECRETS}/KEY"),
        blog.ask("DELETE", f"{ENV}/KEY"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 409, 400, 413, 400, 400, 405, 404]
    assert [sorted(item) for item in answers[1].json["items"]] == [["name", "updated_at"]]
    assert answers[2].json["items"] == []
    shown = b"".join(answer.body for position, answer in enumerate(answers) if position != 7)
    assert b"s3cret" not in shown
    assert "s3cret" not in caplog.text
    assert blog.ask("DELETE", f"{SECRETS}/KEY").status == 204


def test_a_locked_site_keeps_its_variables(blog: Api) -> None:
    blog.ask("PUT", f"{ENV}/A", {"value": "1"})
    blog.ask("PATCH", "/api/sites/blog", {"locked": True})
    for answer in (blog.ask("PUT", f"{SECRETS}/B", {"value": "1"}), blog.ask("DELETE", f"{ENV}/A")):
        assert (answer.status, answer.code) == (409, "site_locked")
    assert put(blog, "data", value=1).status == 200  # what functions keep is not what is locked


CALLS = [
    ("GET", KV, None, "read"),
    ("GET", f"{KV}/a", None, "read"),
    ("PUT", f"{KV}/a", {"value": 1}, "admin"),
    ("DELETE", f"{KV}/a", None, "admin"),
    ("GET", ENV, None, "read"),
    ("PUT", f"{ENV}/A", {"value": "1"}, "deploy"),
    ("DELETE", f"{ENV}/A", None, "deploy"),
    ("GET", SECRETS, None, "read"),
    ("PUT", f"{SECRETS}/A", {"value": "1"}, "deploy"),
    ("DELETE", f"{SECRETS}/A", None, "deploy"),
]


@pytest.mark.parametrize(("method", "target", "body", "action"), CALLS)
def test_who_may(blog: Api, method: str, target: str, body: Any, action: str) -> None:
    actions = {"read", "deploy", "admin"}
    for token in (blog.token(*(actions - {action})), blog.token(*actions, site="other")):
        assert blog.ask(method, target, body, token=token).code == "forbidden"
    for token in (blog.token(action), blog.token(action, site="blog")):
        assert blog.ask(method, target, body, token=token).status in (200, 204, 404)


def test_the_document_has_the_calls(blog: Api) -> None:
    document = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    for part, action in (("kv/{key}", "admin"), ("env/{name}", "deploy"), ("secrets/{name}", "deploy")):
        assert f"| `PUT /api/sites/{{site}}/{part}` | {action} |" in document
