"""How often somebody may guess: by address, and by account.

An address has a few free failures, then pauses that double. An account that is guessed at from everywhere makes all
addresses wait but those that it was signed in from before, so that nobody can lock its owner out. Rule: what is
remembered is bounded, whatever strangers send.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from fazt.errors import TooManyAttempts

FREE = 5
FREE_OF_ACCOUNT = 20
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 900.0
FORGET_S = 3600.0
MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


def neighbourhood(address: str) -> str:
    """Return what an address is counted under: an IPv6 client has a /64 at least (RFC 6177)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


class Attempts:
    """Counts failures and says who must wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def check(self, address: str, account: str | None = None, *, known: bool = False) -> None:
        """Let an attempt pass that need not wait; `known`: the account was signed in from this address before.

        Raises: TooManyAttempts, with the seconds to wait.
        """
        waits = [self._wait_s(("address", neighbourhood(address)), FREE)]
        if account is not None and not known:
            waits.append(self._wait_s(("account", account), FREE_OF_ACCOUNT))
        seconds = int(max(waits)) + 1 if max(waits) > 0 else 0
        if seconds:
            raise TooManyAttempts(f"Too many attempts; try again in {seconds} seconds.", retry_after_s=seconds)

    def begin(self, address: str, account: str | None = None) -> int:
        """Count an attempt as failed before its outcome is known; return how many this address has had.

        So a hundred at the same time are a hundred, not one.
        """
        if account is not None:
            self._count(("account", account))
        return self._count(("address", neighbourhood(address)))

    def succeeded(self, address: str, account: str | None = None) -> None:
        """Take back what `begin` counted, and forget the failures of an address that got it right."""
        self._failures.pop(("address", neighbourhood(address)), None)
        if account is not None and (failures := self._failures.get(("account", account))) is not None:
            failures.count -= 1

    def _count(self, key: tuple[str, str]) -> int:
        now = self._clock()
        failures = self._failures.setdefault(key, _Failures())
        if now - failures.last > FORGET_S:
            failures.count = 0
        failures.count += 1
        failures.last = now
        self._failures.move_to_end(key)
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)
        return failures.count

    def _wait_s(self, key: tuple[str, str], free: int) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.count < free:
            return 0.0
        pause = min(FIRST_PAUSE_S * 2.0 ** min(failures.count - free, 20), LONGEST_PAUSE_S)
        return max(0.0, failures.last + pause - self._clock())
