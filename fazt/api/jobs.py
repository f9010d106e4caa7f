"""`/api/jobs`: what waits, runs, is done or failed; trying again and cancelling."""

from collections.abc import Callable
from typing import Annotated, Literal

import apsw
import orjson
from fastapi import FastAPI, Query

from fazt.api import shapes
from fazt.api.access import FilteredAdmin, FilteredReader, check
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, answer, list_answer, number_cursor, of_sites
from fazt.api.auditing import Act, Audit
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth.tokens import Principal
from fazt.store import queue, sites
from fazt.store.database import Database, now_ms
from fazt.store.queue import QueuedJob
from fazt.store.sites import Site

State = Literal["waiting", "running", "done", "failed", "cancelled"]


class Jobs:
    """The calls about jobs; `wake` has the queue looked at, `interrupt` ends the run of a job (its id)."""

    def __init__(self, database: Database, wake: Callable[[], None], interrupt: Callable[[str], None]) -> None:
        self._database = database
        self._audit = Audit(database)
        self._wake = wake
        self._interrupt = interrupt

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/jobs", self.list_page, methods=["GET"])
        app.add_api_route("/api/jobs/{id}/retry", self.retry, methods=["POST"])
        app.add_api_route("/api/jobs/{id}/cancel", self.cancel, methods=["POST"])

    async def list_page(
        self,
        caller: FilteredReader,
        site: Annotated[str | None, Query(max_length=253)] = None,
        state: State | None = None,
        limit: Limit = DEFAULT_ITEMS,
        after: After = None,
    ) -> Answer[Page[shapes.Job]]:
        """List the jobs of a site, or of all, newest first."""
        if site is not None:
            check(caller, "read", site)
            await self._database.read(sites.get, site)
        wanted = caller.asks_about(site)
        return answer(await self._database.read(_list, wanted, state, number_cursor(after), limit))

    async def retry(self, caller: FilteredAdmin, id: str) -> Answer[shapes.Job]:
        """Run a job that failed, was cancelled or waits, as soon as there is room."""
        job = await self._audit.write(caller, Act("job.retry", id), _retry, caller, id)
        self._wake()
        return answer(job_json(job))

    async def cancel(self, caller: FilteredAdmin, id: str) -> Answer[shapes.Job]:
        """Cancel a job that waits or runs."""
        job = await self._audit.write(caller, Act("job.cancel", id), _cancel, caller, id)
        self._interrupt(id)
        return answer(job_json(job))


def job_json(job: QueuedJob) -> shapes.Job:
    """Return a job as JSON has it."""
    return {
        "id": job.id,
        "site": job.site,
        "kind": job.kind,
        "name": job.name,
        "handler": job.handler,
        "state": job.state,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "unique": job.unique_key,
        "data": orjson.Fragment(job.data),
        "result": None if job.result is None else orjson.Fragment(job.result),
        "error": job.error,
        "run_at": iso(job.run_at),
        "scheduled_at": iso(job.scheduled_at),
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
    }


def _list(
    connection: apsw.Connection, wanted: frozenset[str] | None, state: str | None, before: int | None, limit: int
) -> Page[shapes.Job]:
    def of_one(site: Site | None) -> list[QueuedJob]:
        return queue.list_page(connection, None if site is None else site.id, state, before, limit + 1)

    found = of_sites(connection, wanted, of_one, lambda job: job.number, newest_first=True)
    return list_answer(found, limit, job_json, lambda job: str(job.number))


def _retry(connection: apsw.Connection, caller: Principal, id: str) -> QueuedJob:
    check(caller, "admin", queue.get(connection, id).site)
    return queue.retry(connection, id, now_ms())


def _cancel(connection: apsw.Connection, caller: Principal, id: str) -> QueuedJob:
    check(caller, "admin", queue.get(connection, id).site)
    return queue.cancel(connection, id, now_ms())
