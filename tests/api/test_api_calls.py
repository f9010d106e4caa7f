"""Each call of docs/api.md: what it takes, what it answers, and what it refuses."""

import io
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from api_calls import Api, opened, wanted

from fazt.api.status import percentile_ms
from fazt.settings import Settings

PAGE = {"index.html": b"<h1>one</h1>"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_site_is_made_listed_renamed_locked_and_removed(api: Api) -> None:
    made = api.ask("POST", "/api/sites", {"name": "Blog"})
    assert made.status == 201
    assert TIME.fullmatch(made.json["created_at"])
    assert made.json | {"created_at": "", "revision": ""} == {
        "name": "blog",
        "url": "http://blog.localhost:4698/",
        "live_version": None,
        "locked": False,
        "created_at": "",
        "revision": "",
        "files": 0,
        "bytes": 0,
        "versions": 0,
        "domains": [],
    }
    assert api.ask("GET", "/api/sites/blog").json == made.json
    assert api.ask("POST", "/api/sites", {"name": "blog"}).code == "site_exists"
    assert api.ask("POST", "/api/sites", {"name": "dashboard"}).code == "invalid_name"
    assert api.ask("PATCH", "/api/sites/blog", {"name": "admin"}).code == "invalid_name"
    assert api.ask("PATCH", "/api/sites/blog", {}).code == "invalid_input"
    changed = api.ask("PATCH", "/api/sites/blog", {"name": "log", "locked": True}).json
    assert (changed["name"], changed["locked"]) == ("log", True)
    assert api.ask("GET", "/api/sites/blog").code == "site_not_found"
    assert api.ask("DELETE", "/api/sites/log").code == "site_locked"
    assert api.deploy("log", PAGE).code == "site_locked"
    assert api.ask("POST", "/api/sites/log/versions/prune", {"keep": 1}).code == "site_locked"
    assert api.ask("PATCH", "/api/sites/log", {"name": "blog", "locked": False}).json["name"] == "blog"
    removed = api.ask("DELETE", "/api/sites/blog")
    assert (removed.status, removed.body) == (204, b"")
    assert api.ask("GET", "/api/sites").json == {"items": [], "next": None}


def test_lists_go_page_by_page(api: Api) -> None:
    names = [f"site-{number:02}" for number in range(7)]
    for name in names:
        api.ask("POST", "/api/sites", {"name": name})
    found: list[str] = []
    after = ""
    while True:
        page = api.ask("GET", f"/api/sites?limit=3{after}").json
        found += [item["name"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == names
    assert api.ask("GET", "/api/sites?limit=7").json["next"] is None
    for bad in ("0", "1001", "many", "-1"):
        assert api.ask("GET", f"/api/sites?limit={bad}").code == "invalid_input"


def test_a_deploy_sends_only_what_is_missing(api: Api) -> None:
    files = {"index.html": b"<h1>one</h1>", "big.bin": bytes(600_000), "empty.txt": b""}
    body = {"files": [wanted(path, data) for path, data in files.items()], "message": "first", "source": "test"}
    lacking = api.ask("POST", "/api/sites/blog/versions", body)
    assert lacking.status == 409
    assert {(item["size"], item["chunks"]) for item in lacking.json["error"]["missing"]} == {
        (12, None),
        (600_000, None),
        (0, None),
    }
    assert api.ask("GET", "/api/sites").json["items"] == []
    made = api.deploy("blog", files, message="first", source="test")
    assert made.status == 201
    version = made.json["version"]
    assert made.json == {
        "site": "blog",
        "version": version,
        "url": "http://blog.localhost:4698/",
        "preview_url": f"http://{version[:8]}--blog.localhost:4698/",
        "live": True,
        "files": 3,
        "bytes": 600_012,
        "unchanged": False,
        "created": True,
        "diff": {"added": 3, "changed": 0, "removed": 0},
        "warnings": [],
    }
    assert api.woken == 1
    again = api.deploy("blog", files)
    assert (again.status, again.json["unchanged"], again.json["version"]) == (200, True, version)
    shown = api.ask("GET", "/api/sites/blog").json
    assert (shown["live_version"], shown["files"], shown["bytes"], shown["versions"]) == (version, 3, 600_012, 1)


def test_a_dry_run_lists_paths_and_makes_nothing(api: Api) -> None:
    api.deploy("blog", {"a.txt": b"a", "b.txt": b"b"})
    body: dict[str, Any] = {"files": [wanted("a.txt", b"A"), wanted("c.txt", b"c")], "dry_run": True}
    plan = api.ask("POST", "/api/sites/blog/versions", body)
    assert plan.status == 200
    assert plan.json["version"] is None
    assert plan.json["diff"] == {"added": ["c.txt"], "changed": ["a.txt"], "removed": ["b.txt"]}
    assert (plan.json["files"], plan.json["bytes"], plan.json["created"]) == (2, 2, False)
    assert api.ask("POST", "/api/sites/new/versions", body).json["created"] is True
    assert [item["name"] for item in api.ask("GET", "/api/sites").json["items"]] == ["blog"]


def test_a_deploy_that_cannot_be_is_refused_before_anything_is_sent(api: Api) -> None:
    files = [wanted("index.html", b"x")]
    no_site = api.ask("POST", "/api/sites/blog/versions", {"files": files, "create": False})
    assert no_site.code == "site_not_found"
    api.ask("POST", "/api/sites", {"name": "shut"})
    api.ask("PATCH", "/api/sites/shut", {"locked": True})
    assert api.ask("POST", "/api/sites/shut/versions", {"files": files}).code == "site_locked"
    twice = {"files": files * 2}
    assert api.ask("POST", "/api/sites/blog/versions", twice).code == "invalid_path"
    assert api.ask("POST", "/api/sites/www/versions", {"files": files}).code == "invalid_name"
    rules = {"fazt.json": b"{", "index.html": b"x"}
    assert api.deploy("blog", rules).code == "invalid_rules"
    assert api.ask("GET", "/api/sites").json["items"][0]["name"] == "shut"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b'{"files": 1}', "files"),
        (b'{"files": [{"path": "a", "hash": "00", "size": 0}]}', "files.0.hash"),
        (b'{"files": [{"path": "a", "hash": "' + b"0" * 64 + b'", "size": -1}]}', "files.0.size"),
        (b'{"files": [], "sourse": "x"}', "sourse"),
        (b'{"files": [], "source": "built-in"}', "source"),
        (b'{"files": [{"path": "\\ud800", "hash": "' + b"0" * 64 + b'", "size": 1}]}', "body"),
        (b'{"files": [], "message": "' + b"m" * 2001 + b'"}', "message"),
        (b"[" * 100_000, "body"),
        (b"\xff\xfe", "body"),
    ],
)
def test_a_body_that_is_wrong_is_told_where(api: Api, body: bytes, where: str) -> None:
    answer = api.ask("POST", "/api/sites/blog/versions", body, headers=[("content-type", "application/json")])
    assert answer.status == 400
    assert where in answer.json["error"]["message"].lower()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"nonsense", b'{"name": "\\ud800"}', b'{"\\ud800": 1}', b"1" * 5000, b"\xff"]
)
def test_a_small_body_that_is_wrong_is_a_400(api: Api, body: bytes) -> None:
    answer = api.ask("POST", "/api/sites", body, headers=[("content-type", "application/json")])
    assert (answer.status, answer.code) in ((400, "invalid_input"), (400, "invalid_name"))


