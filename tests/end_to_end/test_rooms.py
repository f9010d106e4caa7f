"""Rooms over real sockets: the library's own client, hostile ones, slow ones, very many, and a browser."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
import websockets
from room_server import HOST, SITE, House, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fazt.data.room_limits import RoomSettings

FULL = os.environ.get("FAZT_TEST_FULL") == "1"
CLIENTS = Path(__file__).with_name("room_clients.py")
SERVER = Path(__file__).with_name("room_server.py")
# A quiet machine needs half of either; a busy one must not fail.
MOST_CPU_US_A_DELIVERY = 40
MOST_BYTES_A_MEMBER = 14_000


def run(scenario: Callable[[], Awaitable[None]], timeout_s: float = 60) -> None:
    uvloop.run(asyncio.wait_for(scenario(), timeout_s))


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def next_of(client: Any, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(await client.recv())
        if message["type"] == kind:
            return message


async def say(client: Any, data: Any) -> None:
    await client.send(json.dumps({"type": "send", "data": data}))


def test_a_conversation_and_a_resumption() -> None:
    async def scenario() -> None:
        async with serving() as house, house.connect(query="?name=Ada") as ada:
            welcome = await next_of(ada, "welcome")
            assert not ada.protocol.extensions  # nothing is compressed, so that one frame is good for all
            async with house.connect(query="?name=Ben") as ben:
                await next_of(ben, "welcome")
                assert (await next_of(ada, "join"))["member"]["name"] == "Ben"
                await say(ben, "hello ä€😀")
                seen = await next_of(ada, "message")
                assert seen == await next_of(ben, "message")
                assert (seen["from"]["name"], seen["data"]) == ("Ben", "hello ä€😀")
            await next_of(ada, "leave")
            await say(ada, "while Ben was away")
            async with house.connect(query=f"?name=Ben&since={seen['seq']}") as ben:
                assert not (await next_of(ben, "welcome"))["missed"]
                assert (await next_of(ben, "message"))["data"] == "while Ben was away"
            assert welcome["you"]
        assert house.rooms.counts() == (1, 0)

    run(scenario)


def test_foreign_pages_get_no_websocket() -> None:
    async def scenario() -> None:
        async with serving() as house:
            for origin in ("http://evil.example", "null", f"http://{HOST}", None):
                with pytest.raises(InvalidStatus) as refused:
                    await house.connect(origin=origin)
                assert refused.value.response.status_code == 403
            with pytest.raises(InvalidStatus):
                await websockets.connect(
                    f"ws://other.localhost:{house.edge.port}/_fazt/room/chat", host="127.0.0.1", proxy=None
                )
        async with serving(rules={"chat": {"join": "anyone"}}) as house, house.connect(origin=None) as client:
            await next_of(client, "welcome")

    run(scenario)


async def closed_with(client: Any) -> int:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await client.recv()
    return int(client.close_code)


def test_hostile_members_cost_the_others_nothing() -> None:
    async def scenario() -> None:
        async with serving(rate_per_s=50, burst=50) as house, house.connect() as good:
            async with house.connect(compression=None) as binary:
                await binary.send(b"\x00\xff")
                assert await closed_with(binary) == 1003
            async with house.connect(compression=None) as huge:
                await huge.send("x" * 2_000_000)
                assert await closed_with(huge) == 1009
            async with house.connect() as rude:
                for text in ("{", '"x"', '{"type":"welcome"}', '{"type":"send"}', '{"type":"send","data":NaN}', ""):
                    await rude.send(text)
                    assert (await next_of(rude, "error"))["code"] == "invalid_input"
                await say(rude, "x" * 70_000)
                assert (await next_of(rude, "error"))["code"] == "too_large"
                await say(rude, "now well")
            assert (await next_of(good, "message"))["data"] == "now well"
            reader, writer = await asyncio.open_connection("127.0.0.1", house.edge.port)
            head = f"GET /_fazt/room/chat HTTP/1.1\r\nHost: {HOST}:{house.edge.port}\r\nOrigin: {house.origin}\r\n"
            writer.write(head.encode() + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + b"\xff" * 5_000)  # fmt: skip
            assert b" 101 " in await reader.read()
            writer.close()
            await say(good, "still here")
            assert (await next_of(good, "message"))["data"] == "still here"

    run(scenario)


def test_a_flood_is_held_back() -> None:
    """Who says too much is read more slowly, and what waits of it stays small."""

    async def scenario() -> None:
        async with serving(rate_per_s=20, burst=5) as house, house.connect() as good, house.connect() as flood:
            await next_of(flood, "welcome")
            began = time.monotonic()
            text = json.dumps({"type": "send", "data": "x" * 3_000})

            async def pour() -> None:
                for _ in range(20_000):
                    await flood.send(text)

            pouring = asyncio.create_task(pour())
            for _ in range(20):
                await next_of(good, "message")
            assert time.monotonic() - began > 0.7
            await say(good, "heard")
            while (await next_of(good, "message"))["data"] != "heard":
                pass
            assert not pouring.done()
            assert time.monotonic() - began < 10
            pouring.cancel()
            flood.transport.abort()

    run(scenario)


def test_a_slow_reader_is_dropped_with_a_code_and_the_others_get_everything() -> None:
    async def scenario() -> None:
        async with serving(rules={"chat": {"history": 0}}) as house, house.connect(max_queue=None) as good:
            await next_of(good, "welcome")
            with socket.socket() as plain:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                plain.setblocking(False)
                await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", house.edge.port))
                slow = await house.connect(sock=plain, max_queue=1)
                await next_of(slow, "welcome")
                slow.transport.pause_reading()
                sent = 0
                while house.rooms.counts()[1] == 2 and sent < 2_000:
                    house.rooms.publish(SITE, "chat", [sent, "x" * 30_000], RoomSettings(history=0))
                    assert (await next_of(good, "message"))["data"][0] == sent
                    sent += 1
                assert 8 < sent < 2_000
                house.rooms.publish(SITE, "chat", ["last"], RoomSettings(history=0))
                assert (await next_of(good, "message"))["data"] == ["last"]
                slow.transport.resume_reading()
                assert await closed_with(slow) == 1013

    run(scenario)


@contextlib.asynccontextmanager
async def program(*arguments: object) -> AsyncIterator[Any]:
    """Run a program of these tests that ends with its stdin."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *map(str, arguments), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def many(port: int, room: str, count: int) -> AsyncIterator[Callable[[], Awaitable[tuple[int, int]]]]:
    """Let many members into a room from another process; gives the function that counts what they got."""
    async with program(CLIENTS, port, room, count) as process:

        async def counts() -> tuple[int, int]:
            process.stdin.write(b"\n")
            total, fewest = (await process.stdout.readline()).split()
            return int(total), int(fewest)

        assert await process.stdout.readline() == b"ready\n"
        yield counts


