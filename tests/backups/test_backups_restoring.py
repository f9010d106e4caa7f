"""Restoring: the old database or the new one, whole, wherever it was cut off; and what was there before is kept."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from fazt.backups import file, restoring
from fazt.backups.shelf import Shelf
from fazt.errors import BackupRefused, StorageFull, StoreBusy
from fazt.store import audit, kv, sites
from fazt.store.audit import Entry, Filter
from fazt.store.database import Database
from fazt.store.kv import Write

FULL = os.environ.get("FAZT_TEST_FULL") == "1"


def value_of(path: Path) -> bytes:
    """Return what the key of the site is in a database, which is opened as the server does."""
    with closing(Database.open(path)) as opened:
        entry = opened.read_blocking(lambda connection: kv.find(connection, 1, "key", 0))
    assert entry is not None
    assert entry.value is not None
    return entry.value


def change(database: Database, value: bytes) -> None:
    database.write_blocking(kv.put, 1, Write("key", "json", value, None), None, 0)


def test_a_restored_database_is_the_old_one_and_the_new_one_is_kept(database: Database, shelf: Shelf) -> None:
    made = shelf.create()
    change(database, b'"newer"')
    restoring.stage(made.path, database.path)
    assert restoring.is_staged(database.path)
    with pytest.raises(StoreBusy):
        restoring.finish(database.path)
    database.close()
    kept = restoring.finish(database.path)
    assert kept is not None
    assert not restoring.is_staged(database.path)
    assert (value_of(database.path), value_of(kept)) == (b'"kept"', b'"newer"')
    assert restoring.finish(database.path) is None


def test_who_restored_it_stands_in_the_log_of_what_was_restored(database: Database, shelf: Shelf) -> None:
    made = shelf.create()
    database.close()
    restoring.stage(made.path, database.path, entry=Entry("user:ann", "192.0.2.1", "backup.restore", None, made.id))
    restoring.finish(database.path)
    with closing(Database.open(database.path)) as opened:
        found = opened.read_blocking(audit.list_page, Filter(action="backup.restore"), None, 10)
    assert [(row.actor, row.subject) for row in found] == [("user:ann", made.id)]
    assert Shelf(database.path, shelf.folder).prove(made).failed is None  # the backup itself is as it was


def test_where_the_row_does_not_fit_nothing_is_staged(database: Database, shelf: Shelf) -> None:
    """The copy fits on the disk, the copy with the row does not."""
    made = shelf.create()
    database.close()
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from fazt.backups import restoring\n"
        "from fazt.errors import StoreError\n"
        "from fazt.store.audit import Entry\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "most = int(sys.argv[3])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "entry = Entry('ann', '', 'backup.restore', None, 'a', b'x' * 50_000)\n"
        "try:\n"
        "    restoring.stage(Path(sys.argv[1]), Path(sys.argv[2]), entry=entry)\n"
        "except StoreError:\n"
        "    sys.exit(7)\n"
    )
    size = made.header.bytes
    done = subprocess.run([sys.executable, "-c", script, str(made.path), str(database.path), str(size)], check=False)
    assert done.returncode == 7
    assert not restoring.is_staged(database.path)
    assert not list(database.path.parent.glob(".*"))


def test_what_a_killed_server_left_in_its_wal_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    script = (
        "import os, sys, pathlib\n"
        "sys.path.insert(0, 'tests/backups')\n"
        "from conftest import fill\n"
        "from fazt.store.database import Database\n"
        "from fazt.backups.shelf import Shelf\n"
        "from fazt.store import kv\n"
        "database = Database.open(pathlib.Path(sys.argv[1]))\n"
        "database.write_blocking(fill)\n"
        "Shelf(database.path, database.path.parent / 'backups').create()\n"
        "database.write_blocking(kv.put, 1, kv.Write('key', 'json', b'\"in the WAL\"', None), None, 0)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert path.with_name("data.db-wal").stat().st_size > 0
    restoring.stage(Shelf(path, tmp_path / "backups").find("latest").path, path)
    kept = restoring.finish(path)
    assert kept is not None
    assert (value_of(path), value_of(kept)) == (b'"kept"', b'"in the WAL"')


def test_a_database_that_cannot_be_opened_is_restored_too(database: Database, shelf: Shelf) -> None:
    made = shelf.create()
    database.close()
    database.path.write_bytes(b"damaged by a disk")
    restoring.stage(made.path, database.path)
    kept = restoring.finish(database.path)
    assert value_of(database.path) == b'"kept"'
    assert kept is not None
    assert kept.read_bytes() == b"damaged by a disk"


def test_where_there_is_no_database_yet(database: Database, shelf: Shelf, tmp_path: Path) -> None:
    made = shelf.create()
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "data.db"
    restoring.stage(made.path, target)
    restoring.finish(target)
    assert value_of(target) == b'"kept"'


def test_what_is_refused_changes_nothing(database: Database, shelf: Shelf, tmp_path: Path) -> None:
    made = shelf.create()
    whole = made.path.read_bytes()
    file.read(made.path, tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        copy.execute("PRAGMA user_version = 999")
    copy.close()
    file.write(tmp_path / "copy.db", tmp_path / "newer.fazt", made.header)
    (tmp_path / "cut.fazt").write_bytes(whole[:-100])
    (tmp_path / "tampered.fazt").write_bytes(whole[:-100] + bytes(100))
    (tmp_path / "none.fazt").write_bytes(b"a letter to my aunt")
    before = {path.name for path in tmp_path.iterdir()}
    for name, said in (
        ("newer", "newer Fazt"),
        ("cut", "damaged"),
        ("tampered", "damaged"),
        ("none", "no backup of Fazt"),
    ):
        with pytest.raises(BackupRefused, match=said) as refused:
            restoring.stage(tmp_path / f"{name}.fazt", database.path)
        assert "\n" not in refused.value.message
    assert {path.name for path in tmp_path.iterdir()} == before
    assert not restoring.is_staged(database.path)


def test_a_full_disk_changes_nothing(
    database: Database, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shelf.create()
    before = {path.name for path in tmp_path.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        restoring.stage(made.path, database.path)
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("step", range(6))
def test_a_swap_that_was_cut_off_is_finished_by_the_next(
    database: Database, shelf: Shelf, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rename in turn is the one at which the machine stops."""
    made = shelf.create()
    change(database, b'"newer"')
    database.close()
    database.path.with_name("data.db-wal").write_bytes(b"")  # as a server that was killed leaves it
    restoring.stage(made.path, database.path)
    done = 0
    replace = Path.replace

    def stop(path: Path, target: Path) -> Path:
        nonlocal done
        if done == step:
            raise KeyboardInterrupt
        done += 1
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stop)
    stopped = False
    try:
        restoring.finish(database.path)
    except KeyboardInterrupt:
        stopped = True
    monkeypatch.undo()
    assert stopped is (step < 3)  # the WAL, the database, what was staged
    restoring.finish(database.path)
    assert value_of(database.path) == b'"kept"'
    (kept,) = [path for path in database.path.parent.glob("data.db.before-*") if path.suffix.count("-") == 2]
    assert value_of(kept) == b'"newer"'


