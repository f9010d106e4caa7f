"""`/api/overview`: the whole server at a glance, and what needs somebody's attention.

Rule: it costs a few queries, whatever the number of sites; it says nothing of sites that are not the caller's.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import apsw
import orjson
from fastapi import FastAPI

from fazt import __version__
from fazt.api import shapes
from fazt.api.access import FilteredReader
from fazt.api.answers import Answer, answer
from fazt.api.history import History
from fazt.api.status import resident_bytes
from fazt.api.times import iso
from fazt.auth.tokens import Principal, has_action
from fazt.sites.hosting import Hosting
from fazt.store import overview
from fazt.store.database import Database, now_ms
from fazt.store.overview import SiteState, Traffic
from fazt.visits.visits import Visits

HOUR_MS = 3_600_000
HOURS_A_DAY = 24
DAY_MS = HOURS_A_DAY * HOUR_MS
DAYS = 30
BURST_HOURS = 2  # the one that runs, and the one before
BURST_ERRORS = 10
BURST_SHARE = 0.05
MOST_NOTES = 20  # of one kind
SMALL_DISK_BYTES = 1 << 30
SMALL_DISK_SHARE = 0.05


class Seen(NamedTuple):
    """What the store says, as of one moment."""

    sites: list[SiteState]
    lately: dict[str, Traffic]
    by_day: dict[str, dict[int, int]]
    series: list[overview.Day]
    versions: int
    failed: list[overview.FailedJobs]
    stopped: list[overview.StoppedTrigger]
    one_factor: list[str]


class Overview:
    """The call for the overview; `started_at_ms` is None where no server runs."""

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        history: History,
        visits: Visits,
        connections: Callable[[], int],
        started_at_ms: int | None,
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._history = history
        self._visits = visits
        self._connections = connections
        self._started_at_ms = started_at_ms

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.add_api_route("/api/overview", self.show, methods=["GET"])

    async def show(self, caller: FilteredReader) -> Answer[shapes.Overview]:
        """Show the server, its sites by traffic, and what needs attention."""
        await self._history.freshen()
        await self._visits.freshen()
        now = now_ms()
        seen = await self._database.read(_look, caller, now)
        free, size = disk(self._database.path)
        notes = _notes(seen)
        if caller.sites is None and free < max(SMALL_DISK_BYTES, size * SMALL_DISK_SHARE):
            text = f"The disk has {free // (1 << 20)} MiB left; what is sent to a full disk is refused."
            notes.insert(0, _note("disk", None, text, "fazt status"))
        return answer(
            {
                "server": {
                    "version": __version__,
                    "domain": self._hosting.domain,
                    "started_at": iso(self._started_at_ms),
                    "memory_bytes": resident_bytes(),
                    "disk": {"database_bytes": self._database.file_bytes(), "free_bytes": free},
                    "connections": self._connections(),
                },
                "totals": {
                    "sites": len(seen.sites),
                    "versions": seen.versions,
                    "requests_24h": sum(each.requests for each in seen.lately.values()),
                    "views_24h": sum(each.views for each in seen.lately.values()),
                    "errors_24h": sum(each.errors for each in seen.lately.values()),
                },
                "series": _series(seen, now // DAY_MS),
                "sites": self._sites(seen, now // DAY_MS),
                "attention": notes,
            }
        )

    def _sites(self, seen: Seen, today: int) -> list[shapes.SiteInShort]:
        """Return the sites, those with most requests of the last day first."""
        days = range(today - DAYS + 1, today + 1)
        found = []
        for site in seen.sites:
            by_day = seen.by_day.get(site.name, {})
            spark = [by_day.get(day, 0) for day in days]
            found.append(self._site(site, seen.lately.get(site.name, Traffic(site.name)), spark))
        return sorted(found, key=lambda site: (-site["requests_24h"], site["name"]))

    def _site(self, site: SiteState, traffic: Traffic, spark: list[int]) -> shapes.SiteInShort:
        return {
            "name": site.name,
            "url": self._hosting.site_url(site.name),
            "live_version": site.live_version,
            "locked": site.locked,
            "deployed_at": iso(site.deployed_at),
            "views_24h": traffic.views,
            "requests_24h": traffic.requests,
            "errors_24h": traffic.errors,
            "spark": spark,
        }


def disk(path: Path) -> tuple[int, int]:
    """Return how many bytes of a file's disk are free, and how many it has."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _look(connection: apsw.Connection, caller: Principal, now: int) -> Seen:
    names = None if caller.sites is None else orjson.dumps(sorted(caller.sites)).decode()
    hour, since_day = now // HOUR_MS, now // DAY_MS - DAYS + 1
    lately = overview.lately(connection, names, hour - HOURS_A_DAY + 1, hour - BURST_HOURS + 1)
    owns = caller.sites is None and has_action(caller, "admin")
    return Seen(
        sites=overview.sites(connection, names),
        lately={each.site: each for each in lately},
        by_day=overview.requests_by_day(connection, names, since_day),
        series=overview.series(connection, names, since_day),
        versions=overview.count_versions(connection, names),
        failed=overview.failed_jobs(connection, names, now - DAY_MS, MOST_NOTES),
        stopped=overview.stopped_triggers(connection, names, MOST_NOTES),
        one_factor=overview.users_with_one_factor(connection, MOST_NOTES) if owns else [],
    )