@pytest.mark.slow
def test_a_thousand_members_and_ten_messages_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    members, seconds, rate = 1_000, 5, 10

    async def scenario() -> None:
        async with serving() as house, many(house.edge.port, "chat", members) as counts:
            loop = asyncio.get_running_loop()
            # What joining left to be done is no part of it.
            await until(lambda: not house.rooms._delivering)
            before, began = time.process_time(), loop.time()
            waits = []
            for number in range(rate * seconds):
                house.rooms.publish(SITE, "chat", {"number": number, "text": "a message as people write them"})
                put = loop.time()
                await until(lambda: not house.rooms._delivering)
                waits.append(loop.time() - put)
                await asyncio.sleep(max(0.0, began + (number + 1) / rate - loop.time()))
            cpu_us = (time.process_time() - before) / (members * rate * seconds) * 1e6
            async with asyncio.timeout(10):
                while (got := await counts()) != (members * rate * seconds, rate * seconds):
                    assert got[0] <= members * rate * seconds
                    await asyncio.sleep(0.05)
            assert house.rooms.counts() == (1, members)
            worst_ms = max(waits) * 1_000
            with capsys.disabled():
                print(f"\nrooms: {cpu_us:.1f} us of CPU a delivery, all of them handed over in {worst_ms:.0f} ms")
            assert cpu_us < MOST_CPU_US_A_DELIVERY

    run(scenario, 120)


