"""kill -9 of a process that deploys and prunes: what it was told is stored is there, and nothing is half there."""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from fazt.store import blobs, sites, versions
from fazt.store.database import Database

ROUNDS = 100 if os.environ.get("FAZT_TEST_FULL") else 5

# Deploys for ever, each version with contents that name it, and prints the number of each once it is acknowledged.
DEPLOYER = """
import hashlib, sys
from pathlib import Path
from fazt.store import blobs, sites, versions
from fazt.store.database import Database

def contents(round):
    return {f"{n}.html": b"round %d file %d " % (round, n) * (1 + 4000 * (n == 3)) for n in range(12)}

def commit(connection, files, round):
    site = sites.find(connection, "blog") or sites.create(connection, "blog")
    new = [versions.NewFile(path, hashlib.sha256(data).digest(), True) for path, data in files.items()]
    made = versions.create(connection, site.id, new, rules=b"{}", message=str(round), source="", parent=None)
    sites.set_live(connection, site.id, made.number)
    return site.id

database = Database.open(Path(sys.argv[1]))
for round in range(int(sys.argv[2]), 1_000_000):
    files = contents(round)
    for data in files.values():
        database.write_blocking(blobs.put, data)
    site = database.write_blocking(commit, files, round)
    print(round, flush=True)
    if round % 3 == 0:
        database.write_blocking(versions.prune, site, 3)
        database.write_blocking(blobs.collect, 1000, 60_000)
    if round % 10 == 0:
        database.shrink()
"""


def contents(round: int) -> dict[str, bytes]:
    return {f"{n}.html": b"round %d file %d " % (round, n) * (1 + 4000 * (n == 3)) for n in range(12)}


def run_and_kill(path: Path, first_round: int, after: int) -> int:
    """Start a deployer and kill it a moment after it has acknowledged `after` rounds; return the last round it did."""
    command = [sys.executable, "-c", DEPLOYER, str(path), str(first_round)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = first_round - 1
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged >= first_round + after:
                break
        process.kill()
        return max([acknowledged, *map(int, process.stdout.read().split())])


def check_whole(connection: apsw.Connection, acknowledged: int) -> int:
    """Check that the database is whole and holds what was acknowledged; return the round that is live."""
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    site = sites.get(connection, "blog")
    assert site.live_version is not None
    live = int(versions.by_number(connection, site.live_version).message)
    assert live in (acknowledged, acknowledged + 1)
    for version in versions.list_page(connection, site.id, None, 100):
        files = versions.files(connection, version.number, None, 100)
        content = {file.path: blobs.read_all(connection, file.blob_id) for file in files}
        assert content == contents(int(version.message))
        assert all(hashlib.sha256(content[file.path]).digest() == file.hash for file in files)
    return live


@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    order = random.Random(11)
    next_round = 0
    for _ in range(ROUNDS):
        acknowledged = run_and_kill(path, next_round, order.randrange(12))
        database = Database.open(path)
        next_round = database.read_blocking(check_whole, acknowledged) + 1
        database.close()
