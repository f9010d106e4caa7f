"""The beacon and the pixel: what anybody may send is counted, bounded, and never believed too much."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from api_calls import Answer, Api, make_scope

from fazt.api import beacon as module
from fazt.api.beacon import GIF, beacon_app

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
HOST = "blog.localhost"


class Visitor:
    """Sends to the beacon as a page of a site does."""

    def __init__(self, api: Api) -> None:
        self.api = api
        hosting = api.parts.hosting
        self.app = beacon_app(api.database, hosting, api.visits)
        self.site: str | None = None

    def send(
        self,
        method: str = "POST",
        target: str = "/_fazt/beacon",
        body: bytes = b"",
        *fields: tuple[str, str],
        host: str = HOST,
        client: str = "192.0.2.1",
        kind: str = "http",
    ) -> Answer:
        return self.api.runner.run(self._send(method, target, body, fields, host, client, kind))

    async def _send(
        self,
        method: str,
        target: str,
        body: bytes,
        fields: Sequence[tuple[str, str]],
        host: str,
        client: str,
        kind: str,
    ) -> Answer:
        agent = [] if any(name == "user-agent" for name, _ in fields) else [("user-agent", FIREFOX)]
        scope = make_scope(method, target, [*fields, *agent], None)
        scope["type"], scope["client"] = kind, (client, 1)
        scope["extensions"]["fazt"]["host"] = host
        pieces = [body[:1000], body[1000:]]
        sent: list[Any] = []

        async def receive() -> Any:
            if not pieces:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        self.site = scope["extensions"]["fazt"]["site"]
        if kind == "websocket":
            return Answer(0, {}, orjson.dumps(sent))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:]))

    def statistics(self) -> Any:
        self.api.runner.run(self.api.visits.flush())
        return self.api.ask("GET", "/api/sites/blog/statistics").json


@pytest.fixture
def visitor(api: Api) -> Visitor:
    api.ask("POST", "/api/sites", {"name": "blog"})
    return Visitor(api)


def beacon(**told: str) -> bytes:
    return orjson.dumps(told)


def test_views_and_events_are_counted(visitor: Visitor) -> None:
    body = beacon(view="/page", referrer="https://news.example/x")
    answer = visitor.send(
        "POST", "/_fazt/beacon", body, ("origin", f"http://{HOST}:4698"), ("sec-fetch-site", "same-origin")
    )
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (204, b"", "no-store")
    assert visitor.site == "blog"
    assert visitor.send(body=beacon(event="signup"), client="192.0.2.2").status == 204
    pixel = visitor.send("GET", "/_fazt/pixel.gif?path=/mail%3Fa", client="192.0.2.3")
    assert (pixel.status, pixel.body, pixel.headers["content-type"]) == (200, GIF, "image/gif")
    assert pixel.headers["cache-control"] == "no-store"
    assert visitor.send("GET", "/_fazt/pixel.gif?path=/mine", b"", ("referer", f"http://{HOST}/a")).status == 200
    found = visitor.statistics()
    assert found["totals"]["views"] == 3
    assert found["totals"]["visitors"] == 2
    assert {each["name"] for each in found["pages"]} == {"/page", "/mail?a", "/mine"}
    assert found["referrers"] == [{"name": "news.example", "count": 1}]
    assert found["events"] == [{"name": "signup", "count": 1}]


@pytest.mark.parametrize(
    ("method", "target", "body", "fields"),
    [
        ("POST", "/_fazt/beacon", beacon(view="/"), [("dnt", "1")]),
        ("POST", "/_fazt/beacon", beacon(event="a"), [("sec-gpc", "1")]),
        ("POST", "/_fazt/beacon", beacon(view="/"), [("user-agent", "curl/8")]),
        ("GET", "/_fazt/pixel.gif?path=/", b"", [("sec-gpc", "1")]),
        ("GET", "/_fazt/pixel.gif?path=/", b"", [("referer", "https://evil.example/")]),
        ("GET", "/_fazt/pixel.gif?path=/", b"", [("sec-fetch-site", "cross-site")]),
        ("GET", "/_fazt/pixel.gif?path=https://x", b"", []),
        ("GET", "/_fazt/pixel.gif?" + "a=b&" * 200, b"", []),
        ("HEAD", "/_fazt/pixel.gif?path=/", b"", []),
    ],
)
def test_what_is_answered_and_not_counted(
    visitor: Visitor, method: str, target: str, body: bytes, fields: list[tuple[str, str]]
) -> None:
    assert visitor.send(method, target, body, *fields).status in (200, 204)
    found = visitor.statistics()
    assert found["totals"]["views"] == found["totals"]["visitors"] == 0
    assert found["events"] == []


@pytest.mark.parametrize(
    ("method", "target", "body", "fields", "status"),
    [
        ("POST", "/_fazt/beacon", b"{", [], 400),
        ("POST", "/_fazt/beacon", beacon(view="/" + "a" * 5000), [], 413),
        ("POST", "/_fazt/beacon", beacon(view="/"), [("origin", "https://evil.example")], 403),
        ("POST", "/_fazt/beacon", beacon(view="/"), [("sec-fetch-site", "cross-site")], 403),
        ("GET", "/_fazt/beacon", b"", [], 405),
        ("POST", "/_fazt/pixel.gif", b"", [], 405),
        ("GET", "/_fazt/pixel.png", b"", [], 404),
        ("GET", "/_fazt/beacon/more", b"", [], 404),
    ],
)
def test_what_is_refused(
    visitor: Visitor, method: str, target: str, body: bytes, fields: list[tuple[str, str]], status: int
) -> None:
    answer = visitor.send(method, target, body, *fields)
    assert answer.status == status
    assert answer.json["error"]["message"]
    assert ("allow" in answer.headers) == (status == 405)


def test_hosts_without_a_site_and_previews(visitor: Visitor) -> None:
    assert visitor.send(body=beacon(view="/"), host="nobody.localhost").status == 404
    assert visitor.site is None
    assert visitor.send(body=beacon(view="/"), host="12345678--blog.localhost").status == 204
    assert visitor.statistics()["totals"]["views"] == 0
    assert visitor.send(kind="websocket").json == [{"type": "websocket.close"}]


def test_an_address_is_counted_so_often(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "A_SECOND", 0.0)
    visitor.app = beacon_app(visitor.api.database, visitor.api.parts.hosting, visitor.api.visits)
    answers = [visitor.send(body=beacon(event=f"e{number}")).status for number in range(70)]
    assert answers == [204] * 60 + [429] * 10
    assert visitor.send(body=beacon(event="more")).headers["retry-after"] == "30"
    assert visitor.send(body=beacon(event="more"), client="192.0.2.2").status == 204


def test_any_number_of_events_is_a_bounded_number_of_names(visitor: Visitor) -> None:
    for number in range(400):
        visitor.send(body=beacon(event=f"<b>{number}</b>\u202e"), client=f"192.0.2.{number % 200}")
    events = visitor.statistics()["events"]
    assert len(events) <= 101
    assert sum(each["count"] for each in events) == 400
    assert events[-1]["name"] == "other"
    assert all(each["name"].isprintable() for each in events)
