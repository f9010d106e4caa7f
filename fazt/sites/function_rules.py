"""What `fazt.json` says about a site's functions: `env`, `needs` and `limits`.

Rule: a site may ask for less than the server allows, never for more; what it asks for is checked when it is deployed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fazt.errors import InvalidInput
from fazt.outbound.addresses import parse_net_entry

MIB = 1 << 20
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
MOST_NET = 100
MOST_VARIABLES = 200
LONGEST_VALUE = 32 << 10
NEEDS = ("net",)


@dataclass(frozen=True, slots=True)
class FunctionLimits:
    """What calls may take; None: what the server allows."""

    cpu_s: float | None = None
    timeout_s: float | None = None
    memory_mb: int | None = None
    concurrency: int | None = None
    request_mb: float | None = None
    response_mb: float | None = None


@dataclass(frozen=True, slots=True)
class FunctionRules:
    """What a site says; `net` None: functions may reach every public host."""

    env: Mapping[str, str] = field(default_factory=dict)
    net: tuple[str, ...] | None = None
    limits: FunctionLimits = FunctionLimits()


# name in `fazt.json`: smallest and largest value
RANGES: dict[str, tuple[float, float]] = {
    "cpu_s": (0.05, 60),
    "timeout_s": (0.1, 900),
    "memory_mb": (32, 2048),
    "concurrency": (1, 1000),
    "request_mb": (0.001, 1000),
    "response_mb": (0.001, 1000),
}
WHOLE = {"memory_mb", "concurrency"}


class RuleFault(ValueError):
    """What is wrong, and with which key below the top one."""

    def __init__(self, message: str, *key: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.key = key


def read_env(value: Any) -> dict[str, str]:
    """Return the variables of `env`. Raises: RuleFault."""
    if not isinstance(value, dict):
        raise RuleFault('env must be an object such as {"GREETING": "hello"}')
    if len(value) > MOST_VARIABLES:
        raise RuleFault(f"env has {len(value)} variables; {MOST_VARIABLES} is the most")
    for name, text in value.items():
        if not VARIABLE.fullmatch(name):
            raise RuleFault("a variable's name has letters, digits and _ and does not begin with a digit", name)
        if not isinstance(text, str) or len(text) > LONGEST_VALUE:
            raise RuleFault(f"a variable's value must be text of at most {LONGEST_VALUE} characters", name)
    return dict(value)


def read_net(value: Any) -> tuple[str, ...] | None:
    """Return the hosts of `needs.net`; None where nothing is said of them. Raises: RuleFault."""
    if not isinstance(value, dict):
        raise RuleFault('needs must be an object such as {"net": ["api.example.org"]}')
    for key in value:
        if key not in NEEDS:
            raise RuleFault(f"{key!r} is not known here; use net", key)
    if "net" not in value:
        return None
    hosts = value["net"]
    if not isinstance(hosts, list) or len(hosts) > MOST_NET:
        raise RuleFault(f"net must be a list of at most {MOST_NET} hosts", "net")
    for at, host in enumerate(hosts):
        try:
            if not isinstance(host, str):
                raise InvalidInput("A host must be text.")
            parse_net_entry(host)
        except InvalidInput as error:
            raise RuleFault(error.message.removesuffix("."), "net", at) from None
    return tuple(host.lower() for host in hosts)


def read_limits(value: Any) -> FunctionLimits:
    """Return the limits. Raises: RuleFault."""
    if not isinstance(value, dict):
        raise RuleFault('limits must be an object such as {"timeout_s": 10}')
    for key, number in value.items():
        if key not in RANGES:
            raise RuleFault(f"{key!r} is not known here; use {', '.join(RANGES)}", key)
        low, high = RANGES[key]
        whole = key in WHOLE
        if type(number) not in ((int,) if whole else (int, float)) or not low <= number <= high:
            raise RuleFault(f"{key} must be a {'whole ' if whole else ''}number from {low:g} to {high:g}", key)
    return FunctionLimits(**value)


READERS: dict[str, Callable[[Any], object]] = {"env": read_env, "needs": read_net, "limits": read_limits}


def function_rules(rest: Mapping[str, Any]) -> FunctionRules:
    """Return what a manifest's checked keys say about functions."""
    return FunctionRules(
        read_env(rest.get("env", {})), read_net(rest.get("needs", {})), read_limits(rest.get("limits", {}))
    )
