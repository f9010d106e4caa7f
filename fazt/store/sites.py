"""Sites: their names, which version is live, which was before, and whether they are locked.

Names come checked (`fazt.sites.names`). Rule: whatever a visitor could see adds a change under the
site's name.
"""

from dataclasses import dataclass

import apsw

from fazt.errors import SiteExists, SiteLocked, SiteNotFound, VersionNotFound
from fazt.store import changes, rows, statistics, visits
from fazt.store.clock import now_ms

FIND = "SELECT id, name, live_version, live_since, locked, created_at FROM site WHERE name = ?"
LIST_PAGE = """
    SELECT id, name, live_version, live_since, locked, created_at FROM site WHERE name > ? ORDER BY name LIMIT ?
"""
ADD = "INSERT INTO site (id, name, created_at) SELECT last + 1, ?, ? FROM site_number"
RENAME = "UPDATE site SET name = ? WHERE id = ?"
RENAME_OF_TOKENS, RENAME_OF_USERS, RENAME_OF_INVITES = (
    f"""
    UPDATE {table} SET sites = (SELECT json_group_array(iif(value = ?2, ?1, value)) FROM json_each({table}.sites))
    WHERE EXISTS (SELECT 1 FROM json_each({table}.sites) WHERE value = ?2)
    """  # noqa: S608
    for table in ("token", "user", "invite")
)
REMOVE = "DELETE FROM site WHERE id = ?"
DOMAINS = "SELECT name FROM domain WHERE site = ?"
SET_LOCKED = "UPDATE site SET locked = ? WHERE id = ?"
HAS_VERSION = "SELECT 1 FROM version WHERE number = ? AND site = ?"
LIVE = "SELECT name, live_version FROM site WHERE id = ?"
SET_LIVE = "UPDATE site SET live_version = ?, previous_version = ?, live_since = ? WHERE id = ?"
COUNT = "SELECT count(*) FROM site"


@dataclass(frozen=True, slots=True)
class Site:
    """What is served under a host; `live_version` is the version's number, `live_since` when it went live."""

    id: int
    name: str
    live_version: int | None
    live_since: int | None
    locked: bool
    created_at: int


def create(connection: apsw.Connection, name: str) -> Site:
    """Make a site without any version.

    Raises: SiteExists.
    """
    _check_free(connection, name)
    connection.execute(ADD, (name, now_ms()))
    changes.add(connection, "site", name)
    return get(connection, name)


def find(connection: apsw.Connection, name: str) -> Site | None:
    """Return the site of that name."""
    row = rows.first(connection, FIND, (name,))
    return _site(*row) if row else None


def get(connection: apsw.Connection, name: str) -> Site:
    """Return the site of that name.

    Raises: SiteNotFound.
    """
    site = find(connection, name)
    if site is None:
        raise SiteNotFound(f"There is no site {name!r}.")
    return site


def list_page(connection: apsw.Connection, after: str | None, limit: int) -> list[Site]:
    """Return at most `limit` sites in order of their names, beginning behind the name `after`."""
    return [_site(*row) for row in rows.fetch(connection, LIST_PAGE, (after or "", limit))]


def rename(connection: apsw.Connection, name: str, new_name: str) -> Site:
    """Give a site another name; its statistics and the tokens that were made for it go with it.

    Raises: SiteNotFound, SiteLocked, SiteExists.
    """
    site = get(connection, name)
    check_unlocked(site)
    if new_name == name:
        return site
    _check_free(connection, new_name)
    connection.execute(RENAME, (new_name, site.id))
    # A token or a user of the old name must not get at the next site that takes the name.
    for sql in (RENAME_OF_TOKENS, RENAME_OF_USERS, RENAME_OF_INVITES):
        connection.execute(sql, (new_name, name))
    statistics.rename(connection, name, new_name)
    visits.rename(connection, name, new_name)
    changes.add(connection, "site", name)
    changes.add(connection, "site", new_name)
    return get(connection, new_name)


def remove(connection: apsw.Connection, name: str) -> None:
    """Delete a site with its versions, domains and statistics.

    Raises: SiteNotFound, SiteLocked.
    """
    site = get(connection, name)
    check_unlocked(site)
    domains = rows.fetch(connection, DOMAINS, (site.id,))
    connection.execute(REMOVE, (site.id,))
    statistics.remove(connection, name)
    visits.remove(connection, name)
    changes.add(connection, "site", name)
    for (domain,) in domains:
        changes.add(connection, "domain", domain)


def set_locked(connection: apsw.Connection, name: str, locked: bool) -> Site:
    """Lock a site against changes, or unlock it.

    Raises: SiteNotFound.
    """
    site = get(connection, name)
    if site.locked != locked:
        connection.execute(SET_LOCKED, (int(locked), site.id))
        changes.add(connection, "site", name)
    return get(connection, name)


def set_live(connection: apsw.Connection, site_id: int, version_number: int) -> None:
    """Serve that version from now on, and remember which was served before.

    Raises: VersionNotFound where the site has no such version.
    """
    if rows.first(connection, HAS_VERSION, (version_number, site_id)) is None:
        raise VersionNotFound(f"The site has no version number {version_number}.")
    name, live = rows.fetch(connection, LIVE, (site_id,))[0]
    if live == version_number:
        return
    connection.execute(SET_LIVE, (version_number, live, now_ms(), site_id))
    changes.add(connection, "site", name)


def check_unlocked(site: Site) -> None:
    """Let pass a site that may be changed.

    Raises: SiteLocked.
    """
    if site.locked:
        raise SiteLocked(f"The site {site.name!r} is locked against changes; unlock it first.")


def count(connection: apsw.Connection) -> int:
    """Return the number of sites."""
    number: int = rows.value(connection, COUNT)
    return number


def _check_free(connection: apsw.Connection, name: str) -> None:
    if find(connection, name) is not None:
        raise SiteExists(f"There is a site {name!r} already.")


def _site(id: int, name: str, live_version: int | None, live_since: int | None, locked: int, created_at: int) -> Site:
    return Site(id, name, live_version, live_since, bool(locked), created_at)
