"""An edge in front of the rooms of one site, in this process or, as a program, in one of its own.

As a program it prints its port; then, for each line on stdin, how it is as JSON. A line that is not empty is first
published in the room that it names.
"""

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvloop
import websockets

from fazt._speedups.pages import Clock, Page, Pages
from fazt._speedups.statistics import AccessRing
from fazt.api.client_script import client_script_app
from fazt.api.rooms import RoomSite, rooms_app
from fazt.api.routing import by_path
from fazt.data.room_limits import RoomLimits
from fazt.data.rooms import Rooms
from fazt.edge.limits import Limits
from fazt.edge.listener import Edge
from fazt.sites.room_rules import read_rooms

SITE = 7
HOST = "chat.localhost"


async def resolve(host: str, path: bytes, query: bytes) -> Page | None:
    return None


class House:
    """An edge in front of the rooms of one site."""

    def __init__(self, page: str, rules: Any, **limits: Any) -> None:
        self.page = page
        self.rooms = Rooms(asyncio.get_running_loop().call_soon, RoomLimits(**limits))
        self.site = RoomSite("chat", SITE, 1, read_rooms({} if rules is None else {"rooms": rules}))
        app = by_path(
            [("/_fazt/room/", rooms_app(self.rooms, self.find)), ("/_fazt/client", client_script_app())],
            otherwise=self.answer,
        )
        self.clock = Clock()
        self.edge = Edge(resolve, app, pages=Pages(1 << 20), clock=self.clock, ring=AccessRing(), limits=Limits())

    async def find(self, host: str) -> RoomSite | None:
        return self.site if host == HOST else None

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.page.encode()})

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.edge.port}"

    def connect(self, room: str = "chat", query: str = "", origin: str | None = "", **options: Any) -> Any:
        if "sock" not in options:
            options["host"] = "127.0.0.1"
        return websockets.connect(
            f"ws://{HOST}:{self.edge.port}/_fazt/room/{room}{query}",
            origin=self.origin if origin == "" else origin,  # type: ignore[arg-type]
            proxy=None,
            **options,
        )


@contextlib.asynccontextmanager
async def serving(page: str = "", rules: Any = None, **limits: Any) -> AsyncIterator[House]:
    house = House(page, rules, **limits)
    try:
        await house.edge.listen_tcp("127.0.0.1", 0)
        yield house
    finally:
        await house.edge.stop(0)


async def tick(clock: Clock) -> None:
    while True:
        await asyncio.sleep(0.5)
        clock.tick()


async def main() -> None:
    async with serving(max_members=20_000) as house:
        ticking = asyncio.create_task(tick(house.clock))
        async with house.connect() as first:
            await first.recv()
        print(house.edge.port, flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            if room := line.strip().decode():
                house.rooms.publish(SITE, room, "hello")
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            told = {
                "memory": pages * os.sysconf("SC_PAGE_SIZE"),
                "cpu_s": time.process_time(),
                "at_s": time.monotonic(),
                "members": house.rooms.counts()[1],
                "delivering": bool(house.rooms._delivering),
            }
            print(json.dumps(told), flush=True)
        ticking.cancel()


if __name__ == "__main__":
    uvloop.run(main())
