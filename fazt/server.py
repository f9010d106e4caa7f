"""The whole composition of the server: it builds every part, joins them, and runs them.

Rule: nothing else knows everything; a part gets what it needs as arguments from here.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing
from fazt.api.journal import Journal
from fazt.api.platform import platform
from fazt.api.routing import at_first_use, by_host, by_path
from fazt.api.uploads import Uploads
from fazt.edge.limits import Limits
from fazt.edge.listener import Edge
from fazt.errors import FaztError, InvalidInput
from fazt.settings import MIB, Settings, memory_limit_bytes, socket_path
from fazt.sites.archive import ArchiveLimits
from fazt.sites.builtin import install_builtin
from fazt.sites.compress import Compressor
from fazt.sites.hosting import Hosting
from fazt.sites.resolve import Resolver
from fazt.sites.spill import Spill
from fazt.store import blobs
from fazt.store.changes import Change
from fazt.store.clock import now_ms
from fazt.store.database import Database

log = logging.getLogger("fazt.server")
TICK_S = 0.5
FLUSH_S = 10.0
COLLECT_S = 3600.0
SPARED_MS = 3_600_000
MAX_BODY_BYTES = 72 * MIB  # the largest body that anything here reads is a pack

ASGIApplication = Callable[..., Awaitable[None]]


def address(setting: str) -> tuple[str, int]:
    """Return host and port of `ADDR:PORT`.

    Raises: InvalidInput.
    """
    host, _, port = setting.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise InvalidInput(f"'{setting}' is not an address to listen on; write 127.0.0.1:4698 or [::]:80.")
    return host.strip("[]"), int(port)


def hosting_of(settings: Settings) -> Hosting:
    """Return which host means what, and how visitors write a host's URL."""
    _, port = address(settings.http)

    def url(host: str) -> str:
        if settings.public_scheme:  # a proxy in front: it has the well-known port
            return f"{settings.public_scheme}://{host}/"
        return f"http://{host}/" if port == 80 else f"http://{host}:{port}/"

    return Hosting(settings.domain, settings.www, url)


def archive_limits(settings: Settings) -> ArchiveLimits:
    """Return what one version may hold."""
    return ArchiveLimits(
        max_files=settings.max_site_files,
        max_file_bytes=settings.max_file_bytes,
        max_total_bytes=settings.max_site_bytes,
    )


def edge_limits(settings: Settings) -> Limits:
    """Return what connections and requests may take."""
    return Limits(
        max_body_bytes=MAX_BODY_BYTES,
        header_timeout_s=settings.header_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        body_min_bytes_per_s=settings.body_min_bytes_per_s,
        write_timeout_s=settings.write_timeout_s,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
    )


