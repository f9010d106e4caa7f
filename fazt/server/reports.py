"""What workers report to the core, every second: counts of sites, the requests they answered, how full they are.

The core adds it to its own, so that the history, the statistics, the logs and the status are those of all processes.
Rule: a report is believed of a worker alone; the socket that it comes by is this user's own.
"""

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from fazt._speedups.pages import CacheStatistics, Pages
from fazt._speedups.statistics import AccessRecord, AccessRing, Counters
from fazt.edge.forward import CoreConnection
from fazt.edge.relay import REPORT, Origin, origin_field
from fazt.errors import FaztError, RemoteError
from fazt.store.clock import now_ms

log = logging.getLogger("fazt.server")
REPORT_S = 1.0
STALE_MS = 10_000  # after which a worker that says nothing does not count
MOST_RECORDS = 2000  # in one report
ANSWER_S = 5.0


class Worker(NamedTuple):
    """A worker as it last reported."""

    pid: int
    number: int  # of its last report
    connections: int
    cache: CacheStatistics
    at_ms: int


class Reports:
    """Takes the reports; an ASGI application for workers."""

    def __init__(self, pages: Pages, ring: AccessRing) -> None:
        self._pages = pages
        self._ring = ring
        self._workers: dict[str, Worker] = {}  # by an id of its own: the number of a process may come again

    @property
    def workers(self) -> list[Worker]:
        """The workers that have reported lately."""
        since = now_ms() - STALE_MS
        self._workers = {id: each for id, each in self._workers.items() if each.at_ms >= since}
        return list(self._workers.values())

    @property
    def connections(self) -> int:
        """The number of connections of all workers."""
        return sum(each.connections for each in self.workers)

    def cache(self) -> CacheStatistics:
        """Return the page caches of all processes together."""
        every = [self._pages.statistics(), *(each.cache for each in self.workers)]
        return CacheStatistics(*(sum(column) for column in zip(*every, strict=True)))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take a report."""
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        self.take(orjson.loads(body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def take(self, report: Any) -> None:
        """Add what a worker reports; one that comes again, since its answer was lost, counts once."""
        before = self._workers.get(report["id"])
        self._workers[report["id"]] = Worker(
            report["pid"], report["number"], report["connections"], CacheStatistics(*report["cache"]), now_ms()
        )
        if before is not None and report["number"] <= before.number:
            return
        for name, *counts, statuses, latency in report["sites"]:
            counters = (*counts, tuple(statuses), base64.b64decode(latency))
            self._pages.site(name).merge(Counters(*counters))
        for record in report["records"]:
            self._ring.take_over(AccessRecord(*record))


class Reporter:
    """The worker's side."""

    def __init__(self, pid: int, pages: Pages, ring: AccessRing, relay: Path) -> None:
        self._pid = pid
        self._pages = pages
        self._ring = ring
        self._relay = str(relay)
        self._position = 0
        self._id = secrets.token_hex(8)
        self._number = 0
        self._untaken: bytes | None = None  # a report that the core has not taken for certain

    async def run(self, connections: Callable[[], int]) -> None:
        """Report every second, until the task is cancelled."""
        while True:
            await asyncio.sleep(REPORT_S)
            await self.report(connections())

    async def report(self, connections: int) -> None:
        """Report what is new, behind what the core has not taken yet; until then it stays in the counters."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._untaken is not None:
                    await self._send(self._untaken)
                self._untaken = self._make(connections)
                await self._send(self._untaken)
                self._untaken = None
        except (FaztError, OSError, TimeoutError) as error:
            log.debug("the core takes no report: %s", error)

    def _make(self, connections: int) -> bytes:
        self._number += 1
        taken = [(state.name, state.take()) for state in self._pages.sites()]
        self._position, _, records = self._ring.since(self._position, MOST_RECORDS)
        return orjson.dumps(
            {
                "id": self._id,
                "pid": self._pid,
                "number": self._number,
                "connections": connections,
                "cache": [*self._pages.statistics()],
                "sites": [_counted(name, counters) for name, counters in taken if counters is not None],
                "records": [[*record] for record in records],
            }
        )

    async def _send(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(CoreConnection, self._relay)
        try:
            name, value = origin_field(Origin("", 0, REPORT, 0))
            head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n%s: %s\r\n\r\n"
            connection.write_now(head % (len(body), name, value) + body)
            event = await connection.next_event()
            if event["type"] != "head" or event["status"] != 204:
                raise RemoteError(f"The core answers a report with {event}.")
        finally:
            connection.close()


def _counted(name: str, counters: Counters) -> list[object]:
    return [name, *counters[:5], [*counters.statuses], base64.b64encode(counters.latency).decode()]
