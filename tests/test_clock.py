"""The machine's clock: it waits for an event, a time, or for being set."""

import asyncio
import time

import pytest

from fazt import clock as clock_module
from fazt.clock import SystemClock


def wait(event: asyncio.Event, until_ms: int | None) -> None:
    asyncio.run(SystemClock().wait(event, until_ms))


def test_an_event_ends_the_waiting() -> None:
    async def test(until_ms: int | None) -> None:
        event = asyncio.Event()
        waiting = asyncio.ensure_future(SystemClock().wait(event, until_ms))
        event.set()
        await waiting

    asyncio.run(test(None))
    asyncio.run(test(SystemClock().now_ms() + 3_600_000))


def test_who_is_cancelled_as_the_event_comes_is_cancelled() -> None:
    """With wait_for of Python 3.11 the cancellation is lost, and a server that stops in this moment never ends."""

    async def test() -> None:
        event = asyncio.Event()
        waiting = asyncio.ensure_future(SystemClock().wait(event, SystemClock().now_ms() + 3_600_000))
        await asyncio.sleep(0.01)
        event.set()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(test())


def test_a_time_ends_the_waiting() -> None:
    now = SystemClock().now_ms()
    wait(asyncio.Event(), now - 1)
    wait(asyncio.Event(), now + 20)
    assert SystemClock().now_ms() >= now + 20


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_clock_that_is_set_ends_the_waiting(monkeypatch: pytest.MonkeyPatch, jump_s: int) -> None:
    monkeypatch.setattr(clock_module, "LONGEST_WAIT_S", 0.001)
    real = time.time_ns
    jumped = []

    def set_after_a_while() -> int:
        jumped.append(1)
        return real() + (jump_s * 10**9 if len(jumped) > 6 else 0)

    monkeypatch.setattr(time, "time_ns", set_after_a_while)
    wait(asyncio.Event(), real() // 10**6 + 10 * 86_400_000)
    assert len(jumped) > 6
