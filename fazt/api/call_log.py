"""What functions did: lines in memory for `fazt logs`, and counts for `fazt status`.

Rule: everything here is bounded, however much a site calls or logs; and a call whose line nobody reads has none made.
"""

import base64
import re
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from fazt.api.lines import Line, call_line, console_line
from fazt.functions.calls import Failure, Report
from fazt.store.database import now_ms

if TYPE_CHECKING:  # pydantic, which it needs, is not loaded with the server
    from fazt.api import shapes

KEPT_LINES = 4000
KEPT_SITES = 1000
SAMPLES = 1000  # newest calls of a site that percentiles are taken of
BURST_US = 50_000  # CPU time above which a call is counted as heavy
# Headers that may carry who somebody is: their values are not kept.
SECRET_HEADERS = re.compile(r"authorization|cookie|set-cookie|proxy-authorization|.*(token|secret|key|signature).*")


@dataclass(slots=True)
class SiteCalls:
    """The calls of one site since the server started."""

    calls: int = 0
    failed: int = 0
    heavy: int = 0
    memory_bytes: int = 0
    durations_us: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    cpu_us: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def as_json(self, name: str) -> "shapes.SiteCalls":
        """Return the counts and percentiles as JSON has them."""
        duration, cpu = sorted(self.durations_us), sorted(self.cpu_us)
        return {
            "name": name,
            "calls": self.calls,
            "failed": self.failed,
            "heavy": self.heavy,
            "memory_bytes": self.memory_bytes,
            "duration_ms": _percentiles(duration),
            "cpu_ms": _percentiles(cpu),
        }


class CallLog:
    """Keeps the last lines of calls and consoles, and counts calls by site."""

    def __init__(self) -> None:
        self._count = 0
        self._lines: deque[Line | Report] = deque(maxlen=KEPT_LINES)
        self._sites: OrderedDict[str, SiteCalls] = OrderedDict()

    def console(self, site: str, call: str, level: str, text: str) -> None:
        """Keep what a function logged."""
        self._add(console_line(now_ms(), site, call, level, text))

    def report(self, report: Report) -> None:
        """Count a call, and keep its line."""
        site = self._sites.get(report.site)
        if site is None:
            site = self._sites[report.site] = SiteCalls()
            if len(self._sites) > KEPT_SITES:
                self._sites.popitem(last=False)
        self._sites.move_to_end(report.site)
        site.calls += 1
        site.failed += bool(report.error)
        site.heavy += report.cpu_us > BURST_US
        site.memory_bytes = report.memory_bytes
        site.durations_us.append(report.duration_us)
        site.cpu_us.append(report.cpu_us)
        # What it logged stands in lines of its own, and would be kept as long as this one.
        self._add(report_line(report) if report.logs else report)

    def _add(self, line: Line | Report) -> None:
        self._count += 1
        self._lines.append(line)

    def since(self, number: int) -> tuple[int, list[Line]]:
        """Return the number of the last line, and the lines behind the one of that number."""
        last, found = self.behind(number)
        return last, as_lines(found)

    def behind(self, number: int) -> tuple[int, list[Line | Report]]:
        """Return the same, not made into lines yet: see `as_lines`."""
        new = min(self._count - number, len(self._lines))
        return self._count, list(islice(self._lines, len(self._lines) - new, None)) if new > 0 else []

    def totals(self) -> dict[str, tuple[int, int]]:
        """Return how many calls of each site there were, and how many of them failed."""
        return {name: (calls.calls, calls.failed) for name, calls in self._sites.items()}

    def sites(self) -> "list[shapes.SiteCalls]":
        """Return the counts of the sites that were called last, as JSON has them."""
        return [calls.as_json(name) for name, calls in reversed(self._sites.items())]


def as_lines(found: Iterable[Line | Report]) -> list[Line]:
    """Return the lines of what `CallLog.behind` gave."""
    return [each if isinstance(each, Line) else report_line(each) for each in found]


def report_line(report: Report) -> Line:
    """Return the line of a call that has ended."""
    ended_ms = report.started_ms + report.duration_us // 1000
    return call_line(report_json(report), report.site, report.started_ms, ended_ms)


def report_json(report: Report) -> "shapes.CallReport":
    """Return what is known of a call as JSON has it, without what it logged."""
    failure = report.failure
    return {
        "call": report.id,
        "function": report.kind,
        "name": report.name,
        "method": report.method,
        "status": report.status,
        "error": report.error or None,
        "failure": None if failure is None else _failure_json(failure),
        "duration_us": report.duration_us,
        "cpu_us": report.cpu_us,
        "heavy": report.cpu_us > BURST_US,
        "memory_bytes": report.memory_bytes,
    }


def _failure_json(failure: Failure) -> "shapes.Failure":
    return {"name": failure.name, "message": failure.message, "stack": failure.stack}


def request_json(method: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return a request as it is kept to be made again: what may tell who somebody is stands there as `[hidden]`."""
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return orjson.dumps(
        {
            "method": method,
            "path": path + (f"?{query.decode('latin-1')}" if query else ""),
            "headers": [
                (name, "[hidden]" if SECRET_HEADERS.fullmatch(name) else value)
                for name, value in fields
                if name not in ("content-length", "transfer-encoding", "connection")
            ],
            "body": base64.b64encode(body).decode(),
        }
    )


def _percentiles(values: list[int]) -> "shapes.Percentiles":
    """Return the milliseconds of sorted microseconds."""
    return {"p50": _share(values, 0.50), "p95": _share(values, 0.95), "p99": _share(values, 0.99)}


def _share(values: list[int], share: float) -> float:
    """Return the milliseconds within which that share of sorted microseconds lies."""
    return values[min(len(values) - 1, int(len(values) * share))] / 1000 if values else 0.0
