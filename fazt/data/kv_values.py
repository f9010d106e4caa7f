"""What comes from scripts and from the API as keys, values, times and limits, checked.

Rule: whatever comes in, nothing but the store's own types goes on, each within its limit.
"""

import math
from typing import Any

import orjson

from fazt.errors import InvalidInput, TooLarge
from fazt.store.kv import LARGEST_NUMBER

LONGEST_KEY_BYTES = 512
MOST_VALUE_BYTES = 1 << 20
MOST_ITEMS = 1000
MOST_KEYS = 100
DEFAULT_ITEMS = 100
LONGEST_TTL_S = 100 * 366 * 86_400


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of what an operation was asked."""
    if not isinstance(value, dict):
        raise InvalidInput("This takes an object with named fields.")
    return value


def key_of(value: Any) -> str:
    """Return a key: text of 1 to 512 bytes in UTF-8."""
    key = _text(value, "A key")
    if not key:
        raise InvalidInput("A key must not be empty.")
    return key


def prefix_of(value: Any) -> str:
    """Return what the keys of a list begin with."""
    return "" if value is None else _text(value, "A prefix")


def cursor_of(value: Any) -> str | None:
    """Return the key behind which a list goes on."""
    return None if value is None else _text(value, "A cursor")


def keys_of(value: Any) -> list[str]:
    """Return the keys that are asked for together."""
    if not isinstance(value, list) or len(value) > MOST_KEYS:
        raise InvalidInput(f"`keys` is a list of at most {MOST_KEYS} keys.")
    return [key_of(key) for key in value]


def limit_of(value: Any) -> int:
    """Return how many items a list may have."""
    if value is None:
        return DEFAULT_ITEMS
    if not _is_whole(value) or not 1 <= value <= MOST_ITEMS:
        raise InvalidInput(f"`limit` is a whole number from 1 to {MOST_ITEMS}.")
    return int(value)


def step_of(value: Any) -> int:
    """Return what is to be added to a number."""
    if value is None:
        return 1
    if not _is_whole(value) or abs(value) > LARGEST_NUMBER:
        raise InvalidInput("`by` is a whole number within ±(2^53 - 1).")
    return int(value)


def expiry_of(ttl: Any, now: int) -> int | None:
    """Return when something ends that is to live for `ttl` seconds from `now`, both of which count in milliseconds."""
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl <= LONGEST_TTL_S:
        raise InvalidInput("`ttl` is a number of seconds above 0, at most 100 years.")
    return now + math.ceil(ttl * 1000)


def expected_of(fields: dict[str, Any], *, may_be_absent: bool = True) -> int | None:
    """Return the version that a write expects (0: no such key); None where it expects nothing."""
    if "ifVersion" not in fields:
        return None
    value = fields["ifVersion"]
    if value is None and may_be_absent:
        return 0
    if not _is_whole(value) or not 0 <= value <= LARGEST_NUMBER:
        raise InvalidInput(
            "`ifVersion` is the version of an entry" + (", or null: there must be none." if may_be_absent else ".")
        )
    return int(value)


def json_bytes(value: Any) -> bytes:
    """Return a value as the JSON that is kept.

    Raises: InvalidInput where it is none; TooLarge.
    """
    try:
        data = orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise InvalidInput(f"The value cannot be kept as JSON: {error}.") from None
    return value_bytes(data)


def value_bytes(data: bytes) -> bytes:
    """Return what may be kept as a value.

    Raises: TooLarge.
    """
    if len(data) > MOST_VALUE_BYTES:
        raise TooLarge(f"A value may have at most {MOST_VALUE_BYTES} bytes; this one has {len(data)}.")
    return data


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{what} is a text.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} must not hold half of a surrogate pair.") from None
    if size > LONGEST_KEY_BYTES:
        raise InvalidInput(f"{what} may have at most {LONGEST_KEY_BYTES} bytes in UTF-8; this one has {size}.")
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
