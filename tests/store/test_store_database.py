"""Reading and writing through `Database`: groups, failures, followers, loops, threads, closing."""

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
import uvloop

from fazt.errors import InvalidInput, SiteExists, SiteNotFound, StorageFull, StoreError
from fazt.store import blobs, sites, writer
from fazt.store import room as room_of_disk
from fazt.store.changes import Change
from fazt.store.database import Database


class Held:
    """A write that keeps the writer busy until it is let go, so that what comes after it is one group."""

    def __init__(self, database: Database) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.thread = threading.Thread(target=database.write_blocking, args=(self._wait,))

    def _wait(self, connection: apsw.Connection) -> None:
        self.entered.set()
        assert self.let_go.wait(20)

    def __enter__(self) -> "Held":
        self.thread.start()
        assert self.entered.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
        self.thread.join()


async def together(database: Database, *calls: tuple[object, ...]) -> list[object]:
    """Write several calls as one group; return results and errors."""
    held = Held(database)
    with held:
        tasks = [asyncio.ensure_future(database.write(*call)) for call in calls]  # type: ignore[arg-type]
        await asyncio.sleep(0)  # each task runs up to its wait and has queued its job by then
        held.let_go.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))


def names(database: Database) -> list[str]:
    return [site.name for site in database.read_blocking(sites.list_page, None, 1000)]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_several_loops_one_after_the_other(database: Database, run: object) -> None:
    async def work(name: str) -> list[str]:
        await database.write(sites.create, name)
        return [site.name for site in await database.read(sites.list_page, None, 9)]

    assert run(work("a")) == ["a"]  # type: ignore[operator]
    assert run(work("b")) == ["a", "b"]  # type: ignore[operator]


def test_a_failing_write_leaves_the_others(database: Database) -> None:
    def half_done(connection: apsw.Connection) -> None:
        sites.create(connection, "half")
        raise ValueError("on purpose")

    create = sites.create
    results = asyncio.run(
        together(database, (create, "a"), (half_done,), (create, "a"), (create, "b"), (lambda _: next(iter(())),))
    )
    assert [type(result).__name__ for result in results] == [
        "Site",
        "ValueError",
        "SiteExists",
        "Site",
        "RuntimeError",
    ]
    assert names(database) == ["a", "b"]


def test_writes_that_wait_are_one_transaction(database: Database) -> None:
    groups: list[list[str]] = []
    database.follow(lambda news: groups.append([change.key for change in news]))
    asyncio.run(together(database, *[(sites.create, f"s{n}") for n in range(5)]))
    assert groups == [[f"s{n}" for n in range(5)]]


def test_a_group_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GROUP_NS", 0)
    groups: list[int] = []
    database.follow(lambda news: groups.append(len(news)))
    asyncio.run(together(database, *[(sites.create, f"s{n}") for n in range(3)]))
    assert groups == [1, 1, 1]


def test_what_a_refusal_wrote_is_kept(database: Database) -> None:
    wrong = b"w" * 32
    first, second = bytes(blobs.CHUNK_BYTES), b"end"
    size = len(first) + len(second)
    database.write_blocking(blobs.put_chunk, wrong, size, 0, first)
    with pytest.raises(InvalidInput, match="another hash"):
        database.write_blocking(blobs.put_chunk, wrong, size, 1, second)
    assert database.write_blocking(blobs.missing, [(wrong, size)]) == [blobs.Missing(wrong, size, None)]