def test_whoever_opens_the_database_next_finishes_it(
    database: Database, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one was moved away and the new one not there yet: nobody makes an empty one in between."""
    made = shelf.create()
    change(database, b'"newer"')
    database.close()
    restoring.stage(made.path, database.path)
    replace = Path.replace

    def stop(path: Path, target: Path) -> Path:
        if path.name.endswith(".restore"):
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        restoring.finish(database.path)
    monkeypatch.undo()
    assert not database.path.exists()
    assert value_of(database.path) == b'"kept"'
    assert not restoring.is_staged(database.path)
    (kept,) = [path for path in database.path.parent.glob("data.db.before-*") if "wal" not in path.name]
    assert value_of(kept) == b'"newer"'


def test_what_is_written_after_the_decision_is_written_to_what_was_restored(database: Database, shelf: Shelf) -> None:
    made = shelf.create()
    database.close()
    restoring.stage(made.path, database.path)
    with closing(Database.open(database.path)) as opened:
        change(opened, b'"later"')
    assert restoring.finish(database.path) is None
    assert value_of(database.path) == b'"later"'


@pytest.mark.slow
def test_kill_9_during_backups_and_restores(database: Database, shelf: Shelf) -> None:
    """A process makes backups and restores them, and is killed at any time: each time the database is whole."""
    shelf.create("old")
    change(database, b'"newer"')
    shelf.create("new")
    database.close()
    script = (
        "import sys, pathlib, random\n"
        "from contextlib import closing\n"
        "from fazt.backups import restoring\n"
        "from fazt.backups.shelf import Retention, Shelf\n"
        "from fazt.store.database import Database\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "shelf = Shelf(path, path.parent / 'backups')\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    restoring.finish(path)\n"
        "    with closing(Database.open(path)):\n"
        "        shelf.create('again')\n"
        "        shelf.prune(Retention(4))\n"
        "    restoring.stage(random.choice(shelf.list_all()).path, path)\n"
    )
    for _ in range(100 if FULL else 12):
        child = subprocess.Popen([sys.executable, "-c", script, str(database.path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0, 0.6))
        child.kill()
        child.wait()
        child.stdout.close()
        restoring.finish(database.path)
        assert value_of(database.path) in (b'"kept"', b'"newer"')
        for backup in shelf.list_all():  # what has its name is whole
            assert shelf.prove(backup).failed is None
    with closing(Database.open(database.path)) as opened:
        assert opened.read_blocking(sites.get, "blog").live_version == 1
