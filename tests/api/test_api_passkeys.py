"""Passkeys: made, used, taken away; and everything that must not pass for one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from api_calls import PASSWORD, Answer, Api, Browser
from authenticator import ORIGIN, USER_PRESENT, Authenticator

from fazt.auth import passkeys as checks
from fazt.store import audit, passkeys
from fazt.store.audit import Filter


def add(browser: Browser, device: Authenticator, label: str = "laptop") -> Answer:
    asked = browser.ask("POST", "/api/account/passkeys/options").json
    body = {"id": asked["id"], "credential": device.make(asked["options"]), "label": label}
    return browser.ask("POST", "/api/account/passkeys", body)


def asked(browser: Browser, **body: Any) -> Any:
    return browser.ask("POST", "/api/session/passkey/options", body).json


def sign_in(browser: Browser, device: Authenticator) -> Answer:
    made = asked(browser)
    credential = device.use(made["options"])
    return browser.ask("POST", "/api/session/passkey", {"id": made["id"], "credential": credential})


def test_a_passkey_is_made_used_and_taken_away(api: Api) -> None:
    browser, device = api.browser("ann"), Authenticator()
    made = add(browser, device)
    assert (made.status, made.json["label"], made.json["last_used_at"]) == (201, "laptop", None)
    assert browser.ask("GET", "/api/account").json["passkeys"] == 1
    other = api.browser()
    signed = sign_in(other, device)
    assert (signed.status, signed.json["state"], signed.json["user"]["name"]) == (200, "signed_in", "ann")
    assert other.ask("GET", "/api/sites").status == 200
    (shown,) = browser.ask("GET", "/api/account/passkeys").json["items"]
    assert shown["last_used_at"] is not None
    assert set(shown) == {"id", "label", "created_at", "last_used_at"}
    assert browser.ask("DELETE", f"/api/account/passkeys/{shown['id']}").status == 204
    assert sign_in(api.browser(), device).status == 401
    found = api.database.read_blocking(audit.list_page, Filter(action="user"), None, 10)
    assert [row.action for row in found][:2] == ["user.passkey_remove", "user.passkey_add"]


def test_a_passkey_takes_the_place_of_the_second_factor_only_where_the_user_is_verified(api: Api) -> None:
    browser, device = api.browser("ann"), Authenticator()
    add(browser, device)
    device.flags = USER_PRESENT
    assert sign_in(api.browser(), device).status == 401
    weak = Authenticator()
    weak.flags = USER_PRESENT
    assert add(browser, weak).status == 403


def _other_origin(device: Authenticator) -> None:
    device.origin = "http://evil.localhost:4698"


def _other_host(device: Authenticator) -> None:
    device.host = "localhost"


def _copied(device: Authenticator) -> None:
    device.count -= 2


def _other_key(device: Authenticator) -> None:
    device.key = Authenticator().key


@pytest.mark.parametrize("spoil", [_other_origin, _other_host, _copied, _other_key])
def test_what_is_no_answer_of_the_passkey(api: Api, spoil: Callable[[Authenticator], None]) -> None:
    browser, device = api.browser("ann"), Authenticator()
    add(browser, device)
    for _ in range(3):
        assert sign_in(api.browser(), device).status == 200
    spoil(device)
    refused = sign_in(api.browser(), device)
    unknown = sign_in(api.browser(), Authenticator())
    assert (refused.status, refused.body) == (unknown.status, unknown.body) == (401, refused.body)


@pytest.mark.parametrize("spoil", [_other_origin, _other_host])
def test_what_is_no_new_passkey(api: Api, spoil: Callable[[Authenticator], None]) -> None:
    browser, device = api.browser("ann"), Authenticator()
    spoil(device)
    assert add(browser, device).status == 403
    assert browser.ask("GET", "/api/account/passkeys").json["items"] == []


def test_a_challenge_is_good_once_for_one_purpose_and_one_account(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, bob, device = api.browser("ann"), api.browser("bob"), Authenticator()
    made = ann.ask("POST", "/api/account/passkeys/options").json
    body = {"id": made["id"], "credential": device.make(made["options"])}
    assert bob.ask("POST", "/api/account/passkeys", body).status == 403
    assert ann.ask("POST", "/api/account/passkeys", body).status == 201
    assert ann.ask("POST", "/api/account/passkeys", body).status == 403
    question = asked(api.browser())
    answer = {"id": question["id"], "credential": device.use(question["options"])}
    assert ann.ask("POST", "/api/session/passkey", answer).status == 200
    assert api.browser().ask("POST", "/api/session/passkey", answer).status == 401
    monkeypatch.setattr(checks, "LIFETIME_S", -1)
    assert sign_in(api.browser(), device).status == 401


@pytest.mark.parametrize("id", ["", "x", "1.x", "99999999999.x", "-1.x", "٣.x", "9" * 90])
def test_ids_that_were_never_given_out(api: Api, id: str) -> None:
    browser, device = api.browser("ann"), Authenticator()
    add(browser, device)
    credential = device.use(asked(browser)["options"])
    assert api.browser().ask("POST", "/api/session/passkey", {"id": id, "credential": credential}).status == 401


def test_of_ten_answers_at_the_same_time_one_counts() -> None:
    device = Authenticator()
    asking = checks.Passkeys("dashboard.localhost", ORIGIN)
    first = asking.ask_for_new("user 1", "ann", [])
    made = asking.check_new(first["id"], "user 1", device.make(first["options"]))
    question = asking.ask()
    credential = device.use(question["options"])

    def use(_: int) -> bool:
        try:
            asking.check(question["id"], credential, made.public_key, 0)
        except checks.Forbidden:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(use, range(10))) == 1


@pytest.mark.parametrize("credential", [{}, {"id": 1}, {"id": ""}, {"id": "x" * 3000}, {"id": "x", "response": None}])
def test_what_is_no_credential(api: Api, credential: dict[str, Any]) -> None:
    made = asked(api.browser())
    refused = api.browser().ask("POST", "/api/session/passkey", {"id": made["id"], "credential": credential})
    assert refused.status in (400, 401)


def test_nobody_learns_who_has_passkeys(api: Api) -> None:
    add(api.browser("ann"), Authenticator())
    shapes = [asked(api.browser(), name=name)["options"] for name in ("ann", "nobody")]
    for options in shapes:
        assert options.pop("challenge")
        assert options.get("allowCredentials", []) == []
    assert shapes[0] == shapes[1]
    assert shapes[0]["rpId"] == "dashboard.localhost"
    assert shapes[0]["userVerification"] == "required"


def test_guessing_gets_slow(api: Api) -> None:
    statuses = [sign_in(api.browser(), Authenticator()).status for _ in range(7)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def first(api: Api, browser: Browser, secret: str, name: str, device: Authenticator, path: str) -> Answer:
    made = browser.ask("POST", "/api/setup/passkey/options", {"secret": secret, "name": name}).json
    body = {"secret": secret, "name": name, "id": made["id"], "credential": device.make(made["options"])}
    return browser.ask("POST", path, body)


def test_an_account_may_begin_with_a_passkey_and_keeps_a_way_in(api: Api) -> None:
    secret = api.ask("POST", "/api/setup/link").json["url"].rpartition("/")[2]
    owner, device = api.browser(), Authenticator()
    made = first(api, owner, secret, "Ann", device, "/api/setup")
    assert (made.status, made.json["user"]["name"], made.json["user"]["passkeys"]) == (201, "ann", 1)
    assert made.json["user"]["password"] is False
    assert sign_in(api.browser(), device).status == 200
    (shown,) = owner.ask("GET", "/api/account/passkeys").json["items"]
    refused = owner.ask("DELETE", f"/api/account/passkeys/{shown['id']}")
    assert (refused.status, refused.code) == (409, "conflict")
    assert add(owner, Authenticator(), "phone").status == 201
    assert owner.ask("DELETE", f"/api/account/passkeys/{shown['id']}").status == 204
    invite = owner.ask("POST", "/api/invites", {"role": "viewer"}).json["secret"]
    guest, theirs = api.browser(), Authenticator()
    joined = first(api, guest, invite, "bob", theirs, "/api/invites/redeem")
    assert (joined.status, joined.json["user"]["role"]) == (201, "viewer")
    assert sign_in(api.browser(), theirs).json["user"]["name"] == "bob"


def test_an_account_takes_one_way_in(api: Api) -> None:
    secret = api.ask("POST", "/api/setup/link").json["url"].rpartition("/")[2]
    for more in ({}, {"id": "x"}, {"credential": {"id": "x"}}, {"password": PASSWORD, "id": "x", "credential": {}}):
        body = {"secret": secret, "name": "ann", **more}
        assert api.browser().ask("POST", "/api/setup", body).status == 400
    wrong = first(api, api.browser(), "wrong", "ann", Authenticator(), "/api/setup")
    assert wrong.status == 403


def test_a_passkey_is_of_one_account(api: Api) -> None:
    device = Authenticator()
    assert add(api.browser("ann"), device).status == 201
    assert add(api.browser("bob"), device).status == 409
    ids = [each.id for each in api.database.read_blocking(passkeys.list_of, 1)]
    assert api.browser("bob").ask("DELETE", f"/api/account/passkeys/{ids[0]}").status == 404
