"""The whole server on one page: builds every part, joins them, runs them.

Rule: nothing else knows everything, and nothing here is proportional to the number of sites. FastAPI is loaded at the
first request to the API, on a thread: it would be most of the time that a start takes.
"""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path

import uvloop

from fazt._speedups.hosts import normalise
from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing
from fazt.api.call_log import CallLog
from fazt.api.client_script import client_script_app
from fazt.api.collection import Collector
from fazt.api.error_log import ErrorLog, logging_to
from fazt.api.failed_calls import FailedCalls
from fazt.api.function_parts import FunctionCalls, FunctionParts
from fazt.api.history import RING_RECORDS, History
from fazt.api.platform import no_dashboard, platform
from fazt.api.rooms import rooms_app
from fazt.api.routing import Application, at_first_request, by_door, by_host, by_path
from fazt.cron.cron import Cron
from fazt.data.caller import Operation
from fazt.data.kv import kv_operations
from fazt.data.room_operations import rooms_operations
from fazt.data.rooms import Rooms
from fazt.edge.limits import Limits
from fazt.edge.listener import Edge
from fazt.errors import InvalidInput
from fazt.functions.allowance import allowance_of
from fazt.functions.app import functions_app
from fazt.functions.bridge import Bridge
from fazt.functions.fetching import fetch_operations
from fazt.functions.files import file_operations
from fazt.functions.pool import Pool
from fazt.functions.service import Service
from fazt.functions.streams import Streams, stream_operations
from fazt.functions.targets import Targets
from fazt.functions.v8 import V8Engine
from fazt.functions.workshop import Workshop
from fazt.jobs.clock import SystemClock
from fazt.jobs.jobs import Jobs
from fazt.jobs.operations import jobs_operations
from fazt.outbound.client import Outbound
from fazt.settings import Settings, listen_address, memory_limit_bytes, public_url, socket_path
from fazt.sites.archive import ArchiveLimits
from fazt.sites.builtin import install_builtin
from fazt.sites.compress import Compressor
from fazt.sites.hosting import Hosting
from fazt.sites.resolve import Resolver
from fazt.sites.spill import Spill
from fazt.store import programs
from fazt.store.changes import Change
from fazt.store.database import Database, now_ms

TICK_S = 0.5
PAGE_CACHE_SHARE = 4  # of the memory that the process may use: one part in so many
FUNCTIONS_SHARE = 4
PROCESS_PAGES_BYTES = 1 << 20  # where no server runs no page is ever kept
MAX_BODY_BYTES = 64 << 20  # nothing here reads a larger one; the API allows less for most calls
WWW = ("redirect-to-bare", "redirect-to-www")
SCHEMES = ("", "http", "https")


def run(settings: Settings, path: Path, on_ready: Callable[[str], None]) -> None:
    """Serve a database until SIGTERM or SIGINT; a second signal does not wait for requests under way.

    `on_ready` is called with the server's URL once it answers. Raises: InvalidInput, StoreError, ListenError.
    """
    hosting = make_hosting(settings)
    errors = ErrorLog()
    with (
        logging_to(errors),
        closing(Database.open(path)) as database,
        closing(make_spill(settings, database)) as spill,
        _compressing(database) as compressor,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(settings, hosting, database, spill, compressor, errors, on_ready))


async def _serve(
    settings: Settings,
    hosting: Hosting,
    database: Database,
    spill: Spill,
    compressor: Compressor,
    errors: ErrorLog,
    on_ready: Callable[[str], None],
) -> None:
    stopping, hurrying = _signals()
    clock, ring, pages = Clock(), AccessRing(RING_RECORDS), Pages(page_cache_bytes(settings))
    database.follow(partial(_forget, pages))
    functions = make_functions(settings, hosting, database)
    history = History(database, pages, ring, errors, functions.log, keep_lines=settings.log_history_lines)
    collector = Collector(database)

    def connections() -> int:
        return edge.connections

    build = partial(
        make_api,
        settings,
        hosting,
        database,
        pages,
        spill,
        collector,
        history,
        compressor.wake,
        connections,
        functions,
        now_ms(),
    )
    api = at_first_request(build)
    everywhere = platform(database)
    dashboard = by_path([("/api/", api), ("/_fazt/", everywhere)], otherwise=no_dashboard())
    site = by_path(
        [("/_fazt/room/", functions.rooms), ("/_fazt/client", client_script_app()), ("/api", functions.app)],
        otherwise=everywhere,
    )
    network = by_host({f"dashboard.{hosting.domain}": dashboard, f"dav.{hosting.domain}": everywhere}, otherwise=site)
    edge = Edge(
        Resolver(database, pages, spill, hosting),
        by_door(socket=api, network=network),
        pages=pages,
        clock=clock,
        ring=ring,
        limits=make_limits(settings),
        lane=os.environ.get("FAZT_NO_LANE") != "1",
    )
    async with _background(_tick(clock), history.run(), collector.run(), *functions.background()):
        try:
            await edge.listen_tcp(*listen_address(settings.http))
            # Once the port is ours, and before this thread answers anybody.
            database.write_blocking(install_builtin)
            await edge.listen_unix(socket_path(database.path))
            compressor.start()
            if database.read_blocking(programs.exist):  # where there are no functions there is no process for them
                functions.pool.warm()
            gc.collect()
            gc.freeze()  # what is there now stays: the collector need not walk through it while visitors wait
            on_ready(hosting.url(hosting.domain))
            await stopping.wait()
        finally:
            history.stop()
            await _stop(edge, settings.shutdown_grace_s, hurrying)
            await functions.stop()
            await history.flush()


