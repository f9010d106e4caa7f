# cython: cdivision=True
"""The load generator: many HTTP/1.1 connections over one epoll, in one thread, and an exact account of what came back.

It owns the connections, the schedule and the histogram of latencies; `answers.pxd` reads what comes, and
`fazt.bench.worker` gives it a process of its own. Rule: nothing is left out of the account. A request counts from the
moment it was due, whether or not a connection was free to send it; one that was never answered is counted and named.

Only C runs between two waits; Python runs at a (re)connect and at the two ends of the measured window.
"""

import errno as error_numbers
import socket

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, itimerspec, timespec
from posix.unistd cimport close, read

from fazt.bench.answers cimport BODY, HEAD_BYTES, Reader, take

cdef extern from *:
    int __builtin_clzll(unsigned long long value) nogil

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "<sys/socket.h>" nogil:
    cdef struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    ssize_t recv(int fd, void *buffer, size_t length, int flags)
    ssize_t sendmsg(int fd, const msghdr *message, int flags)
    int getsockopt(int fd, int level, int option, void *value, uint32_t *length)
    int MSG_NOSIGNAL, MSG_TRUNC, SOL_SOCKET, SO_ERROR

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint32_t u32
    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event *event)
    int epoll_wait(int epoll, epoll_event *events, int room, int timeout_ms)
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT

cdef extern from "<sys/timerfd.h>" nogil:
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec *value, itimerspec *before)
    int TFD_NONBLOCK, TFD_CLOEXEC, TFD_TIMER_ABSTIME

cdef enum:
    SUB_BUCKETS = 1024          # per power of two: a value is known to 0.1 %
    BUCKETS = 1024 * 36         # up to 2^45 ns, nine hours
    READ_BYTES = 65536
    DISCARD_BYTES = 1048576
    EVENTS = 64                 # small batches, so that a due request is not kept waiting by the reading of others
    MAX_PIPELINE = 64
    TIMER = 0xFFFFFFFF          # the epoll key of the timer; connections have their index
    SECOND = 1000000000
    SWEEP_NS = 100000000
    SPIN_NS = 100000            # a request due sooner than this is waited for without sleeping


cdef int64_t monotonic_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * SECOND + now.tv_nsec


