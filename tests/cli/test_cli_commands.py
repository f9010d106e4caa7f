"""Each thin command: what it asks the API, and what it says of the answer."""

import contextlib
import io
import socket
import sys
import tarfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fazt.cli import client
from fazt.cli.logs import Duration
from fazt.errors import ListenError

V1, V2 = "3fa2b1c0" * 4, "77aa0011" * 4
SITE = {
    "name": "blog",
    "url": "http://blog.localhost:4698/",
    "live_version": V1,
    "locked": False,
    "created_at": "2026-01-01T00:00:00.000Z",
    "files": 9,
    "bytes": 14_230,
    "versions": 3,
    "domains": ["blog.example.org"],
}
VERSION = {
    "id": V1,
    "site": "blog",
    "url": f"http://{V1[:8]}--blog.localhost:4698/",
    "live": True,
    "parent": None,
    "message": "first\x1b[2J",
    "source": "cli",
    "created_at": "2026-01-01T00:00:00.000Z",
    "files": 9,
    "bytes": 14_230,
}
TOKEN = {
    "id": "fazt_abc",
    "label": "build",
    "sites": None,
    "actions": ["read", "deploy"],
    "expires_at": None,
    "last_used_at": None,
    "created_at": "2026-01-01T00:00:00.000Z",
}
DOMAIN = {"name": "blog.example.org", "site": "blog", "created_at": "2026-01-01T00:00:00.000Z"}
FILE = {"path": "index.html", "hash": "ab" * 32, "size": 1234, "public": True}
REDIRECT = {"from": "/old", "to": "/new/:id", "status": 301, "force": True, "query": [["id", ":id"]]}
RULES = {
    "redirects": [REDIRECT | {"where": "_redirects:1"}],
    "headers": [{"path": "/*", "set": [["X-A", "1"]], "unset": ["etag"], "where": "_headers:1"}],
}
ROUTE = {
    "url": "http://blog.localhost:4698/",
    "steps": [{"step": "host", "result": "the site blog"}, {"step": "path", "result": "index.html"}],
    "answer": {"status": 200, "file": "index.html", "headers": [["Content-Type", "text/html"]]},
}


def page(*items: Any) -> tuple[int, Any]:
    return 200, {"items": list(items), "next": None}


@pytest.fixture
def api(server: Any) -> Any:
    versions = "/api/sites/blog/versions"
    server.answers |= {
        ("GET", "/api/sites"): page(SITE, SITE | {"name": "empty", "live_version": None, "locked": True}),
        ("POST", "/api/sites"): (201, SITE),
        ("GET", "/api/sites/blog"): (200, SITE),
        ("PATCH", "/api/sites/blog"): (200, SITE | {"name": "journal"}),
        ("DELETE", "/api/sites/blog"): (204, None),
        ("GET", versions): page(VERSION, VERSION | {"id": V2, "live": False, "message": ""}),
        ("GET", f"{versions}/live"): (200, VERSION),
        ("GET", f"{versions}/77aa"): (200, VERSION | {"id": V2, "live": False, "message": ""}),
        ("GET", f"{versions}/live/files"): page(FILE),
        ("GET", f"{versions}/77aa/diff"): (200, {"added": ["a"], "changed": ["b"], "removed": ["c"]}),
        ("GET", f"{versions}/3fa2/diff"): (200, {"added": [], "changed": [], "removed": []}),
        ("POST", f"{versions}/prune"): (200, {"removed": [V2], "freed_bytes": 1500}),
        ("PUT", "/api/sites/blog/live"): (200, VERSION),
        ("GET", "/api/domains"): page(DOMAIN),
        ("POST", "/api/domains"): (201, DOMAIN),
        ("DELETE", "/api/domains/blog.example.org"): (204, None),
        ("GET", "/api/tokens"): page(TOKEN),
        ("POST", "/api/tokens"): (201, TOKEN | {"token": "fazt_abcdef"}),
        ("DELETE", "/api/tokens/fazt_abc"): (204, None),
        ("GET", "/api/route"): (200, ROUTE),
        ("GET", "/api/sites/blog/versions/live/rules"): (200, RULES),
        ("GET", "/api/sites/blog/versions/77aa/rules"): (200, {"redirects": [], "headers": []}),
        ("DELETE", "/api/cache"): (204, None),
    }
    return server


