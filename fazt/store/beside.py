"""A database that another process writes, read beside it: what changed is asked for, and told to whoever follows.

Rule: where a restore has put another file in its place, nothing of the old one is told any more.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import apsw

from fazt.errors import StoreReplaced
from fazt.store import changes, faults
from fazt.store.changes import Change
from fazt.store.database import Database
from fazt.store.readers import Readers
from fazt.store.unwritable import NoWriter, check
from fazt.store.writer import Listener

log = logging.getLogger("fazt.store")


class OtherWriter(NoWriter):
    """Stands for the writer in the other process."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, faults.read_only)
        self.listeners: list[Listener] = []

    def follow(self, listener: Listener) -> None:
        """Tell a listener what has changed, when that is found out."""
        self.listeners.append(listener)


class Beside:
    """A database and what is known of its changes."""

    def __init__(self, path: Path, readers: int) -> None:
        """Open it. Raises: StoreCorrupt; StoreError where it is older or newer than this Fazt."""
        self._path, self._file = path, _file_at(path)
        is_frozen = check(path)
        self._writer = OtherWriter(path)
        self.database = Database(path, None, self._writer, Readers(path, readers, is_frozen=is_frozen))
        self._seen = self.database.read_blocking(changes.last)

    async def catch_up(self) -> Sequence[Change]:
        """Find out what has changed, and tell everybody; return it. Raises: StoreReplaced."""
        found = await self.database.read(self._look)
        if found:
            self._seen = found[-1].seq
            for listener in self._writer.listeners:
                try:
                    listener(found)
                except Exception:
                    log.exception("a follower of changes failed")
        return found

    def _look(self, connection: apsw.Connection) -> list[Change]:
        if _file_at(self._path) != self._file:
            raise StoreReplaced
        return changes.since(connection, self._seen)

    def close(self) -> None:
        """Close it."""
        self.database.close()


def _file_at(path: Path) -> tuple[int, int]:
    """Return which file lies there."""
    found = os.stat(path)
    return found.st_dev, found.st_ino
