from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict

class Nanoseconds(TypedDict):
    mean: float
    p50: int
    p90: int
    p99: int
    p99_9: int
    max: int

class Account(TypedDict):
    elapsed_s: float
    finished: int  # answers that came within the measured window
    bytes: int  # received within the window, heads included
    statuses: dict[str, int]  # of the requests that were due within the window, whenever their answer came
    errors: dict[str, int]  # connections that failed: connect, reset, cut, malformed, unasked, timeout
    failed: int  # requests that were under way on those connections
    unsent: int  # requests that were due and never sent, because no connection was free (open loop)
    unanswered: int
    reconnects: int  # after the server closed a connection that it was free to close
    sampled: float
    first_malformed: str
    latency_ns: Nanoseconds

class Histogram:
    count: int
    minimum: int
    maximum: int
    def record(self, value: int) -> None: ...
    @property
    def mean(self) -> float: ...
    def percentile(self, percent: float) -> int: ...

def read_answers(pieces: Iterable[bytes], *, head: bool = False) -> list[tuple[int, int]]: ...
def run(
    family: int,
    address: tuple[Any, ...],
    requests: Sequence[bytes],
    *,
    connections: int,
    duration_s: float,
    rate: float = 0.0,
    pipeline: int = 1,
    warmup_s: float = 0.0,
    sources: Sequence[str] = (),
    timeout_s: float = 10.0,
    limit: int = 0,
    sample: Callable[[], float] = ...,
) -> Account: ...
