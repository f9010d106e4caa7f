"""Times as the API has them: ISO 8601 in UTC."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import overload


@overload
def iso(at_ms: int) -> str: ...
@overload
def iso(at_ms: int | None) -> str | None: ...
def iso(at_ms: int | None) -> str | None:
    """Return a time (milliseconds since 1970) with milliseconds and `Z`."""
    if at_ms is None:
        return None
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Return a full second; lines of a log come many to a second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
