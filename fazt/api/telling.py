"""Where notifications meet the rest of the server: what the watch counts, and what runs in the background.

Rule: nothing is counted for it; it reads the counters that are there.
"""

from collections.abc import Coroutine
from dataclasses import dataclass

from fazt._speedups.pages import Pages
from fazt.api.call_log import CallLog
from fazt.notifications.notifications import Notifications
from fazt.notifications.watch import Served, Watch


@dataclass(frozen=True, slots=True)
class Telling:
    """The notifications of a server, and what watches for some of them."""

    notifications: Notifications
    watch: Watch

    def background(self) -> list[Coroutine[None, None, None]]:
        """Return what runs as long as the server does."""
        return [self.notifications.work(), self.watch.work()]


def served(pages: Pages, calls: CallLog) -> dict[str, Served]:
    """Return what each site answered since the start, and how much of it failed: requests, or runs of its functions.

    A failed call of a visitor is counted as both, so that the larger number counts.
    """
    found: dict[str, Served] = {}
    for state in pages.sites():
        totals = state.totals()
        found[state.name] = Served(totals.requests, totals.statuses[4])
    for name, (count, failed) in calls.totals().items():
        requests = found.get(name, Served(0, 0))
        found[name] = Served(max(requests.requests, count), max(requests.failures, failed))
    return found
