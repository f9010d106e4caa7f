"""`/api/hooks` and what senders deliver to `/_fazt/hooks/<name>`."""

import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from api_calls import Answer, Api, make_scope, opened

from fazt.api.hook_app import hook_app
from fazt.hooks import receiving
from fazt.settings import Settings
from fazt.store import audit, hooks
from fazt.store.audit import Filter

BODY = b'{"id": "evt_1", "ref": "main"}'
ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def make(api: Api, **body: Any) -> Any:
    made = api.ask("POST", "/api/hooks", {"name": "push", "style": "github", "secret": "s3cret"} | body)
    assert made.status == 201, made.body
    return made.json


def signed(body: bytes = BODY, secret: str = "s3cret", id: str | None = ID) -> list[tuple[str, str]]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    named = [] if id is None else [("x-github-delivery", id)]
    return [("x-hub-signature-256", f"sha256={digest}"), ("x-github-event", "push"), *named]


def deliver(
    api: Api,
    body: bytes = BODY,
    headers: list[tuple[str, str]] | None = None,
    *,
    name: str = "push",
    host: str = "localhost",
    method: str = "POST",
    address: str = "192.0.2.1",
) -> Answer:
    """Deliver as a sender does; without headers as GitHub."""
    scope = make_scope(method, f"/_fazt/hooks/{name}", signed(body) if headers is None else headers, None)
    scope["extensions"]["fazt"]["host"] = host
    scope["client"] = (address, 1)
    sent: list[Any] = []
    messages = [
        {"type": "http.request", "body": body[:7], "more_body": True},
        {"type": "http.request", "body": body[7:], "more_body": False},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    api.runner.run(_call(hook_app(api.parts.receiving.receiver), scope, receive, send))
    headers_sent = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers_sent, b"".join(message["body"] for message in sent[1:]))


async def _call(app: Any, *arguments: Any) -> None:
    await app(*arguments)


def deliveries(api: Api, name: str = "push") -> list[Any]:
    items: list[Any] = api.ask("GET", f"/api/hooks/{name}/deliveries").json["items"]
    return items


def test_a_hook_is_made_shown_changed_and_removed(api: Api) -> None:
    made = make(api)
    assert made["secret"] == "s3cret"
    assert made["url"] == "http://localhost:4698/_fazt/hooks/push"
    shown = api.ask("GET", "/api/hooks/push").json
    assert "secret" not in shown
    assert shown == {key: value for key, value in made.items() if key != "secret"}
    assert api.ask("GET", "/api/hooks").json["items"] == [shown]
    changed = api.ask("PATCH", "/api/hooks/push", {"enabled": False, "style": "hmac"}).json
    assert (changed["enabled"], changed["style"]) == (False, "hmac")
    assert api.ask("DELETE", "/api/hooks/push").status == 204
    assert api.ask("GET", "/api/hooks/push").status == 404


def test_a_secret_is_made_where_none_is_given(api: Api) -> None:
    made = make(api, secret=None)
    assert len(made["secret"]) >= 43
    assert deliver(api, headers=signed(secret=made["secret"])).status == 202
    assert make(api, name="open", style="none", secret=None)["secret"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"name": "A"},
        {"name": "a/b"},
        {"name": ""},
        {"name": "x" * 65},
        {"style": "gitlab"},
        {"style": "none"},
        {"style": "stripe", "secret": None},
        {"function": "run"},
        {"secret": ""},
        {"site": "nothing"},
        {"more": 1},
    ],
)
def test_what_is_refused(api: Api, body: dict[str, Any]) -> None:
    asked = {"name": "push", "style": "github", "secret": "s3cret"} | body
    refused = api.ask("POST", "/api/hooks", asked)
    assert refused.status in (400, 404)
    assert b"s3cret" not in refused.body
    assert api.ask("GET", "/api/hooks").json["items"] == []


def test_a_name_is_taken_once(api: Api) -> None:
    make(api)
    assert api.ask("POST", "/api/hooks", {"name": "push", "style": "none"}).code == "conflict"


def test_a_delivery_is_kept_with_what_is_no_secret(api: Api) -> None:
    make(api)
    more = [("authorization", "Bearer zyxw"), ("x-gitlab-token", "zyxw"), ("x-two", "1"), ("x-two", "2")]
    answer = deliver(api, headers=[*signed(), *more])
    assert (answer.status, answer.json["new"]) == (202, True)
    (item,) = deliveries(api)
    assert (item["id"], item["sender_id"], item["event"]) == (answer.json["id"], ID, "push")
    assert (item["bytes"], item["address"], item["job"]) == (len(BODY), "192.0.2.1", None)
    whole = api.ask("GET", f"/api/hooks/push/deliveries/{item['id']}").json
    assert (whole["body"].encode(), whole["encoding"]) == (BODY, "utf-8")
    assert whole["headers"]["authorization"] == "[hidden]"
    assert whole["headers"]["x-gitlab-token"] == "[hidden]"
    assert whole["headers"]["x-hub-signature-256"] == "[hidden]"
    assert whole["headers"]["x-two"] == "1, 2"
    assert b"zyxw" not in orjson.dumps(whole)
    assert api.ask("GET", "/api/hooks/push").json["received"] == 1


