"""Every call in a read-only time: those that change something are refused with one sentence, and nothing is written."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_calls import Api, opened
from test_api_access import CALLS

CHANGED = [(method, target, body) for method, target, body, *_ in CALLS if method != "GET"]
# What changes nothing that is kept in the database, and what ends such a time.
GO_ON = ("/api/settings", "/api/cache", "/api/backups", "/api/restart", "/api/route")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(Path(tmp_path_factory.mktemp("read-only")) / "data.db") as api:
        for site in ("blog", "other"):
            api.ask("POST", "/api/sites", {"name": site})
        api.database.stop_writing(True)
        yield api


def files_of(api: Api) -> list[bytes]:
    path = api.database.path
    return [each.read_bytes() for each in (path, path.with_name(f"{path.name}-wal")) if each.exists()]


@pytest.mark.parametrize(("method", "target", "body"), CHANGED)
def test_a_call_changes_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, target: str, body: object
) -> None:
    if target.startswith(GO_ON):
        pytest.skip("it goes on in a read-only time")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])  # a call asks the DNS
    before = files_of(api)
    done = api.ask(method, target, body)
    assert files_of(api) == before
    assert done.status < 500 or done.status == 503, done.body
    if done.status == 503:
        error = done.json["error"]
        assert (error["code"], "read-only at the moment" in error["message"]) == ("read_only", True)


def test_most_are_refused_for_that_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    calls = [each for each in CHANGED if not each[1].startswith(GO_ON)]
    refused = [api.ask(*each).status == 503 for each in calls]
    assert sum(refused) > len(refused) // 2


def test_what_is_read_is_read(api: Api) -> None:
    assert api.ask("GET", "/api/status").json["read_only"]
    assert [site["name"] for site in api.ask("GET", "/api/sites").json["items"]] == ["blog", "other"]


def test_settings_can_be_changed_and_a_backup_made(api: Api) -> None:
    assert api.ask("PUT", "/api/settings/max_connections", {"value": 7}).json["value"] == 7
    assert api.ask("POST", "/api/backups", {}).status == 201
