"""Opening: what is refused, what is left as it was, what a new file is like."""

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from fazt.errors import StorageFull, StoreBusy, StoreCorrupt, StoreError, StoreReadOnly
from fazt.store import blobs, faults, schema, sites
from fazt.store.database import Database

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed database with one site and some blobs."""
    with contextlib.closing(Database.open(tmp_path / "data.db")) as database:
        database.write_blocking(sites.create, "blog")
        for _ in range(20):
            database.write_blocking(blobs.put, os.urandom(9000))
    return tmp_path / "data.db"


def pragma(database: Database, name: str) -> object:
    return database.write_blocking(lambda connection: connection.execute(f"PRAGMA {name}").fetchall()[0][0])


def test_a_new_database(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "data.db"
    with pytest.raises(StoreError, match="no database at"):
        Database.open(path, create=False)
    assert not path.parent.exists()
    with contextlib.closing(Database.open(path)) as database:
        expected = {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "auto_vacuum": 2,
            "application_id": schema.APPLICATION_ID,
            "user_version": schema.migrations()[-1][0],
        }
        assert {name: pragma(database, name) for name in expected} == expected
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert sorted(file.name for file in path.parent.iterdir()) == ["data.db", "data.db.key", "data.db.lock"]
    Database.open(path, create=False).close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _ in schema.migrations()] == list(range(1, len(schema.migrations()) + 1))


def test_a_failed_migration_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = schema.migrations()
    bad = [*known, (known[-1][0] + 1, "CREATE TABLE extra (x); INSERT INTO nowhere VALUES (1);")]
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: bad)
        with pytest.raises(apsw.SQLError, match="nowhere"):
            Database.open(path)
    with contextlib.closing(Database.open(path)) as database:
        assert pragma(database, "user_version") == known[-1][0]
        assert database.read_blocking(sites.count) == 1


def test_a_database_of_a_newer_fazt_is_refused(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9999")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer Fazt \(schema 9999\)"):
        Database.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("through_link", [False, True])
def test_a_database_is_held_by_one(path: Path, tmp_path: Path, through_link: bool) -> None:
    other = path
    if through_link:
        other = tmp_path / "link.db"
        other.symlink_to(path)
    with contextlib.closing(Database.open(path)) as database:
        with pytest.raises(StoreBusy, match=rf"in use by another fazt \(process {os.getpid()}\)") as caught:
            Database.open(other)
        assert str(path) in caught.value.message
        database.write_blocking(sites.create, "still-working")
    Database.open(other).close()


def test_a_database_locked_by_another_program(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_MS", 50)  # two copies of SQLite in one process would see no lock
    with contextlib.closing(Database.open(path)) as database, contextlib.closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="locked by another program"):
            database.write_blocking(sites.create, "late")
        assert database.read_blocking(sites.count) == 1
        other.execute("ROLLBACK")
        database.write_blocking(sites.create, "late")


FOREIGN = {
    "text": b"this is not a database\n" * 400,
    "short": b"SQLite format 3\0",
    "zeros": bytes(8192),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.db"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="not a Fazt database") as caught:
        Database.open(path)
    assert str(path) in caught.value.message
    assert path.read_bytes() == content
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data.db", "data.db.lock"]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "data.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE other (x)")
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="another program"):
        Database.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("page", [0, 1, 3, 8, -1])
def test_a_damaged_database_is_refused(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    pages = len(content) // 4096
    start = (page % pages) * 4096
    content[start : start + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt) as caught:
        Database.open(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert path.read_bytes() == content


def test_a_cut_off_database_is_refused(path: Path) -> None:
    content = path.read_bytes()[: -20 * 4096]
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt):
        Database.open(path)
    assert path.read_bytes() == content


def test_damage_that_shows_later(path: Path) -> None:
    with contextlib.closing(Database.open(path)) as database:

        def corrupt(connection: apsw.Connection) -> None:
            raise apsw.CorruptError("database disk image is malformed")

        with pytest.raises(StoreCorrupt, match="is damaged"):
            database.read_blocking(corrupt)


def test_a_damaged_database_with_a_wal_is_left_alone(path: Path, tmp_path: Path) -> None:
    database = Database.open(path)
    database.write_blocking(sites.create, "in-the-wal")
    copy = tmp_path / "copy.db"
    content = bytearray(path.read_bytes())
    content[4096 : 2 * 4096] = b"\xa5" * 4096
    copy.write_bytes(content)
    wal = tmp_path / "copy.db-wal"
    wal.write_bytes(path.with_name("data.db-wal").read_bytes())
    database.close()
    before = wal.read_bytes()
    with pytest.raises(StoreCorrupt):
        Database.open(copy)
    assert copy.read_bytes() == content
    assert wal.read_bytes() == before


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        Database.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be"):
        Database.open(tmp_path / "file" / "data.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@root_only
@pytest.mark.parametrize("was_killed", [False, True])
def test_a_read_only_disk(small_disk: Path, tmp_path: Path, was_killed: bool) -> None:
    """What is there is read, also what a process that was killed had left in the WAL alone."""
    database = Database.open(small_disk / "data.db")
    database.write_blocking(sites.create, "blog")
    kept = shutil.copytree(small_disk, tmp_path / "kept")
    database.close()
    if was_killed:
        for each in kept.iterdir():
            shutil.copy(each, small_disk / each.name)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreReadOnly, match="read-only") as caught:
        Database.open(small_disk / "other.db")
    assert "other.db" in caught.value.message
    with contextlib.closing(Database.open(small_disk / "data.db")) as database:
        assert database.is_writing_stopped
        assert database.read_blocking(sites.count) == 1
        for _ in range(2):
            with pytest.raises(StoreReadOnly, match="read-only"):
                database.write_blocking(sites.create, "other")
        assert database.read_blocking(sites.count) == 1
        assert database.wal_bytes() == (small_disk / "data.db-wal").stat().st_size if was_killed else True


def read_as(user: int, path: Path) -> str:
    """Open a database in a process of another user, and return what it says of writing; of a count, what it read."""
    out, into = os.pipe()
    if (child := os.fork()) == 0:
        said = "nothing"
        try:
            os.setgid(user)
            os.setuid(user)
            with contextlib.closing(Database.open(path)) as database:
                try:
                    database.write_blocking(sites.create, "other")
                except StoreReadOnly as error:
                    said = f"{error.message} {database.read_blocking(sites.count)} {database.is_writing_stopped}"
        except BaseException as error:
            said = repr(error)
        finally:
            os.write(into, said.encode())
            os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@root_only
def test_a_file_that_its_user_may_not_write(small_disk: Path) -> None:
    nobody = 65534
    path = small_disk / "data.db"
    database = Database.open(path)
    database.write_blocking(sites.create, "blog")
    database.close()
    for each in (small_disk, *small_disk.iterdir()):
        os.chown(each, nobody, nobody)
    path.chmod(0o444)
    for folder in small_disk.parents[:3]:
        folder.chmod(0o711)
    said = read_as(nobody, path)
    assert "is read-only for this user" in said, said
    assert said.endswith(" 1 True")
    with contextlib.closing(Database.open(path)) as database:  # root may, whatever its mode is
        database.write_blocking(sites.create, "other")


@root_only
def test_an_older_database_on_a_read_only_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Database.open(small_disk / "data.db").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    newer = [*schema.migrations(), (9999, "SELECT 1")]
    monkeypatch.setattr(schema, "migrations", lambda: newer)
    with pytest.raises(StoreError, match="copy it to one that can be written"):
        Database.open(small_disk / "data.db")


def fill(database: Database) -> int:
    """Store blobs of 1 MB until the disk is full; return how many were stored."""
    for stored in itertools.count():
        try:
            database.write_blocking(blobs.put, os.urandom(1_000_000))
        except StorageFull:
            return stored
    raise AssertionError("unreachable")


@root_only
def test_a_full_disk_keeps_what_was_there(small_disk: Path) -> None:
    path = small_disk / "data.db"
    with contextlib.closing(Database.open(path)) as database:
        database.write_blocking(sites.create, "blog")
        stored = fill(database)
        assert stored >= 8
        assert database.read_blocking(sites.count) == 1
        assert database.read_blocking(blobs.totals) == (stored, stored * 1_000_000)
        with pytest.raises(StorageFull):
            database.write_blocking(blobs.put, os.urandom(40_000_000))
        assert database.write_blocking(blobs.collect, 100, 0).blobs == stored  # deleting still works
        database.shrink()
        database.write_blocking(blobs.put, os.urandom(1_000_000))
    copy = path.read_bytes()  # without its WAL, which a clean end has copied into it
    assert sqlite_check(copy, small_disk.parent) == "ok"


@root_only
def test_a_disk_without_any_room(small_disk: Path) -> None:
    path = small_disk / "data.db"
    with contextlib.closing(Database.open(path)) as database:
        database.write_blocking(sites.create, "blog")
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        with pytest.raises(StorageFull):
            database.write_blocking(blobs.put, os.urandom(200_000))
        assert database.read_blocking(sites.count) == 1
        (small_disk / "filler").unlink()
        database.write_blocking(blobs.put, os.urandom(200_000))


@root_only
@pytest.mark.parametrize("was_killed", [False, True])
def test_a_start_on_a_disk_without_any_room(small_disk: Path, tmp_path: Path, was_killed: bool) -> None:
    """What was there is served, what a process that was killed had left in the WAL alone as well."""
    path = small_disk / "data.db"
    database = Database.open(path)
    for number in range(3):
        database.write_blocking(sites.create, f"s{number}")
    kept = shutil.copytree(small_disk, tmp_path / "kept")
    database.close()
    if was_killed:
        for name in ("data.db", "data.db-wal"):
            shutil.copy(kept / name, small_disk / name)
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    with contextlib.closing(Database.open(path)) as database:
        assert database.read_blocking(sites.count) == 3
        if database.is_writing_stopped:
            with pytest.raises(StorageFull):
                database.write_blocking(sites.create, "other")
        else:  # what the WAL took was room enough
            assert was_killed
    (small_disk / "filler").unlink()
    with contextlib.closing(Database.open(path)) as database:
        database.write_blocking(sites.create, "other")
        assert database.read_blocking(sites.count) == 4
    assert sqlite_check(path.read_bytes(), small_disk.parent) == "ok"


def sqlite_check(content: bytes, folder: Path) -> object:
    (folder / "check.db").write_bytes(content)
    with contextlib.closing(sqlite3.connect(folder / "check.db")) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()[0][0]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (apsw.FullError("full"), StorageFull),
        (apsw.ReadOnlyError("ro"), StoreReadOnly),
        (apsw.CorruptError("bad"), StoreCorrupt),
        (apsw.NotADBError("bad"), StoreCorrupt),
        (apsw.BusyError("busy"), StoreBusy),
        (apsw.IOError("io"), StoreError),
        (apsw.CantOpenError("open"), StoreError),
        (apsw.ConstraintError("bug"), apsw.ConstraintError),
        (ValueError("bug"), ValueError),
    ],
)
def test_what_an_error_means(error: Exception, kind: type[Exception]) -> None:
    translated = faults.from_sqlite(error, Path("/somewhere/data.db"))
    assert type(translated) is kind
    assert isinstance(translated, StoreError) == ("/somewhere/data.db" in str(translated))


@pytest.mark.parametrize("code", [28, 30, 13, 20])
def test_what_an_error_of_the_system_means(code: int) -> None:
    expected = {28: StorageFull, 30: StoreReadOnly, 13: StoreReadOnly, 20: StoreError}[code]
    assert type(faults.from_os(OSError(code, os.strerror(code)), Path("data.db"))) is expected


def test_a_start_that_was_killed_is_taken_up(tmp_path: Path) -> None:
    """Kill the making of a database between its steps; the next start must succeed."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from fazt.store import schema\n"
        "left = [int(sys.argv[2])]\n"
        "original = schema.pragma\n"
        "def pragma(connection, statement):\n"
        "    left[0] -= 1\n"
        "    if left[0] < 0:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return original(connection, statement)\n"
        "schema.pragma = pragma\n"
        "from fazt.store.database import Database\n"
        "Database.open(Path(sys.argv[1])).close()\n"
    )
    for steps in (0, 1, 2, 4, 6, 9, 11, 99):
        path = tmp_path / str(steps) / "data.db"
        done = subprocess.run([sys.executable, "-c", code, str(path), str(steps)], timeout=30)
        assert done.returncode == (-signal.SIGKILL if steps < 99 else 0)
        with contextlib.closing(Database.open(path)) as database:
            assert pragma(database, "auto_vacuum") == 2
            assert database.read_blocking(sites.count) == 0