def test_bytes_that_are_no_text_are_shown_in_base64(api: Api) -> None:
    make(api)
    id = deliver(api, b"\xff\0").json["id"]
    whole = api.ask("GET", f"/api/hooks/push/deliveries/{id}").json
    assert (whole["body"], whole["encoding"]) == ("/wA=", "base64")


def test_a_delivery_of_the_same_id_is_kept_once(api: Api) -> None:
    make(api)
    first = deliver(api)
    again = deliver(api)
    assert (again.status, again.json) == (200, {"id": first.json["id"], "new": False})
    assert len(deliveries(api)) == 1
    deliver(api, headers=signed(id=None))
    deliver(api, headers=signed(id=None))
    assert len(deliveries(api)) == 3


def test_a_stripe_event_is_kept_once(api: Api) -> None:
    make(api, style="stripe", secret="whsec_x")
    for seconds in (0, 1):
        at = int(time.time()) - seconds
        digest = hmac.new(b"whsec_x", b"%d.%s" % (at, BODY), hashlib.sha256).hexdigest()
        answer = deliver(api, headers=[("stripe-signature", f"t={at},v1={'0' * 64},v1={digest},v0=x")])
        assert (answer.status, answer.json["new"]) == ((200, False) if seconds else (202, True))
    assert [item["sender_id"] for item in deliveries(api)] == ["evt_1"]


def test_a_wrong_signature_leaves_nothing_but_a_count(api: Api) -> None:
    make(api)
    for headers in (signed(secret="other"), [], [("x-hub-signature-256", "sha256=")], signed() + signed()):
        assert (deliver(api, headers=headers).status, deliveries(api)) == (401, [])
    assert api.ask("GET", "/api/hooks/push").json["refused"] == 4
    api.runner.run(api.parts.receiving.refusals.flush())
    assert api.database.read_blocking(hooks.get, "push").refused == 4
    assert api.ask("GET", "/api/hooks/push").json["refused"] == 4


def test_what_is_no_hook_here_looks_the_same(api: Api) -> None:
    api.deploy("blog", {"index.html": b"1"})
    make(api)
    make(api, name="blogs", site="blog")
    make(api, name="off")
    api.ask("PATCH", "/api/hooks/off", {"enabled": False})
    asked = [("nothing", "localhost"), ("blogs", "localhost"), ("push", "blog.localhost"), ("off", "localhost")]
    asked += [("blogs", "other.localhost"), ("blogs", "dashboard.localhost"), ("Push", "localhost"), ("", "localhost")]
    answers = [deliver(api, name=name, host=host) for name, host in asked]
    assert {(answer.status, answer.body) for answer in answers} == {(404, answers[0].body)}
    assert deliver(api, name="push", host="www.localhost").status == 202
    assert deliver(api, name="blogs", host="blog.localhost").status == 202
    for name in ("push", "nothing"):
        refused = deliver(api, name=name, method="GET")
        assert (refused.status, refused.headers["allow"]) == (405, "POST")


def test_hooks_of_the_root_site_answer_on_both_names_of_the_domain(tmp_path: Path) -> None:
    for www in ("redirect-to-www", "redirect-to-bare"):
        with opened(tmp_path / f"{www}.db", Settings(www=www)) as api:
            api.deploy("root", {"index.html": b"1"})
            make(api, name="roots", site="root")
            make(api, name="servers")
            for name in ("roots", "servers"):
                for number, host in enumerate(("localhost", "www.localhost")):
                    assert deliver(api, headers=signed(id=f"{number}"), name=name, host=host).status == 202
                assert deliver(api, name=name, host="blog.localhost").status == 404


def test_a_body_has_a_limit(api: Api) -> None:
    make(api)
    assert deliver(api, b"x" * receiving.MAX_BODY_BYTES).status == 202
    assert deliver(api, b"x" * (receiving.MAX_BODY_BYTES + 1)).status == 413
    headers = [*signed(), ("content-length", str(receiving.MAX_BODY_BYTES + 1))]
    assert deliver(api, headers=headers).status == 413
    assert len(deliveries(api)) == 1


def test_an_address_that_sends_too_much_has_to_wait(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "ADDRESS_BURST", 2)
    monkeypatch.setattr(api.parts.receiving.receiver, "_by_address", receiving.Rates(2, 0.1))
    make(api)
    assert [deliver(api, headers=[]).status for _ in range(3)] == [401, 401, 429]
    refused = deliver(api)
    assert (refused.code, int(refused.headers["retry-after"]) > 0) == ("rate_limited", True)
    assert deliver(api, address="192.0.2.2").status == 202


