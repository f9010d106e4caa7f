"""The shelf: a backup is of one moment, is proven or found wanting, and goes when its time is over."""

import re
import sqlite3
import threading
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.backups import boot, contents, file
from fazt.backups import shelf as shelf_module
from fazt.backups.file import Header
from fazt.backups.shelf import Backup, Proof, Retention, Shelf, to_prune
from fazt.errors import BackupRefused, NotFound, StorageFull
from fazt.store import changes, kv, schema, sites
from fazt.store.database import Database
from fazt.store.kv import Write

HOUR = 3_600_000
Usage = namedtuple("Usage", "total used free")


def test_a_backup_is_made_listed_found_and_removed(shelf: Shelf) -> None:
    made = shelf.create("first")
    assert (made.header.label, made.header.sites, made.header.versions, made.header.blobs) == ("first", 1, 1, 1)
    assert made.header.schema == schema.migrations()[-1][0]
    assert (made.proof, made.size) == (None, made.path.stat().st_size)
    second = shelf.create("second", "a long night of rain")
    (shelf.folder / "noise.fazt").write_bytes(b"no backup")
    assert [backup.id for backup in shelf.list_all()] == [second.id, made.id]
    assert shelf.find("latest") == second
    assert shelf.find(made.id) == made
    with pytest.raises(BackupRefused):
        shelf.find("noise")
    shelf.remove(made.id)
    for wrong in (made.id, "../data", "", "latest/../x"):
        with pytest.raises(NotFound):
            shelf.find(wrong)
        with pytest.raises(NotFound):
            shelf.remove(wrong)
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in shelf.folder.iterdir()} == {f"{second.id}.fazt", "noise.fazt"}