class Parts:
    """What the running server and the API in process have in common, around one database."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        self.hosting = hosting_of(settings)
        self.pages = Pages(settings.page_cache_bytes or memory_limit_bytes() // 4)
        self.ring = AccessRing()
        self.spill = Spill(Path(f"{database.path}.cache"), settings.spill_cache_bytes, database)
        self.journal = Journal(database, self.pages, self.ring, settings.log_history_lines)
        self.uploads = Uploads()
        database.follow(self._forget)

    def _forget(self, changes: list[Change] | Any) -> None:
        """Make stale what a change touches; runs before the change is acknowledged."""
        self.pages.forget({change.key for change in changes if change.kind == "site"})
        if any(change.kind == "domain" for change in changes):
            # The pages kept under a domain's name belong to whichever site has it: all of them are asked for anew.
            self.pages.forget([state.name for state in self.pages.sites()])

    def make_admin(
        self, compress_soon: Callable[[], None], started_at_ms: int | None, count_connections: Callable[[], int]
    ) -> ASGIApplication:
        """Return the admin API. FastAPI takes 0.2 s and 16 MB: it is imported here, when it is first needed."""
        from fazt.api.admin import admin

        return admin(
            database=self.database,
            hosting=self.hosting,
            pages=self.pages,
            spill=self.spill,
            journal=self.journal,
            limits=archive_limits(self.settings),
            uploads=self.uploads,
            compress_soon=compress_soon,
            started_at_ms=started_at_ms,
            count_connections=count_connections,
        )


def run(settings: Settings, path: Path, on_ready: Callable[[str], None]) -> None:
    """Serve a database until SIGTERM or SIGINT; `on_ready` gets the URL once it answers.

    Raises: FaztError where the database or the address cannot be used.
    """
    address(settings.http)
    database = Database.open(path)
    try:
        database.write_blocking(install_builtin)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(database, settings, on_ready))
    finally:
        database.close()


async def _serve(database: Database, settings: Settings, on_ready: Callable[[str], None]) -> None:
    parts = Parts(database, settings)
    clock = Clock()
    compressor = Compressor(database)
    edge: Edge

    def make_admin() -> ASGIApplication:
        return parts.make_admin(compressor.wake, started_at_ms, lambda: edge.connections)

    started_at_ms = now_ms()
    admin = at_first_use(make_admin)
    every_host = platform(database)
    dashboard = f"dashboard.{settings.domain}"
    app = by_host({dashboard: by_path({"/_fazt/": every_host}, otherwise=admin)}, local=admin, otherwise=every_host)
    resolve = Resolver(database, parts.pages, parts.spill, parts.hosting)
    edge = Edge(
        resolve,
        app,
        pages=parts.pages,
        clock=clock,
        ring=parts.ring,
        limits=edge_limits(settings),
        lane=os.environ.get("FAZT_NO_LANE") != "1",
    )
    logging.getLogger("fazt").addHandler(parts.journal.errors)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(parts.spill.close)
        stack.push_async_callback(parts.journal.flush)
        stack.push_async_callback(_stop_edge, edge, settings)
        stop = _signals(edge)
        await edge.listen_tcp(*address(settings.http))
        await edge.listen_unix(socket_path(database.path))
        compressor.start()
        stack.callback(compressor.stop)
        for work in (_tick(clock), _flush(parts.journal), _collect(database)):
            stack.callback(asyncio.get_running_loop().create_task(work).cancel)
        on_ready(parts.hosting.url(settings.domain))
        await stop.wait()


async def _stop_edge(edge: Edge, settings: Settings) -> None:
    await edge.stop(settings.shutdown_grace_s)


def _signals(edge: Edge) -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets; the second one waits for nobody."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            edge.cut()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


async def _tick(clock: Clock) -> None:
    """Keep the clock that answers are dated by."""
    while True:
        clock.tick()
        await asyncio.sleep(TICK_S)


async def _flush(journal: Journal) -> None:
    """Write counts and lines into the database every now and then."""
    while True:
        await asyncio.sleep(FLUSH_S)
        try:
            await journal.flush()
        except FaztError as error:  # a full disk: serving goes on, and the next round tries again
            log.warning("statistics are not written: %s", error.message)


async def _collect(database: Database) -> None:
    """Delete contents that nothing uses, in small bites."""
    while True:
        await asyncio.sleep(COLLECT_S)
        try:
            freed = 0
            while (collected := await database.write(blobs.collect, 200, SPARED_MS)).blobs:
                freed += collected.bytes
            if freed:
                await asyncio.to_thread(database.shrink)
        except FaztError as error:
            log.warning("collecting goes on later: %s", error.message)


@contextmanager
def open_api(path: Path, settings: Settings) -> Iterator[ASGIApplication]:
    """Give the admin API on a database that no server holds.

    Raises: StoreBusy and the other errors of opening a database.
    """
    database = Database.open(path)
    try:
        parts = Parts(database, settings)
        try:
            yield parts.make_admin(lambda: None, None, lambda: 0)
        finally:
            parts.spill.close()
    finally:
        database.close()
