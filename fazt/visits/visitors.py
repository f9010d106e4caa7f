"""How many different visitors a site has, by the hour and the day.

A visitor is an address and a User-Agent, hashed with a salt that is made anew each UTC day and thrown away after it.
Rule: neither the salt nor a hash ever leaves this process's memory, so a restart begins a day's count of who is known
anew, and nobody can be followed from one day to the next.
"""

import secrets
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address

from fazt.visits.sketch import Sketch

HOURS_A_DAY = 24
SALT_BYTES = 16
HASH_BYTES = 8


class _Counting:
    """One hour or day of a site."""

    __slots__ = ("at", "sketch", "told")

    def __init__(self, at: int) -> None:
        self.at = at
        self.sketch = Sketch()
        self.told = 0

    def news(self) -> int:
        """Return how many came since the last call."""
        count = max(self.sketch.count(), self.told)
        news, self.told = count - self.told, count
        return news


class Visitors:
    """The sketches of all sites; what is new is told in numbers that add up."""

    def __init__(self) -> None:
        self._salt = b""
        self._day = -1
        self._days: dict[str, _Counting] = {}
        self._hours: dict[str, _Counting] = {}
        self._new_days: dict[tuple[str, int], int] = {}
        self._new_hours: dict[tuple[str, int], int] = {}
        self._touched: set[str] = set()

    def add(self, sites: tuple[str, ...], hour: int, client: str, agent: str) -> None:
        """Note a visitor of some sites at an hour."""
        day = hour // HOURS_A_DAY
        if day != self._day:
            for site in list(self._days):
                self.tell(site)
            self._days, self._hours = {}, {}
            self._day, self._salt = day, secrets.token_bytes(SALT_BYTES)
        text = f"{neighbourhood(client)}\n{agent}".encode("utf-8", "replace")
        hashed = int.from_bytes(blake2b(text, digest_size=HASH_BYTES, key=self._salt).digest(), "little")
        for site in sites:
            of_hour = self._hours.get(site)
            if of_hour is None or of_hour.at != hour:
                if of_hour is not None:
                    self.tell(site)
                of_hour = self._hours[site] = _Counting(hour)
            of_hour.sketch.add(hashed)
            of_day = self._days.get(site)
            if of_day is None:
                of_day = self._days[site] = _Counting(day)
            of_day.sketch.add(hashed)
            self._touched.add(site)

    def touched(self) -> list[str]:
        """Return the sites that anybody visited since this was asked last."""
        sites, self._touched = list(self._touched), set()
        return sites

    def tell(self, site: str) -> None:
        """Make what is new of a site ready to be taken."""
        for counting, news in ((self._hours.get(site), self._new_hours), (self._days.get(site), self._new_days)):
            if counting is not None and (count := counting.news()):
                news[site, counting.at] = news.get((site, counting.at), 0) + count

    def take(self) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]:
        """Return the new visitors by (site, hour) and by (site, day)."""
        taken = self._new_hours, self._new_days
        self._new_hours, self._new_days = {}, {}
        return taken


@lru_cache(maxsize=1024)
def neighbourhood(client: str) -> str:
    """Return what of an address stands for one visitor: of IPv6 the network, since devices change the rest often."""
    if ":" not in client:
        return client
    try:
        address = IPv6Address(client.partition("%")[0])
    except ValueError:
        return client
    return str(address.ipv4_mapped or int(address) >> 64)
