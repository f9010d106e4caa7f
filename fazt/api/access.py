"""Who may call what: each route names the action it needs; there is no default.

Rule: on the Unix socket the kernel says who calls; over HTTP a token does, in the Authorization field and nowhere else.
"""

import os
from collections.abc import Awaitable, Callable

from fastapi import Request

from fazt.auth.tokens import Principal, check, hash_token
from fazt.errors import Unauthenticated
from fazt.store import tokens
from fazt.store.clock import now_ms
from fazt.store.database import Database

OWNER = Principal(is_owner=True, token=None)
TOUCH_MS = 60_000

Dependency = Callable[[Request], Awaitable[Principal]]


class Access:
    """Finds out who calls, and makes the dependencies that let a call pass."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def principal(self, request: Request) -> Principal:
        """Return who calls.

        Raises: Unauthenticated.
        """
        uid = request.scope["extensions"]["fazt"]["peer_uid"]
        if uid is not None:
            if uid in (0, os.getuid()):
                return OWNER
            raise Unauthenticated("This socket is for the server's own user.")
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("A token is needed: Authorization: Bearer fazt_...")
        token = await self._database.read(tokens.find_by_hash, hash_token(secret.strip()))
        if token is None or (token.expires_at is not None and token.expires_at <= now_ms()):
            raise Unauthenticated("This token is not valid, or not any more.")
        if token.last_used_at is None or now_ms() - token.last_used_at > TOUCH_MS:
            await self._database.write(tokens.touch, token.id)
        return Principal(is_owner=False, token=token)

    def requires(self, action: str, *, some_site: bool = False) -> Dependency:
        """Return a dependency that lets pass who may do `action` to the site in the path.

        `some_site`: a token for one site may call too; the handler itself keeps to that site.
        """

        async def dependency(request: Request) -> Principal:
            principal = await self.principal(request)
            site = request.path_params.get("site", principal.site if some_site else None)
            check(principal, action, site)
            return principal

        dependency.action = action  # type: ignore[attr-defined]  # a test looks whether every route has one
        return dependency
