"""How the command line shows things: tables, sizes, ages, JSON.

Rule: no text of somebody else reaches the terminal with its control characters.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import orjson

UNITS = ("B", "kB", "MB", "GB", "TB")
# C0, C1, and what turns the direction of writing round
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NUMBER = re.compile(r"[0-9][0-9,.]*( ([kMGT]?B|%))?")
AGES = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def plain(text: str) -> str:
    """Return a text with a mark in place of each character that could move the cursor or hide something."""
    return CONTROLS.sub("\ufffd", text)


def size(count: int) -> str:
    """Return bytes as people say them: 14.2 kB."""
    value = float(count)
    for unit in UNITS:
        if value < 1000 or unit == UNITS[-1]:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the last unit takes everything")


def number(count: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def age(moment: str | None, now: datetime | None = None) -> str:
    """Return how long ago a time of the API was: 3 minutes ago."""
    if moment is None:
        return "never"
    then = datetime.fromisoformat(moment)
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    where = "{} ago" if seconds >= 0 else "in {}"
    for length, noun in AGES:
        if abs(seconds) >= length:
            return where.format(number(int(abs(seconds) // length), noun))
    return "just now" if abs(seconds) < 5 else where.format(f"{int(abs(seconds))} seconds")


def print_json(value: Any) -> None:
    """Print a value as JSON, readable, with a stable order."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their widest cell; headings are dimmed on a terminal. Numbers stand on the right."""
    cells = [list(headings), *[[plain(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    right = [bool(rows) and all(NUMBER.fullmatch(row[column]) for row in rows) for column in range(len(headings))]
    for position, row in enumerate(cells):
        parts = [
            cell.rjust(width) if align else cell.ljust(width)
            for cell, width, align in zip(row, widths, right, strict=True)
        ]
        line = "  ".join(parts).rstrip()
        click.secho(line, dim=True) if position == 0 else click.echo(line)


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{click.style(name.ljust(width), dim=True)}  {plain(value)}")
