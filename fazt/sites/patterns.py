"""Path patterns (`/blog/:year/*`, `/*.html`) and the table that finds those which match a path.

Owns the syntax shared by `_redirects` and `_headers`, and a trie over segments. Rule: the cost of a look-up depends on
the length of the path, not on the number of patterns.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

SPLAT = "splat"
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*)?")
_PLACEHOLDER = re.compile(r":([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern: whole segments (None: a placeholder), then perhaps `*` between two pieces of text."""

    segments: tuple[str | None, ...]
    names: tuple[str, ...]
    star: tuple[str, str] | None
    slash: bool  # written with a slash at the end; matching ignores it

    @property
    def captures(self) -> tuple[str, ...]:
        """The names that a match gives values for, in order."""
        return (*self.names, SPLAT) if self.star is not None else self.names


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that a text stands for; percent-encoding is undone.

    Raises: ValueError with half a sentence about what is wrong.
    """
    if not text.startswith("/"):
        raise ValueError("must begin with a slash")
    if "?" in text or "#" in text:
        raise ValueError("must be a path, without ? and #")
    if text.count("*") > 1:
        raise ValueError("may have one * only")
    before, star, after = text[1:].partition("*")
    *whole, last = before.split("/")
    if not star:
        slash = last == ""
        return Pattern(*_read_segments(whole if slash else [*whole, last]), None, slash)
    if _PLACEHOLDER.match(last) or any(_PLACEHOLDER.match(part) for part in after.split("/")):
        raise ValueError("may have placeholders only before the part with the *")
    return Pattern(*_read_segments(whole), (_decoded(last), _decoded(after)), False)


def _read_segments(parts: list[str]) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    segments: list[str | None] = []
    names: list[str] = []
    for part in parts:
        if not part:
            raise ValueError("has two slashes in a row")
        if part.startswith(":"):
            found = _PLACEHOLDER.fullmatch(part)
            if not found:
                raise ValueError(
                    "has a placeholder that is not a whole part; it is a colon and a name, such as /:slug/"
                )
            if found[1] in names or found[1] == SPLAT:
                raise ValueError(
                    f"has the placeholder :{found[1]} twice" if found[1] in names else "may not name :splat"
                )
            names.append(found[1])
            segments.append(None)
        else:
            segments.append(_decoded(part))
    return tuple(segments), tuple(names)


def _decoded(text: str) -> str:
    """Undo percent-encoding; what is matched is the decoded path."""
    if _PLAIN.fullmatch(text):
        return text
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeError:
        raise ValueError("is not valid UTF-8 behind its percent signs") from None
    if any(c < " " or c == "\x7f" for c in decoded):
        raise ValueError("contains a control character")
    if decoded.count("/") != text.count("/"):
        raise ValueError("contains %2F, which never matches")
    if any(part in (".", "..") for part in decoded.split("/")):
        raise ValueError("has . or .. as a part, which never matches")
    return decoded


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    placeholder: "_Node | None" = None
    ends: list[int] = field(default_factory=list)
    # by the lengths of the text before and behind the *, then by the two texts: few probes for any number of rules
    stars: dict[tuple[int, int], dict[tuple[str, str], list[int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """An entry of the table whose pattern matches, with the values of its captures in order."""

    entry: int
    values: tuple[str, ...]


class PatternTable:
    """Finds the entries whose pattern matches a path. An entry is a number of the caller's."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, pattern: Pattern, entry: int) -> None:
        """Put an entry under a pattern; several may share one."""
        node = self._root
        for segment in pattern.segments:
            if segment is None:
                node.placeholder = node.placeholder or _Node()
                node = node.placeholder
            else:
                node = node.literals.setdefault(segment, _Node())
        if pattern.star is None:
            node.ends.append(entry)
        else:
            before, after = pattern.star
            texts = node.stars.setdefault((len(before), len(after)), {})
            texts.setdefault((before, after), []).append(entry)

    def matches(self, path: str) -> Iterator[Match]:
        """Yield the matching entries in no order. `path` is decoded and begins with a slash."""
        segments = path[1:].split("/")
        if segments[-1] == "":
            segments.pop()
        waiting: list[tuple[_Node, int, int, tuple[str, ...]]] = [(self._root, 0, 1, ())]
        while waiting:
            node, depth, at, values = waiting.pop()
            for lengths, texts in node.stars.items():
                rest = path[at:]
                if len(rest) >= lengths[0] + lengths[1]:
                    end = len(rest) - lengths[1]
                    for entry in texts.get((rest[: lengths[0]], rest[end:]), ()):
                        yield Match(entry, (*values, rest[lengths[0] : end]))
            if depth == len(segments):
                for entry in node.ends:
                    yield Match(entry, values)
                continue
            segment = segments[depth]
            following = at + len(segment) + 1
            if (literal := node.literals.get(segment)) is not None:
                waiting.append((literal, depth + 1, following, values))
            if node.placeholder is not None and segment:
                waiting.append((node.placeholder, depth + 1, following, (*values, segment)))
