"""The audit log: every change leaves a row, which says who, from where, and what it was before; and no secret."""

import csv
import io
from typing import Any

import pytest
from api_calls import Api
from fastapi.routing import APIRoute

from fazt.api.access import PUBLIC
from fazt.api.admin import routes
from fazt.api.resources import make_resources

# A call that changes something, what prepares it, and the action that its row has.
CHANGES: list[tuple[str, str, Any, str]] = [
    ("POST", "/api/sites", {"name": "new"}, "site.create"),
    ("PATCH", "/api/sites/blog", {"locked": True}, "site.change"),
    ("DELETE", "/api/sites/blog", None, "site.remove"),
    ("POST", "/api/sites/blog/versions/prune", {"keep": 1}, "version.prune"),
    ("PUT", "/api/sites/blog/live", {}, "site.rollback"),
    ("POST", "/api/domains", {"name": "new.example", "site": "blog"}, "domain.add"),
    ("DELETE", "/api/domains/blog.example", None, "domain.remove"),
    ("POST", "/api/tokens", {"actions": ["read"]}, "token.create"),
    ("PUT", "/api/sites/blog/env/A", {"value": "hidden"}, "env.set"),
    ("DELETE", "/api/sites/blog/env/HERE", None, "env.remove"),
    ("PUT", "/api/sites/blog/secrets/A", {"value": "hidden"}, "secret.set"),
    ("DELETE", "/api/sites/blog/secrets/THERE", None, "secret.remove"),
    ("PUT", "/api/sites/blog/kv/a", {"value": "hidden"}, "kv.set"),
    ("DELETE", "/api/sites/blog/kv/here", None, "kv.remove"),
    ("PUT", "/api/settings/idle_timeout_s", {"value": 5}, "setting.change"),
    ("POST", "/api/users", {"name": "bob", "password": "hidden, and long enough"}, "user.create"),
    ("POST", "/api/invites", {}, "invite.create"),
    ("POST", "/api/backups", {}, "backup.create"),
    ("POST", "/api/restart", None, "server.restart"),
]


@pytest.fixture
def blog(api: Api) -> Api:
    for text in (b"1", b"2"):
        api.deploy("blog", {"index.html": text})
    api.ask("POST", "/api/domains", {"name": "blog.example", "site": "blog"})
    for target in ("env/HERE", "secrets/THERE"):
        api.ask("PUT", f"/api/sites/blog/{target}", {"value": "hidden"})
    api.ask("PUT", "/api/sites/blog/kv/here", {"value": "hidden"})
    return api


def newest(api: Api) -> Any:
    return api.ask("GET", "/api/audit?limit=1").json["items"][0]


@pytest.mark.parametrize(("method", "target", "body", "action"), CHANGES, ids=lambda value: str(value)[:40])
def test_a_change_leaves_a_row(blog: Api, method: str, target: str, body: Any, action: str) -> None:
    before = newest(blog)["id"]
    assert blog.ask(method, target, body).status < 300
    row = newest(blog)
    assert (row["id"], row["actor"], row["action"]) == (before + 1, "socket", action)
    assert "hidden" not in str(blog.ask("GET", "/api/audit").json)


def test_what_fails_leaves_none(blog: Api) -> None:
    before = newest(blog)["id"]
    for method, target, body in (
        ("DELETE", "/api/sites/nothing", None),
        ("POST", "/api/sites", {"name": "blog"}),
        ("PUT", "/api/settings/max_connections", {"value": 0}),
    ):
        assert blog.ask(method, target, body).status >= 400
    assert newest(blog)["id"] == before


def test_before_and_after(blog: Api) -> None:
    blog.ask("PATCH", "/api/sites/blog", {"name": "log", "locked": True})
    row = newest(blog)
    assert row["before"] == {"name": "blog", "locked": False}
    assert row["after"] == {"name": "log", "locked": True}


