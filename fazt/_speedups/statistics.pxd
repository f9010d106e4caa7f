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
    cdef object as_tuple(self)


cdef class AccessRing:
    cdef list records
    cdef Py_ssize_t capacity
    cdef readonly unsigned long long sequence
    cdef void put(
        self, str site, str client, bytes method, bytes key, int host_length, int status,
        unsigned long long body_bytes, unsigned long long duration_ns, bint hit, long long at_ms,
    )
