"""`/api/cron`: the triggers of sites, when they are due next, what they did, and running or pausing one."""

from collections.abc import Callable
from itertools import islice
from typing import Annotated

import apsw
from fastapi import FastAPI, Query

from fazt.api import shapes
from fazt.api.access import Admin, FilteredReader, Reader, check
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, answer, list_answer, number_cursor, of_sites
from fazt.api.auditing import Act, Audit
from fazt.api.jobs import job_json
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.cron import control
from fazt.cron.plan import rule_of
from fazt.cron.sync import sync
from fazt.errors import InvalidInput
from fazt.store import queue, schedules, sites
from fazt.store.database import Database, now_ms
from fazt.store.queue import QueuedJob
from fazt.store.schedules import Trigger
from fazt.store.sites import Site

ONE = "/api/cron/{site}/{name}"
MOST_UPCOMING = 100
Upcoming = Annotated[int, Query(ge=0, le=MOST_UPCOMING)]


class Cron:
    """The calls about cron triggers; the two functions have jobs and triggers looked at anew."""

    def __init__(self, database: Database, wake_jobs: Callable[[], None], wake_cron: Callable[[], None]) -> None:
        self._database = database
        self._audit = Audit(database)
        self._wake_jobs = wake_jobs
        self._wake_cron = wake_cron

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/cron", self.list_page, methods=["GET"])
        app.add_api_route(f"{ONE}/history", self.history, methods=["GET"])
        app.add_api_route(f"{ONE}/run", self.run, methods=["POST"], status_code=201)
        app.add_api_route(f"{ONE}/pause", self.pause, methods=["POST"])
        app.add_api_route(f"{ONE}/resume", self.resume, methods=["POST"])

    async def list_page(
        self,
        caller: FilteredReader,
        site: Annotated[str | None, Query(max_length=253)] = None,
        upcoming: Upcoming = 5,
        limit: Limit = DEFAULT_ITEMS,
        after: After = None,
    ) -> Answer[Page[shapes.Trigger]]:
        """List the triggers of a site, or of all, with the next times of each."""
        if site is not None:
            check(caller, "read", site)
            await self._database.read(sites.get, site)
        await sync(self._database, now_ms())
        return answer(await self._database.read(_list, caller.asks_about(site), upcoming, _cursor(after), limit))

    async def history(
        self, caller: Reader, site: str, name: str, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Job]]:
        """List the runs of a trigger, newest first."""
        return answer(await self._database.read(_history, site, name, number_cursor(after), limit))

    async def run(self, caller: Admin, site: str, name: str) -> Answer[shapes.Job]:
        """Run a trigger now, or as soon as its present run has ended."""
        await sync(self._database, now_ms())
        job = await self._audit.write(caller, Act("cron.run", name, site), _run, site, name)
        self._wake_jobs()
        return answer(job_json(job), 201)

    async def pause(self, caller: Admin, site: str, name: str) -> Answer[shapes.Trigger]:
        """Fire a trigger no more."""
        await sync(self._database, now_ms())
        return answer(await self._audit.write(caller, Act("cron.pause", name, site), _pause, site, name))

    async def resume(self, caller: Admin, site: str, name: str) -> Answer[shapes.Trigger]:
        """Fire a trigger again."""
        await sync(self._database, now_ms())
        trigger = await self._audit.write(caller, Act("cron.resume", name, site), _resume, site, name)
        self._wake_cron()
        return answer(trigger)


def trigger_json(connection: apsw.Connection, trigger: Trigger, upcoming: int) -> shapes.Trigger:
    """Return a trigger as JSON has it, with so many of its next times."""
    rule = rule_of(trigger)
    last = queue.list_runs(connection, trigger.site_id, trigger.name, None, 1)
    times = [] if trigger.next_at is None else islice(rule.times().upcoming(trigger.next_at - 1), upcoming)
    return {
        "site": trigger.site,
        "name": trigger.name,
        "schedule": rule.schedule,
        "tz": rule.tz or "UTC",
        "handler": rule.handler,
        "timeout_s": rule.timeout_s,
        "retries": rule.retries,
        "overlap": rule.overlap,
        "catchup": rule.catchup,
        "jitter_s": rule.jitter_s,
        "paused": trigger.paused,
        "error": trigger.error,
        "upcoming": [iso(at) for at in times],
        "last": job_json(last[0]) if last else None,
        "skipped": trigger.skipped,
        "skipped_at": iso(trigger.skipped_at),
    }


def _cursor(after: str | None) -> tuple[str, str]:
    site, slash, name = (after or "/").partition("/")
    if not slash:
        raise InvalidInput("`after` must be the `next` of the page before.")
    return site, name


def _list(
    connection: apsw.Connection, wanted: frozenset[str] | None, upcoming: int, after: tuple[str, str], limit: int
) -> Page[shapes.Trigger]:
    def of_one(site: Site | None) -> list[Trigger]:
        if site is None:
            return schedules.list_page(connection, None, after, limit + 1)
        behind = (site.name, after[1] if site.name == after[0] else "")
        return schedules.list_page(connection, site.id, behind, limit + 1) if site.name >= after[0] else []

    found = of_sites(connection, wanted, of_one, lambda trigger: (trigger.site, trigger.name))
    return list_answer(
        found,
        limit,
        lambda trigger: trigger_json(connection, trigger, upcoming),
        lambda trigger: f"{trigger.site}/{trigger.name}",
    )


def _history(connection: apsw.Connection, site: str, name: str, before: int | None, limit: int) -> Page[shapes.Job]:
    site_id = sites.get(connection, site).id
    found = queue.list_runs(connection, site_id, name, before, limit + 1)
    if not found and before is None:
        schedules.get(connection, site_id, name)  # that it is not there is another answer than that it never ran
    return list_answer(found, limit, job_json, lambda job: str(job.number))


def _run(connection: apsw.Connection, site: str, name: str) -> QueuedJob:
    return control.run_now(connection, sites.get(connection, site).id, name, now_ms())


def _pause(connection: apsw.Connection, site: str, name: str) -> shapes.Trigger:
    return trigger_json(connection, control.pause(connection, sites.get(connection, site).id, name), 0)


def _resume(connection: apsw.Connection, site: str, name: str) -> shapes.Trigger:
    return trigger_json(connection, control.resume(connection, sites.get(connection, site).id, name, now_ms()), 5)
