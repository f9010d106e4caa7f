"""`/api/notifications`: where the owner is told, as the owner sees it."""

from typing import Any

import pytest
from api_calls import Api

from fazt.notifications.events import KINDS
from fazt.store import audit
from fazt.store.audit import Filter

URL = "https://ntfy.example/secret-topic"


def make(api: Api, **body: Any) -> Any:
    made = api.ask("POST", "/api/notifications", {"name": "phone", "kind": "ntfy", "url": URL} | body)
    assert made.status == 201, made.body
    return made.json


def test_a_notification_is_made_shown_changed_and_removed(api: Api) -> None:
    made = make(api, secret="tk_s3cret")
    assert made | {"created_at": "", "revision": ""} == {
        "name": "phone",
        "kind": "ntfy",
        "url": URL,
        "events": list(KINDS),
        "enabled": True,
        "has_secret": True,
        "last": None,
        "created_at": "",
        "revision": "",
        "secret": "tk_s3cret",
    }
    shown = api.ask("GET", "/api/notifications/phone").json
    assert shown == {key: value for key, value in made.items() if key != "secret"}
    assert api.ask("GET", "/api/notifications").json == {"items": [shown], "next": None}
    changed = api.ask("PATCH", "/api/notifications/phone", {"events": ["sign_in", "deploy"], "enabled": False}).json
    assert (changed["events"], changed["enabled"]) == (["deploy", "sign_in"], False)
    assert api.ask("DELETE", "/api/notifications/phone").status == 204
    assert api.ask("GET", "/api/notifications/phone").status == 404


def test_a_webhook_gets_a_secret_and_ntfy_none(api: Api) -> None:
    assert len(make(api, name="hook", kind="webhook")["secret"]) >= 43
    assert (made := make(api))["secret"] is None
    assert not made["has_secret"]


def test_mail_is_told_to_be_missing(api: Api) -> None:
    asked = {"name": "post", "kind": "mail", "url": "https://example.org/"}
    refused = api.ask("POST", "/api/notifications", asked)
    assert (refused.status, refused.code) == (501, "not_available")
    assert "not available in this version" in refused.json["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "A b"},
        {"kind": "sms"},
        {"url": "ftp://example.org/"},
        {"url": "https://user:pass@example.org/"},
        {"secret": "tk with space"},
        {"events": []},
        {"events": ["party"]},
        {"events": ["test"]},
        {"more": 1},
    ],
)
def test_what_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.ask("POST", "/api/notifications", {"name": "phone", "kind": "ntfy", "url": URL} | body).status == 400
    assert api.ask("GET", "/api/notifications").json["items"] == []


def test_a_secret_does_not_follow_to_another_host(api: Api) -> None:
    make(api, secret="tk_1")
    assert api.ask("PATCH", "/api/notifications/phone", {"url": "https://ntfy.example/other"}).status == 200
    refused = api.ask("PATCH", "/api/notifications/phone", {"url": "https://evil.example/other"})
    assert refused.status == 400
    both = {"url": "https://evil.example/other", "secret": "tk_2"}
    assert api.ask("PATCH", "/api/notifications/phone", both).status == 200


def test_a_test_shows_how_it_went_and_stays_in_the_log(api: Api) -> None:
    make(api, url="http://127.0.0.1:9999/")
    tested = api.ask("POST", "/api/notifications/phone/test").json
    assert (tested["event"], tested["state"], tested["attempts"]) == ("test", "failed", 1)
    assert "notifications_private" in tested["error"]
    assert api.ask("GET", "/api/notifications/phone/deliveries").json == {"items": [tested], "next": None}
    assert api.ask("GET", "/api/notifications/phone").json["last"] == tested


def test_neither_secret_nor_topic_gets_into_the_audit_log(api: Api) -> None:
    make(api, secret="tk_s3cret")
    api.ask("PATCH", "/api/notifications/phone", {"secret": "tk_an0ther"})
    api.ask("DELETE", "/api/notifications/phone")
    found = api.database.read_blocking(audit.list_page, Filter(action="notification"), None, 10)
    assert [row.action.partition(".")[2] for row in reversed(found)] == ["create", "change", "remove"]
    text = repr(found)
    for hidden in ("s3cret", "an0ther", "secret-topic"):
        assert hidden not in text
    assert "https://ntfy.example" in text


def test_a_sign_in_from_a_new_place_is_told_once(api: Api) -> None:
    api.browser("ann")
    api.browser("ann")
    raised = api.parts.telling.notifications._raised
    assert [(each.event.kind, each.event.title) for each in raised] == [("sign_in", "ann signed in from a new place")]
