"""Running a query to its end.

Rule: a cursor is never left half read, since it would hold an old snapshot of the database and keep the WAL from
being cut.
"""

from typing import Any

import apsw

Row = tuple[Any, ...]


def fetch(connection: apsw.Connection, sql: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
    """Return every row of a query."""
    return connection.execute(sql, parameters).fetchall()


def first(connection: apsw.Connection, sql: str, parameters: tuple[Any, ...] = ()) -> Row | None:
    """Return the first row of a query, None where there is none."""
    rows = connection.execute(sql, parameters).fetchall()
    return rows[0] if rows else None


def value(connection: apsw.Connection, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
    """Return the first column of the first row of a query, None where there is no row."""
    rows = connection.execute(sql, parameters).fetchall()
    return rows[0][0] if rows else None
