"""`Watch`: raises the events that nobody raises by themselves: what went live, failures in a burst, a disk that fills.

Rule: it only looks at what is counted anyway, every few seconds and off the paths of requests.
"""

import asyncio
import contextlib
import logging
import shutil
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from fazt.errors import FaztError
from fazt.notifications.notifications import Notifications
from fazt.sites.builtin import SOURCE
from fazt.store import sites, versions
from fazt.store.changes import Change
from fazt.store.database import Database, now_ms

log = logging.getLogger("fazt.notifications")

LOOK_S = 10.0
WINDOW_S = 300.0
DISK_S = 600.0
ONE_IN = 50  # requests that fail: fewer are no burst, however many there are
BURST_EVERY_S = 3600.0
DISK_EVERY_S = 86_400.0
MOST_SITES = 10_000  # whose last deploy is remembered


@dataclass(frozen=True, slots=True)
class Served:
    """What a site has answered since the server started, and how much of it failed."""

    requests: int
    failures: int


@dataclass(frozen=True, slots=True)
class Live:
    """What a site shows, and since when."""

    version: str
    since: int
    source: str
    message: str
    files: int


class Watch:
    """Looks at one server."""

    def __init__(
        self,
        notifications: Notifications,
        database: Database,
        served: Callable[[], Mapping[str, Served]],
        *,
        burst: Callable[[], int],
        disk_low_percent: Callable[[], int],
        url: Callable[[str], str],
    ) -> None:
        """Take the counts by site, the settings, and the URL of a site."""
        self._notifications = notifications
        self._database = database
        self._served = served
        self._burst = burst
        self._disk_low_percent = disk_low_percent
        self._url = url
        self._began_ms = now_ms()
        self._told: OrderedDict[str, int] = OrderedDict()  # since when what was told of is live
        self._changed: set[str] = set()
        self._waking = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._seen: deque[tuple[float, Mapping[str, Served]]] = deque([(time.monotonic(), {})])
        self._disk_at = 0.0
        database.follow(self._on_changes)

    async def work(self) -> None:
        """Look until the task is cancelled."""
        looked_at = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._waking.wait()
            self._waking.clear()
            try:
                await self.look_at_deploys()
                if time.monotonic() - looked_at >= LOOK_S - 1:
                    looked_at = time.monotonic()
                    self.look_at_failures(looked_at)
                    await self._look_at_disk(looked_at)
            except (FaztError, OSError) as error:
                log.warning("the watch has to wait: %s", error)
            except Exception:  # one bad round must not end all later ones
                log.exception("the watch has to wait")

    # --- deploys ---

    def _on_changes(self, changes: Sequence[Change]) -> None:
        """Look at the sites that changed; called on the writing thread."""
        names = [change.key for change in changes if change.kind == "site"]
        if names:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._note, names)

    def _note(self, names: Sequence[str]) -> None:
        self._changed.update(names)
        self._waking.set()

    async def look_at_deploys(self) -> None:
        """Tell of what went live in the sites that changed."""
        names, self._changed = sorted(self._changed), set()
        for name, live in (await self._database.read(_find_live, names) if names else {}).items():
            if live.since < self._began_ms or self._told.get(name) == live.since or live.source == SOURCE:
                continue
            self._told[name] = live.since
            self._told.move_to_end(name)
            if len(self._told) > MOST_SITES:
                self._told.popitem(last=False)
            message = f"{live.message}\n" if live.message else ""
            text = f"{message}Version {live.version[:8]} ({live.files} files) is live at {self._url(name)}"
            self._notifications.notify("deploy", f"{name} was deployed", text, name)

    # --- failures ---

    def look_at_failures(self, now_s: float) -> None:
        """Tell of sites that failed much in the last minutes."""
        served = dict(self._served())
        self._seen.append((now_s, served))
        while len(self._seen) > 1 and now_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        before = self._seen[0][1]
        nothing = Served(0, 0)
        for name, now in served.items():
            was = before.get(name, nothing)
            failures, requests = now.failures - was.failures, now.requests - was.requests
            if failures >= self._burst() and failures * ONE_IN >= requests:
                minutes = int(WINDOW_S // 60)
                text = f"{failures} of {requests} requests and runs failed within {minutes} minutes.\nfazt logs {name}"
                subject = f"error_burst {name}"
                self._notifications.notify_once(subject, BURST_EVERY_S, "error_burst", f"{name} fails", text, name)

    # --- the disk ---

    async def _look_at_disk(self, now_s: float) -> None:
        if now_s < self._disk_at:
            return
        self._disk_at = now_s + DISK_S
        free, total = await asyncio.to_thread(_disk, self._database.path)
        self.look_at_disk(free, total)

    def look_at_disk(self, free: int, total: int) -> None:
        """Tell of a disk that fills."""
        if not total or free * 100 >= self._disk_low_percent() * total:
            return
        share = f"{free / 1e9:.1f} GB of {total / 1e9:.1f} GB are free ({free * 100 // total} %)."
        text = f"{share} When it is full nothing can be written; what is there is still served."
        self._notifications.notify_once("disk", DISK_EVERY_S, "disk", "The disk fills up", text)


def _disk(path: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(path)
    return usage.free, usage.total


def _find_live(connection: apsw.Connection, names: Sequence[str]) -> dict[str, Live]:
    """Return what is live of those sites that show anything."""
    found = {}
    for name in names:
        site = sites.find(connection, name)
        if site is not None and site.live_version is not None:
            version = versions.by_number(connection, site.live_version)
            found[name] = Live(version.id, site.live_since or 0, version.source, version.message, version.files)
    return found