def test_versions_are_listed_shown_compared_and_gone_back_to(api: Api) -> None:
    ids = []
    for number in range(3):
        made = api.deploy("blog", {"index.html": b"%d" % number, f"{number}.txt": b"x"}, message=f"m{number}")
        ids.append(made.json["version"])
    listed = api.ask("GET", "/api/sites/blog/versions?limit=2").json
    assert [item["id"] for item in listed["items"]] == [ids[2], ids[1]]
    rest = api.ask("GET", f"/api/sites/blog/versions?after={listed['next']}").json
    assert ([item["id"] for item in rest["items"]], rest["next"]) == ([ids[0]], None)
    for cursor in ("x", "-1", "9" * 19, "9" * 40, "1.5"):
        assert api.ask("GET", f"/api/sites/blog/versions?after={cursor}").code == "invalid_input"
    newest = api.ask("GET", "/api/sites/blog/versions/live").json
    assert newest | {"created_at": ""} == {
        "id": ids[2],
        "site": "blog",
        "url": f"http://{ids[2][:8]}--blog.localhost:4698/",
        "live": True,
        "parent": ids[1],
        "message": "m2",
        "source": "api",
        "created_at": "",
        "files": 2,
        "bytes": 2,
    }
    assert api.ask("GET", f"/api/sites/blog/versions/{ids[0][:4]}").json["live"] is False
    assert api.ask("GET", "/api/sites/blog/versions/abc").code == "invalid_input"
    assert api.ask("GET", "/api/sites/blog/versions/zzzzzzzz").code == "version_not_found"
    assert api.ask("GET", f"/api/sites/blog/versions/{ids[0]}/diff").json == {
        "added": ["2.txt"],
        "changed": ["index.html"],
        "removed": ["0.txt"],
    }
    back = api.ask("GET", f"/api/sites/blog/versions/live/diff?to={ids[1][:8]}").json
    assert (back["added"], back["removed"]) == (["1.txt"], ["2.txt"])
    assert api.ask("PUT", "/api/sites/blog/live").json["id"] == ids[1]
    assert api.ask("PUT", "/api/sites/blog/live", {}).json["id"] == ids[2]
    gone_back = api.ask("PUT", "/api/sites/blog/live", {"version": ids[0][:8]}).json
    assert (gone_back["id"], gone_back["live"]) == (ids[0], True)
    assert api.ask("PUT", "/api/sites/blog/live", {"version": "ffff"}).status in (400, 404)
    assert api.ask("PUT", "/api/sites/none/live").code == "site_not_found"


