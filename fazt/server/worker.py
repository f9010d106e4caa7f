"""A worker: it answers with pages out of the database, which it only reads, and hands everything else to the core.

Rule: before it gives out a page it has followed every change that was answered before the request came.
"""

import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from fazt._speedups.pages import Clock, Page, Pages
from fazt._speedups.statistics import AccessRing
from fazt.acme.proofs import CHALLENGES
from fazt.api.history import RING_RECORDS
from fazt.edge.forward import Forwarder
from fazt.edge.listener import Edge
from fazt.errors import FaztError, StoreReplaced
from fazt.machine.memory import MemoryGuard, look
from fazt.server.joined import Joined, map_word, take_flags, take_joined
from fazt.server.making import make_hosting, make_limits, page_cache_bytes, read_settings, spill_folder
from fazt.server.reports import Reporter
from fazt.server.running import (
    CACHE,
    background,
    forget_pages,
    keep_time,
    settle_edge,
    stop_edge,
    stop_signals,
    until_first,
)
from fazt.settings import LiveSettings
from fazt.sites.resolve import Resolver
from fazt.sites.spill import Spill
from fazt.store import settings as stored_settings
from fazt.store.beside import Beside
from fazt.store.changes import Change
from fazt.tls.contexts import Contexts

log = logging.getLogger("fazt.worker")
LOOK_S = 0.5  # for changes, where no request asks for pages

READING: set[asyncio.Task[None]] = set()

T = TypeVar("T")


class Follower:
    """Follows what the core changes, before anything is answered that could be older."""

    def __init__(self, pages: Pages, beside: Beside, stopping: asyncio.Event) -> None:
        """`stopping` is set where the database is one that nobody writes any more."""
        self._stopping = stopping
        self._pages = pages
        self._beside = beside
        self._task: asyncio.Task[None] | None = None
        self._followed = -1

    async def catch_up(self) -> None:
        """Come back when everything is followed that was changed before the call; nothing later is waited for."""
        wanted = self._pages.latest
        while self._followed < wanted:
            if self._task is None:
                self._task = asyncio.ensure_future(self._follow())
            await asyncio.shield(self._task)

    async def _follow(self) -> None:
        try:
            word = self._pages.latest  # before the look: what is changed during it is looked for again
            await self._beside.catch_up()
            self._pages.caught_up(word)
            self._followed = word
        except StoreReplaced:
            self._stopping.set()
            raise
        finally:
            self._task = None

    async def run(self) -> None:
        """Look now and then, for what counts without a request, until the task is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.catch_up()
            except FaztError as error:
                log.warning("changes could not be followed: %s", error.message)

    def first(self, function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        """Return a function that catches up before it does what another one does."""

        async def caught_up(*args: Any) -> T:
            if self._pages.is_behind:
                await self.catch_up()
            return await function(*args)

        return caught_up


def main() -> None:
    """Run a worker until it is told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    joined = take_joined()
    if joined is None:
        raise SystemExit("This is started by `fazt serve --workers N`.")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, closing(Beside(_database(), 2)) as beside:
        runner.run(_work(joined, beside))


def _database() -> Path:
    return Path(os.environ["FAZT_DB"])


async def _work(joined: Joined, beside: Beside) -> None:
    database, flags = beside.database, take_flags()
    settings = read_settings(database, flags)
    hosting = make_hosting(settings.now)
    clock, ring, pages = Clock(), AccessRing(RING_RECORDS), Pages(_share(settings, joined))
    pages.watch(map_word(joined.word))
    stopping, hurrying = stop_signals()
    follower = Follower(pages, beside, stopping)
    database.follow(partial(forget_pages, pages))
    spill = _make_spill(settings, joined, beside)
    resolver = Resolver(database, pages, spill, hosting)
    edge = Edge(
        follower.first(_unless_challenge(resolver)),
        Forwarder(Path(joined.relay)),
        pages=pages,
        clock=clock,
        ring=ring,
        limits=make_limits(settings.now),
        lane=os.environ.get("FAZT_NO_LANE") != "1",
    )
    edge.hand_on(Path(joined.relay))
    contexts = Contexts(database, hosting.url) if joined.https else None

    def settle(_: object = None) -> None:
        pages.resize(_share(settings, joined))
        settle_edge(edge, contexts, settings.now)

    settle()
    settings.follow(settle)
    loop = asyncio.get_running_loop()
    database.follow(partial(_take_settings, loop, settings, beside))
    database.follow(partial(_clear_spill, loop, spill))
    reporter = Reporter(os.getpid(), pages, ring, Path(joined.relay))
    joined.end_with_keeper(stopping)
    guard = MemoryGuard(pages, lambda: pages.statistics().bytes, lambda: _share(settings, joined), lambda: 0, look)
    work = (follower.run(), reporter.run(lambda: edge.connections), guard.run())
    async with background(keep_time(clock), *work):
        try:
            for descriptor in joined.http:
                await edge.listen_socket(socket.socket(fileno=descriptor))
            if contexts is not None:
                for descriptor in joined.https:
                    edge.listen_tls_socket(socket.socket(fileno=descriptor), follower.first(contexts.choose))
            gc.collect()
            gc.freeze()
            await until_first(stopping)
        finally:
            await stop_edge(edge, settings.now.shutdown_grace_s, hurrying)
            await reporter.report(0)
            await asyncio.to_thread(spill.close)


def _share(settings: LiveSettings, joined: Joined) -> int:
    """Return the memory for the pages of one worker."""
    return page_cache_bytes(settings.now) // joined.workers


def _make_spill(settings: LiveSettings, joined: Joined, beside: Beside) -> Spill:
    """Return a spill cache of this worker's own."""
    return Spill(
        spill_folder(beside.database.path, joined.number),
        settings.now.spill_cache_bytes // joined.workers,
        beside.database,
    )


def _unless_challenge(resolve: Callable[..., Awaitable[Page | None]]) -> Callable[..., Awaitable[Page | None]]:
    """Leave challenges of an authority to the core, which knows what is to be shown, but for files that a site has."""

    async def resolve_or_not(host: str, path: bytes, query: bytes) -> Page | None:
        page = await resolve(host, path, query)
        if page is not None and page.status == 404 and path.startswith(CHALLENGES.encode()):
            return None
        return page

    return resolve_or_not


def _take_settings(
    loop: asyncio.AbstractEventLoop, settings: LiveSettings, beside: Beside, changes: Sequence[Change]
) -> None:
    """Let changed settings count here too; called on the loop, behind the look that found them."""
    if any(change.kind == "setting" for change in changes):
        task = loop.create_task(_read_settings(settings, beside))
        READING.add(task)  # the loop itself holds a task only loosely
        task.add_done_callback(READING.discard)


def _clear_spill(loop: asyncio.AbstractEventLoop, spill: Spill, changes: Sequence[Change]) -> None:
    """Empty the spill cache where the owner wants every cache to be empty."""
    if any(change.kind == CACHE for change in changes):
        loop.run_in_executor(None, spill.clear)


async def _read_settings(settings: LiveSettings, beside: Beside) -> None:
    settings.take(await beside.database.read(stored_settings.find_all))


if __name__ == "__main__":
    main()
