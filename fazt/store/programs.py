"""The compiled functions of versions, and the calls of functions that went wrong.

What the bytes say is the business of others. Rule: a program goes with its version, a failed call with its site.
"""

from dataclasses import dataclass

import apsw

from fazt.store import rows

PUT = "INSERT INTO program (version, data) VALUES (?, ?) ON CONFLICT (version) DO UPDATE SET data = excluded.data"
FIND = "SELECT data FROM program WHERE version = ?"
ANY = "SELECT 1 FROM program WHERE length(data) > 0 LIMIT 1"
ADD_FAILED = "INSERT OR REPLACE INTO failed_call (id, site, at, report, request) VALUES (?, ?, ?, ?, ?)"
TRIM_FAILED = """
    DELETE FROM failed_call WHERE site = ?1 AND at <=
    (SELECT at FROM failed_call WHERE site = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)
"""
FIND_FAILED = """
    SELECT failed_call.id, site.name, failed_call.at, report, request
    FROM failed_call JOIN site ON site.id = failed_call.site WHERE failed_call.id = ?
"""
KEPT_FAILED = 100  # of each site


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that went wrong; `report` and `request` are JSON."""

    id: str
    site: str
    at: int
    report: bytes
    request: bytes


def put(connection: apsw.Connection, version: int, data: bytes) -> None:
    """Keep the program of a version (its number)."""
    connection.execute(PUT, (version, data))


def find(connection: apsw.Connection, version: int) -> bytes | None:
    """Return the program of a version, None where none was kept."""
    data: bytes | None = rows.value(connection, FIND, (version,))
    return data


def exist(connection: apsw.Connection) -> bool:
    """Tell whether any version has functions."""
    return rows.first(connection, ANY) is not None


def add_failed(connection: apsw.Connection, site: int, call: str, at: int, report: bytes, request: bytes) -> None:
    """Keep a call that went wrong, and the newest ones of its site before it."""
    connection.execute(ADD_FAILED, (call, site, at, report, request))
    connection.execute(TRIM_FAILED, (site, KEPT_FAILED))


def find_failed(connection: apsw.Connection, call: str) -> FailedCall | None:
    """Return a call that went wrong by its id."""
    found = rows.fetch(connection, FIND_FAILED, (call,))
    return FailedCall(*found[0]) if found else None
