"""From the ring to the store: what is a visit, what is lost is told, and floods stay bounded."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from fazt._speedups.statistics import MARK_AHEAD, MARK_HTML, MARK_PART, MARK_UNTRACKED, AccessRing, SiteState
from fazt.errors import StorageFull
from fazt.sites.hosting import Hosting
from fazt.store import domains, sites, statistics, visits
from fazt.store.database import Database, now_ms
from fazt.store.statistics import EVERYWHERE, Counted
from fazt.visits.visits import DAYS_KEPT, HOUR_MS, KINDS, Visit, Visits

AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
ALWAYS = 1 << 40
DAY_MS = 24 * HOUR_MS
NOW = now_ms()


class World:
    """Visits on a store of their own, and a ring to write to."""

    def __init__(self, path: Path) -> None:
        self.database = Database.open(path)
        self.ring = AccessRing(256)
        self.hosting = Hosting("example.org", "redirect-to-bare", lambda host: f"https://{host}/")
        self.visits = Visits(self.database, self.ring, self.hosting, lambda address: "DE")
        self.state = SiteState("blog")
        self.database.write_blocking(sites.create, "blog")

    def serve(self, path: bytes = b"/", **more: Any) -> None:
        host = more.get("host", b"blog.example.org")
        self.ring.add(
            self.state,
            more.get("client", "192.0.2.1"),
            more.get("method", b"GET"),
            host + path,
            len(host),
            more.get("status", 200),
            10,
            1000,
            False,
            more.get("referer", b""),
            more.get("agent", AGENT),
            more.get("marks", MARK_HTML),
        )

    def flush(self) -> None:
        asyncio.run(self.visits.flush())

    def day(self, site: str = "blog") -> Counted:
        (found,) = self.database.read_blocking(statistics.days_between, [site], 0, ALWAYS)
        return found

    def names(self, kind: str) -> dict[str, int]:
        found = self.database.read_blocking(visits.between, "blog", 0, ALWAYS, KINDS, 1000)
        return dict(found[kind])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "data.db")
    yield made
    made.database.close()


@pytest.mark.parametrize(
    ("more", "is_view"),
    [
        ({}, True),
        ({"status": 304}, True),
        ({"host": b"BLOG.example.org:8080"}, True),
        ({"status": 404}, False),
        ({"status": 308}, False),
        ({"status": 500}, False),
        ({"marks": 0}, False),
        ({"marks": MARK_HTML | MARK_UNTRACKED}, False),
        ({"marks": MARK_HTML | MARK_AHEAD}, False),
        ({"marks": MARK_HTML | MARK_PART}, False),
        ({"method": b"HEAD"}, False),
        ({"agent": b""}, False),
        ({"host": b"12345678--blog.example.org"}, False),
    ],
)
def test_what_is_a_view(world: World, more: dict[str, Any], is_view: bool) -> None:
    world.serve(**more)
    world.serve(b"/always")
    world.flush()
    assert world.day().views == 1 + is_view
    assert ("/" in world.names("page")) == is_view
    assert world.names("country") == {"DE": 1 + is_view}


def test_who_comes_while_another_look_is_being_written_waits_for_it(world: World) -> None:
    async def look() -> int:
        await world.visits.freshen()
        (found,) = await world.database.read(statistics.days_between, ["blog"], 0, ALWAYS) or [None]
        return found.views if found else 0

    async def test() -> list[int]:
        return await asyncio.gather(look(), look())

    world.serve()
    assert asyncio.run(test()) == [1, 1]


def test_missing_images_count_and_bots_do_not(world: World) -> None:
    world.serve(b"/image.png", status=404, marks=MARK_PART)
    world.serve(b"/wp-login.php", status=404, agent=b"curl/8")
    world.serve(b"/quiet", status=404, marks=MARK_UNTRACKED)
    world.serve(b"/", agent=b"curl/8")
    world.flush()
    assert world.names("missing") == {"/image.png": 1}
    assert (world.day().views, world.day().bots) == (0, 1)


def test_own_hosts_are_no_referrers(world: World) -> None:
    world.database.write_blocking(domains.add, "blog.example", "blog")
    world.database.write_blocking(sites.create, "shop")
    world.database.write_blocking(domains.add, "shop.example", "shop")
    for referrer in (
        b"https://blog.example.org/a",
        b"https://12345678--blog.example.org/",
        b"https://www.blog.example/",
        b"https://blog.example/",
        b"https://shop.example/",
        b"https://shop.example.org/",
        b"https://www.news.example/",
    ):
        world.serve(host=b"blog.example", referer=referrer)
    world.flush()
    assert world.names("referrer") == {"shop.example": 1, "shop.example.org": 1, "news.example": 1}


def test_what_the_ring_lost_is_told_and_made_up_for(world: World) -> None:
    for number in range(1000):
        world.serve(client=f"192.0.2.{number % 3}")
    world.flush()
    assert world.day().views == pytest.approx(1000, abs=1)
    assert world.day().unseen == pytest.approx(1000 - 256, abs=1)
    assert world.day().visitors == 3
    assert world.day(EVERYWHERE).views == world.day().views
    world.serve()
    world.flush()
    assert world.day().views == pytest.approx(1001, abs=1)
    assert world.day().unseen == pytest.approx(1000 - 256, abs=1)


def test_a_full_disk_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any) -> None:
        raise StorageFull("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.database, "write", full)
        for _ in range(3):
            world.serve()
            world.flush()
    world.flush()
    world.flush()
    assert world.day().views == 3
    assert world.day().visitors == 1


def test_events_and_views_of_beacons(world: World) -> None:
    world.visits.note_event("blog", "sign\x1b[2Jup", NOW)
    world.visits.note_event("blog", "\x00", NOW)
    world.visits.note_event("blog", "x" * 500, NOW)
    world.visits.note_view(Visit("blog", "blog.example.org", NOW, "192.0.2.1", AGENT.decode(), "/page", ""))
    world.flush()
    assert world.names("event") == {"sign[2Jup": 1, "x" * 64: 1}
    assert world.day().at == NOW // DAY_MS
    assert (world.day().views, world.day().visitors) == (1, 1)


@pytest.mark.slow
def test_the_flood(world: World) -> None:
    """100,000 different paths, referrers, agents and addresses take little memory and little room."""

    async def flood() -> int:
        tracemalloc.start()
        for number in range(100_000):
            text = b"%d" % number
            referrer, agent = b"https://" + text + b".example/", AGENT + text
            client = f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
            missing = number % 2
            world.serve(b"/" + text, client=client, agent=agent, referer=referrer, status=404 if missing else 200)
            if number % 250 == 0:
                await world.visits._drain()
            if number % 10_000 == 0:
                await world.visits.flush()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await world.visits.flush()
        return held

    held = asyncio.run(flood())
    assert held < 12 << 20, held
    for kind in ("page", "missing", "referrer"):
        names = world.names(kind)
        assert len(names) <= 152
        assert sum(names.values()) == 50_000
        assert names[""] > 49_000
    assert len(world.names("browser")) == 1
    assert 45_000 < world.day().visitors < 55_000
    count = world.database.read_blocking(rows_of)
    assert count < 600


def rows_of(connection: apsw.Connection) -> int:
    count: int = connection.execute("SELECT count(*) FROM visit_name").fetchall()[0][0]
    return count


def test_what_comes_often_outlives_a_flood(world: World) -> None:
    for round_ in range(8):
        for number in range(100):
            world.serve(b"/%d/%d" % (round_, number))
            if number % 10 == 0:
                world.serve(b"/often")
        world.flush()
    assert world.names("page")["/often"] == 80


def test_thirteen_months_are_kept(world: World) -> None:
    today = 30_000
    for age in (0, DAYS_KEPT, DAYS_KEPT + 1):
        named = visits.Named("blog", today - age, "page", f"/{age}", 1)
        world.database.write_blocking(visits.add, [named])
        counted = statistics.Visits("blog", today - age, 1, 1, 0, 0)
        world.database.write_blocking(statistics.add_visits, [], [counted])
    world.database.write_blocking(visits.trim, today - DAYS_KEPT)
    world.database.write_blocking(statistics.trim, (today - DAYS_KEPT) * 24)
    assert world.names("page") == {"/0": 1, f"/{DAYS_KEPT}": 1}
    assert len(world.database.read_blocking(statistics.days_between, ["blog"], 0, ALWAYS)) == 2


def test_draining_gives_the_loop_its_turns(world: World) -> None:
    """The loop is never held up by more than a few records."""
    for _ in range(256):
        world.serve()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        counting = asyncio.ensure_future(count_turns())
        await world.visits._drain()
        counting.cancel()

    asyncio.run(main())
    assert turns >= 20
