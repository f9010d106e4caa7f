"""When what nothing uses any more is deleted: after a prune or a removal, and once an hour.

Rule: an upload under way is spared. What it sent belongs to no version yet and looks like what nothing uses.
"""

import asyncio
import logging

from fazt.errors import StoreError
from fazt.store import blobs, idempotency
from fazt.store.blobs import Collected
from fazt.store.database import Database, now_ms

log = logging.getLogger("fazt.collection")

FIRST_S = 60.0
EVERY_S = 3600.0
UPLOAD_MS = 3_600_000  # an upload that was quiet for so long is given up
BLOBS_AT_ONCE = 64  # in one write, so that others come in between


class Collector:
    """Deletes unused blobs and gives their room back to the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._uploads: dict[str, int] = {}  # site ("": not known) -> when it was last heard of
        self._waking = asyncio.Event()

    def upload_goes_on(self, site: str = "") -> None:
        """Note that contents were asked for, or came in."""
        self._uploads[site] = now_ms()

    def upload_ended(self, site: str) -> None:
        """Note that a version of the site was made of what came in."""
        self._uploads.pop(site, None)
        self._uploads.pop("", None)

    def wake(self) -> None:
        """Have what nothing uses any more deleted soon."""
        self._waking.set()

    async def collect(self) -> Collected:
        """Delete what nothing uses and nobody is sending; return how much that was."""
        given_up = now_ms() - UPLOAD_MS
        self._uploads = {site: heard_at for site, heard_at in self._uploads.items() if heard_at > given_up}
        return await self._collect(UPLOAD_MS if self._uploads else 0)

    async def run(self) -> None:
        """Collect once an hour and when woken, until the task is cancelled."""
        pause_s = FIRST_S
        while True:
            try:
                async with asyncio.timeout(pause_s):
                    await self._waking.wait()
            except TimeoutError:
                work = self._collect(UPLOAD_MS)  # nobody asked: who began to send before a restart is spared too
            else:
                self._waking.clear()
                work = self.collect()
            pause_s = EVERY_S
            try:
                await work
            except StoreError as error:
                log.warning("what nothing uses was not deleted: %s", error)
            except Exception:  # one bad round must not end all later ones
                log.exception("what nothing uses was not deleted")

    async def _collect(self, older_than_ms: int) -> Collected:
        await self._database.write(idempotency.sweep)
        count = size = 0
        while True:
            some = await self._database.write(blobs.collect, BLOBS_AT_ONCE, older_than_ms)
            count, size = count + some.blobs, size + some.bytes
            if some.blobs < BLOBS_AT_ONCE:
                break
        if count:
            await asyncio.to_thread(self._database.shrink)
        return Collected(count, size)
