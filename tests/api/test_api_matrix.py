"""Every call × every role × every way to come: a session, one that another origin rides, a token, and nobody at all.

What a role may do stands here a second time, on purpose: a hole in `fazt.auth.roles` or at a route shows as a
difference from this table.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from api_calls import Api, Browser, opened
from test_api_access import ACCOUNT_CALLS, CALLS

from fazt.auth.cookies import NAME, hash_secret, new_id, new_secret
from fazt.store import sessions, users

EVIL = "http://evil.localhost:4698"
SAFE = ("GET", "HEAD")
OWNERS_ALONE = tuple(  # they hold the accounts of the owners
    f"/api/backups/nothing/{each}" for each in ("content", "restore", "sites/blog")
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a role; `everywhere`: they have all sites, and the server itself."""

    role: str
    sites: tuple[str, ...] | None
    may: frozenset[str]
    everywhere: bool

    @property
    def name(self) -> str:
        return f"{self.role}-{'-'.join(self.sites) if self.sites else 'all'}"

    def is_allowed(self, action: str, scoped: bool) -> bool:
        return action in self.may and (scoped or self.everywhere)


CALLERS = [
    Caller("owner", None, frozenset(("read", "deploy", "admin")), True),
    Caller("admin", None, frozenset(("read", "deploy", "admin")), True),
    Caller("editor", ("blog",), frozenset(("read", "deploy")), False),
    Caller("editor", ("blog", "shop"), frozenset(("read", "deploy")), False),
    Caller("viewer", ("blog",), frozenset(("read",)), False),
    Caller("viewer", None, frozenset(("read",)), True),
]


def _sign_in(connection: apsw.Connection, caller: Caller) -> str:
    """Make a user and a session of theirs without a password, whose hash would take most of the time of all this."""
    user = users.find(connection, caller.name) or users.add(connection, caller.name, caller.role, caller.sites, None)
    users.set_role(connection, caller.name, caller.role, caller.sites)  # a site of theirs may have another name by now
    secret = new_secret()
    sessions.add(connection, hash_secret(secret), new_id(), user.id, "192.0.2.1", "a test")
    return secret


def browser_of(api: Api, caller: Caller) -> Browser:
    browser = Browser(api)
    browser.cookie = f"{NAME}={api.database.write_blocking(_sign_in, caller)}"
    return browser


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with opened(Path(tmp_path_factory.mktemp("matrix")) / "data.db") as api:
        yield api


@pytest.fixture(autouse=True)
def _sites(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sites and domains there that a call before may have removed."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])  # a call asks the DNS
    api.ask("DELETE", "/api/sites/better")  # what "blog" was renamed to
    for site in ("blog", "other", "shop"):
        if api.ask("GET", f"/api/sites/{site}").status == 404:
            api.deploy(site, {"index.html": b"1"})
        api.ask("PATCH", f"/api/sites/{site}", {"locked": False})
        api.ask("POST", "/api/domains", {"name": f"{site}.example", "site": site})


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
@pytest.mark.parametrize(("method", "target", "body", "action", "scoped"), CALLS)
def test_a_role_and_its_ways(
    api: Api, method: str, target: str, body: Any, action: str, scoped: bool, caller: Caller
) -> None:
    browser = browser_of(api, caller)
    ridden: list[dict[str, str | None]] = [
        {"origin": EVIL, "sec_fetch_site": "same-site"},
        {"origin": "null", "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site"},
    ]
    if method not in SAFE:
        ridden += [
            {"origin": None, "sec_fetch_site": None},
            {"origin": EVIL, "sec_fetch_site": None},
            {"fazt_request": None},
            {"content_type": "text/plain"} if body is not None else {"fazt_request": None},
        ]
    for fields in ridden:  # first: nothing of this may change anything
        refused = browser.ask(method, target, body, **fields)
        assert (refused.status, refused.code) == (403, "forbidden"), (fields, refused.body)
    answer = browser.ask(method, target, body)
    if caller.is_allowed(action, scoped) and (caller.role == "owner" or target not in OWNERS_ALONE):
        assert answer.status not in (401, 403), answer.body
    else:
        assert (answer.status, answer.code) == (403, "forbidden"), answer.body


@pytest.mark.parametrize(("method", "target", "body"), [(*call[:3],) for call in CALLS] + ACCOUNT_CALLS)
def test_nobody_and_who_was(api: Api, method: str, target: str, body: Any) -> None:
    """Without a session, with one that never was, and with one that has ended: the same 401."""
    gone = browser_of(api, CALLERS[0])
    assert gone.ask("DELETE", "/api/session").status == 204
    ended = Browser(api)
    ended.cookie = gone.cookie
    invented, twice = Browser(api), browser_of(api, CALLERS[0])
    invented.cookie = f"{NAME}={'x' * 43}"
    twice.cookie = f"{twice.cookie}; {NAME}=planted"
    for browser in (Browser(api), ended, invented, twice):
        answer = browser.ask(method, target, body)
        assert (answer.status, answer.code) == (401, "unauthenticated"), answer.body


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_lists_hold_what_is_the_callers_only(api: Api, caller: Caller) -> None:
    browser = browser_of(api, caller)
    shown = {site["name"] for site in browser.ask("GET", "/api/sites?limit=1000").json["items"]}
    if caller.sites is None:
        assert {"blog", "other", "shop"} <= shown
    else:
        assert shown == set(caller.sites)
    api.ask("POST", "/api/hooks", {"name": "others", "site": "other"})
    api.ask("POST", "/api/hooks", {"name": "servers"})
    api.ask("POST", "/api/hooks", {"name": "blogs", "site": "blog"})
    hooks = {hook["name"] for hook in browser.ask("GET", "/api/hooks").json["items"]}
    assert hooks >= {"blogs"}
    assert (hooks >= {"others", "servers"}) is caller.everywhere
    assert caller.everywhere or not hooks & {"others", "servers"}
