"""kill -9 of a server while webhooks are delivered: what was acknowledged is there, with its job, once.

A sender that got no answer delivers again under the same id, as GitHub and Stripe do.
"""

import hashlib
import hmac
import http.client
import itertools
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from pathlib import Path

import orjson
import pytest
from loopback import FaztServer, free_port

FULL = bool(os.environ.get("FAZT_TEST_FULL"))
ROUNDS = 20 if FULL else 3
SENDERS = 4
MOST = 900  # deliveries: of more than 1000 the oldest are not kept
SECRET = "s3cret"
HOST = "blog.localhost"
JOB = "export default async (data, { fazt }) => { await fazt.kv.increment(`effect ${data.sender_id}`); };"


def deliver(connection: http.client.HTTPConnection, number: int) -> int:
    """Deliver as GitHub does; return the status."""
    body = orjson.dumps({"number": number, "pad": "x" * (number % 5000)})
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    fields = {"Host": HOST, "X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": f"id-{number}"}
    connection.request("POST", "/_fazt/hooks/push", body, fields)
    answer = connection.getresponse()
    answer.read()
    return answer.status


class Sender(threading.Thread):
    """Delivers one after the other until the server does not answer; keeps the numbers that were acknowledged."""

    def __init__(self, server: FaztServer, numbers: "itertools.count[int]") -> None:
        super().__init__()
        self.server = server
        self.numbers = numbers
        self.acknowledged: list[int] = []
        self.unanswered: list[int] = []

    def run(self) -> None:
        with self.server.connection() as connection:
            while True:
                number = next(self.numbers)
                if number >= MOST:
                    return
                try:
                    status = deliver(connection, number)
                except (OSError, http.client.HTTPException):
                    self.unanswered.append(number)
                    return
                assert status in (202, 429), status
                if status == 202:
                    self.acknowledged.append(number)


@pytest.mark.slow
def test_what_is_acknowledged_is_there(tmp_path: Path) -> None:
    server = FaztServer(tmp_path / "data.db", free_port()).start()
    site = tmp_path / "blog"
    (site / "api" / "_jobs").mkdir(parents=True)
    (site / "api" / "_jobs" / "build.js").write_text(JOB)
    server.cli("deploy", str(site), "--site", "blog")
    create = ["hooks", "create", "push", "--style", "github", "--site", "blog", "--function", "build", "--secret"]
    server.cli(*create, stdin=SECRET.encode())
    numbers, chance = itertools.count(), random.Random(4)
    acknowledged: set[int] = set()
    unanswered: set[int] = set()
    try:
        for _ in range(ROUNDS):
            senders = [Sender(server, numbers) for _ in range(SENDERS)]
            for sender in senders:
                sender.start()
            time.sleep(chance.uniform(0.05, 0.4))  # the moment of the blow, not a wait for anything
            server.stop(signal.SIGKILL)
            for sender in senders:
                sender.join()
                acknowledged |= set(sender.acknowledged)
                unanswered |= set(sender.unanswered)
            server.start()
        with server.connection() as connection:
            for number in sorted(unanswered):
                assert deliver(connection, number) in (200, 202)
    finally:
        server.stop()
    assert acknowledged
    wanted = {f"id-{number}" for number in acknowledged | unanswered}
    with sqlite3.connect(tmp_path / "data.db") as database:
        kept = database.execute("SELECT sender_id, job FROM hook_delivery ORDER BY number").fetchall()
        jobs = dict(database.execute("SELECT id, data FROM job WHERE name = 'build'"))
        received = database.execute("SELECT received FROM hook").fetchone()[0]
    database.close()
    ids = [id for id, _ in kept]
    assert len(ids) == len(set(ids)) == len(wanted) == received
    assert set(ids) == wanted
    assert {job for _, job in kept} == jobs.keys()
    assert {orjson.loads(data)["sender_id"] for data in jobs.values()} == wanted


@pytest.mark.slow
def test_a_notification_under_way_outlives_kill_9(tmp_path: Path) -> None:
    """A deploy is told to a receiver that never answers; after kill -9 the next start tells it anew."""
    arrived: list[bytes] = []
    came = threading.Semaphore(0)

    class Silent(threading.Thread):
        def run(self) -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65_536)
                arrived.append(head)
                came.release()
                kept.append(connection)

    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = Silent(daemon=True)
        silent.start()
        flags = {"FAZT_NOTIFICATIONS_PRIVATE": "127.0.0.0/8"}
        server = FaztServer(tmp_path / "data.db", free_port(), environment=flags).start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            server.cli("notifications", "create", "hook", url, "--kind", "webhook", "--event", "deploy")
            (tmp_path / "blog").mkdir()
            (tmp_path / "blog" / "index.html").write_text("1")
            server.cli("deploy", str(tmp_path / "blog"), "--site", "blog")
            assert came.acquire(timeout=20)
            server.stop(signal.SIGKILL)
            server.start()
            assert came.acquire(timeout=20)
        finally:
            server.stop(signal.SIGKILL)
            listener.shutdown(socket.SHUT_RDWR)
            silent.join()
            for connection in kept:
                connection.close()

    def delivery(head: bytes) -> bytes:
        return next(line for line in head.split(b"\r\n") if line.startswith(b"Fazt-Delivery: "))

    assert delivery(arrived[0]) == delivery(arrived[1])
