"""Backups that are made by themselves, thinned out, and once a week proven by a drill.

Rule: trouble is told to the owner, and never stops the server; where there is no room for a backup, none is begun.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Never

from fazt.backups.boot import boot
from fazt.backups.shelf import Backup, Retention, Shelf
from fazt.clock import Clock, keep_looking
from fazt.errors import FaztError
from fazt.store.database import Database

log = logging.getLogger("fazt.backups")

LABEL = "by itself"
HOUR_MS = 3_600_000
DRILL_MS = 7 * 24 * HOUR_MS
AFTER_START_MS = 10 * 60_000  # a start is busy enough
AGAIN_MS = HOUR_MS  # after one that went wrong
LONGEST_MS = HOUR_MS  # until it is looked again: settings may have changed

Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How often a backup is made (0: never), and which of them stay."""

    every_h: int
    retention: Retention


class Schedule:
    """Makes backups when they are due; `tell(title, text)` is called where that goes wrong."""

    def __init__(self, database: Database, shelf: Shelf, plan: Callable[[], Plan], clock: Clock, tell: Tell) -> None:
        self._database = database
        self._shelf = shelf
        self._plan = plan
        self._clock = clock
        self._tell = tell
        self._waking = asyncio.Event()
        self._not_before = clock.now_ms() + AFTER_START_MS

    async def work(self) -> Never:
        """Do what is due, for ever."""
        await keep_looking(self.look, self._waking, self._clock, log)

    async def look(self) -> int | None:
        """Do what is due; return when to look again."""
        plan, now = self._plan(), self._clock.now_ms()
        if self._not_before - now > LONGEST_MS:  # the clock was set back: what is not due for so long never was
            self._not_before = now
        if now < self._not_before or plan.every_h == 0:
            return max(self._not_before, now + LONGEST_MS)
        backups = await asyncio.to_thread(self._shelf.list_all)
        made = [
            backup.header.made_at for backup in backups if backup.header.made_at <= now
        ]  # a clock may have been wrong
        if not any(at > now - plan.every_h * HOUR_MS for at in made):
            await self._try("The backup failed", self._make, plan)
        elif (due := _to_drill(backups, now)) is not None:
            await self._try("The drill failed", self._drill, due)
        return self._clock.now_ms() + min(LONGEST_MS, plan.every_h * HOUR_MS)

    async def _try(self, title: str, work: Callable[..., None], *args: object) -> None:
        try:
            await asyncio.to_thread(work, *args)
        except FaztError as error:
            self._not_before = self._clock.now_ms() + AGAIN_MS
            log.error("%s: %s", title, error.message)
            self._tell(title, error.message)

    def _make(self, plan: Plan) -> None:
        need = 2 * self._database.file_bytes()  # the copy, and at worst as much again for what is kept of it
        self._shelf.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(self._shelf.folder).free
        if free < need:
            text = f"A backup needs up to {need >> 20} MiB in {self._shelf.folder}; {free >> 20} MiB are free."
            self._tell("There is no room for a backup", text)
            self._not_before = self._clock.now_ms() + AGAIN_MS
            return
        self._shelf.create(LABEL)
        self._shelf.prune(plan.retention)

    def _drill(self, backup: Backup) -> None:
        proof = self._shelf.prove(backup, boot=boot)
        if proof.failed is not None:
            self._tell(f"The backup {backup.id} is of no use", proof.failed)


def _to_drill(backups: list[Backup], now: int) -> Backup | None:
    """Return the newest backup that can be proven without anybody, where no other was within a week."""
    if any(backup.proof is not None and backup.proof.at > now - DRILL_MS for backup in backups):
        return None
    return next((backup for backup in backups if not backup.header.is_encrypted), None)
