"""The log and the statistics: each line once, whether in memory or written, and nothing lost to a full disk."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import orjson
import pytest
from api_calls import Api, make_scope, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt._speedups.statistics import AccessRecord
from fazt.api.error_log import EscapingFormatter, logging_to
from fazt.api.lines import access_line, error_line
from fazt.errors import StorageFull
from fazt.store import log_lines, statistics


def serve(api: Api, site: str, path: str, status: int = 200) -> None:
    """Record a request as the edge does."""
    state = api.pages.site(site)
    state.count(status, 10, 1_500_000, False)
    key = f"{site}.localhost{path}".encode()
    api.ring.add(state, "127.0.0.1", b"GET", key, len(site) + 10, status, 10, 1_500_000, False)


def lines(api: Api, query: str = "", **more: Any) -> list[dict[str, Any]]:
    answer = api.ask("GET", f"/api/logs{query}", **more)
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.body.splitlines()]


def paths(found: list[dict[str, Any]]) -> list[str]:
    return [line["path"] for line in found]


@pytest.fixture
def blog(api: Api) -> Api:
    for site in ("blog", "other"):
        api.ask("POST", "/api/sites", {"name": site})
    return api


def test_a_line_says_who_asked_for_what(blog: Api) -> None:
    serve(blog, "blog", "/a?b", 404)
    (line,) = lines(blog)
    assert line.pop("at").endswith("Z")
    assert line == {
        "site": "blog",
        "kind": "access",
        "client": "127.0.0.1",
        "method": "GET",
        "host": "blog.localhost",
        "path": "/a?b",
        "status": 404,
        "bytes": 10,
        "duration_us": 1500,
        "hit": False,
    }


def test_each_line_is_seen_once_before_and_after_it_is_written(blog: Api) -> None:
    for number in range(3):
        serve(blog, "blog", f"/{number}")
    serve(blog, "other", "/other")
    assert paths(lines(blog, "?site=blog")) == ["/0", "/1", "/2"]
    blog.runner.run(blog.history.flush())
    serve(blog, "blog", "/3")
    assert paths(lines(blog, "?site=blog")) == ["/0", "/1", "/2", "/3"]
    assert paths(lines(blog, "?site=blog&limit=2")) == ["/2", "/3"]
    assert len(lines(blog)) == 5
    assert lines(blog, "?since_s=3600&site=other")[0]["path"] == "/other"
    blog.runner.run(blog.history.flush())
    assert paths(lines(blog, "?site=blog")) == ["/0", "/1", "/2", "/3"]
    assert blog.ask("GET", "/api/logs?site=none").code == "site_not_found"


def test_nothing_is_written_while_nothing_happens(blog: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(blog, "blog", "/")
    blog.runner.run(blog.history.flush())

    async def write(*_: Any) -> None:
        raise AssertionError("there is nothing to write")

    monkeypatch.setattr(blog.database, "write", write)
    blog.runner.run(blog.history.flush())


def test_who_comes_while_another_look_is_being_written_waits_for_it(blog: Api) -> None:
    async def look() -> int:
        await blog.history.freshen()
        return len(await blog.database.read(log_lines.since, None, 0, 1000))

    async def test() -> list[int]:
        return await asyncio.gather(look(), look())

    serve(blog, "blog", "/")
    assert blog.runner.run(test()) == [1, 1]


def test_the_history_is_bounded(blog: Api) -> None:
    for number in range(120):
        serve(blog, "blog", f"/{number}")
    blog.runner.run(blog.history.flush())
    stored = blog.database.read_blocking(log_lines.since, None, 0, 1000)
    assert len(stored) == 50  # what the fixture keeps
    assert paths(lines(blog, "?limit=1")) == ["/119"]


def test_hours_add_up(blog: Api) -> None:
    for count in (2, 3):
        for _ in range(count):
            serve(blog, "blog", "/")
        blog.runner.run(blog.history.flush())
    hours = blog.database.read_blocking(statistics.hours, "blog", 0)
    assert sum(hour.requests for hour in hours) == 5
    assert sum(hour.statuses[1] for hour in hours) == 5
    assert sum(hour.bytes for hour in hours) == 50


def test_a_full_disk_loses_nothing_and_is_told_once(
    blog: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: Any) -> None:
        raise StorageFull("the disk is full")

    monkeypatch.setattr(blog.database, "write", full)
    for number in range(3):
        serve(blog, "blog", f"/{number}")
        blog.runner.run(blog.history.flush())
    assert paths(lines(blog)) == ["/0", "/1", "/2"]
    assert [record.getMessage() for record in caplog.records] == [
        "the log and the statistics wait in memory: the disk is full"
    ]
    monkeypatch.undo()
    blog.runner.run(blog.history.flush())
    assert paths(lines(blog)) == ["/0", "/1", "/2"]
    assert sum(hour.requests for hour in blog.database.read_blocking(statistics.hours, "blog", 0)) == 3


def test_errors_are_lines_too(blog: Api) -> None:
    with logging_to(blog.errors):
        try:
            raise ZeroDivisionError("no way\x1b[31m")
        except ZeroDivisionError:
            logging.getLogger("fazt.test").exception("it failed")
    (line,) = lines(blog)
    assert line["kind"] == "error"
    assert line["message"] == "it failed: ZeroDivisionError: no way\x1b[31m"
    assert b"\x1b" not in blog.ask("GET", "/api/logs").body
    assert lines(blog, "?site=blog") == []
    blog.runner.run(blog.history.flush())
    assert len(lines(blog)) == 1


def test_a_token_for_one_site_reads_that_site_only(blog: Api) -> None:
    serve(blog, "blog", "/mine")
    serve(blog, "other", "/theirs")
    assert paths(lines(blog, token=blog.token("read", site="blog"))) == ["/mine"]


def follow(api: Api, *, leave: bool) -> list[bytes]:
    """Follow the log while requests come in, until the client leaves or the server stops."""
    got: list[bytes] = []
    gone = asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            got.extend(bytes(message["body"]).splitlines())
            if len(got) < 3:
                serve(api, "blog", f"/{len(got)}")
            elif leave:
                gone.set()
            else:
                api.history.stop()

    async def main() -> None:
        writing = asyncio.ensure_future(api.history.run())
        await asyncio.sleep(0)
        scope = make_scope("GET", "/api/logs?follow=1&site=blog", [], 0)
        await asyncio.wait_for(api.app(scope, receive, send), 20)
        writing.cancel()

    api.runner.run(main())
    return got


@pytest.mark.parametrize("leave", [True, False], ids=["the client leaves", "the server stops"])
def test_following_goes_on_until_somebody_ends_it(blog: Api, leave: bool) -> None:
    serve(blog, "blog", "/0")
    assert [orjson.loads(line)["path"] for line in follow(blog, leave=leave)] == ["/0", "/1", "/2"]


def test_following_ends_at_once_where_no_server_runs(tmp_path: Path) -> None:
    with opened(tmp_path / "data.db") as api:
        assert lines(api, "?follow=1") == []


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text())
def test_no_control_character_gets_into_a_line(path: str, message: str) -> None:
    record = AccessRecord(1, "blog", "::1", "GET", "h", path, 200, 1, 1, True)
    for line in (access_line(record).line, error_line(1, message).line):
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line.decode())
    decoded = orjson.loads(access_line(record).line)["path"]
    assert decoded == path.encode("utf-8", "replace").decode()


def test_stderr_gets_no_control_characters() -> None:
    record = logging.LogRecord("fazt", logging.ERROR, "", 0, "a\x1b[31m\nb\x9b", None, None)
    assert EscapingFormatter("%(message)s").format(record) == "a\\x1b[31m\\x0ab\\x9b"
