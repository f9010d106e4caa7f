"""`/api/settings`: what may be chosen, what counts and why, and the way back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api_calls import Api

from fazt import settings as settings_module
from fazt.api import settings as api_settings
from fazt.settings import Settings
from fazt.store import audit, key_file, sealing
from fazt.store import settings as store
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


@dataclass(frozen=True, slots=True)
class MoreSettings(Settings):
    """The settings and a secret one, as a relay of mail has."""

    relay_token: str = settings_module._setting("", "What the relay knows this server by.", live=True, secret=True)


@pytest.fixture
def with_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (settings_module, api_settings):
        monkeypatch.setattr(module, "Settings", MoreSettings)


def test_a_secret_setting_is_shown_nowhere(with_secret: None, api: Api, tmp_path: Path) -> None:
    assert (one(api, "relay_token")["value"], one(api, "relay_token")["secret"]) == ("", True)
    made = api.ask("PUT", "/api/settings/relay_token", {"value": "planted-1"})
    assert (made.status, made.json["value"], made.json["source"]) == (200, "[secret]", "database")
    assert getattr(api.parts.settings.now, "relay_token") == "planted-1"  # noqa: B009
    assert "planted" not in repr(api.parts.settings.now)
    api.ask("PATCH", "/api/settings", {"values": {"relay_token": "planted-2", "max_connections": 7}})
    assert getattr(api.parts.settings.now, "relay_token") == "planted-2"  # noqa: B009
    api.ask("PATCH", "/api/settings", {"values": {"max_connections": 8}, "replace": True})  # as an export has it
    assert getattr(api.parts.settings.now, "relay_token") == "planted-2"  # noqa: B009
    assert api.ask("POST", "/api/settings/rollback", {"number": 1}).status == 200
    assert getattr(api.parts.settings.now, "relay_token") == "planted-1"  # noqa: B009
    refused = api.ask("PUT", "/api/settings/relay_token", {"value": "[secret]"})
    assert (refused.status, "send the value itself" in refused.json["error"]["message"]) == (400, True)
    for path in ("/api/settings", "/api/settings/relay_token", "/api/settings/history", "/api/audit"):
        found = api.ask("GET", path)
        assert (found.status, "relay_token" in found.body.decode() or path == "/api/audit") == (200, True)
        assert "planted" not in found.body.decode()
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"planted" not in file.read_bytes()
    assert api.ask("POST", "/api/settings/rollback", {"number": 0}).status == 200
    assert getattr(api.parts.settings.now, "relay_token") == ""  # noqa: B009


def test_a_secret_setting_whose_key_is_lost_counts_as_not_set_and_is_kept(with_secret: None, api: Api) -> None:
    api.ask("PUT", "/api/settings/relay_token", {"value": "planted-1"})
    database = api.parts.database
    key = key_file.beside(database.path)
    kept = key.read_bytes()
    key.unlink()
    sealing.forget_keys()
    assert database.read_blocking(store.find_all) == {}
    api.ask("PUT", "/api/settings/max_connections", {"value": 7})
    assert getattr(api.parts.settings.now, "relay_token") == ""  # noqa: B009
    assert api.ask("PUT", "/api/settings/relay_token", {"value": "planted-2"}).status == 503
    key.write_bytes(kept)
    assert database.read_blocking(store.find_all) == {"max_connections": 7, "relay_token": "planted-1"}


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