CASES: list[tuple[str, str, str, Any, list[str]]] = [
    ("sites list", "GET", "/api/sites", b"", ["blog", "14.2 kB", "3fa2b1c0", "none", "locked"]),
    ("sites show blog", "GET", "/api/sites/blog", b"", ["blog.example.org", "9 files, 14.2 kB", "version 3fa2b1c0"]),
    ("sites create blog", "POST", "/api/sites", {"name": "blog"}, ["blog is made"]),
    ("sites rename blog journal", "PATCH", "/api/sites/blog", {"name": "journal"}, ["blog is now journal"]),
    ("sites remove blog --yes", "DELETE", "/api/sites/blog", b"", ["blog is deleted"]),
    ("sites lock blog", "PATCH", "/api/sites/blog", {"locked": True}, ["blog is locked"]),
    ("sites unlock blog", "PATCH", "/api/sites/blog", {"locked": False}, ["blog is unlocked"]),
    ("versions list blog", "GET", "/api/sites/blog/versions", b"", ["3fa2b1c0", "live", "77aa0011", "first\ufffd[2J"]),
    ("versions show blog", "GET", "/api/sites/blog/versions/live", b"", [V1, "live", "by cli", "first"]),
    ("versions show blog 77aa", "GET", "/api/sites/blog/versions/77aa", b"", [V2, "not live", "none"]),
    ("versions show blog --files", "GET", "/api/sites/blog/versions/live/files", b"", ["index.html", "1.2 kB"]),
    ("versions diff blog 77aa", "GET", "/api/sites/blog/versions/77aa/diff", b"", ["+ a\n~ b\n- c\n"]),
    ("versions diff blog 3fa2", "GET", "/api/sites/blog/versions/3fa2/diff", b"", ["The two are the same"]),
    (
        "versions prune blog --keep 1",
        "POST",
        "/api/sites/blog/versions/prune",
        {"keep": 1},
        ["1 version of blog", "1.5 kB"],
    ),
    ("rollback blog", "PUT", "/api/sites/blog/live", {}, ["blog is back at version 3fa2b1c0", SITE["url"]]),
    ("rollback blog 3fa2", "PUT", "/api/sites/blog/live", {"version": "3fa2"}, ["blog is back"]),
    ("domains list", "GET", "/api/domains", b"", ["blog.example.org", "blog"]),
    (
        "domains add blog blog.example.org",
        "POST",
        "/api/domains",
        {"name": "blog.example.org", "site": "blog"},
        ["blog.example.org is answered with blog"],
    ),
    ("domains remove blog.example.org", "DELETE", "/api/domains/blog.example.org", b"", ["answered no more"]),
    ("token list", "GET", "/api/tokens", b"", ["fazt_abc", "all", "read, deploy", "never", "build"]),
    ("token revoke fazt_abcdefghi", "DELETE", "/api/tokens/fazt_abc", b"", ["fazt_abc opens nothing"]),
    (
        "route explain http://blog.localhost:4698/",
        "GET",
        "/api/route",
        b"",
        ["the site blog", "200 index.html", "text/html"],
    ),
    (
        "route list blog",
        "GET",
        "/api/sites/blog/versions/live/rules",
        b"",
        ["/old id=:id  /new/:id  301!    _redirects:1", "/*    X-A: 1  _headers:1", "/*    ! etag"],
    ),
    ("route list blog --version 77aa", "GET", "/api/sites/blog/versions/77aa/rules", b"", ["no redirects"]),
    ("cache clear", "DELETE", "/api/cache", b"", ["empty"]),
]


@pytest.mark.parametrize(("line", "method", "path", "body", "said"), CASES, ids=[case[0] for case in CASES])
def test_a_command_asks_and_says(
    run: Callable[..., Any], api: Any, line: str, method: str, path: str, body: Any, said: list[str]
) -> None:
    done = run(*line.split())
    assert (done.code, done.err) == (0, "")
    assert (method, path, body) in [(asked.method, asked.path, asked.body) for asked in api.asked]
    for text in said:
        assert text in done.out
    assert "\x1b" not in done.out
    assert api.closed == 1


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("sites show blog --json", SITE),
        ("sites create blog --json", SITE),
        ("sites rename blog journal --json", SITE | {"name": "journal"}),
        ("versions show blog --json", VERSION),
        ("versions show blog --files --json", VERSION | {"items": [FILE]}),
        ("versions diff blog 77aa --json", {"added": ["a"], "changed": ["b"], "removed": ["c"]}),
        ("versions prune blog --keep 1 --json", {"removed": [V2], "freed_bytes": 1500}),
        ("rollback blog --json", VERSION),
        ("domains list --json", {"items": [DOMAIN]}),
        ("domains add blog blog.example.org --json", DOMAIN),
        ("token list --json", {"items": [TOKEN]}),
        ("token create --action deploy --json", TOKEN | {"token": "fazt_abcdef"}),
        ("route explain http://blog.localhost:4698/ --json", ROUTE),
        ("route list blog --json", RULES),
    ],
)
def test_json_is_what_the_api_says(run: Callable[..., Any], api: Any, line: str, wanted: Any) -> None:
    done = run(*line.split())
    assert (done.code, done.err) == (0, "")
    assert orjson.loads(done.out) == wanted


