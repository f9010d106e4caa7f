"""The audit log: who changed what, when, from where, and what it was before.

Rule: a row is written in the same transaction as the change that it tells of, and holds no secret.
"""

import builtins
from dataclasses import dataclass

import apsw

from fazt.store import rows
from fazt.store.clock import now_ms

ADD = "INSERT INTO audit (at, actor, address, action, site, subject, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
LIST_PAGE = """
    SELECT number, at, actor, address, action, site, subject, before, after FROM audit
    WHERE (?1 IS NULL OR number < ?1)
        AND (?2 IS NULL OR site IN (SELECT value FROM json_each(?2)))
        AND (?3 IS NULL OR actor = ?3)
        AND (?4 IS NULL OR action = ?4 OR substr(action, 1, length(?4) + 1) = ?4 || '.')
        AND (?5 IS NULL OR at >= ?5)
        AND (?6 IS NULL OR at < ?6)
    ORDER BY number DESC LIMIT ?7
"""
SINCE = 5  # the migration that made the table
TRIM = "DELETE FROM audit WHERE at < ?"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written down of a change; `before` and `after` are JSON, None where the subject was or is not there."""

    actor: str
    address: str
    action: str
    site: str | None
    subject: str
    before: builtins.bytes | None = None
    after: builtins.bytes | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the audit log."""

    number: int
    at: int
    actor: str
    address: str
    action: str
    site: str | None
    subject: str
    before: builtins.bytes | None
    after: builtins.bytes | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; None: whichever. `sites` is a JSON list of names; `action` may be the first part of it."""

    sites: str | None = None
    actor: str | None = None
    action: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


def add(connection: apsw.Connection, entry: Entry) -> None:
    """Write down a change."""
    place = (entry.actor, entry.address, entry.action, entry.site, entry.subject)
    connection.execute(ADD, (now_ms(), *place, entry.before, entry.after))


def list_page(connection: apsw.Connection, wanted: Filter, before: int | None, limit: int) -> list[Recorded]:
    """Return at most `limit` rows, newest first, beginning behind the number `before`."""
    which = (before, wanted.sites, wanted.actor, wanted.action, wanted.since_ms, wanted.until_ms, limit)
    return [Recorded(*row) for row in rows.fetch(connection, LIST_PAGE, which)]


def trim(connection: apsw.Connection, before_ms: int) -> None:
    """Delete what is older than a time."""
    connection.execute(TRIM, (before_ms,))
