"""The whole server on one page: builds every part, joins them, runs them.

Rule: nothing else knows everything, and nothing here is proportional to the number of sites. FastAPI is loaded at the
first request to the API, on a thread: it would be most of the time that a start takes.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path

import uvloop

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing
from fazt.api.beacon import beacon_app
from fazt.api.call_log import CallLog
from fazt.api.client_script import BEACON, client_script_app
from fazt.api.collection import Collector
from fazt.api.dashboard import dashboard
from fazt.api.error_log import ErrorLog, logging_to
from fazt.api.failed_calls import FailedCalls
from fazt.api.function_parts import FunctionCalls, FunctionParts
from fazt.api.guard import Guard
from fazt.api.history import RING_RECORDS, History
from fazt.api.hook_app import PREFIX as HOOKS
from fazt.api.hook_app import Receiving, hook_app
from fazt.api.parts import Parts
from fazt.api.platform import platform
from fazt.api.rooms import rooms_app
from fazt.api.routing import Application, at_first_request, by_another_name, by_door, by_host, by_path
from fazt.api.short_links import short_links_app
from fazt.api.tally import Tally
from fazt.api.telling import Telling, served
from fazt.backups.boot import is_rehearsal
from fazt.backups.schedule import Plan, Schedule
from fazt.backups.shelf import Retention, Shelf
from fazt.clock import SystemClock
from fazt.cron.cron import Cron
from fazt.data.caller import Operation
from fazt.data.kv import kv_operations
from fazt.data.room_operations import rooms_operations
from fazt.data.rooms import Rooms
from fazt.edge.limits import Limits
from fazt.edge.listener import Edge
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
from fazt.hooks.receiving import Receiver
from fazt.jobs.jobs import Jobs
from fazt.jobs.operations import jobs_operations
from fazt.jobs.options import parse_job
from fazt.machine.sockets import take_sockets
from fazt.machine.supervisor import Supervisor
from fazt.notifications.notifications import LIMITS as NOTIFICATION_LIMITS
from fazt.notifications.notifications import Notifications
from fazt.notifications.watch import Watch
from fazt.outbound.addresses import Network
from fazt.outbound.client import Limits as OutboundLimits
from fazt.outbound.client import Outbound
from fazt.settings import (
    LiveSettings,
    Settings,
    backup_folder,
    check_domain,
    listen_address,
    load_settings,
    memory_limit_bytes,
    public_url,
    read_networks,
    socket_path,
)
from fazt.sites.builtin import install_builtin
from fazt.sites.compress import Compressor
from fazt.sites.hosting import ROOT_SITE, Hosting
from fazt.sites.resolve import Resolver
from fazt.sites.spill import Spill
from fazt.store import hooks, links, programs, users
from fazt.store import settings as stored_settings
from fazt.store.changes import Change
from fazt.store.database import Database, now_ms
from fazt.store.queue import NewJob
from fazt.visits.countries import open_countries
from fazt.visits.visits import Visits

log = logging.getLogger("fazt.server")
HTTP_SOCKET = "http"  # what fazt.socket calls it
TICK_S = 0.5
REMIND_S = 24 * 3600  # of the same trouble with backups
PAGE_CACHE_SHARE = 4  # of the memory that the process may use: one part in so many
FUNCTIONS_SHARE = 4
METRICS = "/_fazt/metrics"  # where Prometheus is pointed to
PROCESS_PAGES_BYTES = 1 << 20  # where no server runs no page is ever kept
MAX_BODY_BYTES = 64 << 20  # beyond the largest archive; whoever reads a body allows less


def run(flags: Mapping[str, object], path: Path, on_ready: Callable[[str, str | None], None]) -> bool:
    """Serve a database until SIGTERM or SIGINT; a second signal does not wait for requests under way.

    Return whether somebody asked for the server to start anew.

    `flags` are settings of this run alone. `on_ready` is called once it answers, with the server's URL and, as long as
    nobody owns it, with a link that makes the owner's account.

    Raises: InvalidInput, StoreError, ListenError.
    """
    make_hosting(load_settings(flags))  # what cannot be is told before a file is made
    errors = ErrorLog()
    with (
        logging_to(errors),
        closing(Database.open(path)) as database,
        closing(make_spill((settings := read_settings(database, flags)).now, database)) as spill,
        _compressing(database) as compressor,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_serve(settings, make_hosting(settings.now), database, spill, compressor, errors, on_ready))


async def _serve(
    settings: LiveSettings,
    hosting: Hosting,
    database: Database,
    spill: Spill,
    compressor: Compressor,
    errors: ErrorLog,
    on_ready: Callable[[str, str | None], None],
) -> bool:
    stopping, hurrying, again = *_signals(), asyncio.Event()
    clock, ring, pages = Clock(), AccessRing(RING_RECORDS), Pages(page_cache_bytes(settings.now))
    database.follow(partial(_forget, pages))
    functions = make_functions(settings.now, hosting, database)
    history = History(database, pages, ring, errors, functions.log, keep_lines=settings.now.log_history_lines)
    visits = Visits(database, ring, hosting, open_countries(settings.now.country_database))
    collector = Collector(database)
    clicks = Tally(database, links.add_clicks)
    receiving = make_receiving(database, hosting, functions)
    telling = make_telling(settings, hosting, database, pages, functions)
    parts = Parts(
        settings=settings,
        hosting=hosting,
        database=database,
        pages=pages,
        spill=spill,
        collector=collector,
        history=history,
        visits=visits,
        functions=functions,
        clicks=clicks,
        receiving=receiving,
        telling=telling,
        wake_compressor=compressor.wake,
        shelf=make_shelf(settings.now, database),
        connections=lambda: edge.connections,
        restart=again.set,
        started_at_ms=now_ms(),
    )
    api = at_first_request(partial(make_api, parts))
    resolver = Resolver(database, pages, spill, hosting)
    edge = Edge(
        resolver,
        by_door(socket=api, network=_network(parts, api, resolver)),
        pages=pages,
        clock=clock,
        ring=ring,
        limits=make_limits(settings.now),
        lane=os.environ.get("FAZT_NO_LANE") != "1",
    )
    edge.trust(read_networks(settings.now.trusted_proxies))
    settings.follow(partial(_apply, edge, parts))
    counting = [history.run(), visits.run(), collector.run(), clicks.run(), *receiving.background()]
    supervisor = Supervisor()
    counting.append(supervisor.beat())
    # A rehearsal works on a copy: what the copy has to send or to run is sent and run by the server of the original.
    acting = [] if is_rehearsal() else [*telling.background(), *functions.background(), make_schedule(parts).work()]
    async with _background(_tick(clock), *counting, *acting):
        try:
            await _listen(edge, settings.now.http)
            # Once the port is ours, and before this thread answers anybody.
            database.write_blocking(install_builtin)
            await edge.listen_unix(socket_path(database.path))
            compressor.start()
            if database.read_blocking(programs.exist):  # where there are no functions there is no process for them
                functions.pool.warm()
            gc.collect()
            gc.freeze()  # what is there now stays: the collector need not walk through it while visitors wait
            on_ready(hosting.url(hosting.domain), _setup_link(parts))
            supervisor.ready(f"Serving {hosting.url(hosting.domain)}")
            await _first(stopping, again)
        finally:
            supervisor.stopping()
            history.stop()
            await _stop(edge, settings.now.shutdown_grace_s, hurrying)
            await functions.stop()
            await history.flush()
            await visits.flush()
            await clicks.flush()
            await receiving.refusals.flush()
    return again.is_set()


async def _listen(edge: Edge, http: str) -> None:
    """Listen on the sockets that a supervisor handed over, else on the address of the settings. Raises: ListenError."""
    sockets = take_sockets()
    for name in sockets.keys() - {HTTP_SOCKET}:
        log.warning("sockets named %r were handed over, which nothing here answers on", name)
    for opened in sockets.get(HTTP_SOCKET, ()):
        await edge.listen_socket(opened)
    if HTTP_SOCKET not in sockets:
        await edge.listen_tcp(*listen_address(http))


def _network(parts: Parts, api: Application, resolver: Resolver) -> Application:
    """Return what answers visitors wherever the edge has no page: the dashboard's host, the bare domain, the sites."""
    database, hosting, functions = parts.database, parts.hosting, parts.functions
    everywhere = platform(database)
    metrics = by_another_name(METRICS, "/api/metrics", api, otherwise=everywhere)
    admin_host = by_path(
        [("/api/", api), (METRICS, metrics), ("/_fazt/", everywhere)], otherwise=at_first_request(dashboard)
    )
    scripts, beacon = client_script_app(), beacon_app(database, hosting, parts.visits)
    site = by_path(
        [
            ("/_fazt/room/", functions.rooms),
            ("/_fazt/client", scripts),
            (BEACON, scripts),
            ("/_fazt/beacon", beacon),
            ("/_fazt/pixel", beacon),
            (HOOKS, hook_app(parts.receiving.receiver)),
            ("/api", functions.app),
        ],
        otherwise=everywhere,
    )
    site = Guard(database, hosting, resolver, site)
    bare = by_path([("/r/", short_links_app(database, parts.clicks, otherwise=site))], otherwise=site)
    hosts = {f"dashboard.{hosting.domain}": admin_host, f"dav.{hosting.domain}": everywhere}
    hosts |= {hosting.domain: bare, f"www.{hosting.domain}": bare}
    return by_host(hosts, otherwise=site)


