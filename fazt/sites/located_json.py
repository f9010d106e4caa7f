"""Strict JSON that remembers on which line each value stands, so that an error in `fazt.json` can name it.

Owns reading only; what the values mean is the manifest's. Rule: what RFC 8259 leaves open is refused: a key that comes
twice, NaN, numbers that do not fit, text outside of UTF-8.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 64
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,32})?(?:[eE][+-]?[0-9]{1,3})?(?![0-9.eE])")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_WORDS = {"true": True, "false": False, "null": None}

Key = tuple[str | int, ...]


class JsonFault(Exception):
    """The text is not JSON; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Located:
    """A value, and the line of every value in it by the keys that lead there (() is the whole)."""

    value: Any
    lines: Mapping[Key, int]


def parse(text: str) -> Located:
    """Parse a JSON text. Raises: JsonFault."""
    reader = _Reader(text)
    value, at = reader.read_value(0, ())
    at = reader.skip(at)
    if at != len(text):
        raise reader.fault("something stands behind the end", at)
    return Located(value, reader.lines)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.lines: dict[Key, int] = {}
        self._line, self._counted = 1, 0

    def fault(self, message: str, at: int) -> JsonFault:
        return JsonFault(message, self._text.count("\n", 0, at) + 1)

    def skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _line_of(self, at: int) -> int:
        self._line += self._text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def read_value(self, at: int, key: Key) -> tuple[Any, int]:
        at = self.skip(at)
        self.lines[key] = self._line_of(at)
        if len(key) > MAX_DEPTH:
            raise self.fault(f"values are nested more than {MAX_DEPTH} deep", at)
        match self._text[at : at + 1]:
            case "{":
                return self._read_object(at + 1, key)
            case "[":
                return self._read_list(at + 1, key)
            case '"':
                return self._read_string(at)
            case "":
                raise self.fault("the text ends where a value should stand", at)
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        if found := _NUMBER.match(self._text, at):
            number = json.loads(found[0])
            if math.isinf(number):
                raise self.fault("the number is too large", at)
            return number, found.end()
        raise self.fault("a value should stand here", at)

    def _read_string(self, at: int) -> tuple[str, int]:
        found = _STRING.match(self._text, at)
        if not found:
            raise self.fault("the text in quotes does not end on this line, or has a backslash that means nothing", at)
        value: str = json.loads(found[0])
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise self.fault("half of a surrogate pair is not a character", at)
        return value, found.end()

    def _read_object(self, at: int, key: Key) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        at = self.skip(at)
        if self._text.startswith("}", at):
            return result, at + 1
        while True:
            at = self.skip(at)
            if not self._text.startswith('"', at):
                raise self.fault("a name in double quotes should stand here", at)
            name, end = self._read_string(at)
            if name in result:
                raise self.fault(f"the key {name!r} is there twice", at)
            end = self.skip(end)
            if not self._text.startswith(":", end):
                raise self.fault("a colon should stand here", end)
            result[name], at = self.read_value(end + 1, (*key, name))
            at, ended = self._go_on(at, "}")
            if ended:
                return result, at

    def _read_list(self, at: int, key: Key) -> tuple[list[Any], int]:
        result: list[Any] = []
        at = self.skip(at)
        if self._text.startswith("]", at):
            return result, at + 1
        while True:
            value, at = self.read_value(at, (*key, len(result)))
            result.append(value)
            at, ended = self._go_on(at, "]")
            if ended:
                return result, at

    def _go_on(self, at: int, closing: str) -> tuple[int, bool]:
        at = self.skip(at)
        sign = self._text[at : at + 1]
        if sign not in (",", closing) or not sign:
            raise self.fault(f"a comma or {closing} should stand here", at)
        return at + 1, sign == closing