@pytest.mark.parametrize(
    ("line", "path", "next_step"),
    [
        ("sites list", "/api/sites", "fazt deploy DIR --site NAME"),
        ("versions list blog", "/api/sites/blog/versions", "fazt deploy DIR --site blog"),
        ("domains list", "/api/domains", "fazt domains add SITE DOMAIN"),
        ("token list", "/api/tokens", "fazt token create"),
    ],
)
def test_an_empty_list_says_what_to_do(
    run: Callable[..., Any], server: Any, line: str, path: str, next_step: str
) -> None:
    server.answers["GET", path] = page()
    assert next_step in run(*line.split()).out
    assert orjson.loads(run(*line.split(), "--json").out) == {"items": []}


def test_versions_list_stops_at_its_limit(run: Callable[..., Any], api: Any) -> None:
    assert len(orjson.loads(run("versions", "list", "blog", "--limit", "1", "--json").out)["items"]) == 1


def test_diff_goes_to_the_live_one_or_another(run: Callable[..., Any], api: Any) -> None:
    run("versions", "diff", "blog", "77aa")
    run("versions", "diff", "blog", "77aa", "3fa2")
    assert [asked.query["to"] for asked in api.asked] == ["live", "3fa2"]


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"", 1)])
def test_removing_asks_first(run: Callable[..., Any], api: Any, answer: bytes, code: int) -> None:
    done = run("sites", "remove", "blog", stdin=answer)
    assert done.code == code
    assert "Delete blog with 3 versions" in done.err
    assert ("DELETE" in [asked.method for asked in api.asked]) == (code == 0)


def test_a_token_stands_alone_on_stdout(run: Callable[..., Any], api: Any) -> None:
    line = ["token", "create", "--action", "read", "--action", "deploy", "--expires", "90d", "--label", "x y"]
    done = run(*line, "--site", "blog")
    assert done.out == "fazt_abcdef\n"
    assert "not shown again" in done.err
    assert api.asked[0].body == {
        "label": "x y",
        "sites": ["blog"],
        "actions": ["read", "deploy"],
        "expires_in_s": 90 * 86400,
    }


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("2w", 1_209_600), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert Duration().convert(text, None, None) == seconds


# Status and caches

PAGES = {
    "entries": 3,
    "bytes": 4000,
    "max_bytes": 1_000_000,
    "negative_entries": 1,
    "hits": 9,
    "misses": 1,
    "evictions": 0,
    "stale": 2,
}
SPILL = {"files": 1, "bytes": 2000, "max_bytes": 3000}
TRAFFIC = {
    "name": "blog",
    "requests": 10,
    "bytes": 5000,
    "hits": 9,
    "statuses": {"1xx": 0, "2xx": 8, "3xx": 0, "4xx": 2, "5xx": 0},
    "p50_ms": 0.25,
    "p95_ms": 0.5,
    "p99_ms": 1.0,
}
CALLED = {
    "name": "blog",
    "calls": 1200,
    "failed": 3,
    "heavy": 1,
    "memory_bytes": 9_000_000,
    "duration_ms": {"p50": 1.5, "p95": 3.0, "p99": 9.25},
    "cpu_ms": {"p50": 0.2, "p95": 0.5, "p99": 2.0},
}
STATUS = {
    "version": "0.1.0",
    "pid": 7,
    "started_at": "2026-01-01T00:00:00.000Z",
    "domain": "localhost",
    "url": "http://localhost:4698/",
    "database": {"path": "data.db", "bytes": 90_000, "sites": 1, "versions": 2, "blobs": 5, "blob_bytes": 8000},
    "read_only": False,
    "memory_bytes": 60_000_000,
    "connections": 1,
    "cache": PAGES,
    "spill": SPILL,
    "sites": [TRAFFIC],
    "functions": {"runners": 1, "started": 2, "memory_bytes": 9_000_000, "sites": [CALLED]},
    "certificates": {"count": 1, "name": "blog.example.org", "expires_at": "2020-01-01T00:00:00.000Z"},
    "backups": {"count": 2, "made_at": "2026-01-01T00:00:00.000Z", "proven_at": None},
}