def test_followers_are_told_before_the_answer(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def broken(news: Sequence[Change]) -> None:
        raise RuntimeError("a follower with a bug")

    def look(news: Sequence[Change]) -> None:
        seen = database.read_blocking(sites.find, news[0].key)  # committed: a reader sees it
        told.append(seen.name if seen else "")

    database.follow(broken)
    database.follow(look)
    with caplog.at_level(logging.ERROR):
        database.write_blocking(sites.create, "blog")
    assert told == ["blog"]
    assert "a follower with a bug" in caplog.text
    with pytest.raises(SiteExists):
        database.write_blocking(sites.create, "blog")
    assert told == ["blog"]


def test_a_follower_must_not_wait_for_a_write(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    database.follow(lambda _: database.write_blocking(sites.create, "loop"))
    database.write_blocking(sites.create, "blog")
    assert "must not wait for a write" in caplog.text
    assert names(database) == ["blog"]


def test_a_read_sees_one_snapshot(database: Database) -> None:
    database.write_blocking(sites.create, "a")

    def look_twice(connection: apsw.Connection) -> tuple[int, int]:
        before = sites.count(connection)
        database.write_blocking(sites.create, "b")
        return before, sites.count(connection)

    assert database.read_blocking(look_twice) == (1, 1)
    assert database.read_blocking(sites.count) == 2


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError, match="read-only"):
        database.read_blocking(sites.create, "blog")
    assert names(database) == []


def test_rows_cannot_outlive_their_transaction(database: Database) -> None:
    database.write_blocking(sites.create, "blog")
    with pytest.raises(TypeError, match="outlive"):
        database.read_blocking(lambda connection: connection.execute("SELECT * FROM site"))

    def left_half_read(connection: apsw.Connection) -> None:
        for _ in connection.execute("SELECT * FROM site, site AS other"):
            raise SiteNotFound("on purpose")

    for call in (database.read_blocking, database.write_blocking):
        try:
            call(left_half_read)
        except SiteNotFound as error:
            kept = error  # its traceback holds the frame that held the cursor
        assert kept.message == "on purpose"
    assert cut(database), "an abandoned cursor still holds a snapshot"


def cut(database: Database) -> bool:
    """Tell whether the WAL can be cut, which no open snapshot allows after a write."""
    database.write_blocking(sites.create, "later")
    database.shrink()
    return database.path.with_name("data.db-wal").stat().st_size == 0


def test_a_cancelled_read_disturbs_nobody(database: Database) -> None:
    entered, let_go = threading.Event(), threading.Event()

    def slow(connection: apsw.Connection) -> None:
        entered.set()
        assert let_go.wait(20)

    async def work() -> int:
        task = asyncio.ensure_future(database.read(slow))
        await asyncio.to_thread(entered.wait, 20)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        let_go.set()
        return await database.read(sites.count)

    assert asyncio.run(work()) == 0


def test_an_answer_for_a_closed_loop_is_dropped(database: Database) -> None:
    held = Held(database)

    async def leave() -> None:
        held.__enter__()
        asyncio.ensure_future(database.write(sites.create, "late"))  # noqa: RUF006
        await asyncio.sleep(0)

    asyncio.run(leave())
    held.__exit__()
    assert database.write_blocking(sites.create, "after").name == "after"
    assert names(database) == ["after", "late"]


def test_many_threads_at_once(database: Database) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for round in range(20):
                database.write_blocking(sites.create, f"s{number}-{round}")
                assert database.read_blocking(sites.find, f"s{number}-{round}") is not None
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert database.read_blocking(sites.count) == 160


def limit_pages(connection: apsw.Connection, more: int) -> None:
    pages = connection.execute("PRAGMA page_count").fetchall()[0][0]
    connection.execute(f"PRAGMA max_page_count = {pages + more}").fetchall()


@pytest.mark.parametrize("more", [40, 800, 5000])
def test_a_full_disk_fails_only_what_does_not_fit(database: Database, more: int) -> None:
    large = os.urandom((more + 500) * 4096)  # over 8 MB it is written before the COMMIT, and SQLite undoes all
    database.write_blocking(limit_pages, more)
    results = asyncio.run(together(database, (sites.create, "a"), (blobs.put, large), (sites.create, "b")))
    assert isinstance(results[1], StorageFull)
    assert str(database.path) in results[1].message
    assert [type(result).__name__ for result in results] == ["Site", "StorageFull", "Site"]
    assert names(database) == ["a", "b"]
    assert database.read_blocking(blobs.totals) == (0, 0)
    database.write_blocking(limit_pages, 100_000)
    database.write_blocking(blobs.put, large)


def test_a_transaction_that_sqlite_undid_is_run_again_for_the_others(database: Database) -> None:
    def undone(connection: apsw.Connection) -> None:
        sites.create(connection, "undone")
        connection.execute("ROLLBACK")
        raise apsw.FullError("database or disk is full")

    results = asyncio.run(
        together(database, (sites.create, "a"), (sites.create, "a"), (undone,), (sites.create, "b"), (undone,))
    )
    assert [type(result).__name__ for result in results] == ["Site", "SiteExists", "StorageFull", "Site", "StorageFull"]
    assert names(database) == ["a", "b"]


def test_what_does_not_fit_fails_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = itertools.count(1)

    def no_room(self: writer.Writer) -> None:
        if next(commits) == 2:  # the first is that of the write which keeps the writer busy
            raise StorageFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(writer.Writer, "_check_room", no_room)
        results = asyncio.run(together(database, (sites.create, "a"), (sites.create, "a")))
    assert [type(result).__name__ for result in results] == ["Site", "SiteExists"]  # each was run again by itself
    assert names(database) == ["a"]
    database.write_blocking(sites.create, "b")


def test_a_bug_in_the_writer_is_told_and_outlived(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(writer.changes, "since", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            database.write_blocking(sites.create, "a")
    assert "The writer failed" in caplog.text
    database.write_blocking(sites.create, "b")
    assert names(database) == ["b"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows what is forced to disk")
def test_each_group_is_forced_to_disk_before_its_answers(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from fazt.store import sites\n"
        "from fazt.store.database import Database\n"
        "database = Database.open(Path(sys.argv[1]))\n"
        "for n in range(10):\n"
        "    database.write_blocking(sites.create, f's{n}')\n"
        "    os.write(2, b'answered')\n"
        "os._exit(0)\n"
    )
    log = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(log), "-e", "trace=fsync,fdatasync,write", sys.executable, "-c", code]
    subprocess.run([*command, str(tmp_path / "data.db")], check=True, capture_output=True, timeout=60)
    forced = 0
    answers = []
    for line in log.read_text().splitlines():
        if "sync(" in line:
            forced += 1
        elif '"answered"' in line:
            answers.append(forced)
            forced = 0
    assert len(answers) == 10
    assert min(answers) >= 1, answers


def test_growth_leaves_room_for_the_checkpoint(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    room = [0]

    class Disk:
        f_blocks, f_frsize = 1000, 4096

        @property
        def f_bavail(self) -> int:
            return room[0] // 4096

    monkeypatch.setattr(room_of_disk.os, "statvfs", lambda _: Disk())
    with pytest.raises(StorageFull):
        database.write_blocking(blobs.put, bytes(100_000))
    room[0] = room_of_disk.FLOOR_BYTES + 1_000_000
    hash = database.write_blocking(blobs.put, bytes(100_000))
    database.shrink()
    room[0] = 0
    assert database.write_blocking(blobs.collect, 10, 0).blobs == 1  # takes no room
    assert database.read_blocking(blobs.find, hash) is None


class Disk:
    """A disk of 100 GB of which so much is free."""

    f_blocks, f_frsize = 25_000_000, 4096

    def __init__(self, free: int) -> None:
        self.free = free

    @property
    def f_bavail(self) -> int:
        return self.free // 4096


def test_growth_stops_at_the_reserve_and_small_writes_at_half_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(10**10)
    monkeypatch.setattr(room_of_disk.os, "statvfs", lambda _: disk)
    database.keep_free(100_000_000)
    database.write_blocking(blobs.put, os.urandom(300_000))
    disk.free = 99_000_000
    with pytest.raises(StorageFull, match=r"last 100 MB stay free.*Nothing was changed"):
        database.write_blocking(blobs.put, os.urandom(300_000))
    database.write_blocking(sites.create, "small")
    disk.free = 49_000_000
    with pytest.raises(StorageFull):
        database.write_blocking(blobs.put, os.urandom(30_000))
    results = asyncio.run(  # what takes no room is not undone with what does
        together(database, (blobs.put, os.urandom(300_000)), (blobs.collect, 10, 0), (sites.create, "other"))
    )
    assert [type(result).__name__ for result in results] == ["StorageFull", "Collected", "Site"]
    assert database.read_blocking(sites.count) == 2
    disk.free = 101_000_000
    database.write_blocking(blobs.put, os.urandom(300_000))


@pytest.mark.parametrize(
    ("size", "wanted", "reserve"),
    [
        (10**9, 0, 64 << 20),  # 2 % would be too little
        (24 << 20, 0, (24 << 20) // 10),  # 64 MB would be all of it
        (1 << 20, 0, room_of_disk.FLOOR_BYTES),
        (10**10, 0, 200_000_000),
        (10**13, 0, 1 << 30),
        (10**13, 5, room_of_disk.FLOOR_BYTES),
        (10**9, 5 << 20, 5 << 20),
    ],
)
def test_how_much_is_kept_free(size: int, wanted: int, reserve: int) -> None:
    assert room_of_disk.reserve_bytes(size, wanted) == reserve


def test_the_file_shrinks(database: Database) -> None:
    database.write_blocking(sites.create, "blog")
    before = database.file_bytes()
    database.write_blocking(blobs.put, os.urandom(30_000_000))
    database.shrink()
    assert database.path.stat().st_size > 30_000_000
    database.write_blocking(blobs.collect, 10, 0)
    assert database.shrink() > 29_000_000
    assert database.path.stat().st_size < before + 100_000
    assert database.read_blocking(lambda c: c.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]


def test_the_wal_is_cut_in_a_quiet_moment(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    original = writer.Writer.cut_wal

    def cut_wal(self: writer.Writer, connection: apsw.Connection) -> bool:
        result = original(self, connection)
        done.set()
        return result

    monkeypatch.setattr(writer, "IDLE_S", 0.01)
    monkeypatch.setattr(writer.Writer, "cut_wal", cut_wal)
    database.write_blocking(sites.create, "blog")
    assert done.wait(20)
    assert database.path.with_name("data.db-wal").stat().st_size == 0


def test_a_large_wal_is_cut_without_waiting(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LARGE_WAL_BYTES", 1_000_000)
    monkeypatch.setattr(writer, "IDLE_S", 1000.0)
    database.write_blocking(blobs.put, os.urandom(3_000_000))
    database.write_blocking(lambda _: None)  # what follows a group has been done when the next one runs
    assert database.path.with_name("data.db-wal").stat().st_size < 1_000_000


def test_a_large_wal_is_cut_although_somebody_always_reads(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LARGE_WAL_BYTES", 1_000_000)
    monkeypatch.setattr(writer, "IDLE_S", 1000.0)
    monkeypatch.setattr(writer, "PAUSE_AGAIN_S", 0.0)
    monkeypatch.setattr(writer, "CUT_AGAIN_S", 0.0)
    stop = threading.Event()

    def read_slowly(connection: apsw.Connection) -> None:
        connection.execute("SELECT count(*) FROM site").fetchall()
        time.sleep(0.01)

    def keep_reading() -> None:
        while not stop.is_set():
            database.read_blocking(read_slowly)

    readers = [threading.Thread(target=keep_reading) for _ in range(6)]
    for reader in readers:
        reader.start()
    try:
        largest = 0
        for _ in range(30):
            database.write_blocking(blobs.put, os.urandom(300_000))
            database.write_blocking(lambda _: None)
            largest = max(largest, database.wal_bytes())
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert largest < 4_000_000


def test_a_pause_of_readers_waits_for_those_who_read_and_ends(database: Database) -> None:
    reading, may_end = threading.Event(), threading.Event()

    def read_long(_: apsw.Connection) -> str:
        reading.set()
        assert may_end.wait(20)
        return "read"

    with ThreadPoolExecutor() as threads:
        long = threads.submit(database.read_blocking, read_long)
        assert reading.wait(20)
        with database._readers.paused(0.05):
            late = threads.submit(database.read_blocking, sites.count)
            assert not late.done()
            may_end.set()
            assert long.result(20) == "read"
            with pytest.raises(TimeoutError):
                late.result(0.1)
        assert late.result(20) == 0


def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "data.db")

    async def work() -> list[object]:
        tasks = [asyncio.ensure_future(database.write(sites.create, f"s{n}")) for n in range(5)]
        await asyncio.sleep(0)
        await asyncio.to_thread(database.close)
        return list(await asyncio.gather(*tasks))

    assert len(asyncio.run(work())) == 5
    database.close()
    for call in (database.read_blocking, database.write_blocking):
        with pytest.raises(StoreError, match="is closed"):
            call(sites.count)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.db", "data.db.key", "data.db.lock"]
    with contextlib.closing(Database.open(tmp_path / "data.db")) as again:
        assert len(names(again)) == 5
