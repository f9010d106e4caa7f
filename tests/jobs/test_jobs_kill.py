"""kill -9 of a process whose jobs write keys and queue more jobs: nothing is lost, nothing happens twice."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fazt.store import kv, queue, sites
from fazt.store.database import Database

ROUNDS = 60 if os.environ.get("FAZT_TEST_FULL") else 5

# Each job of a chain adds 1 to its chain's counter (as kv.increment does inside a run) and queues the next one. It also
# queues jobs from outside for ever, and prints the number of each once it is acknowledged.
DRIVER = """
import asyncio, sys
from pathlib import Path
from fazt.data.caller import Caller
from fazt.clock import SystemClock
from fazt.jobs.jobs import Jobs
from fazt.jobs.operations import jobs_operations
from fazt.jobs.running import RunResult
from fazt.store import kv, sites
from fazt.store.database import Database
from fazt.store.kv import Write

async def main(path, first):
    database = Database.open(Path(path))
    site = await database.write(lambda c: sites.find(c, "blog") or sites.create(c, "blog"))
    caller = lambda unit=None: Caller("blog", site.id, 1, "x", unit=unit)

    async def run(told):
        key = told.data["key"]
        now = SystemClock().now_ms()
        entry = await database.read(kv.find, told.site_id, key, now)
        told.unit.found(key, entry.version if entry else kv.ABSENT)
        count = int(entry.value) if entry else 0
        told.unit.put(Write(key, "json", b"%d" % (count + 1), None))
        if told.data["left"]:
            data = {"key": key, "left": told.data["left"] - 1}
            await enqueue(caller(told.unit), {"name": "step", "data": data}, b"")
        return RunResult(None)

    async def has_job(site, name):
        return True

    jobs = Jobs(database, run, SystemClock(), at_once=6, per_site=6)
    enqueue = jobs_operations(database, jobs, has_job)["jobs.enqueue"]
    work = asyncio.create_task(jobs.work())
    for number in range(first, 1_000_000):
        options = {"retries": 0, "unique": f"chain-{number}"}
        value = {"name": "step", "data": {"key": f"chain-{number}", "left": number % 4}, "options": options}
        await enqueue(caller(), value, b"")
        print(number, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def run_and_kill(path: Path, first: int, after: int) -> int:
    """Start a driver and kill it a moment after it has acknowledged `after` chains; return the last of them."""
    command = [sys.executable, "-c", DRIVER, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = first - 1
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged >= first + after:
                break
        process.kill()
        return max([acknowledged, *map(int, process.stdout.read().split())])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_effects_happen_once_however_often_the_server_dies(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    order = random.Random(7)
    acknowledged: list[int] = []
    first = 0
    for _ in range(ROUNDS):
        last = run_and_kill(path, first, order.randrange(5, 40))
        acknowledged += range(first, last + 1)
        first = last + 2  # one more may have been queued before it was printed
    database = Database.open(path)
    blog = database.read_blocking(sites.get, "blog")
    jobs = database.read_blocking(queue.list_page, blog.id, None, None, -1)
    assert not [job for job in jobs if job.state in ("failed", "cancelled")]
    open_steps = {}  # what a chain still has to do
    for job in jobs:
        if job.state != "done":
            left = int(job.data.partition(b'"left":')[2].rstrip(b"}")) + 1
            key = job.data.partition(b'"key":"')[2].partition(b'"')[0].decode()
            assert key not in open_steps, "a step was doubled"
            open_steps[key] = left
    assert acknowledged
    for number in acknowledged:
        key = f"chain-{number}"
        entry = database.read_blocking(kv.find, blog.id, key, 0)
        done = 0 if entry is None or entry.value is None else int(entry.value)
        assert done + open_steps.get(key, 0) == number % 4 + 1, key
    database.close()
