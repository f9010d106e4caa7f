"""The time of the wall, waiting for it, and looking again and again for what is due.

Rule: how long is waited, the monotonic clock says; whether it is time yet, the wall clock does. It is looked at now and
then, since a machine that was suspended or a clock that was set makes the two differ.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Never, Protocol

from fazt.errors import StoreError, StoreReadOnly
from fazt.store.clock import now_ms

LONGEST_WAIT_S = 30.0
JUMP_MS = 10_000  # by which the two clocks drift apart at once when one of them was set
TROUBLE_PAUSE_MS = 5000


class Clock(Protocol):
    """What tells the time; tests have one of their own."""

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970-01-01 UTC."""

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        """Return when the event is set, when it is `until_ms` (None: never), or when the clock was set."""


class SystemClock:
    """The clock of this machine."""

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970-01-01 UTC."""
        return now_ms()

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        """Return when the event is set, when it is `until_ms` (None: never), or when the clock was set."""
        if until_ms is None:
            await event.wait()
            return
        difference_ms = _difference_ms()
        while not event.is_set() and abs(_difference_ms() - difference_ms) < JUMP_MS:
            left_s = (until_ms - now_ms()) / 1000
            if left_s <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LONGEST_WAIT_S)):
                    await event.wait()


async def keep_looking(
    look: Callable[[], Awaitable[int | None]], waking: asyncio.Event, clock: Clock, log: logging.Logger
) -> Never:
    """Call `look` until the task is cancelled: when the event is set, and at the time that it returned (None: never).

    A look that fails is logged, the same trouble once, and repeated after TROUBLE_PAUSE_MS.
    """
    said = ""
    while True:
        waking.clear()
        try:
            until = await look()
            said = ""
        except StoreReadOnly:
            until = clock.now_ms() + TROUBLE_PAUSE_MS
        except StoreError as error:
            if error.message != said:
                said = error.message
                log.warning("all has to wait: %s", said)
            until = clock.now_ms() + TROUBLE_PAUSE_MS
        except Exception:  # one bad round must not end all later ones
            log.exception("all has to wait")
            until = clock.now_ms() + TROUBLE_PAUSE_MS
        await clock.wait(waking, until)


def _difference_ms() -> float:
    return time.time_ns() / 1e6 - time.monotonic_ns() / 1e6
