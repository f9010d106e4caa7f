"""GETs hammered during deploys and rollbacks: every answer is one whole version, the newest as soon as it is live."""

import hashlib
import http.client
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import FaztServer, send

HOST = "race.localhost"
ROUNDS = 1000 if os.environ.get("FAZT_TEST_FULL") else 120
BROWSER = {"Accept-Encoding": "gzip, deflate, br, zstd", "Accept": "text/html", "Connection": "keep-alive"}


def content_of(version: int) -> bytes:
    """A page whose every line names its version, so that a mixture of two is seen."""
    return b"".join(b"<p>version %d line %d</p>\n" % (version, line) for line in range(300))


class Visitors:
    """Threads that read the page over and over and note every answer that is not exactly one version."""

    def __init__(self, server: FaztServer, count: int) -> None:
        self.server = server
        self.known: dict[str, int] = {}  # ETag without quotes -> version, entered before its deploy begins
        self.faults: list[str] = []
        self.answers = 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._read, args=(number,)) for number in range(count)]

    def _read(self, number: int) -> None:
        etag = ""
        with self.server.connection() as connection:
            while not self.stopping.is_set():
                headers = {"Connection": "keep-alive"}
                if number % 2 and etag:
                    headers["If-None-Match"] = etag
                try:
                    answer = send(connection, "/", host=HOST, headers=headers)
                except (OSError, http.client.HTTPException) as error:
                    self.faults.append(f"{type(error).__name__}: {error}")
                    return
                self.answers += 1
                etag = answer.header("ETag") or ""
                if answer.status == 304:
                    continue
                if answer.status != 200:
                    self.faults.append(f"status {answer.status}")
                elif hashlib.sha256(answer.body).hexdigest() != etag.strip('"'):
                    self.faults.append(f"the ETag {etag} is not the hash of the {len(answer.body)} bytes sent")
                elif etag.strip('"') not in self.known:
                    self.faults.append(f"a body of no version: {answer.body[:40]!r}")

    def __enter__(self) -> "Visitors":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=30)


def race(server: FaztServer, folder: Path, rounds: int) -> int:
    """Deploy or roll back `rounds` times under load; return how many answers the visitors read."""
    order = random.Random(7)
    visitors = Visitors(server, count=3)
    previous, live = -1, -1

    def deploy(version: int) -> None:
        body = content_of(version)
        visitors.known[hashlib.sha256(body).hexdigest()] = version
        (folder / "index.html").write_bytes(body)
        server.cli("deploy", str(folder), "--site", "race")

    deploy(0)
    live = 0
    with visitors, server.connection() as first_after:
        for number in range(1, rounds):
            if previous >= 0 and order.random() < 0.3:
                server.cli("rollback", "race")
                previous, live = live, previous
            else:
                deploy(number)
                previous, live = live, number
            answer = send(first_after, "/", host=HOST)
            assert answer.body == content_of(live), f"round {number}: stale, {answer.body[:30]!r} instead of {live}"
            assert not visitors.faults, visitors.faults[:5]
    assert not visitors.faults, visitors.faults[:5]
    return visitors.answers


def test_a_few_deploys_are_never_seen_half(server: FaztServer, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    assert race(server, tmp_path / "site", rounds=12) > 12


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_deploys_are_never_seen_half(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    assert race(start_server(), tmp_path / "site", rounds=ROUNDS) > ROUNDS
