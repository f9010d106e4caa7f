"""What people do to a trigger: run it now, pause it, resume it.

Plain functions, to be run through `Database.write`. Rule: what was due while a trigger was paused is not caught up.
"""

import apsw

from fazt.cron.plan import make_run, rule_of, times_after
from fazt.errors import QueueFull
from fazt.store import queue, schedules
from fazt.store.queue import QueuedJob
from fazt.store.schedules import MAX_WAITING_RUNS, Trigger


def run_now(connection: apsw.Connection, site_id: int, name: str, now: int) -> QueuedJob:
    """Queue a run that begins as soon as no other run of the trigger is under way.

    Raises: NotFound, QueueFull.
    """
    trigger = schedules.get(connection, site_id, name)
    if queue.count_unfinished_runs(connection, site_id, name) >= MAX_WAITING_RUNS:
        raise QueueFull(f"{MAX_WAITING_RUNS} runs of {name!r} are waiting already.")
    return queue.get(connection, queue.add(connection, site_id, make_run(rule_of(trigger), now, None), now))


def pause(connection: apsw.Connection, site_id: int, name: str) -> Trigger:
    """Fire a trigger no more until it is resumed; runs that wait already are done.

    Raises: NotFound.
    """
    schedules.pause(connection, schedules.get(connection, site_id, name))
    return schedules.get(connection, site_id, name)


def resume(connection: apsw.Connection, site_id: int, name: str, now: int) -> Trigger:
    """Fire a paused trigger again, from the next time of its schedule on.

    Raises: NotFound; InvalidInput where this machine does not know its time zone.
    """
    trigger = schedules.get(connection, site_id, name)
    if trigger.paused:
        times = times_after(rule_of(trigger), site_id, max(now, trigger.last_at))
        schedules.resume(connection, trigger, times)
    return schedules.get(connection, site_id, name)
