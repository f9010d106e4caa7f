"""What the watch tells of, and what it keeps to itself."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fazt.notifications.watch import BURST_EVERY_S, WINDOW_S, Served, Watch
from fazt.sites.builtin import SOURCE
from fazt.store import blobs, sites, versions
from fazt.store.database import Database


class Told:
    """Takes the place of the notifications."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str | None]] = []
        self.subjects: list[tuple[str, float]] = []

    def notify(self, kind: str, title: str, text: str, site: str | None = None) -> None:
        self.events.append((kind, title, text, site))

    def notify_once(
        self, subject: str, every_s: float, kind: str, title: str, text: str, site: str | None = None
    ) -> None:
        self.subjects.append((subject, every_s))
        self.notify(kind, title, text, site)


def run(path: Path, test: Callable[[Watch, Told, dict[str, Served], Database], Awaitable[None]]) -> None:
    async def whole() -> None:
        database = Database.open(path / "data.db")
        try:
            told, served = Told(), dict[str, Served]()
            notifications: Any = told
            watch = Watch(
                notifications,
                database,
                lambda: served,
                burst=lambda: 20,
                disk_low_percent=lambda: 10,
                url=lambda name: f"http://{name}.localhost/",
            )
            await test(watch, told, served, database)
        finally:
            database.close()

    asyncio.run(whole())


def make_version(connection: Any, name: str, content: bytes, source: str = "cli", message: str = "") -> str:
    site = sites.find(connection, name) or sites.create(connection, name)
    file = versions.NewFile("index.html", blobs.put(connection, content), True)
    version = versions.create(connection, site.id, [file], rules=b"{}", message=message, source=source, parent=None)
    sites.set_live(connection, site.id, version.number)
    return version.id


def test_a_deploy_and_a_rollback_are_told(tmp_path: Path) -> None:
    async def test(watch: Watch, told: Told, served: dict[str, Served], database: Database) -> None:
        id = await database.write(make_version, "blog", b"1", "cli", "first")
        await database.write(make_version, "root", b"1", SOURCE)
        await asyncio.wait_for(watch._waking.wait(), 5)
        await watch.look_at_deploys()
        text = f"first\nVersion {id[:8]} (1 files) is live at http://blog.localhost/"
        assert told.events == [("deploy", "blog was deployed", text, "blog")]
        await database.write(sites.set_locked, "blog", True)
        await asyncio.sleep(0)
        await watch.look_at_deploys()
        assert len(told.events) == 1

    run(tmp_path, test)


def test_what_was_live_before_the_start_is_no_news(tmp_path: Path) -> None:
    async def before(watch: Watch, told: Told, served: dict[str, Served], database: Database) -> None:
        await database.write(make_version, "blog", b"1")

    async def after(watch: Watch, told: Told, served: dict[str, Served], database: Database) -> None:
        watch._began_ms += 1000
        await database.write(sites.set_locked, "blog", True)
        await asyncio.wait_for(watch._waking.wait(), 5)
        await watch.look_at_deploys()
        assert told.events == []

    run(tmp_path, before)
    run(tmp_path, after)


def test_many_failures_within_minutes_are_told(tmp_path: Path) -> None:
    async def test(watch: Watch, told: Told, served: dict[str, Served], database: Database) -> None:
        watch._seen.clear()
        served["blog"] = Served(900, 19)
        served["busy"] = Served(100_000, 100)
        served["old"] = Served(100, 100)
        watch._seen.append((0.0, {"old": Served(90, 90)}))
        watch.look_at_failures(10)
        assert told.events == []
        served["blog"] = Served(910, 20)
        watch.look_at_failures(20)
        assert told.subjects == [("error_burst blog", BURST_EVERY_S)]
        kind, title, text, site = told.events[0]
        assert (kind, title, site) == ("error_burst", "blog fails", "blog")
        assert text.startswith("20 of 910 requests and runs failed within 5 minutes.")

    run(tmp_path, test)


def test_failures_of_long_ago_do_not_count(tmp_path: Path) -> None:
    async def test(watch: Watch, told: Told, served: dict[str, Served], database: Database) -> None:
        watch._seen.clear()
        watch._seen.append((0.0, {}))
        served["blog"] = Served(19, 19)
        watch.look_at_failures(10)
        served["blog"] = Served(30, 30)
        watch.look_at_failures(10 + WINDOW_S + 1)
        assert told.events == []
        assert len(watch._seen) == 1

    run(tmp_path, test)


def test_a_disk_that_fills_is_told(tmp_path: Path) -> None:
    async def test(watch: Watch, told: Told, served: dict[str, Served], database: Database) -> None:
        for free in (100, 10):
            watch.look_at_disk(free * 10**9, 100 * 10**9)
        assert told.events == []
        watch.look_at_disk(9 * 10**9, 100 * 10**9)
        assert [(kind, site) for kind, _, _, site in told.events] == [("disk", None)]
        assert "9.0 GB of 100.0 GB are free (9 %)" in told.events[0][2]
        watch.look_at_disk(0, 0)
        assert len(told.events) == 1

    run(tmp_path, test)
