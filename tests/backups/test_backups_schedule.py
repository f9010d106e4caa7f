"""Backups by themselves: when they are due, what is told when they fail, and the weekly drill."""

import asyncio
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from fazt.backups import schedule
from fazt.backups import shelf as shelf_module
from fazt.backups.schedule import AFTER_START_MS, HOUR_MS, Plan, Schedule
from fazt.backups.shelf import Retention, Shelf
from fazt.errors import BackupRefused, StoreError
from fazt.store.database import Database


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 1_000 * 24 * HOUR_MS

    def now_ms(self) -> int:
        return self.time

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        raise AssertionError


class World(NamedTuple):
    schedule: Schedule
    shelf: Shelf
    clock: FakeClock
    told: list[tuple[str, str]]
    plan: list[Plan]


@pytest.fixture
def world(database: Database, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> World:
    clock, told, plan = FakeClock(), [], [Plan(24, Retention(2, 0, 0, 0))]
    monkeypatch.setattr(shelf_module, "now_ms", clock.now_ms)
    made = Schedule(database, shelf, lambda: plan[0], clock, lambda *each: told.append(each))
    return World(made, shelf, clock, told, plan)


def look(world: World, after_ms: int = 0) -> int | None:
    world.clock.time += after_ms
    return asyncio.run(world.schedule.look())


def test_one_a_day_and_none_right_after_a_start(world: World) -> None:
    assert look(world) == world.clock.time + HOUR_MS
    assert world.shelf.list_all() == []
    look(world, AFTER_START_MS)
    assert [backup.header.label for backup in world.shelf.list_all()] == ["by itself"]
    for _ in range(24):
        look(world, HOUR_MS)
    assert len(world.shelf.list_all()) == 2
    for _ in range(24 * 3):
        look(world, HOUR_MS)
    assert len(world.shelf.list_all()) in (2, 3)  # the newest ones, and the newest that is proven
    assert world.told == []


def test_a_clock_that_was_ahead_is_no_reason_to_wait_until_it_comes_there(world: World) -> None:
    """A machine whose clock was a year ahead when the server started, and is set right then."""
    world.clock.time += 365 * 24 * HOUR_MS
    world.schedule._not_before = world.clock.time + AFTER_START_MS
    look(world, -365 * 24 * HOUR_MS)
    assert len(world.shelf.list_all()) == 1
    look(world, 365 * 24 * HOUR_MS)
    look(world, 25 * HOUR_MS)
    assert len(world.shelf.list_all()) >= 2


def test_never_where_it_is_switched_off(world: World) -> None:
    world.plan[0] = Plan(0, Retention(2))
    assert look(world, 30 * 24 * HOUR_MS) == world.clock.time + HOUR_MS
    assert world.shelf.list_all() == []


def test_once_a_week_the_newest_is_proven(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    booted: list[Path] = []
    monkeypatch.setattr(schedule, "boot", lambda path, names: booted.append(path))
    look(world, AFTER_START_MS)
    look(world, HOUR_MS)
    assert len(booted) == 1
    assert world.shelf.find("latest").is_proven
    for _ in range(24 * 6):
        look(world, HOUR_MS)
    assert len(booted) == 1
    for _ in range(48):
        look(world, HOUR_MS)
    assert len(booted) == 2


def test_what_goes_wrong_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(Shelf, "create", fail)
        look(world, AFTER_START_MS)
        assert world.told == [("The backup failed", "the disk is on fire")]
        look(world, HOUR_MS // 2)  # not again at once
        assert len(world.told) == 1
    look(world, HOUR_MS)
    assert len(world.shelf.list_all()) == 1

    def refuse(*_: object) -> None:
        raise BackupRefused("Served from it, the site blog answers with status 500.")

    monkeypatch.setattr(schedule, "boot", refuse)
    look(world, HOUR_MS)
    title, text = world.told[1]
    assert title.startswith("The backup ")
    assert "status 500" in text


def test_no_backup_is_begun_without_room_for_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    look(world, AFTER_START_MS)
    assert world.shelf.list_all() == []
    assert world.told[0][0] == "There is no room for a backup"
