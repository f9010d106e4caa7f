# cython: language_level=3
"""Pages (finished responses) and the byte-bounded cache that holds them.

Rules: a page never changes except for its Date. A page made before the last change of its site is never given out.
Everything runs on the event loop's thread, except what makes a `Page` (`Pages.site` among it) and `Pages.forget`, which
only moves numbers up: no Python code runs in the middle of them.
"""

from collections import namedtuple
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject
from cpython.ref cimport Py_REFCNT
from http import HTTPStatus
from libc.string cimport memcpy
from libc.time cimport gmtime_r, time_t, tm

from lru import LRU

from fazt._speedups.statistics cimport HTML, SiteState, monotonic_ns, wall_ms

DEF DATE_BYTES = 29
DEF MAX_PAGE_BYTES = 524288
DEF SOURCE_CHARGE = 65536       # a page that holds a file descriptor: so many of them fit as descriptors may be open
DEF PAGE_OVERHEAD = 1200        # the objects around the bytes, measured with tracemalloc

cdef enum:
    NOWHERE = 0
    PROBATION = 1
    PROTECTED = 2
    NEGATIVE = 3

Variant = namedtuple("Variant", "encoding etag size body source")
CacheStatistics = namedtuple(
    "CacheStatistics", "entries negative_entries bytes max_bytes hits misses evictions stale"
)

cdef dict CODING_BITS = {"": 0, "gzip": 1, "br": 2, "zstd": 4}
cdef frozenset NOT_MODIFIED_FIELDS = frozenset(  # RFC 9110 15.4.5
    (b"vary", b"cache-control", b"content-location", b"expires", b"last-modified")
)
cdef tuple DAYS = (b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat")
cdef tuple MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


cdef bytes imf_fixdate(time_t seconds):
    """Return a time as RFC 9110 5.6.7 writes it, whatever the locale."""
    cdef tm parts
    gmtime_r(&seconds, &parts)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        DAYS[parts.tm_wday], parts.tm_mday, MONTHS[parts.tm_mon], parts.tm_year + 1900,
        parts.tm_hour, parts.tm_min, parts.tm_sec,
    )


