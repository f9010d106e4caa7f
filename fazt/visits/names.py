"""What visitors send -> names that may be counted and shown: paths, hosts of referrers, names of events.

Rule: what comes out is short and has no control character, whatever came in; it is still text of a stranger, and
whoever shows it escapes it.
"""

import re
from urllib.parse import unquote

from fazt._speedups.hosts import normalise
from fazt.store.visits import OTHERS

LONGEST_NAME = 200
LONGEST_EVENT = 64
MOST_OF_A_KIND = 300  # names of a site, day and kind that wait to be written
MOST_WAITING = 5_000  # of all sites
_WEB = re.compile(r"https?://([^/?#\\]{1,300})", re.IGNORECASE)

Kind = tuple[str, int, str]  # site, day, kind


def clean(text: str, longest: int = LONGEST_NAME) -> str:
    """Return text without control and other unprintable characters, cut."""
    return "".join(character for character in text[: 4 * longest] if character.isprintable())[:longest]


def page_name(path: str) -> str:
    """Return a path of a request as people write it."""
    name = clean(unquote(path[: 4 * LONGEST_NAME], errors="replace"))
    return name if name.startswith("/") else f"/{name}"[:LONGEST_NAME]


def referrer_host(referrer: str) -> str:
    """Return the normalised host of a referrer, "" where it is no web page."""
    found = _WEB.match(referrer)
    if found is None:
        return ""
    host = normalise(found[1].rpartition("@")[2].encode("ascii", "replace"))
    return "" if host is None else host[:LONGEST_NAME]


class Names:
    """How often names came, by site, day and kind: a bounded number of them, the rest in one."""

    def __init__(self) -> None:
        self._counts: dict[Kind, dict[str, float]] = {}
        self._held = 0

    def add(self, kind: Kind, name: str, times: float) -> None:
        """Count a name."""
        counts = self._counts.setdefault(kind, {})
        if name not in counts:
            if name != OTHERS and (len(counts) >= MOST_OF_A_KIND or self._held >= MOST_WAITING):
                self.add(kind, OTHERS, times)
                return
            self._held += 1
        counts[name] = counts.get(name, 0.0) + times

    def take(self) -> dict[Kind, dict[str, float]]:
        """Return what was counted, and begin anew."""
        taken, self._counts, self._held = self._counts, {}, 0
        return taken
