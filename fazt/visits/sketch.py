"""How many different visitors: a HyperLogLog (Flajolet and others, 2007; estimated as Ertl does, arXiv:1702.01284).

Rule: of who came, nothing can be read out of a sketch but how many they are, in a fixed kibibyte.
"""

import math
from collections import Counter

INDEX_BITS = 10
REGISTERS = 1 << INDEX_BITS
HASH_BITS = 64
RANK_BITS = HASH_BITS - INDEX_BITS
ALPHA = 1 / (2 * math.log(2))


class Sketch:
    """Counts different hashes of 64 bits, to about 3 %; few of them exactly, nearly always."""

    __slots__ = ("_estimate", "_registers")

    def __init__(self) -> None:
        self._registers = bytearray(REGISTERS)
        self._estimate: int | None = 0

    def add(self, hashed: int) -> None:
        """Note a visitor by its hash."""
        index = hashed & (REGISTERS - 1)
        rank = RANK_BITS - (hashed >> INDEX_BITS).bit_length() + 1
        if rank > self._registers[index]:
            self._registers[index] = rank
            self._estimate = None

    def count(self) -> int:
        """Return about how many different hashes were noted."""
        if self._estimate is None:
            self._estimate = round(_estimate(Counter(self._registers)))
        return self._estimate


def _estimate(ranks: Counter[int]) -> float:
    """Return the cardinality for the number of registers with each rank (Ertl, algorithm 6)."""
    total = REGISTERS * _tau(1 - ranks[RANK_BITS + 1] / REGISTERS)
    for rank in range(RANK_BITS, 0, -1):
        total = 0.5 * (total + ranks[rank])
    total += REGISTERS * _sigma(ranks[0] / REGISTERS)
    return ALPHA * REGISTERS * REGISTERS / max(total, 2.0**-HASH_BITS)


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    weight, total, before = 1.0, x, -1.0
    while total != before:
        x *= x
        before = total
        total += x * weight
        weight += weight
    return total


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    weight, total, before = 1.0, 1 - x, -1.0
    while total != before:
        x = math.sqrt(x)
        before = total
        weight *= 0.5
        total -= (1 - x) ** 2 * weight
    return total / 3