def make_api(parts: Parts) -> Application:
    """Return the admin API."""
    # FastAPI and what belongs to it take longer to load than all the rest; see the module's rule.
    from fazt.api.admin import admin
    from fazt.api.resources import make_resources

    origin = parts.hosting.url(f"dashboard.{parts.hosting.domain}").rstrip("/")
    return admin(parts.database, make_resources(parts), origin)


def _setup_link(parts: Parts) -> str | None:
    """Return the one-time link of a server without an owner; its secret stands where no log ever has it."""
    if parts.database.read_blocking(users.has_owner):
        return None
    return f"{parts.hosting.url(f'dashboard.{parts.hosting.domain}')}#/setup/{parts.setup.renew()}"


def _apply(edge: Edge, parts: Parts, settings: Settings) -> None:
    """Let changed settings count in the running server."""
    edge.limit(make_limits(settings))
    edge.trust(read_networks(settings.trusted_proxies))
    parts.pages.resize(page_cache_bytes(settings))
    parts.spill.resize(settings.spill_cache_bytes)
    parts.history.keep(settings.log_history_lines)
    parts.functions.allow(allowance_of(settings), functions_memory_bytes(settings))


@asynccontextmanager
async def open_api(path: Path, flags: Mapping[str, object]) -> AsyncIterator[Application]:
    """Open a database and give its admin API, in this process and without listening.

    Raises: InvalidInput, StoreBusy where a server holds it, StoreError.
    """
    make_hosting(load_settings(flags))
    with closing(Database.open(path)) as database:
        settings = read_settings(database, flags)
        hosting = make_hosting(settings.now)
        functions = make_functions(settings.now, hosting, database, spares=0)
        with closing(make_spill(settings.now, database)) as spill:
            parts = _parts_without_server(settings, hosting, database, spill, functions)
            try:
                yield make_api(parts)
            finally:
                await parts.telling.notifications.close()
                await functions.stop()


