"""`/api/statistics` and `/api/sites/{site}/statistics`: what was served and who came, over a time, by hour or day.

Rule: requests, bytes, statuses and latencies are exact; views and what goes with them are what the server saw.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import apsw
from fastapi import FastAPI, Query

from fazt._speedups.statistics import add_latencies
from fazt.api import shapes
from fazt.api.access import FilteredReader, Reader
from fazt.api.answers import Answer, answer
from fazt.api.history import History
from fazt.api.status import STATUS_GROUPS, percentile_ms
from fazt.api.times import iso
from fazt.auth.tokens import Principal
from fazt.errors import InvalidInput
from fazt.store import sites, statistics, visits
from fazt.store.database import Database, now_ms
from fazt.store.statistics import EVERYWHERE, HOURS_A_DAY, Counted
from fazt.visits.visits import KINDS, Visits

Step = Literal["hour", "day"]
Moment = Annotated[str | None, Query(max_length=40)]

HOUR_MS = 3_600_000
DAY_MS = HOURS_A_DAY * HOUR_MS
DEFAULT_MS = 30 * DAY_MS
LONGEST_MS = 400 * DAY_MS
LONGEST_BY_HOUR_MS = 31 * DAY_MS
SHORT_MS = 3 * DAY_MS  # up to this, hours are what one wants to see
LATEST_MS = 221_845_392_000_000  # of the year 9000: steps behind a time are times too
MOST_NAMES = 100
MOST_SITES = 100
OTHERS = "other"


@dataclass(frozen=True, slots=True)
class Span:
    """A time in whole steps; `first` and `end` are numbers of hours or days since 1970, the end not included."""

    step: Step
    first: int
    end: int

    @property
    def step_ms(self) -> int:
        """The length of a step."""
        return HOUR_MS if self.step == "hour" else DAY_MS

    @property
    def days(self) -> tuple[int, int]:
        """The days that it touches, the end not included."""
        if self.step == "day":
            return self.first, self.end
        return self.first // HOURS_A_DAY, -(-self.end // HOURS_A_DAY)

    def as_json(self) -> shapes.Span:
        """Return it as JSON has it."""
        return {"from": iso(self.first * self.step_ms), "to": iso(self.end * self.step_ms), "step": self.step}


class Statistics:
    """The calls about statistics."""

    def __init__(self, database: Database, history: History, seen: Visits) -> None:
        self._database = database
        self._history = history
        self._visits = seen

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/statistics", self.show_all, methods=["GET"])
        app.add_api_route("/api/sites/{site}/statistics", self.show_site, methods=["GET"])

    async def show_all(
        self,
        caller: FilteredReader,
        since: Annotated[Moment, Query(alias="from")] = None,
        to: Moment = None,
        step: Step | None = None,
    ) -> Answer[shapes.ServerStatistics]:
        """Show what the whole server has served (or those of its sites that are the caller's), and which sites most."""
        span = read_span(since, to, step, now_ms())
        await self._freshen()
        return answer(await self._database.read(_of_all, caller, span))

    async def show_site(
        self,
        caller: Reader,
        site: str,
        since: Annotated[Moment, Query(alias="from")] = None,
        to: Moment = None,
        step: Step | None = None,
    ) -> Answer[shapes.SiteStatistics]:
        """Show what a site has served, and who came."""
        span = read_span(since, to, step, now_ms())
        await self._freshen()
        return answer(await self._database.read(_of_site, site, span))

    async def _freshen(self) -> None:
        await self._history.freshen()
        await self._visits.freshen()


def read_span(since: str | None, to: str | None, step: Step | None, now: int) -> Span:
    """Return the time that a caller asks for: the last 30 days unless told otherwise, in whole steps.

    Raises: InvalidInput.
    """
    end_ms = now if to is None else _moment("to", to)
    first_ms = max(0, end_ms - DEFAULT_MS) if since is None else _moment("from", since)
    length = end_ms - first_ms
    if length <= 0:
        raise InvalidInput("`from` must be before `to`.")
    if step is None:
        step = "hour" if length <= SHORT_MS else "day"
    if length > (LONGEST_BY_HOUR_MS if step == "hour" else LONGEST_MS):
        raise InvalidInput("There are at most 31 days by the hour, and 400 by the day.")
    size = HOUR_MS if step == "hour" else DAY_MS
    return Span(step, first_ms // size, -(-end_ms // size))


def _moment(name: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        at_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidInput(f"`{name}` must be a time such as 2026-11-24T12:00:00Z.") from None
    if not 0 <= at_ms <= LATEST_MS:
        raise InvalidInput(f"`{name}` must be a time from 1970 on, and before the year 9000.")
    return at_ms


def _of_site(connection: apsw.Connection, site: str, span: Span) -> shapes.SiteStatistics:
    sites.get(connection, site)
    parts = find_parts(connection, [site], span)
    names = visits.between(connection, site, *span.days, KINDS, MOST_NAMES)
    totals = totals_json(parts, _visitors(connection, [site], span, parts))
    lists = {kind: _names_json(found) for kind, found in names.items()}
    return {
        **span.as_json(),
        "totals": totals,
        "series": _series(span, parts),
        "statuses": _statuses_json(parts),
        "pages": lists["page"],
        "missing": lists["missing"],
        "referrers": lists["referrer"],
        "browsers": lists["browser"],
        "systems": lists["system"],
        "devices": lists["device"],
        "countries": lists["country"],
        "events": lists["event"],
    }


def _of_all(connection: apsw.Connection, caller: Principal, span: Span) -> shapes.ServerStatistics:
    mine = None if caller.sites is None else sorted(caller.sites)
    names = [EVERYWHERE] if mine is None else mine
    parts = find_parts(connection, names, span)
    busiest = statistics.busiest(connection, mine, *span.days, MOST_SITES)
    by_site: dict[str, list[Counted]] = {name: [] for name in busiest}
    for part in find_parts(connection, busiest, Span("day", *span.days)):
        by_site[part.site].append(part)
    return {
        **span.as_json(),
        "totals": totals_json(parts, _visitors(connection, names, span, parts)),
        "series": _series(span, parts),
        "statuses": _statuses_json(parts),
        "sites": [
            {"name": name, **totals_json(own, sum(part.visitors for part in own))} for name, own in by_site.items()
        ],
    }


def find_parts(connection: apsw.Connection, names: Sequence[str], span: Span) -> list[Counted]:
    """Return what was counted of some sites, by step."""
    find = statistics.hours_between if span.step == "hour" else statistics.days_between
    return find(connection, names, span.first, span.end)


def _visitors(connection: apsw.Connection, names: Sequence[str], span: Span, parts: list[Counted]) -> int:
    """Return the visitors of a time: of each day those that came that day, or in its hours if that is less."""
    if span.step == "day":
        return sum(part.visitors for part in parts)
    by_day: dict[int, int] = {}
    for part in parts:
        day = part.at // HOURS_A_DAY
        by_day[day] = by_day.get(day, 0) + part.visitors
    whole: dict[int, int] = {}
    for part in statistics.days_between(connection, names, *span.days):
        whole[part.at] = whole.get(part.at, 0) + part.visitors
    return sum(min(count, whole.get(day, count)) for day, count in by_day.items())


def totals_json(parts: Sequence[Counted], visitors: int) -> shapes.Totals:
    """Return sums as JSON has them; `errors` are answers of 500 and above."""
    latency = add_latencies([part.latency for part in parts])
    return {
        "views": sum(part.views for part in parts),
        "visitors": visitors,
        "requests": sum(part.requests for part in parts),
        "bytes": sum(part.bytes for part in parts),
        "errors": sum(part.statuses[4] for part in parts),
        "bots": sum(part.bots for part in parts),
        "unseen": sum(part.unseen for part in parts),
        "p50_ms": percentile_ms(latency, 0.50),
        "p95_ms": percentile_ms(latency, 0.95),
        "p99_ms": percentile_ms(latency, 0.99),
    }


def _series(span: Span, parts: Iterable[Counted]) -> list[shapes.Point]:
    by_step: dict[int, list[Counted]] = {at: [] for at in range(span.first, span.end)}
    for part in parts:
        by_step[part.at].append(part)
    return [_point(at * span.step_ms, own) for at, own in by_step.items()]


def _point(at_ms: int, parts: list[Counted]) -> shapes.Point:
    return {
        "at": iso(at_ms),
        "views": sum(part.views for part in parts),
        "visitors": sum(part.visitors for part in parts),
        "requests": sum(part.requests for part in parts),
        "bytes": sum(part.bytes for part in parts),
        "errors": sum(part.statuses[4] for part in parts),
        "p95_ms": percentile_ms(add_latencies([part.latency for part in parts]), 0.95) if parts else 0.0,
    }


def _names_json(found: Iterable[tuple[str, int]]) -> list[shapes.Count]:
    return [{"name": OTHERS if name == visits.OTHERS else name, "count": count} for name, count in found]


def _statuses_json(parts: Sequence[Counted]) -> list[shapes.Count]:
    counts = [sum(part.statuses[place] for part in parts) for place in range(len(STATUS_GROUPS))]
    return [{"name": name, "count": count} for name, count in zip(STATUS_GROUPS, counts, strict=True) if count]
