"""Jobs from their queueing to their end: effects once, failures, limits, turns, and stopping in the middle."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from job_world import NOW, World, put, working

from fazt.clock import TROUBLE_PAUSE_MS
from fazt.errors import InvalidInput, StorageFull
from fazt.jobs import jobs as jobs_module
from fazt.jobs.jobs import MAX_PAUSE_MS, pause_ms
from fazt.jobs.running import JobRun
from fazt.store import kv, queue
from fazt.store.database import Database

Test = Callable[[World], Coroutine[Any, Any, None]]


def run(path: Path, test: Test, **limits: int) -> None:
    async def inside() -> None:
        async with working(path / "data.db", **limits) as world:
            await test(world)

    asyncio.run(inside())


def test_a_job_is_run_with_its_data_and_its_effects_are_kept(tmp_path: Path) -> None:
    async def mail(told: JobRun) -> Any:
        put(told, "sent", b"1")
        return {"ok": True}

    async def test(world: World) -> None:
        world.behaviours["mail"] = mail
        id = await world.enqueue(data={"to": "me"})
        await world.ended(id)
        job = world.job(id)
        assert (job.state, job.result, job.error) == ("done", b'{"ok":true}', None)
        (told,) = world.runs
        assert (told.site, told.kind, told.handler, told.export) == ("blog", "job", "api/_jobs/mail.js", "default")
        assert (told.data, told.timeout_s, told.id, told.attempt) == ({"to": "me"}, 300.0, id, 1)
        assert world.value("sent") == b"1"

    run(tmp_path, test)


def test_a_failure_leaves_nothing_and_is_tried_again_later(tmp_path: Path) -> None:
    async def mail(told: JobRun) -> None:
        put(told, f"try-{told.attempt}", b"1")
        if told.attempt < 3:
            raise InvalidInput("no such address")

    async def test(world: World) -> None:
        world.behaviours["mail"] = mail
        id = await world.enqueue(backoff=10, retries=2)
        for attempt, (low, high) in enumerate(((7_500, 12_500), (15_000, 25_000)), 1):
            await world.until(lambda attempt=attempt: world.job(id).state == "waiting" and len(world.runs) == attempt)  # type: ignore[misc]
            job = world.job(id)
            assert job.error == "no such address"
            assert low <= job.run_at - world.clock.now <= high
            await world.until(lambda job=job: world.clock.until == job.run_at)  # type: ignore[misc]
            world.clock.advance(job.run_at - world.clock.now)
        await world.ended(id)
        assert world.job(id).state == "done"
        assert [world.value(f"try-{attempt}") for attempt in (1, 2, 3)] == [None, None, b"1"]

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidInput("bad " * 3000), "bad bad"),
        (ValueError("inside"), "It failed inside the server"),
        (TimeoutError(), "It took longer than 300 s."),
    ],
)
def test_a_dead_letter_says_why(tmp_path: Path, error: Exception, words: str, caplog: pytest.LogCaptureFixture) -> None:
    async def mail(told: JobRun) -> None:
        raise error

    async def test(world: World) -> None:
        world.behaviours["mail"] = mail
        id = await world.enqueue(retries=0)
        await world.ended(id)
        assert world.job(id).state == "failed"
        assert (world.job(id).error or "").startswith(words)
        assert len(world.job(id).error or "") <= 4000

    run(tmp_path, test)


def test_a_run_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "GRACE_S", -300.0)

    async def mail(told: JobRun) -> None:
        await asyncio.Event().wait()

    async def test(world: World) -> None:
        world.behaviours["mail"] = mail
        id = await world.enqueue(retries=0)
        await world.ended(id)
        assert world.job(id).error == "It took longer than 300 s."

    run(tmp_path, test)


def test_a_run_whose_reads_have_moved_is_repeated_at_once(tmp_path: Path) -> None:
    async def mail(told: JobRun) -> None:
        entry = await world_of[0].database.read(kv.find, told.site_id, "n", NOW)
        told.unit.found("n", entry.version if entry else kv.ABSENT)
        if len(world_of[0].runs) <= moves[0]:  # somebody else writes in between
            await world_of[0].database.write(kv.increment, told.site_id, "n", 1, None, NOW)
        put(told, "out", b"1")

    world_of: list[World] = []
    moves = [3]

    async def test(world: World) -> None:
        world_of.append(world)
        world.behaviours["mail"] = mail
        id = await world.enqueue(retries=0)
        await world.ended(id)
        assert (world.job(id).state, len(world.runs), world.value("n"), world.value("out")) == ("done", 4, b"3", b"1")
        moves[0] = 99
        id = await world.enqueue(retries=0)
        await world.ended(id)
        assert (world.job(id).state, len(world.runs)) == ("failed", 10)
        assert "repeated 5 times" in (world.job(id).error or "")

    run(tmp_path, test)


def test_what_a_run_queues_is_queued_with_its_end(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async def mail(told: JobRun) -> Any:
            ids = [await world.enqueue("other", n, unit=told.unit, delay=60) for n in range(2)]
            twice = [await world.enqueue("other", unit=told.unit, unique="k", delay=60) for _ in range(2)]
            assert twice[0] == twice[1]
            assert len(world.states()) == 1 + 3 * (told.attempt - 1)
            if told.attempt == 1 and told.data == "fail":
                raise InvalidInput("no")
            return [*ids, twice[0]]

        world.behaviours["mail"] = mail
        failing = await world.enqueue(data="fail", retries=0)
        await world.ended(failing)
        assert world.states() == ["failed"]
        world.database.write_blocking(queue.trim, None, NOW * 2, 9)
        good = await world.enqueue()
        await world.ended(good)
        ids = [job.id for job in world.database.read_blocking(queue.list_page, None, "waiting", None, 9)]
        assert world.job(good).result == str(ids[::-1]).replace("'", '"').replace(" ", "").encode()

    run(tmp_path, test)


def test_a_unique_job_queues_its_own_successor(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async def mail(told: JobRun) -> Any:
            return await world.enqueue(unit=told.unit, unique="poll", delay=60)

        world.behaviours["mail"] = mail
        first = await world.enqueue(unique="poll")
        await world.ended(first)
        assert world.states() == ["done", "waiting"]
        assert await world.enqueue(unique="poll") != first

    run(tmp_path, test)


def test_a_unique_job_that_came_in_between_has_the_run_repeated(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async def mail(told: JobRun) -> Any:
            id = await world.enqueue("other", unit=told.unit, unique="k", delay=60)
            if len(world.runs) == 1:
                await world.enqueue("other", unique="k", delay=60)
            return id

        world.behaviours["mail"] = mail
        id = await world.enqueue()
        await world.ended(id)
        (other,) = world.database.read_blocking(queue.list_page, None, "waiting", None, 9)
        assert world.job(id).result == f'"{other.id}"'.encode()
        assert len(world.runs) == 2

    run(tmp_path, test)


def test_what_comes_after_the_end_of_a_run_is_refused(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        id = await world.enqueue()
        await world.ended(id)
        with pytest.raises(InvalidInput, match="has ended"):
            await world.enqueue(unit=world.runs[0].unit)
        with pytest.raises(InvalidInput, match="has ended"):
            world.runs[0].unit.check_open()

    run(tmp_path, test)


def test_so_many_run_at_once_and_of_each_site(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        gate = asyncio.Event()

        async def wait(told: JobRun) -> None:
            await gate.wait()

        world.behaviours["slow"] = wait
        ids = [await world.enqueue("slow") for _ in range(5)]
        await world.until(lambda: world.states().count("running") == 2)
        assert len(world.runs) == 2
        gate.set()
        await world.ended(*ids)

    run(tmp_path, test, at_once=4, per_site=2)


def test_a_delayed_job_waits_without_anybody_looking(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        id = await world.enqueue(delay="10m")
        await world.until(lambda: world.clock.until == NOW + 600_000)
        world.clock.advance(600_000)
        await world.ended(id)
        await world.until(lambda: world.clock.until == NOW + jobs_module.TRIM_EVERY_MS)  # idle but for tidying up

    run(tmp_path, test)


def test_a_cancelled_run_is_ended_and_leaves_nothing(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        began = asyncio.Event()

        async def slow(told: JobRun) -> None:
            put(told, "out", b"1")
            began.set()
            await asyncio.Event().wait()

        world.behaviours["slow"] = slow
        id = await world.enqueue("slow")
        await began.wait()
        await world.database.write(queue.cancel, id, world.clock.now)
        world.jobs.interrupt(id)
        world.jobs.interrupt("nothing")
        await world.until(lambda: not world.jobs._running)
        assert (world.job(id).state, world.value("out")) == ("cancelled", None)

    run(tmp_path, test)


def test_runs_under_way_are_given_back_at_the_stop(tmp_path: Path) -> None:
    async def test() -> None:
        began = asyncio.Event()

        async def slow(told: JobRun) -> None:
            began.set()
            await asyncio.Event().wait()

        async with working(tmp_path / "data.db") as world:
            world.behaviours["slow"] = slow
            id = await world.enqueue("slow", retries=0)
            await began.wait()
        database = Database.open(tmp_path / "data.db")
        job = database.read_blocking(queue.get, id)
        database.close()
        assert (job.state, job.attempts) == ("waiting", 0)

    asyncio.run(test())


def test_jobs_of_a_dead_server_run_at_the_start(tmp_path: Path) -> None:
    async def test() -> None:
        world = World(tmp_path / "data.db")
        id = await world.enqueue(retries=0)
        await world.database.write(queue.lease, NOW, 1, 1)  # and then the server dies
        task = asyncio.create_task(world.jobs.work())
        await world.ended(id)
        assert world.job(id).state == "done"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        world.database.close()

    asyncio.run(test())


def test_an_end_that_cannot_be_written_is_repeated_when_the_lease_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = jobs_module.commit

    def full(*arguments: Any) -> bool:
        raise StorageFull("The disk is full.")

    async def test(world: World) -> None:
        monkeypatch.setattr(jobs_module, "commit", full)
        id = await world.enqueue(retries=0)
        await world.until(lambda: len(world.runs) == 1 and not world.jobs._running)
        assert world.job(id).state == "running"
        monkeypatch.setattr(jobs_module, "commit", real)
        await world.until(lambda: world.clock.until == NOW + 300_000 + queue.LEASE_MARGIN_MS)
        world.clock.advance(400_000)
        await world.ended(id)
        assert (world.job(id).state, len(world.runs)) == ("done", 2)

    run(tmp_path, test)


def test_a_store_in_trouble_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = queue.look
    broken: list[Exception] = [StorageFull("The disk is full."), RuntimeError("a fault")]

    def look(*arguments: Any) -> queue.Outlook:
        if broken:
            raise broken.pop()
        return real(*arguments)

    monkeypatch.setattr(queue, "look", look)

    async def test(world: World) -> None:
        for _ in range(2):
            await world.until(lambda: world.clock.until is not None)
            world.clock.advance(TROUBLE_PAUSE_MS)
            await world.clock.asleep()
        await world.ended(await world.enqueue())

    run(tmp_path, test)


def test_ends_are_trimmed_while_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "KEEP_FINISHED", 5)
    monkeypatch.setattr(jobs_module, "TRIM_AFTER", 10)

    async def test(world: World) -> None:
        for _ in range(25):
            await world.ended(await world.enqueue())
        assert len(world.states()) <= 5 + 10

    run(tmp_path, test)


def test_a_large_result_is_not_kept(tmp_path: Path) -> None:
    async def mail(told: JobRun) -> str:
        return "x" * 70_000

    async def test(world: World) -> None:
        world.behaviours["mail"] = mail
        id = await world.enqueue()
        await world.ended(id)
        assert (world.job(id).state, world.job(id).result) == ("done", None)

    run(tmp_path, test)


def test_pauses_are_bounded(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await world.enqueue(delay=60, backoff=86_400, retries=20)
        (job,) = world.database.read_blocking(queue.list_page, None, None, None, 1)
        for attempts in (1, 5, 20, 10_000):
            pause = pause_ms(queue.QueuedJob(**{**_fields(job), "attempts": attempts}))
            assert MAX_PAUSE_MS * 3 // 4 <= pause <= MAX_PAUSE_MS * 5 // 4

    run(tmp_path, test)


def _fields(job: queue.QueuedJob) -> dict[str, Any]:
    return {name: getattr(job, name) for name in queue.QueuedJob.__slots__}


def test_a_failing_commit_is_a_failure_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(world: World) -> None:
        async def mail(told: JobRun) -> None:
            await world.enqueue("other", unit=told.unit)

        world.behaviours["mail"] = mail
        id = await world.enqueue(retries=0)
        monkeypatch.setattr(queue, "MAX_WAITING", 0)
        await world.ended(id)
        assert world.job(id).state == "failed"
        assert "is the most" in (world.job(id).error or "")

    run(tmp_path, test)