def make_api(
    settings: Settings,
    hosting: Hosting,
    database: Database,
    pages: Pages,
    spill: Spill,
    collector: Collector,
    history: History,
    wake_compressor: Callable[[], None],
    connections: Callable[[], int],
    functions: FunctionParts,
    started_at_ms: int | None,
) -> Application:
    """Return the admin API; `started_at_ms` is None where no server runs."""
    # FastAPI and what belongs to it take longer to load than all the rest; see the module's rule.
    from fazt.api.admin import admin
    from fazt.api.blobs import Blobs
    from fazt.api.cron import Cron as CronCalls
    from fazt.api.deploys import Deploys
    from fazt.api.domains import Domains
    from fazt.api.environment import EnvironmentCalls
    from fazt.api.functions import Functions
    from fazt.api.jobs import Jobs as JobCalls
    from fazt.api.kv import Kv
    from fazt.api.logs import Logs
    from fazt.api.sites import Sites
    from fazt.api.status import Status
    from fazt.api.tokens import Tokens
    from fazt.api.versions import Versions

    return admin(
        database,
        [
            Sites(database, hosting, collector.wake),
            Deploys(
                database, hosting, archive_limits(settings), collector, functions.workshop.compile, wake_compressor
            ),
            Versions(database, hosting, collector),
            Blobs(database, collector),
            Domains(database, hosting),
            Tokens(database),
            Status(database, hosting, pages, spill, connections, functions, started_at_ms),
            Logs(database, history),
            Functions(database, hosting, functions.app, functions.failed),
            Kv(database),
            EnvironmentCalls(database),
            JobCalls(database, functions.jobs.wake, functions.jobs.interrupt),
            CronCalls(database, functions.jobs.wake, functions.cron.wake),
        ],
    )


@asynccontextmanager
async def open_api(path: Path, settings: Settings) -> AsyncIterator[Application]:
    """Open a database and give its admin API, in this process and without listening.

    Raises: InvalidInput, StoreBusy where a server holds it, StoreError.
    """
    hosting = make_hosting(settings)
    with closing(Database.open(path)) as database, closing(make_spill(settings, database)) as spill:
        pages = Pages(PROCESS_PAGES_BYTES)
        functions = make_functions(settings, hosting, database, spares=0)
        history = History(
            database, pages, AccessRing(1), ErrorLog(), functions.log, keep_lines=settings.log_history_lines
        )
        collector = Collector(database)
        try:
            yield make_api(
                settings,
                hosting,
                database,
                pages,
                spill,
                collector,
                history,
                lambda: None,
                lambda: 0,
                functions,
                started_at_ms=None,
            )
        finally:
            await functions.stop()


