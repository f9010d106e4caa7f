"""Which runs a trigger's due times make: overlap, catching up, jitter.

Pure functions of a trigger, its rule and the time; nothing is stored here. Rule: a time of the schedule is settled
once; what lies before it never runs afterwards, wherever the clock is set.
"""

import hashlib

import orjson

from fazt.errors import InvalidInput
from fazt.sites.cron_rules import CronRule
from fazt.sites.schedule import Schedule
from fazt.store import queue
from fazt.store.queue import NewJob
from fazt.store.schedules import Firing, Times, Trigger

MAX_CATCH_UP = 100
GRACE_MS = 60_000  # what is late by less was not missed
BACKOFF_MS = 30_000
NEVER = Times(None, None)


def rule_of(trigger: Trigger) -> CronRule:
    """Return what the site says about a trigger."""
    return CronRule.from_json(orjson.loads(trigger.definition))


def same_times(rule: CronRule, other: CronRule) -> bool:
    """Tell whether two rules are due at the same times."""
    return (rule.schedule, rule.tz, rule.jitter_s) == (other.schedule, other.tz, other.jitter_s)


def times_after(rule: CronRule, site_id: int, at_ms: int) -> Times:
    """Return the first time of a rule's schedule after a moment.

    Raises: InvalidInput where this machine does not know its time zone.
    """
    return _times(rule, site_id, rule.times().after(at_ms))


def plan(trigger: Trigger, now: int) -> Firing:
    """Return what is to be made of a trigger that is due."""
    try:
        return _plan(trigger, rule_of(trigger), now)
    except (InvalidInput, TypeError, orjson.JSONDecodeError) as error:
        return Firing(trigger, (), now, NEVER, True, error=f"Its schedule cannot be understood here: {error}")


def _plan(trigger: Trigger, rule: CronRule, now: int) -> Firing:
    schedule = rule.times()
    due = _due(trigger, rule, schedule, now)
    if not due:  # another release of the time zones has moved it
        return Firing(trigger, (), now, _times(rule, trigger.site_id, schedule.after(now)), True)
    newest = due[0]
    is_late = now - _fire_at(rule, trigger.site_id, newest) > GRACE_MS
    if rule.catchup == "all":
        chosen = due[MAX_CATCH_UP - 1 :: -1] if len(due) >= MAX_CATCH_UP else due[::-1]
    else:
        chosen = [] if rule.catchup == "none" and is_late else [newest]
    return Firing(
        trigger,
        tuple(make_run(rule, now, scheduled_at) for scheduled_at in chosen),
        settled_at=newest,
        times=_times(rule, trigger.site_id, schedule.after(newest)),
        # What is caught up was missed already: it waits for its turn rather than being missed again.
        only_if_idle=rule.overlap == "skip" and not is_late and len(chosen) < 2,
    )


def make_run(rule: CronRule, now: int, scheduled_at: int | None) -> NewJob:
    """Return a run for a time of the schedule, or one that is asked for by hand (None)."""
    time = now if scheduled_at is None else scheduled_at
    return NewJob(
        id=queue.new_id(),
        kind="cron",
        name=rule.name,
        handler=rule.handler,
        data=orjson.dumps({"cron": rule.name, "schedule": rule.schedule, "scheduledTime": time}),
        max_attempts=1 + rule.retries,
        backoff_ms=BACKOFF_MS,
        timeout_ms=rule.timeout_s * 1000,
        run_at=now,
        scheduled_at=scheduled_at,
    )


def _due(trigger: Trigger, rule: CronRule, schedule: Schedule, now: int) -> list[int]:
    """Return the newest times that are to be settled, newest first."""
    since = max(now if trigger.next_at is None else trigger.next_at, trigger.last_at + 1)
    latest = schedule.latest(now, since, MAX_CATCH_UP + 1)
    return [at for at in latest if _fire_at(rule, trigger.site_id, at) <= now]


def _times(rule: CronRule, site_id: int, next_at: int | None) -> Times:
    return NEVER if next_at is None else Times(next_at, _fire_at(rule, site_id, next_at))


def _fire_at(rule: CronRule, site_id: int, at: int) -> int:
    """Return a time with its jitter, which is the same however often it is asked for."""
    if not rule.jitter_s:
        return at
    digest = hashlib.sha256(f"{site_id} {rule.name} {at}".encode()).digest()
    return at + int.from_bytes(digest[:8], "big") % (rule.jitter_s * 1000)
