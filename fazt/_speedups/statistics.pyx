# cython: language_level=3
"""What was served, counted in C: one `SiteState` a site, and a ring of the last requests.

Rule: counting one request allocates nothing and writes nothing; somebody else takes the counts away in batches.
"""

from collections import namedtuple
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

# Four buckets an octave from 2**10 ns (a microsecond) to 2**36 ns (a minute): 19 % wide each.
DEF N_BUCKETS = 104
DEF FIRST_OCTAVE = 10
DEF LONGEST_HOST = 255
DEF LONGEST_PATH = 2048
DEF LONGEST_NOTE = 255          # what is kept of a Referer or User-Agent

BUCKETS = N_BUCKETS
MARK_UNTRACKED, MARK_HTML, MARK_AHEAD, MARK_PART = UNTRACKED, HTML, AHEAD, PART

Counters = namedtuple("Counters", "requests body_bytes hits misses evictions statuses latency")
AccessRecord = namedtuple(
    "AccessRecord",
    "at_ms site client method host path status body_bytes duration_ns hit referer agent marks",
    defaults=("", "", 0),
)


cdef long long monotonic_ns() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1000000000LL + now.tv_nsec


cdef long long wall_ms() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec * 1000LL + now.tv_nsec // 1000000


cdef extern from *:
    """
    static inline int fazt_log2(unsigned long long value) { return 63 - __builtin_clzll(value); }
    /* The ring is larger than the nearest caches: have the first lines of a record there before they are written. */
    static inline void fazt_fetch(const void* record) {
        __builtin_prefetch((const char*) record, 1);
        __builtin_prefetch((const char*) record + 64, 1);
        __builtin_prefetch((const char*) record + 128, 1);
        __builtin_prefetch((const char*) record + 192, 1);
        __builtin_prefetch((const char*) record + 256, 1);
    }
    """
    void fazt_fetch(const void* record) noexcept nogil
    int fazt_log2(unsigned long long value) noexcept nogil


cdef int bucket_index(unsigned long long duration_ns) noexcept:
    cdef int octave
    if duration_ns < (1 << FIRST_OCTAVE):
        return 0
    octave = fazt_log2(duration_ns)
    if octave >= FIRST_OCTAVE + N_BUCKETS // 4:
        return N_BUCKETS - 1
    return (octave - FIRST_OCTAVE) * 4 + <int> ((duration_ns >> (octave - 2)) & 3)


def bucket_of(duration_ns):
    """Return the index of the latency bucket that a duration falls into."""
    return bucket_index(max(0, min(duration_ns, 1 << 62)))


def bucket_limit_ns(int bucket):
    """Return the upper limit of a bucket in nanoseconds."""
    if not 0 <= bucket < N_BUCKETS:
        raise IndexError(bucket)
    octave, quarter = divmod(bucket, 4)
    return (1 << (FIRST_OCTAVE + octave)) + (quarter + 1) * (1 << (FIRST_OCTAVE + octave - 2))


