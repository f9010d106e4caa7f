"""What a call may take: what the server allows, or less where its site says so."""

from dataclasses import dataclass, replace
from typing import Any

from fazt.functions.engine import Bounds
from fazt.settings import Settings
from fazt.sites.function_rules import MIB, FunctionLimits


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of one site's calls."""

    cpu_s: float = 5.0
    timeout_s: float = 30.0
    memory_bytes: int = 128 * MIB
    concurrency: int = 50  # calls under way; as many wait, the others are refused
    request_bytes: int = 10 * MIB
    response_bytes: int = 32 * MIB  # of a body that is not streamed

    @property
    def bounds(self) -> Bounds:
        """What the process of a site may take."""
        return Bounds(memory_bytes=self.memory_bytes, cpu_s=self.cpu_s)


def allowance_of(settings: Settings) -> Allowance:
    """Return what the server allows."""
    return Allowance(
        cpu_s=settings.function_cpu_s,
        timeout_s=settings.function_timeout_s,
        memory_bytes=settings.function_memory_bytes,
        concurrency=settings.function_concurrency,
        request_bytes=settings.function_request_bytes,
        response_bytes=settings.function_response_bytes,
    )


def lowered(allowance: Allowance, limits: FunctionLimits) -> Allowance:
    """Return an allowance in which each limit is the lower of both."""
    wanted: dict[str, Any] = {
        "cpu_s": limits.cpu_s,
        "timeout_s": limits.timeout_s,
        "memory_bytes": None if limits.memory_mb is None else limits.memory_mb * MIB,
        "concurrency": limits.concurrency,
        "request_bytes": None if limits.request_mb is None else int(limits.request_mb * MIB),
        "response_bytes": None if limits.response_mb is None else int(limits.response_mb * MIB),
    }
    lower = {name: value for name, value in wanted.items() if value is not None and value < getattr(allowance, name)}
    return replace(allowance, **lower) if lower else allowance
