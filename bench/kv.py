"""CPU of one kv operation, all threads of the process counted, with so many callers at a time: `bench/kv.py [CALLERS]`.

The database lies in a temporary folder; its disk decides how long an fsync takes, not how much CPU it costs.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from fazt.data.caller import Caller
from fazt.data.kv import kv_operations
from fazt.store import kv, sites
from fazt.store.database import Database, now_ms

CALLS = 20_000


async def measure(name: str, callers: int, one: Callable[[int], Awaitable[object]]) -> None:
    """Run `one` by so many callers at once and print what a call of it took."""

    async def caller(number: int) -> None:
        for _ in range(CALLS // callers):
            await one(number)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:32} {cpu / CALLS * 1e6:6.1f} µs CPU  {wall / CALLS * 1e6:6.1f} µs wall")


async def main(database: Database, callers: int) -> None:
    site = database.write_blocking(sites.create, "blog")
    caller = Caller("blog", site.id, 1, "call")
    operations = kv_operations(database)
    await operations["kv.set"](caller, {"key": "greeting", "value": {"hello": "world"}}, b"")

    async def both(number: int) -> None:
        await operations["kv.get"](caller, {"key": "greeting"}, b"")
        await operations["kv.increment"](caller, {"key": f"count-{number}"}, b"")

    await measure("Database.read(kv.find)", callers, lambda _: database.read(kv.find, site.id, "greeting", now_ms()))
    await measure("kv.get", callers, lambda _: operations["kv.get"](caller, {"key": "greeting"}, b""))
    await measure(
        "Database.write(kv.increment)",
        callers,
        lambda number: database.write(kv.increment, site.id, f"count-{number}", 1, None, now_ms()),
    )
    await measure("kv.increment, one key", callers, lambda _: operations["kv.increment"](caller, {"key": "count"}, b""))
    await measure(
        "kv.increment, a key each",
        callers,
        lambda number: operations["kv.increment"](caller, {"key": f"count-{number}"}, b""),
    )
    await measure("kv.get and then kv.increment", callers, both)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        opened = Database.open(Path(folder) / "data.db")
        uvloop.run(main(opened, int(sys.argv[1]) if len(sys.argv) > 1 else 32))
        opened.close()
