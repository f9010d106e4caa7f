"""What open pages are told: changes once, traffic each second, and nothing of sites that their user may not read."""

import asyncio
from typing import Any

import orjson
import pytest
from api_calls import Api, make_scope

from fazt.api import events
from fazt.store import changes


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "TICK_S", 0.02)


async def listen(api: Api, token: str, ticks: int, act: Any) -> list[tuple[str, Any]]:
    """Return the events of so many ticks; `act` is called once the stream is open."""
    api.history._stopped.clear()
    told: list[tuple[str, Any]] = []
    gone = asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        body = bytes(message.get("body", b""))
        if body.startswith(b"retry"):
            act()
        for block in body.split(b"\n\n"):
            if block.startswith(b"event: "):
                name, data = block.split(b"\n")
                told.append((name[7:].decode(), orjson.loads(data[6:])))
        if [name for name, _ in told].count("traffic") >= ticks:
            api.history._stopped.set()
            gone.set()

    fields = [("authorization", f"Bearer {token}")]
    await asyncio.wait_for(api.app(make_scope("GET", "/api/events", fields, None), receive, send), 20)
    return told


def test_changes_and_traffic(api: Api) -> None:
    for site in ("blog", "shop"):
        api.deploy(site, {"index.html": b"1"})

    def act() -> None:
        api.pages.site("blog").count(200, 10, 1000, True)
        api.pages.site("shop").count(500, 20, 1000, True)
        for _ in range(3):
            api.database.write_blocking(changes.add, "site", "blog")

    told = api.runner.run(listen(api, api.token("read"), 4, act))
    assert ("change", {"kind": "site", "key": "blog"}) in told
    served = [value["sites"] for name, value in told if name == "traffic" and value["sites"]]
    assert served == [
        {"blog": {"requests": 1, "bytes": 10, "errors": 0}, "shop": {"requests": 1, "bytes": 20, "errors": 1}}
    ]
    assert all("memory_bytes" in value for name, value in told if name == "traffic")


def test_who_may_read_one_site_learns_of_no_other(api: Api) -> None:
    for site in ("blog", "shop"):
        api.deploy(site, {"index.html": b"1"})

    def act() -> None:
        api.pages.site("shop").count(200, 10, 1000, True)
        api.database.write_blocking(changes.add, "site", "shop")
        api.database.write_blocking(changes.add, "setting", "domain")

    told = api.runner.run(listen(api, api.token("read", site="blog"), 3, act))
    assert [name for name, _ in told] == ["traffic"] * 3
    assert all(value == {"sites": {}} for _, value in told)


def test_who_does_not_keep_up_is_told_to_load_anew(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 5)
    monkeypatch.setattr(events, "TICK_S", 0.3)

    def act() -> None:
        for number in range(20):
            api.database.write_blocking(changes.add, "site", f"site{number}")

    told = api.runner.run(listen(api, api.token("read"), 2, act))
    assert ("change", {"kind": "all", "key": ""}) in told
    assert sum(name == "change" for name, _ in told) == 1
