"""The rows that a benchmark gives, as a table for people and as JSON for scripts.

Rule: a row with a fault shows it; a figure that could not be measured is a dash, never a zero.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from fazt.bench.job import Result

HEADINGS = ("", "server", "requests/s", "MB/s", "p50", "p99", "p99.9", "CPU/request", "memory", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured thing of one server."""

    case: str
    title: str
    server: str
    requests_per_s: float | None = None
    mb_per_s: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    p99_9_us: float | None = None
    max_us: float | None = None
    cpu_us: float | None = None
    memory_bytes: int | None = None
    seconds: float | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All rows of a run, and what they were measured on."""

    machine: dict[str, str | int]
    rows: tuple[Row, ...]
    servers: dict[str, str] = field(default_factory=dict)  # name -> version

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)

    def faults(self) -> list[str]:
        """Return every fault with the case and the server it belongs to."""
        return [f"{row.title}, {row.server}: {fault}" for row in self.rows for fault in row.faults]


def serving_row(
    case: str,
    title: str,
    server: str,
    results: Sequence[Result],
    *,
    expected: Sequence[int] = (),
    memory_bytes: int | None = None,
) -> Row:
    """Return the row of one case: the median of each figure over the rounds, and the faults of all of them."""

    def middle(figure: Callable[[Result], float]) -> float:
        return median(figure(result) for result in results)

    watched = [result.cpu_us for result in results if result.cpu_us is not None]
    return Row(
        case=case,
        title=title,
        server=server,
        requests_per_s=middle(lambda result: result.requests_per_s),
        mb_per_s=middle(lambda result: result.received_bytes / result.elapsed_s / 1e6 if result.elapsed_s else 0.0),
        p50_us=middle(lambda result: result.latency.p50_us),
        p99_us=middle(lambda result: result.latency.p99_us),
        p99_9_us=middle(lambda result: result.latency.p99_9_us),
        max_us=max(result.latency.max_us for result in results),
        cpu_us=median(watched) if watched else None,
        memory_bytes=memory_bytes,
        faults=tuple(fault for result in results for fault in result.faults(*expected)),
        notes=tuple(sorted({note for result in results for note in result.notes})),
    )


def number(value: float | None) -> str:
    """Return a figure with as many digits as it is worth."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(us: float | None) -> str:
    """Return microseconds in the unit that fits."""
    if us is None:
        return "-"
    for limit, unit, divisor in ((1_000, "µs", 1), (1_000_000, "ms", 1_000)):
        if us < limit:
            return f"{number(us / divisor)} {unit}"
    return f"{number(us / 1_000_000)} s"


def size(count: float | None) -> str:
    """Return bytes in the unit that fits."""
    if count is None:
        return "-"
    return f"{number(count / 1e6)} MB" if abs(count) >= 1e6 else f"{number(count / 1e3)} kB"


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as the texts of its cells, in the order of HEADINGS."""
    return (
        row.title,
        row.server,
        number(row.requests_per_s),
        number(row.mb_per_s),
        duration(row.p50_us),
        duration(row.p99_us),
        duration(row.p99_9_us),
        duration(row.cpu_us),
        size(row.memory_bytes),
        duration(row.seconds * 1e6 if row.seconds is not None else None),
    )


def table(rows: Iterable[Row]) -> str:
    """Return rows as aligned lines: text on the left, figures on the right."""
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def text(report: Report) -> str:
    """Return a report as a page of text: the machine, the table, the notes and the faults."""
    machine = report.machine
    servers = ", ".join(f"{name} {version}" for name, version in report.servers.items())
    lines = [
        f"{machine['processor']}, {machine['cores']} core(s), Linux {machine['kernel']}, Python {machine['python']}",
        f"{servers}; commit {machine['commit'] or 'unknown'}; {machine['measured_at']}",
        "",
        table(report.rows),
    ]
    notes = [f"note: {row.title}, {row.server}: {note}" for row in report.rows for note in row.notes]
    faults = [f"fault: {fault}" for fault in report.faults()]
    return "\n".join([*lines, *([""] if notes or faults else []), *notes, *faults])
