"""The store's clock: milliseconds since 1970-01-01 UTC, the only form of time in the database."""

import time


def now_ms() -> int:
    """Return the present time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
