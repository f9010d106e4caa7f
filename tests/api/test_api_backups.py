"""Backups through the API: who may what, what stands in the audit log, and what is never told."""

from contextlib import closing
from dataclasses import replace

import apsw
import pytest
from api_calls import Api

from fazt.backups import file, restoring
from fazt.store import audit, environment, kv, sites, versions
from fazt.store.audit import Filter
from fazt.store.database import Database
from fazt.store.staged import staged_path

PASSPHRASE = "a long night of rain"


def test_a_backup_is_made_shown_sent_and_removed(api: Api) -> None:
    api.deploy("blog", {"index.html": b"1"})
    made = api.ask("POST", "/api/backups", {"label": "first"})
    assert made.status == 201
    one = f"/api/backups/{made.json['id']}"
    assert (made.json["label"], made.json["sites"], made.json["proof"]) == ("first", 1, None)
    assert api.ask("GET", "/api/backups").json == {"items": [made.json], "next": None}
    assert api.ask("GET", "/api/backups/latest").json == made.json
    sent = api.ask("GET", f"{one}/content")
    assert sent.headers["content-disposition"] == f'attachment; filename="{made.json["id"]}.fazt"'
    assert len(sent.body) == made.json["bytes"]
    assert sent.body[: len(b'{"format":"fazt backup')] == b'{"format":"fazt backup'
    assert api.ask("DELETE", one).status == 204
    assert api.ask("GET", one).code == "not_found"
    acts = [row["action"] for row in api.ask("GET", "/api/audit?action=backup").json["items"]]
    assert acts == ["backup.remove", "backup.download", "backup.create"]


def test_a_backup_is_proven(api: Api) -> None:
    made = api.ask("POST", "/api/backups", {"passphrase": PASSPHRASE}).json
    verify = f"/api/backups/{made['id']}/verify"
    for wrong in ({"boot": False}, {"boot": False, "passphrase": "a long night of snow"}):
        refused = api.ask("POST", verify, wrong)
        assert (refused.status, refused.code) == (400, "backup_refused")
    proven = api.ask("POST", verify, {"boot": False, "passphrase": PASSPHRASE}).json
    assert (proven["proof"]["failed"], proven["proof"]["booted"]) == (None, False)
    path = api.parts.shelf.find(made["id"]).path
    path.write_bytes(path.read_bytes()[:-10] + bytes(10))
    broken = api.ask("POST", verify, {"boot": False, "passphrase": PASSPHRASE}).json
    assert "damaged" in broken["proof"]["failed"]


