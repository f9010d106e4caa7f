"""`fazt.json` → `Manifest`.

Owns which keys there are and what they may hold. Keys that belong to later parts of the platform are kept as they are,
in `rest`. Rule: a key that nobody knows is an error, since a setting that silently does nothing is worse.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, cast

from fazt.errors import InvalidName, InvalidRules
from fazt.sites import located_json
from fazt.sites.cron_rules import check_cron
from fazt.sites.function_rules import READERS, RuleFault
from fazt.sites.headers import HeaderRule, check_name, check_pattern, check_value
from fazt.sites.names import check_site_name, shown
from fazt.sites.protection import check_protect
from fazt.sites.redirects import Redirect, check_redirect
from fazt.sites.room_rules import check_rooms

FILE = "fazt.json"
MAX_BYTES = 4 << 20
LATER_KEYS = ("env", "needs", "cron", "rooms", "mail", "collections", "limits")
KEYS = (
    "name",
    "title",
    "version",
    "spa",
    "clean_urls",
    "trailing_slash",
    "headers",
    "redirects",
    "protect",
    *LATER_KEYS,
)

CleanUrls = bool | Literal["redirect"]
TrailingSlash = Literal["add", "remove", "keep"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a site says about itself; every field has the value that a site without `fazt.json` gets."""

    name: str | None = None
    title: str | None = None
    version: str | None = None
    spa: bool = False
    clean_urls: CleanUrls = True
    trailing_slash: TrailingSlash = "keep"
    headers: tuple[HeaderRule, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as a JSON object; `from_json` undoes it."""
        return {
            "name": self.name,
            "title": self.title,
            "version": self.version,
            "spa": self.spa,
            "clean_urls": self.clean_urls,
            "trailing_slash": self.trailing_slash,
            "headers": [rule.as_json() for rule in self.headers],
            "redirects": [rule.as_json() for rule in self.redirects],
            "rest": dict(self.rest),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Manifest":
        """Return the manifest that `as_json` made."""
        fields = dict(data)
        fields["headers"] = tuple(HeaderRule.from_json(rule) for rule in fields.get("headers", ()))
        fields["redirects"] = tuple(Redirect.from_json(rule) for rule in fields.get("redirects", ()))
        return cls(**fields)


def parse_manifest(data: bytes) -> Manifest:
    """Return what a `fazt.json` says. Raises: InvalidRules, "fazt.json:line: ..."."""
    if len(data) > MAX_BYTES:
        raise InvalidRules(f"{FILE}:1: the file is larger than {MAX_BYTES >> 20} MiB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidRules(f"{FILE}:{line}: the file is not valid UTF-8.") from None
    try:
        located = located_json.parse(text)
    except located_json.JsonFault as fault:
        raise InvalidRules(f"{FILE}:{fault.line}: {fault.message}.") from None
    return _Reading(located).manifest()


class _Reading:
    """The checks of one manifest, each of which can name its line."""

    def __init__(self, located: located_json.Located) -> None:
        self._value = located.value
        self._lines = located.lines

    def _where(self, *key: str | int) -> str:
        return f"{FILE}:{self._lines[key]}"

    def _refuse(self, message: str, *key: str | int) -> NoReturn:
        raise InvalidRules(f"{self._where(*key)}: {message}.")

    def manifest(self) -> Manifest:
        if not isinstance(self._value, dict):
            self._refuse("the whole must be an object, in braces")
        for key in self._value:
            self._check_key(key)
        for key, read in READERS.items():
            if key in self._value:
                try:
                    read(self._value[key])
                except RuleFault as fault:
                    self._refuse(fault.message, key, *fault.key)
        if "rooms" in self._value:
            check_rooms(self._value["rooms"], lambda message, *keys: self._refuse(message, "rooms", *keys))
        return Manifest(
            name=self._name(),
            title=self._text("title"),
            version=self._text("version"),
            spa=self._choice("spa", False, (True, False)),
            clean_urls=cast(CleanUrls, self._choice("clean_urls", True, (True, False, "redirect"))),
            trailing_slash=cast(TrailingSlash, self._choice("trailing_slash", "keep", ("add", "remove", "keep"))),
            headers=tuple(self._headers()),
            redirects=tuple(self._redirects()),
            rest={key: self._value[key] for key in LATER_KEYS if key in self._value} | self._cron() | self._protect(),
        )

    def _check_key(self, key: str) -> None:
        if key not in KEYS:
            near = difflib.get_close_matches(key.lower(), KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KEYS)}"
            self._refuse(f"the key {shown(key)} is not known; {hint}".removesuffix("."), key)

    def _protect(self) -> dict[str, Any]:
        if "protect" not in self._value:
            return {}
        rules = check_protect(self._value["protect"], lambda message, *keys: self._refuse(message, "protect", *keys))
        return {"protect": [rule.as_json() for rule in rules]}

    def _cron(self) -> dict[str, Any]:
        if "cron" not in self._value:
            return {}
        rules = check_cron(
            self._value["cron"],
            lambda message, *keys: self._refuse(message, "cron", *keys),
            lambda at: self._where("cron", at),
        )
        return {"cron": [rule.as_json() for rule in rules]}

    def _name(self) -> str | None:
        name = self._text("name")
        if name is None:
            return None
        try:
            return check_site_name(name)
        except InvalidName as error:
            self._refuse(error.message.removesuffix("."), "name")

    def _text(self, key: str) -> str | None:
        value = self._value.get(key)
        if key in self._value and not isinstance(value, str):
            self._refuse(f"{key} must be text in double quotes", key)
        return cast(str | None, value)

    def _choice(self, key: str, default: Any, allowed: tuple[Any, ...]) -> Any:
        value = self._value.get(key, default)
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed):
            words = [f'"{choice}"' if isinstance(choice, str) else str(choice).lower() for choice in allowed]
            self._refuse(f"{key} must be {', '.join(words[:-1])} or {words[-1]}", key)
        return value

    def _headers(self) -> list[HeaderRule]:
        patterns = self._value.get("headers", {})
        if not isinstance(patterns, dict):
            self._refuse('headers must be an object such as {"/*": {"X-Frame-Options": "DENY"}}', "headers")
        rules = []
        for pattern, fields in patterns.items():
            where = self._where("headers", pattern)
            check_pattern(pattern, where)
            if not isinstance(fields, dict) or not fields:
                self._refuse(f"{shown(pattern)} must have an object of headers", "headers", pattern)
            found = []
            for name, value in fields.items():
                place = self._where("headers", pattern, name)
                if not isinstance(value, str):
                    self._refuse(f"the value of {shown(name)} must be text", "headers", pattern, name)
                found.append((check_name(name, place), check_value(value.strip(), name, place)))
            rules.append(HeaderRule(pattern, tuple(found), (), where))
        return rules

    def _redirects(self) -> list[Redirect]:
        value = self._value.get("redirects", [])
        if isinstance(value, dict):
            return [self._redirect({"from": source, "to": target}, source) for source, target in value.items()]
        if not isinstance(value, list):
            self._refuse('redirects must be a list such as [{"from": "/a", "to": "/b"}]', "redirects")
        return [self._redirect(item, at) for at, item in enumerate(value)]

    def _redirect(self, item: Any, at: str | int) -> Redirect:
        if not isinstance(item, dict):
            self._refuse('each redirect must be an object such as {"from": "/a", "to": "/b"}', "redirects", at)
        unknown = sorted(item.keys() - {"from", "to", "status", "force", "query"})
        if unknown:
            self._refuse(f"{shown(unknown[0])} is not known here; use from, to, status, force, query", "redirects", at)
        source, target, query = item.get("from"), item.get("to"), item.get("query", {})
        status, force = item.get("status", 301), item.get("force", False)
        if not isinstance(source, str) or not isinstance(target, str):
            self._refuse("a redirect needs from and to, both text", "redirects", at)
        if type(status) is not int or type(force) is not bool:
            self._refuse("status must be a number and force true or false", "redirects", at)
        if not isinstance(query, dict) or not all(isinstance(value, str) for value in query.values()):
            self._refuse("query must be an object of texts", "redirects", at)
        where = self._where("redirects", at)
        return check_redirect(Redirect(source, tuple(query.items()), target, status, force, where))
