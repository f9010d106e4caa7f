"""`_redirects`, and the redirects of `fazt.json`: rules that send a visitor elsewhere or answer with another file.

Owns the format (that of Netlify and Cloudflare Pages) and the table that finds the first rule for a request. Rule: the
first one in the file that matches decides; without `!` an existing file wins over it; a Location is always re-encoded
and never begins with two slashes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

from fazt.errors import InvalidRules
from fazt.sites.names import shown
from fazt.sites.patterns import SPLAT, Pattern, PatternTable, parse_pattern
from fazt.sites.targets import PATH_SAFE, Target, parse_target

MAX_RULES = 50_000
MAX_LINE = 4096
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
FILE_STATUSES = (200, 404, 410)
_STATUS = re.compile(r"(\d{3})(!?)")
_QUERY_NAME = re.compile(r"[^=&?#\s]+")
_CONDITIONS = ("country", "language", "role", "cookie", "signed", "edge_handler", "edgehandler")
_QUERY_SAFE = "!$&'()*+,;=:@/?-._~%[]"


@dataclass(frozen=True, slots=True)
class Redirect:
    """One rule as it is kept with a version; `conditions` are query parameters, a value of ":x" captures."""

    source: str
    conditions: tuple[tuple[str, str], ...]
    target: str
    status: int
    force: bool
    where: str  # "_redirects:3"

    def as_json(self) -> list[Any]:
        """Return the rule as a JSON list."""
        return [self.source, self.conditions, self.target, self.status, self.force, self.where]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> "Redirect":
        """Return the rule that `as_json` made."""
        source, conditions, target, status, force, where = data
        return cls(source, tuple((name, value) for name, value in conditions), target, status, force, where)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule answers: a Location to go to, or with status 200, 404 and 410 a file to serve under this path.

    `location` is percent-encoded in both cases; `path` is the file's path, decoded, and None where there is a redirect.
    """

    status: int
    location: str
    path: str | None
    rule: Redirect


def compile_redirects(text: str, source: str) -> list[Redirect]:
    """Return the rules of a `_redirects` file; `source` is its name for messages.

    Raises: InvalidRules, "source:line: ...".
    """
    rules: list[Redirect] = []
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{source}:{number}"
        if len(line) > MAX_LINE:
            raise InvalidRules(f"{where}: the line is longer than {MAX_LINE} characters.")
        words = _words_of(line)
        if not words:
            continue
        if len(rules) == MAX_RULES:
            raise InvalidRules(f"{where}: there are more than {MAX_RULES} rules.")
        rules.append(_read_rule(words, where))
    return rules


def _words_of(line: str) -> list[str]:
    words = line.split()
    comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]


def _read_rule(words: list[str], where: str) -> Redirect:
    """Read `from [name=value ...] to [status[!]]`."""
    conditions = []
    at = 1
    while (
        at < len(words) and "=" in words[at] and not words[at].startswith("/") and "://" not in words[at].split("=")[0]
    ):
        name, _, value = words[at].partition("=")
        conditions.append((name, value))
        at += 1
    if at == len(words):
        raise InvalidRules(f"{where}: the rule for {shown(words[0])} does not say where to go.")
    target, *rest = words[at:]
    status, force = 301, False
    if rest and (found := _STATUS.fullmatch(rest[0])):
        status, force = int(found[1]), bool(found[2])
        rest = rest[1:]
    for word in rest:
        if word.partition("=")[0].lower() in _CONDITIONS:
            raise InvalidRules(
                f"{where}: conditions such as {shown(word)} are not available; only query parameters are."
            )
        raise InvalidRules(
            f"{where}: {shown(word)} is not understood; a rule is: from to status, for example /a /b 301."
        )
    return check_redirect(Redirect(words[0], tuple(conditions), target, status, force, where))


def check_redirect(rule: Redirect) -> Redirect:
    """Return the rule if it can be carried out. Raises: InvalidRules."""
    _, prepared = _prepare(rule)
    try:
        _target_of(prepared)
    except ValueError as error:
        raise InvalidRules(f"{rule.where}: {shown(rule.target)} {error}.") from None
    return rule


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A rule taken apart; `shape` is each parameter's name and whether its value is given (else it is captured)."""

    rule: Redirect
    names: tuple[str, ...]
    slash: bool
    shape: tuple[tuple[str, bool], ...]
    wanted: tuple[str, ...]


def _prepare(rule: Redirect) -> tuple[Pattern, _Prepared]:
    if rule.source.lower().startswith(("http://", "https://")):
        raise InvalidRules(f"{rule.where}: {shown(rule.source)} must be a path; a rule cannot ask for a host.")
    try:
        pattern = parse_pattern(rule.source)
    except ValueError as error:
        raise InvalidRules(f"{rule.where}: {shown(rule.source)} {error}.") from None
    if rule.status not in REDIRECT_STATUSES + FILE_STATUSES:
        known = ", ".join(str(status) for status in sorted(REDIRECT_STATUSES + FILE_STATUSES))
        raise InvalidRules(f"{rule.where}: the status {rule.status} is not available; these are: {known}.")
    shape, wanted, captured = _read_conditions(rule)
    names = (*pattern.captures, *captured)
    if len(set(names)) < len(names):
        raise InvalidRules(f"{rule.where}: a placeholder of {shown(rule.source)} comes twice.")
    return pattern, _Prepared(rule, names, pattern.slash, shape, wanted)


def _target_of(prepared: _Prepared) -> Target:
    """Take the target apart; done for the one rule that is followed, as a table of thousands is read often."""
    rule = prepared.rule
    return parse_target(rule.target, frozenset(prepared.names), is_file=rule.status in FILE_STATUSES)


