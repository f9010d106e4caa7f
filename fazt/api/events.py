"""`/api/events`: what changes and what is served, as it happens, to pages that are open (WHATWG HTML 9.2).

Rule: a page learns of the sites only that its user may read; one that does not keep up is told to load anew, and what
waits for it is bounded.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from fazt._speedups.pages import Pages
from fazt.api.access import FilteredReader
from fazt.api.description import sends
from fazt.api.history import History
from fazt.api.status import resident_bytes
from fazt.auth.tokens import Principal
from fazt.store.changes import Change
from fazt.store.database import Database

TICK_S = 1.0
MOST_WAITING = 256
SITE_KINDS = ("site", "environment")


class Events:
    """Tells open pages of changes and of traffic."""

    def __init__(self, database: Database, pages: Pages, connections: Callable[[], int], history: History) -> None:
        self._pages = pages
        self._connections = connections
        self._history = history
        self._open: set[_Listener] = set()
        database.follow(self._on_changes)

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.add_api_route("/api/events", self.stream, methods=["GET"], responses=sends("text/event-stream"))

    async def stream(self, caller: FilteredReader, request: Request) -> Response:
        """Send `change` as things change, and `traffic` each second, until the client goes away."""
        listener = _Listener(caller, asyncio.get_running_loop())
        headers = {"X-Accel-Buffering": "no"}  # a proxy must not hold it back
        return StreamingResponse(self._events(listener, request), headers=headers, media_type="text/event-stream")

    async def _events(self, listener: "_Listener", request: Request) -> AsyncIterator[bytes]:
        self._open.add(listener)
        before = self._counts(listener.caller)
        try:
            yield b"retry: 2000\n\n"
            while not await self._history.ends_within(TICK_S):
                if await request.is_disconnected():
                    return
                now = self._counts(listener.caller)
                told = listener.take()
                told.append(_event("traffic", self._traffic(before, now, listener.caller)))
                before = now
                yield b"".join(told)
        finally:
            self._open.discard(listener)

    def _counts(self, caller: Principal) -> dict[str, tuple[int, int, int]]:
        visible = [state for state in self._pages.sites() if caller.sites is None or state.name in caller.sites]
        totals = ((state.name, state.totals()) for state in visible)
        return {name: (each.requests, each.body_bytes, each.statuses[4]) for name, each in totals}

    def _traffic(self, before: dict[str, Any], now: dict[str, Any], caller: Principal) -> dict[str, Any]:
        sites = {}
        for name, counts in now.items():
            requests, size, errors = (new - old for new, old in zip(counts, before.get(name, (0, 0, 0)), strict=True))
            if requests > 0:
                sites[name] = {"requests": requests, "bytes": size, "errors": errors}
        whole = {"connections": self._connections(), "memory_bytes": resident_bytes()} if caller.sites is None else {}
        return {"sites": sites, **whole}

    def _on_changes(self, changes: Sequence[Change]) -> None:
        """Hand changes to every listener; called on the writing thread."""
        for listener in tuple(self._open):
            seen = [change for change in changes if listener.may_see(change)]
            if seen:
                listener.loop.call_soon_threadsafe(listener.put, seen)


class _Listener:
    """A page that is open, and what waits for it."""

    def __init__(self, caller: Principal, loop: asyncio.AbstractEventLoop) -> None:
        self.caller = caller
        self.loop = loop
        self._waiting: list[Change] = []
        self._lost = False

    def may_see(self, change: Change) -> bool:
        """Tell whether a change is of a site that its user may read."""
        return self.caller.sites is None or (change.kind in SITE_KINDS and change.key in self.caller.sites)

    def put(self, changes: list[Change]) -> None:
        """Keep changes until the next tick; too many are as good as all."""
        self._lost = self._lost or len(self._waiting) + len(changes) > MOST_WAITING
        self._waiting = [] if self._lost else self._waiting + changes

    def take(self) -> list[bytes]:
        """Return what waits, as events: each thing that changed once."""
        changed, lost = dict.fromkeys((change.kind, change.key) for change in self._waiting), self._lost
        self._waiting, self._lost = [], False
        if lost:
            return [_event("change", {"kind": "all", "key": ""})]
        return [_event("change", {"kind": kind, "key": key}) for kind, key in changed]


def _event(name: str, value: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(value))
