"""Cron triggers: what the live versions ask for, which time of its schedule each has come to, and its runs.

Which times a schedule has is decided elsewhere (`fazt.sites.schedule`); a run is a job of the queue. Rule: that a time
of the schedule is settled, and the jobs that are made of it, are one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from fazt.errors import NotFound
from fazt.store import queue, rows
from fazt.store.queue import MAX_WAITING, NewJob

MAX_WAITING_RUNS = 100  # of one trigger
PAUSED = 8  # which of the columns below

COLUMNS = """
    cron_trigger.id, cron_trigger.site, site.name, cron_trigger.name, cron_trigger.definition, cron_trigger.next_at,
    cron_trigger.fire_at, cron_trigger.last_at, cron_trigger.paused, cron_trigger.skipped, cron_trigger.skipped_at,
    cron_trigger.error, cron_trigger.created_at
    FROM cron_trigger JOIN site ON site.id = cron_trigger.site
"""
FIND = f"SELECT {COLUMNS} WHERE cron_trigger.site = ? AND cron_trigger.name = ?"
OF_SITE = f"SELECT {COLUMNS} WHERE cron_trigger.site = ? ORDER BY cron_trigger.name"
LIST_PAGE = f"""
    SELECT {COLUMNS} WHERE (site.name, cron_trigger.name) > (?, ?) ORDER BY site.name, cron_trigger.name LIMIT ?
"""
LIST_SITE = f"""
    SELECT {COLUMNS} WHERE cron_trigger.site = ? AND cron_trigger.name > ? ORDER BY cron_trigger.name LIMIT ?
"""
DUE = f"""
    SELECT {COLUMNS} WHERE cron_trigger.fire_at <= ? AND cron_trigger.paused = 0 ORDER BY cron_trigger.fire_at LIMIT ?
