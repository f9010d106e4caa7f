# cython: language_level=3
"""The base class of the edge's protocol: plain requests for pages in memory are answered here, in one go.

Rule: an answer given here has the same bytes as the one the ordinary path would give; anything else goes to `feed`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.string cimport memchr, memcmp, memcpy

from fazt._speedups.pages cimport Clock, Page, Pages
from fazt._speedups.scan cimport Request, scan_request
from fazt._speedups.statistics cimport AccessRing, monotonic_ns, wall_ms

cdef extern from "<sys/socket.h>" nogil:
    ssize_t c_send "send"(int fd, const void* buffer, size_t length, int flags)
    int MSG_DONTWAIT, MSG_NOSIGNAL

DEF FLUSH_BYTES = 65536         # answers to pipelined requests are joined up to this size
DEF MAX_MEMO = 256
DEF NOT_UNDERSTOOD = -1

cdef bytes GET = b"GET"
cdef bytes HEAD = b"HEAD"
cdef dict MEMO = {}             # Accept-Encoding -> mask of codings, or NOT_UNDERSTOOD
cdef dict BITS = {b"gzip": 1, b"x-gzip": 1, b"br": 2, b"zstd": 4, b"deflate": 0, b"identity": 0, b"compress": 0}


cdef int read_codings(bytes value) except -2:
    """Return the mask of a plain list of codings (RFC 9110 12.5.3); one with weights or `*` is not understood."""
    cdef int mask = 0
    for item in value.split(b","):
        bit = BITS.get(item.strip(b" ").lower())
        if bit is None:
            return NOT_UNDERSTOOD
        mask |= <int> bit
    return mask


cdef bint same(bytes one, const unsigned char* other, Py_ssize_t length) noexcept:
    return PyBytes_GET_SIZE(one) == length and memcmp(PyBytes_AS_STRING(one), other, length) == 0


cpdef bytes add_field(bytes answer, bytes field):
    """Return an answer with one more field (its line's end included) behind its status line."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(answer), more = PyBytes_GET_SIZE(field), at
    cdef const char* raw = PyBytes_AS_STRING(answer)
    cdef const void* end = memchr(raw, 10, length)
    if end is NULL:
        return answer
    at = <const char*> end - raw + 1
    cdef bytes out = PyBytes_FromStringAndSize(NULL, length + more)
    cdef char* to = PyBytes_AS_STRING(out)
    memcpy(to, raw, at)
    memcpy(to + at, PyBytes_AS_STRING(field), more)
    memcpy(to + at + more, raw + at, length - at)
    return out


cdef class Lane:
    """One connection. `data_received` answers what it can and hands every other byte to `feed`, in order."""

    cdef public bint lane_open
    cdef public bint writable
    cdef public bint transport_used     # something may wait in the transport's own queue
    cdef public int descriptor          # the socket's, for direct writes; -1: none
    cdef public str client
    cdef public bytes bound_host        # the only host that is asked for here (TLS); None: any
    cdef public bytes bound_authority   # the same with the port
    cdef public bytes extra_field       # what each head has behind its status line; None: nothing
    cdef public object transport
    cdef readonly double last_active
    cdef readonly Pages pages
    cdef readonly Clock clock
    cdef readonly AccessRing ring
    cdef bytes last_accept
    cdef int last_mask

    def __init__(self, Pages pages not None, Clock clock not None, AccessRing ring not None):
        self.pages = pages
        self.clock = clock
        self.ring = ring
        self.client = ""
        self.descriptor = -1
        self.writable = True
        self.last_active = clock.monotonic

    def feed(self, data):
        """Take bytes that the lane declined; to be overridden."""
        raise NotImplementedError

    def data_received(self, bytes data not None):
        """Answer the plain requests at the front of the bytes, and feed the rest."""
        cdef Py_ssize_t at = 0
        if self.lane_open and self.writable:
            at = self.answer(data)
        if at == 0:
            self.feed(data)
        elif at < PyBytes_GET_SIZE(data):
            self.feed(data[at:])

    cdef Py_ssize_t answer(self, bytes data) except -1:
        """Answer requests from the front; return the offset of the first byte that is not for the lane."""
        cdef const unsigned char* raw = <const unsigned char*> PyBytes_AS_STRING(data)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data), at = 0, waiting = 0
        cdef long long began = monotonic_ns()
        cdef Request request
        cdef bytes out, first = None
        cdef list more = None
        while at < length and scan_request(raw, length, at, &request):
            out = self.answer_one(raw, &request, began)
            if out is None:
                break
            at = request.end
            if first is None:
                first = out
            else:
                if more is None:
                    more = [first]
                more.append(out)
            waiting += PyBytes_GET_SIZE(out)
            if waiting >= FLUSH_BYTES:
                self.write(first if more is None else b"".join(more))
                first = more = None
                waiting = 0
                if not self.writable:
                    break
        if first is not None:
            self.write(first if more is None else b"".join(more))
        if at:
            self.last_active = self.clock.monotonic
        return at

    cdef bytes answer_one(self, const unsigned char* raw, Request* request, long long began):
        """Return the answer to one request, or None where the ordinary path has to give it."""
        cdef bytes key = PyBytes_FromStringAndSize(NULL, request.host_length + request.path_length)
        cdef bytes out
        cdef Page page
        cdef int index, mask, status
        cdef Py_ssize_t body = 0
        memcpy(PyBytes_AS_STRING(key), raw + request.host, request.host_length)
        memcpy(PyBytes_AS_STRING(key) + request.host_length, raw + request.path, request.path_length)
        page = self.pages.find(key, self.clock.second)
        if page is None or (self.bound_host is not None and not self.is_bound(raw + request.host, request.host_length)):
            return None
        mask = self.codings(raw, request) if page.available else 0
        if mask == NOT_UNDERSTOOD:
            return None
        index = page.choices[mask]
        if page.responses[index] is None:
            return None
        status = self.condition(page, index, raw, request)
        if status == 0:
            return None
        if status == 304:
            out = page.get_not_modified(index, self.clock)
        elif request.head:
            out = page.get_head(index, self.clock)
        else:
            out = page.get_response(index, self.clock)
            body = page.body_length[index]
        self.pages.hits += 1
        cdef long long duration = monotonic_ns() - began
        page.site.add(status, body, duration, True)
        self.ring.put(
            page.site.name, self.client, HEAD if request.head else GET, key, <int> request.host_length, status, body,
            duration, True, wall_ms(), page.marks | request.marks, raw + request.referer, request.referer_length,
            raw + request.agent, request.agent_length,
        )
        return out if self.extra_field is None else add_field(out, self.extra_field)

    cdef bint is_bound(self, const unsigned char* host, Py_ssize_t length) noexcept:
        """Tell whether a host is the one that the connection was made for."""
        return same(self.bound_host, host, length) or same(self.bound_authority, host, length)

    cdef int codings(self, const unsigned char* raw, Request* request) except -2:
        """Return the mask of the codings that the client takes, or NOT_UNDERSTOOD."""
        cdef Py_ssize_t length = request.accept_encoding_length
        cdef const unsigned char* value = raw + request.accept_encoding
        cdef PyObject* known
        if length <= 0:
            return 0 if length < 0 else NOT_UNDERSTOOD
        if (
            self.last_accept is not None
            and PyBytes_GET_SIZE(self.last_accept) == length
            and memcmp(PyBytes_AS_STRING(self.last_accept), value, length) == 0
        ):
            return self.last_mask
        cdef bytes accept = PyBytes_FromStringAndSize(<const char*> value, length)
        known = PyDict_GetItem(MEMO, accept)
        if known is NULL:
            mask = read_codings(accept)
            if len(MEMO) < MAX_MEMO:
                MEMO[accept] = mask
        else:
            mask = <object> known
        self.last_accept = accept
        self.last_mask = mask
        return mask

    cdef int condition(self, Page page, int index, const unsigned char* raw, Request* request) noexcept:
        """Return the status to answer with, 0 where the ordinary path has to weigh the conditions (RFC 9110 13.2.2)."""
        cdef Py_ssize_t length = request.if_none_match_length
        cdef const unsigned char* value = raw + request.if_none_match
        cdef bytes wanted
        if page.status != 200 or (length < 0 and request.if_modified_since_length < 0):
            return page.status
        if length >= 0:
            wanted = <bytes> page.etags[index]
            if PyBytes_AS_STRING(wanted)[0] != 34:       # none, or a weak one, which is compared in another way
                return 0
            if length < 2 or value[0] != 34 or value[length - 1] != 34:
                return 0
            if memchr(value + 1, 34, length - 2) is not NULL:
                return 0
            if length == PyBytes_GET_SIZE(wanted) and memcmp(PyBytes_AS_STRING(wanted), value, length) == 0:
                return 304
            return 200
        wanted = page.last_modified
        length = request.if_modified_since_length
        if length > 0 and length == PyBytes_GET_SIZE(wanted):
            if memcmp(PyBytes_AS_STRING(wanted), raw + request.if_modified_since, length) == 0:
                return 304
        return 0

    cdef int write(self, bytes out) except -1:
        """Send bytes: straight to the socket where nothing waits before them, else through the transport."""
        cdef Py_ssize_t sent = 0, length = PyBytes_GET_SIZE(out)
        if self.transport_used and self.descriptor >= 0:
            self.transport_used = self.transport.get_write_buffer_size() != 0
        if self.descriptor >= 0 and not self.transport_used:
            sent = c_send(self.descriptor, PyBytes_AS_STRING(out), length, MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent == length:
                return 0
        self.transport_used = True
        self.transport.write(out if sent <= 0 else memoryview(out)[sent:])
        return 0
