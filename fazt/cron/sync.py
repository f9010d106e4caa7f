"""The triggers of the live versions → the table of triggers.

Reads the log of changes from where it was read last, so that what was deployed while no server ran is found too. Rule:
a trigger whose schedule did not change keeps its next time, and one that was paused stays paused.
"""

import logging
from typing import Any

import apsw
import orjson

from fazt.cron.plan import NEVER, rule_of, same_times, times_after
from fazt.errors import InvalidInput
from fazt.sites.cron_rules import CronRule
from fazt.store import changes, schedules, sites, versions
from fazt.store.database import Database
from fazt.store.schedules import Wanted
from fazt.store.sites import Site

log = logging.getLogger("fazt.cron")

CHANGES_AT_ONCE = 200
WRITE_EVERY = 500  # changes that were read and asked for nothing; they are read again after a restart

Found = tuple[int, int, list[tuple[int, list[Wanted]]]]


async def sync(database: Database, now: int, seen: int = 0) -> int:
    """Bring the table up to date; return the number of the last change that was read, for the next call's `seen`."""
    while True:
        before, last, wanted = await database.read(_read, now, seen)
        if last <= max(before, seen):
            return last
        if not wanted and last - before < WRITE_EVERY:
            seen = last
        elif await database.write(schedules.replace, before, last, wanted, now):
            seen = last  # else somebody else read on meanwhile


def _read(connection: apsw.Connection, now: int, seen: int) -> Found:
    """Return how far the log was read, how far it is read now, and the triggers of the sites that changed."""
    before = schedules.progress(connection)
    start = max(before, seen)
    new = changes.since(connection, start, CHANGES_AT_ONCE)
    wanted = []
    for name in dict.fromkeys(change.key for change in new if change.kind == "site"):
        site = sites.find(connection, name)
        if site is None:
            continue
        triggers = _wanted(connection, site, now)
        if triggers or schedules.of_site(connection, site.id):
            wanted.append((site.id, triggers))
    return before, new[-1].seq if new else start, wanted


def _wanted(connection: apsw.Connection, site: Site, now: int) -> list[Wanted]:
    present = {trigger.name: trigger for trigger in schedules.of_site(connection, site.id)}
    found = []
    for rule in _rules(connection, site):
        definition = orjson.dumps(rule.as_json()).decode()
        trigger = present.get(rule.name)
        try:
            if trigger is None:
                found.append(Wanted(rule.name, definition, times_after(rule, site.id, now)))
            elif trigger.paused or (trigger.error is None and same_times(rule_of(trigger), rule)):
                found.append(Wanted(rule.name, definition, None))
            else:
                after = max(now, trigger.last_at)
                found.append(Wanted(rule.name, definition, times_after(rule, site.id, after)))
        except InvalidInput as error:
            found.append(Wanted(rule.name, definition, NEVER, error.message))
    return found


def _rules(connection: apsw.Connection, site: Site) -> list[CronRule]:
    """Return what the live version of a site says; nothing where it was deployed before anybody checked it."""
    data = b"" if site.live_version is None else versions.rules(connection, site.live_version)
    if b'"cron"' not in data:  # most sites have none, and their rules may be large
        return []
    value: Any = orjson.loads(data)
    try:
        return [CronRule.from_json(rule) for rule in value["manifest"]["rest"].get("cron") or ()]
    except (TypeError, KeyError, AttributeError):
        log.warning("the cron triggers of %s are ignored: deploy it again to have them checked", site.name)
        return []
