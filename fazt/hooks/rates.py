"""How often something may happen: a bucket of tokens for each key, filled again as time goes by.

Rule: memory is bounded; a key that was not seen for longest is forgotten, which at worst lets it begin anew.
"""

from collections import OrderedDict
from collections.abc import Hashable

MOST_KEYS = 10_000


class Rates:
    """Buckets that hold `burst` tokens each and gain `per_s` of them a second."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # tokens, and when there were so many

    def take(self, key: Hashable, now_s: float) -> float:
        """Take a token and return 0; where there is none, return the seconds until there is one."""
        tokens, since = self._buckets.pop(key, (self._burst, now_s))
        tokens = min(self._burst, tokens + max(0.0, now_s - since) * self._per_s)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self._per_s
        self._buckets[key] = (tokens if wait_s else tokens - 1, now_s)
        if len(self._buckets) > MOST_KEYS:
            self._buckets.popitem(last=False)
        return wait_s