def test_status(run: Callable[..., Any], server: Any) -> None:
    server.answers["GET", "/api/status"] = (200, STATUS)
    out = run("status").out
    for text in ("process 7", "1 site, 2 versions", "60.0 MB", "90 %", "2xx 8 4xx 2", "0.25 / 1.00 ms"):
        assert text in out
    for text in ("1,200", "1.5 / 9.2 ms", "0.2 / 2.0 ms", "9.0 MB"):
        assert text in out
    assert orjson.loads(run("status", "--json").out) == STATUS
    server.answers["GET", "/api/status"] = (200, STATUS | {"started_at": None, "sites": [], "functions": {"sites": []}})
    out = run("status").out
    assert "not running" in out
    assert "REQUESTS" not in out


def test_cache_stats(run: Callable[..., Any], server: Any) -> None:
    server.answers["GET", "/api/cache"] = (200, {"pages": PAGES, "spill": SPILL})
    out = run("cache", "stats").out
    for text in ("3, of them 1", "4.0 kB of 1.0 MB", "9 of 10 (90.0 %)", "1 file, 2.0 kB of 3.0 kB"):
        assert text in out
    server.answers["GET", "/api/cache"] = (200, {"pages": PAGES | {"hits": 0, "misses": 0}, "spill": SPILL})
    assert "0 of 0\n" in run("cache", "stats").out


# Logs

LINE = {
    "at": "2026-01-01T00:00:00.000Z",
    "site": "blog",
    "kind": "access",
    "client": "127.0.0.1",
    "method": "GET",
    "host": "blog.localhost",
    "path": "/\x1b[31m",
    "status": 200,
    "bytes": 1234,
    "duration_us": 250,
    "hit": True,
}
FAULT = {"at": "2026-01-01T00:00:00.000Z", "site": "blog", "kind": "error", "message": "odd\nthing"}


def test_logs_are_lines(run: Callable[..., Any], server: Any) -> None:
    raw = orjson.dumps(LINE) + b"\n" + orjson.dumps(FAULT) + b"\n"
    server.answers["GET", "/api/logs"] = (200, raw)
    done = run("logs", "blog", "--since", "1h")
    first, second = done.out.splitlines()
    assert first.endswith(" 200 GET blog.localhost/\ufffd[31m  1.2 kB in 0.25 ms from memory to 127.0.0.1")
    assert second.endswith(" error odd\ufffdthing")
    assert run("logs", "--json").out.encode() == raw
    assert [asked.query for asked in server.asked] == [
        {"site": "blog", "since_s": "3600", "limit": "100"},
        {"limit": "100"},
    ]
    run("logs", "blog", "-f")
    assert server.asked[-1].query["follow"] == "1"


def test_no_logs_say_so(run: Callable[..., Any], server: Any) -> None:
    server.answers["GET", "/api/logs"] = (200, b"")
    done = run("logs")
    assert (done.out, done.err) == ("", "Nothing yet. Lines come with the first visitor.\n")
    assert run("logs", "--json") == (0, "", "")


# Export


def tar_with(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


EXPORT = tar_with(("index.html", b"<p>"), ("api/hello.js", b"x" * 700))


@pytest.fixture
def exporting(server: Any) -> Any:
    server.answers["GET", "/api/sites/blog/versions/live/export"] = (200, EXPORT)
    return server


def test_an_export_is_a_tar_or_a_folder(run: Callable[..., Any], exporting: Any, tmp_path: Path) -> None:
    assert run("sites", "export", "blog").out == "blog is exported to blog.tar\n"
    assert (tmp_path / "blog.tar").read_bytes() == EXPORT
    (tmp_path / "copy").mkdir()
    for target in ("copy", "new/copy"):
        assert run("sites", "export", "blog", "--out", target).code == 0
        assert (tmp_path / target / "api" / "hello.js").read_bytes() == b"x" * 700
        assert (tmp_path / target / "index.html").read_bytes() == b"<p>"


@pytest.mark.parametrize("target", ["full", "file", "there.tar"])
def test_an_export_overwrites_nothing(run: Callable[..., Any], exporting: Any, tmp_path: Path, target: str) -> None:
    (tmp_path / "full").mkdir()
    for name in ("full/x", "file", "there.tar"):
        (tmp_path / name).write_text("mine")
    done = run("sites", "export", "blog", "--out", target)
    assert (done.code, done.out) == (1, "")
    assert target in done.err
    assert exporting.asked == []
    assert (tmp_path / "there.tar").read_text() == "mine"


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_an_export_cannot_leave_its_folder(run: Callable[..., Any], server: Any, tmp_path: Path, name: str) -> None:
    server.answers["GET", "/api/sites/blog/versions/live/export"] = (200, tar_with((name, b"x")))
    done = run("sites", "export", "blog", "--out", "inner/copy")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "inner" / "evil").exists()
    assert not Path("/evil").exists()


