"""The queue of jobs: leases, ends, turns of sites, uniqueness, what a crash leaves, and what is thrown away."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fazt.errors import Conflict, NotFound, QueueFull, SiteNotFound
from fazt.store import queue, schema, sites
from fazt.store.queue import NewJob, QueuedJob

NOW = 1_800_000_000_000


def new(name: str = "mail", **fields: Any) -> NewJob:
    job = NewJob(queue.new_id(), "job", name, f"api/_jobs/{name}.js", b"{}", 3, 1000, 30_000, NOW)
    return replace(job, **fields)


@pytest.fixture
def blog(connection: apsw.Connection) -> int:
    return sites.create(connection, "blog").id


def lease_all(connection: apsw.Connection, now: int = NOW, count: int = 100, per_site: int = 100) -> list[QueuedJob]:
    return queue.lease(connection, now, count, per_site)


def counts(connection: apsw.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT site, waiting, running, due_at FROM job_site ORDER BY site").fetchall()


def real_counts(connection: apsw.Connection) -> list[tuple[Any, ...]]:
    sql = """SELECT site, sum(state = 'waiting'), sum(state = 'running'), min(CASE state WHEN 'waiting' THEN run_at END)
        FROM job GROUP BY site ORDER BY site"""
    return connection.execute(sql).fetchall()


def test_a_job_from_its_queueing_to_its_end(connection: apsw.Connection, blog: int) -> None:
    id = queue.add(connection, blog, new(data=b'{"to":1}', run_at=NOW + 5), NOW)
    assert queue.look(connection, NOW) == queue.Outlook(False, False, NOW + 5)
    assert lease_all(connection) == []
    (job,) = lease_all(connection, NOW + 5)
    assert (job.id, job.site, job.state, job.attempts, job.data) == (id, "blog", "running", 1, b'{"to":1}')
    assert queue.look(connection, NOW + 5) == queue.Outlook(False, False, NOW + 5 + 30_000 + queue.LEASE_MARGIN_MS)
    assert lease_all(connection, NOW + 5) == []
    assert queue.finish(connection, job, NOW + 9, b"7")
    ended = queue.get(connection, id)
    assert (ended.state, ended.result, ended.finished_at, ended.lease_token) == ("done", b"7", NOW + 9, None)
    assert not queue.finish(connection, job, NOW + 9, b"8")
    assert queue.look(connection, NOW) == queue.Outlook(False, False, None)


def test_a_failing_job_waits_and_is_a_dead_letter_in_the_end(connection: apsw.Connection, blog: int) -> None:
    id = queue.add(connection, blog, new(max_attempts=2), NOW)
    assert queue.fail(connection, lease_all(connection)[0], NOW, "first", NOW + 100)
    waiting = queue.get(connection, id)
    assert (waiting.state, waiting.error, waiting.run_at, waiting.attempts) == ("waiting", "first", NOW + 100, 1)
    (job,) = lease_all(connection, NOW + 100)
    assert queue.fail(connection, job, NOW + 101, "second", NOW + 300)
    dead = queue.get(connection, id)
    assert (dead.state, dead.error, dead.finished_at, dead.attempts) == ("failed", "second", NOW + 101, 2)
    again = queue.retry(connection, id, NOW + 400)
    assert (again.state, again.attempts, again.run_at, again.finished_at) == ("waiting", 0, NOW + 400, None)


def test_leases_of_a_dead_server_are_void_at_start(connection: apsw.Connection, blog: int) -> None:
    queue.add(connection, blog, new(max_attempts=1), NOW)
    (job,) = lease_all(connection)
    assert queue.take_over(connection, NOW + 1) == 1
    assert not queue.finish(connection, job, NOW + 2, None)
    (again,) = lease_all(connection, NOW + 1)
    assert (again.id, again.attempts) == (job.id, 1)
    assert queue.finish(connection, again, NOW + 3, None)
    assert queue.take_over(connection, NOW + 4) == 0


def test_a_job_that_the_server_does_not_survive_is_given_up(connection: apsw.Connection, blog: int) -> None:
    id = queue.add(connection, blog, new(max_attempts=1), NOW)
    for _ in range(queue.MAX_INTERRUPTIONS):
        assert queue.get(connection, id).state == "waiting"
        lease_all(connection)
        queue.take_over(connection, NOW)
    dead = queue.get(connection, id)
    assert (dead.state, dead.error) == ("failed", queue.INTERRUPTED)


def test_a_lease_that_is_over_is_void_unless_its_run_is_alive(connection: apsw.Connection, blog: int) -> None:
    queue.add(connection, blog, new(timeout_ms=1000), NOW)
    (job,) = lease_all(connection)
    assert job.lease_token is not None
    over = NOW + 1000 + queue.LEASE_MARGIN_MS
    assert not queue.look(connection, over - 1).is_over
    assert queue.look(connection, over).is_over
    assert queue.expire(connection, over, frozenset([job.lease_token])) == 0
    assert queue.expire(connection, over, frozenset()) == 1
    assert queue.get(connection, job.id).state == "waiting"


def test_what_is_given_back_was_no_attempt(connection: apsw.Connection, blog: int) -> None:
    queue.add(connection, blog, new(), NOW)
    jobs = lease_all(connection)
    queue.release(connection, jobs)
    assert queue.get(connection, jobs[0].id).attempts == 0
    assert counts(connection) == [(blog, 1, 0, NOW)]


def test_sites_take_turns(connection: apsw.Connection) -> None:
    ids = {name: sites.create(connection, name).id for name in ("one", "two", "three")}
    for name, count in (("one", 20), ("two", 3), ("three", 1)):
        for _ in range(count):
            queue.add(connection, ids[name], new(), NOW)
    assert [job.site for job in queue.lease(connection, NOW, 5, 4)] == ["one", "two", "three", "one", "two"]
    assert [job.site for job in queue.lease(connection, NOW, 2, 4)] == ["one", "two"]
    assert [job.site for job in queue.lease(connection, NOW, 9, 4)] == ["one"]  # four run now
    assert queue.lease(connection, NOW, 9, 4) == []
    assert counts(connection) == real_counts(connection)
    later = sites.create(connection, "later")
    queue.add(connection, later.id, new(), NOW)
    assert [job.site for job in queue.lease(connection, NOW, 1, 5)] == ["later"]


def test_the_order_within_a_site_is_that_of_time(connection: apsw.Connection, blog: int) -> None:
    for name, run_at in (("c", NOW + 2), ("a", NOW), ("b", NOW + 1), ("a2", NOW)):
        queue.add(connection, blog, new(name, run_at=run_at), NOW)
    assert [job.name for job in lease_all(connection, NOW + 5)] == ["a", "a2", "b", "c"]


def test_a_unique_key_stands_for_one_job_until_it_ends(connection: apsw.Connection, blog: int) -> None:
    first = queue.add(connection, blog, new(unique_key="k"), NOW)
    assert queue.add(connection, blog, new(unique_key="k", data=b"1"), NOW) == first
    other = queue.add(connection, blog, new("other", unique_key="k"), NOW)
    assert other != first
    elsewhere = sites.create(connection, "shop").id
    assert queue.add(connection, elsewhere, new(unique_key="k"), NOW) != first
    job = next(job for job in lease_all(connection) if job.id == first)
    assert queue.add(connection, blog, new(unique_key="k"), NOW) == first
    queue.fail(connection, replace(job, attempts=3), NOW, "x", NOW)
    second = queue.add(connection, blog, new(unique_key="k"), NOW)
    assert second != first
    with pytest.raises(Conflict, match=second):
        queue.retry(connection, first, NOW)
    queue.cancel(connection, second, NOW)
    assert queue.retry(connection, first, NOW).state == "waiting"
    assert queue.retry(connection, first, NOW).state == "waiting"


def test_runs_of_one_trigger_come_one_after_the_other(connection: apsw.Connection, blog: int) -> None:
    for scheduled_at in (NOW - 2, NOW - 1, NOW):
        queue.add(connection, blog, new("tidy", kind="cron", scheduled_at=scheduled_at), NOW)
    queue.add(connection, blog, new("other", kind="cron", scheduled_at=NOW), NOW)
    queue.add(connection, blog, new("tidy"), NOW)
    jobs = lease_all(connection)
    assert [(job.kind, job.name) for job in jobs] == [("cron", "tidy"), ("cron", "other"), ("job", "tidy")]
    assert lease_all(connection) == []
    queue.finish(connection, jobs[0], NOW, None)
    assert [job.scheduled_at for job in lease_all(connection)] == [NOW - 1]
    assert queue.count_unfinished_runs(connection, blog, "tidy") == 2
    assert [job.scheduled_at for job in queue.list_runs(connection, blog, "tidy", None, 9)] == [NOW, NOW - 1, NOW - 2]
    with pytest.raises(apsw.ConstraintError):
        queue.add(connection, blog, new("tidy", kind="cron", scheduled_at=NOW), NOW)


def test_what_cannot_be_cancelled_or_tried_again(connection: apsw.Connection, blog: int) -> None:
    id = queue.add(connection, blog, new(), NOW)
    (job,) = lease_all(connection)
    with pytest.raises(Conflict, match="runs now"):
        queue.retry(connection, id, NOW)
    assert queue.cancel(connection, id, NOW).state == "cancelled"
    assert not queue.finish(connection, job, NOW, None)
    with pytest.raises(Conflict, match=r"ended already \(cancelled\)"):
        queue.cancel(connection, id, NOW)
    queue.retry(connection, id, NOW)
    queue.finish(connection, lease_all(connection)[0], NOW, None)
    with pytest.raises(Conflict, match="is done"):
        queue.retry(connection, id, NOW)
    with pytest.raises(NotFound):
        queue.cancel(connection, "nothing", NOW)


def test_a_site_has_a_bounded_queue(connection: apsw.Connection, blog: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING", 3)
    for _ in range(3):
        queue.add(connection, blog, new(), NOW)
    with pytest.raises(QueueFull, match="3 is the most"):
        queue.add(connection, blog, new(), NOW)
    queue.add(connection, sites.create(connection, "shop").id, new(), NOW)
    lease_all(connection, count=1)
    queue.add(connection, blog, new(), NOW)


def test_a_site_takes_its_jobs_along(connection: apsw.Connection, blog: int) -> None:
    queue.add(connection, blog, new(), NOW)
    lease_all(connection)
    queue.add(connection, blog, new(), NOW)
    sites.remove(connection, "blog")
    assert queue.list_page(connection, None, None, None, 9) == []
    assert counts(connection) == []
    with pytest.raises(SiteNotFound):
        queue.add(connection, blog, new(), NOW)


def test_lists(connection: apsw.Connection, blog: int) -> None:
    shop = sites.create(connection, "shop").id
    ids = [queue.add(connection, site, new(), NOW) for site in (blog, shop, blog)]
    lease_all(connection, count=1)
    every = queue.list_page(connection, None, None, None, 9)
    assert [job.id for job in every] == ids[::-1]
    assert [job.id for job in queue.list_page(connection, None, None, every[0].number, 1)] == [ids[1]]
    assert [job.id for job in queue.list_page(connection, blog, None, None, 9)] == [ids[2], ids[0]]
    assert [job.id for job in queue.list_page(connection, None, "running", None, 9)] == [ids[0]]
    assert [job.id for job in queue.list_page(connection, blog, "waiting", None, 9)] == [ids[2]]


def test_what_ended_is_thrown_away_in_time(
    connection: apsw.Connection, blog: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "KEEP_FINISHED", 3)
    for n in range(8):
        queue.add(connection, blog, new(max_attempts=1), NOW)
        (job,) = lease_all(connection)
        if n % 4 == 3:
            queue.fail(connection, job, NOW, "x", NOW)
        else:
            queue.finish(connection, job, NOW, None)
    queue.add(connection, blog, new(), NOW)
    assert queue.trim(connection, [], NOW, 100) == 0
    assert queue.trim(connection, [blog], NOW, 2) == 2
    assert queue.trim(connection, None, NOW, 2) == 1
    assert queue.trim(connection, None, NOW, 2) == 0
    states = Counter(job.state for job in queue.list_page(connection, blog, None, None, 99))
    assert states == {"done": 3, "failed": 2, "waiting": 1}
    assert queue.trim(connection, [], NOW + queue.KEEP_MS["done"] + 1, 100) == 3
    assert queue.trim(connection, [], NOW + queue.KEEP_MS["failed"] + 1, 100) == 2
    assert counts(connection) == [(blog, 1, 0, NOW)]


KEYS = st.sampled_from([None, "a", "b"])


class QueueMachine(RuleBasedStateMachine):
    """Each job's effect is a row of its own table, written with the job's end: it must be there once or not yet."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "data.db"
        schema.make_file(self.path)
        self.connection = schema.open_writer(self.path)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("CREATE TABLE effect (job TEXT)")
        self.now = NOW
        self.sites = [sites.create(self.connection, name).id for name in ("blog", "shop")]
        self.leased: list[QueuedJob] = []  # of this server; some may have been taken away
        self.stale: list[QueuedJob] = []  # of servers that are dead
        self.owed: dict[str, int] = {}  # effects that each job has had

    def teardown(self) -> None:
        self.connection.close()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        queue.take_over(self.connection, self.now)

    def state(self, id: str) -> str:
        return queue.get(self.connection, id).state

    @rule(site=st.integers(0, 1), key=KEYS, delay=st.sampled_from([0, 0, 50]), attempts=st.integers(1, 2))
    def enqueue(self, site: int, key: str | None, delay: int, attempts: int) -> None:
        # Ids that are the same each time that Hypothesis repeats the steps.
        job = new(id=f"{len(self.owed):04}", unique_key=key, run_at=self.now + delay, max_attempts=attempts)
        id = queue.add(self.connection, self.sites[site], job, self.now)
        if id != job.id:
            assert key is not None
            assert self.state(id) in ("waiting", "running")
        self.owed.setdefault(id, 0)

    @rule(count=st.integers(1, 4), per_site=st.integers(1, 3))
    def lease(self, count: int, per_site: int) -> None:
        before = {job.id for job in queue.list_page(self.connection, None, "running", None, 999)}
        found = queue.lease(self.connection, self.now, count, per_site)
        assert not before & {job.id for job in found}
        assert all(self.owed[job.id] == 0 and job.run_at <= self.now for job in found)
        running = Counter(job.site_id for job in queue.list_page(self.connection, None, "running", None, 999))
        assert all(running[job.site_id] <= per_site for job in found)
        self.leased += found

    def take(self, data: st.DataObject, jobs: list[QueuedJob]) -> QueuedJob:
        return jobs.pop(data.draw(st.integers(0, len(jobs) - 1)))

    def end(self, job: QueuedJob, *, crash: bool) -> bool:
        """End a run with its effect and a successor; `crash`: right before the COMMIT."""
        self.connection.execute("BEGIN IMMEDIATE")
        ended = queue.finish(self.connection, job, self.now, None)
        if ended:
            self.connection.execute("INSERT INTO effect VALUES (?)", (job.id,))
        self.connection.execute("ROLLBACK" if crash else "COMMIT")
        if ended and not crash:
            self.owed[job.id] += 1
        return ended

    @rule(data=st.data(), crash=st.booleans())
    def complete(self, data: st.DataObject, crash: bool) -> None:
        if not self.leased:
            return
        job = self.take(data, self.leased)
        held = queue.get(self.connection, job.id).lease_token == job.lease_token
        assert self.end(job, crash=crash) == held
        if crash:
            self.new_boot()

    @rule(data=st.data())
    def complete_from_the_dead(self, data: st.DataObject) -> None:
        if self.stale:
            assert not self.end(self.take(data, self.stale), crash=False)

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        if not self.leased:
            return
        job = self.take(data, self.leased)
        if queue.fail(self.connection, job, self.now, "no", self.now + 20):
            assert self.state(job.id) == ("waiting" if job.attempts < job.max_attempts else "failed")

    @rule(data=st.data(), retry=st.booleans())
    def cancel_or_retry(self, data: st.DataObject, retry: bool) -> None:
        if not self.owed:
            return
        id = data.draw(st.sampled_from(sorted(self.owed)))
        try:
            (queue.retry if retry else queue.cancel)(self.connection, id, self.now)
        except Conflict:
            return

    @rule()
    def new_boot(self) -> None:
        self.connection.close()
        self.connection = schema.open_writer(self.path)
        self.connection.execute("PRAGMA synchronous = OFF")
        queue.take_over(self.connection, self.now)
        self.stale += self.leased
        self.leased = []

    @rule()
    def stop_in_good_order(self) -> None:
        queue.release(self.connection, self.leased)
        self.stale += self.leased
        self.leased = []

    @rule(milliseconds=st.sampled_from([10, 100, 10_000_000]))
    def time_goes_on(self, milliseconds: int) -> None:
        self.now += milliseconds
        queue.expire(self.connection, self.now, frozenset(str(job.lease_token) for job in self.leased[:1]))

    @invariant()
    def each_effect_is_there_once_or_not_yet(self) -> None:
        effects = Counter(row[0] for row in self.connection.execute("SELECT job FROM effect"))
        for job in queue.list_page(self.connection, None, None, None, 9999):
            assert effects[job.id] == self.owed[job.id] == (job.state == "done")

    @invariant()
    def the_counts_are_right(self) -> None:
        assert counts(self.connection) == real_counts(self.connection)

    @invariant()
    def nothing_waits_that_nobody_looks_for(self) -> None:
        waiting = queue.list_page(self.connection, None, "waiting", None, 9999)
        outlook = queue.look(self.connection, self.now)
        assert outlook.is_due == any(job.run_at <= self.now for job in waiting)
        for job in waiting:
            assert outlook.is_due or (outlook.next_at is not None and outlook.next_at <= job.run_at)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
