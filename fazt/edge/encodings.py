"""Accept-Encoding -> which codings to send, in order of liking (RFC 9110 12.5.3).

Rule: identity is always possible in the end; a client that refuses everything still gets the plain bytes, not a 406.
"""

import re
from functools import lru_cache

BITS = {"gzip": 1, "x-gzip": 1, "br": 2, "zstd": 4}
IDENTITY = 0
LONGEST_REMEMBERED = 256  # browsers send less than 40 characters
_ITEM = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;\s*[qQ]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?")


def _weights(value: str) -> dict[str, float]:
    """Return coding -> weight; an item that breaks the grammar is left out."""
    weights: dict[str, float] = {}
    for item in value.split(","):
        match = _ITEM.fullmatch(item)
        if match:
            name = "gzip" if match[1].lower() == "x-gzip" else match[1].lower()
            weights.setdefault(name, 1.0 if match[2] is None else float(match[2]))
    return weights


def preferences(value: str | None) -> tuple[int, ...]:
    """Return masks of codings (1 gzip, 2 br, 4 zstd), the most liked first; those in one mask are liked equally.

    A mask of 0 stands for identity alone. `None`: there was no such field. Identity without a weight of its own is
    liked less than any coding that was named.
    """
    if value is None:
        return (IDENTITY,)
    return _remembered(value) if len(value) <= LONGEST_REMEMBERED else _order(value)


def _order(value: str) -> tuple[int, ...]:
    weights = _weights(value)
    anything = weights.get("*", 0.0)
    by_weight: dict[float, int] = {}
    for name, bit in (("gzip", 1), ("br", 2), ("zstd", 4)):
        weight = weights.get(name, anything)
        if weight > 0:
            by_weight[weight] = by_weight.get(weight, 0) | bit
    masks = list(by_weight.items())
    identity = weights.get("identity")
    if identity:
        masks.append((identity, IDENTITY))
    masks.sort(key=lambda pair: (-pair[0], pair[1] == IDENTITY))
    ordered = [mask for _, mask in masks]
    return tuple(ordered if IDENTITY in ordered else [*ordered, IDENTITY])


_remembered = lru_cache(maxsize=512)(_order)
