"""What stands before protected paths: signing in to a site, share links, and the check of every request to them.

The resolver makes no page of what is protected; such a request comes here, and the page is handed to the edge only when
whoever asks may see it. Rule: nothing of a protected path is told before that, not even whether it is there.
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import apsw

from fazt.api.bodies import read_body
from fazt.api.platform import respond, respond_error
from fazt.api.routing import Application, Receive, Scope, Send
from fazt.api.sign_in_page import POLICY, refusal_page, sign_in_page
from fazt.auth import passes
from fazt.auth.attempts import Attempts, neighbourhood
from fazt.auth.cookies import hash_secret
from fazt.auth.passes import CODE_S, COOKIE, PLAIN_COOKIE, Pass
from fazt.data import environment
from fazt.errors import Forbidden, MethodNotAllowed, NotFound, StoreError, TooManyAttempts, Unauthenticated
from fazt.sites.decision import read_path
from fazt.sites.hosting import Hosting
from fazt.sites.protection import Rule, covers, find_rule
from fazt.sites.resolve import Resolver
from fazt.store import protection, sites
from fazt.store.changes import Change
from fazt.store.database import Database, now_ms
from fazt.store.protection import Share

log = logging.getLogger("fazt.guard")

SIGN_IN, ENTER, SHARE = "/_fazt/sign-in", "/_fazt/enter", "/_fazt/share/"
OPEN = ("/_fazt/health", "/_fazt/hooks/")  # they have a check of their own, or nothing to hide
LASTS_S = 12 * 3600
LONGEST_S = 30 * 86_400
MOST_FORM_BYTES = 8192
MOST_FIELDS = 20
MOST_KEPT = 10_000
MOST_USED = 10_000


@dataclass(frozen=True, slots=True)
class Lock:
    """What is protected at a host, and with what it is opened; `version` is the id of the preview that it shows."""

    site: str
    site_id: int
    version: str | None
    rules: tuple[Rule, ...]
    shares: tuple[Share, ...]
    key: bytes


class Guard:
    """The application of sites, behind a door."""

    def __init__(self, database: Database, hosting: Hosting, resolver: Resolver, inner: Application) -> None:
        self._database = database
        self._hosting = hosting
        self._resolver = resolver
        self._inner = inner
        self._attempts = Attempts()
        self._passwords: Any = None
        self._kept: dict[str, Lock | None] = {}  # a new one with each change: what is put into an old one is lost
        self._used: dict[str, float] = {}  # codes that were entered, until they end
        database.follow(self._forget)

    def _forget(self, changes: Sequence[Change]) -> None:
        """Forget every lock; called on the writing thread before the change is answered."""
        if any(change.kind in ("site", "domain", "environment") for change in changes):
            self._kept = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass whose path is open, or whose sender may see it."""
        lock = await self._lock(scope["extensions"]["fazt"]["host"])
        if lock is None or scope["path"].startswith(OPEN):
            await self._inner(scope, receive, send)
            return
        if scope["type"] == "http" and await self._own(scope, receive, send, lock):
            return
        rules, page = await self._look(scope, lock)
        refused = next((rule for rule in rules if not self._may(scope, lock, rule)), None)
        if refused is not None:
            await self._refuse(scope, send, lock, refused)
        elif page is not None:
            scope["extensions"]["fazt"]["page"] = page
        else:
            await self._inner(scope, receive, send)

    async def _own(self, scope: Scope, receive: Receive, send: Send, lock: Lock) -> bool:
        """Answer what is the guard's own: signing in, entering with a code, a share link."""
        path: str = scope["path"]
        if path == SIGN_IN:
            await self._sign_in(scope, receive, send, lock)
        elif path == ENTER:
            await self._enter(scope, send, lock)
        elif path.startswith(SHARE):
            await self._share(scope, send, lock, path.removeprefix(SHARE))
        else:
            return False
        return True

    # --- the check ---

    async def _lock(self, host: str) -> Lock | None:
        kept = self._kept  # before the read: a change that comes meanwhile leaves it behind
        if host in kept:
            return kept[host]
        lock = await self._database.read(self._read_lock, host)
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[host] = lock
        return lock

    def _read_lock(self, connection: apsw.Connection, host: str) -> Lock | None:
        place = self._hosting.place(connection, host)
        if place.site is None:
            return None
        rules = self._resolver.rules_of(connection, place)
        if not rules:
            return None
        site = sites.get(connection, place.site)
        shares = tuple(protection.shares(connection, site.id))
        version = self._resolver.version_id(connection, place) if place.version is not None else None
        return Lock(site.name, site.id, version, rules, shares, protection.signing_key(connection))

    async def _look(self, scope: Scope, lock: Lock) -> tuple[tuple[Rule, ...], Any]:
        """Return the rules about a request, and the page that it would be answered with, None for the application.

        Who knows how a program reads a path that no file can have (`//`, an encoded slash, a control character): all
        rules are about it.
        """
        text = read_path(scope["raw_path"]).text
        if text is None:
            rules = tuple(rule for rule in lock.rules if lock.version is not None or not rule.previews)
            return rules, None if scope["type"] != "http" else (await self._guarded(scope))[1]
        rule = find_rule(lock.rules, f"/{text}", preview=lock.version is not None)
        if scope["type"] != "http":
            return () if rule is None else (rule,), None
        found, page = await self._guarded(scope)
        return tuple(dict.fromkeys((*(() if rule is None else (rule,)), *found))), page

    async def _guarded(self, scope: Scope) -> tuple[tuple[Rule, ...], Any]:
        host, query = scope["extensions"]["fazt"]["host"], scope["query_string"]
        return await self._resolver.guarded(host, scope["raw_path"], query)

    def _may(self, scope: Scope, lock: Lock, rule: Rule) -> bool:
        if rule.lets_in(_address(scope)):
            return True
        held = self._held(scope, lock)
        if held is None:
            return False
        if rule.fingerprint in held.opens or (rule.users and "users" in held.opens):
            return True
        path, now = f"/{read_path(scope['raw_path']).text or ''}", now_ms()
        return any(
            f"share:{share.id}" in held.opens
            and share.expires_at > now
            and share.version == lock.version
            and covers(share.path, path)
            for share in lock.shares
        )

    def _held(self, scope: Scope, lock: Lock) -> Pass | None:
        fields = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
        text = passes.find(fields, self._cookie_name(scope))
        return None if text is None else passes.read(lock.key, text, lock.site_id, now_ms())

    async def _refuse(self, scope: Scope, send: Send, lock: Lock, rule: Rule) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        asks = rule.password or rule.secret or rule.users
        if asks and scope["method"] in ("GET", "HEAD") and b"text/html" in _field(scope, b"accept"):
            await _redirect(send, f"{SIGN_IN}?{urlencode({'return': _target(scope)})}")
        elif asks:
            await respond_error(send, Unauthenticated("This is protected; sign in first."), [(b"vary", b"Cookie")])
        else:
            await _page(send, 403, refusal_page(lock.site))

    # --- signing in ---

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send, lock: Lock) -> None:
        if scope["method"] in ("GET", "HEAD"):
            back = _return_path(_query(scope).get("return", ["/"])[0])
            rule = await self._rule_at(scope, lock, back)
            if rule is None or self._may_at(scope, lock, rule):
                await _redirect(send, back)
                return
            await _page(send, 200, self._form(scope, lock, rule, back))
        elif scope["method"] == "POST":
            await self._take_password(scope, receive, send, lock)
        else:
            error = MethodNotAllowed("Signing in answers GET and POST.")
            await respond_error(send, error, [(b"allow", b"GET, HEAD, POST")])

    async def _take_password(self, scope: Scope, receive: Receive, send: Send, lock: Lock) -> None:
        origin = _field(scope, b"origin").decode("latin-1")
        if origin and origin != self._origin(scope):
            raise Forbidden("This form is of another site.")
        form = _fields((await read_body(scope, receive, MOST_FORM_BYTES)).decode("utf-8", "replace"))
        back = _return_path(form.get("return", ["/"])[0])
        rule = await self._rule_at(scope, lock, back)
        if rule is None:
            await _redirect(send, back)
            return
        address = _address(scope)
        try:
            self._attempts.check(address, f"site:{lock.site_id}", known=True)
        except TooManyAttempts as error:
            retry = [(b"retry-after", b"%d" % error.details["retry_after_s"])]
            await _page(send, 429, self._form(scope, lock, rule, back, error.message), retry)
            return
        self._attempts.begin(neighbourhood(address))
        if not await self._is_password(lock, rule, form.get("password", [""])[0]):
            await _page(send, 401, self._form(scope, lock, rule, back, "That is not the password."))
            return
        self._attempts.succeeded(neighbourhood(address))
        await self._let_in(scope, send, lock, [rule.fingerprint], LASTS_S, back)

    async def _is_password(self, lock: Lock, rule: Rule, password: str) -> bool:
        if rule.secret is not None:
            found = (await self._database.read(environment.load, lock.site_id)).secrets.get(rule.secret)
            return found is not None and hmac.compare_digest(_digest(found), _digest(password))
        if self._passwords is None:
            from fazt.auth.passwords import Passwords  # the library is loaded where somebody signs in only

            self._passwords = Passwords()
        right: bool = await self._passwords.matches(rule.password, password)
        return right

    def _form(self, scope: Scope, lock: Lock, rule: Rule, back: str, fault: str = "") -> bytes:
        dashboard = None
        if rule.users:
            host = scope["extensions"]["fazt"]["host"]
            query = urlencode({"site": lock.site, "host": host, "return": back})
            dashboard = f"{self._hosting.url(f'dashboard.{self._hosting.domain}')}#/allow?{query}"
        return sign_in_page(lock.site, back, dashboard, asks_password=bool(rule.password or rule.secret), fault=fault)

    async def _enter(self, scope: Scope, send: Send, lock: Lock) -> None:
        """Take the code that the dashboard gave to a user: once, and soon."""
        query = _query(scope)
        code = query.get("code", [""])[0]
        held = passes.read(lock.key, code, lock.site_id, now_ms(), "code")
        now = time.monotonic()
        self._used = {used: until for used, until in self._used.items() if until > now}
        if held is None or code in self._used or len(self._used) >= MOST_USED:
            await respond_error(send, Forbidden("This link was used or is too old; open the site again."))
            return
        self._used[code] = now + CODE_S
        await self._let_in(scope, send, lock, held.opens, LASTS_S, _return_path(query.get("return", ["/"])[0]))

    async def _share(self, scope: Scope, send: Send, lock: Lock, secret: str) -> None:
        share = await self._database.read(protection.find_share, lock.site_id, hash_secret(secret))
        left_s = 0 if share is None else (share.expires_at - now_ms()) // 1000
        if share is None or left_s <= 0 or share.version != lock.version:
            await respond_error(send, NotFound("This share link has ended or was revoked."))
            return
        try:
            await self._database.write(protection.note_use, share.id)
        except StoreError as error:  # who has the link may look, whether that is counted or not
            log.warning("the use of a share link was not counted: %s", error)
        back = quote(share.path.removesuffix("*"), safe="/!$&'()*+,;=:@~-._")
        await self._let_in(scope, send, lock, [f"share:{share.id}"], min(left_s, LONGEST_S), back)

    async def _let_in(
        self, scope: Scope, send: Send, lock: Lock, opens: Sequence[str], lasts_s: int, back: str
    ) -> None:
        made = passes.with_more(self._held(scope, lock), lock.site_id, opens, now_ms() + lasts_s * 1000)
        name = self._cookie_name(scope)
        secure = " Secure;" if name == COOKIE else ""
        cookie = f"{name}={passes.sign(lock.key, made)}; Max-Age={lasts_s}; Path=/;{secure} HttpOnly; SameSite=Lax"
        await _redirect(send, back, [(b"set-cookie", cookie.encode())])

    # --- where a request is ---

    async def _rule_at(self, scope: Scope, lock: Lock, back: str) -> Rule | None:
        path, _, query = back.partition("?")
        there = {**scope, "raw_path": path.encode("ascii", "replace"), "query_string": query.encode("ascii", "replace")}
        rules = (await self._look(there, lock))[0]
        return next((rule for rule in rules if not self._may_at(scope, lock, rule)), rules[0] if rules else None)

    def _may_at(self, scope: Scope, lock: Lock, rule: Rule) -> bool:
        held = self._held(scope, lock)
        return rule.lets_in(_address(scope)) or (held is not None and rule.fingerprint in held.opens)

    def _origin(self, scope: Scope) -> str:
        return self._hosting.url(scope["extensions"]["fazt"]["host"]).rstrip("/")

    def _cookie_name(self, scope: Scope) -> str:
        host = scope["extensions"]["fazt"]["host"]
        local = host == "localhost" or host.endswith(".localhost")
        return COOKIE if local or self._hosting.url(host).startswith("https:") else PLAIN_COOKIE


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return "" if client is None else str(client[0])