def _parts_without_server(
    settings: LiveSettings, hosting: Hosting, database: Database, spill: Spill, functions: FunctionParts
) -> Parts:
    pages, ring = Pages(PROCESS_PAGES_BYTES), AccessRing(1)
    keep = settings.now.log_history_lines
    return Parts(
        settings=settings,
        hosting=hosting,
        database=database,
        pages=pages,
        spill=spill,
        collector=Collector(database),
        history=History(database, pages, ring, ErrorLog(), functions.log, keep_lines=keep),
        visits=Visits(database, ring, hosting, open_countries("")),
        functions=functions,
        clicks=Tally(database, links.add_clicks),
        receiving=make_receiving(database, hosting, functions),
        telling=make_telling(settings, hosting, database, pages, functions),
        shelf=make_shelf(settings.now, database),
    )


def make_shelf(settings: Settings, database: Database) -> Shelf:
    """Return the backups of a database."""
    return Shelf(database.path, backup_folder(settings, database.path))


def make_schedule(parts: Parts) -> Schedule:
    """Return what makes backups by itself; to be called inside of the loop."""

    def plan() -> Plan:
        now = parts.settings.now
        keep = (now.backup_keep_last, now.backup_keep_daily, now.backup_keep_weekly, now.backup_keep_monthly)
        return Plan(now.backup_every_h, Retention(*keep))

    def tell(title: str, text: str) -> None:
        parts.telling.notifications.notify_once(title, REMIND_S, "backup", title, text)

    return Schedule(parts.database, parts.shelf, plan, SystemClock(), tell)


