"""When something is due: `every 15m`, `*/5 * * * *`, `@daily` → the times, in a time zone.

Owns reading of schedules and their arithmetic; what is run and what came of it is not known here. croniter finds the
local times of an expression; which moment each is, is decided here. Rule: each local time of a schedule happens once:
where clocks are put back, the first time round; where they are put forward over it, right after the gap.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from fazt.errors import InvalidInput

MIN_EVERY_S = 10
MAX_EVERY_S = 366 * 86_400
MAX_CHARACTERS = 200
LAST_YEAR = 9000  # what is beyond is never asked for, and the calendar ends at 9999
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
UNIT = re.compile(r"(\d{0,9})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(?![a-z])", re.ASCII)
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# name, lowest, highest, what may stand for a number
FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(DAYS)}),
)
PART = re.compile(r"(?:(\*)|([0-9a-z]{1,3})(?:-([0-9a-z]{1,3}))?)(?:/([0-9]{1,3}))?", re.ASCII)
# Names that mean another zone on each machine, or whose seconds are counted otherwise.
NOT_ZONES = re.compile(r"localtime|posixrules|Factory|(posix|right)/.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either a period or an expression; `text` is what was read, `zone` counts for expressions only."""

    text: str
    every_ms: int | None
    expression: str | None
    zone: str = "UTC"

    def after(self, at_ms: int) -> int | None:
        """Return the first time after a moment; None where there is none in the calendar."""
        if self.every_ms is not None:
            return (at_ms // self.every_ms + 1) * self.every_ms
        zone = find_zone(self.zone)
        for local in self._locals(_local(at_ms, zone), forward=True):
            if (moment := _moment(local, zone)) > at_ms:
                return moment
        return None

    def upcoming(self, at_ms: int) -> Iterator[int]:
        """Yield the times after a moment."""
        found = self.after(at_ms)
        while found is not None:
            yield found
            found = self.after(found)

    def latest(self, at_ms: int, since_ms: int, limit: int) -> list[int]:
        """Return at most `limit` times from `since_ms` up to `at_ms`, both included, the newest first."""
        if self.every_ms is not None:
            newest = at_ms // self.every_ms * self.every_ms
            return list(islice(range(newest, since_ms - 1, -self.every_ms), limit))
        zone = find_zone(self.zone)
        local = _local(at_ms, zone)
        # In an hour that is there twice, all of its first round is past in the second.
        local += _offset(local, zone, fold=0) - _offset(local, zone, fold=1) if _is_second(at_ms, zone) else timedelta()
        found: list[int] = []
        for before in self._locals(local + timedelta(seconds=1), forward=False):
            moment = _moment(before, zone)
            if moment < since_ms or len(found) == limit:
                break
            if moment <= at_ms and moment not in found[-1:]:
                found.append(moment)
        return found

    def _locals(self, start: datetime, *, forward: bool) -> Iterator[datetime]:
        """Yield the local times of the expression behind `start`, or before it."""
        # It takes 90 ms to load, which a site without cron and most commands need not wait for.
        from croniter import CroniterBadDateError, croniter

        times = croniter(self.expression, start)
        while True:
            try:
                local = times.get_next(datetime) if forward else times.get_prev(datetime)
            except CroniterBadDateError:
                return
            if local.year > LAST_YEAR:
                return
            yield local


def parse_schedule(text: str, zone: str | None = None) -> Schedule:
    """Return the schedule that a text says: `every 1h30m`, five fields of cron, or `@daily` and the like.

    Raises: InvalidInput, with a sentence that says what to write instead.
    """
    words = " ".join(text.split()).lower()
    if not words or len(text) > MAX_CHARACTERS or not text.isprintable():
        raise InvalidInput('A schedule is "every 15m", "*/5 * * * *" or "@daily".')
    if words.startswith("every"):
        if zone is not None:
            raise InvalidInput("tz means nothing to a schedule that begins with every: it counts time, not clocks.")
        return Schedule(text, _parse_every(words.removeprefix("every").strip()) * 1000, None)
    zone = "UTC" if zone is None else zone
    find_zone(zone)
    if words.startswith("@"):
        if words not in ALIASES:
            raise InvalidInput(f"{words} is not known; there are {', '.join(ALIASES)}.")
        return Schedule(text, None, ALIASES[words], zone)
    schedule = Schedule(text, None, _check_expression(words), zone)
    if schedule.after(0) is None:
        raise InvalidInput(f"The schedule {words!r} never happens: there is no such date.")
    return schedule


def parse_duration_s(text: str) -> int:
    """Return the seconds of a length of time such as 90s, 1h30m or 15 minutes.

    Raises: InvalidInput.
    """
    words = " ".join(text.split()).lower()
    total, at, seen = 0, 0, ""
    while at < len(words) and len(words) <= MAX_CHARACTERS:
        found = UNIT.match(words, at)
        if not found or not found[1] or found[2][0] in seen:
            break
        total += int(found[1]) * UNITS_S[found[2][0]]
        seen += found[2][0]
        at = found.end() + (words[found.end() : found.end() + 1] == " ")
    if not words or at < len(words):
        raise InvalidInput("A length of time is written as 90s, 15m, 1h30m or 15 minutes, each unit once.")
    return total


def find_zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database.

    Raises: InvalidInput.
    """
    try:
        if NOT_ZONES.fullmatch(name):
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # not a name, a folder, not there
        raise InvalidInput(f"There is no time zone {name[:60]!r}; write it as Europe/Berlin.") from None


def _parse_every(words: str) -> int:
    single = UNIT.fullmatch(words)
    seconds = UNITS_S[single[2][0]] if single and not single[1] else parse_duration_s(words)
    if not MIN_EVERY_S <= seconds <= MAX_EVERY_S:
        raise InvalidInput(f"The shortest period is {MIN_EVERY_S} s, the longest {MAX_EVERY_S // 86_400} days.")
    return seconds


def _check_expression(words: str) -> str:
    """Return an expression with numbers for names; croniter understands more, some of which it takes otherwise."""
    fields = words.split(" ")
    if len(fields) != len(FIELDS):
        raise InvalidInput(
            "A cron expression has five fields: minute, hour, day of the month, month, day of the week"
            f" (this one has {len(fields)}). For seconds write every 30s."
        )
    return " ".join(_check_field(text, *FIELDS[at]) for at, text in enumerate(fields))


def _check_field(text: str, name: str, low: int, high: int, words: dict[str, int]) -> str:
    parts = []
    for part in text.split(","):
        found = PART.fullmatch(part)
        if not found:
            raise InvalidInput(f"{part!r} cannot be understood as a {name}; write 5, 1-5, */2 or a list with commas.")
        first, last = (_number(word, name, low, high, words) if word else None for word in (found[2], found[3]))
        if first is not None and last is not None and first > last:
            raise InvalidInput(f"The range {part!r} of the {name} runs backwards; write it as two, with a comma.")
        if found[4]:
            if first is not None and last is None:
                raise InvalidInput(f"{part!r}: a step needs a range or a star before it, such as {first}-{high}/2.")
            top = 6 if high == 7 else high
            span = top - low if first is None or last is None else last - first
            if not 1 <= int(found[4]) <= max(span, 1):
                raise InvalidInput(
                    f"The step of {part!r} is larger than the {name} goes: nothing but its first would match."
                )
        numbers = "*" if first is None else str(first) if last is None else f"{first}-{last}"
        parts.append(numbers + (f"/{int(found[4])}" if found[4] else ""))
    return ",".join(parts)


def _number(word: str, name: str, low: int, high: int, words: dict[str, int]) -> int:
    number = words[word] if word in words else int(word) if word.isdigit() else -1
    if not low <= number <= high:
        raise InvalidInput(f"{word!r} is not a {name}; those go from {low} to {high}.")
    return number


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, zone).replace(tzinfo=None, fold=0)


def _is_second(at_ms: int, zone: ZoneInfo) -> bool:
    return datetime.fromtimestamp(at_ms // 1000, zone).fold == 1


def _offset(local: datetime, zone: ZoneInfo, fold: int) -> timedelta:
    offset = local.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None
    return offset


def _moment(local: datetime, zone: ZoneInfo) -> int:
    """Return when a local time happens: the first time, and where it is skipped, right after the gap."""
    before, after = _offset(local, zone, fold=0), _offset(local, zone, fold=1)
    moment = _seconds(local - before)
    if after <= before:  # it happens, once or twice
        return moment * 1000
    # In a gap, fold=0 has the offset before it and fold=1 the one after it (PEP 495): the change lies between the two.
    return _find_change(_seconds(local - after), moment, zone.key) * 1000


@lru_cache(1024)
def _find_change(low: int, high: int, zone: str) -> int:
    """Return the first second in (low, high] whose offset is that of `high`."""
    offset = datetime.fromtimestamp(high, ZoneInfo(zone)).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if datetime.fromtimestamp(middle, ZoneInfo(zone)).utcoffset() == offset else (middle, high)
        )
    return high


def _seconds(utc: datetime) -> int:
    return int(utc.replace(tzinfo=UTC).timestamp())
