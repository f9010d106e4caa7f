"""The key `protect` of `fazt.json`, and the same rules as the dashboard keeps them: who may see which paths.

A rule names paths and the ways in: a password, being a user of the dashboard, an address. Any of them opens. Rule: a
path is compared as the file that it leads to, so that no other spelling of it is open.
"""

import hashlib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from fazt.errors import InvalidInput, InvalidRules

KEYS = ("paths", "password", "users", "addresses", "previews")
MOST_RULES = 50
MOST_PATHS = 100
MOST_ADDRESSES = 200
LONGEST_PATH = 500
SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
ARGON2 = re.compile(r"\$argon2id\$[\w$=,+/.-]{20,300}")

Refuse = Callable[..., NoReturn]  # (message, *keys inside of `protect`)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may see some paths; `password` is a hash, `secret` the name of a secret of the site that is the password.

    `previews`: it is about previews of versions alone.
    """

    paths: tuple[str, ...] = ("/*",)
    password: str | None = None
    secret: str | None = None
    users: bool = False
    addresses: tuple[str, ...] = ()
    previews: bool = False

    @property
    def fingerprint(self) -> str:
        """What a pass names the rule by: another password or another rule is another one."""
        return hashlib.sha256(orjson.dumps(self.as_json())).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Return the rule as it is kept."""
        return {
            "paths": list(self.paths),
            "password": self.password,
            "secret": self.secret,
            "users": self.users,
            "addresses": list(self.addresses),
            "previews": self.previews,
        }

    def is_about(self, path: str, *, preview: bool) -> bool:
        """Tell whether the rule is about a decoded path (with its first slash)."""
        if self.previews and not preview:
            return False
        return any(covers(pattern, path) for pattern in self.paths)

    def lets_in(self, address: str) -> bool:
        """Tell whether who comes from an address may see it without being asked."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in ipaddress.ip_network(network) for network in self.addresses)


def covers(pattern: str, path: str) -> bool:
    """Tell whether a pattern (`/*`, `/drafts/*`, `/plan`) is about a path, however the path is spelled."""
    bare = _bare(path)
    if pattern.endswith("/*"):
        folder = pattern[:-2].rstrip("/")
        whole = path.rstrip("/")
        spelled = (whole, whole.removesuffix(".html"), bare)
        return folder == "" or any(each == folder or each.startswith(f"{folder}/") for each in spelled)
    return bare == _bare(pattern)


def _bare(path: str) -> str:
    """Return what the spellings of one page have in common: /plan, /plan/, /plan.html and /plan/index.html."""
    bare = path.rstrip("/")
    for suffix in ("/index.html", "/index", ".html"):
        bare = bare.removesuffix(suffix)
    return bare.rstrip("/") or "/"


def find_rule(rules: tuple[Rule, ...], path: str, *, preview: bool) -> Rule | None:
    """Return the first rule about a path; None: everybody may see it."""
    return next((rule for rule in rules if rule.is_about(path, preview=preview)), None)


def to_json(rules: tuple[Rule, ...]) -> bytes:
    """Return rules as they are kept."""
    return orjson.dumps([rule.as_json() for rule in rules])


def from_json(data: bytes) -> tuple[Rule, ...]:
    """Return rules as they were kept."""
    return tuple(_kept(each) for each in orjson.loads(data))


def read_protect(value: Any) -> tuple[Rule, ...]:
    """Return the rules that a manifest keeps."""
    return tuple(_kept(each) for each in value)


def _kept(value: dict[str, Any]) -> Rule:
    return Rule(
        tuple(value["paths"]),
        value["password"],
        value["secret"],
        value["users"],
        tuple(value["addresses"]),
        value["previews"],
    )


def check_protect(value: Any, refuse: Refuse) -> tuple[Rule, ...]:
    """Return the rules that the key `protect` holds: a rule, or a list of them."""
    listed = value if isinstance(value, list) else [value]
    if not 1 <= len(listed) <= MOST_RULES:
        refuse(f"there must be 1 to {MOST_RULES} rules")
    keys = range(len(listed)) if isinstance(value, list) else ((),)
    return tuple(_checked(each, refuse, *(() if key == () else (key,))) for key, each in zip(keys, listed, strict=True))


def _checked(value: Any, refuse: Refuse, *at: Any) -> Rule:
    if not isinstance(value, dict):
        refuse('a rule must be an object: {"paths": ["/*"], "password": {"secret": "NAME"}}', *at)
    for key in value:
        if key not in KEYS:
            refuse(f"the key {key!r} is not known; known are {', '.join(KEYS)}", *at, key)
    for key in ("users", "previews"):
        if not isinstance(value.get(key, False), bool):
            refuse("it must be true or false", *at, key)
    password, secret = _password(value.get("password"), refuse, *at)
    rule = Rule(
        check_paths(value.get("paths", ["/*"]), lambda message: refuse(message, *at, "paths")),
        password,
        secret,
        value.get("users", False),
        check_addresses(value.get("addresses", []), lambda message: refuse(message, *at, "addresses")),
        value.get("previews", False),
    )
    if not (password or secret or rule.users or rule.addresses):
        refuse("a rule needs a way in: `password`, `users` or `addresses`", *at)
    return rule


def _password(value: Any, refuse: Refuse, *at: Any) -> tuple[str | None, str | None]:
    """Return a hash and the name of a secret, of which one at most is there."""
    if value is None:
        return None, None
    if isinstance(value, str) and ARGON2.fullmatch(value):
        return value, None
    name = value.get("secret") if isinstance(value, dict) and list(value) == ["secret"] else None
    if isinstance(name, str) and SECRET_NAME.fullmatch(name):
        return None, name
    return refuse('a password stands here as the name of a secret, {"secret": "NAME"}, or as argon2id', *at, "password")


def check_paths(value: Any, refuse: Refuse) -> tuple[str, ...]:
    """Return paths of a rule, each `/path` or `/folder/*`."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_PATHS:
        refuse(f"it must be a list of 1 to {MOST_PATHS} paths")
    for path in value:
        plain = isinstance(path, str) and path.startswith("/") and len(path) <= LONGEST_PATH and path.isprintable()
        if not plain or "*" in path.removesuffix("/*") or "//" in path or "/../" in f"{path}/":
            refuse(f"{path!r} is not a path; write /*, /folder/* or /page")
    return tuple(dict.fromkeys(value))


def check_addresses(value: Any, refuse: Refuse) -> tuple[str, ...]:
    """Return addresses and networks of a rule in their one form."""
    if not isinstance(value, list) or len(value) > MOST_ADDRESSES:
        refuse(f"it must be a list of at most {MOST_ADDRESSES} addresses")
    networks = []
    for text in value:
        try:
            networks.append(str(ipaddress.ip_network(text if isinstance(text, str) else "", strict=False)))
        except ValueError:
            refuse(f"{text!r} is not an address or a network; write 192.0.2.7 or 192.0.2.0/24")
    return tuple(dict.fromkeys(networks))


def refuse_input(message: str, *keys: Any) -> NoReturn:
    """Refuse what came over the API. Raises: InvalidInput."""
    place = ".".join(str(key) for key in keys)
    raise InvalidInput(f"{place}: {message}." if place else f"{message[0].upper()}{message[1:]}.")


def refuse_rules(message: str, *keys: Any) -> NoReturn:
    """Refuse what a manifest keeps. Raises: InvalidRules."""
    raise InvalidRules(f"fazt.json: protect: {message}.")