cdef class SiteState:
    """Counters and cache generation of one site; lives as long as the server."""

    def __init__(self, str name not None):
        self.name = name
        self.taken = None

    @property
    def generation(self):
        return self.change

    cdef void add(self, int status, unsigned long long body_bytes, unsigned long long duration_ns, bint hit) noexcept:
        cdef int group = status // 100 - 1
        self.requests += 1
        self.body_bytes += body_bytes
        if hit:
            self.hits += 1
        if 0 <= group < 5:
            self.statuses[group] += 1
        self.latency[bucket_index(duration_ns)] += 1

    def count(self, int status, unsigned long long body_bytes, unsigned long long duration_ns, bint hit):
        """Count one answered request."""
        self.add(status, body_bytes, duration_ns, hit)
        if not hit:
            self.misses += 1

    cdef object current(self):
        return Counters(
            self.requests,
            self.body_bytes,
            self.hits,
            self.misses,
            self.evictions,
            tuple([self.statuses[i] for i in range(5)]),
            (<const char*> &self.latency[0])[:sizeof(self.latency)],
        )

    def merge(self, counters):
        """Add what another process counted (`Counters`)."""
        cdef const unsigned int* theirs
        cdef bytes latency = counters.latency
        cdef int i
        if PyBytes_GET_SIZE(latency) != sizeof(self.latency):
            raise ValueError("a histogram of another kind")
        self.requests += counters.requests
        self.body_bytes += counters.body_bytes
        self.hits += counters.hits
        self.misses += counters.misses
        self.evictions += counters.evictions
        for i in range(5):
            self.statuses[i] += counters.statuses[i]
        theirs = <const unsigned int*> PyBytes_AS_STRING(latency)
        for i in range(N_BUCKETS):
            self.latency[i] += theirs[i]

    def take(self):
        """Return the counts since the last call and reset them; None where there were none."""
        if self.requests == 0 and self.evictions == 0:
            return None
        counters = self.current()
        self.taken = counters if self.taken is None else added(self.taken, counters)
        self.requests = self.body_bytes = self.hits = self.misses = self.evictions = 0
        memset(&self.statuses[0], 0, sizeof(self.statuses))
        memset(&self.latency[0], 0, sizeof(self.latency))
        return counters

    def totals(self):
        """Return the counts since the server started (taken ones included)."""
        counters = self.current()
        return counters if self.taken is None else added(self.taken, counters)


cdef object added(one, other):
    """Return the sum of two Counters."""
    latency = memoryview(bytearray(one.latency)).cast("I")
    for index, count in enumerate(memoryview(other.latency).cast("I")):
        latency[index] = min(latency[index] + count, 0xFFFFFFFF)
    return Counters(
        one.requests + other.requests,
        one.body_bytes + other.body_bytes,
        one.hits + other.hits,
        one.misses + other.misses,
        one.evictions + other.evictions,
        tuple([mine + theirs for mine, theirs in zip(one.statuses, other.statuses)]),
        latency.tobytes(),
    )