@pytest.mark.slow
def test_idle_members(capsys: pytest.CaptureFixture[str]) -> None:
    members = 10_000 if FULL else 1_000

    async def scenario() -> None:
        async with program(SERVER) as server:
            port = int(await server.stdout.readline())

            async def look(publish: str = "") -> Any:
                server.stdin.write(f"{publish}\n".encode())
                return json.loads(await server.stdout.readline())

            before = await look()
            async with many(port, "hall", members) as counts:
                joined = await look()
                while joined["delivering"]:
                    joined = await look()
                await asyncio.sleep(25 if FULL else 2)  # in full: until each was asked whether it is there
                idle = await look()
                await look("hall")
                async with asyncio.timeout(30):
                    while await counts() != (members, 1):
                        await asyncio.sleep(0.05)
            each = (idle["memory"] - before["memory"]) / members
            joining_us = (joined["cpu_s"] - before["cpu_s"]) / members * 1e6
            share = (idle["cpu_s"] - joined["cpu_s"]) / (idle["at_s"] - joined["at_s"])
            with capsys.disabled():
                told = f"{each:,.0f} bytes each, {joining_us:.0f} us of CPU to join, {share:.2%} of a CPU to be idle"
                print(f"\nrooms: {members:,} idle members: {told}")
            assert idle["members"] == members
            assert each < MOST_BYTES_A_MEMBER
            async with asyncio.timeout(60):
                while (await look())["members"]:
                    await asyncio.sleep(0.05)

    run(scenario, 280)


PAGE = """<!doctype html><title>Chat</title>
<script src="/_fazt/client.classic.js"></script>
<script type="module">
import { room } from "/_fazt/client.js";
const log = fazt.room("log", { name: "classic", history: false });
const chat = room("chat", { name: "browser", data: { colour: "red" } });
const tell = (...words) => log.send(words);
chat.on("open", () => tell("open", chat.me !== null, chat.members.map(({ name }) => name)));
chat.on("message", ({ seq, from, data }) => tell("message", from, data));
chat.on("direct", (data) => tell("direct", data));
chat.on("join", ({ name }) => tell("join", name));
chat.on("away", ({ code }) => { tell("away", code, chat.send("queued")); chat.setPresence("back"); });
chat.on("close", ({ code }) => tell("close", code, chat.send("late"), chat.state));
</script>"""


@pytest.mark.slow
def test_a_browser(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: tools/test installs it as root")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

    async def scenario() -> None:
        async with serving(PAGE) as house:

            def told() -> list[Any]:
                return [message["data"] for message in house.rooms.history(SITE, "log")]

            def browser() -> dict[str, Any]:
                (found,) = house.rooms.members(SITE, "chat")
                return found

            house.rooms.publish(SITE, "chat", "before")
            process = await asyncio.create_subprocess_exec(
                chromium, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--remote-debugging-port=0",
                f"{house.origin}/", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                await until(lambda: len(told()) >= 2, 40)
                assert sorted(told(), key=str) == [["message", None, "before"], ["open", True, ["browser"]]]
                assert browser()["data"] == {"colour": "red"}
                house.rooms.send_to(SITE, "chat", browser()["id"], "psst")
                await until(lambda: ["direct", "psst"] in told())
                member = next(iter(house.rooms.find(SITE, "chat").members.values()))  # type: ignore[union-attr]
                house.rooms._drop(member)
                house.rooms.publish(SITE, "chat", "missed")
                await until(lambda: ["message", {"id": browser_id(house), "name": "browser"}, "queued"] in told())
                assert [line for line in told() if line[0] == "away"] == [["away", 1013, True]]
                assert told().count(["message", None, "before"]) == 1
                assert told().count(["message", None, "missed"]) == 1
                assert browser()["data"] == "back"
                house.rooms.remove(SITE, "chat", browser()["id"])
                await until(lambda: ["close", 4410, False, "closed"] in told())
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()

    run(scenario, 120)


def browser_id(house: House) -> str:
    return next(iter(house.rooms.members(SITE, "chat")), {"id": ""})["id"]  # type: ignore[return-value]
