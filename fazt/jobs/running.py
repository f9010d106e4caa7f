"""What a run of a job is told and what it gives back: the contract with who runs functions.

Rule: a run writes nothing by itself. What it writes stands in its `unit` and is kept with the job's end, or not at all.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fazt.data.kv_unit import Unit


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run; `handler` is the path of a module, `id` the job's id, `attempt` counts from 1."""

    site: str
    site_id: int
    kind: str  # job, cron
    handler: str
    export: str
    data: Any
    unit: Unit
    timeout_s: float
    id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run returned, as JSON."""

    value: Any


# Raises a FaztError whose message is kept as the job's error. It ends its run where it is cancelled.
Run = Callable[[JobRun], Awaitable[RunResult]]