def _field(scope: Scope, name: bytes) -> bytes:
    found: bytes = next((value for said, value in scope["headers"] if said == name), b"")
    return found


def _query(scope: Scope) -> dict[str, list[str]]:
    return _fields(scope["query_string"].decode("ascii", "replace"))


def _fields(text: str) -> dict[str, list[str]]:
    """Return the fields of a form or a query; none where there are more than anything here asks for."""
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}


def _target(scope: Scope) -> str:
    query = scope["query_string"]
    return str((scope["raw_path"] + (b"?" + query if query else b"")).decode("ascii", "replace"))


def _return_path(text: str) -> str:
    """Return a path of this host; anything that could lead elsewhere is the front page."""
    sound = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isascii() and text.isprintable()
    return text if sound and " " not in text and not text.startswith((SIGN_IN, ENTER, SHARE)) else "/"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


async def _redirect(send: Send, target: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
    fields = [(b"location", target.encode("ascii", "replace")), (b"vary", b"Cookie"), *(more or [])]
    await respond(send, 303, b"text/plain; charset=utf-8", b"", fields)


async def _page(send: Send, status: int, body: bytes, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", POLICY),
        (b"referrer-policy", b"same-origin"),  # with no-referrer the form would come with `Origin: null`
        (b"x-content-type-options", b"nosniff"),
        (b"x-robots-tag", b"noindex"),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
