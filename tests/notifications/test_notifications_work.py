"""Events on their way: to a real receiver that takes them, fails, stalls, redirects, or answers without an end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import orjson
import pytest
from receiver import HUGE, OK, Receiver, answer

from fazt.errors import StorageFull
from fazt.notifications import notifications as module
from fazt.notifications.events import KINDS
from fazt.notifications.notifications import LIMITS, PAUSES_S, Notifications, pause_ms
from fazt.outbound.client import Outbound
from fazt.store import notifications as store
from fazt.store.database import Database
from fazt.store.notifications import Channel, Notice

TIMEOUT_S = 20


class HandClock:
    """A clock that stands still until a test moves it on; it says when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_000
        self.moved = asyncio.Event()
        self.waiting = asyncio.Event()
        self.until: int | None = None

    def now_ms(self) -> int:
        return self.now

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        self.until = until_ms
        while not event.is_set() and (until_ms is None or self.now < until_ms):
            self.waiting.set()
            self.moved.clear()
            waiting = [asyncio.ensure_future(each.wait()) for each in (event, self.moved)]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
        self.waiting.clear()

    def move(self, seconds: float) -> None:
        self.now += int(seconds * 1000)
        self.moved.set()


class World:
    def __init__(self, database: Database, limits: Any = LIMITS, *, private: bool = True) -> None:
        self.database = database
        self.clock = HandClock()
        networks = (ip_network("127.0.0.0/8"),) if private else ()
        self.made = 0
        self.receivers: list[Receiver] = []

        def make_outbound() -> Outbound:
            self.made += 1
            return Outbound(allowed_networks=networks, limits=limits)

        self.notifications = Notifications(database, make_outbound, self.clock, "example.org")
        self.task: asyncio.Task[None] | None = None

    async def receiver(self, *answers: bytes) -> Receiver:
        self.receivers.append(await Receiver(list(answers)).start())
        return self.receivers[-1]

    async def channel(self, url: str, name: str = "phone", kind: Any = "webhook", **more: Any) -> Channel:
        values = {"secret": b"s3cret", "events": KINDS, "enabled": True} | more
        return await self.database.write(
            store.add, name, kind, url, values["secret"], values["events"], values["enabled"]
        )

    def begin(self) -> None:
        self.task = asyncio.create_task(self.notifications.work())

    async def end(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None
        await self.notifications.close()

    async def notices(self, channel: Channel) -> list[Notice]:
        return await self.database.read(store.list_notices, channel, None, 1000)

    async def until(self, channel: Channel, wanted: Callable[[list[Notice]], bool]) -> list[Notice]:
        """Wait until the log of a channel is as it should be."""
        while not wanted(found := await self.notices(channel)):
            await asyncio.sleep(0)
        return found

    async def ended(self, channel: Channel, attempts: int) -> Notice:
        found = await self.until(channel, lambda found: bool(found) and found[0].attempts >= attempts)
        return found[0]


@asynccontextmanager
async def world(path: Path, limits: Any = LIMITS, **more: Any) -> AsyncIterator[World]:
    database = Database.open(path / "data.db")
    made = World(database, limits, **more)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield made
    finally:
        await made.end()
        for each in made.receivers:
            await each.stop()
        database.close()


def run(path: Path, test: Callable[[World], Awaitable[None]], limits: Any = LIMITS, **more: Any) -> None:
    async def whole() -> None:
        async with world(path, limits, **more) as made:
            await test(made)

    asyncio.run(whole())


def test_an_event_reaches_who_wants_it(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(OK)
        phone = await world.channel(receiver.url)
        other = await world.channel(receiver.url, "other", events=("disk",))
        off = await world.channel(receiver.url, "off", enabled=False)
        world.begin()
        world.notifications.notify("deploy", "blog was deployed", "Version 1", "blog")
        notice = await world.ended(phone, 1)
        assert (notice.state, notice.status, notice.answer, notice.error) == ("sent", 200, "thanks", None)
        (received,) = receiver.received
        assert received.line == "POST /topic HTTP/1.1"
        assert orjson.loads(received.body)["title"] == "blog was deployed"
        assert received.headers["Fazt-Delivery"] == notice.id
        assert await world.notices(other) == await world.notices(off) == []

    run(tmp_path, test)


def test_an_ntfy_topic(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(OK)
        phone = await world.channel(receiver.url, kind="ntfy", secret=None)
        world.begin()
        world.notifications.notify("error_burst", "blög fails\r\nX-Evil: 1", "5 of 5", "blog")
        await world.ended(phone, 1)
        (received,) = receiver.received
        assert received.headers["Title"].startswith("=?UTF-8?B?")
        assert "X-Evil" not in received.headers
        assert received.body == b"5 of 5"

    run(tmp_path, test)


def test_what_fails_is_tried_again_later_and_given_up_in_the_end(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(answer("503 Busy", b"no\x00\x1b"))
        phone = await world.channel(receiver.url)
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        for attempt, pause_s in enumerate(PAUSES_S, 1):
            notice = await world.ended(phone, attempt)
            assert (notice.state, notice.status, notice.answer) == ("waiting", 503, "no\ufffd\ufffd")
            assert notice.due_at is not None
            assert pause_s * 750 <= notice.due_at - world.clock.now <= pause_s * 1250
            await world.clock.waiting.wait()
            world.clock.move(pause_s * 1.25)
        notice = await world.ended(phone, len(PAUSES_S) + 1)
        assert (notice.state, notice.due_at) == ("failed", None)
        assert len(receiver.received) == len(PAUSES_S) + 1
        assert len({received.headers["Fazt-Delivery"] for received in receiver.received}) == 1

    run(tmp_path, test)


def test_what_fails_once_is_sent_at_last(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(answer("500 Oops"), OK)
        phone = await world.channel(receiver.url)
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        await world.ended(phone, 1)
        await world.clock.waiting.wait()
        world.clock.move(PAUSES_S[0] * 1.25)
        assert (await world.ended(phone, 2)).state == "sent"

    run(tmp_path, test)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        elsewhere = await world.receiver(OK)
        receiver = await world.receiver(answer("302 Found", b"", f"Location: {elsewhere.url}"))
        phone = await world.channel(receiver.url)
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        notice = await world.ended(phone, 1)
        assert (notice.state, notice.status) == ("waiting", 302)
        assert notice.error == "It answered with status 302, a redirect."
        assert elsewhere.received == []

    run(tmp_path, test)


def test_who_stalls_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        slow, quick = await world.receiver(b""), await world.receiver(OK)
        stalled = await world.channel(slow.url, "stalled")
        phone = await world.channel(quick.url)
        world.begin()
        for number in range(3):
            world.notifications.notify("deploy", f"{number}", "b")
        await world.until(phone, lambda found: [each.state for each in found] == ["sent"] * 3)
        notice = (await world.until(stalled, lambda found: found[-1].attempts == 1))[-1]
        assert notice.error is not None
        assert "took too long" in notice.error

    run(tmp_path, test, replace(LIMITS, total_s=0.5))


def test_an_answer_without_an_end_is_not_read_to_it(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(HUGE)
        phone = await world.channel(receiver.url)
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        notice = await world.ended(phone, 1)
        assert (notice.state, notice.answer) == ("sent", "x" * module.ANSWER_CHARACTERS)
        assert receiver.huge_sent < 64 << 20

    run(tmp_path, test)


def test_nobody_there(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(OK)
        await receiver.stop()
        phone = await world.channel(receiver.url)
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        notice = await world.ended(phone, 1)
        assert (notice.state, notice.status, notice.attempts) == ("waiting", None, 1)
        assert notice.error is not None
        assert "could not be fetched" in notice.error

    run(tmp_path, test)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1234/", "http://169.254.169.254/latest", "http://[::1]:1234/"])
def test_private_addresses_are_refused_and_the_setting_is_named(tmp_path: Path, url: str) -> None:
    async def test(world: World) -> None:
        phone = await world.channel(url)
        notice = await world.notifications.test(phone)
        assert (notice.state, notice.status) == ("failed", None)
        assert notice.error is not None
        assert "notifications_private" in notice.error

    run(tmp_path, test, private=False)


def test_a_test_is_sent_at_once_and_only_once(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(answer("400 No"))
        phone = await world.channel(receiver.url, events=("disk",), enabled=True)
        world.begin()
        notice = await world.notifications.test(phone)
        assert (notice.event, notice.state, notice.status, notice.attempts) == ("test", "failed", 400, 1)
        assert len(receiver.received) == 1

    run(tmp_path, test)


def test_what_waits_outlives_the_process(tmp_path: Path) -> None:
    """A notice that was under way when everything ended is sent by the next process."""

    async def first(world: World) -> None:
        receiver = await world.receiver(b"")
        await world.channel(receiver.url)
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        await receiver.arrived.wait()

    async def second(world: World) -> None:
        receiver = await world.receiver(OK)
        phone = await world.database.read(store.get, "phone")
        await world.database.write(store.change, phone, receiver.url, None, phone.events, True)
        (before,) = await world.notices(phone)
        assert (before.state, before.attempts) == ("waiting", 0)
        world.begin()
        after = await world.ended(phone, 1)
        assert (after.id, after.state) == (before.id, "sent")

    run(tmp_path, first)
    run(tmp_path, second)


def test_an_event_that_the_store_refuses_is_written_down_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, refusals = module._tell, 1

    def refuse_once(*arguments: Any) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise StorageFull("The disk is full.")
        tell(*arguments)

    async def test(world: World) -> None:
        receiver = await world.receiver(OK)
        phone = await world.channel(receiver.url)
        monkeypatch.setattr(module, "_tell", refuse_once)
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        while refusals:
            await asyncio.sleep(0)
        await world.clock.waiting.wait()
        world.clock.move(10)
        assert (await world.ended(phone, 1)).state == "sent"

    run(tmp_path, test)


def test_a_subject_is_told_once_in_a_while(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(OK)
        phone = await world.channel(receiver.url)
        world.begin()
        for subject in ("blog", "blog", "shop", "blog"):
            world.notifications.notify_once(subject, 3600, "error_burst", subject, "")
        await world.until(phone, lambda found: [each.state for each in found] == ["sent"] * 2)
        await world.clock.waiting.wait()
        world.clock.move(3601)
        world.notifications.notify_once("blog", 3600, "error_burst", "blog", "")
        await world.until(phone, lambda found: [each.state for each in found] == ["sent"] * 3)

    run(tmp_path, test)


def test_a_channel_that_goes_or_is_switched_off_meanwhile(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(b"")
        phone = await world.channel(receiver.url)
        gone = await world.channel(receiver.url, "gone")
        world.begin()
        world.notifications.notify("deploy", "a", "b")
        while len(receiver.received) < 2:
            await asyncio.sleep(0)
        await world.database.write(store.remove, gone.name)
        await world.database.write(store.change, phone, phone.url, None, phone.events, False)
        assert [each.state for each in await world.notices(phone)] == ["failed"]
        while world.notifications._sending:
            await asyncio.sleep(0)
        assert [each.error for each in await world.notices(phone)] == [store.SWITCHED_OFF]
        assert await world.notices(gone) == []

    run(tmp_path, test, replace(LIMITS, total_s=0.5))


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEEP_DELIVERIES", 5)
    monkeypatch.setattr(store, "MOST_WAITING", 3)

    async def test(world: World) -> None:
        receiver = await world.receiver(OK)
        phone = await world.channel(receiver.url)
        world.begin()
        for number in range(9):
            world.notifications.notify("deploy", f"{number}", "b")
            while len(receiver.received) <= number:
                await asyncio.sleep(0)
            await world.until(phone, lambda found: all(each.state == "sent" for each in found))
        assert len(await world.notices(phone)) == 5
        await world.database.write(store.trim, world.clock.now + store.KEEP_MS + 1)
        assert await world.notices(phone) == []
        await world.end()
        for _ in range(9):
            await world.database.write(
                module._tell, [module._Raised(world.notifications._event("deploy", "a", "", None))]
            )
        assert len(await world.notices(phone)) == 3

    run(tmp_path, test)


def test_settings_that_change_count_for_the_next_request(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        receiver = await world.receiver(OK)
        phone = await world.channel(receiver.url)
        for made in (1, 1, 2):
            if made == 2:
                world.notifications.renew()
            assert (await world.notifications.test(phone)).state == "sent"
            assert world.made == made

    run(tmp_path, test)


def test_what_is_no_event_is_a_fault_of_the_code(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        with pytest.raises(ValueError, match="no event"):
            world.notifications.notify("party", "a", "b")  # type: ignore[arg-type]

    run(tmp_path, test)


def test_pauses_lie_around_what_is_planned() -> None:
    for attempts, pause_s in enumerate(PAUSES_S, 1):
        pauses = {pause_ms(attempts) for _ in range(50)}
        assert len(pauses) > 1
        assert all(pause_s * 750 <= pause <= pause_s * 1250 for pause in pauses)
