"""Secrets at rest: what is sealed opens in its own row with its own key, and stands nowhere in the clear."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fazt.errors import SecretsLocked, StoreCorrupt, StoreError
from fazt.store import (
    certificates,
    environment,
    hooks,
    key_file,
    notifications,
    protection,
    schema,
    sealed_rows,
    sealing,
    sites,
    users,
)
from fazt.store import settings as stored_settings
from fazt.store.database import Database

ROUNDS = 40 if os.environ.get("FAZT_TEST_FULL") else 8
PLANTED = [b"planted-%d-secret" % number for number in range(6)]
BEFORE = max(number for number, _ in schema.migrations() if number < 15)
KEPT = f"data.db.schema-{BEFORE}"  # what an older Fazt can go back to
# What a Fazt from before sealing wrote
OLD_ROWS = (
    ("INSERT INTO site (id, name, created_at) VALUES (1, 'blog', 0)", ()),
    ("INSERT INTO environment VALUES (1, 'KEY', ?, 1, 0)", (b"\0" + PLANTED[0],)),
    ("INSERT INTO environment VALUES (1, 'PUBLIC', ?, 0, 0)", (b"\0anybody",)),
    (
        "INSERT INTO hook (name, site, style, secret, enabled, created_at) VALUES ('push', 1, 'hmac', ?, 1, 0)",
        (b"\0" + PLANTED[1],),
    ),
    (
        "INSERT INTO notification (name, kind, url, secret, events, enabled, created_at)"
        " VALUES ('phone', 'ntfy', 'https://ntfy.example/planted-address', ?, '[]', 1, 0)",
        (b"\0" + PLANTED[2],),
    ),
    (
        "INSERT INTO user (id, name, role, totp, pending_totp, created_at) VALUES (1, 'ann', 'owner', ?, ?, 0)",
        (PLANTED[3], PLANTED[4]),
    ),
    ("INSERT INTO certificate VALUES (1, 'acme', 'f1', '', x'', ?, 0, 0, 0)", (PLANTED[5],)),
)


def make_old(path: Path) -> None:
    """Make a database from before secrets were sealed, with some in its rows and some in room that was given up."""
    schema.make_file(path)
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.pragma("auto_vacuum", 2)
        connection.pragma("application_id", schema.APPLICATION_ID)
        connection.pragma("journal_mode", "wal")
        for number, sql in schema.migrations():
            if number < 15:
                connection.execute(sql)
                connection.pragma("user_version", number)
        for sql, values in OLD_ROWS:
            connection.execute(sql, values)
        for number in range(50):
            value = b"\0" + PLANTED[0] + b"-former" * 100
            connection.execute("INSERT INTO environment VALUES (1, ?, ?, 1, 0)", (f"OLD{number}", value))
        connection.execute("DELETE FROM environment WHERE name LIKE 'OLD%'")


def read_all(database: Database) -> list[bytes | str | None]:
    """Return every secret that `make_old` planted, as the store opens it."""

    def read(connection: apsw.Connection) -> list[bytes | str | None]:
        user = users.get(connection, "ann")
        assert notifications.get(connection, "phone").url in ("https://ntfy.example/planted-address", None)
        return [
            next(each.value for each in environment.load(connection, 1) if each.name == "KEY"),
            hooks.open_secret(connection, hooks.get(connection, "push")),
            notifications.open_secret(connection, notifications.get(connection, "phone")),
            users.open_totp(connection, user),
            users.open_pending_totp(connection, user),
            certificates.get_pem(connection, 1)[1],
        ]

    return database.read_blocking(read)


EXPECTED = [PLANTED[0], PLANTED[1], PLANTED[2].decode(), *PLANTED[3:]]


def holds_plaintext(folder: Path, *, but: str = "") -> list[str]:
    """Return the files below a folder in which something planted can be read."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != but]
    return [path.name for path in files if b"planted-" in path.read_bytes() or b"-former" in path.read_bytes()]


def test_old_rows_are_sealed_when_the_database_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    make_old(path)
    assert holds_plaintext(tmp_path) == ["data.db"]
    with contextlib.closing(Database.open(path)) as database:
        assert read_all(database) == EXPECTED
        assert holds_plaintext(tmp_path, but=KEPT) == []
        public = database.read_blocking(environment.list_kind, 1, secret=False)
        assert [(each.name, each.value) for each in public] == [("PUBLIC", b"anybody")]
    assert holds_plaintext(tmp_path) == [KEPT]
    assert (tmp_path / "data.db.key").stat().st_mode & 0o777 == 0o600
    with contextlib.closing(Database.open(path)) as database:
        assert read_all(database) == EXPECTED
        assert len(database.read_blocking(protection.signing_key)) == 32


