"""The bounded history of access and error lines.

A line is JSON that its writer made; nothing here looks into it. Rule: `trim` keeps the newest ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from fazt.store import rows

ADD = "INSERT INTO log_line (at, site, kind, line) VALUES (?, ?, ?, ?)"
SINCE = "SELECT id, at, site, kind, line FROM log_line WHERE at >= ? ORDER BY id DESC LIMIT ?"
SINCE_SITE = "SELECT id, at, site, kind, line FROM log_line WHERE site = ? AND at >= ? ORDER BY id DESC LIMIT ?"
TRIM = "DELETE FROM log_line WHERE id <= (SELECT id FROM log_line ORDER BY id DESC LIMIT 1 OFFSET ?)"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; `kind` is `access` or `error`, `line` is JSON."""

    id: int
    at: int
    site: str
    kind: str
    line: bytes


def add(connection: apsw.Connection, lines: Sequence[tuple[int, str, str, bytes]]) -> None:
    """Keep lines, each given as (time, site, kind, line)."""
    connection.executemany(ADD, lines)


def since(connection: apsw.Connection, site: str | None, since_ms: int, limit: int) -> list[LogLine]:
    """Return the newest `limit` lines (of one site, or of all) from a time on, oldest first."""
    if site is None:
        found = rows.fetch(connection, SINCE, (since_ms, limit))
    else:
        found = rows.fetch(connection, SINCE_SITE, (site, since_ms, limit))
    return [LogLine(*row) for row in reversed(found)]


def trim(connection: apsw.Connection, keep: int) -> None:
    """Delete all but the newest `keep` lines."""
    connection.execute(TRIM, (keep,))