def test_files_are_listed_and_exported_byte_for_byte(api: Api) -> None:
    code = b"export const GET = () => new Response();"
    files = {"a.txt": b"a", "api/x.js": code, "deep/er/b.bin": bytes(range(256)) * 2000}
    api.deploy("blog", files)
    page = api.ask("GET", "/api/sites/blog/versions/live/files?limit=2").json
    assert [(item["path"], item["size"], item["public"]) for item in page["items"]] == [
        ("a.txt", 1, True),
        ("api/x.js", len(code), False),
    ]
    rest = api.ask("GET", f"/api/sites/blog/versions/live/files?after={page['next']}").json
    assert rest["items"] == [wanted("deep/er/b.bin", files["deep/er/b.bin"]) | {"public": True}]
    export = api.ask("GET", "/api/sites/blog/versions/live/export")
    assert export.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(export.body)) as archive:
        unpacked = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert unpacked == files
    assert api.ask("GET", "/api/sites/blog/versions/ffffffff/export").code == "version_not_found"


def test_a_prune_frees_what_it_removes_unless_somebody_is_sending(api: Api) -> None:
    for number in range(4):
        api.deploy("blog", {"file.bin": bytes([number]) * 1000})
    pruned = api.ask("POST", "/api/sites/blog/versions/prune", {"keep": 1}).json
    assert len(pruned["removed"]) == 2
    assert pruned["freed_bytes"] == 2000
    assert api.ask("GET", "/api/sites/blog").json["versions"] == 2
    api.deploy("blog", {"file.bin": b"x" * 1000})
    half = {"files": [wanted("other.bin", b"y" * 1000)]}
    assert api.ask("POST", "/api/sites/other/versions", half).code == "blobs_missing"
    pruned = api.ask("POST", "/api/sites/blog/versions/prune", {"keep": 0}).json
    assert len(pruned["removed"]) == 1
    assert pruned["freed_bytes"] == 0
    assert api.ask("POST", "/api/sites/blog/versions/prune", {"keep": -1}).code == "invalid_input"