def _read_conditions(rule: Redirect) -> tuple[tuple[tuple[str, bool], ...], tuple[str, ...], list[str]]:
    """Return the shape, the given values in its order, and the names of captured values in its order."""
    shape: list[tuple[str, bool]] = []
    wanted: list[str] = []
    captured: list[str] = []
    for name, value in sorted(rule.conditions):
        if not _QUERY_NAME.fullmatch(name) or any(name == other for other, _ in shape):
            raise InvalidRules(f"{rule.where}: {shown(name)} is not the name of a query parameter, or it comes twice.")
        placeholder = re.fullmatch(r":([A-Za-z_][A-Za-z0-9_]*)", value)
        shape.append((unquote_plus(name), placeholder is None))
        if placeholder is None:
            wanted.append(unquote_plus(value))
        elif placeholder[1] == SPLAT:
            raise InvalidRules(f"{rule.where}: the value of {shown(name)} may not be named :splat.")
        else:
            captured.append(placeholder[1])
    return tuple(shape), tuple(wanted), captured


@dataclass(slots=True)
class _Group:
    """All rules with the same pattern, by the shape of their conditions and the values these ask for."""

    shapes: dict[tuple[tuple[str, bool], ...], dict[tuple[str, ...], list[int]]]

    def matching(self, parameters: dict[str, str]) -> Iterable[tuple[int, tuple[str, ...]]]:
        """Yield each rule whose conditions hold, with the values that they capture."""
        for shape, by_values in self.shapes.items():
            if all(name in parameters for name, _ in shape):
                wanted = tuple(parameters[name] for name, given in shape if given)
                captured = tuple(parameters[name] for name, given in shape if not given)
                for order in by_values.get(wanted, ()):
                    yield order, captured


class RedirectTable:
    """All rules of a version, in order; a look-up costs the same for ten rules and for ten thousand."""

    def __init__(self, rules: Iterable[Redirect]) -> None:
        self._rules: list[_Prepared] = []
        self._groups: list[_Group] = []
        self._table = PatternTable()
        self._asks_for_query = self._forces = False
        known: dict[tuple[Any, ...], int] = {}
        for rule in rules:
            self._add(rule, known)

    @classmethod
    def from_rules(cls, rules: Iterable[Redirect]) -> "RedirectTable":
        """Return the table of these rules, in their order."""
        return cls(rules)

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def rules(self) -> list[Redirect]:
        """The rules, in the order in which they count."""
        return [prepared.rule for prepared in self._rules]

    def _add(self, rule: Redirect, known: dict[tuple[Any, ...], int]) -> None:
        pattern, prepared = _prepare(rule)
        key = (pattern.segments, pattern.star)
        if key not in known:
            known[key] = len(self._groups)
            self._groups.append(_Group({}))
            self._table.add(pattern, known[key])
        orders = self._groups[known[key]].shapes.setdefault(prepared.shape, {}).setdefault(prepared.wanted, [])
        # A second rule of the same form never comes to pass, except that /a and /a/ may pass a request to each other.
        if all(self._rules[order].slash != prepared.slash for order in orders):
            orders.append(len(self._rules))
        self._rules.append(prepared)
        self._asks_for_query = self._asks_for_query or bool(prepared.shape)
        self._forces = self._forces or rule.force

    def reads_query(self, exists: bool) -> bool:
        """Say whether the query can decide what is answered, where a file exists or where none does."""
        return self._asks_for_query and (self._forces or not exists)

    def match(self, path: str, query: str, exists: bool) -> Answer | None:
        """Return what the first matching rule answers.

        `path` is decoded, normalised and begins with a slash; `query` is as it came, without "?"; `exists` says that a
        file answers this path, which then wins over a rule without `!`. A redirect to where the visitor already is does
        not count, so that a rule can add or take away a slash at the end.
        """
        parameters = _parameters(query) if self._asks_for_query else {}
        found = [
            (order, match.values + captured)
            for match in self._table.matches(path)
            for order, captured in self._groups[match.entry].matching(parameters)
        ]
        for order, values in sorted(found):
            prepared = self._rules[order]
            answer = _answer(prepared, dict(zip(prepared.names, values, strict=True)), query)
            if answer.path is None and answer.location.partition("#")[0] == _here(path, query):
                continue
            return None if exists and not prepared.rule.force else answer
        return None


def _here(path: str, query: str) -> str:
    """Return where the visitor is, encoded as a Location is."""
    return quote(path, safe=PATH_SAFE, errors="replace") + (f"?{_kept_query(query, ())}" if query else "")


def _answer(prepared: _Prepared, values: dict[str, str], query: str) -> Answer:
    rule, target = prepared.rule, _target_of(prepared)
    if rule.status in FILE_STATUSES:
        path = target.file_path(values)
        return Answer(rule.status, quote(path, safe=PATH_SAFE, errors="replace"), path, rule)
    location = target.location(values, _kept_query(query, prepared.shape))
    return Answer(rule.status, location, None, rule)


def _kept_query(query: str, shape: tuple[tuple[str, bool], ...]) -> str:
    """Return the query for a target that has none: without what the rule used up, and fit for a header."""
    if shape:
        used = {name for name, _ in shape}
        query = "&".join(part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in used)
    return quote(query, safe=_QUERY_SAFE, errors="replace")


def _parameters(query: str) -> dict[str, str]:
    """Return the first value of each parameter."""
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            parameters.setdefault(unquote_plus(name), unquote_plus(value))
    return parameters