"""
AHEAD = f"SELECT {COLUMNS} WHERE cron_trigger.last_at > ?"
NEXT_FIRE = "SELECT min(fire_at) FROM cron_trigger WHERE fire_at IS NOT NULL AND paused = 0"
ADD = """
    INSERT INTO cron_trigger (site, name, definition, next_at, fire_at, last_at, error, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
CHANGE = "UPDATE cron_trigger SET definition = ?, error = ? WHERE site = ? AND name = ?"
SET_TIMES = "UPDATE cron_trigger SET next_at = ?, fire_at = ? WHERE site = ? AND name = ?"
REMOVE = "DELETE FROM cron_trigger WHERE site = ? AND name = ?"
SETTLE = """
    UPDATE cron_trigger SET next_at = ?, fire_at = ?, last_at = max(last_at, ?)
    WHERE id = ? AND next_at IS ? AND paused = 0
"""
SKIP = "UPDATE cron_trigger SET skipped = skipped + ?, skipped_at = ? WHERE id = ?"
MOVE_BACK = "UPDATE cron_trigger SET last_at = ?, next_at = ?, fire_at = ? WHERE id = ?"
DISABLE = "UPDATE cron_trigger SET next_at = NULL, fire_at = NULL, error = ? WHERE id = ?"
SET_PAUSED = "UPDATE cron_trigger SET paused = ?, next_at = ?, fire_at = ? WHERE id = ?"
PROGRESS = "SELECT seq FROM cron_progress WHERE one = 1"
SET_PROGRESS = "UPDATE cron_progress SET seq = ? WHERE one = 1 AND seq = ?"
HAS_SITE = "SELECT 1 FROM site WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger as it stands; `definition` is JSON; times are milliseconds, None where there is none."""

    id: int
    site_id: int
    site: str
    name: str
    definition: str
    next_at: int | None
    fire_at: int | None
    last_at: int
    paused: bool
    skipped: int
    skipped_at: int | None
    error: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Times:
    """The next time of a schedule, and when it is to be acted on."""

    next_at: int | None
    fire_at: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A trigger that the live version asks for; `times` None: its schedule is what it was."""

    name: str
    definition: str
    times: Times | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """What is made of the times that a trigger has come to: runs, oldest first, and what comes after them.

    `error`: nothing, since its schedule cannot be understood on this machine.
    """

    trigger: Trigger
    runs: tuple[NewJob, ...]
    settled_at: int
    times: Times
    only_if_idle: bool  # no run where one waits or runs
    error: str | None = None


def progress(connection: apsw.Connection) -> int:
    """Return the number of the last change whose site's triggers were read."""
    seq: int = rows.value(connection, PROGRESS)
    return seq


def replace(
    connection: apsw.Connection, before: int, seq: int, wanted: Sequence[tuple[int, Sequence[Wanted]]], now: int
) -> bool:
    """Let the sites (their ids) have just these triggers, and note that the changes up to `seq` were read.

    Return False, and do nothing, where the changes after `before` were read by somebody else meanwhile.
    """
    connection.execute(SET_PROGRESS, (seq, before))
    if not connection.changes():
        return False
    for site_id, triggers in wanted:
        if rows.first(connection, HAS_SITE, (site_id,)) is not None:
            _replace(connection, site_id, triggers, now)
    return True


def _replace(connection: apsw.Connection, site_id: int, wanted: Sequence[Wanted], now: int) -> None:
    present = {trigger.name for trigger in of_site(connection, site_id)}
    for name in present - {trigger.name for trigger in wanted}:
        queue.cancel_waiting_runs(connection, site_id, name, now)
        connection.execute(REMOVE, (site_id, name))
    for trigger in wanted:
        times = trigger.times or Times(None, None)
        if trigger.name not in present:
            values = (trigger.definition, times.next_at, times.fire_at, now, trigger.error, now)
            connection.execute(ADD, (site_id, trigger.name, *values))
            continue
        connection.execute(CHANGE, (trigger.definition, trigger.error, site_id, trigger.name))
        if trigger.times is not None:
            connection.execute(SET_TIMES, (times.next_at, times.fire_at, site_id, trigger.name))


def get(connection: apsw.Connection, site_id: int, name: str) -> Trigger:
    """Return a trigger of a site.

    Raises: NotFound.
    """
    row = rows.first(connection, FIND, (site_id, name))
    if row is None:
        raise NotFound(f"The site has no cron trigger {name!r}.")
    return _trigger(row)


def of_site(connection: apsw.Connection, site_id: int) -> list[Trigger]:
    """Return the triggers of a site in order of their names."""
    return [_trigger(row) for row in rows.fetch(connection, OF_SITE, (site_id,))]


def list_page(connection: apsw.Connection, site_id: int | None, after: tuple[str, str], limit: int) -> list[Trigger]:
    """Return at most `limit` triggers (of one site, or of all) by site and name, beginning behind (site, name)."""
    if site_id is None:
        found = rows.fetch(connection, LIST_PAGE, (*after, limit))
    else:
        found = rows.fetch(connection, LIST_SITE, (site_id, after[1], limit))
    return [_trigger(row) for row in found]


def due(connection: apsw.Connection, now: int, limit: int) -> list[Trigger]:
    """Return at most `limit` triggers that are to be fired, the longest due first."""
    return [_trigger(row) for row in rows.fetch(connection, DUE, (now, limit))]


def ahead(connection: apsw.Connection, at: int) -> list[Trigger]:
    """Return the triggers that are settled beyond a time: the clock was ahead when they were."""
    return [_trigger(row) for row in rows.fetch(connection, AHEAD, (at,))]


def next_fire(connection: apsw.Connection) -> int | None:
    """Return when the next trigger is to be fired."""
    at: int | None = rows.value(connection, NEXT_FIRE)
    return at


def fire(connection: apsw.Connection, firing: Firing, now: int) -> list[str]:
    """Settle the times that a trigger has come to and queue its runs; return their ids.

    Nothing happens where the trigger has moved on, or was paused or removed, meanwhile.
    """
    trigger = firing.trigger
    if firing.error is not None:
        disable(connection, trigger, firing.error)
        return []
    times = (firing.times.next_at, firing.times.fire_at)
    connection.execute(SETTLE, (*times, firing.settled_at, trigger.id, trigger.next_at))
    if not connection.changes():
        return []
    unfinished = queue.count_unfinished_runs(connection, trigger.site_id, trigger.name)
    room = MAX_WAITING_RUNS - unfinished
    if firing.only_if_idle and unfinished:
        room = 0
    room = min(room, MAX_WAITING - queue.count_waiting(connection, trigger.site_id))
    queued: list[str] = []
    skipped = 0
    for run in firing.runs:
        if run.scheduled_at and queue.has_run(connection, trigger.site_id, trigger.name, run.scheduled_at):
            continue  # the clock was set back, and this time has been here before
        if len(queued) < room:
            queued.append(queue.add(connection, trigger.site_id, run, now))
        else:
            skipped += 1
    if skipped:
        connection.execute(SKIP, (skipped, firing.settled_at, trigger.id))
    return queued


def move_back(connection: apsw.Connection, trigger: Trigger, last_at: int, times: Times) -> None:
    """Begin again at `last_at`, after the clock had been ahead."""
    connection.execute(MOVE_BACK, (last_at, times.next_at, times.fire_at, trigger.id))


def disable(connection: apsw.Connection, trigger: Trigger, error: str) -> None:
    """Fire a trigger no more, since its schedule cannot be understood on this machine."""
    connection.execute(DISABLE, (error, trigger.id))


def pause(connection: apsw.Connection, trigger: Trigger) -> None:
    """Fire a trigger no more until it is resumed."""
    connection.execute(SET_PAUSED, (1, None, None, trigger.id))


def resume(connection: apsw.Connection, trigger: Trigger, times: Times) -> None:
    """Fire a trigger again, from these times on."""
    connection.execute(SET_PAUSED, (0, times.next_at, times.fire_at, trigger.id))


def _trigger(row: rows.Row) -> Trigger:
    values = list(row)
    values[PAUSED] = bool(values[PAUSED])
    return Trigger(*values)