def test_what_is_written_is_never_in_the_clear(database: Database, tmp_path: Path) -> None:
    database.write_blocking(sites.create, "blog")
    database.write_blocking(environment.put, "blog", "KEY", PLANTED[0], True)
    hook = database.write_blocking(hooks.add, "push", "blog", "hmac", PLANTED[1], None)
    channel = database.write_blocking(
        notifications.add, "p", "ntfy", "https://a.example/planted-1", PLANTED[2], (), True
    )
    user = database.write_blocking(users.add, "ann", "owner", None, None)
    database.write_blocking(users.set_pending_totp, user.id, PLANTED[3])
    database.write_blocking(users.set_totp, user.id, PLANTED[3], 1, ())
    assert holds_plaintext(tmp_path) == []
    hook = database.write_blocking(hooks.change, hook, "github", None, None, True)
    assert database.read_blocking(hooks.open_secret, hook) == PLANTED[1]
    hook = database.write_blocking(hooks.change, hook, "github", b"another", None, True)
    assert database.read_blocking(hooks.open_secret, hook) == b"another"
    hook = database.write_blocking(hooks.change, hook, "none", None, None, True)
    assert (hook.secret, database.read_blocking(hooks.open_secret, hook)) == (None, b"")
    channel = database.write_blocking(notifications.change, channel, "https://a.example/planted-2", None, (), True)
    channel = database.write_blocking(notifications.change, channel, None, None, (), True)
    assert channel.url == "https://a.example/planted-2"
    assert database.read_blocking(notifications.open_secret, channel) == PLANTED[2].decode()
    database.close()
    assert holds_plaintext(tmp_path) == []


@pytest.mark.parametrize("mishap", ["removed", "empty", "another"])
def test_without_its_key_nothing_opens_and_nothing_is_overwritten(tmp_path: Path, mishap: str) -> None:
    path, key = tmp_path / "data.db", tmp_path / "data.db.key"
    make_old(path)
    Database.open(path).close()
    key.rename(tmp_path / "elsewhere")
    if mishap != "removed":
        key.write_text("" if mishap == "empty" else "ab" * 32)
    before = key.read_bytes() if key.exists() else None
    sealing.forget_keys()  # as in a new process
    with contextlib.closing(Database.open(path)) as database:
        with pytest.raises(SecretsLocked, match="fazt key give"):
            read_all(database)
        with pytest.raises(SecretsLocked, match="fazt key give"):
            database.write_blocking(environment.put, "blog", "KEY", b"new", True)
        assert [each.name for each in database.read_blocking(environment.list_kind, 1, secret=True)] == ["KEY"]
        database.write_blocking(environment.put, "blog", "PUBLIC", b"new", False)  # what is no secret goes on
        assert (key.read_bytes() if key.exists() else None) == before
        given = key_file.read_text((tmp_path / "elsewhere").read_bytes())
        assert given is not None
        key_file.put(path, given)
        assert read_all(database) == EXPECTED  # at once
    if mishap == "another":  # it made room, and is found by its id
        assert key_file.find(path, key_file.id_of(bytes.fromhex("ab" * 32))) is not None


def test_a_lost_key_can_be_given_up(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    make_old(path)
    with contextlib.closing(Database.open(path)) as database:
        for values in ({"max_connections": 7}, {"acme_dns_token": "planted-token"}, {"max_connections": 8}):
            database.write_blocking(stored_settings.change, "socket", values)
    (tmp_path / "data.db.key").unlink()
    sealing.forget_keys()
    new = key_file.new_key()
    with contextlib.closing(Database.open(path)) as database:
        key_file.put(path, new)
        database.write_blocking(sealed_rows.forget, new)
        assert database.read_blocking(environment.list_kind, 1, secret=True) == []
        hook = database.read_blocking(hooks.get, "push")
        assert (hook.enabled, len(database.read_blocking(hooks.open_secret, hook))) == (False, 64)
        channel = database.read_blocking(notifications.get, "phone")
        assert (channel.enabled, channel.secret, channel.url) == (False, None, "")
        user = database.read_blocking(users.get, "ann")
        assert (user.totp, user.pending_totp) == (None, None)
        assert len(database.read_blocking(protection.signing_key)) == 32
        database.write_blocking(environment.put, "blog", "KEY", b"new", True)
        assert database.read_blocking(stored_settings.find_all) == {"max_connections": 8}
        database.write_blocking(stored_settings.roll_back, "socket", 2)  # right after the token was set
        assert database.read_blocking(stored_settings.find_all) == {"max_connections": 7}


def test_the_key_may_come_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    path, key = tmp_path / "data" / "data.db", tmp_path / "fazt.key"
    monkeypatch.setenv("FAZT_KEY_FILE", str(key))
    with pytest.raises(StoreError, match="is missing"):
        Database.open(path)
    key.write_text("cd" * 32)
    Database.open(path).close()
    assert not (tmp_path / "data" / "data.db.key").exists()
    monkeypatch.delenv("FAZT_KEY_FILE")
    sealing.forget_keys()
    with contextlib.closing(Database.open(path)) as database:
        with pytest.raises(SecretsLocked):
            database.read_blocking(protection.signing_key)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))  # as systemd hands it over
        assert len(database.read_blocking(protection.signing_key)) == 32


