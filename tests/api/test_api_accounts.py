"""Signing in, and what a user and an owner do with accounts; and that nobody else gets in."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from api_calls import PASSWORD, Answer, Api, Browser
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from fazt.auth.cookies import NAME
from fazt.store import audit, sessions, users
from fazt.store.audit import Filter

OTHER = "another night of snow"


def code_of(secret: str, offset: int = 0) -> str:
    import base64

    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return TOTP(key, 6, SHA1(), 30, enforce_key_length=False).generate(int(time.time()) + offset * 30).decode()


def set_up(api: Api, name: str = "ann", password: str = PASSWORD) -> Answer:
    secret = api.ask("POST", "/api/setup/link").json["url"].rpartition("/")[2]
    return api.browser().ask("POST", "/api/setup", {"secret": secret, "name": name, "password": password})


def actions(api: Api) -> list[str]:
    return [row.action for row in api.database.read_blocking(audit.list_page, Filter(), None, 100)]


# --- the first run ---


def test_the_first_run(api: Api) -> None:
    assert api.browser().ask("GET", "/api/session").json["state"] == "setup"
    url = api.ask("POST", "/api/setup/link").json["url"]
    assert url.startswith("http://dashboard.localhost:4698/#/setup/")
    browser = api.browser()
    secret = url.rpartition("/")[2]
    made = browser.ask("POST", "/api/setup", {"secret": secret, "name": "Ann", "password": PASSWORD})
    assert (made.status, made.json["state"], made.json["user"]["role"]) == (201, "signed_in", "owner")
    assert browser.ask("GET", "/api/session").json["user"]["name"] == "ann"
    again = api.browser().ask("POST", "/api/setup", {"secret": secret, "name": "eve", "password": PASSWORD})
    assert (again.status, again.code) == (403, "forbidden")
    assert api.ask("POST", "/api/setup/link").status == 409
    assert api.browser().ask("GET", "/api/session").json["state"] == "signed_out"


def test_a_new_link_makes_the_old_one_useless(api: Api) -> None:
    old, new = (api.ask("POST", "/api/setup/link").json["url"].rpartition("/")[2] for _ in range(2))
    body = {"name": "ann", "password": PASSWORD}
    assert api.browser().ask("POST", "/api/setup", {"secret": old, **body}).status == 403
    assert api.browser().ask("POST", "/api/setup", {"secret": new, **body}).status == 201


@pytest.mark.parametrize("password", ["short", "password123", "aaaaaaaaaaaaaaa"])
def test_the_owner_needs_a_good_password(api: Api, password: str) -> None:
    assert set_up(api, password=password).status == 400
    assert not api.database.read_blocking(users.has_owner)


# --- signing in ---


def test_sign_in_and_out(api: Api) -> None:
    set_up(api)
    browser = api.browser()
    assert browser.ask("GET", "/api/sites").status == 401
    assert browser.sign_in("ann").status == 200
    assert browser.ask("GET", "/api/sites").status == 200
    cookie = browser.cookie
    assert browser.ask("DELETE", "/api/session").status == 204
    assert browser.cookie is None
    assert browser.ask("GET", "/api/sites", cookie=cookie).status == 401


def test_wrong_names_and_wrong_passwords_look_alike(api: Api) -> None:
    set_up(api)
    answers = [api.browser().sign_in(*pair) for pair in (("ann", OTHER), ("eve", PASSWORD), ("e\x00ve", ""), ("", ""))]
    assert {(answer.status, answer.body) for answer in answers} == {(401, answers[0].body)}
    assert all("set-cookie" not in answer.headers for answer in answers)


def test_every_sign_in_has_a_session_of_its_own(api: Api) -> None:
    set_up(api)
    first, second = api.browser("ann"), api.browser("ann")
    assert first.cookie != second.cookie
    planted = api.browser()
    planted.cookie = f"{NAME}=planted-by-somebody-else"
    assert planted.sign_in("ann").status == 200
    assert planted.cookie != f"{NAME}=planted-by-somebody-else"
    assert api.browser().ask("GET", "/api/sites", cookie=f"{NAME}=planted-by-somebody-else").status == 401


def test_two_cookies_are_no_session(api: Api) -> None:
    set_up(api)
    browser = api.browser("ann")
    assert browser.ask("GET", "/api/sites", cookie=f"{browser.cookie}; {NAME}=evil").status == 401
    assert browser.ask("GET", "/api/sites", cookie=f"{NAME}=evil; {browser.cookie}").status == 401


def test_guessing_gets_slow(api: Api) -> None:
    set_up(api)
    answers = [api.browser().sign_in("ann", f"{OTHER} {number}") for number in range(8)]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 3
    assert answers[-1].code == "too_many_attempts"
    assert int(answers[-1].headers["retry-after"]) > 0
    assert api.browser().sign_in("ann").status == 429
    assert api.ask("GET", "/api/sites").status == 200  # the socket is never locked


def test_guesses_at_the_same_time_are_counted(api: Api) -> None:
    import asyncio

    set_up(api)

    async def guess() -> list[int]:
        browsers = [Browser(api) for _ in range(30)]
        calls = [
            api.call("POST", "/api/session", {"name": "ann", "password": OTHER}, None, None, list(each.fields.items()))
            for each in browsers
        ]
        return [answer.status for answer in await asyncio.gather(*calls)]

    statuses = api.runner.run(guess())
    assert statuses.count(401) <= 5
    assert statuses.count(429) >= 25


def test_refusals_are_noted_but_not_each(api: Api) -> None:
    set_up(api)
    for number in range(5):
        api.browser().sign_in("ann", f"{OTHER} {number}")
    assert actions(api).count("session.refuse") == 3  # the first, the second, the fourth


def test_signing_in_needs_https_where_browsers_do(api: Api) -> None:
    hosting = api.parts.hosting
    hosting.domain, kept = "example.org", hosting.domain
    answer = api.browser().sign_in("ann")
    hosting.domain = kept
    assert answer.status == 400
    assert "HTTPS" in answer.json["error"]["message"]


# --- where a browser may call from ---


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": None},
        {"origin": "http://evil.localhost:4698"},
        {"origin": "https://dashboard.localhost:4698"},
        {"origin": "http://dashboard.localhost"},
        {"origin": "http://dashboard.localhost:4698.evil.example"},
        {"origin": "null"},
        {"fazt_request": None},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": ""},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_a_change_comes_from_the_dashboard_alone(api: Api, fields: dict[str, Any]) -> None:
    set_up(api)
    browser = api.browser("ann")
    body = b'{"name": "evil"}'
    refused = browser.ask("POST", "/api/sites", body, content_length=str(len(body)), **fields)
    assert (refused.status, refused.code) == (403, "forbidden")
    sign_in = b'{"name": "ann", "password": "a long night of rain"}'
    refused = api.browser().ask("POST", "/api/session", sign_in, content_length=str(len(sign_in)), **fields)
    assert refused.status == 403
    assert "set-cookie" not in refused.headers
    assert api.ask("GET", "/api/sites").json["items"] == []


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_another_site_reads_nothing(api: Api, site: str) -> None:
    set_up(api)
    assert api.browser("ann").ask("GET", "/api/sites", sec_fetch_site=site).status == 403


def test_a_token_needs_none_of_that(api: Api) -> None:
    token = api.token("admin")
    assert api.ask("POST", "/api/sites", {"name": "new"}, token=token).status == 201


# --- the account ---


def test_a_new_password_ends_every_other_session(api: Api) -> None:
    set_up(api)
    browser, elsewhere = api.browser("ann"), api.browser("ann")
    body = {"current": "wrong", "new": OTHER}
    assert browser.ask("PUT", "/api/account/password", body).status == 403
    assert browser.ask("PUT", "/api/account/password", {"current": PASSWORD, "new": "short"}).status == 400
    assert browser.ask("PUT", "/api/account/password", {"current": PASSWORD, "new": OTHER}).status == 204
    assert browser.ask("GET", "/api/account").status == 200
    assert elsewhere.ask("GET", "/api/account").status == 401
    assert api.browser().sign_in("ann").status == 401
    assert api.browser().sign_in("ann", OTHER).status == 200


def test_the_second_factor(api: Api) -> None:
    set_up(api)
    browser = api.browser("ann")
    made = browser.ask("POST", "/api/account/totp").json
    assert made["svg"].startswith("<svg")
    assert browser.ask("PUT", "/api/account/totp", {"code": "000000"}).status in (400, 200)
    codes = browser.ask("PUT", "/api/account/totp", {"code": code_of(made["secret"])}).json["recovery_codes"]
    assert len(codes) == 10
    asked = api.browser().sign_in("ann")
    assert (asked.status, asked.code) == (401, "code_required")
    assert api.browser().sign_in("ann", OTHER).code == "unauthenticated"  # says nothing of a code
    assert api.browser().sign_in("ann", code=code_of(made["secret"])).status == 401  # confirmed it: taken once
    assert api.browser().sign_in("ann", code=code_of(made["secret"], 1)).status == 200
    assert api.browser().sign_in("ann", code=codes[0].upper()).status == 200
    assert api.browser().sign_in("ann", code=codes[0]).status == 401
    assert browser.ask("GET", "/api/account").json["recovery_codes"] == 9
    assert browser.ask("DELETE", "/api/account/totp", {"password": "wrong"}).status == 403
    assert browser.ask("DELETE", "/api/account/totp", {"password": PASSWORD}).status == 204
    assert api.browser().sign_in("ann").status == 200


def test_codes_cannot_be_guessed(api: Api) -> None:
    set_up(api)
    browser = api.browser("ann")
    made = browser.ask("POST", "/api/account/totp").json
    browser.ask("PUT", "/api/account/totp", {"code": code_of(made["secret"])})
    statuses = [api.browser().sign_in("ann", code=f"{number:06}").status for number in range(12)]
    assert statuses.count(429) >= 6
    assert 200 not in statuses


def test_sessions_are_listed_and_ended(api: Api) -> None:
    set_up(api)
    browser, other = api.browser("ann"), api.browser("ann")
    listed = browser.ask("GET", "/api/account/sessions").json["items"]
    assert [item["current"] for item in listed].count(True) == 1
    theirs = next(item["id"] for item in other.ask("GET", "/api/account/sessions").json["items"] if item["current"])
    assert browser.ask("DELETE", f"/api/account/sessions/{theirs}").status == 204
    assert other.ask("GET", "/api/account").status == 401
    third = api.browser("ann")
    assert browser.ask("DELETE", "/api/account/sessions").status == 204
    assert third.ask("GET", "/api/account").status == 401
    assert browser.ask("GET", "/api/account").status == 200
    assert browser.ask("DELETE", "/api/account/sessions/nothing").status == 404


def test_a_session_ends_in_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(api)
    browser = api.browser("ann")
    now = sessions.now_ms()
    monkeypatch.setattr("fazt.store.sessions.now_ms", lambda: now + sessions.IDLE_MS - 1000)
    monkeypatch.setattr("fazt.api.access.now_ms", lambda: now + sessions.IDLE_MS - 1000)
    assert browser.ask("GET", "/api/account").status == 200  # and slides
    monkeypatch.setattr("fazt.store.sessions.now_ms", lambda: now + sessions.IDLE_MS + 5 * sessions.DAY_MS)
    assert browser.ask("GET", "/api/account").status == 200
    monkeypatch.setattr("fazt.store.sessions.now_ms", lambda: now + sessions.LONGEST_MS + 1000)
    assert browser.ask("GET", "/api/account").status == 401


def test_nobody_ends_the_session_of_another_user(api: Api) -> None:
    set_up(api)
    mine = api.browser("ann").ask("GET", "/api/account/sessions").json["items"][0]["id"]
    assert api.browser("bob", role="admin").ask("DELETE", f"/api/account/sessions/{mine}").status == 404


# --- users and invites ---


def test_an_invite_makes_one_account(api: Api) -> None:
    set_up(api)
    owner = api.browser("ann")
    made = owner.ask("POST", "/api/invites", {"role": "editor", "sites": ["blog"]}).json
    assert made["url"].endswith(f"/#/invite/{made['secret']}")
    assert "secret" not in owner.ask("GET", "/api/invites").json["items"][0]
    body = {"secret": made["secret"], "name": "bob", "password": PASSWORD}
    redeemed = api.browser().ask("POST", "/api/invites/redeem", body)
    assert (redeemed.status, redeemed.json["user"]["role"], redeemed.json["user"]["sites"]) == (201, "editor", ["blog"])
    assert api.browser().ask("POST", "/api/invites/redeem", {**body, "name": "eve"}).status == 403
    assert owner.ask("GET", "/api/invites").json["items"] == []


def test_a_refused_name_does_not_use_an_invite_up(api: Api) -> None:
    set_up(api)
    secret = api.browser("ann").ask("POST", "/api/invites", {}).json["secret"]
    body = {"secret": secret, "name": "ann", "password": PASSWORD}
    assert api.browser().ask("POST", "/api/invites/redeem", body).status == 409
    assert api.browser().ask("POST", "/api/invites/redeem", {**body, "name": "bob"}).status == 201


def test_of_ten_at_the_same_time_one_wins(api: Api) -> None:
    from fazt.api.session import WayIn
    from fazt.api.users import _redeem
    from fazt.auth.cookies import hash_secret
    from fazt.errors import Forbidden

    set_up(api)
    secret = api.browser("ann").ask("POST", "/api/invites", {"role": "admin"}).json["secret"]

    def redeem(number: int) -> bool:
        try:
            api.database.write_blocking(_redeem, hash_secret(secret), f"user{number}", WayIn("hash", None), "192.0.2.1")
        except Forbidden:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(redeem, range(10))) == [False] * 9 + [True]
    assert len(api.ask("GET", "/api/users").json["items"]) == 2


def test_an_invite_ends_and_can_be_taken_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(api)
    owner = api.browser("ann")
    made = owner.ask("POST", "/api/invites", {"expires_in_s": 60}).json
    body = {"secret": made["secret"], "name": "bob", "password": PASSWORD}
    now = sessions.now_ms()
    monkeypatch.setattr("fazt.store.sessions.now_ms", lambda: now + 61_000)
    assert api.browser().ask("POST", "/api/invites/redeem", body).status == 403
    monkeypatch.undo()
    made = owner.ask("POST", "/api/invites", {}).json
    assert owner.ask("DELETE", f"/api/invites/{made['id']}").status == 204
    assert api.browser().ask("POST", "/api/invites/redeem", {**body, "secret": made["secret"]}).status == 403


@pytest.mark.parametrize(
    ("role", "sites", "reads", "deploys", "administers"),
    [
        ("owner", None, {"blog", "shop"}, {"blog", "shop"}, True),
        ("admin", None, {"blog", "shop"}, {"blog", "shop"}, True),
        ("editor", ["blog"], {"blog"}, {"blog"}, False),
        ("editor", ["blog", "shop"], {"blog", "shop"}, {"blog", "shop"}, False),
        ("viewer", None, {"blog", "shop"}, set(), False),
        ("viewer", ["shop"], {"shop"}, set(), False),
    ],
)
def test_what_a_role_may_do(
    api: Api, role: str, sites: list[str] | None, reads: set[str], deploys: set[str], administers: bool
) -> None:
    for site in ("blog", "shop"):
        api.deploy(site, {"index.html": b"1"})
        api.ask("POST", "/api/domains", {"name": f"{site}.example", "site": site})
    browser = api.browser("bob", role=role, sites=sites)
    assert {item["name"] for item in browser.ask("GET", "/api/sites").json["items"]} == reads
    assert {item["site"] for item in browser.ask("GET", "/api/domains").json["items"]} == reads
    for site in ("blog", "shop"):
        assert (browser.ask("GET", f"/api/sites/{site}").status == 200) is (site in reads)
        change = browser.ask("PUT", f"/api/sites/{site}/env/A", {"value": "1"})
        assert (change.status == 200) is (site in deploys)
        removal = browser.ask("DELETE", f"/api/sites/{site}")
        assert (removal.status == 204) is administers
    for target in ("/api/users", "/api/tokens", "/api/settings", "/api/invites"):
        assert (browser.ask("GET", target).status == 200) is administers
    assert (browser.ask("GET", "/api/status").status == 200) is (sites is None)


def test_only_owners_make_and_unmake_owners(api: Api) -> None:
    set_up(api)
    admin = api.browser("bob", role="admin")
    assert admin.ask("POST", "/api/users", {"name": "eve", "role": "owner", "password": PASSWORD}).status == 403
    assert admin.ask("POST", "/api/invites", {"role": "owner"}).status == 403
    assert admin.ask("PATCH", "/api/users/bob", {"role": "owner"}).status == 403
    for method, target, body in (
        ("PATCH", "/api/users/ann", {"role": "viewer"}),
        ("PATCH", "/api/users/ann", {"password": OTHER}),
        ("DELETE", "/api/users/ann", None),
        ("DELETE", "/api/users/ann/sessions", None),
    ):
        assert admin.ask(method, target, body).status == 403, target
    assert api.browser("ann").ask("GET", "/api/account").json["role"] == "owner"


def test_there_is_always_an_owner(api: Api) -> None:
    set_up(api)
    owner = api.browser("ann")
    assert owner.ask("DELETE", "/api/users/ann").status == 409
    assert owner.ask("PATCH", "/api/users/ann", {"role": "admin"}).status == 409
    api.browser("bob", role="owner")
    assert owner.ask("PATCH", "/api/users/ann", {"role": "viewer"}).status == 200
    assert owner.ask("GET", "/api/users").status == 403


def test_another_role_ends_the_sessions_of_a_user(api: Api) -> None:
    set_up(api)
    bob = api.browser("bob", role="admin")
    assert api.browser("ann").ask("PATCH", "/api/users/bob", {"role": "viewer"}).status == 200
    assert bob.ask("GET", "/api/account").status == 401
    carl = api.browser("carl", role="admin")
    assert api.browser("ann").ask("DELETE", "/api/users/carl").status == 204
    assert carl.ask("GET", "/api/account").status == 401


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "a" * 33, "-a", "a\nb", "<script>", "ünö"])
def test_names_that_cannot_be(api: Api, name: str) -> None:
    assert api.ask("POST", "/api/users", {"name": name, "password": PASSWORD}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"role": "god"},
        {"role": "editor"},
        {"role": "editor", "sites": []},
        {"role": "admin", "sites": ["blog"]},
        {"role": "viewer", "sites": ["../x"]},
    ],
)
def test_roles_that_cannot_be(api: Api, body: dict[str, Any]) -> None:
    assert api.ask("POST", "/api/invites", body).status == 400


def test_no_secret_is_kept_or_told(api: Api) -> None:
    set_up(api)
    browser = api.browser("ann")
    secret = (browser.cookie or "").partition("=")[2]
    invite = browser.ask("POST", "/api/invites", {}).json["secret"]
    everything = b"".join(
        bytes(str(row), "utf-8") for row in api.database.read_blocking(audit.list_page, Filter(), None, 100)
    )
    path = api.database.path
    kept = path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    for hidden in (secret, invite, PASSWORD):
        assert hidden.encode() not in everything
        assert hidden.encode() not in kept
