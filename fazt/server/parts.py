"""Everything that the admin API shows or changes, joined."""

from typing import Any

from fazt._speedups.pages import Pages
from fazt._speedups.statistics import AccessRing
from fazt.acme.proofs import Proofs
from fazt.api.collection import Collector
from fazt.api.error_log import ErrorLog
from fazt.api.function_parts import FunctionParts
from fazt.api.history import History
from fazt.api.parts import Parts
from fazt.api.tally import Tally
from fazt.server.making import make_issuing, make_receiving, make_shelf, make_telling
from fazt.settings import LiveSettings
from fazt.sites.hosting import Hosting
from fazt.sites.spill import Spill
from fazt.store import links
from fazt.store.database import Database
from fazt.visits.countries import open_countries
from fazt.visits.visits import Visits


def make_parts(
    settings: LiveSettings,
    hosting: Hosting,
    database: Database,
    spill: Spill,
    pages: Pages,
    ring: AccessRing,
    errors: ErrorLog,
    functions: FunctionParts,
    **running: Any,
) -> Parts:
    """Return the parts; `running` is what only a server has. To be called inside of the loop."""
    now = settings.now
    proofs, telling = Proofs(), make_telling(settings, hosting, database, pages, functions)
    return Parts(
        settings=settings,
        hosting=hosting,
        database=database,
        pages=pages,
        spill=spill,
        collector=Collector(database),
        history=History(database, pages, ring, errors, functions.log, keep_lines=now.log_history_lines),
        visits=Visits(database, ring, hosting, open_countries(now.country_database)),
        functions=functions,
        clicks=Tally(database, links.add_clicks),
        receiving=make_receiving(database, hosting, functions),
        telling=telling,
        shelf=make_shelf(now, database),
        proofs=proofs,
        issuing=make_issuing(settings, hosting, database, proofs, telling),
        **{"cache": pages.statistics, **running},
    )