def make_functions(settings: Settings, hosting: Hosting, database: Database, *, spares: int = 1) -> FunctionParts:
    """Return everything that functions, rooms, jobs and cron are made of; to be called inside of the loop."""
    engine, streams, log, failed = V8Engine(), Streams(), CallLog(), FailedCalls(database)
    loop = asyncio.get_running_loop()
    allowance = allowance_of(settings)
    workshop = Workshop(engine, database)
    outbound = Outbound(
        is_own_host=hosting.is_site_host,
        is_forbidden_host=hosting.is_platform_host,
        own_address=_reachable(*listen_address(settings.http)),
        own_ports=frozenset((listen_address(settings.http)[1],)),
    )
    rooms = Rooms(loop.call_soon)
    calls = FunctionCalls(rooms, log, failed)
    jobs = Jobs(database, calls.run_job, SystemClock())
    cron = Cron(database, jobs.wake, SystemClock())
    bridge = Bridge(
        {
            **kv_operations(database),
            **file_operations(database, streams),
            **stream_operations(streams),
            **fetch_operations(outbound, streams),
            **rooms_operations(rooms, calls.room_settings),
            **jobs_operations(database, jobs, calls.has_job),
        },
        later={"crypto": _load_crypto},
    )
    pool = Pool(
        engine,
        bridge,
        bounds=allowance.bounds,
        memory_bytes=settings.functions_memory_bytes or memory_limit_bytes() // FUNCTIONS_SHARE,
        cores=os.cpu_count() or 1,
        spares=spares,
    )
    targets = Targets(database, hosting, allowance, workshop.compile_version, pool.retire_key)
    service = Service(pool, calls.on_report, log.console)
    calls.join(targets, service)
    database.follow(calls.follow)  # behind the targets, which forget first
    return FunctionParts(
        pool=pool,
        workshop=workshop,
        app=functions_app(targets, service, streams, hosting, failed.keep),
        room_members=rooms,
        rooms=rooms_app(rooms, calls.find_room_site, calls.handle_room_event),
        jobs=jobs,
        cron=cron,
        outbound=outbound,
        log=log,
        failed=failed,
    )


def _load_crypto() -> Mapping[str, Operation]:
    # The library takes as long to load as all the rest of a start; most functions never ask for it.
    from fazt.functions.crypto import crypto_operations

    return crypto_operations()


def make_hosting(settings: Settings) -> Hosting:
    """Return which host means what.

    Raises: InvalidInput where a setting about hosts cannot be.
    """
    domain = normalise(settings.domain.encode("ascii", "replace"))
    if domain is None or ":" in settings.domain:
        raise InvalidInput(f"{settings.domain!r} is not a domain; write it as example.org (other letters as xn--...).")
    if settings.www not in WWW:
        raise InvalidInput(f"{settings.www!r} is not a way to answer www; choose {' or '.join(WWW)}.")
    if settings.public_scheme not in SCHEMES:
        raise InvalidInput(f"{settings.public_scheme!r} is not a scheme of public URLs; choose http or https.")
    listen_address(settings.http)
    return Hosting(domain, settings.www, partial(public_url, settings))


def _reachable(host: str, port: int) -> tuple[str, int]:
    """Return an address under which this process reaches what listens on another, or on all of them."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def make_spill(settings: Settings, database: Database) -> Spill:
    """Return the spill cache, which lies beside the database."""
    folder = database.path.with_name(f"{database.path.name}.cache")
    return Spill(folder, settings.spill_cache_bytes, database)


def make_limits(settings: Settings) -> Limits:
    """Return what connections may take."""
    return Limits(
        max_body_bytes=MAX_BODY_BYTES,
        header_timeout_s=settings.header_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        body_min_bytes_per_s=settings.body_min_bytes_per_s,
        write_timeout_s=settings.write_timeout_s,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
    )


def archive_limits(settings: Settings) -> ArchiveLimits:
    """Return what a version may take."""
    return ArchiveLimits(
        max_files=settings.max_site_files,
        max_file_bytes=settings.max_file_bytes,
        max_total_bytes=settings.max_site_bytes,
    )


def page_cache_bytes(settings: Settings) -> int:
    """Return the memory that pages may take."""
    return settings.page_cache_bytes or memory_limit_bytes() // PAGE_CACHE_SHARE


@contextmanager
def _compressing(database: Database) -> Iterator[Compressor]:
    compressor = Compressor(database)
    try:
        yield compressor
    finally:
        compressor.stop()


@asynccontextmanager
async def _background(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run coroutines as long as the block runs."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tick(clock: Clock) -> None:
    """Keep the clock; it ticks right after each full second, so that no Date is older than the page it stands on."""
    while True:
        clock.tick()
        await asyncio.sleep(min(TICK_S, 1.001 - clock.now_ms % 1000 / 1000))


def _forget(pages: Pages, changes: Sequence[Change]) -> None:
    """Have stale pages forgotten; called on the writing thread before a write is answered."""
    if any(change.kind == "domain" for change in changes):
        # Which site's pages were made under the domain does not stand in the change: all of them are asked for anew.
        pages.forget([state.name for state in pages.sites()])
    pages.forget([change.key for change in changes if change.kind == "site"])


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Return what the first signal to stop sets, and what the second one sets."""
    first, second = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return first, second


async def _stop(edge: Edge, grace_s: float, hurrying: asyncio.Event) -> None:
    """Stop the edge; let requests under way finish, unless there is a hurry."""
    stopping = asyncio.ensure_future(edge.stop(grace_s))
    hurry = asyncio.ensure_future(hurrying.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not stopping.done():
        edge.cut()
    await stopping
