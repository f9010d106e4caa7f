"""The decision of `resolve` as a list of steps, for people.

Rule: it runs the very functions that serve a request; only the trace is added.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import apsw

from fazt._speedups.hosts import normalise
from fazt.errors import InvalidInput
from fazt.sites.decision import Step, Trace
from fazt.sites.hosting import Hosting
from fazt.sites.resolve import RulesCache, find_outcome


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a URL is answered; `status` is None where a program answers, not a file."""

    url: str
    steps: tuple[Step, ...]
    status: int | None
    file: str | None
    headers: tuple[tuple[str, str], ...]


def explain(connection: apsw.Connection, hosting: Hosting, url: str) -> Explanation:
    """Return how a GET of `url` is answered (the scheme may be left out), and why.

    Raises: InvalidInput where the URL has no valid host.
    """
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
    except ValueError as error:
        raise InvalidInput(f"{url!r} is not a URL: {error}.") from None
    authority = parts.netloc.encode("ascii", "replace")
    host = normalise(authority)
    if host is None:
        raise InvalidInput(f"{url!r} has no valid host; give a URL such as {hosting.url('site.' + hosting.domain)}.")
    # What a browser would send: letters beyond ASCII go encoded as UTF-8, and "%" as it stands.
    path = _as_sent(parts.path or "/")
    trace: Trace = []
    outcome = find_outcome(connection, hosting, RulesCache(), host, path, _as_sent(parts.query), trace)
    if outcome is None:
        steps = (*trace, Step("answer", "the platform's own programs, not a file"))
        return Explanation(url, steps, None, None, ())
    told = f"{outcome.status} {outcome.file.path if outcome.file else ''}".strip()
    location = next((value for name, value in outcome.fields if name == "Location"), "")
    steps = (*trace, Step("answer", f"{told} {location}".strip()))
    return Explanation(url, steps, outcome.status, outcome.file.path if outcome.file else None, tuple(outcome.fields))


def _as_sent(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
