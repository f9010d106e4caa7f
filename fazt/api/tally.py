"""Counts that visitors raise: kept in memory by number, written to the store in batches.

Rule: however often something is counted, it costs one write every few seconds; what was counted in the last of them is
lost where the process is killed.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import apsw

from fazt.errors import StoreError, StoreReadOnly
from fazt.store.database import Database, now_ms

log = logging.getLogger("fazt.tally")

WRITE_S = 5.0

# Takes how many, when the last one was, and the number of what was counted.
Write = Callable[[apsw.Connection, Sequence[tuple[int, int, int]]], None]


class Tally:
    """Counts of things that have numbers in the store; so many at most as there are of them."""

    def __init__(self, database: Database, write: Write) -> None:
        self._database = database
        self._write = write
        self._counts: dict[int, tuple[int, int]] = {}
        self._writing: dict[int, tuple[int, int]] = {}

    def count(self, number: int) -> None:
        """Count one."""
        self._counts[number] = (self._counts.get(number, (0, 0))[0] + 1, now_ms())

    def waiting(self, number: int) -> tuple[int, int]:
        """Return how many are not written yet, and when the last of them was; 0 where there is none."""
        counted, last = self._counts.get(number, (0, 0))
        writing, last_writing = self._writing.get(number, (0, 0))
        return counted + writing, max(last, last_writing)

    @property
    def is_waiting(self) -> bool:
        """Whether something was counted that is not written yet."""
        return bool(self._counts)

    async def flush(self) -> None:
        """Write down what was counted; what the store refuses now is tried again the next time."""
        if not self._counts or self._writing:
            return
        self._writing, self._counts = self._counts, {}
        try:
            found = [(count, last, number) for number, (count, last) in self._writing.items()]
            await self._database.write(self._write, found)
        except StoreError as error:
            if not isinstance(error, StoreReadOnly):
                log.warning("counts wait in memory: %s", error)
            for number, (count, last) in self._writing.items():
                newer, newest = self._counts.get(number, (0, 0))
                self._counts[number] = (count + newer, max(last, newest))
        finally:
            self._writing = {}

    async def run(self) -> None:
        """Write every few seconds, until the task is cancelled."""
        while True:
            await asyncio.sleep(WRITE_S)
            try:
                await self.flush()
            except Exception:  # one bad write must not end the counting
                log.exception("counts were not written")
