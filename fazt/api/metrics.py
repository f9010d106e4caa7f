"""`/api/metrics`, and `/_fazt/metrics` at the dashboard's host: what the server counts, for Prometheus.

Rule: it reads what is counted anyway; nothing is counted for it. The set is that of docs/metrics.md.
"""

import asyncio
from collections.abc import Iterator

from fastapi import FastAPI, Response

from fazt import __version__
from fazt._speedups.statistics import SiteState
from fazt.api import shapes
from fazt.api.access import Reader
from fazt.api.description import sends
from fazt.api.overview import disk
from fazt.api.parts import Parts
from fazt.api.status import BUSIEST, STATUS_GROUPS, busiest_sites, holdings, resident_bytes
from fazt.metrics.exposition import MEDIA_TYPE, Family, Sample, counter, gauge, write
from fazt.store import certificates
from fazt.store.certificates import Outlook
from fazt.store.room import reserve_bytes


class Metrics:
    """The call for what is counted."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.add_api_route("/api/metrics", self.show, methods=["GET"], responses=sends("text/plain"))

    async def show(self, caller: Reader) -> Response:
        """Show what is counted, in the text format of Prometheus."""
        stored = await self._parts.database.read(holdings)
        outlook = await self._parts.database.read(certificates.outlook)
        functions = self._parts.functions.as_json()  # of the loop's own objects: not to be read on a thread
        connections = self._parts.connections()
        text = await asyncio.to_thread(self._write, stored, outlook, functions, connections)
        return Response(text, headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})

    def _write(
        self, stored: shapes.Holdings, outlook: Outlook, functions: shapes.FunctionsState, connections: int
    ) -> str:
        families = [
            *_process(self._parts, connections),
            *_requests(self._parts.pages.sites()),
            *_caches(self._parts),
            *_storage(self._parts, stored),
            *_certificates(outlook),
            *_functions(functions),
        ]
        return write(families)


def _process(parts: Parts, connections: int) -> Iterator[Family]:
    yield Family("fazt_info", "gauge", "Always 1; the version is the label.", (({"version": __version__}, 1),))
    if parts.started_at_ms is not None:
        yield gauge("fazt_start_time_seconds", "When the server started, Unix time.", parts.started_at_ms / 1000)
    yield gauge("fazt_resident_memory_bytes", "Memory of the server's process, runners left out.", resident_bytes())
    yield gauge("fazt_connections", "Connections that are open.", connections)


def _requests(states: list[SiteState]) -> Iterator[Family]:
    """Yield the requests of the whole server, and those of the busiest sites."""
    totals = [state.totals() for state in states]
    by_status: tuple[Sample, ...] = tuple(
        ({"status": group}, sum(each.statuses[place] for each in totals)) for place, group in enumerate(STATUS_GROUPS)
    )
    sent = sum(each.body_bytes for each in totals)
    yield Family("fazt_requests_total", "counter", "Requests answered, by class of status.", by_status)
    yield counter("fazt_response_bytes_total", "Bytes of bodies sent.", sent)
    yield counter("fazt_page_hits_total", "Requests answered from memory.", sum(each.hits for each in totals))
    busy = busiest_sites(states)
    about = f"of the {BUSIEST} sites with most requests"
    yield Family(
        "fazt_site_requests_total",
        "counter",
        f"Requests answered, by class of status, {about}.",
        tuple(
            ({"site": site["name"], "status": group}, count)
            for site in busy
            for group, count in site["statuses"].items()
        ),
    )
    yield Family(
        "fazt_site_response_bytes_total",
        "counter",
        f"Bytes of bodies sent, {about}.",
        tuple(({"site": site["name"]}, site["bytes"]) for site in busy),
    )
    yield Family(
        "fazt_site_response_seconds",
        "gauge",
        f"Time within which a share of the requests since the start was answered, {about}.",
        tuple(
            ({"site": site["name"], "quantile": share}, took / 1000)
            for site in busy
            for share, took in (("0.5", site["p50_ms"]), ("0.95", site["p95_ms"]), ("0.99", site["p99_ms"]))
        ),
    )


def _caches(parts: Parts) -> Iterator[Family]:
    pages, spill = parts.cache(), parts.spill.statistics()
    yield gauge("fazt_page_cache_entries", "Pages in memory.", pages.entries)
    yield gauge("fazt_page_cache_bytes", "Memory that pages take.", pages.bytes)
    yield gauge("fazt_page_cache_max_bytes", "Memory that pages may take.", pages.max_bytes)
    yield counter("fazt_page_cache_hits_total", "Look-ups that found a page.", pages.hits)
    yield counter("fazt_page_cache_misses_total", "Look-ups that found none.", pages.misses)
    yield counter("fazt_page_cache_evictions_total", "Pages that made room for others.", pages.evictions)
    yield gauge("fazt_spill_cache_files", "Files in the spill cache.", spill.files)
    yield gauge("fazt_spill_cache_bytes", "Disk that the spill cache takes.", spill.bytes)
    yield counter("fazt_spill_cache_hits_total", "Files found in the spill cache.", spill.hits)
    yield counter("fazt_spill_cache_misses_total", "Files not found in the spill cache.", spill.misses)


def _storage(parts: Parts, stored: shapes.Holdings) -> Iterator[Family]:
    free, size = disk(parts.database.path)
    yield gauge("fazt_database_bytes", "The database on disk, its WAL included.", parts.database.file_bytes())
    yield gauge("fazt_database_wal_bytes", "The WAL alone.", parts.database.wal_bytes())
    yield gauge("fazt_disk_free_bytes", "Free on the disk of the database.", free)
    yield gauge("fazt_disk_size_bytes", "Size of the disk of the database.", size)
    reserve = reserve_bytes(size, parts.settings.now.disk_reserve_bytes)
    yield gauge("fazt_disk_reserve_bytes", "What growth leaves free on that disk.", reserve)
    yield gauge("fazt_read_only", "1: nothing can be changed at the moment.", int(parts.database.is_writing_stopped))
    yield gauge("fazt_sites", "Sites.", stored["sites"])
    yield gauge("fazt_versions", "Versions of all sites.", stored["versions"])
    yield gauge("fazt_blobs", "Contents that are kept, each once.", stored["blobs"])
    yield gauge("fazt_blob_bytes", "Bytes of those contents.", stored["blob_bytes"])


def _certificates(outlook: Outlook) -> Iterator[Family]:
    yield gauge("fazt_certificates", "Certificates for HTTPS.", outlook.count)
    if outlook.ends_at is not None:
        about = "When the first name will be without a valid certificate, Unix time."
        yield gauge("fazt_certificate_expiry_time_seconds", about, outlook.ends_at / 1000)


def _functions(functions: shapes.FunctionsState) -> Iterator[Family]:
    yield gauge("fazt_runners", "Processes that run functions.", functions["runners"])
    yield counter("fazt_runners_started_total", "Processes started for functions.", functions["started"])
    yield gauge("fazt_runners_memory_bytes", "Memory of those processes.", functions["memory_bytes"])
    called = functions["sites"]
    calls = tuple(({"site": site["name"]}, site["calls"]) for site in called)
    yield Family("fazt_function_calls_total", "counter", "Calls of functions, of the sites called last.", calls)
    failed = tuple(({"site": site["name"]}, site["failed"]) for site in called)
    about = "Calls of functions that failed, of the sites called last."
    yield Family("fazt_function_failures_total", "counter", about, failed)