def test_who_and_from_where(blog: Api) -> None:
    token = blog.token("admin")
    blog.ask("POST", "/api/sites", {"name": "new"}, token=token)
    row = newest(blog)
    assert (row["actor"], row["address"]) == (f"token:{token[:8]}", "127.0.0.1")
    blog.browser("ann").ask("POST", "/api/sites", {"name": "newer"})
    assert newest(blog)["actor"] == "user:ann"
    assert [row["subject"] for row in blog.ask("GET", "/api/audit?actor=user:ann&action=site").json["items"]] == [
        "newer"
    ]


def test_filters_and_pages(blog: Api) -> None:
    everything = blog.ask("GET", "/api/audit").json["items"]
    page = blog.ask("GET", "/api/audit?limit=2").json
    rest = blog.ask("GET", f"/api/audit?after={page['next']}").json["items"]
    assert page["items"] + rest == everything
    assert blog.ask("GET", "/api/audit?since=2999-01-01T00:00:00Z").json["items"] == []
    assert blog.ask("GET", "/api/audit?until=2999-01-01T00:00:00Z").json["items"] == everything
    for wrong in ("since=yesterday", "until=", "after=x", "since=9999999-01-01"):
        assert blog.ask("GET", f"/api/audit?{wrong}").status == 400


def test_who_administers_one_site_sees_its_rows(blog: Api) -> None:
    blog.ask("POST", "/api/sites", {"name": "other"})
    token = blog.token("admin", site="blog")
    seen = blog.ask("GET", "/api/audit", token=token).json["items"]
    assert seen
    assert {row["site"] for row in seen} == {"blog"}


def test_an_export_carries_no_formula(blog: Api) -> None:
    blog.ask("PUT", "/api/sites/blog/kv/%3Dcmd()", {"value": 1})
    sent = blog.ask("GET", "/api/audit/export?format=csv")
    assert sent.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(sent.body.decode())))
    assert rows[0]["subject"] == "'=cmd()"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    lines = blog.ask("GET", "/api/audit/export").body.splitlines()
    assert len(lines) == len(rows)


# Calls without a row of their own here, and why.
ELSEWHERE = {
    ("DELETE", "/api/cache"): "changes nothing that can be seen",
    ("POST", "/api/blobs"): "contents without a site; the deploy has the row",
    ("POST", "/api/sites/{site}/call"): "what a function does is the site's own",
    ("POST", "/api/calls/{call}/replay"): "the same",
    ("POST", "/api/setup/link"): "its use has the row",
    ("POST", "/api/account/totp"): "counts from its confirmation on",
    ("POST", "/api/sites/{site}/versions"): "test_api_files",
    ("PUT", "/api/sites/{site}/files/{path:path}"): "test_api_files",
    ("DELETE", "/api/sites/{site}/files/{path:path}"): "test_api_files",
    ("POST", "/api/sites/{site}/upload"): "test_api_files",
    ("DELETE", "/api/settings/{name}"): "test_api_settings: one way to write",
    ("PATCH", "/api/settings"): "the same",
    ("POST", "/api/settings/rollback"): "the same",
}
OWN_TESTS = (
    "/api/backups",
    "/api/certificates",
    "/api/jobs/",
    "/api/cron/",
    "/api/links",
    "/api/hooks",
    "/api/notifications",
    "/api/account/",
    "/api/session",
)
OWN_TESTS += ("/api/users/{name}", "/api/invites/{id}", "/api/tokens/{id}")
OWN_TESTS += ("/api/sites/{site}/protection", "/api/sites/{site}/shares", "/api/sites/{site}/pass")


def test_every_call_that_changes_something_is_in_the_table(blog: Api) -> None:
    for route in routes(make_resources(blog.parts)).routes:
        assert isinstance(route, APIRoute)
        for method in route.methods - {"GET"}:
            if (method, route.path) in PUBLIC or (method, route.path) in ELSEWHERE or route.path.startswith(OWN_TESTS):
                continue
            tested = any(changed == method and route.path_regex.match(target) for changed, target, *_ in CHANGES)
            assert tested, f"{method} {route.path} has no row in the table of changes"