cdef class Histogram:
    """Counts of nanoseconds in log-linear buckets, each at most 0.1 % wide."""

    cdef int64_t counts[BUCKETS]
    cdef readonly int64_t count
    cdef readonly int64_t maximum
    cdef readonly int64_t minimum
    cdef double total

    cdef void add(self, int64_t value) noexcept nogil:
        cdef int shift = 0
        cdef int64_t index
        if value < 0:
            value = 0
        if value >= 2 * SUB_BUCKETS:
            shift = 53 - __builtin_clzll(<uint64_t>value)
        index = <int64_t>shift * SUB_BUCKETS + (value >> shift)
        self.counts[index if index < BUCKETS else BUCKETS - 1] += 1
        if self.count == 0 or value < self.minimum:
            self.minimum = value
        self.count += 1
        self.total += value
        if value > self.maximum:
            self.maximum = value

    def record(self, int64_t value):
        """Count one value (in nanoseconds; a negative one counts as 0)."""
        self.add(value)

    @property
    def mean(self):
        """Return the mean, or 0.0 where nothing was counted."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, double percent):
        """Return the value that `percent` of all are at or below, to 0.1 %; 0 where nothing was counted."""
        if not 0 <= percent <= 100:
            raise ValueError(f"A percentile lies between 0 and 100, not at {percent}.")
        cdef int64_t rank = <int64_t>(self.count * percent / 100 + 0.9999999)
        cdef int64_t seen = 0
        cdef int64_t index, shift
        if rank < 1:
            rank = 1
        for index in range(BUCKETS):
            seen += self.counts[index]
            if self.counts[index] and seen >= rank:
                if index < 2 * SUB_BUCKETS:
                    return index
                shift = index // SUB_BUCKETS - 1
                index = (index - shift * SUB_BUCKETS) << shift
                return max(self.minimum, min(index + (<int64_t>1 << shift) // 2, self.maximum))
        return 0


def read_answers(pieces, *, bint head=False):
    """Read answers from the pieces in which they came; return a list of (status, bytes of body).

    Raises: ValueError where an answer is malformed or the last one is not whole.
    """
    cdef Reader reader
    cdef bytearray kept = bytearray(HEAD_BYTES)
    cdef Py_ssize_t taken, offset
    cdef bytes piece
    memset(&reader, 0, sizeof(reader))
    reader.head = kept
    reader.done = True
    answers = []
    for piece in pieces:
        offset = 0
        while offset < len(piece):
            taken = take(&reader, <const char*>piece + offset, len(piece) - offset, head)
            if taken < 0:
                raise ValueError(f"An answer is malformed near {piece[offset:offset + 80]!r}.")
            offset += taken
            if reader.done:
                answers.append((reader.status, reader.body))
    if not reader.done:
        raise ValueError("The last answer is not whole.")
    return answers


# --- connections ----------------------------------------------------------------------------------------------------

cdef enum:
    CLOSED
    CONNECTING
    OPEN


cdef enum:
    CONNECT
    RESET
    CUT
    MALFORMED
    UNASKED
    TIMEOUT
    FAILURES


FAILURE_NAMES = ("connect", "reset", "cut", "malformed", "unasked", "timeout")


cdef struct Request:
    const char *data
    size_t size
    bint head


cdef struct Slot:               # one request under way
    int request
    int64_t due_ns


cdef struct Connection:
    int fd
    int state
    bint waits_to_write
    bint queued                 # in the queue of those that can take a request (open loop)
    int first                   # where the ring of slots begins
    int count                   # slots in use
    int sent                    # of these, how many the kernel has whole
    size_t offset               # bytes sent of the next one
    int64_t active_ns           # when something last moved
    Reader reader


cdef class Load:
    """One run of load against one address."""

    cdef object family, address, sample, requests_kept
    cdef list sources
    cdef bytearray connection_memory, slot_memory, head_memory, request_memory, queue_memory, buffer_memory
    cdef Connection *connections
    cdef Slot *slots
    cdef Request *requests
    cdef int *queue
    cdef char *buffer
    cdef int count, pipeline, request_count, epoll, timer, queue_first, queue_length
    cdef bint paced, sending, measuring
    cdef double interval_ns
    cdef int64_t limit, issued, begin_ns, window_ns, end_ns, last_ns, timeout_ns, next_request
    cdef int64_t finished, received, reconnects, failed
    cdef int64_t statuses[600]
    cdef int64_t failures[FAILURES]
    cdef Histogram histogram
    cdef bytes first_malformed

    def __cinit__(self):
        self.epoll = self.timer = -1

    def __init__(self, family, address, requests, *, int connections, double rate, int pipeline, sources,
                 double timeout_s, int64_t limit, sample):
        if not 1 <= pipeline <= MAX_PIPELINE:
            raise ValueError(f"Pipelining takes 1 to {MAX_PIPELINE} requests, not {pipeline}.")
        if connections < 1 or not requests or rate < 0 or timeout_s <= 0:
            raise ValueError("A run needs at least one connection, one request and a time limit, and no negative rate.")
        self.family, self.address, self.sources, self.sample = family, address, list(sources), sample
        self.count, self.pipeline, self.limit = connections, pipeline, limit
        self.paced = rate > 0
        self.interval_ns = SECOND / rate if rate > 0 else 0
        self.timeout_ns = <int64_t>(timeout_s * SECOND)
        self.histogram = Histogram()
        self.prepare_requests([bytes(request) for request in requests])
        self.connection_memory = bytearray(connections * sizeof(Connection))
        self.connections = <Connection*><char*>self.connection_memory
        self.slot_memory = bytearray(connections * pipeline * sizeof(Slot))
        self.slots = <Slot*><char*>self.slot_memory
        self.head_memory = bytearray(connections * HEAD_BYTES)
        self.queue_memory = bytearray(connections * sizeof(int))
        self.queue = <int*><char*>self.queue_memory
        self.buffer_memory = bytearray(DISCARD_BYTES)
        self.buffer = self.buffer_memory
        for i in range(connections):
            self.connections[i].fd = -1
            self.connections[i].reader.head = <char*>self.head_memory + <size_t>i * HEAD_BYTES
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.epoll < 0 or self.timer < 0:
            raise OSError(errno, "The load generator cannot open its epoll.")
        self.watch(self.timer, EPOLL_CTL_ADD, EPOLLIN, TIMER)

    def __dealloc__(self):
        if self.epoll >= 0:
            close(self.epoll)
        if self.timer >= 0:
            close(self.timer)

    cdef prepare_requests(self, list requests):
        self.requests_kept = requests
        self.request_count = len(requests)
        self.request_memory = bytearray(len(requests) * sizeof(Request))
        self.requests = <Request*><char*>self.request_memory
        for i, request in enumerate(requests):
            self.requests[i].data = <bytes>request
            self.requests[i].size = len(request)
            self.requests[i].head = request.startswith(b"HEAD ")

    cdef void watch(self, int fd, int operation, int events, uint32_t key) noexcept nogil:
        cdef epoll_event event
        event.events = events
        event.data.u32 = key
        epoll_ctl(self.epoll, operation, fd, &event)

    # --- opening and closing

    cdef open(self, int i):
        cdef Connection *connection = &self.connections[i]
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.sources:
            sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect
            sock.bind((self.sources[i % len(self.sources)], 0))
        number = sock.connect_ex(self.address)
        if number not in (0, error_numbers.EINPROGRESS):
            sock.close()
            self.failures[CONNECT] += 1
            return
        connection.fd = sock.detach()
        connection.state = CONNECTING
        connection.waits_to_write = True
        connection.count = connection.sent = connection.first = 0
        connection.offset = 0
        connection.reader.used = 0
        connection.reader.done = True
        connection.active_ns = monotonic_ns()
        self.watch(connection.fd, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT, i)

    cdef void shut(self, int i) noexcept nogil:
        cdef Connection *connection = &self.connections[i]
        if connection.state != CLOSED:
            close(connection.fd)
        connection.fd = -1
        connection.state = CLOSED
        connection.count = 0

    cdef void fail(self, int i, int failure) noexcept nogil:
        self.failures[failure] += 1
        self.failed += self.connections[i].count
        self.shut(i)

    # --- sending

    cdef void push(self, int i, int64_t due_ns) noexcept nogil:
        """Give a connection the next request of the cycle."""
        cdef Connection *connection = &self.connections[i]
        cdef Slot *slot = &self.slots[i * self.pipeline + (connection.first + connection.count) % self.pipeline]
        slot.request = <int>self.next_request
        slot.due_ns = due_ns
        self.next_request = self.next_request + 1 if self.next_request + 1 < self.request_count else 0
        connection.count += 1
        self.issued += 1

    cdef bint may_issue(self) noexcept nogil:
        """Say whether there is another request to send; in the open loop it must be due before the window ends."""
        if not self.sending or (self.limit and self.issued >= self.limit):
            return False
        return not self.paced or self.due_ns() < self.end_ns

    cdef void refill(self, int i, int64_t now) noexcept nogil:
        """Closed loop: keep the connection's pipeline full. Open loop: queue it for the next due request."""
        cdef Connection *connection = &self.connections[i]
        if self.paced:
            if not connection.queued and connection.state == OPEN and connection.count < self.pipeline:
                connection.queued = True
                self.queue[(self.queue_first + self.queue_length) % self.count] = i
                self.queue_length += 1
            return
        while connection.count < self.pipeline and self.may_issue():
            self.push(i, now)
        self.flush(i)

    cdef int64_t due_ns(self) noexcept nogil:
        return self.begin_ns + <int64_t>(self.issued * self.interval_ns)

    cdef void dispatch(self, int64_t now) noexcept nogil:
        """Open loop: send what is due on the connections that wait in the queue."""
        cdef int i
        while self.queue_length and self.may_issue() and self.due_ns() <= now:
            i = self.queue[self.queue_first]
            self.queue_first = self.queue_first + 1 if self.queue_first + 1 < self.count else 0
            self.queue_length -= 1
            self.connections[i].queued = False
            if self.connections[i].state != OPEN:
                continue
            if self.connections[i].count == 0:
                self.connections[i].active_ns = now
            self.push(i, self.due_ns())
            self.flush(i)
            self.refill(i, now)

    cdef void flush(self, int i) noexcept nogil:
        cdef Connection *connection = &self.connections[i]
        cdef iovec pieces[MAX_PIPELINE]
        cdef msghdr message
        cdef Request *request
        cdef int n = 0
        cdef ssize_t written
        for n in range(connection.count - connection.sent):
            request = &self.requests[
                self.slots[i * self.pipeline + (connection.first + connection.sent + n) % self.pipeline].request
            ]
            pieces[n].iov_base = <void*>request.data
            pieces[n].iov_len = request.size
        if connection.count > connection.sent:
            pieces[0].iov_base = <char*>pieces[0].iov_base + connection.offset
            pieces[0].iov_len -= connection.offset
            memset(&message, 0, sizeof(message))
            message.msg_iov = pieces
            message.msg_iovlen = connection.count - connection.sent
            written = sendmsg(connection.fd, &message, MSG_NOSIGNAL)
            if written < 0:
                if errno != EAGAIN and errno != EINTR:
                    self.fail(i, RESET)
                    return
                written = 0
            n = 0
            while written and <size_t>written >= pieces[n].iov_len:
                written -= pieces[n].iov_len
                connection.offset = 0
                connection.sent += 1
                n += 1
            connection.offset += written
        if connection.waits_to_write != (connection.sent < connection.count):
            connection.waits_to_write = connection.sent < connection.count
            self.watch(connection.fd, EPOLL_CTL_MOD, EPOLLIN | (EPOLLOUT if connection.waits_to_write else 0), i)

    # --- receiving

    cdef void account(self, int64_t due_ns, int64_t now, int status, int64_t body) noexcept nogil:
        """Count one whole answer."""
        self.last_ns = now
        if self.measuring:
            self.finished += 1
        if due_ns >= self.window_ns:
            self.statuses[status] += 1
            self.histogram.add(now - due_ns)

    cdef int read_some(self, int i) noexcept nogil:
        """Read once; count the answers that are whole. Return 1 where the server wants to close, -1 where it closed."""
        cdef Connection *connection = &self.connections[i]
        cdef Reader *reader = &connection.reader
        cdef ssize_t size
        cdef Py_ssize_t taken
        cdef Py_ssize_t offset = 0
        cdef bint discard = reader.part == BODY and not reader.done and reader.left > READ_BYTES
        cdef int64_t now
        cdef Slot *slot
        if discard:              # the kernel drops the bytes; to copy them here would only slow the client
            size = recv(connection.fd, self.buffer, min(reader.left, DISCARD_BYTES), MSG_TRUNC)
        else:
            size = recv(connection.fd, self.buffer, READ_BYTES, 0)
        if size <= 0:
            if size < 0 and (errno == EAGAIN or errno == EINTR):
                return 0
            if size == 0 and connection.count == 0:
                self.shut(i)     # the next sweep connects again
                self.reconnects += 1
                return -1
            self.fail(i, CUT if size == 0 else RESET)
            return -1
        now = monotonic_ns()
        connection.active_ns = now
        if self.measuring:
            self.received += size
        while offset < size:
            if connection.sent == 0:
                self.fail(i, UNASKED)
                return -1
            slot = &self.slots[i * self.pipeline + connection.first]
            taken = take(reader, self.buffer + offset, size - offset, self.requests[slot.request].head)
            if taken < 0:
                self.note_malformed(self.buffer + offset, size - offset)
                self.fail(i, MALFORMED)
                return -1
            offset += taken
            if reader.done:
                self.account(slot.due_ns, now, reader.status, reader.body)
                connection.first = (connection.first + 1) % self.pipeline
                connection.count -= 1
                connection.sent -= 1
                if reader.close:
                    if connection.count:
                        self.failures[CUT] += 1
                        self.failed += connection.count
                    return 1
        return 0

    cdef void note_malformed(self, const char *data, Py_ssize_t size) noexcept with gil:
        if self.first_malformed is None:
            self.first_malformed = data[:min(size, 120)]

    cdef handle(self, int i, uint32_t events):
        cdef Connection *connection = &self.connections[i]
        cdef int error = 0
        cdef uint32_t size = sizeof(error)
        cdef int outcome
        if connection.state == CONNECTING:
            if getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 or error:
                self.fail(i, CONNECT)
                return
            connection.state = OPEN
        elif events & ~<uint32_t>EPOLLOUT:
            outcome = self.read_some(i)
            if outcome < 0:
                return
            if outcome == 1:
                self.shut(i)
                self.reconnects += 1
                if self.sending:
                    self.open(i)
                return
        if connection.state == OPEN:
            if self.paced and connection.waits_to_write:
                self.flush(i)
            if connection.state == OPEN:
                self.refill(i, monotonic_ns())

    # --- the run

    cdef sweep(self, int64_t now):
        """Cut what has not moved for too long, and connect again what was cut."""
        cdef int i
        for i in range(self.count):
            if self.connections[i].state != CLOSED and now - self.connections[i].active_ns > self.timeout_ns:
                if self.connections[i].count or self.connections[i].state == CONNECTING:
                    self.fail(i, TIMEOUT)
            if self.connections[i].state == CLOSED and self.may_issue():
                self.open(i)

    cdef int wait_ms(self, int64_t now) noexcept nogil:
        """Return how long epoll may sleep; in the open loop the timer wakes it at the next due request."""
        cdef int64_t until = self.window_ns if not self.measuring and self.window_ns > now else self.end_ns
        cdef itimerspec timer
        cdef int64_t due
        if self.paced and self.queue_length and self.may_issue():
            due = self.due_ns()
            if due - now < SPIN_NS:
                return 0
            memset(&timer, 0, sizeof(timer))
            timer.it_value.tv_sec = (due - SPIN_NS // 2) // SECOND
            timer.it_value.tv_nsec = (due - SPIN_NS // 2) % SECOND
            timerfd_settime(self.timer, TFD_TIMER_ABSTIME, &timer, NULL)
        return <int>((until - now) // 1000000) + 1 if 0 < until - now < SWEEP_NS else SWEEP_NS // 1000000

    cdef bint idle(self) noexcept nogil:
        cdef int i
        for i in range(self.count):
            if self.connections[i].count:
                return False
        return True

    cdef turn(self, int64_t now):
        """Wait for events once and handle them."""
        cdef epoll_event events[EVENTS]
        cdef int ready, n
        cdef uint64_t ticks
        cdef int wait_ms = self.wait_ms(now)
        with nogil:
            ready = epoll_wait(self.epoll, events, EVENTS, wait_ms)
        PyErr_CheckSignals()
        for n in range(ready):
            if events[n].data.u32 == TIMER:
                read(self.timer, &ticks, sizeof(ticks))
            else:
                self.handle(<int>events[n].data.u32, events[n].events)
        if self.paced:
            self.dispatch(monotonic_ns())

    cdef int64_t count_unsent(self):
        """Count the requests that were due and that no connection was free to send, each with its age; give them up."""
        cdef int64_t unsent = 0
        while self.paced and self.may_issue():
            if self.due_ns() >= self.window_ns:
                unsent += 1
                self.histogram.add(monotonic_ns() - self.due_ns())
            self.issued += 1
        return unsent

    cdef int64_t count_unanswered(self, int64_t now):
        cdef int64_t unanswered = 0
        cdef int i, n
        cdef Slot *slot
        for i in range(self.count):
            for n in range(self.connections[i].count):
                slot = &self.slots[i * self.pipeline + (self.connections[i].first + n) % self.pipeline]
                if slot.due_ns >= self.window_ns:
                    unanswered += 1
                    self.histogram.add(now - slot.due_ns)
        return unanswered

    cdef run(self, double duration_s, double warmup_s):
        cdef int64_t now = monotonic_ns()
        cdef int64_t swept = now
        cdef int64_t unsent = 0
        cdef double before = 0
        cdef double after = 0
        self.sending = True
        self.begin_ns = now
        self.window_ns = now + <int64_t>(warmup_s * SECOND)
        self.end_ns = self.window_ns + <int64_t>(duration_s * SECOND)
        for i in range(self.count):
            self.open(i)
        while now < self.end_ns:
            if not self.measuring and now >= self.window_ns:
                before = self.sample()
                now = monotonic_ns()
                if not self.paced:   # with a rate the window is where the schedule has it
                    self.window_ns = now
                self.measuring = True
            self.turn(now)
            now = monotonic_ns()
            if now - swept > SWEEP_NS:
                self.sweep(now)
                swept = now
            if self.limit and self.issued >= self.limit and self.idle():
                break
        if self.limit and now < self.end_ns:
            self.end_ns = self.last_ns if self.last_ns > self.window_ns else now
        after = self.sample()
        elapsed_s = (self.end_ns - self.window_ns) / <double>SECOND
        self.measuring = False
        self.sending = self.paced
        while now < self.end_ns + self.timeout_ns and not (self.idle() and not self.may_issue()):
            self.turn(now)
            now = monotonic_ns()
            if now > self.end_ns + SECOND:
                unsent += self.count_unsent()
        unsent += self.count_unsent()
        return self.result(elapsed_s, after - before, unsent, self.count_unanswered(now))

    cdef dict result(self, double elapsed_s, double sampled, int64_t unsent, int64_t unanswered):
        cdef Histogram latency = self.histogram
        for i in range(self.count):
            self.shut(i)
        return {
            "elapsed_s": elapsed_s,
            "finished": self.finished,
            "bytes": self.received,
            "statuses": {str(i): self.statuses[i] for i in range(600) if self.statuses[i]},
            "errors": {name: self.failures[i] for i, name in enumerate(FAILURE_NAMES) if self.failures[i]},
            "failed": self.failed,
            "unsent": unsent,
            "unanswered": unanswered,
            "reconnects": self.reconnects,
            "sampled": sampled,
            "first_malformed": "" if self.first_malformed is None else self.first_malformed.decode("latin-1"),
            "latency_ns": {
                "mean": latency.mean,
                "p50": latency.percentile(50),
                "p90": latency.percentile(90),
                "p99": latency.percentile(99),
                "p99_9": latency.percentile(99.9),
                "max": latency.maximum,
            },
        }


def run(family, address, requests, *, connections, duration_s, rate=0.0, pipeline=1, warmup_s=0.0, sources=(),
        timeout_s=10.0, limit=0, sample=lambda: 0.0):
    """Send `requests` in turn, over and over, to `address`, and return the account of it (see `load.pyi`).

    With a `rate` (requests a second over all connections) the loop is open: latencies count from when a request was
    due. Without, each connection sends its next request when the answer is whole. `limit` ends the run after so many.
    `sample` is called at both ends of the measured window; `sampled` is the difference of what it returned.
    Raises: ValueError for arguments that make no sense, OSError where sockets cannot be made.
    """
    if duration_s <= 0 or warmup_s < 0 or (limit and warmup_s):
        raise ValueError("A run has a positive duration, and a warm-up only where there is no limit of requests.")
    load = Load(family, address, requests, connections=connections, rate=rate, pipeline=pipeline, sources=sources,
                timeout_s=timeout_s, limit=limit, sample=sample)
    return (<Load>load).run(duration_s, warmup_s)
