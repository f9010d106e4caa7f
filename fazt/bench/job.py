"""A job for the load generator and the result it gives, both as JSON for the way between two processes.

Rule: a result says whether it may be believed (`faults`); nobody prints a figure without it.
"""

import socket
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from fazt.errors import InvalidInput

if TYPE_CHECKING:
    from fazt.bench.load import Account  # stands in the stub only: the compiled module returns plain dicts

LOOPBACK = ("127.", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One measurement: what to send, where to, how often and for how long."""

    host: str
    port: int
    requests: tuple[bytes, ...]
    connections: int = 16
    duration_s: float = 3.0
    warmup_s: float = 0.5
    rate: float = 0.0
    pipeline: int = 1
    limit: int = 0
    timeout_s: float = 10.0
    sources: tuple[str, ...] = ()
    core: int | None = None
    pids: tuple[int, ...] = ()

    def to_json(self) -> bytes:
        """Return the job as JSON; requests are bytes, one character each."""
        values = asdict(self)
        values["requests"] = [request.decode("latin-1") for request in self.requests]
        return orjson.dumps(values)

    @classmethod
    def from_json(cls, data: bytes) -> "Job":
        """Return the job that `to_json` wrote."""
        values = orjson.loads(data)
        for name in ("sources", "pids"):
            values[name] = tuple(values[name])
        values["requests"] = tuple(request.encode("latin-1") for request in values["requests"])
        return cls(**values)

    def address(self, *, allow_remote: bool) -> tuple[int, tuple[Any, ...]]:
        """Resolve the host; return the socket family and the address.

        Raises: InvalidInput where the host is unknown, or off this machine without `allow_remote`.
        """
        name = "127.0.0.1" if self.host == "localhost" or self.host.endswith(".localhost") else self.host
        try:
            family, _, _, _, address = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)[0]
        except OSError:
            raise InvalidInput(f"The host {self.host} is not known.") from None
        if not allow_remote and not str(address[0]).startswith(LOOPBACK):
            raise InvalidInput(
                f"{self.host} ({address[0]}) is another machine. Load disturbs it; say --allow-remote if it is yours."
            )
        return int(family), address


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Latencies in microseconds."""

    mean_us: float
    p50_us: float
    p90_us: float
    p99_us: float
    p99_9_us: float
    max_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one job measured."""

    elapsed_s: float
    finished: int
    received_bytes: int
    statuses: dict[str, int]
    errors: dict[str, int]
    failed: int
    unsent: int
    unanswered: int
    reconnects: int
    first_malformed: str
    latency: Latency
    server_cpu_s: float
    client_cpu_s: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def from_account(cls, account: "Account", *, client_cpu_s: float, notes: tuple[str, ...] = ()) -> "Result":
        """Return the result of a run whose `sample` was the CPU time of the server."""
        values: dict[str, Any] = dict(account)
        latency = {f"{name}_us": ns / 1000 for name, ns in values.pop("latency_ns").items()}
        values["server_cpu_s"] = values.pop("sampled")
        values["received_bytes"] = values.pop("bytes")
        return cls(**values, latency=Latency(**latency), client_cpu_s=client_cpu_s, notes=notes)

    @classmethod
    def from_json(cls, data: bytes) -> "Result":
        """Return the result that the worker wrote."""
        values = orjson.loads(data)
        values["latency"] = Latency(**values["latency"])
        values["notes"] = tuple(values["notes"])
        return cls(**values)

    def to_json(self) -> bytes:
        """Return the result as JSON."""
        return orjson.dumps(asdict(self))

    @property
    def requests_per_s(self) -> float:
        """Return the answers that came within the window, a second."""
        return self.finished / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def cpu_us(self) -> float | None:
        """Return the server's CPU time for one request in microseconds; None where it was not watched."""
        return self.server_cpu_s / self.finished * 1e6 if self.server_cpu_s and self.finished else None

    def faults(self, *expected: int) -> list[str]:
        """Return in words why the result is not to be believed; an empty list where all answers were as expected."""
        found = [f"{count} connection(s) failed: {name}" for name, count in self.errors.items()]
        if self.unsent:
            found.append(f"{self.unsent} request(s) were due and never sent: the server did not keep up with the rate")
        if self.unanswered:
            found.append(f"{self.unanswered} request(s) were never answered")
        if expected:
            wrong = {status: n for status, n in self.statuses.items() if int(status) not in expected}
            found += [f"{count} answer(s) with status {status}" for status, count in wrong.items()]
        if not self.finished and not found:
            found.append("no answer came within the measured time")
        return found
