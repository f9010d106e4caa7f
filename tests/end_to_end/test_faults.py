"""What the machine can do to a server: each time one clear line, exit code 1, and nothing lost."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import FAZT, FaztServer, free_port, run_cli

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")


def serve_fails(database: Path, port: int) -> str:
    """Run `fazt serve`, which must refuse; return its one line."""
    command = [*FAZT, "serve", "--db", str(database), "--http", f"127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def make_site(folder: Path, text: str = "hello") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(f"<!doctype html><title>{text}</title>")
    return folder


def deployed_database(tmp_path: Path) -> Path:
    database = tmp_path / "data.db"
    run_cli("deploy", str(make_site(tmp_path / "site")), "--site", "blog", database=database)
    return database


def content(database: Path) -> list[str]:
    """Everything that the database holds, as SQL: equal before and after means nothing was lost or written."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


def test_busy_port(tmp_path: Path) -> None:
    database = deployed_database(tmp_path)
    before = content(database)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in serve_fails(database, port)
    assert content(database) == before


def test_locked_database(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    server = start_server()
    line = serve_fails(server.database, free_port())
    assert str(server.database) in line
    assert server.get("/_fazt/health", host="localhost").status == 200


def test_corrupt_database(tmp_path: Path) -> None:
    database = tmp_path / "data.db"
    database.write_bytes(b"this is not a database, whatever its name says\n" * 400)
    digest = hashlib.sha256(database.read_bytes()).digest()
    assert str(database) in serve_fails(database, free_port())
    assert hashlib.sha256(database.read_bytes()).digest() == digest


def test_foreign_database(tmp_path: Path) -> None:
    database = tmp_path / "data.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE other (x)")
    assert str(database) in serve_fails(database, free_port())
    assert [name for name in content(database) if "CREATE TABLE" in name] == ["CREATE TABLE other (x);"]


@pytest.fixture
def unprivileged_owner(tmp_path: Path) -> Iterator[None]:
    """Root ignores file modes, so a read-only database is one on a read-only mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    yield
    subprocess.run(["umount", str(tmp_path / "read-only")], check=True)


def test_a_database_on_a_read_only_disk_is_served(
    start_server: Callable[..., FaztServer], tmp_path: Path, unprivileged_owner: None
) -> None:
    place = tmp_path / "read-only"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)], check=True)
    run_cli("deploy", str(make_site(tmp_path / "site")), "--site", "blog", database=place / "data.db")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    server = start_server(place / "data.db")
    answer = server.get("/", host="blog.localhost")
    assert (answer.status, server.get("/_fazt/health", host="localhost").status) == (200, 200)
    assert "blog" in server.cli("sites", "list").stdout
    for command in (("deploy", str(tmp_path / "site"), "--site", "blog"), ("config", "set", "read_only", "no")):
        refused = server.cli(*command, check=False)
        assert (refused.returncode, "read-only" in refused.stderr) == (1, True)
    assert "stopped" in server.cli("status").stdout
    said = server.stop()
    assert "nothing can be changed until the next start" in said
    assert "Traceback" not in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@root_only
def test_full_disk_refuses_the_deploy_and_goes_on_serving(
    small_disk: Path, start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    server = start_server(small_disk / "data.db")
    server.cli("deploy", str(make_site(tmp_path / "site", "before")), "--site", "blog")
    large = make_site(tmp_path / "large", "after")
    for number in range(10):
        (large / f"{number}.bin").write_bytes(os.urandom(4_000_000))
    refused = server.cli("deploy", str(large), "--site", "blog", check=False)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert "full" in refused.stderr
    assert b"before" in server.get("/", host="blog.localhost").body
    assert "stay free" in refused.stderr
    disk = os.statvfs(small_disk)
    assert disk.f_bavail * disk.f_frsize > 1_000_000  # it was refused before the disk was full
    server.cli("sites", "create", "another")  # what is small goes on
    server.cli("sites", "remove", "another", "--yes")
    server.stop()
    copy = shutil.copy(small_disk / "data.db", tmp_path / "copy.db")
    assert any("blog" in line for line in content(Path(copy)))


@root_only
def test_a_server_that_starts_on_a_full_disk_serves(
    small_disk: Path, start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    server = start_server(small_disk / "data.db")
    server.cli("deploy", str(make_site(tmp_path / "site", "before")), "--site", "blog")
    server.stop(signal.SIGTERM)
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    server = start_server(small_disk / "data.db")
    assert b"before" in server.get("/", host="blog.localhost").body
    refused = server.cli("sites", "create", "other", check=False)
    assert (refused.returncode, "full" in refused.stderr) == (1, True)
    (small_disk / "filler").unlink()
    server.stop()
    server = start_server(small_disk / "data.db")
    server.cli("sites", "create", "other")
    assert "Traceback" not in server.stop()


@root_only
def test_full_disk_heals_when_there_is_room_again(
    small_disk: Path, start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    server = start_server(small_disk / "data.db")
    server.cli("deploy", str(make_site(tmp_path / "site", "before")), "--site", "blog")
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    page = make_site(tmp_path / "site", "after")
    (page / "noise.bin").write_bytes(os.urandom(200_000))
    assert server.cli("deploy", str(page), "--site", "blog", check=False).returncode == 1
    assert b"before" in server.get("/", host="blog.localhost").body
    assert server.get("/seen-while-full", host="blog.localhost").status == 404
    filler.unlink()
    server.cli("deploy", str(page), "--site", "blog")
    assert b"after" in server.get("/", host="blog.localhost").body
    server.stop()
    server = start_server(server.database)
    assert "/seen-while-full" in server.cli("logs", "blog").stdout  # what was counted meanwhile is not lost
    server.stop()
