from fazt._speedups.statistics cimport SiteState

cdef class Clock:
    cdef readonly bytes date                    # 29 bytes
    cdef readonly long long now_ms
    cdef readonly double monotonic              # seconds
    cdef unsigned long second                   # rises by at least one whenever `date` changes


cdef class Page:
    cdef readonly SiteState site
    cdef readonly unsigned long long generation
    cdef readonly int status
    cdef readonly bint keep
    cdef readonly int marks                     # of `fazt._speedups.statistics`: whether it is an HTML page
    cdef readonly bytes last_modified
    cdef readonly tuple headers
    cdef readonly Py_ssize_t size
    cdef readonly int available                 # mask of the codings there are
    cdef int count                              # of variants
    cdef int date_at                            # offset of the Date in responses and heads
    cdef char[8] choices                        # mask of acceptable codings -> variant
    cdef unsigned long[4] response_second, head_second, not_modified_second
    cdef Py_ssize_t[4] head_length, body_length
    cdef list codings, etags, sources           # one item a variant
    cdef list responses, heads, not_modifieds   # bytes, or None until asked for
    # what the cache knows about it
    cdef bytes key
    cdef int segment
    cdef unsigned long touched
    cdef bytes get_response(self, int index, Clock clock)
    cdef bytes get_head(self, int index, Clock clock)
    cdef bytes get_not_modified(self, int index, Clock clock)
    cdef bytes make_head(self, int index)
    cdef bytes make_not_modified(self, int index)
    cdef int check(self, int index) except -1
    cdef int add_response(self, int index, body) except -1
    cdef int smallest(self, int acceptable) except -1


cdef class Pages:
    cdef readonly unsigned long long generation
    cdef readonly Py_ssize_t max_bytes
    cdef dict index                             # key -> Page, all segments
    cdef dict states                            # name -> SiteState
    cdef object probation, protected, negative  # lru-dict: the order of use in each segment
    cdef Py_ssize_t probation_bytes, protected_bytes, negative_bytes
    cdef Py_ssize_t max_negative
    cdef unsigned long long hits, misses, evictions, stale
    cdef object watched                         # keeps the memory of the word
    cdef const volatile unsigned long long* word  # raised by whoever changes the store; NULL: this process does
    cdef unsigned long long seen                # what it was when all changes before it had been followed
    cdef Page find(self, bytes key, unsigned long second)
    cdef bint is_stale(self, Page page) noexcept
    cdef void use(self, Page page)
    cdef void drop(self, Page page)
    cdef int demote(self, Page page) except -1
    cdef void evict(self)
