"""The key `rooms` of `fazt.json`: which rooms a site has, who may join them, and who may send.

Rule: a site that lists rooms has those and no others; one that says nothing has any room, for its own pages.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast

from fazt.errors import InvalidRules
from fazt.sites.names import shown

PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|(?:[A-Za-z0-9][A-Za-z0-9._-]{0,62})?\*")
HANDLER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
JOIN = ("same-origin", "anyone", "function")
SEND = ("members", "function", "nobody")
KEYS = ("join", "send", "history", "presence", "members", "handler")
MAX_RULES = 100
MAX_HISTORY = 1_000
MAX_MEMBERS = 10_000

Refuse = Callable[..., NoReturn]  # (message, *keys inside of `rooms`)


@dataclass(frozen=True, slots=True)
class RoomRule:
    """What holds for the rooms of one name, or of all names with one beginning."""

    pattern: str = "*"
    join: Literal["same-origin", "anyone", "function"] = "same-origin"
    send: Literal["members", "function", "nobody"] = "members"
    history: int = 100
    presence: bool = True
    members: int | None = None
    handler: str | None = None  # the module in api/_rooms/; None: the one with the room's own name

    def matches(self, name: str) -> bool:
        """Tell whether the rule is one for this room."""
        if self.pattern.endswith("*"):
            return name.startswith(self.pattern[:-1])
        return name == self.pattern


@dataclass(frozen=True, slots=True)
class RoomRules:
    """All rules of a version, the most exact first."""

    rules: tuple[RoomRule, ...] = (RoomRule(),)

    def find(self, name: str) -> RoomRule | None:
        """Return the rule of a room: the one of its name, else that of its longest beginning."""
        return next((rule for rule in self.rules if rule.matches(name)), None)


def read_rooms(rest: Mapping[str, Any]) -> RoomRules:
    """Return the rules of a version from the keys that its manifest keeps. Raises: InvalidRules."""
    return check_rooms(rest["rooms"], _refuse) if "rooms" in rest else RoomRules()


def _refuse(message: str, *_: str) -> NoReturn:
    raise InvalidRules(f"fazt.json: {message}.")


def check_rooms(value: Any, refuse: Refuse) -> RoomRules:
    """Return the rules that a value says; `refuse` raises, naming the place."""
    if not isinstance(value, dict):
        refuse('rooms must be an object such as {"chat": {"history": 50}}')
    if len(value) > MAX_RULES:
        refuse(f'rooms may have {MAX_RULES} entries; one such as "game-*" is for many rooms')
    rules = [_check_rule(pattern, fields, refuse) for pattern, fields in value.items()]
    return RoomRules(tuple(sorted(rules, key=lambda rule: (rule.pattern.endswith("*"), -len(rule.pattern)))))


def _check_rule(pattern: str, fields: Any, refuse: Refuse) -> RoomRule:
    if not PATTERN.fullmatch(pattern):
        refuse(
            f"{shown(pattern)} is no name of rooms: 1 to 64 letters, digits, dots, dashes and underscores, "
            "with a * at the end for all that begin so",
            pattern,
        )
    if not isinstance(fields, dict):
        refuse(f'{shown(pattern)} must have an object such as {{"join": "same-origin"}}', pattern)
    for key in fields:
        if key not in KEYS:
            refuse(f"{shown(key)} is not known here; use {', '.join(KEYS)}", pattern, key)

    def choose(key: str, choices: tuple[str, ...]) -> str:
        chosen = fields.get(key, choices[0])
        if chosen not in choices:
            words = [f'"{choice}"' for choice in choices]
            refuse(f"{key} must be {', '.join(words[:-1])} or {words[-1]}", pattern, key)
        return cast(str, chosen)

    def count(key: str, default: int | None, low: int, high: int) -> int | None:
        number = fields.get(key, default)
        if key in fields and (type(number) is not int or not low <= number <= high):
            refuse(f"{key} must be a whole number from {low} to {high}", pattern, key)
        return cast("int | None", number)

    handler, presence = fields.get("handler"), fields.get("presence", True)
    if type(presence) is not bool:
        refuse("presence must be true or false", pattern, "presence")
    if "handler" in fields and (not isinstance(handler, str) or not HANDLER.fullmatch(handler)):
        refuse(
            'handler must be the name of a file in api/_rooms/ without its ending, such as "chat"', pattern, "handler"
        )
    return RoomRule(
        pattern,
        cast(Any, choose("join", JOIN)),
        cast(Any, choose("send", SEND)),
        cast(int, count("history", 100, 0, MAX_HISTORY)),
        presence,
        count("members", None, 1, MAX_MEMBERS),
        handler,
    )
