cdef enum Mark:                                 # what the record of a request says about it
    UNTRACKED = 1                               # its sender asks not to be tracked (DNT, Sec-GPC)
    HTML = 2                                    # the answer was an HTML page
    AHEAD = 4                                   # asked for before anybody wants to see it
    PART = 8                                    # asked for by a page, not by whoever reads it

cdef int bucket_index(unsigned long long duration_ns) noexcept
cdef long long monotonic_ns() noexcept
cdef long long wall_ms() noexcept


cdef class SiteState:
    cdef readonly str name
    cdef unsigned long long change              # Pages.generation at the site's last change
    cdef unsigned long long requests, body_bytes, hits, misses, evictions
    cdef unsigned long long[5] statuses
    cdef unsigned int[104] latency
    cdef object taken                           # the sum of what `take` gave out
    cdef object current(self)
    cdef void add(self, int status, unsigned long long body_bytes, unsigned long long duration_ns, bint hit) noexcept


cdef class Record:
    cdef long long at_ms
    cdef str site
    cdef str client
    cdef bytes method
    cdef bytes key
    cdef int host_length
    cdef int status
    cdef unsigned long long body_bytes
    cdef unsigned long long duration_ns
    cdef bint hit
    cdef unsigned char marks, referer_length, agent_length
    cdef unsigned char[510] notes               # Referer, directly behind it User-Agent
    cdef object as_tuple(self)


cdef class AccessRing:
    cdef list records
    cdef Py_ssize_t capacity
    cdef Py_ssize_t place                       # of the record that comes next: sequence % capacity
    cdef readonly unsigned long long sequence
    cdef void put(
        self, str site, str client, bytes method, bytes key, int host_length, int status,
        unsigned long long body_bytes, unsigned long long duration_ns, bint hit, long long at_ms, int marks,
        const unsigned char* referer, Py_ssize_t referer_length, const unsigned char* agent, Py_ssize_t agent_length,
    )
    cdef tuple between(self, unsigned long long asked, unsigned long long first, unsigned long long end)
