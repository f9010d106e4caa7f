"""When a certificate is renewed, and when an order that failed is tried again. Pure functions; times in ms."""

import hashlib
import re
from datetime import UTC, datetime

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
# Let's Encrypt allows five failed validations of a host an hour: the first three attempts come within two hours.
PAUSES_MS = (10 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 12 * HOUR_MS, 24 * HOUR_MS)
LAST_SHARE = 3  # of its life in which a certificate is renewed: one part in so many
JITTER_SHARE = 20  # by which many of them are spread: one part of the life in so many
# "... retry after 2026-11-27 15:04:05 UTC": how Let's Encrypt says when a limit is over
LIMIT_ENDS = re.compile(r"retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?: UTC|Z)", re.IGNORECASE)


def renew_at(name: str, not_before: int, not_after: int) -> int:
    """Return when a certificate is renewed where its authority does not say: with a third of its life left."""
    life = max(0, not_after - not_before)
    return not_after - life // LAST_SHARE - _share(name, life // JITTER_SHARE)


def next_try_at(name: str, now: int, failures: int, error: str) -> int:
    """Return when an order that failed so often in a row is tried again: later each time, and as a limit says."""
    pause = PAUSES_MS[min(failures, len(PAUSES_MS)) - 1]
    at = now + pause + _share(name, pause // 4)
    limit = limit_ends(error)
    if limit is not None and now < limit < now + 14 * 24 * HOUR_MS:
        at = max(at, limit + _share(name, MINUTE_MS))
    return at


def limit_ends(error: str) -> int | None:
    """Return when the limit is over that an authority tells of in words."""
    found = LIMIT_ENDS.search(error)
    if found is None:
        return None
    try:
        at = datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp() * 1000)


def _share(name: str, span: int) -> int:
    """Return a part of a span: always the same for a name, and spread over names."""
    drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    return span * drawn >> 32