def test_a_passphrase_is_written_down_nowhere(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.ask("POST", "/api/backups", {"passphrase": PASSPHRASE})
    assert api.ask("POST", "/api/backups", {"passphrase": "short"}).code == "invalid_input"
    everything = api.ask("GET", "/api/audit").body + api.ask("GET", "/api/backups").body + caplog.text.encode()
    assert PASSPHRASE.encode() not in everything
    assert PASSPHRASE.encode() not in api.parts.shelf.find("latest").path.read_bytes()
    refused = api.ask("POST", "/api/backups", {"passphrase": PASSPHRASE, "more": 1})
    assert PASSPHRASE not in refused.body.decode()


def test_a_restore_is_staged_and_the_server_starts_anew(api: Api) -> None:
    made = api.ask("POST", "/api/backups", {}).json
    restored = api.ask("POST", f"/api/backups/{made['id']}/restore", {})
    assert (restored.status, restored.json) == (202, {"backup": made["id"], "restarting": True})
    assert api.restarts == 1
    assert restoring.is_staged(api.database.path)
    with closing(Database.open(staged_path(api.database.path))) as copy:
        found = copy.read_blocking(audit.list_page, Filter(action="backup.restore"), None, 10)
    assert [(row.actor, row.subject) for row in found] == [("socket", made["id"])]


def test_what_cannot_be_restored_changes_nothing(api: Api) -> None:
    made = api.ask("POST", "/api/backups", {}).json
    backup = api.parts.shelf.find(made["id"])
    data = backup.path.read_bytes()
    backup.path.write_bytes(file._to_line(replace(backup.header, schema=999)) + data[file.HEADER_BYTES :])
    refused = api.ask("POST", f"/api/backups/{made['id']}/restore", {})
    assert (refused.status, refused.code) == (400, "backup_refused")
    assert api.restarts == 0
    assert not restoring.is_staged(api.database.path)


def test_only_an_owner_takes_or_restores_one(api: Api) -> None:
    made = api.ask("POST", "/api/backups", {}).json
    for user, role, status in (("ann", "owner", 200), ("bob", "admin", 403)):
        browser = api.browser(user, role=role)
        assert browser.ask("GET", "/api/backups").status == 200
        assert browser.ask("GET", f"/api/backups/{made['id']}/content").status == status
    assert api.browser("bob", role="admin").ask("POST", f"/api/backups/{made['id']}/restore", {}).status == 403
    assert api.restarts == 0


def test_backups_are_thinned_out(api: Api) -> None:
    ids = [api.ask("POST", "/api/backups", {}).json["id"] for _ in range(3)]
    would = api.ask("POST", "/api/backups/prune", {"last": 1, "dry_run": True}).json
    assert set(would["removed"]) == set(ids[:2])
    assert would["freed_bytes"] > 0
    assert api.ask("POST", "/api/backups/prune", {"last": 1}).json == would
    assert [item["id"] for item in api.ask("GET", "/api/backups").json["items"]] == ids[2:]
    assert api.ask("POST", "/api/backups/prune", {"last": 0}).code == "invalid_input"


def test_the_server_starts_anew_when_it_is_asked_to(api: Api) -> None:
    assert api.ask("POST", "/api/restart").json == {"restarting": True}
    assert api.restarts == 1


def fill(api: Api, text: str, count: int) -> None:
    """Let the blog have a page, a large file, keys, a variable and a secret; another site has its own."""
    large = bytes(range(256)) * 3000 + text.encode()
    api.deploy("blog", {"index.html": text.encode(), "large.bin": large})
    api.ask("PUT", "/api/sites/blog/env/GREETING", {"value": text})
    api.ask("PUT", "/api/sites/blog/secrets/PASSWORD", {"value": f"{text} secret"})
    for number in range(count):
        api.ask("PUT", f"/api/sites/blog/kv/key-{number}", {"value": text})
    api.deploy("other", {"index.html": text.encode()})
    api.ask("PUT", "/api/sites/other/kv/mine", {"value": text})


def state(api: Api, site: str) -> object:
    def look(connection: apsw.Connection) -> object:
        found = sites.get(connection, site)
        assert found.live_version is not None
        files = {file.path: file.hash for file in versions.files(connection, found.live_version, None, -1)}
        kept = [(key, value, kind) for key, value, kind, _ in kv.export(connection, found.id)]
        variables = [(each.name, each.secret, each.value) for each in environment.load(connection, found.id)]
        return files, kept, variables

    return api.database.read_blocking(look)


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_one_site_comes_back_while_the_others_stay(api: Api, passphrase: str | None) -> None:
    fill(api, "then", 30)
    before = state(api, "blog")
    made = api.ask("POST", "/api/backups", {"passphrase": passphrase}).json
    fill(api, "now", 3)
    api.ask("DELETE", "/api/sites/blog/kv/key-7")
    api.ask("PUT", "/api/sites/blog/env/LATER", {"value": "x"})
    now, other = state(api, "blog"), state(api, "other")
    path = f"/api/backups/{made['id']}/sites/blog"
    files = api.ask("POST", path, {"passphrase": passphrase, "data": False})
    assert (files.status, files.json["keys"], files.json["files"]) == (200, None, 2)
    assert state(api, "blog") == (before[0], now[1], now[2])  # type: ignore[index]
    whole = api.ask("POST", path, {"passphrase": passphrase})
    assert (whole.json["keys"], whole.json["unchanged"]) == (30, True)
    assert state(api, "blog") == before
    assert state(api, "other") == other
    assert api.ask("PUT", "/api/sites/blog/live", {}).status == 200
    assert state(api, "blog") == (now[0], before[1], before[2])  # type: ignore[index]
    acts = [row["action"] for row in api.ask("GET", "/api/audit").json["items"]]
    assert acts[:3] == ["site.rollback", "site.restore_data", "site.deploy"]
    assert not [each for each in api.parts.shelf.folder.iterdir() if each.name.startswith(".work")]


def test_a_site_that_was_removed_comes_back(api: Api) -> None:
    fill(api, "then", 3)
    before = state(api, "blog")
    made = api.ask("POST", "/api/backups", {}).json
    api.ask("DELETE", "/api/sites/blog")
    api.runner.run(api.collector.collect())
    done = api.ask("POST", f"/api/backups/{made['id']}/sites/blog", {})
    assert (done.status, done.json["created"]) == (200, True)
    assert state(api, "blog") == before


def test_what_a_backup_does_not_have_cannot_come_back(api: Api) -> None:
    api.ask("POST", "/api/sites", {"name": "empty"})
    made = api.ask("POST", "/api/backups", {"passphrase": PASSPHRASE}).json
    for site, body, code in [
        ("nobody", {"passphrase": PASSPHRASE}, "not_found"),
        ("empty", {"passphrase": PASSPHRASE}, "not_found"),
        ("empty", {}, "backup_refused"),
        ("empty", {"passphrase": "a long night of snow"}, "backup_refused"),
    ]:
        assert api.ask("POST", f"/api/backups/{made['id']}/sites/{site}", body).code == code
    assert api.ask("POST", "/api/backups/nothing/sites/empty", {}).code == "not_found"
