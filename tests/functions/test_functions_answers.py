"""Answers of functions: what may be sent is sent, everything else is refused or dropped."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.errors import BadAnswer
from fazt.functions.answers import MOST_BYTES, MOST_FIELDS, own_cookie, read_head

SOUND = re.compile(rb"[\x20-\x7e\x80-\xff\t]*")


def head(headers: Any, *, status: Any = 200, **more: Any) -> Any:
    return read_head({"status": status, "headers": headers, "body": "whole", **more}, "one.example.org", "example.org")


@pytest.mark.parametrize(
    "value",
    [
        None, [], 1, {}, {"status": 200}, {"status": 200, "headers": None}, {"status": 200, "headers": "a"},
        {"status": 200, "headers": [["a"]]}, {"status": 200, "headers": [["a", 1]]},
        {"status": 200, "headers": [["a", "b", "c"]]}, {"status": 200, "headers": [None]},
        {"status": 200, "headers": [["a b", "x"]]}, {"status": 200, "headers": [["", "x"]]},
        {"status": 200, "headers": [["a:", "x"]]}, {"status": 200, "headers": [["ä", "x"]]},
        {"status": 200, "headers": [["a", "x\r\ny: z"]]}, {"status": 200, "headers": [["a", "x\ny"]]},
        {"status": 200, "headers": [["a", "\0"]]}, {"status": 200, "headers": [["a", "\x7f"]]},
        {"status": 200, "headers": [["a", "€"]]}, {"status": 200, "headers": [["set-cookie", "a=1\r\nx"]]},
        {"status": 200, "headers": [["a", "1"]] * (MOST_FIELDS + 1)},
        {"status": 200, "headers": [["a", "x" * MOST_BYTES]]},
        *({"status": status, "headers": []} for status in (0, 99, 100, 101, 103, 199, 600, 1000)),
        *({"status": status, "headers": []} for status in ("200", 200.0, True, None)),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(value: Any) -> None:
    with pytest.raises(BadAnswer):
        read_head(value, "one.example.org", "example.org")


def test_framing_is_the_edge_s() -> None:
    names = "Connection Content-Length Transfer-Encoding Upgrade Keep-Alive TE Trailer Proxy-Connection Date".split()
    assert head([[name, "1"] for name in names]).fields == []
    assert head([["Content-Type", " text/html \t"]]).fields == [(b"content-type", b"text/html")]


@given(st.lists(st.lists(st.text(max_size=20), max_size=3), max_size=5), st.integers() | st.text())
def test_whatever_a_runner_sends_what_goes_on_is_sound(headers: list[list[str]], status: Any) -> None:
    try:
        found = head(headers, status=status)
    except BadAnswer:
        return
    assert 200 <= found.status <= 599
    for name, value in found.fields:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9a-z-]+", name)
        assert SOUND.fullmatch(value)


@pytest.mark.parametrize(
    ("host", "cookie", "sent"),
    [
        ("one.example.org", "a=1", "a=1"),
        ("one.example.org", "a=1; Domain=example.org", "a=1"),
        ("one.example.org", "a=1; domain = .Example.ORG; Secure", "a=1; Secure"),
        ("one.example.org", "a=1;DOMAIN=one.example.org;Path=/", "a=1;Path=/"),
        ("one.example.org", "a=1; Domain=org", "a=1"),
        ("one.example.org", "a=1; Domain=", "a=1"),
        ("one.example.org", "a=1; Domain", "a=1"),
        ("one.example.org", "a=1; Domain=x; Domain=example.org", "a=1"),
        ("example.org", "a=1; Domain=example.org", "a=1"),
        ("own.test", "a=1; Domain=own.test", "a=1; Domain=own.test"),
        ("own.test", "a=1; Domain=.own.test", "a=1; Domain=.own.test"),
        ("shop.own.test", "a=1; Domain=own.test", "a=1"),
        ("own.test", "domain=own.test; Path=/", "domain=own.test; Path=/"),
    ],
)
def test_a_cookie_stays_with_its_host(host: str, cookie: str, sent: str) -> None:
    assert own_cookie(cookie, host, "example.org") == sent
