"""Who calls, and whether they may: the socket's peer, a token or a session, and the action that each route names.

Rule: a caller is known before a byte of the body is read, and a route that names no action cannot be called.
"""

import logging
import os
import re
from collections.abc import Callable
from typing import Annotated, Any

import apsw
from fastapi import Depends, Request
from starlette.datastructures import Headers

from fazt.api.errors import respond
from fazt.api.routing import Application, Message, Receive, Scope, Send
from fazt.auth.cookies import find_secret, hash_secret
from fazt.auth.roles import principal_of
from fazt.auth.tokens import Principal, allows, bearer_of, has_action, hash_token, is_expired, local_owner
from fazt.errors import FaztError, Forbidden, StoreError, TooLarge, Unauthenticated
from fazt.store import sessions, tokens, users
from fazt.store.database import Database, now_ms
from fazt.store.sessions import Session
from fazt.store.users import User

log = logging.getLogger("fazt.api")

MAX_BODY_BYTES = 1 << 20
MAX_LARGE_BODY_BYTES = 64 << 20  # packs, the list of 100,000 files, values in base64
LARGE_BODIES = re.compile(r"/api/(blobs|sites/[^/]+/(versions|call|kv/[\s\S]+|files/[\s\S]+))")
ARCHIVES = re.compile(r"/api/sites/[^/]+/upload")  # as large as a version may be, which its handler knows
LONGEST_TOKEN = 256
SAFE = ("GET", "HEAD")
REQUEST_FIELD = "fazt-request"
MEDIA_TYPES = frozenset(
    ("application/json", "application/octet-stream", "application/x-fazt-pack", "application/x-tar", "application/zip")
)
# What may be called without being anybody yet; everything else is refused before it is looked up.
PUBLIC = frozenset(
    {
        ("GET", "/api/session"),
        ("POST", "/api/session"),
        ("POST", "/api/session/passkey"),
        ("POST", "/api/session/passkey/options"),
        ("POST", "/api/setup"),
        ("POST", "/api/setup/passkey/options"),
        ("POST", "/api/invites/redeem"),
        ("GET", "/api/openapi.json"),
    }
)


class Requires:
    """A dependency of a route: the action that its caller needs.

    It is about the site of the path, or else the whole server, which a token made for one site may not touch.
    `filtered`: about either, and the handler shows and takes what is the caller's only.
    """

    def __init__(self, action: str, *, filtered: bool = False) -> None:
        self.action = action
        self.filtered = filtered

    async def __call__(self, request: Request) -> Principal:
        """Return the caller.

        Raises: Forbidden.
        """
        caller: Principal = request.state.principal
        site = request.path_params.get("site")
        allowed = has_action(caller, self.action) if self.filtered else allows(caller, self.action, site)
        if not allowed:
            raise refusal(self.action, site)
        return caller


async def anybody(request: Request) -> Principal | None:
    """Return the caller where one is known; for the calls of `PUBLIC` only."""
    caller: Principal | None = request.state.principal
    return caller


async def signed_in(request: Request) -> Principal:
    """Return a user who is signed in: a token or the socket has no account.

    Raises: Forbidden.
    """
    caller: Principal = request.state.principal
    if caller.user is None:
        raise Forbidden("Only a user who is signed in at the dashboard has an account.")
    return caller


Anybody = Annotated[Principal | None, Depends(anybody)]
SignedIn = Annotated[Principal, Depends(signed_in)]
Reader = Annotated[Principal, Depends(Requires("read"))]
Deployer = Annotated[Principal, Depends(Requires("deploy"))]
Admin = Annotated[Principal, Depends(Requires("admin"))]
FilteredReader = Annotated[Principal, Depends(Requires("read", filtered=True))]
FilteredDeployer = Annotated[Principal, Depends(Requires("deploy", filtered=True))]
FilteredAdmin = Annotated[Principal, Depends(Requires("admin", filtered=True))]


def refusal(action: str, site: str | None) -> Forbidden:
    """Return what a caller is told who may not."""
    where = "to the whole server" if site is None else f"to the site {site!r}"
    return Forbidden(f"This token may not do that {where}: it takes the action {action!r} there.")


def check(caller: Principal, action: str, site: str | None) -> None:
    """Let a caller pass who may do `action` to a site.

    Raises: Forbidden.
    """
    if not allows(caller, action, site):
        raise refusal(action, site)