cdef class Clock:
    """The time as the hot path sees it; `tick` is called by a timer, at least once a second."""

    def __init__(self):
        self.second = 1
        self.date = b""
        self.tick()

    def tick(self):
        """Read the clocks."""
        self.now_ms = wall_ms()
        self.monotonic = monotonic_ns() / 1e9
        cdef bytes date = imf_fixdate(self.now_ms // 1000)
        if date != self.date:
            self.date = date
            self.second += 1


cdef bytes status_line(int status):
    try:
        phrase = HTTPStatus(status).phrase.encode()
    except ValueError:
        phrase = b""
    return b"HTTP/1.1 %d %s\r\n" % (status, phrase)


cdef bytes lines_of(fields):
    return b"".join([b"%s: %s\r\n" % field for field in fields])


cdef bytes fresh(list holder, int index, int date_at, unsigned long* second, Clock clock):
    """Return holder[index] with the Date of now: renewed in place where nobody else holds the bytes, else in a copy."""
    cdef PyObject* held = <PyObject*> PyList_GET_ITEM(holder, index)
    cdef bytes renewed
    if second[0] != clock.second:
        second[0] = clock.second
        if (<Py_ssize_t> Py_REFCNT(<object> held)) > OWN_REFERENCES:
            renewed = PyBytes_FromStringAndSize(
                PyBytes_AS_STRING(<object> held), PyBytes_GET_SIZE(<object> held)
            )
            holder[index] = renewed
            held = <PyObject*> renewed
        memcpy(PyBytes_AS_STRING(<object> held) + date_at, PyBytes_AS_STRING(clock.date), DATE_BYTES)
    return <bytes> held


cdef int own_references():
    """Return the reference count that `fresh` sees on bytes that only the list holds."""
    cdef list holder = [PyBytes_FromStringAndSize(b"fresh", 5)]
    cdef PyObject* held = <PyObject*> PyList_GET_ITEM(holder, 0)
    return Py_REFCNT(<object> held)


cdef int OWN_REFERENCES = own_references()


def is_html(fields):
    """Tell whether the fields of an answer say that it is an HTML page."""
    for name, value in fields:
        if name.lower() == b"content-type":
            return value[:9].lower() == b"text/html"
    return False


cdef class Page:
    """A finished response in each of its codings."""

    def __init__(
        self,
        SiteState site not None,
        unsigned long long generation,
        int status,
        headers,
        variants,
        *,
        bint keep,
        bytes last_modified not None=b"",
    ):
        cdef int index
        if not 1 <= len(variants) <= 4:
            raise ValueError("a page has one to four variants")
        if variants[0].encoding != "":
            raise ValueError("the first variant is identity")
        self.site = site
        self.generation = generation
        self.status = status
        self.headers = tuple(headers)
        self.keep = keep
        self.marks = HTML if is_html(self.headers) else 0
        self.last_modified = last_modified
        self.count = len(variants)
        self.codings = [variant.encoding for variant in variants]
        self.etags = [variant.etag for variant in variants]
        self.sources = [variant.source for variant in variants]
        self.responses = []
        self.heads = [None] * self.count
        self.not_modifieds = [None] * self.count
        self.date_at = len(status_line(status)) + len(b"Date: ")
        self.size = PAGE_OVERHEAD
        for index in range(self.count):
            self.available |= CODING_BITS[self.codings[index]]
            self.body_length[index] = variants[index].size
            self.add_response(index, variants[index].body)
        for index in range(8):
            self.choices[index] = <char> self.smallest(index)

    cdef int add_response(self, int index, body) except -1:
        """Build what is sent for one variant; the body is held once, behind its head."""
        cdef bytes head = self.make_head(index)
        self.head_length[index] = len(head)
        self.size += 2 * len(head)
        if body is None:
            self.responses.append(None)
            self.size += SOURCE_CHARGE
            return 0
        if len(body) != self.body_length[index]:
            raise ValueError("a variant's size is not that of its body")
        self.responses.append(head + body)
        self.size += len(head) + len(body)
        return 0

    cdef int smallest(self, int acceptable) except -1:
        """Return the index of the smallest variant that is acceptable."""
        cdef int best = 0, index, bit
        for index in range(1, self.count):
            bit = CODING_BITS[self.codings[index]]
            if bit & acceptable and self.body_length[index] < self.body_length[best]:
                best = index
        return best

    cdef bytes make_head(self, int index):
        return b"".join((status_line(self.status), b"Date: ", b" " * DATE_BYTES, b"\r\n", lines_of(self.fields(index)), b"\r\n"))

    cdef bytes make_not_modified(self, int index):
        fields = [field for field in self.headers if field[0].lower() in NOT_MODIFIED_FIELDS]
        if self.etags[index]:
            fields.append((b"ETag", self.etags[index]))
        return b"".join((status_line(304), b"Date: ", b" " * DATE_BYTES, b"\r\n", lines_of(fields), b"\r\n"))

    cdef bytes get_response(self, int index, Clock clock):
        return fresh(self.responses, index, self.date_at, &self.response_second[index], clock)

    cdef bytes get_head(self, int index, Clock clock):
        if self.heads[index] is None:
            self.heads[index] = self.make_head(index)
        return fresh(self.heads, index, self.date_at, &self.head_second[index], clock)

    cdef bytes get_not_modified(self, int index, Clock clock):
        if self.not_modifieds[index] is None:
            self.not_modifieds[index] = self.make_not_modified(index)
        return fresh(
            self.not_modifieds, index, len(b"HTTP/1.1 304 Not Modified\r\nDate: "), &self.not_modified_second[index], clock
        )

    def choose(self, int acceptable):
        """Return the index of the variant to send for a mask of codings (1 gzip, 2 br, 4 zstd)."""
        return self.choices[acceptable & 7]

    def fields(self, int index):
        """Return all fields of the 200 answer for that variant except Date, in the order they are sent."""
        own = [(b"Content-Length", b"%d" % self.body_length[self.check(index)])]
        if self.codings[index]:
            own.append((b"Content-Encoding", self.codings[index].encode()))
        if self.etags[index]:
            own.append((b"ETag", self.etags[index]))
        return self.headers + tuple(own)

    def etag(self, int index):
        """Return the entity tag of a variant with its quotes; b"" where it has none."""
        return self.etags[self.check(index)]

    def length(self, int index):
        """Return the number of bytes of a variant's body."""
        return self.body_length[self.check(index)]

    def body(self, int index):
        """Return a view of a variant's body; None where it has to be read from its source."""
        response = self.responses[self.check(index)]
        return None if response is None else memoryview(response)[self.head_length[index]:]

    def source(self, int index):
        """Return the source that a variant's body is read from; None where it is in memory."""
        return self.sources[self.check(index)]

    def response(self, int index, Clock clock not None):
        """Return head and body of the answer; only where the variant's body is in memory."""
        if self.responses[self.check(index)] is None:
            raise ValueError("the body of this variant is not in memory")
        return self.get_response(index, clock)

    def head(self, int index, Clock clock not None):
        """Return the answer to HEAD: the same head, no body."""
        return self.get_head(self.check(index), clock)

    def not_modified(self, int index, Clock clock not None):
        """Return the 304 that belongs to the variant's 200 (RFC 9110 15.4.5)."""
        return self.get_not_modified(self.check(index), clock)

    cdef int check(self, int index) except -1:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return index


cdef class Pages:
    """The page cache: bounded in bytes, least recently used goes first, resistant to scans.

    A new page is on probation; a second use protects it. What is protected may take nine tenths of the bytes, probation
    all that is left, so that any number of pages asked for once leaves alone those that are asked for again and again.
    """

    def __init__(self, Py_ssize_t max_bytes, Py_ssize_t max_negative=4096):
        self.generation = 1
        self.max_bytes = max_bytes
        self.max_negative = max_negative
        self.index = {}
        self.states = {}
        self.probation = LRU(1 << 30)
        self.protected = LRU(1 << 30)
        self.negative = LRU(1 << 30)

    def site(self, str name not None):
        """Return the state of a site, made at the first call. Only for names that exist."""
        state = self.states.get(name)
        if state is None:
            state = SiteState(name)
            # A page that is being made now from what was read before the latest change must not slip in.
            (<SiteState> state).change = self.generation
            state = self.states.setdefault(name, state)
        return state

    def sites(self):
        """Return the states of all sites seen so far."""
        return list(self.states.values())

    cdef bint is_stale(self, Page page) noexcept:
        if page.segment == NEGATIVE or page.status == 404:
            return page.generation < self.generation
        return page.generation < page.site.change

    cdef Page find(self, bytes key, unsigned long second):
        """Return the page under a key if it is there and current; its place is renewed once in a `second` (0: each time)."""
        cdef PyObject* found = PyDict_GetItem(self.index, key)
        cdef Page page
        if found is NULL or (self.word is not NULL and self.word[0] != self.seen):
            return None
        page = <Page> found
        if self.is_stale(page):
            self.stale += 1
            self.drop(page)
            return None
        if second == 0 or page.touched != second or page.segment == PROBATION:
            page.touched = second
            self.use(page)
        return page

    def get(self, bytes key not None):
        """Return the page under a key (host + path as they came), or None; count the hit or miss."""
        page = self.find(key, 0)
        if page is None:
            self.misses += 1
        else:
            self.hits += 1
        return page

    cdef void use(self, Page page):
        """Move a page to the front of its segment; one on probation is protected from now on."""
        if page.segment == PROTECTED:
            self.protected[page.key] = page
        elif page.segment == NEGATIVE:
            self.negative[page.key] = page
        elif page.segment == PROBATION:
            del self.probation[page.key]
            self.probation_bytes -= page.size
            self.protected[page.key] = page
            self.protected_bytes += page.size
            page.segment = PROTECTED
            while self.protected_bytes > self.max_bytes - self.max_bytes // 10:
                self.demote(self.protected.peek_last_item()[1])

    cdef int demote(self, Page page) except -1:
        del self.protected[page.key]
        self.protected_bytes -= page.size
        self.probation[page.key] = page
        self.probation_bytes += page.size
        page.segment = PROBATION
        return 0

    cdef void drop(self, Page page):
        """Take a page out of the cache."""
        if page.segment == PROBATION:
            del self.probation[page.key]
            self.probation_bytes -= page.size
        elif page.segment == PROTECTED:
            del self.protected[page.key]
            self.protected_bytes -= page.size
        elif page.segment == NEGATIVE:
            del self.negative[page.key]
            self.negative_bytes -= page.size
        del self.index[page.key]
        page.segment = NOWHERE
        page.key = None

    cdef void evict(self):
        cdef Page page
        while self.negative_bytes > self.max_bytes // 20 or len(self.negative) > self.max_negative:
            self.drop(<Page> self.negative.peek_last_item()[1])
        while self.probation_bytes + self.protected_bytes + self.negative_bytes > self.max_bytes:
            page = <Page> (self.probation if self.probation_bytes else self.protected).peek_last_item()[1]
            page.site.evictions += 1
            self.evictions += 1
            self.drop(page)

    def put(self, bytes key not None, Page page not None):
        """Keep a page under host + path as they came, if it may be kept and there is room; tell whether it is."""
        if not page.keep or page.segment != NOWHERE or self.is_stale(page):
            return False
        if page.size > min(MAX_PAGE_BYTES, self.max_bytes // 10):
            return False
        found = self.index.get(key)
        if found is not None:
            self.drop(<Page> found)
        page.key = key
        self.index[key] = page
        if page.status == 404:
            page.segment = NEGATIVE
            self.negative[key] = page
            self.negative_bytes += page.size
        else:
            page.segment = PROBATION
            self.probation[key] = page
            self.probation_bytes += page.size
        self.evict()
        return page.segment != NOWHERE

    def watch(self, memory not None):
        """Give out no page while the word in a memory of 8 bytes, which another process raises, was not followed."""
        cdef const unsigned char[::1] view = memory
        if view.shape[0] < 8:
            raise ValueError("a word has eight bytes")
        self.watched = memory
        self.word = <const volatile unsigned long long*> &view[0]
        self.seen = self.word[0] - 1

    @property
    def latest(self):
        """The word as it is now; 0 where none is watched."""
        return 0 if self.word is NULL else self.word[0]

    @property
    def is_behind(self):
        """Whether something has changed that was not followed yet."""
        return self.word is not NULL and self.word[0] != self.seen

    def caught_up(self, unsigned long long word):
        """Take note that everything up to a word was followed, which was read before that."""
        self.seen = word

    def forget(self, names):
        """Make every page of these sites stale, and all negative entries; from any thread."""
        self.generation += 1
        for name in names:
            state = self.states.get(name)
            if state is not None:
                (<SiteState> state).change = self.generation

    def resize(self, Py_ssize_t max_bytes):
        """Hold at most so many bytes from now on; what was not used for longest goes at once."""
        self.max_bytes = max_bytes
        while self.protected_bytes > max_bytes - max_bytes // 10:
            self.demote(<Page> self.protected.peek_last_item()[1])
        self.evict()

    def clear(self):
        """Empty the cache; what is being made now is not kept either."""
        self.generation += 1
        for state in self.states.values():
            (<SiteState> state).change = self.generation
        for page in list(self.index.values()):
            self.drop(<Page> page)

    def statistics(self):
        """Return the cache as it stands."""
        return CacheStatistics(
            len(self.index),
            len(self.negative),
            self.probation_bytes + self.protected_bytes + self.negative_bytes,
            self.max_bytes,
            self.hits,
            self.misses,
            self.evictions,
            self.stale,
        )
