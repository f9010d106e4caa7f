"""Triggers from a deploy to their runs: due times, downtime, overlap, clocks that are set, pauses, new versions."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
import pytest
from cron_world import HOUR, MINUTE, NOW, World, firing, working

from fazt.clock import TROUBLE_PAUSE_MS
from fazt.cron import control
from fazt.cron import cron as cron_module
from fazt.cron import sync as sync_module
from fazt.cron.sync import sync
from fazt.errors import InvalidInput, NotFound, QueueFull, StorageFull
from fazt.sites import cron_rules
from fazt.store import queue, schedules, sites
from fazt.store.database import Database

Test = Callable[[World], Coroutine[Any, Any, None]]
HOURLY = {"name": "tidy", "schedule": "every 1h"}


def run(path: Path, test: Test) -> None:
    async def inside() -> None:
        async with working(path / "data.db") as world:
            await test(world)

    asyncio.run(inside())


def after_downtime(path: Path, trigger: dict[str, Any], down_ms: int) -> tuple[list[int | None], int | None, int]:
    """Deploy, stop, start again later; return the times that were made runs, the next time, how many were skipped."""

    async def inside() -> tuple[list[int | None], int | None, int]:
        world = World(path / "data.db")
        site = world.deploy(trigger)
        async with firing(world):
            pass
        world.clock.now += down_ms
        async with firing(world):
            found = world.times(site), world.trigger(site).next_at, world.trigger(site).skipped
        world.database.close()
        return found

    return asyncio.run(inside())


def test_a_trigger_makes_a_run_of_each_time(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy({**HOURLY, "retries": 2, "timeout": "90s", "handler": "api/tidy.ts"})
        await world.clock.look()
        assert world.clock.until == NOW + HOUR
        for hour in (1, 2, 3):
            await world.clock.set(NOW + hour * HOUR + 5)
            assert world.wakes == hour
            world.finish_all()
        assert world.times(site) == [NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR]
        run = world.runs(site)[0]
        assert (run.kind, run.name, run.handler, run.max_attempts, run.timeout_ms) == (
            "cron",
            "tidy",
            "api/tidy.ts",
            3,
            90_000,
        )
        told = orjson.loads(run.data)
        assert told == {"cron": "tidy", "schedule": "every 1h", "scheduledTime": NOW + HOUR}
        assert world.clock.until == NOW + 4 * HOUR

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("more", "down_ms", "runs", "next_in"),
    [
        ({}, 5 * HOUR + 10 * MINUTE, [5], 6),
        ({"catchup": "one"}, HOUR, [1], 2),
        ({"catchup": "none"}, 5 * HOUR + 10 * MINUTE, [], 6),
        ({"catchup": "none"}, 5 * HOUR + 50_000, [5], 6),  # not missed yet
        ({"catchup": "none"}, HOUR + 50_000, [1], 2),
        ({"catchup": "all"}, 5 * HOUR + 10 * MINUTE, [1, 2, 3, 4, 5], 6),
        ({"catchup": "all"}, 300 * HOUR, list(range(201, 301)), 301),
        ({"catchup": "all"}, 100 * HOUR, list(range(1, 101)), 101),
        ({"catchup": "one"}, 30 * MINUTE, [], 1),
        ({"schedule": "0 * * * *", "catchup": "all"}, 300 * HOUR, list(range(201, 301)), 301),
    ],
)
def test_what_was_missed(tmp_path: Path, more: dict[str, str], down_ms: int, runs: list[int], next_in: int) -> None:
    times, next_at, skipped = after_downtime(tmp_path, HOURLY | more, down_ms)
    assert times == [NOW + hour * HOUR for hour in runs]
    assert next_at == NOW + next_in * HOUR
    assert skipped == 0


@pytest.mark.parametrize(("overlap", "runs", "skipped"), [("skip", [1, 4], 2), ("queue", [1, 2, 3, 4], 0)])
def test_a_run_that_outlives_its_interval(tmp_path: Path, overlap: str, runs: list[int], skipped: int) -> None:
    async def test(world: World) -> None:
        site = world.deploy({**HOURLY, "overlap": overlap})
        await world.clock.look()
        for hour in (1, 2, 3):
            await world.clock.set(NOW + hour * HOUR)
            world.database.write_blocking(queue.lease, world.clock.now, 99, 99)
        assert [job.state for job in world.runs(site)].count("running") == 1
        world.database.write_blocking(queue.take_over, world.clock.now)
        world.finish_all()
        await world.clock.set(NOW + 4 * HOUR)
        assert world.times(site) == [NOW + hour * HOUR for hour in runs]
        trigger = world.trigger(site)
        assert (trigger.skipped, trigger.skipped_at) == (skipped, NOW + 3 * HOUR if skipped else None)

    run(tmp_path, test)


def test_a_queue_of_runs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "MAX_WAITING_RUNS", 3)
    monkeypatch.setattr(control, "MAX_WAITING_RUNS", 3)
    times, _, skipped = after_downtime(tmp_path, {**HOURLY, "catchup": "all", "overlap": "queue"}, 8 * HOUR)
    assert times == [NOW + hour * HOUR for hour in (1, 2, 3)]
    assert skipped == 5
    database = Database.open(tmp_path / "data.db")
    with pytest.raises(QueueFull):
        database.write_blocking(control.run_now, 1, "tidy", NOW)
    database.close()


def test_a_full_queue_of_the_site_loses_no_other_trigger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING", 1)
    monkeypatch.setattr(schedules, "MAX_WAITING", 1)

    async def test(world: World) -> None:
        full = world.deploy(HOURLY, {"name": "other", "schedule": "every 1h"})
        free = world.deploy(HOURLY, site="shop")
        await world.clock.look()
        await world.clock.set(NOW + HOUR)
        assert len(world.runs(full)) + len(world.runs(full, "other")) == 1
        assert world.times(free) == [NOW + HOUR]

    run(tmp_path, test)


def test_a_clock_that_is_set_back_doubles_nothing(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy(HOURLY)
        await world.clock.look()
        for now in (NOW + HOUR, NOW + 10 * MINUTE, NOW + HOUR, NOW + HOUR + MINUTE, NOW + 2 * HOUR):
            await world.clock.set(now)
            world.finish_all()
        assert world.times(site) == [NOW + HOUR, NOW + 2 * HOUR]

    run(tmp_path, test)


def test_a_clock_that_was_years_ahead_does_not_stop_a_trigger(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy(HOURLY)
        await world.clock.look()
        await world.clock.set(NOW + HOUR)
        world.finish_all()
        await world.clock.set(NOW + 30_000 * HOUR)
        world.finish_all()
        await world.clock.set(NOW + 30 * MINUTE)
        assert world.trigger(site).next_at == NOW + HOUR
        for hour in (1, 2):
            await world.clock.set(NOW + hour * HOUR)
            world.finish_all()
        assert world.times(site) == [NOW + HOUR, NOW + 30_000 * HOUR, NOW + 2 * HOUR]  # the first was there before

    run(tmp_path, test)


def test_a_clock_that_jumps_ahead_is_like_downtime(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy(HOURLY)
        await world.clock.look()
        await world.clock.set(NOW + 50 * HOUR)
        assert world.times(site) == [NOW + 50 * HOUR]

    run(tmp_path, test)


def test_jitter_is_the_same_each_time_and_stays_within(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy({**HOURLY, "jitter": "30m"}, {"name": "other", "schedule": "every 1h", "jitter": "30m"})
        await world.clock.look()
        trigger, other = world.trigger(site), world.trigger(site, "other")
        assert trigger.next_at == other.next_at == NOW + HOUR
        assert trigger.fire_at is not None
        assert other.fire_at is not None
        assert NOW + HOUR <= trigger.fire_at < NOW + HOUR + 30 * MINUTE
        assert trigger.fire_at != other.fire_at
        assert world.clock.until == min(trigger.fire_at, other.fire_at)
        await world.clock.set(trigger.fire_at - 1)
        assert world.times(site) == []
        await world.clock.set(trigger.fire_at)
        assert world.times(site) == [NOW + HOUR]

    run(tmp_path, test)


def test_a_new_version_changes_only_what_it_says(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy(HOURLY, {"name": "other", "schedule": "every 1h"})
        await world.clock.look()
        await world.clock.set(NOW + HOUR)
        assert world.database.write_blocking(control.pause, site, "other").paused
        world.clock.now += 10 * MINUTE
        world.deploy(
            {**HOURLY, "retries": 5}, {"name": "other", "schedule": "every 2h"}, {"name": "third", "schedule": "@daily"}
        )
        await world.clock.look()
        assert world.triggers(site) == ["other", "third", "tidy"]
        assert world.trigger(site).next_at == NOW + 2 * HOUR
        assert world.trigger(site, "other").next_at is None
        world.deploy({**HOURLY, "schedule": "every 30m"})
        await world.clock.look()
        assert world.triggers(site) == ["tidy"]
        assert world.trigger(site).next_at == NOW + HOUR + 30 * MINUTE
        assert [job.state for job in world.runs(site, "other")] == ["cancelled"]
        world.deploy()
        await world.clock.look()
        assert world.triggers(site) == []
        assert world.clock.until is None
        world.deploy(HOURLY)
        world.database.write_blocking(sites.remove, "blog")
        await world.clock.look()
        assert world.clock.until is None

    run(tmp_path, test)


def test_what_was_due_during_a_pause_is_not_caught_up(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy({**HOURLY, "catchup": "all"})
        await world.clock.look()
        world.database.write_blocking(control.pause, site, "tidy")
        await world.clock.set(NOW + 5 * HOUR + MINUTE)
        assert world.clock.until is None
        assert world.database.write_blocking(control.resume, site, "tidy", world.clock.now).next_at == NOW + 6 * HOUR
        assert world.database.write_blocking(control.resume, site, "tidy", world.clock.now).next_at == NOW + 6 * HOUR
        world.cron.wake()
        await world.clock.look()
        await world.clock.set(NOW + 6 * HOUR)
        assert world.times(site) == [NOW + 6 * HOUR]
        with pytest.raises(NotFound, match="no cron trigger 'nothing'"):
            world.database.write_blocking(control.pause, site, "nothing")

    run(tmp_path, test)


def test_a_run_by_hand_waits_for_the_one_under_way(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        site = world.deploy(HOURLY)
        await world.clock.look()
        await world.clock.set(NOW + HOUR)
        world.database.write_blocking(queue.lease, world.clock.now, 9, 9)
        job = world.database.write_blocking(control.run_now, site, "tidy", world.clock.now)
        assert (job.state, job.scheduled_at, job.kind) == ("waiting", None, "cron")
        assert world.database.write_blocking(queue.lease, world.clock.now, 9, 9) == []
        assert world.times(site) == [NOW + HOUR, None]

    run(tmp_path, test)


def test_a_change_wakes(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        assert world.clock.until is None
        await world.database.write(sites.create, "other")
        site = await asyncio.to_thread(world.deploy, HOURLY)
        while not world.triggers(site):
            await world.clock.asleep()
            world.clock._asleep.clear()
        world.cron._on_changes([])

    run(tmp_path, test)


def test_changes_of_other_times_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_module, "CHANGES_AT_ONCE", 3)
    monkeypatch.setattr(sync_module, "WRITE_EVERY", 5)

    async def test() -> None:
        world = World(tmp_path / "data.db")
        for number in range(10):
            world.deploy_rules(b"{}", f"plain-{number}")
        site = world.deploy(HOURLY)
        seen = await sync(world.database, NOW)
        assert world.triggers(site) == ["tidy"]
        assert world.database.read_blocking(schedules.progress) == seen
        world.deploy_rules(b"{}", "plain-0")
        later = await sync(world.database, NOW, seen)
        assert later > seen == world.database.read_blocking(schedules.progress)
        assert not world.database.write_blocking(schedules.replace, seen - 1, later, [(site, [])], NOW)
        assert world.triggers(site) == ["tidy"]
        world.database.close()

    asyncio.run(test())


@pytest.mark.parametrize(
    "cron", [{"name": "tidy"}, ["every 1h"], [{"name": "tidy", "schedule": "every 1h"}], "x", 5, [None]]
)
def test_rules_of_before_anybody_checked_them_are_ignored(tmp_path: Path, cron: Any) -> None:
    async def test(world: World) -> None:
        site = world.deploy_rules(orjson.dumps({"manifest": {"rest": {"cron": cron}}}))
        await world.clock.look()
        assert world.triggers(site) == []

    run(tmp_path, test)


def test_a_zone_that_is_gone_stops_its_trigger_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cron_rules.parse_schedule

    def without_berlin(text: str, zone: str | None = None) -> Any:
        if zone == "Europe/Berlin":
            raise InvalidInput("There is no time zone 'Europe/Berlin'.")
        return real(text, zone)

    async def test(world: World) -> None:
        berlin = {"name": "berlin", "schedule": "@hourly", "tz": "Europe/Berlin"}
        site = world.deploy(HOURLY, berlin)
        await world.clock.look()
        monkeypatch.setattr(cron_rules, "parse_schedule", without_berlin)
        await world.clock.set(NOW + HOUR)
        assert world.times(site) == [NOW + HOUR]
        broken = world.trigger(site, "berlin")
        assert broken.next_at is None
        assert "no time zone" in (broken.error or "")
        monkeypatch.setattr(cron_rules, "parse_schedule", real)
        world.deploy(HOURLY, berlin)
        monkeypatch.setattr(cron_rules, "parse_schedule", without_berlin)
        await world.clock.look()
        assert "no time zone" in (world.trigger(site, "berlin").error or "")
        await world.clock.set(NOW - 48 * HOUR)
        monkeypatch.setattr(cron_rules, "parse_schedule", real)
        world.deploy(HOURLY, {**berlin, "retries": 1})
        await world.clock.look()
        assert world.trigger(site, "berlin").next_at is not None

    run(tmp_path, test)


def test_a_store_in_trouble_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = schedules.fire
    broken: list[Exception] = [StorageFull("The disk is full."), RuntimeError("a fault")]

    def fire(*arguments: Any) -> list[str]:
        if broken:
            raise broken.pop()
        return real(*arguments)

    async def test(world: World) -> None:
        site = world.deploy(HOURLY)
        await world.clock.look()
        monkeypatch.setattr(schedules, "fire", fire)
        now = NOW + HOUR
        for _ in range(3):
            await world.clock.set(now)
            now += TROUBLE_PAUSE_MS
        assert world.times(site) == [NOW + HOUR]

    run(tmp_path, test)


def test_many_triggers_at_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cron_module, "AT_ONCE", 7)

    async def test(world: World) -> None:
        site = world.deploy(*({"name": f"t{n}", "schedule": "every 1h"} for n in range(20)))
        await world.clock.look()
        await world.clock.set(NOW + HOUR)
        assert all(world.times(site, f"t{n}") == [NOW + HOUR] for n in range(20))

    run(tmp_path, test)
