"""/api/status, /api/cache, /api/route: how the server is doing and why it answers as it does."""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import apsw
from fastapi import APIRouter, Depends, Response

from fazt import __version__
from fazt._speedups.pages import Pages
from fazt._speedups.statistics import BUCKETS, SiteState, bucket_limit_ns
from fazt.api.access import Access
from fazt.api.errors import Json
from fazt.api.journal import percentile_ms
from fazt.api.shapes import moment
from fazt.sites.explain import explain
from fazt.sites.hosting import Hosting
from fazt.sites.spill import Spill
from fazt.store import blobs, sites, versions
from fazt.store.database import Database

BUSIEST = 20
GROUPS = ("1xx", "2xx", "3xx", "4xx", "5xx")
LIMITS_NS = [bucket_limit_ns(bucket) for bucket in range(BUCKETS)]


def routes(
    access: Access,
    database: Database,
    hosting: Hosting,
    pages: Pages,
    spill: Spill,
    started_at_ms: int | None,
    count_connections: Callable[[], int],
) -> APIRouter:
    """Return the routes; `started_at_ms` is None where no server runs."""
    router = APIRouter(prefix="/api", tags=["status"])
    reads = [Depends(access.requires("read"))]

    @router.get("/status", summary="Show what the server holds", dependencies=reads)
    async def show_status() -> Response:
        held = await database.read(_held)
        return Json(
            {
                "version": __version__,
                "pid": os.getpid(),
                "started_at": moment(started_at_ms),
                "domain": hosting.domain,
                "url": hosting.url(hosting.domain),
                "database": {"path": str(database.path), "bytes": database.file_bytes(), **held},
                "memory_bytes": _memory_bytes(),
                "connections": count_connections(),
                **_caches(pages, spill, "cache"),
                "sites": _busiest(pages),
            }
        )

    @router.get("/cache", summary="Show the caches", dependencies=reads)
    async def show_cache() -> Response:
        return Json(_caches(pages, spill, "pages"))

    @router.delete(
        "/cache", status_code=204, summary="Empty the caches", dependencies=[Depends(access.requires("admin"))]
    )
    async def clear_cache() -> Response:
        pages.clear()
        spill.clear()
        return Response(status_code=204)

    @router.get("/route", summary="Explain what a URL is answered with", dependencies=reads)
    async def explain_route(url: str) -> Response:
        found = await database.read(explain, hosting, url)
        answer = {"status": found.status, "file": found.file, "headers": found.headers}
        return Json({"url": found.url, "steps": [asdict(step) for step in found.steps], "answer": answer})

    return router


def _held(connection: apsw.Connection) -> dict[str, int]:
    count, size = blobs.totals(connection)
    return {
        "sites": sites.count(connection),
        "versions": versions.count_all(connection),
        "blobs": count,
        "blob_bytes": size,
    }


def _memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _caches(pages: Pages, spill: Spill, name: str) -> dict[str, Any]:
    return {name: pages.statistics()._asdict(), "spill": asdict(spill.statistics())}


def _busiest(pages: Pages) -> list[dict[str, Any]]:
    totals = ((state, state.totals()) for state in pages.sites())
    ordered = sorted(totals, key=lambda pair: pair[1].requests, reverse=True)
    return [_traffic(state) for state, counts in ordered[:BUSIEST] if counts.requests]


def _traffic(state: SiteState) -> dict[str, Any]:
    counts = state.totals()
    return {
        "name": state.name,
        "requests": counts.requests,
        "bytes": counts.body_bytes,
        "hits": counts.hits,
        "statuses": dict(zip(GROUPS, counts.statuses, strict=True)),
        "p50_ms": percentile_ms(counts.latency, 0.50, LIMITS_NS),
        "p95_ms": percentile_ms(counts.latency, 0.95, LIMITS_NS),
        "p99_ms": percentile_ms(counts.latency, 0.99, LIMITS_NS),
    }
