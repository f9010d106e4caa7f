"""The key `cron` of `fazt.json`: which triggers a site has.

Owns what a trigger may say; when a schedule happens is `schedule`'s. Rule: what is let through here can be run: its
schedule happens, its zone is known, its handler's path is one of a function.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, pairwise
from typing import Any, NoReturn

from fazt.errors import InvalidInput, InvalidRules
from fazt.sites.names import shown
from fazt.sites.schedule import Schedule, parse_duration_s, parse_schedule

MAX_TRIGGERS = 100
MAX_TIMEOUT_S = 3600
MAX_JITTER_S = 3600
MAX_RETRIES = 20
DEFAULT_TIMEOUT_S = 300
FOLDER = "api/_cron/"
ENDINGS = (".js", ".mjs", ".ts", ".jsx", ".tsx")
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?", re.ASCII)
HANDLER = re.compile(r"api/(?:[^/\\\x00-\x1f]{1,255}/)*[^/\\\x00-\x1f]{1,255}\.(?:js|mjs|ts|jsx|tsx)")
KEYS = ("name", "schedule", "handler", "tz", "timeout", "retries", "overlap", "catchup", "jitter")
COMPARED_TIMES = 50  # how many are looked at to find the shortest pause
COMPARED_FROM_MS = 1_704_067_200_000

# Refuses, with a message, what stands under the keys that lead there.
Refuse = Callable[..., NoReturn]


@dataclass(frozen=True, slots=True)
class CronRule:
    """One trigger; `handler` is the path of a module, `where` the place that says so."""

    name: str
    schedule: str
    handler: str
    tz: str | None
    timeout_s: int
    retries: int
    overlap: str  # skip, queue
    catchup: str  # one, all, none
    jitter_s: int
    where: str

    def as_json(self) -> dict[str, Any]:
        """Return the trigger as a JSON object; `from_json` undoes it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CronRule":
        """Return the trigger that `as_json` made."""
        return cls(**data)

    def times(self) -> Schedule:
        """Return when it is due.

        Raises: InvalidInput where this machine does not know the time zone.
        """
        return parse_schedule(self.schedule, self.tz)


def check_cron(value: Any, refuse: Refuse, where: Callable[[int], str]) -> list[CronRule]:
    """Return the triggers that the key `cron` of a manifest holds.

    `refuse(message, *keys)` raises what names the line of what stands under the keys, `where(n)` is the place of the
    trigger number n. Raises: InvalidRules.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        refuse('cron must be a list such as [{"name": "tidy", "schedule": "every 1h"}]')
    if len(value) > MAX_TRIGGERS:
        refuse(f"a site may have at most {MAX_TRIGGERS} triggers, not {len(value)}")
    found: list[CronRule] = []
    for at, item in enumerate(value):
        rule = _Reading(item, partial(_refuse_at, refuse, at)).rule(where(at))
        if any(rule.name == other.name for other in found):
            refuse(f"the trigger {shown(rule.name)} is there twice", at)
        found.append(rule)
    return found


def _refuse_at(refuse: Refuse, at: int, message: str, *keys: str) -> NoReturn:
    refuse(message, at, *keys)


def check_handlers(rules: Collection[CronRule], paths: Collection[str]) -> None:
    """Let pass triggers whose handlers are files of the version.

    Raises: InvalidRules, naming file and line.
    """
    for rule in rules:
        if find_handler(rule.handler, paths) is None:
            raise InvalidRules(f"{rule.where}: the trigger {shown(rule.name)} runs {rule.handler}, which is not there.")


def find_handler(handler: str, paths: Collection[str]) -> str | None:
    """Return the file of the version that a handler means: itself, or the same with another ending of a module."""
    if handler in paths:
        return handler
    stem = handler.rpartition(".")[0]
    return next((stem + ending for ending in ENDINGS if stem + ending in paths), None)


class _Reading:
    """The checks of one trigger, each of which can name its line."""

    def __init__(self, item: Any, refuse: Refuse) -> None:
        self._item: dict[str, Any] = item
        self._refuse = refuse

    def rule(self, where: str) -> CronRule:
        item = self._item
        if not isinstance(item, dict):
            self._refuse('each trigger must be an object such as {"name": "tidy", "schedule": "every 1h"}')
        for key in item:
            if key not in KEYS:
                self._refuse(f"{shown(key)} is not known here; use {', '.join(KEYS)}", key)
        name = item.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self._refuse("a trigger needs a name of a-z, 0-9, - and _", *self._key("name"))
        schedule = self._schedule()
        rule = CronRule(
            name=name,
            schedule=schedule.text,
            handler=self._handler(name),
            tz=item.get("tz"),
            timeout_s=self._duration("timeout", DEFAULT_TIMEOUT_S, 1, MAX_TIMEOUT_S),
            retries=self._retries(),
            overlap=self._choice("overlap", ("skip", "queue")),
            catchup=self._choice("catchup", ("one", "all", "none")),
            jitter_s=self._duration("jitter", 0, 0, MAX_JITTER_S),
            where=where,
        )
        if rule.jitter_s and rule.jitter_s >= _shortest_pause_s(schedule):
            self._refuse("jitter must be shorter than the time between two runs", "jitter")
        return rule

    def _key(self, key: str) -> tuple[str, ...]:
        return (key,) if key in self._item else ()

    def _schedule(self) -> Schedule:
        text, zone = self._item.get("schedule"), self._item.get("tz")
        if not isinstance(text, str):
            self._refuse('a trigger needs a schedule such as "every 15m" or "0 3 * * *"', *self._key("schedule"))
        if "tz" in self._item and not isinstance(zone, str):
            self._refuse('tz must be a time zone such as "Europe/Berlin"', "tz")
        key = "schedule"
        try:
            schedule = parse_schedule(text)
            key = "tz"
            return schedule if zone is None else parse_schedule(text, zone)
        except InvalidInput as error:
            self._refuse(error.message.removesuffix("."), key)

    def _handler(self, name: str) -> str:
        handler = self._item.get("handler", f"{FOLDER}{name}.js")
        dots = isinstance(handler, str) and {".", ".."} & set(handler.split("/"))
        if not isinstance(handler, str) or dots or not HANDLER.fullmatch(handler):
            self._refuse('handler must be the path of a module such as "api/_cron/tidy.js"', "handler")
        return handler

    def _duration(self, key: str, default: int, low: int, high: int) -> int:
        value = self._item.get(key, default)
        try:
            seconds = parse_duration_s(value) if isinstance(value, str) else value
        except InvalidInput as error:
            self._refuse(f"{key}: {error.message.removesuffix('.')}", key)
        if type(seconds) is not int or not low <= seconds <= high:
            self._refuse(f'{key} must be a length of time from {low} s to {high} s, such as "30s" or 30', key)
        return seconds

    def _retries(self) -> int:
        retries = self._item.get("retries", 0)
        if type(retries) is not int or not 0 <= retries <= MAX_RETRIES:
            self._refuse(f"retries must be a whole number from 0 to {MAX_RETRIES}", "retries")
        return retries

    def _choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self._item.get(key, allowed[0])
        if value not in allowed:
            words = [f'"{word}"' for word in allowed]
            self._refuse(f"{key} must be {', '.join(words[:-1])} or {words[-1]}", key)
        return str(value)


def _shortest_pause_s(schedule: Schedule) -> float:
    if schedule.every_ms is not None:
        return schedule.every_ms / 1000
    times = list(islice(schedule.upcoming(COMPARED_FROM_MS), COMPARED_TIMES))
    return min((after - before for before, after in pairwise(times)), default=1 << 40) / 1000
