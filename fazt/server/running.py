"""What each process of a server does that has an edge: it keeps the time, forgets stale pages, and stops in order."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager

from fazt._speedups.pages import Clock, Pages
from fazt.edge.listener import Edge
from fazt.server.making import make_limits
from fazt.settings import Settings, read_networks
from fazt.sites.hosting import ROOT_SITE
from fazt.store import links
from fazt.store.changes import Change
from fazt.tls.contexts import Contexts

TICK_S = 0.5
CACHE = "cache"  # a change that says: whatever is kept is to be made anew


def settle_edge(edge: Edge, contexts: Contexts | None, settings: Settings) -> None:
    """Let the settings count at an edge."""
    redirects = contexts is not None and settings.https_redirect == "yes"
    edge.secure(contexts.to_https if contexts is not None and redirects else None, settings.hsts_s)
    edge.limit(make_limits(settings))
    edge.trust(read_networks(settings.trusted_proxies))


@asynccontextmanager
async def background(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run coroutines as long as the block runs."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def keep_time(clock: Clock) -> None:
    """Keep the clock; it ticks right after each full second, so that no Date is older than the page it stands on."""
    while True:
        clock.tick()
        await asyncio.sleep(min(TICK_S, 1.001 - clock.now_ms % 1000 / 1000))


def forget_pages(pages: Pages, changes: Sequence[Change]) -> None:
    """Have stale pages forgotten; called on the writing thread before a write is answered."""
    if any(change.kind in ("domain", CACHE) for change in changes):
        # Which site's pages were made under the domain does not stand in the change: all of them are asked for anew.
        pages.forget([state.name for state in pages.sites()])
    if any(change.kind == links.KIND for change in changes):  # a page of the root site or a 404 stood in its place
        pages.forget([ROOT_SITE])
    pages.forget([change.key for change in changes if change.kind == "site"])


def stop_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Return what the first signal to stop sets, and what the second one sets."""
    first, second = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return first, second


async def until_first(*events: asyncio.Event) -> None:
    """Return when one of some events is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()


async def stop_edge(edge: Edge, grace_s: float, hurrying: asyncio.Event) -> None:
    """Stop the edge; let requests under way finish, unless there is a hurry."""
    stopping = asyncio.ensure_future(edge.stop(grace_s))
    hurry = asyncio.ensure_future(hurrying.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not stopping.done():
        edge.cut()
    await stopping
