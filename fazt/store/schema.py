"""Opening the file: is it Fazt's, is it whole, is its schema the present one.

Rule: a file that is foreign, damaged or made by a newer Fazt is refused before anything is written to it. A migration
is one transaction; `PRAGMA user_version` is the number of the last one that was applied.
"""

import os
from pathlib import Path
from typing import Any

import apsw
import apsw.bestpractice

from fazt.errors import StoreCorrupt, StoreError
from fazt.store import copies, faults, sealed_rows

APPLICATION_ID = 0x46617A74  # "Fazt" in the file's header
BUSY_TIMEOUT_MS = 5000
JOURNAL_BYTES = 16 * 1024 * 1024  # the WAL file keeps at most this much when it is begun anew
CHECKED_BYTES = 64 * 1024 * 1024  # up to here the whole file is checked at start
MIGRATIONS = Path(__file__).parent / "migrations"
HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"


def migrations() -> list[tuple[int, str]]:
    """Return number and SQL of every migration, in order."""
    return [(int(file.name[:4]), file.read_text("utf-8")) for file in sorted(MIGRATIONS.glob("[0-9]*.sql"))]


def pragma(connection: apsw.Connection, statement: str) -> Any:
    """Run one pragma to its end and return its value, None where it has none."""
    # execute() stops at the first row: a pragma that works row by row (incremental_vacuum) would be left half done.
    rows = connection.execute(f"PRAGMA {statement}").fetchall()
    return rows[0][0] if rows and rows[0] else None


def make_file(path: Path) -> None:
    """Make an empty file that only its owner can read, and the folders above it; leave what exists as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not path.exists():  # a folder above it is a file
            raise StoreError(f"{path} cannot be made: something above it is not a folder.") from None
    except OSError as error:
        raise faults.from_os(error, path) from error


def check_header(path: Path) -> None:
    """Refuse a file that does not begin like a Fazt database; an empty file is a new one.

    To be called under the lock only: closing any descriptor of the file ends this process's own SQLite locks on it.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        raise faults.from_os(error, path) from error
    if not header:
        return
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise StoreCorrupt(f"{path} is not a Fazt database, or its beginning is damaged; it was left as it is.")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StoreCorrupt(f"{path} is not a Fazt database but one of another program; it was left as it is.")


def open_writer(path: Path) -> apsw.Connection:
    """Open the one connection that writes; check the file and bring its schema up to date.

    Raises: StoreBusy, StoreReadOnly, StoreCorrupt, StorageFull, StoreError.
    """
    check_header(path)
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        raise faults.from_sqlite(error, path) from error
    try:
        if connection.readonly("main"):
            raise faults.read_only(path)
        # Until the file is known to be whole, closing the connection must not copy a WAL into it.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        _prepare(connection)
        _begin_file(connection)
        _check_content(connection, path)
        _set_journal(connection)
        is_new = pragma(connection, "user_version") == 0
        _migrate(connection, path)
        sealed_rows.begin(connection, path, is_new=is_new)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    except BaseException as error:
        translated = faults.from_sqlite(error, path, connection)
        connection.close()
        if translated is error:
            raise
        raise translated from error
    return connection


def open_reader(path: Path, *, is_frozen: bool = False) -> apsw.Connection:
    """Open a connection that can only read; the writer's must be open, or nobody can write (`is_frozen`)."""
    flags = apsw.SQLITE_OPEN_READONLY
    if is_frozen:
        connection = apsw.Connection(f"{path.as_uri()}?immutable=1", flags=flags | apsw.SQLITE_OPEN_URI)
    else:
        connection = apsw.Connection(str(path), flags=flags)
    _prepare(connection)
    pragma(connection, "query_only = ON")
    return connection


def open_checkpointer(path: Path) -> apsw.Connection:
    """Open a connection that copies the WAL into the file, beside the writer's; it writes nothing else."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    pragma(connection, "synchronous = FULL")
    pragma(connection, "schema_version")  # the file is opened at the first statement
    return connection


def _prepare(connection: apsw.Connection) -> None:
    """Apply what apsw recommends, but for two things.

    `optimize` would let the plans of queries depend on what each machine has stored, and logging of the library would
    print warnings for errors that are handled.
    """
    apsw.bestpractice.connection_busy_timeout(connection, BUSY_TIMEOUT_MS)
    apsw.bestpractice.connection_enable_foreign_keys(connection)
    apsw.bestpractice.connection_dqs(connection)
    apsw.bestpractice.connection_recursive_triggers(connection)


def _begin_file(connection: apsw.Connection) -> None:
    """Mark a new file as Fazt's, in one transaction and before the WAL exists, so that its header always tells."""
    if pragma(connection, "page_count") == 0:
        with connection:
            pragma(connection, "auto_vacuum = INCREMENTAL")
            pragma(connection, f"application_id = {APPLICATION_ID}")


def _check_content(connection: apsw.Connection, path: Path) -> None:
    """Check a small file as a whole and of a large one what every query needs."""
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    if path.stat().st_size < CHECKED_BYTES:
        result = pragma(connection, "quick_check(1)")
        if result != "ok":
            detail = str(result).strip().replace("\n", " ")
            raise StoreCorrupt(f"{path} is damaged ({detail}). Put a copy that you trust in its place.")


def _set_journal(connection: apsw.Connection) -> None:
    pragma(connection, "journal_mode = WAL")
    pragma(connection, "synchronous = FULL")
    pragma(connection, f"journal_size_limit = {JOURNAL_BYTES}")
    pragma(connection, "cache_size = -8192")


def find_damage(connection: apsw.Connection) -> str | None:
    """Return what is wrong with the structure of a file or with its references, None: nothing. Reads all of it."""
    result = pragma(connection, "integrity_check(1)")
    if result != "ok":
        return str(result).strip().replace("\n", " ")
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    return None if broken is None else f"a row of {broken[0]} refers to none of {broken[2]}"


def _migrate(connection: apsw.Connection, path: Path) -> None:
    known = migrations()
    present = pragma(connection, "user_version")
    if present > known[-1][0]:
        raise StoreError(f"{path} was made by a newer Fazt (schema {present}); upgrade this one to use it.")
    wanted = [(number, sql) for number, sql in known if number > present]
    if present and wanted:
        copies.copy(connection, copies.kept_path(path, present))  # what an older Fazt can go back to
    with connection:
        for number, sql in wanted:
            connection.execute(sql).fetchall()
            pragma(connection, f"user_version = {number}")
