"""What nothing uses is deleted when somebody asks, once an hour, and never while it is being sent."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from api_calls import Api

from fazt.api import collection
from fazt.errors import StorageFull
from fazt.store import blobs


def unused(api: Api) -> int:
    """Put a content that nothing uses; return how many contents there are."""
    api.database.write_blocking(blobs.put, b"nothing uses this")
    return api.database.read_blocking(blobs.totals)[0]


def test_what_nothing_uses_is_deleted(api: Api) -> None:
    assert unused(api) == 1
    collected = api.runner.run(api.collector.collect())
    assert (collected.blobs, collected.bytes) == (1, 17)
    assert api.runner.run(api.collector.collect()).blobs == 0


def test_an_upload_is_spared_until_it_ended_or_was_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    unused(api)
    api.collector.upload_goes_on("blog")
    api.collector.upload_goes_on()
    assert api.runner.run(api.collector.collect()).blobs == 0
    api.collector.upload_ended("other")
    assert api.runner.run(api.collector.collect()).blobs == 0
    later = collection.now_ms() + collection.UPLOAD_MS + 1
    monkeypatch.setattr(collection, "now_ms", lambda: later)
    assert api.runner.run(api.collector.collect()).blobs == 1
    monkeypatch.undo()
    unused(api)
    api.collector.upload_goes_on("blog")
    api.collector.upload_ended("blog")
    assert api.runner.run(api.collector.collect()).blobs == 1


def run_until(api: Api, done: Callable[[], bool]) -> None:
    async def main() -> None:
        running = asyncio.ensure_future(api.collector.run())
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.002)
        running.cancel()

    api.runner.run(main())


def test_removing_a_site_frees_what_it_used(api: Api) -> None:
    api.deploy("blog", {"a.txt": b"a", "b.txt": b"b"})
    api.ask("DELETE", "/api/sites/blog")
    run_until(api, lambda: api.database.read_blocking(blobs.totals) == (0, 0))


def test_a_round_that_failed_is_not_the_last(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unused(api)
    write = api.database.write
    faults: list[Exception] = [StorageFull("full"), ZeroDivisionError("a bug")]

    async def failing(*arguments: Any) -> Any:
        if faults:
            raise faults.pop(0)
        return await write(*arguments)

    monkeypatch.setattr(api.database, "write", failing)
    monkeypatch.setattr(collection, "FIRST_S", 0.001)
    monkeypatch.setattr(collection, "EVERY_S", 0.001)
    monkeypatch.setattr(collection, "UPLOAD_MS", 0)
    run_until(api, lambda: api.database.read_blocking(blobs.totals) == (0, 0))
    assert "full" in caplog.text
    assert "a bug" in caplog.text