def add_latencies(histograms):
    """Return the sum of histograms of latencies, each of little-endian 32-bit counts; shorter ones end in zeros."""
    cdef unsigned long long[N_BUCKETS] sums
    cdef const unsigned int* counts
    cdef bytes histogram
    cdef Py_ssize_t i, width = 0
    memset(&sums[0], 0, sizeof(sums))
    for histogram in histograms:
        counts = <const unsigned int*> PyBytes_AS_STRING(histogram)
        width = max(width, min(N_BUCKETS, PyBytes_GET_SIZE(histogram) // 4))
        for i in range(min(N_BUCKETS, PyBytes_GET_SIZE(histogram) // 4)):
            sums[i] += counts[i]
    cdef bytes summed = PyBytes_FromStringAndSize(NULL, width * 4)
    cdef unsigned int* out = <unsigned int*> PyBytes_AS_STRING(summed)
    for i in range(width):
        out[i] = <unsigned int> min(sums[i], 0xFFFFFFFFULL)
    return summed


cdef class Record:
    """A place of the ring, filled again and again."""

    cdef object as_tuple(self):
        cdef str host = self.key[:self.host_length].decode("latin-1")
        cdef str path = self.key[self.host_length:].decode("latin-1")
        return AccessRecord(
            self.at_ms, self.site, self.client, self.method.decode("latin-1"), host[:LONGEST_HOST],
            path[:LONGEST_PATH], self.status, self.body_bytes, self.duration_ns, bool(self.hit),
            (<const char*> &self.notes[0])[:self.referer_length].decode("latin-1"),
            (<const char*> &self.notes[self.referer_length])[:self.agent_length].decode("latin-1"),
            self.marks,
        )


cdef class AccessRing:
    """The last `capacity` requests; writing to it allocates nothing."""

    def __init__(self, Py_ssize_t capacity=2048):
        if capacity < 1:
            raise ValueError("an access ring holds at least one record")
        self.capacity = capacity
        self.sequence = self.place = 0
        self.records = [Record.__new__(Record) for _ in range(capacity)]

    cdef void put(
        self, str site, str client, bytes method, bytes key, int host_length, int status,
        unsigned long long body_bytes, unsigned long long duration_ns, bint hit, long long at_ms, int marks,
        const unsigned char* referer, Py_ssize_t referer_length, const unsigned char* agent, Py_ssize_t agent_length,
    ):
        cdef Record record = <Record> PyList_GET_ITEM(self.records, self.place)
        record.at_ms = at_ms
        record.site = site
        record.client = client
        record.method = method
        record.key = key
        record.host_length = host_length
        record.status = status
        record.body_bytes = body_bytes
        record.duration_ns = duration_ns
        record.hit = hit
        record.marks = <unsigned char> marks
        if marks & HTML or status == 404:  # nothing else is a visit, and most answers are something else
            record.referer_length = <unsigned char> max(0, min(referer_length, LONGEST_NOTE))
            memcpy(&record.notes[0], referer, record.referer_length)
            record.agent_length = <unsigned char> max(0, min(agent_length, LONGEST_NOTE))
            memcpy(&record.notes[record.referer_length], agent, record.agent_length)
        else:
            record.referer_length = record.agent_length = 0
        self.sequence += 1
        self.place = self.place + 1 if self.place + 1 < self.capacity else 0
        fazt_fetch(PyList_GET_ITEM(self.records, self.place))

    def add(
        self, SiteState site not None, str client not None, bytes method not None, bytes key not None,
        int host_length, int status, unsigned long long body_bytes, unsigned long long duration_ns, bint hit,
        bytes referer not None=b"", bytes agent not None=b"", int marks=0,
    ):
        """Add a record; `key` is host + path as they came, the first `host_length` bytes are the host."""
        self.put(
            site.name, client, method, key, host_length, status, body_bytes, duration_ns, hit, wall_ms(), marks,
            <const unsigned char*> PyBytes_AS_STRING(referer), PyBytes_GET_SIZE(referer),
            <const unsigned char*> PyBytes_AS_STRING(agent), PyBytes_GET_SIZE(agent),
        )

    def take_over(self, record):
        """Add a record that another process made (`AccessRecord`), with its own time."""
        cdef bytes host = record.host.encode("latin-1"), path = record.path.encode("latin-1")
        cdef bytes referer = record.referer.encode("latin-1"), agent = record.agent.encode("latin-1")
        self.put(
            record.site, record.client, record.method.encode("latin-1"), host + path, len(host), record.status,
            record.body_bytes, record.duration_ns, record.hit, record.at_ms, record.marks,
            <const unsigned char*> PyBytes_AS_STRING(referer), PyBytes_GET_SIZE(referer),
            <const unsigned char*> PyBytes_AS_STRING(agent), PyBytes_GET_SIZE(agent),
        )

    def since(self, unsigned long long sequence, Py_ssize_t limit=1000):
        """Return (next sequence, number lost to the ring's size or to `limit`, records) after `sequence`."""
        cdef unsigned long long first = min(sequence, self.sequence), oldest = 0
        if self.sequence > <unsigned long long> self.capacity:
            oldest = self.sequence - self.capacity
        if self.sequence - oldest > <unsigned long long> limit:
            oldest = self.sequence - limit
        return self.between(first, max(first, oldest), self.sequence)

    def after(self, unsigned long long sequence, Py_ssize_t limit):
        """Return the same of the oldest `limit` records after `sequence` that are left, to read on from there."""
        cdef unsigned long long first = min(sequence, self.sequence), oldest = 0
        if self.sequence > <unsigned long long> self.capacity:
            oldest = self.sequence - self.capacity
        oldest = max(first, oldest)
        return self.between(first, oldest, min(self.sequence, oldest + <unsigned long long> limit))

    cdef tuple between(self, unsigned long long asked, unsigned long long first, unsigned long long end):
        cdef unsigned long long i
        records = [
            (<Record> self.records[i % <unsigned long long> self.capacity]).as_tuple() for i in range(first, end)
        ]
        return end, first - asked, records