def _series(seen: Seen, today: int) -> list[shapes.DayTraffic]:
    found = {each.day: each for each in seen.series}
    series: list[shapes.DayTraffic] = []
    for day in range(today - DAYS + 1, today + 1):
        own = found.get(day, overview.Day(day, 0, 0, 0))
        series.append({"at": iso(day * DAY_MS), "requests": own.requests, "views": own.views, "errors": own.errors})
    return series


def _notes(seen: Seen) -> list[shapes.Note]:
    """Return what needs somebody: what hurts visitors first."""
    busy = seen.lately.values()
    bursts = [each for each in busy if each.now_errors >= max(BURST_ERRORS, each.now_requests * BURST_SHARE)]
    bursts = sorted(bursts, key=lambda each: -each.now_errors)[:MOST_NOTES]
    notes = [
        _note(
            "errors",
            each.site,
            f"{each.now_errors} of the last {each.now_requests} requests to {each.site} failed.",
            f"fazt logs {each.site}",
        )
        for each in bursts
    ]
    for failed in seen.failed:
        what = "runs of cron triggers" if failed.kind == "cron" else "jobs"
        text = f"{failed.count} {what} of {failed.site} failed for good since yesterday."
        notes.append(_note("jobs", failed.site, text, f"fazt jobs list {failed.site} --state failed"))
    for trigger in seen.stopped:
        if trigger.error is not None:
            text = f"The trigger {trigger.name} of {trigger.site} cannot be run: {trigger.error}"
            notes.append(_note("trigger", trigger.site, text, f"fazt cron list {trigger.site}"))
        else:
            text = f"The trigger {trigger.name} of {trigger.site} is paused."
            notes.append(_note("paused", trigger.site, text, f"fazt cron resume {trigger.site} {trigger.name}"))
    for name in seen.one_factor:
        text = f"{name} signs in with a password alone; a passkey or a second factor keeps others out who know it."
        notes.append(_note("one_factor", None, text, "fazt user list"))
    empty = [site.name for site in seen.sites if site.live_version is None]
    notes += [
        _note("empty", name, f"{name} has no version yet: its visitors see a 404.", f"fazt deploy DIR --site {name}")
        for name in empty[:MOST_NOTES]
    ]
    return notes


def _note(kind: str, site: str | None, message: str, action: str) -> shapes.Note:
    return {"kind": kind, "site": site, "message": message, "action": action}
