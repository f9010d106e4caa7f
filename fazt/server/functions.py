"""Functions, rooms, jobs and cron: made of each other here, since they know nothing of each other."""

import asyncio
import os
from collections.abc import Mapping

from fazt.api.call_log import CallLog
from fazt.api.failed_calls import FailedCalls
from fazt.api.function_parts import FunctionCalls, FunctionParts
from fazt.api.rooms import rooms_app
from fazt.clock import SystemClock
from fazt.cron.cron import Cron
from fazt.data.caller import Operation
from fazt.data.kv import kv_operations
from fazt.data.room_operations import rooms_operations
from fazt.data.rooms import Rooms
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
from fazt.jobs.jobs import Jobs
from fazt.jobs.operations import jobs_operations
from fazt.server.making import functions_memory_bytes, make_outbound
from fazt.settings import (
    Settings,
)
from fazt.sites.hosting import Hosting
from fazt.store.database import Database


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
