"""Runners are copies of one isolate: what must differ between them, and what its driver keeps for itself."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from live import Live, live

With = Callable[[Callable[[Live], Coroutine[Any, Any, None]]], None]

DRAW = "export default () => Response.json([Math.random(), Math.random(), crypto.randomUUID()]);"


@pytest.fixture
def with_live(tmp_path: Path, on_loop: Callable[[Coroutine[Any, Any, None]], None]) -> With:
    def run(test: Callable[[Live], Coroutine[Any, Any, None]]) -> None:
        async def opened() -> None:
            async with live(tmp_path) as found:
                await test(found)

        on_loop(opened())

    return run


def test_no_site_draws_what_another_draws(with_live: With) -> None:
    async def test(found: Live) -> None:
        drawn = []
        for site in ("one", "two", "three"):
            await found.deploy(site, {"api/f.js": DRAW})
            drawn += (await found.ask(site, "/api/f")).json
        assert len(set(drawn)) == 9

    with_live(test)


def test_random_numbers_are_spread_evenly(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = """const counts = new Array(16).fill(0);
            for (let i = 0; i < 160000; i++) {
              const drawn = Math.random();
              if (!(drawn >= 0 && drawn < 1)) throw new Error(String(drawn));
              counts[Math.floor(drawn * 16)]++;
            }
            return counts;"""
        assert all(9_300 < count < 10_700 for count in await found.value(source))

    with_live(test)


def test_a_script_cannot_ask_for_a_collection(with_live: With) -> None:
    async def test(found: Live) -> None:
        assert await found.value("return [typeof gc, typeof __collect]") == ["undefined", "undefined"]

    with_live(test)


def test_one_site_s_globals_are_not_another_s(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = "globalThis.kept = (globalThis.kept ?? 0) + 1; export default () => Response.json(kept);"
        for site in ("one", "two"):
            await found.deploy(site, {"api/f.js": source})
            assert (await found.ask(site, "/api/f")).json == 1

    with_live(test)
