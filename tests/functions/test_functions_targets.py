"""What answers a host is kept until something changes, and never longer."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from live import Live, live

from fazt.store import sites

OnLoop = Callable[[Coroutine[Any, Any, Any]], Any]
SOURCE = "export const GET = () => new Response('%s');"


def test_what_was_read_before_a_change_is_not_kept_after_it(
    tmp_path: Path, on_loop: OnLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with live(tmp_path) as found:
            await found.deploy("one", {"api/f.js": SOURCE % "old"})
            read = found.database.read

            async def read_slowly(*arguments: Any) -> Any:
                monkeypatch.setattr(found.database, "read", read)
                value = await read(*arguments)
                await found.deploy("one", {"api/f.js": SOURCE % "new"})  # between the read and its use
                return value

            monkeypatch.setattr(found.database, "read", read_slowly)
            assert (await found.ask("one", "/api/f")).body == b"old"
            assert (await found.ask("one", "/api/f")).body == b"new"

    on_loop(test())


def test_a_site_that_is_removed_answers_no_more_and_its_number_is_not_given_out_again(
    tmp_path: Path, on_loop: OnLoop
) -> None:
    async def test(found: Live) -> None:
        await found.deploy("one", {"api/f.js": SOURCE % "here"})
        assert (await found.ask("one", "/api/f")).body == b"here"
        before = await found.database.read(sites.get, "one")
        await found.database.write(sites.remove, "one")
        assert (await found.ask("one", "/api/f")).status == 404
        await found.deploy("one", {"api/f.js": SOURCE % "another"})
        assert (await found.ask("one", "/api/f")).body == b"another"
        assert (await found.database.read(sites.get, "one")).id > before.id

    async def opened() -> None:
        async with live(tmp_path) as found:
            await test(found)

    on_loop(opened())
