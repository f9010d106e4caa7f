"""How often an address may ask: so many at once, and so many a second on the average.

Rule: the number of addresses that are remembered is bounded; who was not seen for longest is forgotten first.
"""

from collections import OrderedDict
from collections.abc import Callable


class Allowances:
    """A bucket of tokens for each address (`now` is in seconds)."""

    def __init__(self, a_second: float, at_once: float, most: int, now: Callable[[], float]) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._most = most
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> tokens, as of when

    def take(self, address: str) -> bool:
        """Tell whether an address may ask now, and count that it does."""
        now = self._now()
        left, since = self._left.pop(address, (self._at_once, now))
        left = min(self._at_once, left + (now - since) * self._a_second)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return allowed