@pytest.mark.parametrize("kept", [0, 100, 600])
def test_a_damaged_export_is_one_line(run: Callable[..., Any], server: Any, tmp_path: Path, kept: int) -> None:
    server.answers["GET", "/api/sites/blog/versions/live/export"] = (200, EXPORT[:kept])
    done = run("sites", "export", "blog", "--out", "copy")
    assert done.code == 1
    assert "The export is damaged" in done.err
    assert len(done.err.splitlines()) == 1


def test_half_a_tar_does_not_stay(run: Callable[..., Any], exporting: Any, tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield EXPORT[:100]
        raise OSError(28, "No space left on device")

    real = exporting.send

    def send(*arguments: Any, **more: Any) -> Any:
        reply = real(*arguments, **more)
        reply.pieces = pieces()
        return reply

    exporting.send = send
    done = run("sites", "export", "blog")
    assert (done.code, done.err) == (1, "Error: No space left on device.\n")
    assert list(tmp_path.glob("blog.tar*")) == []


# Domains


def test_a_domain_is_looked_up(run: Callable[..., Any], api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("192.0.2.7", 0)), (0, 0, 0, "", ("192.0.2.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    done = run("domains", "check", "Blog.Example.ORG.")
    assert done.out == "blog.example.org points at 192.0.2.7\n  it is answered with blog\n"
    assert orjson.loads(run("domains", "check", "other.example", "--json").out) == {
        "domain": "other.example",
        "site": None,
        "addresses": ["192.0.2.7"],
    }


def test_a_domain_without_an_address(run: Callable[..., Any], api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", none)
    done = run("domains", "check", "other.example")
    assert (
        done.out
        == "other.example has no address in the DNS yet.\n  no site has it: fazt domains add SITE other.example\n"
    )


@pytest.mark.parametrize("name", ["a..b", "", "x" * 64 + ".example", "http://a.example/"])
def test_what_is_no_domain(run: Callable[..., Any], api: Any, name: str) -> None:
    done = run("domains", "check", "--", name)
    assert done.code == 1
    assert len(done.err.splitlines()) == 1


# Serve


def serving(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., None]) -> list[Any]:
    seen: list[Any] = []

    def run_(settings: Any, path: Path, on_ready: Callable[[str, str | None], None], joined: Any) -> None:
        assert joined is None
        seen.append((settings, path))
        answer(on_ready)

    monkeypatch.setitem(sys.modules, "fazt.server.serving", types.SimpleNamespace(run=run_))  # type: ignore[arg-type]
    return seen


def test_serve_says_where_when_it_is_ready(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = serving(monkeypatch, lambda ready: ready("http://localhost:4700/", None))
    done = run("serve", "--db", "x.db", "--domain", "example.org", "--http", "127.0.0.1:4700")
    assert (done.code, done.err) == (0, "")
    first, second, *_ = done.out.splitlines()
    assert first == "Fazt serves x.db at http://localhost:4700/"
    assert "fazt deploy" in second
    assert seen[0] == (
        {"domain": "example.org", "http": "127.0.0.1:4700", "https": None, "workers": None, "read_only": None},
        Path("x.db"),
    )


def test_serve_prints_the_setup_link_as_long_as_there_is_one(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(monkeypatch, lambda ready: ready("http://localhost/", "http://dashboard.localhost/#/setup/s3cret"))
    assert "once: http://dashboard.localhost/#/setup/s3cret\n" in run("serve").out


def test_serve_that_cannot_prints_one_line(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: Any) -> None:
        raise ListenError("Port 4698 is taken.")

    serving(monkeypatch, busy)
    assert run("serve") == (1, "", "Error: Port 4698 is taken.\n")


def test_serve_names_a_setting_that_is_wrong(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAZT_MAX_CONNECTIONS", "many")
    done = run("serve", "--db", str(tmp_path / "data.db"))
    assert (done.code, done.out) == (1, "")
    assert "FAZT_MAX_CONNECTIONS" in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_connection_is_closed_after_an_error(run: Callable[..., Any], api: Any) -> None:
    api.answers["GET", "/api/sites/blog"] = (404, {"error": {"code": "site_not_found", "message": "No blog."}})
    assert run("sites", "show", "blog") == (1, "", "Error: No blog.\n")
    assert api.closed == 1
    with contextlib.suppress(ZeroDivisionError), client.connect(None, None):
        raise ZeroDivisionError
    assert api.closed == 2
