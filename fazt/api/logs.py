"""`/api/logs`: who asked for what, and what went wrong."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse

from fazt.api.access import FilteredReader, check
from fazt.api.answers import DEFAULT_ITEMS, Limit
from fazt.api.description import sends
from fazt.api.history import History, Position
from fazt.api.lines import Line
from fazt.store import sites
from fazt.store.database import Database, now_ms

NDJSON = "application/x-ndjson"
LONGEST_S = 100 * 366 * 86_400


class Logs:
    """The call that reads the log, and goes on reading it."""

    def __init__(self, database: Database, history: History) -> None:
        self._database = database
        self._history = history

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.add_api_route("/api/logs", self.read, methods=["GET"], responses=sends(NDJSON))

    async def read(
        self,
        caller: FilteredReader,
        request: Request,
        site: Annotated[str | None, Query(max_length=253)] = None,
        since_s: Annotated[int | None, Query(ge=0, le=LONGEST_S)] = None,
        limit: Limit = DEFAULT_ITEMS,
        follow: bool = False,
    ) -> Response:
        """Send the newest lines, oldest first, one JSON object a line; with `follow` go on with new ones."""
        if site is not None:
            check(caller, "read", site)
            await self._database.read(sites.get, site)
        wanted = caller.asks_about(site)
        since_ms = 0 if since_s is None else now_ms() - since_s * 1000
        lines, position = await self._history.read(wanted, since_ms, limit)
        if not follow:
            return Response(_joined(lines), media_type=NDJSON)
        return StreamingResponse(self._follow(request, wanted, lines, position), media_type=NDJSON)

    async def _follow(
        self, request: Request, wanted: frozenset[str] | None, lines: list[Line], position: Position
    ) -> AsyncIterator[bytes]:
        yield _joined(lines)  # empty as it may be: the head of the answer goes out with it
        async for new in self._history.follow(wanted, position):
            if new:
                yield _joined(new)
            elif await request.is_disconnected():
                return


def _joined(lines: list[Line]) -> bytes:
    return b"".join(line.line + b"\n" for line in lines)
