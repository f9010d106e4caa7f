"""`fazt kv`: what it asks the API, and what it says of the answer."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from fazt.cli import main

ENTRY = {"key": "a/b", "kind": "json", "size": 13, "version": 7, "expires_at": None}
ITEMS = [ENTRY, ENTRY | {"key": "\x1b[2Jc", "kind": "bytes", "size": 2048, "expires_at": "2100-01-01T00:00:00.000Z"}]


@pytest.fixture
def api(server: Any) -> Any:
    server.answers |= {
        ("GET", "/api/sites/blog/kv"): (200, {"items": ITEMS, "next": None}),
        ("GET", "/api/sites/blog/kv/a/b"): (200, ENTRY | {"value": {"x": "é\u202e", "n": 1.5}}),
        ("GET", "/api/sites/blog/kv/raw"): (200, ENTRY | {"kind": "bytes", "base64": "AP8="}),
        ("PUT", "/api/sites/blog/kv/a/b"): (200, ENTRY),
        ("DELETE", "/api/sites/blog/kv/a/b"): (204, None),
    }
    return server


def test_the_list(run: Callable[..., Any], api: Any) -> None:
    done = run("kv", "blog", "list")
    heading, first, second = done.out.splitlines()
    assert heading.split() == ["KEY", "KIND", "SIZE", "EXPIRES"]
    assert first.split() == ["a/b", "json", "13", "B", "never"]
    assert "\x1b" not in second
    assert "2.0 kB" in second
    assert api.asked[-1].query == {"limit": "1000"}
    assert orjson.loads(run("kv", "blog", "list", "--json", "--prefix", "a").out) == {"items": ITEMS}
    assert api.asked[-1].query["prefix"] == "a"
    assert orjson.loads(run("kv", "blog", "list", "--json", "--limit", "1").out) == {"items": ITEMS[:1]}
    api.answers["GET", "/api/sites/blog/kv"] = (200, {"items": [], "next": None})
    assert run("kv", "blog", "list").out == "There is no key yet.\n"
    assert run("kv", "blog", "list", "--prefix", "a").out == "There is no such key.\n"


def test_a_value_as_it_is(run: Callable[..., Any], api: Any) -> None:
    assert run("kv", "blog", "get", "a/b").out == '{"x":"é\u202e","n":1.5}\n'
    assert orjson.loads(run("kv", "blog", "get", "a/b", "--json").out)["version"] == 7


def test_bytes_as_they_are(api: Any, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main.run(("kv", "blog", "get", "raw")) == 0
    assert capsysbinary.readouterr().out == b"\x00\xff"


@pytest.mark.parametrize(
    ("arguments", "stdin", "body"),
    [
        (("5",), b"", {"value": 5}),
        (('{"a": [1]}',), b"", {"value": {"a": [1]}}),
        (("hello there",), b"", {"value": "hello there"}),
        (("5", "--as", "text"), b"", {"value": "5"}),
        (("5", "--as", "bytes"), b"", {"base64": "NQ=="}),
        (("-",), b"\x00\xff", {"base64": "AP8="}),
        (("-", "--as", "json"), b"[1]", {"value": [1]}),
        (("-", "--as", "text"), b"x\n", {"value": "x\n"}),
        (("--file", "value.bin"), b"", {"base64": "AP8="}),
        (("1", "--ttl", "15m"), b"", {"value": 1, "ttl": 900}),
    ],
)
def test_what_is_kept(
    run: Callable[..., Any], api: Any, tmp_path: Path, arguments: tuple[str, ...], stdin: bytes, body: Any
) -> None:
    (tmp_path / "value.bin").write_bytes(b"\x00\xff")
    done = run("kv", "blog", "set", "a/b", *arguments, stdin=stdin)
    assert (done.code, done.out) == (0, "a/b has 13 B now, as json.\n"), done.err
    assert api.asked[-1].body == body
    assert orjson.loads(run("kv", "blog", "set", "a/b", "1", "--json").out) == ENTRY


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "message"),
    [
        ((), b"", 2, "Give a VALUE"),
        (("1", "--file", "value.bin"), b"", 2, "Give a VALUE"),
        (("--file", "none.bin"), b"", 1, "none.bin"),
        (("{", "--as", "json"), b"", 1, "not valid JSON"),
        (("-", "--as", "text"), b"\xff", 1, "not valid UTF-8"),
        (("-",), bytes((1 << 20) + 1), 1, "at most 1.0 MB"),
        (("1", "--ttl", "soon"), b"", 2, "not a length of time"),
    ],
)
def test_what_cannot_be_kept(
    run: Callable[..., Any], api: Any, arguments: tuple[str, ...], stdin: bytes, code: int, message: str
) -> None:
    done = run("kv", "blog", "set", "a/b", *arguments, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert api.asked == []


def test_a_terminal_is_not_sent_what_could_move_its_cursor(
    run: Callable[..., Any], api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)
    assert "\u202e" not in run("kv", "blog", "get", "a/b").out
    done = run("kv", "blog", "get", "raw")
    assert (done.code, done.out) == (1, "")
    assert "'>'" in done.err


def test_removing(run: Callable[..., Any], api: Any) -> None:
    assert run("kv", "blog", "remove", "a/b").out == "a/b is gone.\n"
    assert api.asked[-1][:2] == ("DELETE", "/api/sites/blog/kv/a/b")


@pytest.mark.parametrize("arguments", [("kv",), ("kv", "blog"), ("kv", "list"), ("kv", "blog", "show")])
def test_what_is_missing_is_wrong_usage(run: Callable[..., Any], api: Any, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code in (0, 2)
    assert api.asked == []