def test_what_is_in_it_is_of_one_moment(database: Database, shelf: Shelf, tmp_path: Path) -> None:
    """Fifty writers go on while copies are made: in each lies just what there was at the number that it tells."""
    stop = threading.Event()

    def write(connection: apsw.Connection, site: int, number: int) -> None:
        changes.add(connection, "site", "blog")
        sequence = b"%d" % changes.last(connection)
        for key in (f"writer {number}", "all"):
            kv.put(connection, site, Write(key, "json", sequence, None), None, 0)

    def keep_writing(number: int) -> None:
        while not stop.is_set():
            database.write_blocking(write, 1, number)

    database.write_blocking(write, 1, 0)
    threads = [threading.Thread(target=keep_writing, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    try:
        backups = [shelf.create() for _ in range(4)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len({backup.header.sequence for backup in backups}) > 1
    for backup in backups:
        file.read(backup.path, tmp_path / "copy.db")
        with sqlite3.connect(tmp_path / "copy.db") as copy:
            (last,) = copy.execute("SELECT max(seq) FROM changes").fetchone()
            (highest,) = copy.execute("SELECT max(CAST(value AS INTEGER)) FROM kv WHERE key LIKE 'writer%'").fetchone()
            (all_,) = copy.execute("SELECT CAST(value AS INTEGER) FROM kv WHERE key = 'all'").fetchone()
        copy.close()
        assert backup.header.sequence == last == highest == all_


def test_a_writer_that_cuts_its_wal_at_the_end_of_a_copy_is_no_failure(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy:
        """A connection that finds somebody else at it."""

        tried = 0

        def wal_checkpoint(self, **_: object) -> None:
            Busy.tried += 1
            raise apsw.BusyError("BusyError: database is locked")

        def close(self) -> None:
            """Close nothing."""

    monkeypatch.setattr("fazt.store.schema.open_checkpointer", lambda _path: Busy())
    made = shelf.create()
    assert Busy.tried == 1
    assert shelf.prove(made).failed is None


def test_a_whole_backup_is_proven_with_a_server_on_it(shelf: Shelf) -> None:
    made = shelf.create()
    proof = shelf.prove(made, boot=boot.boot)
    assert (proof.failed, proof.booted) == (None, True)
    assert shelf.find(made.id).proof == proof
    assert shelf.find(made.id).is_proven
    assert not list(shelf.folder.glob(".work*"))


def test_a_proof_is_of_that_file_alone(shelf: Shelf) -> None:
    made, other = shelf.create(), shelf.create("other")
    shelf.prove(made)
    other.path.replace(made.path)
    assert shelf.find(made.id).proof is None


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE chunk SET data = zeroblob(length(data))", "content in it is damaged"),
        ("UPDATE version SET site = 99", "refers to none of site"),
        ("DELETE FROM version_file; DELETE FROM chunk; DELETE FROM version", "counts differ|refers to none"),
        ("PRAGMA user_version = 999", "newer Fazt"),
        ("PRAGMA application_id = 1", "another program"),
    ],
)
def test_what_is_not_whole_is_found_out(shelf: Shelf, tmp_path: Path, sql: str, said: str) -> None:
    made = shelf.create()
    file.read(made.path, tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        copy.executescript(f"PRAGMA foreign_keys = OFF; {sql}")
    copy.close()
    file.write(tmp_path / "copy.db", made.path, made.header)
    proof = shelf.prove(shelf.find(made.id))
    assert proof.failed is not None
    assert re.search(said, proof.failed), proof.failed


def test_a_site_that_cannot_be_served_fails_the_proof(shelf: Shelf) -> None:
    made = shelf.create()

    def fail(database: Path, names: object) -> None:
        assert names == ("blog",)
        assert contents.look(database).sites == ("blog",)
        raise BackupRefused("Served from it, the site blog answers with status 500.")

    assert "status 500" in str(shelf.prove(made, boot=fail).failed)
    assert not shelf.find(made.id).is_proven


def test_a_server_that_does_not_start_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "data.db").write_bytes(b"no database at all")
    with pytest.raises(BackupRefused, match="not a Fazt database"):
        boot.boot(tmp_path / "data.db", [])


def test_a_copy_acts_on_nobody(database: Database, shelf: Shelf) -> None:
    seen = {}

    def look(path: Path, names: object) -> None:
        boot.boot(path, ["blog"])
        with sqlite3.connect(path) as copy:
            seen["jobs"] = copy.execute("SELECT state, attempts FROM job").fetchall()
        copy.close()

    def add_job(connection: apsw.Connection) -> None:
        site = sites.get(connection, "blog")
        connection.execute(
            "INSERT INTO job (id, site, kind, name, handler, data, state, max_attempts, run_at, created_at, "
            "timeout_ms, backoff_ms) VALUES ('j', ?, 'job', 'a', 'api/_jobs/a.js', '{}', 'waiting', 3, 0, 0, 1000, 1)",
            (site.id,),
        )

    database.write_blocking(add_job)
    assert shelf.prove(shelf.create(), boot=look).failed is None
    assert seen["jobs"] == [("waiting", 0)]


def test_a_wrong_passphrase_says_nothing_about_the_backup(shelf: Shelf) -> None:
    made = shelf.create("", "a long night of rain")
    for wrong in (None, "a long night of snow"):
        with pytest.raises(BackupRefused, match="passphrase"):
            shelf.prove(made, wrong)
    assert shelf.find(made.id).proof is None
    assert shelf.prove(made, "a long night of rain").failed is None


def test_where_there_is_no_room_no_copy_is_begun(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module.shutil, "disk_usage", lambda _: Usage(1 << 30, 0, 1 << 20))
    monkeypatch.setattr(shelf_module.snapshot, "copy", lambda *_: pytest.fail("it was begun"))
    with pytest.raises(StorageFull, match="A backup needs"):
        shelf.create()
    assert list(shelf.folder.iterdir()) == []


def test_a_full_disk_leaves_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file.os, "fsync", full)
    with pytest.raises(StorageFull):
        shelf.create()
    assert list(shelf.folder.iterdir()) == []


def backup(at_ms: int, *, proven: bool = False) -> Backup:
    header = Header(at_ms, "", "", 1, 1, 1, 1, 1, 1, "")
    proof = Proof(at_ms, booted=True, failed=None) if proven else None
    return Backup(str(at_ms), Path(str(at_ms)), 1, header, proof)


times = st.lists(st.integers(0, 400 * 24), max_size=80, unique=True)
counts = st.integers(0, 12)


@given(times, st.integers(1, 9), counts, counts, counts, st.sets(st.integers(0, 79), max_size=4))
def test_what_stays(hours: list[int], last: int, daily: int, weekly: int, monthly: int, proven: set[int]) -> None:
    made = [backup(hour * HOUR, proven=n in proven) for n, hour in enumerate(sorted(hours, reverse=True))]
    gone = {each.id for each in to_prune(made, Retention(last, daily, weekly, monthly))}
    stays = [each for each in made if each.id not in gone]
    assert stays[:last] == made[:last]
    assert [each for each in made if each.is_proven][:1] == [each for each in stays if each.is_proven][:1]
    for form, most in (("%Y-%m-%d", daily), ("%G-%V", weekly), ("%Y-%m", monthly)):

        def period(each: Backup, form: str = form) -> str:
            return datetime.fromtimestamp(each.header.made_at / 1000, UTC).strftime(form)

        newest = {period(each): each for each in reversed(made)}
        wanted = sorted(newest, reverse=True)[:most]
        assert {newest[key].id for key in wanted} <= {each.id for each in stays}
    assert len(stays) <= last + daily + weekly + monthly + 1


def test_what_somebody_left_who_was_killed_is_deleted(shelf: Shelf) -> None:
    (shelf.folder / ".work-left").mkdir(parents=True)
    (shelf.folder / ".work-left" / "data.db").write_bytes(b"all of it")
    shelf.create()
    assert not (shelf.folder / ".work-left").exists()


def test_of_those_that_are_proven_the_newest_stays() -> None:
    made = [backup(hour * HOUR, proven=hour < 5) for hour in range(8, 0, -1)]
    gone = {each.id for each in to_prune(made, Retention(3))}
    assert gone == {str(hour * HOUR) for hour in (5, 3, 2, 1)}


def test_pruning_deletes_what_it_says(shelf: Shelf) -> None:
    made = [shelf.create() for _ in range(3)]
    shelf.prove(made[0])
    assert [each.id for each in shelf.prune(Retention(1), dry_run=True)] == [made[1].id]
    assert len(shelf.list_all()) == 3
    shelf.prune(Retention(1))
    assert {each.id for each in shelf.list_all()} == {made[0].id, made[2].id}
