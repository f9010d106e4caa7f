"""Threads for slow work, and whose turn it is: no site holds all of them, and none holds the event loop.

Rule: a thread counts for the site that took it until the work ends, also when nobody waits for the answer any more.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from fazt.errors import CryptoFailed

THREADS = 4
THREADS_OF_A_SITE = 2
MAX_ASKED = 1_000  # of one site, running and waiting
MAX_ASKED_BYTES = 134_217_728

T = TypeVar("T")


@dataclass(slots=True)
class _Share:
    """What one site runs and waits for; it is forgotten when that is nothing."""

    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(THREADS_OF_A_SITE))
    asked: int = 0
    bytes: int = 0


class Turns:
    """The threads and the sites that want them; used from the event loop only."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "fazt-crypto")
        self._shares: dict[int, _Share] = {}

    async def run(self, site_id: int, size: int, work: Callable[[], T]) -> T:
        """Return what `work` returns, run on a thread; `size` is the number of bytes that wait with it.

        Raises: CryptoFailed where the site has too much waiting already; whatever the work raises.
        """
        share = self._shares.setdefault(site_id, _Share())
        if share.asked >= MAX_ASKED or (share.asked and share.bytes + size > MAX_ASKED_BYTES):
            raise CryptoFailed("Too many operations of crypto.subtle at once: wait for some before you ask for more.")
        share.asked += 1
        share.bytes += size
        try:
            await share.free.acquire()
        except BaseException:
            self._leave(site_id, share, size)
            raise
        loop = asyncio.get_running_loop()

        def end() -> None:
            share.free.release()
            self._leave(site_id, share, size)

        def end_from_thread(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody counts any more
                loop.call_soon_threadsafe(end)

        future = self._threads.submit(work)
        future.add_done_callback(end_from_thread)
        return await asyncio.wrap_future(future)

    def _leave(self, site_id: int, share: _Share, size: int) -> None:
        share.asked -= 1
        share.bytes -= size
        if share.asked == 0:
            self._shares.pop(site_id, None)
