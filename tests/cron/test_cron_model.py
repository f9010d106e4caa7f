"""A trigger against a model: whatever stops, jumps and crashes come, no time of its schedule is run twice or lost."""

import tempfile
from pathlib import Path
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fazt.cron import control
from fazt.cron.plan import GRACE_MS, plan, times_after
from fazt.sites.cron_rules import CronRule
from fazt.store import queue, schedules, schema, sites
from fazt.store.schedules import Trigger, Wanted

NOW = 1_800_000_000_000
STEP = 600_000


class CronMachine(RuleBasedStateMachine):
    """`every 10m`, catching up all: each time from the deploy on is a run once, in order, but for pauses."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "data.db"
        schema.make_file(self.path)
        self.connection = schema.open_writer(self.path)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.site = sites.create(self.connection, "blog").id
        self.now = self.latest = NOW
        self.expected: list[int] = []  # times that must have been made runs once the scheduler has looked
        self.paused_at: int | None = None
        self.rule = CronRule("tidy", "every 10m", "api/_cron/tidy.js", None, 60, 0, "queue", "all", 0, "")
        definition = orjson.dumps(self.rule.as_json()).decode()
        wanted = [Wanted("tidy", definition, times_after(self.rule, self.site, self.now))]
        assert schedules.replace(self.connection, 0, 1, [(self.site, wanted)], self.now)

    def teardown(self) -> None:
        self.connection.close()
        self.folder.cleanup()

    def trigger(self) -> Trigger:
        return schedules.get(self.connection, self.site, "tidy")

    @rule(steps=st.sampled_from([1, 299, 600, 601, 3000, 20_000]))
    def time_goes_on(self, steps: int) -> None:
        self.now += steps * 1000

    @rule(steps=st.sampled_from([1, 600, 5000]))
    def the_clock_is_set_back(self, steps: int) -> None:
        self.now -= steps * 1000

    @rule(crash=st.booleans())
    def look(self, crash: bool) -> None:
        """Fire what is due; `crash`: right before the COMMIT."""
        self.work()  # so that the bound on what waits is not met
        firings = [plan(trigger, self.now) for trigger in schedules.due(self.connection, self.now, 9)]
        self.connection.execute("BEGIN IMMEDIATE")
        for firing in firings:
            schedules.fire(self.connection, firing, self.now)
        self.connection.execute("ROLLBACK" if crash else "COMMIT")
        if not crash and self.paused_at is None:
            first = (self.latest // STEP + 1) * STEP
            self.expected += range(first, self.now + 1, STEP)
            self.latest = max(self.latest, self.now)
        if crash:
            self.restart()

    @rule()
    def work(self) -> None:
        while jobs := queue.lease(self.connection, self.now, 9, 9):
            for job in jobs:
                queue.finish(self.connection, job, self.now, None)

    @rule()
    def restart(self) -> None:
        self.connection.close()
        self.connection = schema.open_writer(self.path)
        self.connection.execute("PRAGMA synchronous = OFF")
        queue.take_over(self.connection, self.now)

    @rule()
    def pause(self) -> None:
        control.pause(self.connection, self.site, "tidy")
        self.paused_at = self.now

    @rule()
    def resume(self) -> None:
        control.resume(self.connection, self.site, "tidy", self.now)
        if self.paused_at is not None:
            self.latest = max(self.latest, self.now)
            self.paused_at = None

    @invariant()
    def each_time_is_run_once(self) -> None:
        runs = queue.list_runs(self.connection, self.site, "tidy", None, 9999)[::-1]
        assert [job.scheduled_at for job in runs] == self.expected

    @invariant()
    def one_runs_at_a_time(self) -> None:
        running: Any = queue.list_page(self.connection, self.site, "running", None, 99)
        assert len(running) <= 1


TestCron = CronMachine.TestCase
TestCron.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)


def test_the_grace_is_shorter_than_the_step() -> None:
    assert GRACE_MS < STEP