def test_domains_belong_to_one_site(api: Api) -> None:
    api.deploy("blog", PAGE)
    made = api.ask("POST", "/api/domains", {"name": "Blog.Example.ORG.", "site": "blog"})
    assert (made.status, made.json["name"], made.json["site"]) == (201, "blog.example.org", "blog")
    assert api.ask("POST", "/api/domains", {"name": "blog.example.org", "site": "blog"}).code == "conflict"
    assert api.ask("POST", "/api/domains", {"name": "x.example.org", "site": "none"}).code == "site_not_found"
    for name in ("localhost", "x.localhost", "127.0.0.1", "*.example.org", "a b.org", "dashboard.localhost"):
        assert api.ask("POST", "/api/domains", {"name": name, "site": "blog"}).code == "invalid_name", name
    assert api.ask("GET", "/api/sites/blog").json["domains"] == ["blog.example.org"]
    assert [item["name"] for item in api.ask("GET", "/api/domains?site=blog").json["items"]] == ["blog.example.org"]
    assert api.ask("GET", "/api/domains?site=none").code == "site_not_found"
    assert api.ask("DELETE", "/api/domains/blog.example.org").status == 204
    assert api.ask("DELETE", "/api/domains/blog.example.org").code == "not_found"


def test_a_token_is_shown_once_and_revoked(api: Api) -> None:
    body = {"label": "ci", "sites": ["shop", "Blog", "shop"], "actions": ["deploy", "read", "read"], "expires_in_s": 60}
    made = api.ask("POST", "/api/tokens", body)
    assert made.status == 201
    secret = made.json["token"]
    assert re.fullmatch(r"fazt_[A-Za-z0-9_-]{43}", secret)
    listed = api.ask("GET", "/api/tokens").json["items"]
    assert listed == [{key: value for key, value in made.json.items() if key != "token"}]
    assert (listed[0]["id"], listed[0]["actions"]) == (secret[:8], ["read", "deploy"])
    assert listed[0]["sites"] == ["blog", "shop"]
    assert secret.encode() not in api.ask("GET", "/api/tokens").body
    assert api.ask("DELETE", f"/api/tokens/{secret[:8]}").status == 204
    assert api.ask("DELETE", f"/api/tokens/{secret[:8]}").code == "not_found"
    for wrong in (
        {"actions": []},
        {"actions": ["all"]},
        {"actions": ["read"], "expires_in_s": 0},
        {},
        {"actions": ["read"], "sites": []},
    ):
        assert api.ask("POST", "/api/tokens", wrong).code == "invalid_input"


def test_status_cache_and_route(api: Api) -> None:
    api.deploy("blog", PAGE)
    api.pages.site("blog").count(200, 100, 1_000_000, True)
    api.pages.site("blog").count(404, 5, 2_000_000, False)
    status = api.ask("GET", "/api/status").json
    assert status["database"] | {"path": "", "bytes": 0} == {
        "path": "",
        "bytes": 0,
        "sites": 1,
        "versions": 1,
        "blobs": 1,
        "blob_bytes": 12,
    }
    assert status["database"]["bytes"] > 0
    assert (status["started_at"], status["connections"]) == ("1970-01-01T00:00:01.000Z", 3)
    assert (status["domain"], status["url"]) == ("localhost", "http://localhost:4698/")
    assert status["memory_bytes"] > 1 << 20
    (busiest,) = status["sites"]
    assert busiest["statuses"] == {"1xx": 0, "2xx": 1, "3xx": 0, "4xx": 1, "5xx": 0}
    assert (busiest["requests"], busiest["bytes"], busiest["hits"]) == (2, 105, 1)
    assert 1 <= busiest["p50_ms"] < 1.3 < 2 <= busiest["p95_ms"] == busiest["p99_ms"] < 2.6
    cache = api.ask("GET", "/api/cache").json
    assert cache == {"pages": status["cache"], "spill": status["spill"]}
    assert api.ask("DELETE", "/api/cache").status == 204
    route = api.ask("GET", "/api/route?url=http://blog.localhost/").json
    assert route["answer"]["status"] == 200
    assert route["answer"]["file"] == "index.html"
    assert ["Content-Type", "text/html; charset=utf-8"] in route["answer"]["headers"]
    assert all(step.keys() == {"step", "result"} for step in route["steps"])
    assert api.ask("GET", "/api/route?url=http://b%20log/").code == "invalid_input"
    assert api.ask("GET", "/api/route").code == "invalid_input"


