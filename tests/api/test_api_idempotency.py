"""A request with a key is done once, however often and however at once it comes."""

import asyncio
import os
import uuid
from typing import Any

import pytest
from api_calls import Answer, Api, wanted

from fazt.api.idempotency import KEPT
from fazt.store import idempotency
from fazt.store.database import now_ms

KEY = "0d5a8a3e-6d0a-4c4e-9e35-0f3c2f6f0a11"
LINK = {"target": "https://example.org/"}


def post(api: Api, target: str, body: Any, key: str = KEY, token: str | None = None) -> Answer:
    return api.ask("POST", target, body, headers=[("Idempotency-Key", key)], token=token)


async def ask(api: Api) -> Answer:
    return await api.call("POST", "/api/links", LINK, None, os.getuid(), [("Idempotency-Key", KEY)])


def links(api: Api) -> int:
    return len(api.ask("GET", "/api/links").json["items"])


def rows(api: Api) -> int:
    return api.database.read_blocking(lambda connection: connection.execute("SELECT count(*) FROM idempotency").get)


def test_the_same_request_is_answered_again(api: Api) -> None:
    first = post(api, "/api/links", LINK)
    again = post(api, "/api/links", LINK)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["cache-control"] == "no-store"
    assert links(api) == 1
    assert post(api, "/api/links", LINK, str(uuid.uuid4())).json["slug"] != first.json["slug"]
    assert links(api) == 2


def test_another_request_with_the_same_key_is_refused(api: Api) -> None:
    post(api, "/api/links", LINK)
    for target, body in (("/api/links", LINK | {"label": "a"}), ("/api/links?a=1", LINK), ("/api/sites", LINK)):
        refused = post(api, target, body)
        assert (refused.status, refused.code) == (422, "idempotency_mismatch")
    assert links(api) == 1


def test_a_key_is_its_callers_own(api: Api) -> None:
    ours = post(api, "/api/links", LINK)
    theirs = post(api, "/api/links", LINK, token=api.token("admin"))
    assert ours.json["slug"] != theirs.json["slug"]


def test_ten_at_once_have_one_effect(api: Api) -> None:
    async def together() -> list[Answer]:
        return await asyncio.gather(*(ask(api) for _ in range(10)))

    answers = api.runner.run(together())
    done = {answer.body for answer in answers if answer.status == 201}
    assert len(done) == 1
    assert {answer.status for answer in answers} <= {201, 409}
    assert {answer.code for answer in answers if answer.status == 409} <= {"idempotency_conflict"}
    assert links(api) == 1
    assert {post(api, "/api/links", LINK).body} == done


def test_a_client_that_goes_away_learns_later_how_it_ended(api: Api) -> None:
    async def ask_and_leave() -> None:
        asked = asyncio.ensure_future(ask(api))
        while not (under_way := [task for task in asyncio.all_tasks() if "Idempotency._do" in repr(task.get_coro())]):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, *under_way, return_exceptions=True)

    api.runner.run(ask_and_leave())
    assert post(api, "/api/links", LINK).headers["idempotent-replayed"] == "true"
    assert links(api) == 1


@pytest.mark.parametrize(
    ("target", "body", "secret"),
    [
        ("/api/tokens", {"actions": ["read"]}, "token"),
        ("/api/invites", {"role": "viewer"}, "secret"),
        ("/api/hooks", {"name": "push", "site": None, "style": "github"}, "secret"),
        ("/api/sites/blog/shares", {"label": "a"}, "url"),
        ("/api/notifications", {"name": "a", "kind": "webhook", "url": "https://example.org/"}, "secret"),
    ],
)
def test_secrets_are_not_kept(api: Api, target: str, body: Any, secret: str) -> None:
    api.deploy("blog", {"index.html": b"1"})
    first = post(api, target, body)
    assert first.status == 201, first.body
    again = post(api, target, body)
    assert (again.status, again.code) == (409, "idempotency_conflict")
    assert "is not kept" in again.json["error"]["message"]
    assert len(api.ask("GET", target).json["items"]) == 1
    kept = api.database.read_blocking(
        lambda connection: connection.execute("SELECT key, fingerprint, status, body FROM idempotency").fetchall()
    )
    assert [row[2:] for row in kept] == [(201, None)]
    assert first.json[secret].encode() not in b"".join(kept[0][:2])


def test_no_call_that_tells_a_secret_is_kept() -> None:
    for path in ("tokens", "invites", "hooks", "notifications", "sites/blog/shares", "account/totp", "setup/link"):
        assert not KEPT.fullmatch(f"/api/{path}")


def test_what_was_refused_may_be_asked_again(api: Api) -> None:
    post(api, "/api/sites", {"name": "blog"}, str(uuid.uuid4()))
    assert post(api, "/api/sites", {"name": "blog"}).status == 409
    api.ask("DELETE", "/api/sites/blog")
    assert post(api, "/api/sites", {"name": "blog"}).status == 201


def test_what_was_interrupted_is_not_done_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("fazt.store.links.add", fail)
        assert post(api, "/api/links", LINK).status == 500
    again = post(api, "/api/links", LINK)
    assert (again.status, again.code) == (409, "idempotency_conflict")
    assert "interrupted" in again.json["error"]["message"]


@pytest.mark.parametrize("key", ["", "short", "x" * 201, "with a space in it 1", "é" * 16])
def test_a_key_that_is_none(api: Api, key: str) -> None:
    assert post(api, "/api/links", LINK, key).code == "invalid_input"
    assert links(api) == 0


def test_two_keys_and_calls_that_take_none(api: Api) -> None:
    twice = [("Idempotency-Key", KEY), ("Idempotency-Key", KEY)]
    assert api.ask("POST", "/api/links", LINK, headers=twice).code == "invalid_input"
    for target in ("/api/blobs", "/api/sites/blog/upload"):
        assert post(api, target, b"x").code == "invalid_input"
    # Where nothing is made a key changes nothing.
    assert api.ask("GET", "/api/links", headers=[("Idempotency-Key", "short")]).status == 200
    assert rows(api) == 0


def test_a_deploy_may_bring_its_key_along(api: Api) -> None:
    body = {"files": [wanted("index.html", b"1")]}
    assert post(api, "/api/sites/blog/versions", body).code == "blobs_missing"
    api.deploy("other", {"index.html": b"1"})
    first = post(api, "/api/sites/blog/versions", body)
    assert first.status == 201
    assert post(api, "/api/sites/blog/versions", body).body == first.body


def test_a_day_later_a_key_is_new(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    post(api, "/api/links", LINK)
    now = now_ms()
    monkeypatch.setattr(idempotency, "now_ms", lambda: now + idempotency.KEPT_MS + 1000)
    assert "idempotent-replayed" not in post(api, "/api/links", LINK).headers
    assert (links(api), rows(api)) == (2, 1)
    monkeypatch.setattr(idempotency, "now_ms", lambda: now + 3 * idempotency.KEPT_MS)
    api.runner.run(api.collector.collect())
    assert rows(api) == 0
