"""Sites with functions, made without a server; and what the processes of functions hold in memory.

Rule: what is measured was deployed and compiled by the code that users' deploys go through.
"""

import asyncio
import hashlib
import os
import random
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import apsw

from fazt.bench import site
from fazt.bench.request import request_bytes
from fazt.functions.v8 import V8Engine
from fazt.functions.workshop import Workshop
from fazt.sites.deploy import Deploy, WantedFile, commit
from fazt.store import blobs, programs
from fazt.store.database import Database

SITE = "bench"
FILES = {
    "index.html": site.text(1_000, 1),
    "api/hello.js": b'export default () => Response.json({ hello: "world" });\n',
    "api/kv.js": b"""\
export default async (request, { fazt }) => {
  const greeting = await fazt.kv.get("greeting");
  const visits = await fazt.kv.increment("visits");
  return Response.json({ greeting, visits });
};
""",
    # Five milliseconds or so of a script's own work.
    "api/busy.js": b"""\
export default () => {
  let sum = 0;
  for (let i = 0; i < 1_000_000; i++) sum = (sum + i * 7) % 1_000_003;
  return Response.json({ sum });
};
""",
}
HELLO = b'{"hello":"world"}'
FIELD = re.compile(r"^(Pss|Private_Dirty): +(\d+) kB$", re.MULTILINE)
SITES_IN_ONE_WRITE = 200
SAMPLE = 20


def name(number: int) -> str:
    """Return the name of one of many sites."""
    return f"function-{number:04}"


def hello_requests(first: int, stop: int) -> tuple[bytes, ...]:
    """Return a call of the hello of each of those sites."""
    return tuple(request_bytes(f"{name(number)}.localhost", "/api/hello") for number in range(first, stop))


def make(path: Path, sites: int) -> None:
    """Make a database with the measured site, and `sites` others of the same files."""
    with closing(Database.open(path)) as database:
        first = database.write_blocking(_deploy, (SITE,))[0]
        program = asyncio.run(_compile(database, first))
        for start in range(0, sites, SITES_IN_ONE_WRITE):
            names = tuple(name(number) for number in range(start, min(start + SITES_IN_ONE_WRITE, sites)))
            database.write_blocking(_deploy, names, program)


async def _compile(database: Database, version: int) -> bytes:
    engine = V8Engine()
    try:
        return (await Workshop(engine, database).compile_version(version)).to_bytes()
    finally:
        await engine.stop()


def _deploy(connection: apsw.Connection, names: tuple[str, ...], program: bytes | None = None) -> list[int]:
    """Deploy the files under each name; return the numbers of the versions."""
    for content in FILES.values():
        blobs.put(connection, content)
    files = tuple(
        WantedFile(path=path, hash=hashlib.sha256(content).digest(), size=len(content))
        for path, content in FILES.items()
    )
    numbers = []
    for each in names:
        wanted = Deploy(site=each, files=files, message="", source="bench", live=True, create=True)
        numbers.append(commit(connection, wanted).version.number)
        if program is not None:
            programs.put(connection, numbers[-1], program)
    return numbers


# --- memory ---


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds: pages of its own, and all, each divided among those who share it.

    Pages of files that only one process happens to have touched so far are not its own: the next one shares them.
    """

    private_bytes: int
    proportional_bytes: int


def memory(pid: int) -> Memory:
    """Return the memory of one process; nothing where it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return Memory(0, 0)
    kib = {kind: int(count) for kind, count in FIELD.findall(rollup)}
    return Memory(kib.get("Private_Dirty", 0) * 1024, kib.get("Pss", 0) * 1024)


def runners(server: int) -> list[int]:
    """Return the processes that are forked for functions: the children of the server's one child, the zygote."""
    return [runner for zygote in _children(server) for runner in _children(zygote)]


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread may end meanwhile
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


@dataclass(slots=True)
class Watched:
    """The most that runners held while they were watched; to look at all of them each time would disturb them."""

    runners: int = 0
    bytes: int = 0
    each_bytes: int = 0  # the median runner, at the end

    def look(self, server: int, most: int) -> None:
        """Look once, at no more than so many processes."""
        pids = runners(server)
        each = [memory(pid).private_bytes for pid in random.sample(pids, min(most, len(pids)))]
        self.runners = max(self.runners, len(pids))
        if each:
            self.bytes = max(self.bytes, sum(each) * len(pids) // len(each))
            self.each_bytes = int(median(each))


@contextmanager
def watching(server: int, *, interval_s: float, core: int | None) -> Iterator[Watched]:
    """Look at the memory of the runners every now and then, on a core of the load's, and at the end."""
    watched, ended = Watched(), threading.Event()

    def watch() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})  # of this thread
        while not ended.wait(interval_s):
            watched.look(server, SAMPLE)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield watched
    finally:
        ended.set()
        thread.join()
        watched.look(server, sys.maxsize)
