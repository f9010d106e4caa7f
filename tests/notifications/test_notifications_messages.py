"""What goes over the wire: nothing that an event says gets out of its place."""

import base64
import hashlib
import hmac
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.errors import InvalidInput
from fazt.notifications.events import KINDS, LONGEST_TEXT, LONGEST_TITLE, make_event
from fazt.notifications.messages import check_secret, check_url, header_text, make_request, sign
from fazt.store.notifications import Channel, Notice


def channel(kind: Any = "webhook", url: str = "https://example.org/hook") -> Channel:
    return Channel(1, "phone", kind, url, None, KINDS, True, 0)


def notice(title: str = "Title", text: str = "Text", event: str = "deploy") -> Notice:
    made = make_event(event, title, text, "blog", 1000)
    told = (made.title, made.text, made.site)
    return Notice(1, "a1", 1, event, *told, "waiting", 0, 1000, None, None, None, None, 1000, None)


def test_a_webhook_is_signed_over_time_and_body() -> None:
    request = make_request(channel(), "s3cret", notice(), "example.org", 1234)
    headers = dict(request.headers)
    assert isinstance(request.body, bytes)
    expected = hmac.new(b"s3cret", b"1234." + request.body, hashlib.sha256).hexdigest()
    assert headers["Fazt-Signature"] == f"t=1234,v1={expected}" == sign("s3cret", 1234, request.body)
    assert (headers["Fazt-Event"], headers["Fazt-Delivery"]) == ("deploy", "a1")
    assert (request.method, request.redirect) == ("POST", "manual")
    assert orjson.loads(request.body) == {
        "id": "a1",
        "event": "deploy",
        "title": "Title",
        "text": "Text",
        "site": "blog",
        "server": "example.org",
        "at": 1000,
    }


def test_an_ntfy_topic_gets_title_priority_and_tags() -> None:
    request = make_request(channel("ntfy"), "tk_1", notice("blog fails", "Look", "error_burst"), "example.org", 1)
    headers = dict(request.headers)
    assert (headers["Title"], headers["Priority"], headers["Tags"]) == ("blog fails", "4", "rotating_light")
    assert headers["Authorization"] == "Bearer tk_1"
    assert request.body == b"Look"
    assert "Authorization" not in dict(make_request(channel("ntfy"), None, notice(), "x", 1).headers)
    assert make_request(channel("ntfy"), None, notice("Only", ""), "x", 1).body == b"Only"


@given(st.text(), st.text())
def test_no_event_can_begin_a_header_line(title: str, text: str) -> None:
    for kind in ("ntfy", "webhook"):
        request = make_request(channel(kind), "s3cret", notice(title, text), "example.org", 1)
        for name, value in request.headers:
            assert re.fullmatch(r"[!-~]+", name)
            assert re.fullmatch(r"[ -~]*", value), value
        assert isinstance(request.body, bytes)
        assert len(request.body) < 40_000


@given(st.text())
def test_what_is_no_ascii_comes_back_from_the_encoded_word(text: str) -> None:
    title = make_event("deploy", text, "", None, 0).title
    value = header_text(title)
    word = re.fullmatch(r"=\?UTF-8\?B\?([A-Za-z0-9+/=]*)\?=", value)
    assert (base64.b64decode(word[1]).decode() if word else value) == title


@given(st.text(max_size=6000), st.text(max_size=6000))
def test_what_is_told_is_bounded_and_holds_no_control_character(title: str, text: str) -> None:
    event = make_event("deploy", title, text, None, 0)
    assert 0 < len(event.title) <= LONGEST_TITLE
    assert len(event.text) <= LONGEST_TEXT
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u202e]", event.title)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", event.text)
    event.text.encode()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "example.org",
        "//example.org/",
        "https://user:password@example.org/",
        "https://example.org/#part",
        "https://example.org/ x",
        "https://example.org/\r\nX: y",
        "https:\\\\example.org\\",
        "javascript:alert(1)",
        "https://" + "x" * 3000,
        "https://example.org/" + "x" * 3000,
        "",
    ],
)
def test_where_no_notification_goes(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url)


def test_a_url_is_kept_in_its_one_spelling() -> None:
    assert check_url("HTTPS://EXAMPLE.org:443/a/../tópic") == "https://example.org/t%C3%B3pic"
    assert check_url("http://192.168.1.2:8080/topic") == "http://192.168.1.2:8080/topic"


def test_a_token_of_ntfy_is_one_word() -> None:
    check_secret("webhook", "any thing\r\n")
    check_secret("ntfy", "tk_abc")
    for secret in ("tk abc", "tk\r\nX: y", "tökën", ""):
        with pytest.raises(InvalidInput):
            check_secret("ntfy", secret)
