"""Who calls, and whether they may: the socket's peer or a token, and the action that each route names.

Rule: a caller is known before a byte of the body is read, and a route that names no action cannot be called.
"""

import logging
import os
import re
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers

from fazt.api.errors import respond
from fazt.api.routing import Application, Message, Receive, Scope, Send
from fazt.auth.tokens import Principal, allows, has_action, hash_token, is_expired
from fazt.errors import FaztError, Forbidden, StoreError, TooLarge, Unauthenticated
from fazt.store import tokens
from fazt.store.database import Database, now_ms

log = logging.getLogger("fazt.api")

MAX_BODY_BYTES = 1 << 20
MAX_LARGE_BODY_BYTES = 64 << 20  # packs, the list of 100,000 files, values in base64
LARGE_BODIES = re.compile(r"/api/(blobs|sites/[^/]+/(versions|call|kv/[\s\S]+))")
LONGEST_TOKEN = 256


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

    def __init__(self, app: Application, database: Database) -> None:
        self._app = app
        self._database = database

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

    async def _identify(self, scope: Scope) -> Principal:
        """Return the caller.

        Raises: Unauthenticated, Forbidden.
        """
        peer = scope["extensions"]["fazt"]["peer_uid"]
        if peer is not None:
            if peer in (0, os.geteuid()):
                return Principal(True, None)
            raise Forbidden("Only the user that runs the server, and root, may use its socket.")
        scheme, _, secret = Headers(scope=scope).get("authorization", "").strip().partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("The API takes a token: Authorization: Bearer fazt_...")
        token = None
        if len(secret) <= LONGEST_TOKEN:
            token = await self._database.read(tokens.find_by_hash, hash_token(secret))
        if token is None or is_expired(token, now_ms()):
            raise Unauthenticated("This token is unknown, expired or revoked.")
        if now_ms() - (token.last_used_at or 0) >= tokens.TOUCH_MS:
            try:
                await self._database.write(tokens.touch, token.id)
            except StoreError as error:  # a full disk is no reason to refuse who only wants to look
                log.warning("the use of the token %s was not noted: %s", token.id, error)
        return Principal(False, token)


def _limit_body(scope: Scope, receive: Receive) -> Receive:
    """Return `receive` with a limit on the bytes of the body.

    Raises: TooLarge, here or when it is called.
    """
    if scope["type"] != "http":
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