class Gate:
    """Finds out who calls, and limits what they send, before the application sees the request."""

    def __init__(self, app: Application, database: Database, origin: str) -> None:
        """Name the origin of the dashboard, from which alone a browser may call."""
        self._app = app
        self._database = database
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application for a known caller; answer everybody else with 401 or 403."""
        try:
            caller = await self._identify(scope)
            limited = _limit_body(scope, receive)
        except FaztError as error:
            if scope["type"] != "http":
                await send({"type": "websocket.close"})
                return
            await respond(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = caller
        await self._app(scope, limited, send)

    async def _identify(self, scope: Scope) -> Principal | None:
        """Return the caller; None: anybody, at a call that takes anybody.

        Raises: Unauthenticated, Forbidden.
        """
        peer = scope["extensions"]["fazt"]["peer_uid"]
        if peer is not None:
            if peer in (0, os.geteuid()):
                return local_owner()
            raise Forbidden("Only the user that runs the server, and root, may use its socket.")
        headers, public = Headers(scope=scope), (scope.get("method"), scope["path"]) in PUBLIC
        authorization = headers.get("authorization", "").strip()
        if authorization:
            return await self._bearer(authorization, address_of(scope))
        secret = find_secret(headers.getlist("cookie"))
        if secret is not None or public:
            self._check_browser(scope, headers)
        caller = None if secret is None else await self._signed_in(secret, address_of(scope))
        if caller is None and not public:
            raise Unauthenticated("Sign in at the dashboard, or send a token: Authorization: Bearer fazt_...")
        return caller

    async def _bearer(self, authorization: str, address: str) -> Principal:
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("The API takes a token: Authorization: Bearer fazt_...")
        token = None
        if len(secret) <= LONGEST_TOKEN:
            token = await self._database.read(tokens.find_by_hash, hash_token(secret))
        if token is None or is_expired(token, now_ms()):
            raise Unauthenticated("This token is unknown, expired or revoked.")
        if now_ms() - (token.last_used_at or 0) >= tokens.TOUCH_MS:
            await self._note_use(tokens.touch, token.id)
        return bearer_of(token, address)

    async def _signed_in(self, secret: str, address: str) -> Principal | None:
        found = await self._database.read(_find_session, hash_secret(secret))
        if found is None:
            return None
        session, user = found
        if now_ms() - session.last_seen_at >= sessions.SLIDE_MS:
            await self._note_use(_slide, session)
        return principal_of(user, session.id, address)

    async def _note_use(self, function: Callable[..., None], subject: Any) -> None:
        try:
            await self._database.write(function, subject)
        except StoreError as error:  # a full disk is no reason to refuse who only wants to look
            log.warning("the use of a token or a session was not noted: %s", error)

    def _check_browser(self, scope: Scope, headers: Headers) -> None:
        """Let a request pass that a page of the dashboard sends, and no page of another origin.

        A site on the same domain is same-site, so that SameSite does not stop it: the Origin does, the field that only
        scripts of the same origin can add, and the type of the body, which no form can send. Raises: Forbidden.
        """
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Forbidden("The API answers pages of the dashboard only.")
        if scope["type"] != "http" or scope["method"] in SAFE:
            return
        if headers.get("origin") != self._origin:
            raise Forbidden("The API takes changes from pages of the dashboard only.")
        if REQUEST_FIELD not in headers:
            raise Forbidden("A change that comes with a session needs the field Fazt-Request.")
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if media_type not in MEDIA_TYPES and (media_type or has_body):
            raise Forbidden("A change that comes with a session must be JSON, or one of the binary types.")


def address_of(scope: Scope) -> str:
    """Return where a request comes from."""
    client = scope.get("client")
    return "" if client is None else str(client[0])


def _find_session(connection: apsw.Connection, hash: bytes) -> tuple[Session, User] | None:
    session = sessions.find(connection, hash)
    user = None if session is None else users.by_id(connection, session.user)
    return None if session is None or user is None else (session, user)


def _slide(connection: apsw.Connection, session: Session) -> None:
    sessions.slide(connection, session.id)
    users.seen(connection, session.user)


def _limit_body(scope: Scope, receive: Receive) -> Receive:
    """Return `receive` with a limit on the bytes of the body.

    Raises: TooLarge, here or when it is called.
    """
    if scope["type"] != "http" or ARCHIVES.fullmatch(scope["path"]):
        return receive
    limit = MAX_LARGE_BODY_BYTES if LARGE_BODIES.fullmatch(scope["path"]) else MAX_BODY_BYTES
    too_large = TooLarge(f"A body may have at most {limit} bytes here.")
    declared = Headers(scope=scope).get("content-length", "0")
    if not declared.isdigit() or int(declared) > limit:
        raise too_large
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise too_large
        return message

    return receive_limited