def test_a_function_gets_the_delivery_as_a_job(api: Api) -> None:
    api.deploy("blog", {"api/_jobs/build.js": b"export default async (data) => data.body.length;"})
    make(api, site="blog", function="build")
    answer = deliver(api, host="blog.localhost")
    (job,) = api.ask("GET", "/api/jobs?site=blog").json["items"]
    assert (job["name"], job["handler"], job["state"]) == ("build", "api/_jobs/build.js", "waiting")
    data = job["data"]
    assert (data["hook"], data["delivery"], data["sender_id"]) == ("push", answer.json["id"], ID)
    assert (data["body"].encode(), data["encoding"]) == (BODY, "utf-8")
    assert data["headers"]["x-hub-signature-256"] == "[hidden]"
    assert deliveries(api)[0]["job"] == job["id"]
    assert deliver(api, host="blog.localhost").status == 200
    assert len(api.ask("GET", "/api/jobs?site=blog").json["items"]) == 1
    again = api.ask("POST", f"/api/hooks/push/deliveries/{answer.json['id']}/replay").json
    assert (again["replays"], again["job"] != job["id"]) == (1, True)
    assert len(api.ask("GET", "/api/jobs?site=blog").json["items"]) == 2


def test_a_delivery_that_no_job_can_hold_is_refused_whole(api: Api) -> None:
    api.deploy("blog", {"index.html": b"1"})
    make(api, site="blog", function="build")
    assert deliver(api, b"x" * 300_000, host="blog.localhost").status == 413
    assert deliveries(api) == []
    assert api.ask("GET", "/api/jobs?site=blog").json["items"] == []


def test_without_a_function_there_is_nothing_to_replay(api: Api) -> None:
    make(api)
    id = deliver(api).json["id"]
    assert api.ask("POST", f"/api/hooks/push/deliveries/{id}/replay").code == "conflict"
    assert api.ask("GET", "/api/hooks/push/deliveries/nothing").status == 404


def test_a_hook_goes_with_its_site(api: Api) -> None:
    api.deploy("blog", {"index.html": b"1"})
    make(api, site="blog")
    deliver(api, host="blog.localhost")
    assert api.ask("DELETE", "/api/sites/blog").status == 204
    assert api.ask("GET", "/api/hooks").json["items"] == []


def test_the_newest_are_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "KEEP_DELIVERIES", 3)
    make(api, style="none", secret=None)
    ids = [deliver(api, b"%d" % number, []).json["id"] for number in range(5)]
    assert [item["id"] for item in deliveries(api)] == ids[:1:-1]
    monkeypatch.setattr(hooks, "KEEP_BYTES", 10)
    ids = [deliver(api, b"x" * 4, []).json["id"] for number in range(5)]
    assert [item["id"] for item in deliveries(api)] == ids[:2:-1]
    last = api.database.read_blocking(hooks.get, "push").received_at
    assert last is not None
    api.database.write_blocking(hooks.trim_old, last + hooks.KEEP_MS + 1)
    assert deliveries(api) == []


def test_who_may_do_what(api: Api) -> None:
    for site in ("blog", "shop"):
        api.deploy(site, {"index.html": b"1"})
    make(api)
    make(api, name="shops", site="shop", secret=None)
    editor = api.token("read", "deploy", site="blog")
    made = api.ask("POST", "/api/hooks", {"name": "mine", "site": "blog"}, token=editor)
    assert made.status == 201
    for site in (None, "shop"):
        assert api.ask("POST", "/api/hooks", {"name": "x", "site": site}, token=editor).status == 403
    assert [hook["name"] for hook in api.ask("GET", "/api/hooks", token=editor).json["items"]] == ["mine"]
    assert api.ask("GET", "/api/hooks?site=shop", token=editor).status == 403
    for name in ("push", "shops"):
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/deliveries")):
            body = {} if method == "PATCH" else None
            assert api.ask(method, f"/api/hooks/{name}{path}", body, token=editor).status == 403
    viewer = api.token("read", site="blog")
    assert api.ask("GET", "/api/hooks/mine", token=viewer).status == 200
    id = deliver(api, headers=[], name="push").status  # not signed
    assert id == 401
    assert api.ask("GET", "/api/hooks/mine/deliveries/x", token=viewer).status == 403
    assert api.ask("DELETE", "/api/hooks/mine", token=editor).status == 204
    deployer = api.token("deploy")
    assert api.ask("DELETE", "/api/hooks/push", token=deployer).status == 403


def test_no_secret_gets_into_the_audit_log(api: Api) -> None:
    make(api)
    api.ask("PATCH", "/api/hooks/push", {"secret": "an0ther"})
    deliver(api, headers=signed(secret="s3cret"))
    assert deliver(api, headers=signed(secret="an0ther")).status == 202
    api.ask("DELETE", "/api/hooks/push")
    found = api.database.read_blocking(audit.list_page, Filter(action="hook"), None, 10)
    assert [row.action for row in reversed(found)] == ["hook.create", "hook.change", "hook.remove"]
    text = repr(found)
    assert "s3cret" not in text
    assert "an0ther" not in text
    assert "changed" in repr(found[1].after)
