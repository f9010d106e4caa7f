"""The server while it runs: from an opened database to a stop that finishes what has begun.

Rule: nothing here is proportional to the number of sites. FastAPI is loaded at the first request to the API, on a
thread: it would be most of the time that a start takes.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import uvloop

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing
from fazt.acme.challenge_app import resolve_unless_challenge
from fazt.api.error_log import ErrorLog, logging_to
from fazt.api.history import RING_RECORDS
from fazt.api.parts import Parts
from fazt.api.routing import at_first_request, by_door
from fazt.backups.boot import is_rehearsal
from fazt.edge.listener import Edge
from fazt.functions.allowance import allowance_of
from fazt.machine.supervisor import Supervisor
from fazt.server.functions import make_functions
from fazt.server.handed_over import take_handed_over
from fazt.server.joined import Joined, Word
from fazt.server.making import (
    functions_memory_bytes,
    guard,
    make_hosting,
    make_limits,
    make_memory_guard,
    make_schedule,
    make_spill,
    page_cache_bytes,
    read_settings,
    remove_spills,
    workers_of,
)
from fazt.server.network import make_api, make_network
from fazt.server.parts import make_parts
from fazt.server.reloading import reload_on_hangup
from fazt.server.reports import Reports
from fazt.server.running import background, forget_pages, keep_time, settle_edge, stop_edge, stop_signals, until_first
from fazt.settings import (
    LiveSettings,
    Settings,
    listen_address,
    load_settings,
    socket_path,
)
from fazt.sites.builtin import install_builtin
from fazt.sites.compress import Compressor
from fazt.sites.hosting import Hosting
from fazt.sites.resolve import Resolver
from fazt.sites.spill import Spill
from fazt.store import programs, users
from fazt.store.database import Database, now_ms
from fazt.tls.contexts import Contexts

log = logging.getLogger("fazt.server")
CORE_PAGES_BYTES = 1 << 20


def run(
    flags: Mapping[str, object],
    path: Path,
    on_ready: Callable[[str, str | None], None],
    joined: Joined | None = None,
) -> bool:
    """Serve a database until SIGTERM or SIGINT; a second signal does not wait for requests under way.

    Return whether somebody asked for the server to start anew.

    `flags` are settings of this run alone. `on_ready` is called once it answers, with the server's URL and, as long as
    nobody owns it, with a link that makes the owner's account. `joined`: this is the core of a server with workers.

    Raises: InvalidInput, StoreError, ListenError.
    """
    make_hosting(load_settings(flags))  # what cannot be is told before a file is made
    errors = ErrorLog()
    with logging_to(errors), closing(Database.open(path)) as database:
        settings = read_settings(database, flags)
        workers = workers_of(settings.now)
        remove_spills(database.path, workers if workers > 1 else 0)
        if joined is not None or workers == 1:
            return _run(settings, database, errors, on_ready, joined)
    # Only who has workers loads what it takes.
    from fazt.server.keeper import keep

    return keep(flags, path, settings.now)


def _run(
    settings: LiveSettings,
    database: Database,
    errors: ErrorLog,
    on_ready: Callable[[str, str | None], None],
    joined: Joined | None,
) -> bool:
    with (
        closing(make_spill(settings.now, database)) as spill,
        _compressing(database) as compressor,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(
            _serve(settings, make_hosting(settings.now), database, spill, compressor, errors, on_ready, joined)
        )


async def _serve(
    settings: LiveSettings,
    hosting: Hosting,
    database: Database,
    spill: Spill,
    compressor: Compressor,
    errors: ErrorLog,
    on_ready: Callable[[str, str | None], None],
    joined: Joined | None,
) -> bool:
    stopping, hurrying, again = *stop_signals(), asyncio.Event()
    clock, ring, pages = Clock(), AccessRing(RING_RECORDS), Pages(_cache_bytes(settings.now, joined))
    database.follow(partial(forget_pages, pages))
    reports = Reports(pages, ring)
    if joined is not None:
        database.follow(Word(joined.word).raise_it)
        joined.end_with_keeper(stopping)
    parts = make_parts(
        settings,
        hosting,
        database,
        spill,
        pages,
        ring,
        errors,
        make_functions(settings.now, hosting, database),
        wake_compressor=compressor.wake,
        connections=lambda: edge.connections + reports.connections,
        cache=reports.cache,
        workers=lambda: len(reports.workers),
        restart=again.set,
        started_at_ms=now_ms(),
    )
    edge: Edge = _make_edge(parts, clock, ring)
    contexts = Contexts(database, hosting.url, parts.proofs.find_certificate) if settings.now.https else None
    _apply(edge, parts, contexts, joined, settings.now)
    settings.follow(partial(_apply, edge, parts, contexts, joined))
    supervisor = Supervisor()
    async with background(keep_time(clock), supervisor.beat(), *_work(parts)):
        try:
            await _open(edge, parts, contexts, joined, reports)
            compressor.start()
            gc.collect()
            gc.freeze()  # what is there now stays: the collector need not walk through it while visitors wait
            on_ready(hosting.url(hosting.domain), _setup_link(parts))
            supervisor.ready(f"Serving {hosting.url(hosting.domain)}")
            if joined is not None:
                joined.tell_ready()
            await until_first(stopping, again)
        finally:
            supervisor.stopping()
            await _close(edge, parts, hurrying)
    return again.is_set()


def _make_edge(parts: Parts, clock: Clock, ring: AccessRing) -> Edge:
    api = at_first_request(partial(make_api, parts))
    resolver = Resolver(parts.database, parts.pages, parts.spill, parts.hosting)
    return Edge(
        resolve_unless_challenge(parts.proofs, resolver),
        by_door(socket=api, network=make_network(parts, api, resolver)),
        pages=parts.pages,
        clock=clock,
        ring=ring,
        limits=make_limits(parts.settings.now),
        lane=os.environ.get("FAZT_NO_LANE") != "1",
    )


def _work(parts: Parts) -> list[Coroutine[None, None, None]]:
    """Return what goes on beside the requests."""
    counting = [parts.history.run(), parts.visits.run(), parts.collector.run(), parts.clicks.run()]
    counting += [*parts.receiving.background(), make_memory_guard(parts).run(), reload_on_hangup(parts)]
    if is_rehearsal():  # on a copy: what that has to send or to run is sent and run by the server of the original
        return counting
    return [*counting, *parts.telling.background(), *parts.functions.background(), *_schedules(parts)]


def _schedules(parts: Parts) -> list[Coroutine[None, None, None]]:
    return [make_schedule(parts).work(), parts.issuing.work()]


async def _open(edge: Edge, parts: Parts, contexts: Contexts | None, joined: Joined | None, reports: Reports) -> None:
    """Listen, and make ready what answers. Raises: ListenError, StoreError."""
    database = parts.database
    if joined is None:
        await _listen(edge, parts.settings.now, contexts)
    else:
        await edge.listen_relay(Path(joined.relay), reports)
    # Once the port is ours, and before this thread answers anybody.
    if not database.is_writing_stopped:
        database.write_blocking(install_builtin)
    await edge.listen_unix(socket_path(database.path))
    if database.read_blocking(programs.exist):  # where there are no functions there is no process for them
        parts.functions.pool.warm()


async def _close(edge: Edge, parts: Parts, hurrying: asyncio.Event) -> None:
    """Finish what has begun, and write down what was counted in memory."""
    parts.history.stop()
    await stop_edge(edge, parts.settings.now.shutdown_grace_s, hurrying)
    await parts.functions.stop()
    await parts.history.flush()
    await parts.visits.flush()
    await parts.clicks.flush()
    await parts.receiving.refusals.flush()
    _tell_of_lost(parts)


def _tell_of_lost(parts: Parts) -> None:
    """Say what is lost with this process, since the store refused it to the end."""
    waiting = {
        "the log and the statistics of requests": parts.history.is_waiting,
        "visits": parts.visits.is_waiting,
        "clicks of short links": parts.clicks.is_waiting,
        "refusals of webhooks": parts.receiving.refusals.is_waiting,
    }
    lost = [what for what, is_waiting in waiting.items() if is_waiting]
    if lost:
        log.error("what could not be written is lost with this process: %s", ", ".join(lost))


async def _listen(edge: Edge, settings: Settings, contexts: Contexts | None) -> None:
    """Listen on the sockets that a supervisor handed over, else where the settings say. Raises: ListenError."""
    plain, secure = take_handed_over(settings)
    for each in plain:
        await edge.listen_socket(each)
    if not plain:
        await edge.listen_tcp(*listen_address(settings.http))
    if contexts is None:
        return
    for each in secure:
        edge.listen_tls_socket(each, contexts.choose)
    if not secure:
        await edge.listen_tls(*listen_address(settings.https), contexts.choose)


def _setup_link(parts: Parts) -> str | None:
    """Return the one-time link of a server without an owner; its secret stands where no log ever has it."""
    if parts.database.read_blocking(users.has_owner):
        return None
    return f"{parts.hosting.url(f'dashboard.{parts.hosting.domain}')}#/setup/{parts.setup.renew()}"


def _apply(edge: Edge, parts: Parts, contexts: Contexts | None, joined: Joined | None, settings: Settings) -> None:
    """Let the settings count in the running server."""
    settle_edge(edge, contexts, settings)
    parts.pages.resize(_cache_bytes(settings, joined))
    guard(parts.database, settings)
    parts.spill.resize(settings.spill_cache_bytes)
    parts.history.keep(settings.log_history_lines)
    parts.functions.allow(allowance_of(settings), functions_memory_bytes(settings))


def _cache_bytes(settings: Settings, joined: Joined | None) -> int:
    """Return the memory for pages in this process: the workers have it, where there are any."""
    return page_cache_bytes(settings) if joined is None else CORE_PAGES_BYTES


@contextmanager
def _compressing(database: Database) -> Iterator[Compressor]:
    compressor = Compressor(database)
    try:
        yield compressor
    finally:
        compressor.stop()
