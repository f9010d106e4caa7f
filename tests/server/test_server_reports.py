"""What workers report: added once, and kept until the core has taken it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fazt._speedups.pages import Pages
from fazt._speedups.statistics import AccessRing
from fazt.server import reports
from fazt.server.reports import Reporter, Reports


class Core:
    """A core that takes reports, and loses answers when it is told to."""

    def __init__(self) -> None:
        self.pages, self.ring = Pages(1 << 20), AccessRing()
        self.reports = Reports(self.pages, self.ring)
        self.fails = self.loses = False

    async def send(self, _: Reporter, body: bytes) -> None:
        if self.fails:
            raise ConnectionRefusedError
        self.reports.take(reports.orjson.loads(body))
        if self.loses:
            raise TimeoutError

    def counted(self) -> tuple[int, int]:
        """Return how many requests were counted, and how many records came."""
        return self.pages.site("blog").totals().requests, self.ring.sequence


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    made = Core()

    async def send(reporter: Any, body: bytes) -> None:
        await made.send(reporter, body)

    monkeypatch.setattr(Reporter, "_send", send)
    return made


def test_each_request_is_counted_once_whatever_is_lost(core: Core) -> None:
    pages, ring = Pages(1 << 20), AccessRing()
    reporter = Reporter(7, pages, ring, Path("nowhere"))

    def serve(count: int) -> None:
        for _ in range(count):
            pages.site("blog").count(200, 10, 1000, True)
            ring.add(pages.site("blog"), "192.0.2.1", b"GET", b"blog/", 4, 200, 10, 1000, True)

    async def scenario() -> None:
        serve(3)
        await reporter.report(1)
        assert core.counted() == (3, 3)
        core.loses = True  # taken, and nobody learns of it
        serve(4)
        await reporter.report(1)
        core.loses, core.fails = False, True
        serve(5)
        await reporter.report(1)
        assert core.counted() == (7, 7)
        core.fails = False
        await reporter.report(2)
        assert core.counted() == (12, 12)
        await reporter.report(2)
        assert core.counted() == (12, 12)

    asyncio.run(scenario())
    (worker,) = core.reports.workers
    assert (worker.pid, worker.connections, core.reports.connections) == (7, 2, 2)
    latencies = (pages.site("blog").totals().latency, core.pages.site("blog").totals().latency)
    assert latencies[0] == latencies[1]


def test_a_worker_that_says_nothing_does_not_count(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(Reporter(7, Pages(1 << 20), AccessRing(), Path("nowhere")).report(5))
    assert core.reports.connections == 5
    now = reports.now_ms()
    monkeypatch.setattr(reports, "now_ms", lambda: now + reports.STALE_MS + 1)
    assert core.reports.connections == 0
