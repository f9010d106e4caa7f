"""What workers report to the core, every second: counts of sites, the requests they answered, how full they are.

The core adds it to its own, so that the history, the statistics, the logs and the status are those of all processes.
Rule: a report is believed of a worker alone; the socket that it comes by is this user's own.
"""

import asyncio
import base64
import logging
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from fazt._speedups.pages import CacheStatistics, Pages
from fazt._speedups.statistics import AccessRecord, AccessRing, Counters
from fazt.edge.forward import CoreConnection
from fazt.edge.relay import REPORT, Origin, origin_field
from fazt.store.clock import now_ms

log = logging.getLogger("fazt.server")
REPORT_S = 1.0
STALE_MS = 10_000  # after which a worker that says nothing does not count
MOST_RECORDS = 2000  # in one report
ANSWER_S = 5.0


class Worker(NamedTuple):
    """A worker as it last reported."""

    pid: int
    connections: int
    cache: CacheStatistics
    at_ms: int


class Reports:
    """Takes the reports; an ASGI application for workers."""

    def __init__(self, pages: Pages, ring: AccessRing) -> None:
        self._pages = pages
        self._ring = ring
        self._workers: dict[int, Worker] = {}

    @property
    def workers(self) -> list[Worker]:
        """The workers that have reported lately."""
        since = now_ms() - STALE_MS
        self._workers = {pid: each for pid, each in self._workers.items() if each.at_ms >= since}
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
        """Add what a worker reports."""
        self._workers[report["pid"]] = Worker(
            report["pid"], report["connections"], CacheStatistics(*report["cache"]), now_ms()
        )
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

    async def run(self, connections: Any) -> None:
        """Report every second, until the task is cancelled."""
        while True:
            await asyncio.sleep(REPORT_S)
            await self.report(connections())

    async def report(self, connections: int) -> None:
        """Report once; what the core does not take now is told again the next time, but for single requests."""
        taken = [(state, state.take()) for state in self._pages.sites()]
        counted = [(state, counters) for state, counters in taken if counters is not None]
        self._position, _, records = self._ring.since(self._position, MOST_RECORDS)
        sites = [
            [state.name, *counters[:5], [*counters.statuses], base64.b64encode(counters.latency).decode()]
            for state, counters in counted
        ]
        body = orjson.dumps(
            {
                "pid": self._pid,
                "connections": connections,
                "cache": [*self._pages.statistics()],
                "sites": sites,
                "records": [[*record] for record in records],
            }
        )
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._send(body)
        except (OSError, TimeoutError, RuntimeError) as error:
            log.debug("the core takes no report: %s", error)
            for state, counters in counted:
                state.merge(counters)

    async def _send(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(CoreConnection, self._relay)
        try:
            name, value = origin_field(Origin("", 0, REPORT, 0))
            head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n%s: %s\r\n\r\n"
            connection.write_now(head % (len(body), name, value) + body)
            event = await connection.next_event()
            if event["type"] != "head" or event["status"] != 204:
                raise RuntimeError(f"the core answers {event}")
        finally:
            connection.close()
