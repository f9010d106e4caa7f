"""Every resource of the admin API, made of the parts of the server.

Loaded at the first request to the API, with FastAPI: see fazt/server/serving.py.
"""

from collections.abc import Sequence

from fazt.api.account import AccountCalls
from fazt.api.admin import Resource
from fazt.api.audit import AuditLog
from fazt.api.backups import BackupCalls
from fazt.api.blobs import Blobs
from fazt.api.certificate_orders import CertificateOrders
from fazt.api.certificates import Certificates
from fazt.api.cron import Cron as CronCalls
from fazt.api.deploys import Deploys
from fazt.api.domains import Domains
from fazt.api.environment import EnvironmentCalls
from fazt.api.events import Events
from fazt.api.files import Files
from fazt.api.functions import Functions
from fazt.api.hooks import Hooks
from fazt.api.jobs import Jobs as JobCalls
from fazt.api.kv import Kv
from fazt.api.links import Links
from fazt.api.logs import Logs
from fazt.api.metrics import Metrics
from fazt.api.notifications import NotificationCalls
from fazt.api.overview import Overview
from fazt.api.parts import Parts
from fazt.api.passkeys import PasskeyCalls
from fazt.api.protection import ProtectionCalls
from fazt.api.publishing import Publisher
from fazt.api.session import SessionCalls, SignInDesk
from fazt.api.settings import SettingsCalls
from fazt.api.site_restores import SiteRestores
from fazt.api.sites import Sites
from fazt.api.statistics import Statistics
from fazt.api.status import Status
from fazt.api.tokens import Tokens
from fazt.api.users import UserCalls
from fazt.api.versions import Versions
from fazt.auth.attempts import Attempts
from fazt.auth.passwords import Passwords
from fazt.settings import Settings
from fazt.sites.archive import ArchiveLimits


def make_resources(parts: Parts) -> Sequence[Resource]:
    """Return the resources of the admin API."""
    database, hosting, collector, functions = parts.database, parts.hosting, parts.collector, parts.functions
    passwords = Passwords()
    desk = SignInDesk(database, hosting, passwords, Attempts(), parts.telling.notifications.notify)
    publisher = Publisher(
        database,
        hosting,
        lambda: _archive_limits(parts.settings.now),
        collector,
        functions.workshop.compile,
        parts.wake_compressor,
    )
    return [
        SessionCalls(desk, parts.setup),
        AccountCalls(desk),
        PasskeyCalls(desk),
        UserCalls(desk, parts.setup),
        Sites(database, hosting, collector.wake),
        Deploys(database, hosting, publisher),
        Files(database, publisher),
        Versions(database, hosting, collector),
        Blobs(database, collector),
        Domains(database, hosting),
        CertificateOrders(database, parts.issuing),
        Certificates(database),
        Tokens(database),
        Status(parts),
        Metrics(parts),
        Logs(database, parts.history),
        Statistics(database, parts.history, parts.visits),
        Overview(database, hosting, parts.history, parts.visits, parts.connections, parts.started_at_ms),
        Functions(database, hosting, functions.app, functions.failed),
        Kv(database),
        EnvironmentCalls(database),
        JobCalls(database, functions.jobs.wake, functions.jobs.interrupt),
        CronCalls(database, functions.jobs.wake, functions.cron.wake),
        BackupCalls(database, parts.shelf, parts.restart),
        SiteRestores(database, parts.shelf, publisher),
        SettingsCalls(database, parts.settings),
        ProtectionCalls(database, hosting, passwords),
        Events(database, parts.pages, parts.connections, parts.history),
        AuditLog(database),
        Links(database, hosting, parts.clicks),
        Hooks(database, hosting, parts.receiving, functions.jobs.wake),
        NotificationCalls(database, parts.telling.notifications),
    ]


def _archive_limits(settings: Settings) -> ArchiveLimits:
    """Return what a version may take."""
    return ArchiveLimits(
        max_files=settings.max_site_files,
        max_file_bytes=settings.max_file_bytes,
        max_total_bytes=settings.max_site_bytes,
    )
