"""Times as the API has them: ISO 8601 in UTC."""

from datetime import UTC, datetime
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
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