def test_no_key_is_made_over_one_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "data.db.key").write_text("what is this?")
    with pytest.raises(StoreError, match="holds no key"):
        Database.open(tmp_path / "data.db")
    assert (tmp_path / "data.db.key").read_text() == "what is this?"


def test_a_database_that_is_moved_with_its_key_is_read(tmp_path: Path) -> None:
    make_old(tmp_path / "data.db")
    Database.open(tmp_path / "data.db").close()
    (tmp_path / "new").mkdir()
    for name in ("data.db", "data.db.key"):
        shutil.copy(tmp_path / name, tmp_path / "new" / name)
    with contextlib.closing(Database.open(tmp_path / "new" / "data.db")) as database:
        assert read_all(database) == EXPECTED


OPENER = """
import sys, time
from pathlib import Path
from fazt.store import settings as stored_settings
from fazt.store.database import Database
print("begins", flush=True)
Database.open(Path(sys.argv[1])).close()
print("done", flush=True)
"""


def test_kill_9_while_old_rows_are_sealed(tmp_path: Path) -> None:
    """However far the first opening came, the next one reads every secret, and nothing is left in the clear."""
    for round in range(ROUNDS):
        folder = tmp_path / str(round)
        folder.mkdir()
        path = folder / "data.db"
        make_old(path)
        command = [sys.executable, "-c", OPENER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.004 * round * 40 / ROUNDS)
            process.kill()
        with contextlib.closing(Database.open(path)) as database:
            assert read_all(database) == EXPECTED
        assert holds_plaintext(folder, but=KEPT) == []


@pytest.mark.parametrize("step", ["_write", "_seal_all", "_put", "_sweep"])
def test_a_sealing_that_fails_anywhere_is_done_anew(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.db"
    make_old(path)
    module = key_file if step == "_write" else sealed_rows
    real: Callable[..., None] = getattr(module, step)

    def fail_behind(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        raise StoreError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(module, step, fail_behind)
        with pytest.raises(StoreError, match="cut off"):
            Database.open(path)
    with contextlib.closing(Database.open(path)) as database:
        assert read_all(database) == EXPECTED
    assert holds_plaintext(tmp_path, but=KEPT) == []


names = st.lists(st.one_of(st.text(max_size=8), st.integers(-5, 5)), min_size=1, max_size=3)
once_each = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


@once_each
@given(secret=st.binary(max_size=300), row=names, other=names)
def test_only_its_own_row_opens_it(
    connection: apsw.Connection, secret: bytes, row: list[str | int], other: list[str | int]
) -> None:
    sealed = sealing.seal(connection, secret, *row)
    assert sealing.open_sealed(connection, sealed, *row) == secret
    assert len(sealed) == len(secret) + 37
    assert sealed != sealing.seal(connection, secret, *row)
    if other != row:
        with pytest.raises(StoreCorrupt, match="damaged, or was moved"):
            sealing.open_sealed(connection, sealed, *other)


@once_each
@given(secret=st.binary(max_size=40), data=st.data())
def test_what_was_changed_does_not_open(connection: apsw.Connection, secret: bytes, data: st.DataObject) -> None:
    sealed = bytearray(sealing.seal(connection, secret, "hook", "push"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((StoreCorrupt, SecretsLocked)):
        sealing.open_sealed(connection, bytes(sealed), "hook", "push")


@once_each
@given(noise=st.binary(max_size=100))
def test_noise_does_not_open(connection: apsw.Connection, noise: bytes) -> None:
    with pytest.raises((StoreCorrupt, SecretsLocked)):
        sealing.open_sealed(connection, noise, "hook", "push")


@given(text=st.binary(max_size=200))
def test_a_key_file_is_64_digits_or_none(text: bytes) -> None:
    key = key_file.read_text(text)
    assert key is None or (len(key) == 32 and key.hex().encode() == text.strip().lower())


def test_many_threads_seal_and_open_at_once(database: Database) -> None:
    def work(number: int) -> None:
        secret = b"%d" % number * 50

        def both(connection: apsw.Connection) -> None:
            for _ in range(200):
                sealed = sealing.seal(connection, secret, "row", number)
                assert sealing.open_sealed(connection, sealed, "row", number) == secret

        for _ in range(5):
            database.read_blocking(both)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(16))) == [None] * 16
