"""Pages (finished responses) and the byte-bounded cache that holds them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fazt._speedups.statistics import SiteState

class Variant(NamedTuple):
    """One coding of a page's body, as the resolver hands it over."""

    encoding: str  # "" (identity), "gzip", "br", "zstd"
    etag: bytes  # with its quotes; b"" for an answer without validators
    size: int  # bytes of the body in this coding
    body: bytes | None  # None: too large to be kept, to be read from `source`
    source: Any  # an edge.bodies.Source where body is None

def is_html(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the fields of an answer say that it is an HTML page."""

class Page:
    """A finished response in each of its codings.

    `headers` are the fields of the response but Date, Content-Length, Content-Encoding and ETag, which are made here.
    `variants` holds identity first, one to four in all; they are known by their index from then on. Of several codings
    that a client likes equally the smallest is sent. Nothing of a page changes but its Date.
    """

    @property
    def site(self) -> SiteState: ...
    @property
    def generation(self) -> int: ...
    @property
    def status(self) -> int: ...
    @property
    def marks(self) -> int:
        """MARK_HTML of `fazt._speedups.statistics` where it is an HTML page, else 0."""
    @property
    def keep(self) -> bool:
        """Whether the cache may hold it: the same for everybody, at any time, whatever the query."""
    @property
    def last_modified(self) -> bytes: ...
    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]: ...
    @property
    def size(self) -> int:
        """Bytes of memory that it is charged with in the cache."""
    @property
    def available(self) -> int:
        """Mask of the codings that there are (1 gzip, 2 br, 4 zstd)."""

    def __init__(
        self,
        site: SiteState,
        generation: int,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        variants: Sequence[Variant],
        *,
        keep: bool,
        last_modified: bytes = b"",
    ) -> None: ...
    def choose(self, acceptable: int) -> int:
        """Return the index of the variant to send for a mask of codings."""
    def fields(self, index: int) -> tuple[tuple[bytes, bytes], ...]:
        """Return all fields of the 200 answer for that variant except Date, in the order they are sent."""
    def etag(self, index: int) -> bytes:
        """Return the entity tag of a variant with its quotes; b"" where it has none."""
    def length(self, index: int) -> int:
        """Return the number of bytes of a variant's body."""
    def body(self, index: int) -> memoryview | None:
        """Return a view of a variant's body; None where it has to be read from its source."""
    def source(self, index: int) -> Any:
        """Return the source that a variant's body is read from; None where it is in memory."""
    def response(self, index: int, clock: Clock) -> bytes:
        """Return head and body of the answer; only where the variant's body is in memory."""
    def head(self, index: int, clock: Clock) -> bytes:
        """Return the answer to HEAD: the same head, no body."""
    def not_modified(self, index: int, clock: Clock) -> bytes:
        """Return the 304 that belongs to the variant's 200 (RFC 9110 15.4.5)."""

class Clock:
    """The time as the hot path sees it; `tick` is called by a timer, at least once a second."""

    @property
    def date(self) -> bytes:
        """The IMF-fixdate of now (29 bytes), RFC 9110 5.6.7."""
    @property
    def now_ms(self) -> int: ...
    @property
    def monotonic(self) -> float: ...
    def __init__(self) -> None: ...
    def tick(self) -> None:
        """Read the clocks."""

class CacheStatistics(NamedTuple):
    """The cache as it stands."""

    entries: int
    negative_entries: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int
    evictions: int
    stale: int

class Pages:
    """The page cache: bounded in bytes, least recently used goes first, resistant to scans.

    A new page is on probation; a second use protects it. Pages with status 404 are negative entries: bounded in number
    and bytes, all forgotten at any change.
    """

    @property
    def generation(self) -> int:
        """Rises with every change; read it before reading the store, and give it to the page made from it."""
    @property
    def max_bytes(self) -> int: ...
    def __init__(self, max_bytes: int, max_negative: int = 4096) -> None: ...
    def site(self, name: str) -> SiteState:
        """Return the state of a site, made at the first call. Only for names that exist."""
    def sites(self) -> list[SiteState]:
        """Return the states of all sites seen so far."""
    def get(self, key: bytes) -> Page | None:
        """Return the page under a key (host + path as they came), or None; count the hit or miss."""
    def put(self, key: bytes, page: Page) -> bool:
        """Keep a page under host + path as they came, if it may be kept and there is room; tell whether it is.

        Refused are pages that are stale, larger than 512 KiB or a tenth of the cache, not to be kept, or kept already.
        """
    def watch(self, memory: Any) -> None:
        """Give out no page while the word in a memory of 8 bytes, which another process raises, was not followed."""
    @property
    def latest(self) -> int:
        """The word as it is now; 0 where none is watched."""
    @property
    def is_behind(self) -> bool:
        """Whether something has changed that was not followed yet."""
    def caught_up(self, word: int) -> None:
        """Take note that everything up to a word was followed, which was read before that."""
    def forget(self, names: Iterable[str]) -> None:
        """Make every page of these sites stale, and all negative entries; from any thread."""
    def resize(self, max_bytes: int) -> None:
        """Hold at most so many bytes from now on; what was not used for longest goes at once."""
    def clear(self) -> None:
        """Empty the cache; what is being made now is not kept either."""
    def statistics(self) -> CacheStatistics:
        """Return the cache as it stands."""
