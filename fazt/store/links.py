"""Short links: a slug, where it leads, and how often it was followed.

What a slug and a target may be is decided in `fazt.sites.short_links`. Rule: what visitors would see differently adds a
change of the kind `link`, since a page or a 404 under the same path may be kept in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from fazt.errors import Conflict, NotFound, OverQuota
from fazt.store import changes, rows
from fazt.store.clock import now_ms

MOST_LINKS = 100_000
KIND = "link"

COLUMNS = "number, slug, target, label, clicks, last_clicked_at, created_at FROM link"
FIND = f"SELECT {COLUMNS} WHERE slug = ?"
LIST_PAGE = f"SELECT {COLUMNS} WHERE number < ? ORDER BY number DESC LIMIT ?"
COUNT = "SELECT count(*) FROM link"
ADD = "INSERT INTO link (slug, target, label, created_at) VALUES (?, ?, ?, ?)"
CHANGE = "UPDATE link SET target = ?, label = ? WHERE number = ?"
REMOVE = "DELETE FROM link WHERE slug = ?"
ADD_CLICKS = """
    UPDATE link SET clicks = clicks + ?1, last_clicked_at = max(coalesce(last_clicked_at, 0), ?2) WHERE number = ?3
"""
LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Link:
    """A short link; `target` is what Location says."""

    number: int
    slug: str
    target: str
    label: str
    clicks: int
    last_clicked_at: int | None
    created_at: int


def find(connection: apsw.Connection, slug: str) -> Link | None:
    """Return the link of that slug."""
    row = rows.first(connection, FIND, (slug,))
    return None if row is None else Link(*row)


def get(connection: apsw.Connection, slug: str) -> Link:
    """Return the link of that slug.

    Raises: NotFound.
    """
    link = find(connection, slug)
    if link is None:
        raise NotFound(f"There is no link {slug!r}.")
    return link


def list_page(connection: apsw.Connection, before: int | None, limit: int) -> list[Link]:
    """Return at most `limit` links, newest first, behind the number `before`."""
    start = LARGEST_NUMBER if before is None else before
    return [Link(*row) for row in rows.fetch(connection, LIST_PAGE, (start, limit))]


def add(connection: apsw.Connection, slug: str, target: str, label: str) -> Link:
    """Make a link.

    Raises: Conflict where the slug is taken; OverQuota.
    """
    if find(connection, slug) is not None:
        raise Conflict(f"There is a link {slug!r} already; choose another slug, or change that one.")
    if rows.value(connection, COUNT) >= MOST_LINKS:
        raise OverQuota(f"There may be at most {MOST_LINKS:,} links; remove some first.")
    connection.execute(ADD, (slug, target, label, now_ms()))
    changes.add(connection, KIND, slug)
    return get(connection, slug)


def change(connection: apsw.Connection, slug: str, target: str | None, label: str | None) -> Link:
    """Let a link lead elsewhere or be called otherwise; None: as it is.

    Raises: NotFound.
    """
    link = get(connection, slug)
    new_target = link.target if target is None else target
    connection.execute(CHANGE, (new_target, link.label if label is None else label, link.number))
    if new_target != link.target:
        changes.add(connection, KIND, slug)
    return get(connection, slug)


def remove(connection: apsw.Connection, slug: str) -> None:
    """Delete a link.

    Raises: NotFound.
    """
    connection.execute(REMOVE, (slug,))
    if not connection.changes():
        raise NotFound(f"There is no link {slug!r}.")
    changes.add(connection, KIND, slug)


def add_clicks(connection: apsw.Connection, clicks: Sequence[tuple[int, int, int]]) -> None:
    """Add clicks: how many, when the last one was, and the number of the link; one that is gone has none."""
    connection.executemany(ADD_CLICKS, clicks)
