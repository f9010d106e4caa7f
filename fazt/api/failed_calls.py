"""Calls of functions that went wrong, on their way into the store, so that `fazt replay` can make them again.

Rule: a site that fails a thousand times a second costs one small write a second, and memory for the newest only.
"""

import asyncio
import logging
from collections import deque
from typing import NamedTuple

import apsw
import orjson

from fazt.api.call_log import report_json, request_json
from fazt.errors import StoreError
from fazt.functions.app import Request
from fazt.functions.calls import Report
from fazt.store import programs, sites
from fazt.store.database import Database

log = logging.getLogger("fazt.functions")

WRITE_S = 1.0
MOST_WAITING = 200
MOST_OF_SITE = 20  # in one write
KEPT_BODY_BYTES = 64 << 10


class _Waiting(NamedTuple):
    report: Report
    request: bytes


class FailedCalls:
    """Takes failed calls, and writes them down."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._requests: dict[str, bytes] = {}  # by the id of the call, until it has ended
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_WAITING)
        self._came = asyncio.Event()

    def keep(self, request: Request, call: str) -> None:
        """Keep the request of a call that goes wrong; the call is written down when it has ended."""
        scope = request.scope
        if len(self._requests) < MOST_WAITING:
            self._requests[call] = request_json(
                scope["method"], request.path, scope["query_string"], scope["headers"], request.body[:KEPT_BODY_BYTES]
            )

    def ended(self, report: Report) -> None:
        """Take a call that has ended; one that went well is not kept."""
        request = self._requests.pop(report.id, None)
        if not report.error:
            return
        if request is None:
            if report.kind == "http":
                return  # refused before it began, or more than can be kept
            request = orjson.dumps({"handler": report.name, "kind": report.kind})
        self._waiting.append(_Waiting(report, request))
        self._came.set()

    async def run(self) -> None:
        """Write down what came, at most once a second, until the task is cancelled."""
        while True:
            await self._came.wait()
            await self.flush()
            await asyncio.sleep(WRITE_S)

    async def flush(self) -> None:
        """Write down what waits."""
        self._came.clear()
        waiting = list(self._waiting)
        self._waiting.clear()
        if not waiting:
            return
        try:
            await self._database.write(_write, waiting)
        except StoreError as error:
            log.warning("%d calls that went wrong were not kept: %s", len(waiting), error)


def _write(connection: apsw.Connection, waiting: list[_Waiting]) -> None:
    counts: dict[str, int] = {}
    for report, request in reversed(waiting):
        counts[report.site] = counts.get(report.site, 0) + 1
        site = sites.find(connection, report.site) if counts[report.site] <= MOST_OF_SITE else None
        if site is not None:
            logs = [{"level": level, "message": text} for level, text in report.logs[-100:]]
            told = orjson.dumps({**report_json(report), "logs": logs}, default=str)
            programs.add_failed(connection, site.id, report.id, report.started_ms, told, request)
