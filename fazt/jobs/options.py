"""What `fazt.jobs.enqueue` may be asked for: name, data and options → a job to be queued.

Rule: a script may send anything here; what is let through fits the queue's limits.
"""

import re
from typing import Any

import orjson

from fazt.errors import InvalidInput, TooLarge
from fazt.sites.schedule import parse_duration_s
from fazt.store import queue
from fazt.store.queue import MAX_DATA_BYTES, NewJob

FOLDER = "api/_jobs/"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?", re.ASCII)
OPTIONS = ("delay", "retries", "backoff", "unique")
MAX_DELAY_S = 366 * 86_400
MAX_RETRIES = 20
MAX_BACKOFF_S = 86_400
MAX_UNIQUE_CHARACTERS = 200
DEFAULT_RETRIES = 3
DEFAULT_BACKOFF_S = 10.0
TIMEOUT_MS = 300_000


def parse_job(value: Any, now: int) -> NewJob:
    """Return the job that `{name, data, options}` asks for.

    Raises: InvalidInput, TooLarge.
    """
    if not isinstance(value, dict):
        raise InvalidInput("fazt.jobs.enqueue takes a name, data and options.")
    name, options = value.get("name"), value.get("options")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidInput(f"The name of a job is that of a file in {FOLDER} without its ending: a-z, 0-9, - and _.")
    options = {} if options is None else options
    if not isinstance(options, dict):
        raise InvalidInput("The options of a job are an object, such as {delay: 60}.")
    unknown = sorted(options.keys() - set(OPTIONS))
    if unknown:
        raise InvalidInput(f"A job has no option {unknown[0][:60]!r}; there are {', '.join(OPTIONS)}.")
    try:
        data = orjson.dumps(value.get("data"))
    except TypeError:  # half a surrogate pair, or a number that JSON readers cannot hold
        raise InvalidInput("The data of a job is not JSON.") from None
    if len(data) > MAX_DATA_BYTES:
        raise TooLarge(f"The data of a job has {len(data)} bytes as JSON; {MAX_DATA_BYTES} is the most.")
    return NewJob(
        id=queue.new_id(),
        kind="job",
        name=name,
        handler=f"{FOLDER}{name}.js",
        data=data,
        max_attempts=1 + _retries(options.get("retries")),
        backoff_ms=_milliseconds("backoff", options.get("backoff"), DEFAULT_BACKOFF_S, 1, MAX_BACKOFF_S),
        timeout_ms=TIMEOUT_MS,
        run_at=now + _milliseconds("delay", options.get("delay"), 0.0, 0, MAX_DELAY_S),
        unique_key=_unique(options.get("unique")),
    )


def _milliseconds(name: str, value: Any, default_s: float, low: int, high: int) -> int:
    seconds = default_s if value is None else parse_duration_s(value) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not low <= seconds <= high:
        raise InvalidInput(f'{name} is a number of seconds from {low} to {high}, or a text such as "15m".')
    return round(seconds * 1000)


def _retries(value: Any) -> int:
    retries = DEFAULT_RETRIES if value is None else value
    if isinstance(retries, float) and retries.is_integer():
        retries = int(retries)
    if type(retries) is not int or not 0 <= retries <= MAX_RETRIES:
        raise InvalidInput(f"retries is a whole number from 0 to {MAX_RETRIES}.")
    return retries


def _unique(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_UNIQUE_CHARACTERS:
        raise InvalidInput(f"unique is a text of 1 to {MAX_UNIQUE_CHARACTERS} characters.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput("unique holds half of a surrogate pair, which is not a character.")
    return value
