"""What was visited, from where and with what: names and how often, by site, day and kind.

Rule: however many names come, a site keeps MOST_NAMES of a kind and day, those that came most often; the rest is one
number under the name OTHERS.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import apsw

from fazt.store import rows

OTHERS = ""
MOST_NAMES = 100
SLACK = 50  # names above that before the rarest are given up: trimming at each write would be most of the work

ADD = """
    INSERT INTO visit_name (site, day, kind, name, count) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (site, day, kind, name) DO UPDATE SET count = count + excluded.count
"""
IS_OWN = "SELECT 1 FROM domain JOIN site ON site.id = domain.site WHERE domain.name = ? AND site.name = ?"
COUNT = "SELECT count(*) FROM visit_name WHERE site = ? AND day = ? AND kind = ? AND name != ''"
RAREST = """
    SELECT name, count FROM visit_name WHERE site = ? AND day = ? AND kind = ? AND name != ''
    ORDER BY count DESC, name LIMIT -1 OFFSET ?
"""
REMOVE_NAME = "DELETE FROM visit_name WHERE site = ? AND day = ? AND kind = ? AND name = ?"
BETWEEN = """
    SELECT kind, name, sum(count) FROM visit_name WHERE site = ? AND day >= ? AND day < ?
    GROUP BY kind, name ORDER BY kind, sum(count) DESC, name
"""
TRIM = "DELETE FROM visit_name WHERE day < ?"
RENAME = "UPDATE OR REPLACE visit_name SET site = ? WHERE site = ?"
REMOVE = "DELETE FROM visit_name WHERE site = ?"


@dataclass(frozen=True, slots=True)
class Named:
    """How often a name of a kind came, to a site on a day (days since 1970-01-01 UTC)."""

    site: str
    day: int
    kind: str
    name: str
    count: int


def add(connection: apsw.Connection, names: Sequence[Named]) -> None:
    """Add counts to those of their names; a referrer that is a domain of the site itself is none."""
    wanted = [each for each in names if each.kind != "referrer" or not _is_own(connection, each)]
    connection.executemany(ADD, [(each.site, each.day, each.kind, each.name, each.count) for each in wanted])
    for site, day, kind in sorted({(each.site, each.day, each.kind) for each in wanted}):
        if rows.value(connection, COUNT, (site, day, kind)) > MOST_NAMES + SLACK:
            _give_up_the_rarest(connection, site, day, kind)


def _is_own(connection: apsw.Connection, referrer: Named) -> bool:
    return rows.first(connection, IS_OWN, (referrer.name, referrer.site)) is not None


def _give_up_the_rarest(connection: apsw.Connection, site: str, day: int, kind: str) -> None:
    rarest = rows.fetch(connection, RAREST, (site, day, kind, MOST_NAMES))
    connection.executemany(REMOVE_NAME, [(site, day, kind, name) for name, _ in rarest])
    connection.execute(ADD, (site, day, kind, OTHERS, sum(count for _, count in rarest)))


def between(
    connection: apsw.Connection, site: str, first_day: int, end_day: int, kinds: Iterable[str], limit: int
) -> dict[str, list[tuple[str, int]]]:
    """Return by kind the names that came most often in some days, OTHERS as the last one."""
    found: dict[str, list[tuple[str, int]]] = {kind: [] for kind in kinds}
    others = dict.fromkeys(found, 0)
    for kind, name, count in rows.fetch(connection, BETWEEN, (site, first_day, end_day)):
        if kind not in found:
            continue
        if name == OTHERS or len(found[kind]) == limit:
            others[kind] += count
        else:
            found[kind].append((name, count))
    for kind, count in others.items():
        if count:
            found[kind].append((OTHERS, count))
    return found


def trim(connection: apsw.Connection, before_day: int) -> None:
    """Delete what is older than a day."""
    connection.execute(TRIM, (before_day,))


def rename(connection: apsw.Connection, name: str, new_name: str) -> None:
    """Let what came to a site count for it under its new name."""
    connection.execute(RENAME, (new_name, name))


def remove(connection: apsw.Connection, name: str) -> None:
    """Delete what came to a site."""
    connection.execute(REMOVE, (name,))
