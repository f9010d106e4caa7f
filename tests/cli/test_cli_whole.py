"""The commands on a real database, in this process: what a user without a running server sees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest


@pytest.fixture
def blog(tmp_path: Path) -> Path:
    """A folder with a page, a function and enough bytes for several chunks."""
    place = tmp_path / "blog"
    (place / "api").mkdir(parents=True)
    (place / "index.html").write_text("<!doctype html><title>first</title>")
    (place / "api" / "hello.js").write_text("export default () => new Response('hello')")
    (place / "large.bin").write_bytes(bytes(range(256)) * 3000)
    return place


@pytest.fixture
def local(run: Callable[..., Any]) -> Callable[..., Any]:
    """Run a command on data.db and expect it to succeed; return what `--json` prints."""

    def call(*arguments: str) -> Any:
        done = run(*arguments, "--db", "data.db", "--json")
        assert done.code == 0, done.err
        return orjson.loads(done.out)

    return call


def names(listed: dict[str, Any]) -> list[str]:
    return [item["name"] for item in listed["items"]]


def test_a_site_from_its_first_deploy_to_its_end(
    run: Callable[..., Any], local: Callable[..., Any], blog: Path, tmp_path: Path
) -> None:
    first = local("deploy", "blog", "--message", "one")
    assert (first["created"], first["files"], first["files_sent"]) == (True, 3, 3)
    assert local("deploy", "blog")["bytes_sent"] == 0
    (blog / "index.html").write_text("<!doctype html><title>second</title>")
    planned = local("deploy", "blog", "--dry-run")
    assert planned["diff"] == {"added": [], "changed": ["index.html"], "removed": []}
    second = local("deploy", "blog", "--message", "two")
    assert second["files_sent"] == 1
    assert [item["message"] for item in local("versions", "list", "blog")["items"]] == ["two", "one"]
    assert local("versions", "diff", "blog", first["version"][:8])["changed"] == ["index.html"]
    assert local("rollback", "blog")["id"] == first["version"]
    assert local("sites", "show", "blog")["live_version"] == first["version"]

    assert run("sites", "export", "blog", "--db", "data.db", "--out", "copy", "--version", second["version"]).code == 0
    copied = {path.relative_to(tmp_path / "copy"): path.read_bytes() for path in (tmp_path / "copy").rglob("*.*")}
    assert copied == {path.relative_to(blog): path.read_bytes() for path in blog.rglob("*.*")}

    local("sites", "rename", "blog", "journal")
    local("domains", "add", "journal", "journal.example.org")
    assert names(local("domains", "list")) == ["journal.example.org"]
    assert local("route", "explain", "http://journal.example.org/")["answer"]["file"] == "index.html"
    assert run("sites", "lock", "journal", "--db", "data.db").code == 0
    assert "locked" in run("deploy", "blog", "--site", "journal", "--db", "data.db").err
    assert run("sites", "unlock", "journal", "--db", "data.db").code == 0
    assert run("sites", "remove", "journal", "--yes", "--db", "data.db").code == 0
    assert names(local("sites", "list")) == []


def test_tokens(run: Callable[..., Any], local: Callable[..., Any]) -> None:
    made = local("token", "create", "--action", "deploy", "--expires", "1h", "--label", "build")
    listed = local("token", "list")["items"]
    assert [(item["id"], item["label"]) for item in listed] == [(made["token"][:8], "build")]
    assert made["token"] not in str(listed)
    assert run("token", "revoke", made["token"], "--db", "data.db").code == 0
    assert local("token", "list") == {"items": []}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sites show nothing", "There is no site 'nothing'"),
        ("sites create www", "reserved"),
        ("versions show nothing", "There is no site 'nothing'"),
        ("deploy blog --site WWW", "reserved"),
        ("rollback nothing", "There is no site 'nothing'"),
        ("domains add nothing x.example.org", "There is no site 'nothing'"),
    ],
)
def test_what_cannot_be_is_one_line(run: Callable[..., Any], blog: Path, line: str, message: str) -> None:
    assert run("sites", "create", "other", "--db", "data.db").code == 0
    done = run(*line.split(), "--db", "data.db")
    assert (done.code, done.out) == (1, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_rules_that_cannot_be_understood_name_file_and_line(run: Callable[..., Any], blog: Path) -> None:
    (blog / "_redirects").write_text("/a /b 301\n/c /d 999\n")
    done = run("deploy", "blog", "--site", "blog", "--db", "data.db")
    assert (done.code, done.out) == (1, "")
    assert "_redirects:2" in done.err


def test_the_same_answers_without_a_server_twice(local: Callable[..., Any], blog: Path) -> None:
    local("deploy", "blog")
    assert local("status")["database"]["sites"] == 1
    assert local("cache", "stats")["pages"]["entries"] == 0
    assert local("status")["started_at"] is None
