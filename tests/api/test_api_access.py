"""Who may call what: every route, every kind of caller."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_calls import Api, make_scope, opened, wanted
from fastapi.routing import APIRoute

from fazt.api.access import MAX_BODY_BYTES, PUBLIC, Requires, anybody, signed_in
from fazt.api.admin import routes
from fazt.api.resources import make_resources
from fazt.auth.tokens import ACTIONS
from fazt.errors import StorageFull
from fazt.store import tokens

ANY_VERSION = "live"
ANY_CALL = "0123456789abcdef"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
# call, body -> the action it takes, and whether a token for the site `blog` may make it
CALLS: list[tuple[str, str, Any, str, bool]] = [
    ("GET", "/api/status", None, "read", False),
    ("GET", "/api/metrics", None, "read", False),
    ("GET", "/api/cache", None, "read", False),
    ("DELETE", "/api/cache", None, "admin", False),
    ("GET", "/api/sites/blog/protection", None, "read", True),
    ("GET", "/api/sites/other/protection", None, "read", False),
    ("PUT", "/api/sites/blog/protection", {"rules": [{"users": True}]}, "admin", True),
    ("PUT", "/api/sites/other/protection", {"rules": [{"users": True}]}, "admin", False),
    ("DELETE", "/api/sites/blog/protection", None, "admin", True),
    ("GET", "/api/sites/blog/shares", None, "read", True),
    ("POST", "/api/sites/blog/shares", {}, "deploy", True),
    ("POST", "/api/sites/other/shares", {}, "deploy", False),
    ("DELETE", "/api/sites/blog/shares/nothing", None, "deploy", True),
    ("POST", "/api/sites/blog/pass", {}, "read", True),
    ("POST", "/api/sites/other/pass", {}, "read", False),
    ("GET", "/api/overview", None, "read", True),
    ("GET", "/api/events", None, "read", True),
    ("GET", "/api/statistics", None, "read", True),
    ("GET", "/api/sites/blog/statistics", None, "read", True),
    ("GET", "/api/sites/other/statistics", None, "read", False),
    ("GET", "/api/audit", None, "admin", True),
    ("GET", "/api/audit?site=other", None, "admin", False),
    ("GET", "/api/audit/export", None, "admin", True),
    ("GET", "/api/settings", None, "admin", False),
    ("PATCH", "/api/settings", {"values": {}}, "admin", False),
    ("GET", "/api/settings/history", None, "admin", False),
    ("POST", "/api/settings/rollback", {}, "admin", False),
    ("GET", "/api/settings/domain", None, "admin", False),
    ("PUT", "/api/settings/idle_timeout_s", {"value": 5}, "admin", False),
    ("DELETE", "/api/settings/idle_timeout_s", None, "admin", False),
    ("POST", "/api/setup/link", None, "admin", False),
    ("GET", "/api/users", None, "admin", False),
    ("POST", "/api/users", {"name": "eve", "password": "x"}, "admin", False),
    ("PATCH", "/api/users/nobody", {"role": "viewer"}, "admin", False),
    ("DELETE", "/api/users/nobody", None, "admin", False),
    ("DELETE", "/api/users/nobody/sessions", None, "admin", False),
    ("GET", "/api/invites", None, "admin", False),
    ("POST", "/api/invites", {"role": "viewer"}, "admin", False),
    ("DELETE", "/api/invites/nothing", None, "admin", False),
    ("GET", "/api/route?url=http://blog.localhost/", None, "read", True),
    ("GET", "/api/route?url=http://other.localhost/", None, "read", False),
    ("GET", "/api/route?url=http://nobody.example/", None, "read", False),
    ("GET", "/api/logs", None, "read", True),
    ("GET", "/api/logs?site=blog", None, "read", True),
    ("GET", "/api/logs?site=other", None, "read", False),
    ("GET", "/api/overview", None, "read", True),
    ("GET", "/api/statistics", None, "read", True),
    ("GET", "/api/sites/blog/statistics", None, "read", True),
    ("GET", "/api/sites/other/statistics", None, "read", False),
    ("GET", "/api/sites", None, "read", True),
    ("POST", "/api/sites", {"name": "new"}, "admin", False),
    ("GET", "/api/sites/blog", None, "read", True),
    ("GET", "/api/sites/other", None, "read", False),
    ("PATCH", "/api/sites/blog", {"locked": False}, "admin", True),
    ("PATCH", "/api/sites/blog", {"name": "better"}, "admin", False),
    ("PATCH", "/api/sites/other", {"locked": False}, "admin", False),
    ("DELETE", "/api/sites/other", None, "admin", False),
    ("GET", "/api/sites/blog/versions", None, "read", True),
    ("GET", "/api/sites/other/versions", None, "read", False),
    ("GET", f"/api/sites/blog/versions/{ANY_VERSION}", None, "read", True),
    ("GET", f"/api/sites/other/versions/{ANY_VERSION}", None, "read", False),
    ("GET", f"/api/sites/blog/versions/{ANY_VERSION}/files", None, "read", True),
    ("GET", f"/api/sites/other/versions/{ANY_VERSION}/files", None, "read", False),
    ("GET", f"/api/sites/blog/versions/{ANY_VERSION}/diff", None, "read", True),
    ("GET", f"/api/sites/blog/versions/{ANY_VERSION}/rules", None, "read", True),
    ("GET", f"/api/sites/other/versions/{ANY_VERSION}/rules", None, "read", False),
    ("GET", f"/api/sites/other/versions/{ANY_VERSION}/diff", None, "read", False),
    ("GET", f"/api/sites/blog/versions/{ANY_VERSION}/export", None, "read", True),
    ("GET", f"/api/sites/other/versions/{ANY_VERSION}/export", None, "read", False),
    ("POST", "/api/sites/blog/versions", {"files": [wanted("index.html", b"1")]}, "deploy", True),
    ("POST", "/api/sites/other/versions", {"files": [wanted("index.html", b"1")]}, "deploy", False),
    ("POST", "/api/sites/blog/versions/prune", {"keep": 5}, "deploy", True),
    ("POST", "/api/sites/other/versions/prune", {"keep": 5}, "deploy", False),
    ("PUT", "/api/sites/blog/live", {"version": ANY_VERSION}, "deploy", True),
    ("PUT", "/api/sites/other/live", {"version": ANY_VERSION}, "deploy", False),
    ("GET", f"/api/sites/blog/versions/{ANY_VERSION}/files/index.html", None, "read", True),
    ("GET", f"/api/sites/other/versions/{ANY_VERSION}/files/index.html", None, "read", False),
    ("PUT", "/api/sites/blog/files/index.html", b"x", "deploy", True),
    ("PUT", "/api/sites/other/files/index.html", b"x", "deploy", False),
    ("DELETE", "/api/sites/blog/files/index.html", None, "deploy", True),
    ("DELETE", "/api/sites/other/files/index.html", None, "deploy", False),
    ("POST", "/api/sites/blog/upload", b"", "deploy", True),
    ("POST", "/api/sites/other/upload", b"", "deploy", False),
    ("POST", "/api/blobs", b"", "deploy", True),
    ("GET", "/api/domains", None, "read", True),
    ("GET", "/api/domains?site=other", None, "read", False),
    ("POST", "/api/domains", {"name": "new.example", "site": "blog"}, "admin", True),
    ("POST", "/api/domains", {"name": "new.example", "site": "other"}, "admin", False),
    ("GET", "/api/domains/blog.example/check", None, "read", True),
    ("GET", "/api/domains/other.example/check", None, "read", False),
    ("DELETE", "/api/domains/blog.example", None, "admin", True),
    ("DELETE", "/api/domains/other.example", None, "admin", False),
    ("GET", "/api/backups", None, "admin", False),
    ("POST", "/api/backups", {}, "admin", False),
    ("POST", "/api/backups/prune", {"last": 1}, "admin", False),
    ("GET", "/api/backups/nothing", None, "admin", False),
    ("DELETE", "/api/backups/nothing", None, "admin", False),
    ("GET", "/api/backups/nothing/content", None, "admin", False),
    ("POST", "/api/backups/nothing/verify", {"boot": False}, "admin", False),
    ("POST", "/api/backups/nothing/restore", {}, "admin", False),
    ("POST", "/api/restart", None, "admin", False),
    ("GET", "/api/tokens", None, "admin", False),
    ("POST", "/api/tokens", {"actions": ["read"]}, "admin", False),
    ("DELETE", "/api/tokens/fazt_xyz", None, "admin", False),
    ("GET", "/api/sites/blog/kv", None, "read", True),
    ("GET", "/api/sites/blog/kv/a", None, "read", True),
    ("PUT", "/api/sites/blog/kv/a", {"value": 1}, "admin", True),
    ("DELETE", "/api/sites/blog/kv/a", None, "admin", True),
    ("GET", "/api/sites/blog/env", None, "read", True),
    ("PUT", "/api/sites/blog/env/A", {"value": "1"}, "deploy", True),
    ("DELETE", "/api/sites/blog/env/A", None, "deploy", True),
    ("GET", "/api/sites/blog/secrets", None, "read", True),
    ("PUT", "/api/sites/blog/secrets/A", {"value": "1"}, "deploy", True),
    ("DELETE", "/api/sites/blog/secrets/A", None, "deploy", True),
    ("POST", "/api/sites/blog/call", {"path": "/api/hello"}, "deploy", True),
    ("GET", "/api/cron/blog/x/history", None, "read", True),
    ("POST", "/api/cron/blog/x/run", None, "admin", True),
    ("POST", "/api/cron/blog/x/pause", None, "admin", True),
    ("POST", "/api/cron/blog/x/resume", None, "admin", True),
    ("GET", "/api/sites/other/kv", None, "read", False),
    ("GET", "/api/sites/other/kv/a", None, "read", False),
    ("PUT", "/api/sites/other/kv/a", {"value": 1}, "admin", False),
    ("DELETE", "/api/sites/other/kv/a", None, "admin", False),
    ("GET", "/api/sites/other/env", None, "read", False),
    ("PUT", "/api/sites/other/env/A", {"value": "1"}, "deploy", False),
    ("DELETE", "/api/sites/other/env/A", None, "deploy", False),
    ("GET", "/api/sites/other/secrets", None, "read", False),
    ("PUT", "/api/sites/other/secrets/A", {"value": "1"}, "deploy", False),
    ("DELETE", "/api/sites/other/secrets/A", None, "deploy", False),
    ("POST", "/api/sites/other/call", {"path": "/api/hello"}, "deploy", False),
    ("GET", "/api/cron/other/x/history", None, "read", False),
    ("POST", "/api/cron/other/x/run", None, "admin", False),
    ("POST", "/api/cron/other/x/pause", None, "admin", False),
    ("POST", "/api/cron/other/x/resume", None, "admin", False),
    ("GET", "/api/jobs", None, "read", True),
    ("GET", "/api/jobs?site=other", None, "read", False),
    ("POST", "/api/jobs/nothing/retry", None, "admin", True),
    ("POST", "/api/jobs/nothing/cancel", None, "admin", True),
    ("POST", "/api/backups/nothing/sites/blog", {}, "admin", False),
    ("GET", "/api/certificates", None, "read", False),
    ("POST", "/api/certificates", {"chain": "", "key": ""}, "admin", False),
    ("GET", "/api/certificates/1", None, "read", False),
    ("GET", "/api/certificates/orders", None, "read", False),
    ("POST", "/api/certificates/orders", {"name": "example.org"}, "admin", False),
    ("DELETE", "/api/certificates/1", None, "admin", False),
    ("GET", "/api/links", None, "read", False),
    ("POST", "/api/links", {"target": "https://example.org/"}, "admin", False),
    ("PATCH", "/api/links/nothing", {}, "admin", False),
    ("DELETE", "/api/links/nothing", None, "admin", False),
    ("GET", "/api/hooks", None, "read", True),
    ("GET", "/api/hooks?site=other", None, "read", False),
    ("POST", "/api/hooks", {"name": "push", "site": "blog"}, "deploy", True),
    ("GET", "/api/hooks/nothing", None, "read", True),
    ("PATCH", "/api/hooks/nothing", {}, "deploy", True),
    ("DELETE", "/api/hooks/nothing", None, "deploy", True),
    ("GET", "/api/hooks/nothing/deliveries", None, "read", True),
    ("GET", "/api/hooks/nothing/deliveries/x", None, "deploy", True),
    ("POST", "/api/hooks/nothing/deliveries/x/replay", None, "deploy", True),
    ("GET", "/api/notifications", None, "admin", False),
    ("POST", "/api/notifications", {"name": "a", "kind": "ntfy", "url": "https://example.org/"}, "admin", False),
    ("GET", "/api/notifications/nothing", None, "admin", False),
    ("PATCH", "/api/notifications/nothing", {}, "admin", False),
    ("DELETE", "/api/notifications/nothing", None, "admin", False),
    ("POST", "/api/notifications/nothing/test", None, "admin", False),
    ("GET", "/api/notifications/nothing/deliveries", None, "admin", False),
    ("GET", "/api/cron", None, "read", True),
    ("GET", "/api/cron?site=other", None, "read", False),
    ("GET", f"/api/calls/{ANY_CALL}", None, "read", True),
    ("POST", f"/api/calls/{ANY_CALL}/replay", None, "deploy", True),
]
ALL = {"read", "deploy", "admin"}
ACCOUNT_CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/api/account", None),
    ("PUT", "/api/account/password", {"current": "x", "new": "y"}),
    ("POST", "/api/account/totp", None),
    ("PUT", "/api/account/totp", {"code": "1"}),
    ("DELETE", "/api/account/totp", {"password": "x"}),
    ("POST", "/api/account/recovery-codes", {"password": "x"}),
    ("GET", "/api/account/sessions", None),
    ("DELETE", "/api/account/sessions", None),
    ("DELETE", "/api/account/sessions/nothing", None),
    ("POST", "/api/account/passkeys/options", None),
    ("GET", "/api/account/passkeys", None),
    ("POST", "/api/account/passkeys", {"id": "x", "credential": {}}),
    ("DELETE", "/api/account/passkeys/nothing", None),
    ("DELETE", "/api/session", None),
]


@pytest.fixture
def two_sites(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])  # a call asks the DNS
    for site in ("blog", "other"):
        api.deploy(site, {"index.html": b"1"})
        api.ask("POST", "/api/domains", {"name": f"{site}.example", "site": site})
    return api


def test_each_route_names_who_may_call_it_and_is_in_the_matrix(api: Api) -> None:
    app = routes(make_resources(api.parts))
    assert app.routes
    for route in app.routes:
        assert isinstance(route, APIRoute), f"{route} is nobody's"
        named = [who(each.call) for each in route.dependant.dependencies if who(each.call)]
        assert len(named) == 1, f"{route.path} {route.methods} does not say who may call it"
        for method in route.methods:
            assert ((method, route.path) in PUBLIC) is (named[0] == "anybody")
            if named[0] in ACTIONS:
                tested = [
                    action
                    for wanted_method, target, _, action, _ in CALLS
                    if wanted_method == method and route.path_regex.match(target.partition("?")[0])
                ]
                assert named[0] in tested, f"{method} {route.path} is not in the matrix"
            row = re.compile(rf"\| `{method} {re.escape(route.path_format)}[`?].*\| {named[0]} \|")
            assert row.search(DOCUMENT), f"docs/api.md does not say that {method} {route.path_format} takes {named[0]}"


def who(dependency: Any) -> str | None:
    """Return who may call a route with this dependency; None: it says nothing about that."""
    if isinstance(dependency, Requires):
        return dependency.action
    return {anybody: "anybody", signed_in: "signed in"}.get(dependency)


@pytest.mark.parametrize(("method", "target", "body", "action", "scoped"), CALLS)
def test_a_call_takes_its_action(
    two_sites: Api, method: str, target: str, body: Any, action: str, scoped: bool
) -> None:
    api = two_sites
    without = api.token(*sorted(ALL - {action}))
    elsewhere = api.token(*ALL, site="third")
    at_site_without = api.token(*sorted(ALL - {action}), site="blog")
    at_site = api.token(action, site="blog")
    # A body that FastAPI reads is checked first; whoever may not call learns nothing but that.
    for token in (without, at_site_without, *([] if scoped else [at_site])):
        refused = api.ask(method, target, body, token=token)
        assert (refused.status, refused.code) == (403, "forbidden"), (target, refused.body)
    if "site=" in target or "blog" in target or "other" in target:
        assert api.ask(method, target, body, token=elsewhere).status == 403
    for token in (*([at_site] if scoped else []), api.token(action)):
        answer = api.ask(method, target, body, token=token)
        assert answer.status not in (401, 403), (target, answer.body)


@pytest.mark.parametrize("field", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer fazt_wrong", "Bearer " + "x" * 5000])
def test_without_a_good_token_nobody_learns_anything(api: Api, field: str) -> None:
    for method, target, *_ in [*CALLS, *ACCOUNT_CALLS, ("GET", "/api/nothing"), ("BREW", "/api/status")]:
        answer = api.runner.run(_ask_with_field(api, method, target, field))
        assert answer == (401, b"Bearer"), (method, target)


async def _ask_with_field(api: Api, method: str, target: str, field: str) -> tuple[int, bytes | None]:
    scope = make_scope(method, target, [("authorization", field)] if field else [], None)
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("a stranger's body must not be read")

    async def send(message: Any) -> None:
        sent.append(message)

    await api.app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"www-authenticate")


def test_a_token_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = api.token("read", expires_in_s=60)
    assert api.ask("GET", "/api/sites", token=secret).status == 200
    now = tokens.now_ms()
    monkeypatch.setattr("fazt.api.access.now_ms", lambda: now + 61_000)
    assert api.ask("GET", "/api/sites", token=secret).code == "unauthenticated"
    monkeypatch.undo()
    api.ask("DELETE", f"/api/tokens/{secret[:8]}")
    assert api.ask("GET", "/api/sites", token=secret).code == "unauthenticated"


def test_the_last_use_of_a_token_is_noted(api: Api) -> None:
    secret = api.token("read")
    assert api.ask("GET", "/api/tokens").json["items"][0]["last_used_at"] is None
    api.ask("GET", "/api/sites", token=secret)
    assert api.ask("GET", "/api/tokens").json["items"][0]["last_used_at"] is not None


def test_a_full_disk_does_not_lock_anybody_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = api.token("read")

    async def full(*_: Any) -> None:
        raise StorageFull("full")

    monkeypatch.setattr(api.database, "write", full)
    assert api.ask("GET", "/api/sites", token=secret).status == 200
    assert api.ask("POST", "/api/sites", {"name": "x"}).status == 507


def test_the_socket_is_for_the_owner_and_root(api: Api) -> None:
    for peer in (0, os.geteuid()):
        assert api.ask("GET", "/api/tokens", peer=peer).status == 200
    refused = api.ask("GET", "/api/sites", peer=os.geteuid() + 12345)
    assert (refused.status, refused.code) == (403, "forbidden")


def test_a_token_for_one_site_sees_that_site_only(two_sites: Api) -> None:
    token = two_sites.token("read", site="blog")
    assert [item["name"] for item in two_sites.ask("GET", "/api/sites", token=token).json["items"]] == ["blog"]
    assert two_sites.ask("GET", "/api/sites?after=blog", token=token).json["items"] == []
    domains = two_sites.ask("GET", "/api/domains", token=token).json["items"]
    assert [item["name"] for item in domains] == ["blog.example"]
    two_sites.ask("DELETE", "/api/sites/blog")
    assert two_sites.ask("GET", "/api/sites", token=token).json["items"] == []


def test_a_token_for_some_sites_sees_those_only(two_sites: Api) -> None:
    two_sites.ask("POST", "/api/sites", {"name": "third"})
    wanted = {"actions": ["read", "deploy"], "sites": ["blog", "third"]}
    token = two_sites.ask("POST", "/api/tokens", wanted).json["token"]
    shown = [item["name"] for item in two_sites.ask("GET", "/api/sites", token=token).json["items"]]
    assert shown == ["blog", "third"]
    for site, status in (("blog", 200), ("third", 200), ("other", 403)):
        assert two_sites.ask("GET", f"/api/sites/{site}/versions", token=token).status == status
    assert two_sites.ask("PATCH", "/api/sites/third", {"name": "fourth"}).status == 200
    for site, status in (("fourth", 200), ("third", 403)):  # the token goes with the site, not with its old name
        assert two_sites.ask("GET", f"/api/sites/{site}/versions", token=token).status == status
    assert two_sites.ask("GET", "/api/status", token=token).status == 403  # is about the whole server


def test_a_first_deploy_takes_admin_or_a_token_for_that_name(api: Api) -> None:
    files = {"index.html": b"1"}
    refused = api.deploy("new", files, token=api.token("deploy"))
    assert (refused.status, refused.code) == (403, "forbidden")
    assert api.ask("GET", "/api/sites").json["items"] == []
    assert api.deploy("new", files, token=api.token("deploy", site="new")).json["created"] is True
    assert api.deploy("newer", files, token=api.token("deploy", "admin")).json["created"] is True
    assert api.deploy("new", {"index.html": b"2"}, token=api.token("deploy")).status == 201
    refused = api.deploy("third", files, token=api.token("deploy", site="third"), create=False)
    assert refused.code == "site_not_found"


def test_a_token_does_not_open_the_next_site_of_its_name(two_sites: Api) -> None:
    token = two_sites.token("deploy", "read", site="blog")
    two_sites.ask("PATCH", "/api/sites/blog", {"name": "log"})
    two_sites.deploy("blog", {"index.html": b"another"})
    assert two_sites.ask("GET", "/api/sites/blog", token=token).status == 403
    assert two_sites.ask("GET", "/api/sites/log", token=token).status == 200


def test_bodies_have_limits(api: Api) -> None:
    large = b" " * (MAX_BODY_BYTES + 1)
    json = [("content-type", "application/json")]
    assert api.ask("POST", "/api/sites", large, headers=json).status == 413
    assert api.ask("POST", "/api/sites/blog/versions/prune", large, headers=json).status == 413
    assert api.ask("POST", "/api/sites/blog/versions", large, headers=json).status == 400
    for declared in ("67108865", "99999999999999999999", "-1", "many"):
        answer = api.ask("POST", "/api/blobs", b"", headers=[("content-length", declared)])
        assert answer.status == 413, declared
    assert api.ask("POST", "/api/blobs", b"x", headers=[("content-type", "text/plain")]).code == "invalid_input"


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Api]:
    with opened(tmp_path / "data.db") as api:
        yield api


def test_a_websocket_is_refused(strangers: Api) -> None:
    for uid in (None, os.geteuid()):
        scope = make_scope("GET", "/api/status", [], uid) | {"type": "websocket"}
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message["type"])

        strangers.runner.run(strangers.app(scope, receive, send))  # type: ignore[arg-type]
        assert sent == ["websocket.close"]


@pytest.mark.parametrize(("method", "target", "body"), ACCOUNT_CALLS)
def test_only_who_is_signed_in_has_an_account(api: Api, method: str, target: str, body: Any) -> None:
    for answer in (
        api.ask(method, target, body),
        api.ask(method, target, body, token=api.token(*ALL)),
    ):
        assert (answer.status, answer.code) == (403, "forbidden"), target
