"""The admin API on an opened database, where no server runs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

from fazt._speedups.pages import Pages
from fazt._speedups.statistics import AccessRing
from fazt.api.error_log import ErrorLog
from fazt.api.routing import Application
from fazt.server.functions import make_functions
from fazt.server.making import make_hosting, make_spill, read_settings
from fazt.server.network import make_api
from fazt.server.parts import make_parts
from fazt.settings import (
    load_settings,
)
from fazt.store.database import Database

PROCESS_PAGES_BYTES = 1 << 20  # where no server runs no page is ever kept


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
            pages, ring = Pages(PROCESS_PAGES_BYTES), AccessRing(1)
            parts = make_parts(settings, hosting, database, spill, pages, ring, ErrorLog(), functions)
            try:
                yield make_api(parts)
            finally:
                await parts.telling.notifications.close()
                await functions.stop()
