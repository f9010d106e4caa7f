"""kill -9 of the server amid deploys and prunes: what was acknowledged is there, and nothing is half there."""

import contextlib
import hashlib
import os
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import FaztServer

ROUNDS = 100 if os.environ.get("FAZT_TEST_FULL") else 10
HOST = "kill.localhost"
KEPT = 4  # versions that each prune keeps
PATHS = [f"page-{number}.html" for number in range(20)] + ["large.bin", "index.html"]
LONGEST_S = 0.6  # a deploy and a prune by the CLI take about this long; the kill comes anywhere in it


def content(number: int, path: str) -> bytes:
    """Every file names its deploy; one of them has several chunks."""
    return f"deploy {number} of {path}\n".encode() * (20_000 if path == "large.bin" else 10)


def make_folder(folder: Path, number: int) -> Path:
    folder.mkdir(exist_ok=True)
    for path in PATHS:
        (folder / path).write_bytes(content(number, path))
    return folder


def check_served(server: FaztServer, possible: set[int]) -> int:
    """Check that one whole deploy is served; return its number."""
    first = server.get("/", host=HOST).body
    number = int(first.split()[1])
    assert number in possible, f"{number} is live, expected one of {sorted(possible)}"
    with server.connection() as connection:
        for path in PATHS:
            connection.request("GET", f"/{path}", headers={"Host": HOST})
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, content(number, path)), path
    return number


def check_file(database: Path, acknowledged: list[int]) -> None:
    """Check the whole file with another SQLite than Fazt's own."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        deploys = dict(connection.execute("SELECT message, number FROM version WHERE source != 'built-in'"))
        # One that was committed and could not be acknowledged any more may have taken a place of the newest.
        lost = {str(number) for number in acknowledged[-KEPT // 2 :]} - deploys.keys()
        assert not lost, f"acknowledged and gone: {lost}"
        for message, version in deploys.items():
            if not message.isdecimal():
                continue
            files = connection.execute("SELECT path, blob FROM version_file WHERE version = ?", (version,)).fetchall()
            assert sorted(path for path, _ in files) == sorted(PATHS)
            for path, blob in files:
                chunks = connection.execute("SELECT data FROM chunk WHERE blob = ? ORDER BY n", (blob,)).fetchall()
                data = b"".join(chunk for (chunk,) in chunks)
                stored = connection.execute("SELECT hash, complete FROM blob WHERE id = ?", (blob,)).fetchall()
                assert stored == [(hashlib.sha256(data).digest(), 1)]
                assert data == content(int(message), path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    order = random.Random(23)
    database = tmp_path / "data.db"
    server = start_server(database)
    server.cli("deploy", str(make_folder(tmp_path / "site", 0)), "--site", "kill", "--message", "0")
    acknowledged = [0]
    number = 0
    for _ in range(ROUNDS):
        killer = threading.Timer(order.uniform(0, LONGEST_S), server.process.kill)  # type: ignore[union-attr]
        killer.start()
        attempted = {acknowledged[-1]}
        # A command whose server dies may still finish by itself, on the file: what counts is its exit code.
        while killer.is_alive():
            number += 1
            attempted.add(number)
            folder = make_folder(tmp_path / "site", number)
            done = server.cli("deploy", str(folder), "--site", "kill", "--message", str(number), check=False)
            assert "Traceback" not in done.stderr, done.stderr
            if done.returncode == 0:
                acknowledged.append(number)
                attempted = {number}
            server.cli("versions", "prune", "kill", "--keep", str(KEPT), check=False)
        killer.join()
        server.stop()
        server = start_server(database)
        live = check_served(server, attempted)
        if live != acknowledged[-1]:  # committed, and killed before it could say so
            acknowledged.append(live)
        server.stop()
        check_file(database, acknowledged)
        server = start_server(database)
