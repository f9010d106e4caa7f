"""`/api/status`, `/api/cache`, `/api/route`: how the server is doing, and why it answers as it does."""

import asyncio
import heapq
import os
import resource
import struct
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import apsw
from fastapi import FastAPI, Query

from fazt import __version__
from fazt._speedups.hosts import normalise
from fazt._speedups.statistics import Counters, SiteState, bucket_limit_ns
from fazt.api import shapes
from fazt.api.access import Admin, FilteredReader, Reader, check
from fazt.api.answers import Answer, NoContent, answer
from fazt.api.parts import Parts
from fazt.api.times import iso
from fazt.auth.tokens import Principal
from fazt.backups.shelf import Backup
from fazt.sites.explain import explain
from fazt.store import blobs, certificates, changes, sites, versions

BUSIEST = 20
STATUS_GROUPS = ("1xx", "2xx", "3xx", "4xx", "5xx")


class Status:
    """The calls about the server itself."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._database = parts.database
        self._hosting = parts.hosting
        self._pages = parts.pages
        self._spill = parts.spill

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/status", self.show, methods=["GET"])
        app.add_api_route("/api/cache", self.show_cache, methods=["GET"])
        app.add_api_route("/api/cache", self.clear_cache, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/route", self.explain, methods=["GET"])

    async def show(self, caller: Reader) -> Answer[shapes.Status]:
        """Show what the server holds and how it is doing."""
        holds = await self._database.read(holdings)
        outlook = await self._database.read(certificates.outlook)
        busiest = await asyncio.to_thread(busiest_sites, self._pages.sites())
        return answer(
            {
                "version": __version__,
                "pid": os.getpid(),
                "started_at": iso(self._parts.started_at_ms),
                "domain": self._hosting.domain,
                "url": self._hosting.url(self._hosting.domain),
                "database": {"path": str(self._database.path), "bytes": self._database.file_bytes(), **holds},
                "read_only": self._database.is_writing_stopped,
                "memory_bytes": resident_bytes(),
                "workers": self._parts.workers(),
                "connections": self._parts.connections(),
                "cache": self._cache_json(),
                "spill": self._spill_json(),
                "sites": busiest,
                "functions": self._parts.functions.as_json(),
                "backups": _backups_json(await asyncio.to_thread(self._parts.shelf.list_all)),
                "certificates": {
                    "count": outlook.count,
                    "name": outlook.name,
                    "expires_at": iso(outlook.ends_at),
                },
            }
        )

    async def show_cache(self, caller: Reader) -> Answer[shapes.Caches]:
        """Show how full the caches are and how often they help."""
        return answer({"pages": self._cache_json(), "spill": self._spill_json()})

    def _cache_json(self) -> shapes.Cache:
        found = self._parts.cache()
        return {
            "entries": found.entries,
            "negative_entries": found.negative_entries,
            "bytes": found.bytes,
            "max_bytes": found.max_bytes,
            "hits": found.hits,
            "misses": found.misses,
            "evictions": found.evictions,
            "stale": found.stale,
        }

    def _spill_json(self) -> shapes.Spill:
        found = self._spill.statistics()
        return {
            "files": found.files,
            "bytes": found.bytes,
            "max_bytes": found.max_bytes,
            "hits": found.hits,
            "misses": found.misses,
            "copies": found.copies,
        }

    async def clear_cache(self, caller: Admin) -> NoContent:
        """Empty the caches; they fill again as pages are asked for."""
        self._pages.clear()
        if self._parts.workers():
            await self._database.write(changes.add, "cache", "")
        await asyncio.to_thread(self._spill.clear)
        return NoContent()

    async def explain(
        self, caller: FilteredReader, url: Annotated[str, Query(max_length=8192)]
    ) -> Answer[shapes.Route]:
        """Explain what a URL is answered with."""
        return answer(await self._database.read(self._explain, caller, url))

    def _explain(self, connection: apsw.Connection, caller: Principal, url: str) -> shapes.Route:
        found = explain(connection, self._hosting, url)
        if caller.sites is not None:
            host = normalise(urlsplit(url if "://" in url else f"//{url}").netloc.encode("ascii", "replace"))
            check(caller, "read", self._hosting.place(connection, host or "").site)
        return {
            "url": found.url,
            "steps": [{"step": each.step, "result": each.result} for each in found.steps],
            "answer": {"status": found.status, "file": found.file, "headers": found.headers},
        }


def holdings(connection: apsw.Connection) -> shapes.Holdings:
    """Return the numbers of what the database holds."""
    blob_count, blob_bytes = blobs.totals(connection)
    return {
        "sites": sites.count(connection),
        "versions": versions.count_all(connection),
        "blobs": blob_count,
        "blob_bytes": blob_bytes,
    }


def _backups_json(backups: list[Backup]) -> shapes.BackupState:
    """Return how the backups stand, which come newest first."""
    proven = max((each.proof.at for each in backups if each.proof is not None and each.is_proven), default=None)
    made = backups[0].header.made_at if backups else None
    return {"count": len(backups), "made_at": iso(made), "proven_at": iso(proven)}


def busiest_sites(states: list[SiteState]) -> list[shapes.SiteTraffic]:
    """Return the sites with most requests since the server started, as JSON has them."""
    totals = [(state.name, state.totals()) for state in states]
    asked = [(name, counters) for name, counters in totals if counters.requests]
    return [
        _site_json(name, counters)
        for name, counters in heapq.nlargest(BUSIEST, asked, key=lambda each: each[1].requests)
    ]


def _site_json(name: str, counters: Counters) -> shapes.SiteTraffic:
    return {
        "name": name,
        "requests": counters.requests,
        "bytes": counters.body_bytes,
        "hits": counters.hits,
        "statuses": dict(zip(STATUS_GROUPS, counters.statuses, strict=True)),
        "p50_ms": percentile_ms(counters.latency, 0.50),
        "p95_ms": percentile_ms(counters.latency, 0.95),
        "p99_ms": percentile_ms(counters.latency, 0.99),
    }


def percentile_ms(latency: bytes, share: float) -> float:
    """Return the time within which that share of the requests was answered: the upper limit of their bucket."""
    counts = struct.unpack(f"<{len(latency) // 4}I", latency)
    left = sum(counts) * share
    for bucket, count in enumerate(counts):
        left -= count
        if count and left <= 0:
            return bucket_limit_ns(bucket) / 1e6
    return 0.0


def resident_bytes() -> int:
    """Return the memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
