"""What was served, counted in C: one `SiteState` a site, and a ring of the last requests."""

from collections.abc import Iterable
from typing import NamedTuple

BUCKETS: int  # number of latency buckets
# What the record of a request says about it
MARK_UNTRACKED: int  # its sender asks not to be tracked (DNT, Sec-GPC)
MARK_HTML: int  # the answer was an HTML page
MARK_AHEAD: int  # asked for before anybody wants to see it
MARK_PART: int  # asked for by a page, not by whoever reads it

def bucket_of(duration_ns: int) -> int:
    """Return the index of the latency bucket that a duration falls into."""

def bucket_limit_ns(bucket: int) -> int:
    """Return the upper limit of a bucket in nanoseconds."""

def add_latencies(histograms: Iterable[bytes]) -> bytes:
    """Return the sum of histograms of latencies, each of little-endian 32-bit counts; shorter ones end in zeros."""

class Counters(NamedTuple):
    """Counts of one site since they were last taken."""

    requests: int
    body_bytes: int
    hits: int
    misses: int
    evictions: int
    statuses: tuple[int, int, int, int, int]  # 1xx, 2xx, 3xx, 4xx, 5xx
    latency: bytes  # BUCKETS little-endian uint32

class SiteState:
    """Counters and cache generation of one site; lives as long as the server."""

    def __init__(self, name: str) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def generation(self) -> int:
        """`Pages.generation` at the site's last change; a page made before is stale."""
    def count(self, status: int, body_bytes: int, duration_ns: int, hit: bool) -> None: ...
    def merge(self, counters: Counters) -> None:
        """Add what another process counted."""
    def take(self) -> Counters | None:
        """Return the counts since the last call and reset them; None where there were none."""
    def totals(self) -> Counters:
        """Return the counts since the server started (taken ones included)."""

class AccessRecord(NamedTuple):
    """One answered request."""

    at_ms: int  # since 1970-01-01 UTC
    site: str
    client: str
    method: str
    host: str  # as it came, at most 255 characters
    path: str  # as it came, at most 2048 characters
    status: int
    body_bytes: int
    duration_ns: int
    hit: bool
    referer: str = ""  # as it came, at most 255 characters
    agent: str = ""  # likewise
    marks: int = 0

class AccessRing:
    """The last `capacity` requests; writing to it allocates nothing."""

    def __init__(self, capacity: int = 2048) -> None: ...
    @property
    def sequence(self) -> int:
        """The number of records ever added."""
    def add(
        self,
        site: SiteState,
        client: str,
        method: bytes,
        key: bytes,
        host_length: int,
        status: int,
        body_bytes: int,
        duration_ns: int,
        hit: bool,
        referer: bytes = b"",
        agent: bytes = b"",
        marks: int = 0,
    ) -> None:
        """Add a record; `key` is host + path as they came, the first `host_length` bytes are the host."""
    def take_over(self, record: AccessRecord) -> None:
        """Add a record that another process made, with its own time."""
    def since(self, sequence: int, limit: int = 1000) -> tuple[int, int, list[AccessRecord]]:
        """Return (next sequence, number lost to the ring's size or to `limit`, records) after `sequence`."""
    def after(self, sequence: int, limit: int) -> tuple[int, int, list[AccessRecord]]:
        """Return the same of the oldest `limit` records after `sequence` that are left, to read on from there."""