def make_receiving(database: Database, hosting: Hosting, functions: FunctionParts) -> Receiving:
    """Return what takes the deliveries of webhooks."""
    refusals = Tally(database, hooks.count_refused)

    def make_job(name: str, data: object) -> NewJob:
        return parse_job({"name": name, "data": data}, now_ms())

    return Receiving(Receiver(database, hosting, make_job, functions.jobs.wake, refusals.count), refusals)


def make_telling(
    settings: LiveSettings, hosting: Hosting, database: Database, pages: Pages, functions: FunctionParts
) -> Telling:
    """Return the notifications, and what watches for them; to be called inside of the loop."""

    def outbound() -> Outbound:
        networks = read_networks(settings.now.notifications_private)
        return make_outbound(settings.now, hosting, networks, NOTIFICATION_LIMITS)

    notifications = Notifications(database, outbound, SystemClock(), hosting.domain)
    settings.follow(lambda _: notifications.renew())
    watch = Watch(
        notifications,
        database,
        lambda: served(pages, functions.log),
        burst=lambda: settings.now.error_burst,
        disk_low_percent=lambda: settings.now.disk_low_percent,
        url=hosting.site_url,
    )
    return Telling(notifications, watch)


def make_outbound(
    settings: Settings, hosting: Hosting, networks: tuple[Network, ...] = (), limits: OutboundLimits | None = None
) -> Outbound:
    """Return a client for outgoing HTTP that may also reach these private networks."""
    return Outbound(
        allowed_networks=networks,
        is_own_host=hosting.is_site_host,
        is_forbidden_host=hosting.is_platform_host,
        own_address=_reachable(*listen_address(settings.http)),
        own_ports=frozenset((listen_address(settings.http)[1],)),
        limits=limits,
    )


def make_functions(settings: Settings, hosting: Hosting, database: Database, *, spares: int = 1) -> FunctionParts:
    """Return everything that functions, rooms, jobs and cron are made of; to be called inside of the loop."""
    engine, streams, log, failed = V8Engine(), Streams(), CallLog(), FailedCalls(database)
    loop = asyncio.get_running_loop()
    allowance = allowance_of(settings)
    workshop = Workshop(engine, database)
    outbound = make_outbound(settings, hosting)
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
        memory_bytes=functions_memory_bytes(settings),
        cores=len(os.sched_getaffinity(0)),
        spares=spares,
    )
    targets = Targets(database, hosting, allowance, workshop.compile_version, pool.retire_key)
    service = Service(pool, calls.on_report, log.console)
    calls.join(targets, service)
    database.follow(calls.follow)  # behind the targets, which forget first
    return FunctionParts(
        targets=targets,
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


def read_settings(database: Database, flags: Mapping[str, object]) -> LiveSettings:
    """Return the settings of this process, those of the database among them. Raises: InvalidInput."""
    return LiveSettings(flags, stored=database.read_blocking(stored_settings.find_all))


def make_hosting(settings: Settings) -> Hosting:
    """Return which host means what.

    Raises: InvalidInput where a setting about hosts cannot be.
    """
    domain = check_domain(settings.domain)
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
        max_body_bytes=MAX_BODY_BYTES + settings.max_site_bytes,
        header_timeout_s=settings.header_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        body_min_bytes_per_s=settings.body_min_bytes_per_s,
        write_timeout_s=settings.write_timeout_s,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
    )


def page_cache_bytes(settings: Settings) -> int:
    """Return the memory that pages may take."""
    return settings.page_cache_bytes or memory_limit_bytes() // PAGE_CACHE_SHARE


def functions_memory_bytes(settings: Settings) -> int:
    """Return the memory that idle functions may hold."""
    return settings.functions_memory_bytes or memory_limit_bytes() // FUNCTIONS_SHARE


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
    if any(change.kind == links.KIND for change in changes):  # a page of the root site or a 404 stood in its place
        pages.forget([ROOT_SITE])
    pages.forget([change.key for change in changes if change.kind == "site"])


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Return what the first signal to stop sets, and what the second one sets."""
    first, second = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return first, second


async def _first(*events: asyncio.Event) -> None:
    """Return when one of some events is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()


async def _stop(edge: Edge, grace_s: float, hurrying: asyncio.Event) -> None:
    """Stop the edge; let requests under way finish, unless there is a hurry."""
    stopping = asyncio.ensure_future(edge.stop(grace_s))
    hurry = asyncio.ensure_future(hurrying.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not stopping.done():
        edge.cut()
    await stopping
