"""The whole server at a glance: its sites with what they served lately, and what needs somebody.

Rule: each of these is one query, and reads what it shows, whatever the number of hours that are kept.
"""

from dataclasses import dataclass

import apsw
import orjson

from fazt.store import rows
from fazt.store.statistics import EVERYWHERE

SITES = """
    SELECT site.name, version.id, site.locked, site.live_since
    FROM site LEFT JOIN version ON version.number = site.live_version
    WHERE ?1 IS NULL OR site.name IN (SELECT value FROM json_each(?1)) ORDER BY site.name
"""
# CROSS JOIN: a range of hours of each site lies together; of each hour, the sites lie all over the file.
LATELY = """
    SELECT site.name, sum(site_hour.requests), sum(site_hour.views), sum(site_hour.status_5xx),
        sum(iif(site_hour.hour >= ?3, site_hour.requests, 0)), sum(iif(site_hour.hour >= ?3, site_hour.status_5xx, 0))
    FROM site CROSS JOIN site_hour ON site_hour.site = site.name AND site_hour.hour >= ?2
    WHERE ?1 IS NULL OR site.name IN (SELECT value FROM json_each(?1))
    GROUP BY site.name
"""
# One row a site: thirty times as many would take most of the time.
DAYS = """
    SELECT site.name, json_group_array(site_day.day), json_group_array(site_day.requests)
    FROM site CROSS JOIN site_day ON site_day.site = site.name AND site_day.day >= ?2
    WHERE ?1 IS NULL OR site.name IN (SELECT value FROM json_each(?1))
    GROUP BY site.name
"""
SERIES = """
    SELECT day, sum(requests), sum(views), sum(status_5xx) FROM site_day
    WHERE site IN (SELECT value FROM json_each(?)) AND day >= ? GROUP BY day
"""
VERSIONS = """
    SELECT count(*) FROM version JOIN site ON site.id = version.site
    WHERE ?1 IS NULL OR site.name IN (SELECT value FROM json_each(?1))
"""
FAILED_JOBS = """
    SELECT site.name, job.kind, count(*) FROM job JOIN site ON site.id = job.site
    WHERE job.state = 'failed' AND job.finished_at >= ?2
        AND (?1 IS NULL OR site.name IN (SELECT value FROM json_each(?1)))
    GROUP BY site.name, job.kind ORDER BY site.name, job.kind LIMIT ?3
"""
ONE_FACTOR = """
    SELECT name FROM user
    WHERE totp IS NULL AND NOT EXISTS (SELECT 1 FROM passkey WHERE passkey.user = user.id) ORDER BY name LIMIT ?
"""
TRIGGERS = """
    SELECT site.name, cron_trigger.name, cron_trigger.paused, cron_trigger.error
    FROM cron_trigger JOIN site ON site.id = cron_trigger.site
    WHERE (cron_trigger.paused = 1 OR cron_trigger.error IS NOT NULL)
        AND (?1 IS NULL OR site.name IN (SELECT value FROM json_each(?1)))
    ORDER BY site.name, cron_trigger.name LIMIT ?2
"""


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site; `live_version` is an id, `deployed_at` when it went live."""

    name: str
    live_version: str | None
    locked: bool
    deployed_at: int | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a site served since an hour; `now_...`: since a later one."""

    site: str
    requests: int = 0
    views: int = 0
    errors: int = 0
    now_requests: int = 0
    now_errors: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """What was served on a day (its number since 1970-01-01 UTC)."""

    day: int
    requests: int
    views: int
    errors: int


@dataclass(frozen=True, slots=True)
class FailedJobs:
    """How many jobs of a kind (`job` or `cron`) failed for good."""

    site: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class StoppedTrigger:
    """A trigger that does not run: it is paused, or cannot."""

    site: str
    name: str
    paused: bool
    error: str | None


# `names` below: a JSON list of the only sites that count; None: all.


def sites(connection: apsw.Connection, names: str | None) -> list[SiteState]:
    """Return the sites by name."""
    return [
        SiteState(name, live, bool(locked), at) for name, live, locked, at in rows.fetch(connection, SITES, (names,))
    ]


def lately(connection: apsw.Connection, names: str | None, since_hour: int, now_hour: int) -> list[Traffic]:
    """Return what sites served since an hour, and since a later one; none of a site that served nothing."""
    return [Traffic(*row) for row in rows.fetch(connection, LATELY, (names, since_hour, now_hour))]


def requests_by_day(connection: apsw.Connection, names: str | None, since_day: int) -> dict[str, dict[int, int]]:
    """Return of each site how many requests it had on the days since a day."""
    return {
        site: dict(zip(orjson.loads(days), orjson.loads(requests), strict=True))
        for site, days, requests in rows.fetch(connection, DAYS, (names, since_day))
    }


def series(connection: apsw.Connection, names: str | None, since_day: int) -> list[Day]:
    """Return what was served on the days since a day, in order."""
    of = names if names is not None else orjson.dumps([EVERYWHERE]).decode()
    return [Day(*row) for row in rows.fetch(connection, SERIES, (of, since_day))]


def count_versions(connection: apsw.Connection, names: str | None) -> int:
    """Return the number of versions."""
    count: int = rows.value(connection, VERSIONS, (names,))
    return count


def failed_jobs(connection: apsw.Connection, names: str | None, since_ms: int, limit: int) -> list[FailedJobs]:
    """Return which sites' jobs failed for good since a time."""
    return [FailedJobs(*row) for row in rows.fetch(connection, FAILED_JOBS, (names, since_ms, limit))]


def stopped_triggers(connection: apsw.Connection, names: str | None, limit: int) -> list[StoppedTrigger]:
    """Return the triggers that do not run."""
    found = rows.fetch(connection, TRIGGERS, (names, limit))
    return [StoppedTrigger(site, name, bool(paused), error) for site, name, paused, error in found]


def users_with_one_factor(connection: apsw.Connection, limit: int) -> list[str]:
    """Return the names of users who sign in with a password and nothing else."""
    return [name for (name,) in rows.fetch(connection, ONE_FACTOR, (limit,))]
