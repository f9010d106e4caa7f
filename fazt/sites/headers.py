"""`_headers`, and the headers of `fazt.json`: response headers by path.

Owns the format (that of Netlify and Cloudflare Pages) and the table that gives the headers of a path. Rule: a name is a
token, a value is printable ASCII, and no rule can touch what frames a message or what the server itself answers for.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fazt.errors import InvalidRules
from fazt.sites.names import shown
from fazt.sites.patterns import PatternTable, parse_pattern

MAX_RULES = 10_000
MAX_LINE = 16_384
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

_FRAMING = "is about the connection, not about the file"
_OURS = "is made by the server itself"
_REFUSED = {
    **dict.fromkeys(
        ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"), _FRAMING
    ),
    **dict.fromkeys(("proxy-authenticate", "proxy-authorization", "host", "expect", "via", "alt-used"), _FRAMING),
    **dict.fromkeys(
        ("content-length", "content-range", "content-encoding", "accept-ranges", "date", "etag", "age"), _OURS
    ),
    **dict.fromkeys(("last-modified", "allow"), _OURS),
    "set-cookie": "cannot be set on files, which are the same for every visitor",
    "location": "belongs into _redirects",
    "basic-auth": "is not available, and would be sent to every visitor",
}
# A second value replaces the first where joining the two makes no sense; all others are joined with a comma.
_SINGLE_NAMES = """
    cache-control content-type content-disposition content-location x-frame-options x-content-type-options
    x-xss-protection strict-transport-security access-control-allow-origin access-control-allow-credentials
    access-control-max-age cross-origin-opener-policy cross-origin-embedder-policy cross-origin-resource-policy
    origin-agent-cluster expires retry-after refresh server sourcemap x-sourcemap x-dns-prefetch-control
    x-download-options service-worker-allowed cdn-cache-control surrogate-control
"""
_SINGLE = frozenset(_SINGLE_NAMES.split())


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """The headers that one pattern adds and (`detached`, lower case) those that it takes away."""

    pattern: str
    fields: tuple[tuple[str, str], ...]
    detached: tuple[str, ...]
    where: str  # "_headers:3"

    def as_json(self) -> list[Any]:
        """Return the rule as a JSON list."""
        return [self.pattern, self.fields, self.detached, self.where]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> "HeaderRule":
        """Return the rule that `as_json` made."""
        pattern, fields, detached, where = data
        return cls(pattern, tuple((name, value) for name, value in fields), tuple(detached), where)


class HeaderFields(NamedTuple):
    """What the rules say about one path: headers to set, and names (lower case) to leave out, defaults among them."""

    values: tuple[tuple[str, str], ...]
    detached: frozenset[str]


def compile_headers(text: str, source: str) -> list[HeaderRule]:
    """Return the rules of a `_headers` file; `source` is its name for messages.

    Raises: InvalidRules, "source:line: ...".
    """
    rules: list[HeaderRule] = []
    block: _Block | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{source}:{number}"
        if len(line) > MAX_LINE:
            raise InvalidRules(f"{where}: the line is longer than {MAX_LINE} characters.")
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        if line.lower().startswith(("https://", "http://")):
            raise InvalidRules(f"{where}: {shown(line)} must be a path; a rule cannot ask for a host.")
        if line.startswith("/"):
            if block is not None:
                rules.append(block.finish())
            block = _Block(check_pattern(line, where), where)
        elif block is None:
            raise InvalidRules(f"{where}: a path such as /* must come before the first header.")
        else:
            block.take(line, where)
    if block is not None:
        rules.append(block.finish())
    if len(rules) > MAX_RULES:
        raise InvalidRules(f"{rules[MAX_RULES].where}: there are more than {MAX_RULES} rules.")
    return rules


class _Block:
    """A path of `_headers` and the lines under it so far."""

    def __init__(self, pattern: str, where: str) -> None:
        self._pattern = pattern
        self._where = where
        self._fields: list[tuple[str, str]] = []
        self._detached: list[str] = []

    def take(self, line: str, where: str) -> None:
        if line.startswith("!"):
            self._detached.append(check_name(line[1:].strip(), where).lower())
            return
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidRules(f"{where}: {shown(line)} is neither a path nor a header such as X-Frame-Options: DENY.")
        self._fields.append((check_name(name.strip(), where), check_value(value.strip(), name, where)))

    def finish(self) -> HeaderRule:
        if not self._fields and not self._detached:
            raise InvalidRules(f"{self._where}: there is no header under {shown(self._pattern)}.")
        return HeaderRule(self._pattern, tuple(self._fields), tuple(self._detached), self._where)


def check_pattern(text: str, where: str) -> str:
    """Return the text if it is a path pattern. Raises: InvalidRules."""
    try:
        parse_pattern(text)
    except ValueError as error:
        raise InvalidRules(f"{where}: {shown(text)} {error}.") from None
    return text


def check_name(name: str, where: str) -> str:
    """Return a header's name if a rule may set it. Raises: InvalidRules."""
    if not _TOKEN.fullmatch(name):
        raise InvalidRules(f"{where}: {shown(name)} is not the name of a header.")
    if reason := _REFUSED.get(name.lower()):
        raise InvalidRules(f"{where}: {name} cannot be set here: it {reason}.")
    return name


def check_value(value: str, name: str, where: str) -> str:
    """Return a header's value if it can be sent. Raises: InvalidRules."""
    if not value:
        raise InvalidRules(f"{where}: {name} has no value.")
    if not _VALUE.fullmatch(value):
        raise InvalidRules(f"{where}: the value of {name} has a character that is not printable ASCII.")
    return value


class HeaderTable:
    """All rules of a version, in order."""

    def __init__(self, rules: Iterable[HeaderRule]) -> None:
        self._rules = list(rules)
        self._table = PatternTable()
        for order, rule in enumerate(self._rules):
            self._table.add(parse_pattern(rule.pattern), order)

    @classmethod
    def from_rules(cls, rules: Iterable[HeaderRule]) -> "HeaderTable":
        """Return the table of these rules, in their order."""
        return cls(rules)

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def rules(self) -> Sequence[HeaderRule]:
        """The rules, in the order in which they count."""
        return self._rules

    def fields(self, path: str) -> HeaderFields:
        """Return what the rules say about a decoded path that begins with a slash.

        All matching rules add up in order: a second value for the same name joins the first, or replaces it where only
        one makes sense. `! Name` takes away what came before, and the server's own default.
        """
        orders = sorted({match.entry for match in self._table.matches(path)})
        found: dict[str, tuple[str, str]] = {}
        detached: set[str] = set()
        for order in orders:
            rule = self._rules[order]
            for lowered in rule.detached:
                found.pop(lowered, None)
                detached.add(lowered)
            for name, value in rule.fields:
                lowered = name.lower()
                if lowered in found and lowered not in _SINGLE:
                    value = f"{found[lowered][1]}, {value}"
                found[lowered] = (name, value)
        return HeaderFields(tuple(found.values()), frozenset(detached))
