"""The cases of serving: what is asked for, and the answer that it must get.

Rule: a case is the same for every server; what differs between servers (an ETag) is asked of the server first.
"""

from dataclasses import dataclass, replace

from fazt.bench import probe, process, worker
from fazt.bench.job import Job, Result
from fazt.bench.request import request_bytes
from fazt.bench.running import Running

HOST = "bench.localhost"
PARTIAL_BYTES = 1_000
VISITS_BEFORE = 3  # a large file gets to where it is served from at its second visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table of serving."""

    name: str
    path: str
    title: str
    connections: int = 32
    status: int = 200
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    conditional: bool = False  # ask with the ETag that the server gave
    distinct: int = 0  # so many paths, each asked once
    pipeline: int = 1

    def request(self, etag: str | None = None) -> bytes:
        """Return the request, with the ETag where the case is conditional."""
        condition = (("If-None-Match", etag),) if self.conditional and etag else ()
        return request_bytes(HOST, self.path, method=self.method, fields=(*self.fields, *condition))

    def requests(self, etag: str | None) -> tuple[bytes, ...]:
        """Return all requests of the case."""
        if not self.distinct:
            return (self.request(etag),)
        return tuple(replace(self, path=f"{self.path}-{number}").request() for number in range(self.distinct))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long each case takes: seconds, rounds, and the sizes of what is made for it."""

    duration_s: float
    warmup_s: float
    rounds: int
    distinct: int
    large: bool
    sites: int
    cold_sites: int
    files: int
    file_bytes: int
    idle: int


QUICK = Pace(
    duration_s=1.0,
    warmup_s=0.2,
    rounds=1,
    distinct=2_000,
    large=False,
    sites=1_000,
    cold_sites=1_000,
    files=1_000,
    file_bytes=20_000_000,
    idle=1_000,
)
FULL = Pace(
    duration_s=4.0,
    warmup_s=1.0,
    rounds=3,
    distinct=20_000,
    large=True,
    sites=10_000,
    cold_sites=1_000,
    files=1_000,
    file_bytes=20_000_000,
    idle=10_000,
)


def cases(pace: Pace) -> tuple[Case, ...]:
    """Return the cases of serving."""
    partial = (("Range", f"bytes={PARTIAL_BYTES}-{2 * PARTIAL_BYTES - 1}"),)
    found = [
        Case(name="hit-1kb", title="1 KB page", path="/1kb.html"),
        Case(name="hit-10kb", title="10 KB page", path="/10kb.html"),
        Case(name="hit-100kb", title="100 KB page", path="/100kb.html"),
        Case(name="not-modified", title="304 for a 10 KB page", path="/10kb.html", status=304, conditional=True),
        Case(name="range", title="1 KB range of a 100 KB page", path="/100kb.html", status=206, fields=partial),
        Case(name="missing", title="404, asked again", path="/missing", status=404),
        Case(name="missing-new", title="404, each another path", path="/new", status=404, distinct=pace.distinct),
        Case(name="hit-1mb", title="1 MB file", path="/1mb.bin", connections=16),
    ]
    if pace.large:
        found.append(Case(name="hit-100mb", title="100 MB file", path="/100mb.bin", connections=4))
    return tuple(found)


def expected_body(case: Case, contents: dict[str, bytes]) -> bytes:
    """Return the body that the answer must have."""
    if case.status == 404:
        return contents["404.html"]
    if case.status == 304 or case.method == "HEAD":
        return b""
    body = contents[case.path.lstrip("/")]
    return body[PARTIAL_BYTES : 2 * PARTIAL_BYTES] if case.status == 206 else body


def measure_case(
    server: Running, case: Case, contents: dict[str, bytes], pace: Pace, *, load_core: int | None
) -> Result:
    """Check the answer to a case, then measure it once.

    Raises: RemoteError where the answer is not the expected one.
    """
    etag = None
    if case.conditional:
        etag = probe.fetch(server.port, replace(case, conditional=False).request()).fields.get("etag")
    for _ in range(VISITS_BEFORE):
        probe.check(server.name, server.port, case.request(etag), case.status, expected_body(case, contents))
    probe.wait_until_rest(server.pids)
    requests = case.requests(etag)
    return worker.measure(
        Job(
            host="127.0.0.1",
            port=server.port,
            requests=requests,
            connections=case.connections,
            duration_s=60.0 if case.distinct else pace.duration_s,
            warmup_s=0.0 if case.distinct else pace.warmup_s,
            limit=len(requests) if case.distinct else 0,
            pipeline=case.pipeline,
            core=load_core,
            pids=process.tree(server.pids[0]),
        )
    )
