"""What the admin API is made of. Loaded with the server: nothing here may need FastAPI."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fazt._speedups.pages import CacheStatistics, Pages
from fazt.acme.issuing import Issuing
from fazt.acme.proofs import Proofs
from fazt.api.collection import Collector
from fazt.api.function_parts import FunctionParts
from fazt.api.history import History
from fazt.api.hook_app import Receiving
from fazt.api.tally import Tally
from fazt.api.telling import Telling
from fazt.auth.setup import SetupSecret
from fazt.backups.shelf import Shelf
from fazt.settings import LiveSettings
from fazt.sites.hosting import Hosting
from fazt.sites.spill import Spill
from fazt.store.database import Database
from fazt.visits.visits import Visits


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the admin API is made of; `started_at_ms` is None where no server runs."""

    settings: LiveSettings
    hosting: Hosting
    database: Database
    pages: Pages
    spill: Spill
    collector: Collector
    history: History
    visits: Visits
    functions: FunctionParts
    clicks: Tally
    receiving: Receiving
    telling: Telling
    shelf: Shelf
    proofs: Proofs
    issuing: Issuing
    cache: Callable[[], CacheStatistics]  # of all processes, where there are workers
    setup: SetupSecret = field(default_factory=SetupSecret)
    wake_compressor: Callable[[], None] = lambda: None
    connections: Callable[[], int] = lambda: 0
    restart: Callable[[], None] | None = None
    started_at_ms: int | None = None
    workers: Callable[[], int] = lambda: 0
