"""/api/logs: who asked for what, and what went wrong."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import StreamingResponse

from fazt.api.access import Access
from fazt.api.journal import Journal
from fazt.auth.tokens import Principal, check
from fazt.store.clock import now_ms

POLL_S = 0.25
LINES = "application/x-ndjson"


def routes(access: Access, journal: Journal) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/logs", tags=["logs"])

    @router.get("", summary="Read access and error lines, oldest first")
    async def read_logs(
        principal: Annotated[Principal, Depends(access.requires("read", some_site=True))],
        site: str | None = None,
        since_s: Annotated[int | None, Query(ge=0)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        follow: bool = False,
    ) -> Response:
        wanted = principal.site if site is None else site
        check(principal, "read", wanted)
        since_ms = 0 if since_s is None else now_ms() - since_s * 1000
        lines, at = await journal.recent(wanted, since_ms, limit)
        if not follow:
            return Response(b"".join(line + b"\n" for line in lines), media_type=LINES)
        return StreamingResponse(_follow(journal, wanted, lines, at), media_type=LINES)

    return router


async def _follow(journal: Journal, site: str | None, lines: list[bytes], at: tuple[int, int]) -> AsyncIterator[bytes]:
    """Yield lines as they come, until the reader goes away."""
    while True:
        if lines:
            yield b"".join(line + b"\n" for line in lines)
        # Compiled code writes the ring and tells nobody: it is looked at while somebody reads.
        await asyncio.sleep(POLL_S)
        lines, at = journal.news(site, at)
