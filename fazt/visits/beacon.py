"""What the beacon of a page sends -> what may be counted.

It is `{"view": "/path", "referrer": "https://..."}` or `{"event": "signup"}`.
Rule: nothing of it is believed but that somebody, from this address, says so; a page tells of its own host only.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from fazt._speedups.hosts import normalise
from fazt.errors import Forbidden, InvalidInput

MOST_BYTES = 4096
LONGEST_VALUE = 2048


@dataclass(frozen=True, slots=True)
class Told:
    """What a page tells of: that it shows another path (`event` is ""), or that something happened."""

    path: str = ""
    referrer: str = ""
    event: str = ""


def read_beacon(body: bytes) -> Told:
    """Return what a body tells.

    Raises: InvalidInput.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidInput("A beacon sends JSON.") from None
    if not isinstance(value, dict) or not value.keys() <= {"view", "event", "referrer"}:
        raise InvalidInput('A beacon sends {"view": "/path", "referrer": "..."} or {"event": "name"}.')
    view, event, referrer = (_text(value, key) for key in ("view", "event", "referrer"))
    if bool(view) == bool(event):
        raise InvalidInput("A beacon tells of a view or of an event.")
    if view and not view.startswith("/"):
        raise InvalidInput("A view is a path such as /about.")
    return Told(path=view.partition("?")[0].partition("#")[0], referrer=referrer, event=event)


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key, "")
    if not isinstance(found, str) or len(found) > LONGEST_VALUE:
        raise InvalidInput(f"{key!r} must be text of at most {LONGEST_VALUE} characters.")
    return found


def check_same_host(host: str, origin: str, fetch_site: str) -> None:
    """Let pass what a page of that normalised host sent; browsers say where a page is from, and others need not.

    Raises: Forbidden.
    """
    if fetch_site not in ("", "same-origin"):
        raise Forbidden("A beacon is for pages of its own host.")
    if not origin:
        return
    try:
        named = normalise(urlsplit(origin).netloc.encode("ascii", "replace"))
    except ValueError:
        named = None
    if named != host:
        raise Forbidden("A beacon is for pages of its own host.")
