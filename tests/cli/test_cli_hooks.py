"""`fazt links`, `fazt hooks` and `fazt notifications`: what they ask the API for, and what they print."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

AT = "2026-11-26T12:00:00.000Z"
LINK = {
    "slug": "talk",
    "url": "http://localhost:4698/r/talk",
    "target": "https://example.org/",
    "label": "slides",
    "clicks": 3,
    "last_clicked_at": AT,
    "created_at": AT,
}
HOOK = {
    "name": "pushes",
    "site": "blog",
    "url": "http://blog.localhost:4698/_fazt/hooks/pushes",
    "style": "github",
    "function": "build",
    "enabled": True,
    "received": 2,
    "last_received_at": AT,
    "refused": 1,
    "last_refused_at": None,
    "created_at": AT,
}
DELIVERY = {
    "id": "8c1f03ab52d94e7710aa",
    "sender_id": "x",
    "at": AT,
    "address": "192.0.2.1",
    "bytes": 12,
    "event": "push",
    "job": "1234",
    "replays": 0,
}
NOTICE = {
    "id": "9",
    "event": "deploy",
    "title": "blog was deployed",
    "text": "",
    "site": "blog",
    "state": "sent",
    "attempts": 1,
    "status": 200,
    "answer": "ok",
    "error": None,
    "duration_ms": 12,
    "at": AT,
    "tried_at": AT,
    "next_at": None,
}
PHONE = {
    "name": "phone",
    "kind": "ntfy",
    "url": "https://ntfy.example/topic",
    "events": ["deploy"],
    "enabled": True,
    "has_secret": False,
    "last": NOTICE,
    "created_at": AT,
}
ONE_HOOK = "/api/hooks/pushes"
ONE_DELIVERY = f"{ONE_HOOK}/deliveries/{DELIVERY['id']}"


def page(*items: Any) -> Any:
    return 200, {"items": list(items), "next": None}


@pytest.fixture
def api(server: Any) -> Any:
    server.answers = {
        ("GET", "/api/links"): page(LINK),
        ("POST", "/api/links"): (201, LINK),
        ("PATCH", "/api/links/talk"): (200, LINK),
        ("DELETE", "/api/links/talk"): (204, None),
        ("GET", "/api/hooks"): page(HOOK, HOOK | {"name": "all", "site": None, "function": None, "enabled": False}),
        ("POST", "/api/hooks"): (201, HOOK | {"secret": "made-secret"}),
        ("GET", ONE_HOOK): (200, HOOK),
        ("PATCH", ONE_HOOK): (200, HOOK),
        ("DELETE", ONE_HOOK): (204, None),
        ("GET", f"{ONE_HOOK}/deliveries"): page(DELIVERY),
        ("GET", ONE_DELIVERY): (200, DELIVERY | {"headers": {}, "body": "hello", "encoding": "utf-8"}),
        ("POST", f"{ONE_DELIVERY}/replay"): (200, DELIVERY),
        ("GET", "/api/notifications"): page(PHONE, PHONE | {"name": "new", "last": None}),
        ("POST", "/api/notifications"): (201, PHONE | {"secret": "made-secret"}),
        ("PATCH", "/api/notifications/phone"): (200, PHONE),
        ("DELETE", "/api/notifications/phone"): (204, None),
        ("POST", "/api/notifications/phone/test"): (200, NOTICE),
        ("GET", "/api/notifications/phone/deliveries"): page(NOTICE),
    }
    return server


@pytest.mark.parametrize(
    ("line", "method", "path", "body", "shown"),
    [
        ("links list", "GET", "/api/links", None, "https://example.org/"),
        (
            "links create https://example.org/ --slug talk",
            "POST",
            "/api/links",
            {"target": "https://example.org/", "slug": "talk", "label": ""},
            "http://localhost:4698/r/talk\n",
        ),
        (
            "links set talk --to https://x.example/",
            "PATCH",
            "/api/links/talk",
            {"target": "https://x.example/"},
            "talk",
        ),
        ("links remove talk", "DELETE", "/api/links/talk", None, "leads nowhere"),
        ("hooks list", "GET", "/api/hooks", None, "the server"),
        ("hooks show pushes", "GET", ONE_HOOK, None, "build"),
        ("hooks set pushes --off", "PATCH", ONE_HOOK, {"enabled": False}, "changed"),
        ("hooks set pushes --function=", "PATCH", ONE_HOOK, {"function": None}, "changed"),
        ("hooks remove pushes", "DELETE", ONE_HOOK, None, "takes nothing"),
        ("hooks deliveries pushes", "GET", f"{ONE_HOOK}/deliveries", None, "192.0.2.1"),
        (f"hooks delivery pushes {DELIVERY['id']}", "GET", ONE_DELIVERY, None, "hello\n"),
        (f"hooks replay pushes {DELIVERY['id']}", "POST", f"{ONE_DELIVERY}/replay", None, "1234"),
        ("notifications list", "GET", "/api/notifications", None, "nothing yet"),
        ("notifications set phone --event disk", "PATCH", "/api/notifications/phone", {"events": ["disk"]}, "changed"),
        ("notifications remove phone", "DELETE", "/api/notifications/phone", None, "nothing any more"),
        ("notifications test phone", "POST", "/api/notifications/phone/test", None, "status 200"),
        ("notifications log phone", "GET", "/api/notifications/phone/deliveries", None, "blog was deployed"),
    ],
)
def test_what_a_command_asks_and_prints(
    run: Callable[..., Any], api: Any, line: str, method: str, path: str, body: Any, shown: str
) -> None:
    done = run(*line.split())
    assert done.code == 0, done.err
    asked = api.asked[-1]
    assert (asked.method, asked.path, asked.body or None) == (method, path, body)
    assert shown in done.out
    if method == "GET":
        assert orjson.loads(run(*line.split(), "--json").out) is not None


def test_a_hook_prints_the_secret_that_was_made_and_no_other(run: Callable[..., Any], api: Any) -> None:
    line = ("hooks", "create", "pushes", "--style", "github", "--site", "blog", "--function", "build")
    made = run(*line)
    assert "made-secret" in made.out
    assert "not shown again" in made.err
    assert api.asked[-1].body == {
        "name": "pushes",
        "style": "github",
        "site": "blog",
        "function": "build",
        "secret": None,
    }
    given = run(*line, "--secret", stdin=b"my own\n")
    assert api.asked[-1].body["secret"] == "my own"
    assert "made-secret" not in given.out
    assert "my own" not in given.out + given.err


def test_a_notification_takes_its_secret_from_a_file(run: Callable[..., Any], api: Any, tmp_path: Any) -> None:
    (tmp_path / "token").write_text("tk_1\n")
    done = run(
        "notifications", "create", "phone", "https://ntfy.example/topic", "--secret-file", "token", "--event", "disk"
    )
    assert done.code == 0
    assert api.asked[-1].body == {
        "name": "phone",
        "kind": "ntfy",
        "url": "https://ntfy.example/topic",
        "secret": "tk_1",
        "events": ["disk"],
    }
    assert "tk_1" not in done.out + done.err


def test_a_test_that_does_not_arrive_fails(run: Callable[..., Any], api: Any) -> None:
    api.answers["POST", "/api/notifications/phone/test"] = (
        200,
        NOTICE | {"state": "failed", "error": "It answered with status 500."},
    )
    done = run("notifications", "test", "phone")
    assert done.code == 1
    assert "status 500" in done.err


@pytest.mark.parametrize("line", ["links set talk", "hooks set pushes", "notifications set phone"])
def test_a_change_says_what_is_to_change(run: Callable[..., Any], api: Any, line: str) -> None:
    assert run(*line.split()).code == 2
    assert api.asked == []


@pytest.mark.parametrize("group", ["links", "hooks", "notifications"])
def test_an_empty_list_teaches(run: Callable[..., Any], api: Any, group: str) -> None:
    api.answers["GET", f"/api/{group}"] = page()
    assert f"fazt {group} create" in run(group, "list").out


def test_what_is_no_text_comes_out_as_it_is(run: Callable[..., Any], api: Any) -> None:
    whole = DELIVERY | {"headers": {}, "body": "aGkAdGhlcmU=", "encoding": "base64"}
    api.answers["GET", ONE_DELIVERY] = (200, whole)
    done = run("hooks", "delivery", "pushes", DELIVERY["id"])
    assert (done.code, done.out) == (0, "hi\0there")
