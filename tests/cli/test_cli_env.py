"""`fazt env` and `fazt secrets`: what they ask the API, and that no secret is shown or taken from the command line."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import orjson
import pytest

from fazt.cli import secret_input

SET = "2026-01-01T00:00:00.000Z"
VARIABLE = {"name": "GREETING", "value": "hel\x1blo", "updated_at": SET}
SECRET = {"name": "KEY", "updated_at": SET}
ENV, SECRETS = "/api/sites/blog/env", "/api/sites/blog/secrets"


@pytest.fixture
def api(server: Any) -> Any:
    server.answers |= {
        ("GET", ENV): (200, {"items": [VARIABLE], "next": None}),
        ("PUT", f"{ENV}/GREETING"): (200, VARIABLE),
        ("PUT", f"{ENV}/LIMIT"): (200, VARIABLE),
        ("DELETE", f"{ENV}/GREETING"): (204, None),
        ("GET", SECRETS): (200, {"items": [SECRET], "next": None}),
        ("PUT", f"{SECRETS}/KEY"): (200, SECRET),
        ("DELETE", f"{SECRETS}/KEY"): (204, None),
    }
    return server


def test_variables(run: Callable[..., Any], api: Any) -> None:
    listed = run("env", "list", "blog").out
    assert "GREETING" in listed
    assert "\x1b" not in listed
    assert orjson.loads(run("env", "list", "blog", "--json").out) == {"items": [VARIABLE]}
    done = run("env", "set", "blog", "GREETING=a=b", "LIMIT=")
    assert done.out == "2 variables of blog set.\n"
    assert [(asked.path, asked.body) for asked in api.asked[-2:]] == [
        (f"{ENV}/GREETING", {"value": "a=b"}),
        (f"{ENV}/LIMIT", {"value": ""}),
    ]
    assert orjson.loads(run("env", "set", "blog", "LIMIT=1", "--json").out) == {"items": [VARIABLE]}
    assert run("env", "remove", "blog", "GREETING").out == "1 variable of blog removed.\n"
    api.answers["GET", ENV] = (200, {"items": [], "next": None})
    assert "no variable yet" in run("env", "list", "blog").out


@pytest.mark.parametrize("second", ["LIMIT", "=1", "1A=1", "A-B=1"])
def test_nothing_is_set_where_one_of_several_is_wrong(run: Callable[..., Any], api: Any, second: str) -> None:
    assert run("env", "set", "blog", "GREETING=hello", second).code in (1, 2)
    assert api.asked == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "value"),
    [
        ((), b"s3cret\n", "s3cret"),
        ((), b"s3cret", "s3cret"),
        ((), "zwei\nZeilen é\r\n".encode(), "zwei\nZeilen é"),
        ((), b"one line end\n\n", "one line end\n"),
        (("--file", "key.pem"), b"not this", "-----BEGIN-----\nx\n-----END-----"),
    ],
)
def test_where_a_secret_comes_from(
    run: Callable[..., Any], api: Any, tmp_path: Path, arguments: tuple[str, ...], stdin: bytes, value: str
) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN-----\nx\n-----END-----\n")
    done = run("secrets", "set", "blog", "KEY", *arguments, stdin=stdin)
    assert done.code == 0, done.err
    assert api.asked[-1].body == {"value": value}
    assert value not in done.out + done.err
    assert orjson.loads(run("secrets", "set", "blog", "KEY", "--json", stdin=b"x").out) == SECRET


def test_a_terminal_is_asked_without_showing_the_answer(
    run: Callable[..., Any], api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_input, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    asked: list[Any] = []
    monkeypatch.setattr(click, "prompt", lambda text, **how: asked.append((text, how)) or "s3cret")
    assert run("secrets", "set", "blog", "KEY").code == 0
    assert asked == [("KEY", {"hide_input": True, "err": True})]
    assert api.asked[-1].body == {"value": "s3cret"}


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "message"),
    [
        (("KEY=s3cret",), b"", 2, "history"),
        (("KEY", "s3cret"), b"", 2, "unexpected extra argument"),
        (("K-Y",), b"s3cret", 1, "letters, digits"),
        (("KEY",), b"\n", 1, "empty"),
        (("KEY",), b"s3cret\xff", 1, "UTF-8"),
        (("KEY", "--file", "none"), b"", 1, "none"),
    ],
)
def test_what_cannot_be_a_secret(
    run: Callable[..., Any], api: Any, arguments: tuple[str, ...], stdin: bytes, code: int, message: str
) -> None:
    done = run("secrets", "set", "blog", *arguments, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert api.asked == []


def test_secrets_are_listed_by_name(run: Callable[..., Any], api: Any) -> None:
    assert run("secrets", "list", "blog").out.split()[:3] == ["NAME", "SET", "KEY"]
    assert orjson.loads(run("secrets", "list", "blog", "--json").out) == {"items": [SECRET]}
    assert run("secrets", "remove", "blog", "KEY").out == "1 secret of blog removed.\n"
    api.answers["GET", SECRETS] = (200, {"items": [], "next": None})
    assert "no secret yet" in run("secrets", "list", "blog").out
