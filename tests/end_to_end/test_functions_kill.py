"""kill -9 amid calls of functions: of a runner, of the process that forks them, and of the server.

What was under way fails, once and with a clear answer; what was acknowledged is there; no job's effect is doubled.
"""

import collections
import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from loopback import FaztServer

FULL = bool(os.environ.get("FAZT_TEST_FULL"))
ROUNDS = 30 if FULL else 4
SERVER_ROUNDS = 20 if FULL else 3
CALLERS = 8
LONGEST_S = 1.0  # for an answer of somebody who is not concerned
NOTICE_S = 0.5  # in which a call may still be given to a process that is gone
BUSY = "busy.localhost"
GOOD = "good.localhost"
LEDGER = "ledger.localhost"

STEP = """
let calls = 0;
export default async (request, { fazt }) => {
  calls++;
  await new Promise((resolve) => setTimeout(resolve, 20));
  return Response.json({ calls, value: await fazt.kv.increment("calls") });
};
"""
HELLO = "export default () => new Response('hello');"

WRITE = """
export default async (request, { fazt }) => {
  const n = Number(new URL(request.url).searchParams.get("n"));
  await fazt.kv.set(`set ${n}`, { n });
  await fazt.kv.increment("count");
  await fazt.jobs.enqueue("effect", { n }, { retries: 10, backoff: "1s" });
  return Response.json({ n });
};
"""
# A run that is cut off between its two writes has written nothing.
EFFECT = """
export default async ({ n }, { fazt }) => {
  await fazt.kv.increment(`effect ${n}`);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await fazt.kv.increment("effects");
};
"""
READ = """
export default async (request, { fazt }) => {
  const prefix = new URL(request.url).searchParams.get("prefix");
  const found = {};
  let cursor;
  do {
    const page = await fazt.kv.list({ prefix, cursor, limit: 1000, values: true });
    for (const { key, value } of page.items) found[key] = value;
    cursor = page.cursor;
  } while (cursor);
  return Response.json(found);
};
"""


def deploy(server: FaztServer, folder: Path, site: str, functions: dict[str, str]) -> None:
    for name, text in functions.items():
        (folder / "api" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "api" / name).write_text(text)
    (folder / "index.html").write_text(f"page of {site}")
    server.cli("deploy", str(folder), "--site", site)


@dataclass(frozen=True, slots=True)
class Asked:
    began: float
    ended: float
    status: int
    body: bytes

    def was_under_way(self, at: float) -> bool:
        return self.began < at + NOTICE_S and self.ended > at


@dataclass(slots=True)
class Load:
    """Threads that ask for one thing over and over."""

    server: FaztServer
    host: str
    path: str
    pause_s: float
    asked: list[Asked] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)
    threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, callers: int) -> None:
        self.threads += [threading.Thread(target=self.run) for _ in range(callers)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def run(self) -> None:
        while not self.stopped.wait(self.pause_s):
            began = time.monotonic()
            answer = self.server.get(self.path, host=self.host)
            with self.came:
                self.asked.append(Asked(began, time.monotonic(), answer.status, answer.body))
                self.came.notify_all()

    def wait_for_next(self, count: int) -> None:
        """Wait for so many good answers to what is asked from now on."""
        now = time.monotonic()
        with self.came:
            assert self.came.wait_for(
                lambda: sum(each.status == 200 and each.began > now for each in self.asked) >= count, 20
            ), self.asked[-5:]

    def failed(self) -> list[Asked]:
        return [each for each in self.asked if each.status != 200]


@pytest.fixture
def load() -> Iterator[Callable[..., Load]]:
    """Return a function that has threads ask, until the test ends."""
    loads: list[Load] = []

    def begin(server: FaztServer, host: str, path: str, callers: int = 1, pause_s: float = 0.02) -> Load:
        made = Load(server, host, path, pause_s)
        loads.append(made)
        made.begin(callers)
        return made

    yield begin
    for each in loads:
        each.stop()


def children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []


def cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])


def runners(server: FaztServer) -> list[int]:
    """Return the runners, the oldest first."""
    return [runner for zygote in children(server.pid) for runner in children(zygote)]


def busiest(server: FaztServer, answers: Load, *, but: int) -> int:
    """Return the runner, another one than `but`, that works most while some calls are answered."""
    while True:
        before = {pid: cpu_ticks(pid) for pid in runners(server)}
        answers.wait_for_next(50)
        used = {pid: cpu_ticks(pid) - before.get(pid, 0) for pid in runners(server) if pid != but}
        if any(used.values()):
            return max(used, key=lambda pid: used[pid])


