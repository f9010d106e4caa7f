"""`/api/audit`: who changed what, when, from where, and what it was before.

Rule: a caller who may touch some sites sees the rows of those; an export carries no formula into a spreadsheet.
"""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

import orjson
from fastapi import FastAPI, Query, Response
from fastapi.responses import StreamingResponse

from fazt.api import shapes
from fazt.api.access import FilteredAdmin, check
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, answer, list_answer, number_cursor
from fazt.api.description import sends
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth.tokens import Principal
from fazt.errors import InvalidInput
from fazt.store import audit
from fazt.store.audit import Filter, Recorded
from fazt.store.database import Database

EXPORTED_AT_ONCE = 1000
COLUMNS = ("at", "actor", "address", "action", "site", "subject", "before", "after")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Text = Annotated[str | None, Query(max_length=253)]
Time = Annotated[str | None, Query(max_length=40)]


class AuditLog:
    """The calls about the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/audit", self.list_page, methods=["GET"])
        app.add_api_route(
            "/api/audit/export", self.export, methods=["GET"], responses=sends("application/x-ndjson", "text/csv")
        )

    async def list_page(
        self,
        caller: FilteredAdmin,
        site: Text = None,
        actor: Text = None,
        action: Text = None,
        since: Time = None,
        until: Time = None,
        limit: Limit = DEFAULT_ITEMS,
        after: After = None,
    ) -> Answer[Page[shapes.AuditRow]]:
        """List changes, newest first; `action` is one, or the noun that several begin with."""
        wanted = _filter(caller, site, actor, action, since, until)
        found = await self._database.read(audit.list_page, wanted, number_cursor(after), limit + 1)
        return answer(list_answer(found, limit, _json, lambda row: str(row.number)))

    async def export(
        self,
        caller: FilteredAdmin,
        format: Literal["csv", "ndjson"] = "ndjson",
        site: Text = None,
        actor: Text = None,
        action: Text = None,
        since: Time = None,
        until: Time = None,
    ) -> Response:
        """Send all of them as a file."""
        wanted = _filter(caller, site, actor, action, since, until)
        kind = "text/csv" if format == "csv" else "application/x-ndjson"
        headers = {"Content-Disposition": f'attachment; filename="audit.{format}"'}
        return StreamingResponse(self._rows(wanted, format), headers=headers, media_type=kind)

    async def _rows(self, wanted: Filter, format: str) -> AsyncIterator[bytes]:
        before: int | None = None
        if format == "csv":
            yield _csv_line(COLUMNS)
        while found := await self._database.read(audit.list_page, wanted, before, EXPORTED_AT_ONCE):
            before = found[-1].number
            lines = (_csv_row(row) if format == "csv" else orjson.dumps(_json(row)) + b"\n" for row in found)
            yield b"".join(lines)


def _filter(
    caller: Principal, site: str | None, actor: str | None, action: str | None, since: str | None, until: str | None
) -> Filter:
    if site is not None:
        check(caller, "admin", site)
    names = caller.asks_about(site)
    listed = None if names is None else orjson.dumps(sorted(names)).decode()
    return Filter(listed, actor, action, _milliseconds("since", since), _milliseconds("until", until))


def _milliseconds(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return int(moment.timestamp() * 1000) if moment.tzinfo else int(moment.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(f"{name} must be a time as ISO 8601 has it, such as 2026-01-31T12:00:00Z.") from None


def _json(row: Recorded) -> shapes.AuditRow:
    return {
        "id": row.number,
        "at": iso(row.at),
        "actor": row.actor,
        "address": row.address,
        "action": row.action,
        "site": row.site,
        "subject": row.subject,
        "before": None if row.before is None else orjson.loads(row.before),
        "after": None if row.after is None else orjson.loads(row.after),
    }


def _csv_row(row: Recorded) -> bytes:
    before, after = ((each or b"").decode() for each in (row.before, row.after))
    return _csv_line((iso(row.at), row.actor, row.address, row.action, row.site or "", row.subject, before, after))


def _csv_line(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells])
    return out.getvalue().encode("utf-8", "replace")
