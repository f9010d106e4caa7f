"""`/api/settings`: what may be chosen, what counts and why, and the way back."""

from typing import Any

import pytest
from api_calls import Api

from fazt.store import audit
from fazt.store.audit import Filter


def one(api: Api, name: str) -> Any:
    return api.ask("GET", f"/api/settings/{name}").json


def test_a_setting_counts_as_soon_as_it_is_answered(api: Api) -> None:
    seen = []
    api.parts.settings.follow(lambda settings: seen.append(settings.idle_timeout_s))
    made = api.ask("PUT", "/api/settings/idle_timeout_s", {"value": 5})
    assert (made.status, made.json["value"], made.json["restart_needed"]) == (200, 5.0, False)
    assert seen == [5.0]
    assert api.parts.settings.now.idle_timeout_s == 5.0
    assert api.ask("DELETE", "/api/settings/idle_timeout_s").json["value"] == 60.0
    assert seen == [5.0, 60.0]


def test_what_needs_a_restart_says_so_and_changes_nothing_yet(api: Api) -> None:
    made = api.ask("PUT", "/api/settings/domain", {"value": "example.org"}).json
    assert (made["value"], made["restart_needed"], made["source"]) == ("localhost", True, "database")
    assert api.parts.settings.waiting == ("domain",)
    assert api.ask("POST", "/api/settings/rollback", {}).status == 200
    assert not one(api, "domain")["restart_needed"]


def test_why_a_value_counts(api: Api) -> None:
    api.ask("PUT", "/api/settings/max_connections", {"value": 9})
    said = one(api, "max_connections")["because"]
    assert [(each["source"], each["value"]) for each in said] == [
        ("flag", None),
        ("environment", None),
        ("database", 9),
        ("default", 20_000),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_connections", 0),
        ("max_connections", "many"),
        ("max_connections", 1.5),
        ("max_connections", True),
        ("idle_timeout_s", "nan"),
        ("idle_timeout_s", "inf"),
        ("domain", "a b"),
        ("domain", "http://example.org"),
        ("http", "nowhere"),
        ("www", "somewhere"),
        ("public_scheme", "ftp"),
        ("function_memory_bytes", 1),
        ("nothing", 1),
    ],
)
def test_what_cannot_be_is_refused_whole(api: Api, name: str, value: object) -> None:
    assert api.ask("PUT", f"/api/settings/{name}", {"value": value}).status == 400
    both = api.ask("PATCH", "/api/settings", {"values": {"max_site_files": 5, name: value}})
    assert both.status == 400
    assert api.ask("GET", "/api/settings/history").json["items"] == []


def test_the_whole_at_once_and_the_way_back(api: Api) -> None:
    api.ask("PATCH", "/api/settings", {"values": {"max_connections": 8, "max_site_files": 5}})
    api.ask("PATCH", "/api/settings", {"values": {"max_connections": 9}, "replace": True})
    assert one(api, "max_site_files")["source"] == "default"
    newest, first = api.ask("GET", "/api/settings/history").json["items"]
    assert {each["name"]: each["after"] for each in newest["changed"]} == {"max_connections": 9, "max_site_files": None}
    assert newest["actor"] == "socket"
    api.ask("POST", "/api/settings/rollback", {"number": first["number"]})
    assert (one(api, "max_connections")["value"], one(api, "max_site_files")["value"]) == (8, 5)
    assert api.ask("POST", "/api/settings/rollback", {"number": 99}).status == 404


def test_a_change_is_in_the_audit_log(api: Api) -> None:
    api.ask("PUT", "/api/settings/max_connections", {"value": 8})
    row = api.database.read_blocking(audit.list_page, Filter(), None, 10)[0]
    assert (row.actor, row.action, row.subject) == ("socket", "setting.change", "max_connections")
    assert (row.before, row.after) == (b"{}", b'{"max_connections":8}')


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_only_who_administers_the_server_sees_settings(api: Api, method: str) -> None:
    body = {"values": {}} if method == "PATCH" else None
    for token in (api.token("read", "deploy"), api.token("admin", site="blog")):
        assert api.ask(method, "/api/settings", body, token=token).status == 403
    assert api.ask(method, "/api/settings", body, token=api.token("admin")).status == 200