def check_bystanders(*loads: Load) -> None:
    """Check that nothing was noticed where nothing was killed."""
    for each in loads:
        assert not each.failed(), each.failed()[:5]
        slowest = max(asked.ended - asked.began for asked in each.asked)
        assert slowest < LONGEST_S, f"{each.host}{each.path} took {slowest:.2f} s"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_runner_is_killed(start_server: Callable[..., FaztServer], load: Callable[..., Load], tmp_path: Path) -> None:
    order = random.Random(7)
    server = start_server()
    deploy(server, tmp_path / "busy", "busy", {"step.js": STEP})
    deploy(server, tmp_path / "good", "good", {"hello.js": HELLO})
    assert server.get("/api/hello", host=GOOD).status == 200
    good = runners(server)[0]  # the one that was the first spare
    work = load(server, BUSY, "/api/step", CALLERS, pause_s=0.001)
    work.wait_for_next(20)
    hello, page, own_page = (load(server, *where) for where in ((GOOD, "/api/hello"), (GOOD, "/"), (BUSY, "/")))
    kills = []
    for _ in range(ROUNDS):
        victim = busiest(server, work, but=good)
        threading.Event().wait(order.uniform(0, 0.05))
        kills.append(time.monotonic())
        os.kill(victim, signal.SIGKILL)
        work.wait_for_next(20)
    for each in (work, hello, page, own_page):
        each.stop()
    failed = work.failed()
    assert failed, "no call was under way"
    codes = collections.Counter((each.status, json.loads(each.body)["error"]["code"]) for each in failed)
    assert set(codes) == {(502, "function_crashed")}, codes
    for each in failed:
        assert any(each.was_under_way(kill) for kill in kills), (each, kills)
        assert each.ended - each.began < LONGEST_S, each
    assert len(failed) <= CALLERS * ROUNDS
    check_bystanders(hello, page, own_page)
    failures = json.loads(server.cli("status", "--json").stdout)["functions"]["sites"]
    assert next(site["failed"] for site in failures if site["name"] == "busy") >= len(failed)
    assert "Traceback" not in server.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_process_that_forks_is_killed(
    start_server: Callable[..., FaztServer], load: Callable[..., Load], tmp_path: Path
) -> None:
    server = start_server()
    deploy(server, tmp_path / "busy", "busy", {"step.js": STEP})
    work = load(server, BUSY, "/api/step", CALLERS, pause_s=0.001)
    page, api = load(server, BUSY, "/"), load(server, BUSY, "/_fazt/health")
    kills = []
    for _ in range(ROUNDS):
        work.wait_for_next(20)
        (zygote,) = children(server.pid)
        kills.append(time.monotonic())
        os.kill(zygote, signal.SIGKILL)
        work.wait_for_next(20)
        assert children(server.pid) != [zygote]
    for each in (work, page, api):
        each.stop()
    codes = collections.Counter((each.status, json.loads(each.body)["error"]["code"]) for each in work.failed())
    assert set(codes) <= {(502, "function_crashed"), (503, "functions_unavailable")}, codes
    for each in work.failed():
        assert any(each.was_under_way(kill) for kill in kills), (each, kills)
    check_bystanders(page, api)
    log = server.stop()
    assert "Traceback" not in log, log
    assert log.count("the process that starts functions has ended") == ROUNDS


# --- the server ---


class Writers:
    """Threads that write and have jobs queued until the server is gone; they remember what was acknowledged."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.attempted: set[int] = set()
        self.acknowledged: set[int] = set()
        self.refused: list[str] = []
        self._lock = threading.Lock()

    def write_until_gone(self, server: FaztServer) -> None:
        while True:
            with self._lock:
                number = next(self.numbers)
                self.attempted.add(number)
            try:
                answer = server.get(f"/api/write?n={number}", host=LEDGER)
            except (OSError, http.client.HTTPException):
                return
            with self._lock:
                if answer.status == 200:
                    self.acknowledged.add(number)
                else:
                    self.refused.append(f"{answer.status} {answer.body.decode()}")


def read(server: FaztServer, prefix: str) -> dict[str, object]:
    answer = server.get(f"/api/read?prefix={prefix}", host=LEDGER)
    assert answer.status == 200, answer.body
    found: dict[str, object] = json.loads(answer.body)
    return found


def jobs_left(database: Path) -> collections.Counter[str]:
    """Count the jobs by their state, with another SQLite than Fazt's own."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return collections.Counter(dict(connection.execute("SELECT state, count(*) FROM job GROUP BY state")))


def wait_until(what: Callable[[], bool], seconds: float) -> bool:
    """Wait for something that no event tells of."""
    pause = threading.Event()
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        pause.wait(0.1)
    return True


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_server_is_killed(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    order = random.Random(11)
    database = tmp_path / "data.db"
    server = start_server(database)
    functions = {"write.js": WRITE, "read.js": READ, "_jobs/effect.js": EFFECT}
    deploy(server, tmp_path / "ledger", "ledger", functions)
    writers = Writers()
    for _ in range(SERVER_ROUNDS):
        threads = [threading.Thread(target=writers.write_until_gone, args=(server,)) for _ in range(4)]
        before = len(writers.acknowledged)
        for thread in threads:
            thread.start()
        assert wait_until(lambda least=before + 20: len(writers.acknowledged) >= least, 20)  # type: ignore[misc]
        threading.Event().wait(order.uniform(0, 0.5))
        assert server.process is not None
        server.process.kill()
        for thread in threads:
            thread.join()
        server.stop()
        server = start_server(database)
    assert not writers.refused, writers.refused[:5]
    assert wait_until(lambda: jobs_left(database)["waiting"] + jobs_left(database)["running"] == 0, 240)
    check_ledger(server, writers, jobs_left(database))
    assert "Traceback" not in server.stop()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def check_ledger(server: FaztServer, writers: Writers, jobs: collections.Counter[str]) -> None:
    acknowledged, attempted = writers.acknowledged, writers.attempted
    written = {int(key.split()[1]): value for key, value in read(server, "set").items()}
    assert acknowledged <= written.keys() <= attempted, sorted(acknowledged - written.keys())
    assert all(value == {"n": n} for n, value in written.items())
    count = read(server, "count")["count"]
    assert isinstance(count, int)
    assert len(acknowledged) <= count <= len(written)
    effects = read(server, "effect")
    total = effects.pop("effects")
    assert set(effects.values()) == {1}, {key: value for key, value in effects.items() if value != 1}
    done = {int(key.split()[1]) for key in effects}
    assert acknowledged <= done <= written.keys(), sorted(acknowledged - done)
    assert jobs["failed"] == 0
    assert total == len(done) == jobs["done"]
