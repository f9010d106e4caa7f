"""Passwords: which may be chosen, and checking one against its hash.

Rule: a check costs the same whether there is such a user or not, runs on a thread, and only so many run at a time, so
that guessing cannot take the machine.
"""

import asyncio
from functools import cache
from itertools import pairwise
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from fazt.errors import InvalidInput

SHORTEST = 10
LONGEST = 1024  # characters
FEWEST_DIFFERENT = 5
AT_ONCE = 2
COMMON = Path(__file__).with_name("common_passwords.txt")

# OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, two iterations, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def check_choice(password: str, name: str = "") -> None:
    """Let a password pass that may be chosen.

    Raises: InvalidInput, with the reason.
    """
    if len(password) < SHORTEST:
        raise InvalidInput(f"A password must have at least {SHORTEST} characters; a few words make a good one.")
    if len(password) > LONGEST:
        raise InvalidInput(f"A password may have {LONGEST} characters at most.")
    folded = password.casefold()
    if name and (folded == name.casefold() or folded.strip("0123456789!.@ ") == name.casefold()):
        raise InvalidInput("This password is the name of the account; choose another.")
    if len(set(folded)) < FEWEST_DIFFERENT or _is_run(folded):
        raise InvalidInput("This password repeats a few characters; choose another.")
    if folded in _common() or folded.strip("0123456789!.@#$ ") in _common():
        raise InvalidInput("This password is one of those that everybody tries first; choose another.")


def _is_run(text: str) -> bool:
    """Tell whether each character follows the one before, as in 1234567890 or abcdefghij, up or down."""
    steps = {ord(second) - ord(first) for first, second in pairwise(text)}
    return len(steps) == 1 or steps <= {1, -9} or steps <= {-1, 9}


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON.read_text().split())


class Passwords:
    """Hashes and checks passwords on threads, a few at a time."""

    def __init__(self, hasher: PasswordHasher = _hasher) -> None:
        self._hasher = hasher
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None
        self.checked = 0

    async def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, hash: str | None, password: str) -> bool:
        """Tell whether a password is the one; with no hash it takes as long, and never is."""
        async with self._turn:
            if self._nobody is None:
                self._nobody = await asyncio.to_thread(self._hasher.hash, "nobody has this password")
            self.checked += 1
            right = await asyncio.to_thread(self._verify, hash or self._nobody, password[: LONGEST + 1])
        return right and hash is not None

    def _verify(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
