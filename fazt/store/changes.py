"""The log of visible changes: the only source of invalidation.

Rule: a change is a row written in the same transaction as what it tells of. Kinds: `site` (key: its name), `domain`
(key: its name), `link` (key: its slug), `setting` (key: its name), `certificate` (key: a name that it is for), `cache`
(whatever is kept is to be made anew) and `environment` (key: the name of the site whose functions are started with
other values now).
"""

from dataclasses import dataclass

import apsw

from fazt.store import rows
from fazt.store.clock import now_ms

ADD = "INSERT INTO changes (kind, key, at) VALUES (?, ?, ?)"
SINCE = "SELECT seq, kind, key, at FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
LAST = "SELECT coalesce(max(seq), 0) FROM changes"
NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Change:
    """Something that visitors may see now and did not before."""

    seq: int
    kind: str
    key: str
    at: int


def add(connection: apsw.Connection, kind: str, key: str) -> None:
    """Write down that something changed."""
    connection.execute(ADD, (kind, key, now_ms()))


def since(connection: apsw.Connection, seq: int, limit: int = NO_LIMIT) -> list[Change]:
    """Return the changes after number `seq`, oldest first, at most `limit`."""
    return [Change(*row) for row in rows.fetch(connection, SINCE, (seq, limit))]


def last(connection: apsw.Connection) -> int:
    """Return the number of the newest change, 0 where there is none."""
    number: int = rows.value(connection, LAST)
    return number