def test_the_rules_of_a_version_as_they_were_understood(api: Api) -> None:
    manifest = b'{"redirects": [{"from": "/c", "to": "/d"}], "headers": {"/x": {"X-B": "2"}}}'
    files = {"_redirects": b"# old\n/a id=:id /b/:id 301!\n", "_headers": b"/*\n  X-A: 1\n  ! Cache-Control\n"}
    made = api.deploy("blog", {**PAGE, **files, "fazt.json": manifest})
    assert made.status == 201, made.json
    rules = api.ask("GET", "/api/sites/blog/versions/live/rules").json
    first, second = rules["redirects"]
    assert first == {
        "from": "/a",
        "to": "/b/:id",
        "status": 301,
        "force": True,
        "query": [["id", ":id"]],
        "where": "_redirects:2",
    }
    assert (second["from"], second["to"], second["where"].split(":")[0]) == ("/c", "/d", "fazt.json")
    assert rules["headers"][0] == {
        "path": "/*",
        "set": [["X-A", "1"]],
        "unset": ["cache-control"],
        "where": "_headers:1",
    }
    assert api.ask("GET", "/api/sites/blog/versions/nothing/rules").status == 404


def test_percentiles_of_nothing_are_nothing() -> None:
    assert percentile_ms(b"", 0.99) == 0
    assert percentile_ms(bytes(4 * 40), 0.5) == 0


def test_what_the_api_does_not_have(api: Api) -> None:
    absent = api.ask("GET", "/api/nothing")
    assert (absent.status, absent.code) == (404, "not_found")
    wrong = api.ask("DELETE", "/api/status")
    assert (wrong.status, wrong.code, wrong.headers["allow"]) == (405, "method_not_allowed", "GET")
    for path in ("/api/docs", "/api/redoc", "/docs", "/openapi.json", "/api/sites/", "/"):
        assert api.ask("GET", path).status == 404
    described = api.ask("GET", "/api/openapi.json").json
    assert "/api/sites/{site}/versions" in described["paths"]
    assert described["paths"]["/api/sites/{site}/versions"]["post"]["requestBody"]["required"]


def test_every_answer_is_kept_by_nobody(api: Api) -> None:
    for answer in (api.ask("GET", "/api/status"), api.ask("GET", "/api/x"), api.ask("GET", "/api/status", token="no")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_failure_that_nobody_expected_is_a_500_in_json(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("unexpected")

    monkeypatch.setattr(api.database, "file_bytes", fail)
    answer = api.ask("GET", "/api/status")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "unexpected" not in answer.body.decode()
    assert "ZeroDivisionError: unexpected" in caplog.text


def test_urls_behind_a_proxy(tmp_path: Path) -> None:
    settings = Settings(domain="Example.org", public_scheme="https", http="0.0.0.0:8080")
    with opened(tmp_path / "data.db", settings) as api:
        assert api.deploy("root", PAGE).json["url"] == "https://example.org/"
        assert api.ask("GET", "/api/sites/root").json["url"] == "https://example.org/"
