"""The parts of a server that take their bounds and their places from its settings."""

import glob
import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from fazt._speedups.pages import Pages
from fazt.acme.issuing import Choice, Issuing
from fazt.acme.proofs import Proofs
from fazt.acme.showing import DnsChoice, Showing
from fazt.api.function_parts import FunctionParts
from fazt.api.hook_app import Receiving
from fazt.api.parts import Parts
from fazt.api.tally import Tally
from fazt.api.telling import Telling, served
from fazt.backups.schedule import Plan, Schedule
from fazt.backups.shelf import Retention, Shelf
from fazt.clock import SystemClock
from fazt.control_groups import memory_limit_bytes
from fazt.edge.limits import Limits
from fazt.hooks.receiving import Receiver
from fazt.jobs.options import parse_job
from fazt.machine.memory import MemoryGuard, look
from fazt.notifications.notifications import LIMITS as NOTIFICATION_LIMITS
from fazt.notifications.notifications import Notifications
from fazt.notifications.watch import Watch
from fazt.outbound.addresses import Network
from fazt.outbound.client import Limits as OutboundLimits
from fazt.outbound.client import Outbound
from fazt.settings import (
    AUTHORITIES,
    LiveSettings,
    Settings,
    authority_url,
    backup_folder,
    check_domain,
    listen_address,
    public_url,
    read_binding,
    read_networks,
)
from fazt.sites.hosting import Hosting
from fazt.sites.spill import Spill
from fazt.store import hooks
from fazt.store import settings as stored_settings
from fazt.store.certificates import NewCertificate
from fazt.store.database import Database, now_ms
from fazt.store.queue import NewJob

PAGE_CACHE_SHARE = 4  # of the memory that the process may use: one part in so many
FUNCTIONS_SHARE = 4
IDLE_WHEN_LOW_S = 2.0  # a runner that was not called for so long gives way where memory runs low
REMIND_S = 24 * 3600  # of the same trouble
HTTP_PORT = 80
MAX_BODY_BYTES = 64 << 20  # beyond the largest archive; whoever reads a body allows less


def read_settings(database: Database, flags: Mapping[str, object]) -> LiveSettings:
    """Return the settings of this process, those of the database among them. Raises: InvalidInput."""
    settings = LiveSettings(flags, stored=database.read_blocking(stored_settings.find_all))
    guard(database, settings.now)
    return settings


def guard(database: Database, settings: Settings) -> None:
    """Let a database keep to what the settings say of growing and of writing at all."""
    database.keep_free(settings.disk_reserve_bytes)
    database.stop_writing(settings.read_only == "yes")


def make_hosting(settings: Settings) -> Hosting:
    """Return which host means what.

    Raises: InvalidInput where a setting about hosts cannot be.
    """
    domain = check_domain(settings.domain)
    listen_address(settings.http)
    if settings.https:
        listen_address(settings.https)
    return Hosting(domain, settings.www, partial(public_url, settings))


def make_spill(settings: Settings, database: Database) -> Spill:
    """Return the spill cache, which lies beside the database."""
    folder = database.path.with_name(f"{database.path.name}.cache")
    return Spill(folder, settings.spill_cache_bytes, database)


def spill_folder(database: Path, number: int) -> Path:
    """Return the folder of the spill cache of a worker."""
    return database.with_name(f"{database.name}.cache-{number}")


def remove_spills(database: Path, workers: int) -> None:
    """Remove the spill caches of workers that there are no more; what is in them is in the database too."""
    for folder in database.parent.glob(f"{glob.escape(database.name)}.cache-*"):
        number = folder.name.rpartition("-")[2]
        if number.isdecimal() and int(number) > workers:
            shutil.rmtree(folder, ignore_errors=True)


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


def workers_of(settings: Settings) -> int:
    """Return how many processes answer with pages."""
    return settings.workers or len(os.sched_getaffinity(0))


def page_cache_bytes(settings: Settings) -> int:
    """Return the memory that pages may take."""
    return settings.page_cache_bytes or memory_limit_bytes() // PAGE_CACHE_SHARE


def functions_memory_bytes(settings: Settings) -> int:
    """Return the memory that idle functions may hold."""
    return settings.functions_memory_bytes or memory_limit_bytes() // FUNCTIONS_SHARE


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


def make_issuing(
    settings: LiveSettings, hosting: Hosting, database: Database, proofs: Proofs, telling: Telling
) -> Issuing:
    """Return what orders certificates; to be called inside of the loop."""

    def read(chain: bytes, key: bytes) -> NewCertificate:
        # The library takes longer to load than a start may: only who orders needs it.
        from fazt.tls.certificate import read_certificate

        return read_certificate(chain, key)

    def tell(title: str, text: str) -> None:
        telling.notifications.notify_once(title, REMIND_S, "certificate", title, text)

    program = database.path.with_name(f"{database.path.name}.dns")
    showing = Showing(proofs, program)
    issuing = Issuing(database, hosting, lambda: _acme_choice(settings.now), showing, read, SystemClock(), tell)
    settings.follow(lambda _: issuing.wake())
    return issuing


def _acme_choice(settings: Settings) -> Choice:
    """Return what the settings say of ordering certificates."""
    kinds: tuple[str, ...] = (settings.acme_challenge,)
    if settings.acme_challenge == "auto" and workers_of(settings) > 1:
        kinds = ("http-01",)  # which the core answers; what is shown in TLS it alone would know
    elif settings.acme_challenge == "auto":  # first the way whose port is where an authority looks
        kinds = ("http-01", "tls-alpn-01")
        if listen_address(settings.http)[1] != HTTP_PORT:
            kinds = kinds[::-1]
    return Choice(
        active=bool(settings.https) and settings.acme == "yes",
        directory=authority_url(settings.acme_directory),
        public=settings.acme_directory in AUTHORITIES,
        email=settings.acme_email,
        ca_file=settings.acme_ca_file,
        binding=read_binding(settings.acme_binding),
        kinds=kinds,
        dns=DnsChoice(settings.acme_dns, settings.acme_dns_token, settings.acme_dns_server, settings.acme_dns_key),
    )


def make_memory_guard(parts: Parts) -> MemoryGuard:
    """Return what makes room when memory runs low."""
    return MemoryGuard(
        parts.pages,
        lambda: parts.pages.statistics().bytes,
        lambda: page_cache_bytes(parts.settings.now),
        partial(parts.functions.pool.retire_idle, IDLE_WHEN_LOW_S),
        look,
    )


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
        own_ports=frozenset(listen_address(each)[1] for each in (settings.http, settings.https) if each),
        limits=limits,
    )


def _reachable(host: str, port: int) -> tuple[str, int]:
    """Return an address under which this process reaches what listens on another, or on all of them."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104
