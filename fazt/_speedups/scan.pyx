# cython: language_level=3
"""Accept or decline: read one plain GET or HEAD out of bytes, or say that it is not for the fast lane.

Rule: what is accepted here, httptools reads in exactly the same way (the differential test holds the two together). It
never repairs and never rejects: on any doubt it declines, and the ordinary path decides.
"""

from collections import namedtuple
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

from fazt._speedups.statistics cimport AHEAD, PART, UNTRACKED

Plain = namedtuple(
    "Plain", "end head host path query accept_encoding if_none_match if_modified_since referer agent marks"
)

DEF MAX_HEAD = 16384
DEF MAX_TARGET = 2048
DEF MAX_FIELDS = 100
DEF MAX_HOST = 255
DEF MAX_NAME = 40

cdef enum Field:
    DECLINED = 0
    HARMLESS = 1
    HOST = 2
    ACCEPT_ENCODING = 3
    IF_NONE_MATCH = 4
    IF_MODIFIED_SINCE = 5
    CONNECTION = 6
    REFERER = 7
    USER_AGENT = 8
    WISH = 9            # DNT, Sec-GPC
    PURPOSE = 10        # Purpose, Sec-Purpose
    DESTINATION = 11    # Sec-Fetch-Dest

# What a byte may stand in: 1 a path, 2 a query, 4 a field name, 8 a host
cdef unsigned char[256] KINDS


cdef void fill_kinds():
    cdef int c
    for c in range(256):
        KINDS[c] = 0
        if 97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57:
            KINDS[c] = 1 | 2 | 4 | 8
    for c in b"-._~!$&'()*+,;=:@%/":
        KINDS[c] |= 1 | 2
    KINDS[63] |= 2                  # "?"
    for c in b"-_":
        KINDS[c] |= 4
    for c in b"-._:[]":
        KINDS[c] |= 8


fill_kinds()


cdef inline bint is_name(const char* name, const char* wanted, size_t length) noexcept:
    return memcmp(name, wanted, length) == 0


cdef inline Field classify(const char* name, Py_ssize_t length) noexcept:
    """Tell what a field means to the lane; `name` is in lower case."""
    if length == 3:
        return WISH if is_name(name, "dnt", 3) else DECLINED
    if length == 4:
        return HOST if is_name(name, "host", 4) else HARMLESS if is_name(name, "from", 4) else DECLINED
    if length > 4 and is_name(name, "sec-", 4):
        if length == 14 and is_name(name, "sec-fetch-dest", 14):
            return DESTINATION
        if length == 7 and is_name(name, "sec-gpc", 7):
            return WISH
        if length == 11 and is_name(name, "sec-purpose", 11):
            return PURPOSE
        # Sec-WebSocket-* belongs to an upgrade
        return DECLINED if length > 13 and is_name(name, "sec-websocket", 13) else HARMLESS
    if length == 6:
        if is_name(name, "accept", 6) or is_name(name, "cookie", 6) or is_name(name, "origin", 6):
            return HARMLESS
        return HARMLESS if is_name(name, "pragma", 6) else DECLINED
    if length == 7:
        return REFERER if is_name(name, "referer", 7) else PURPOSE if is_name(name, "purpose", 7) else DECLINED
    if length == 8:
        return HARMLESS if is_name(name, "priority", 8) else DECLINED
    if length == 9:
        return HARMLESS if is_name(name, "save-data", 9) else DECLINED
    if length == 10:
        if is_name(name, "connection", 10):
            return CONNECTION
        return USER_AGENT if is_name(name, "user-agent", 10) else DECLINED
    if length == 13:
        if is_name(name, "if-none-match", 13):
            return IF_NONE_MATCH
        return HARMLESS if is_name(name, "cache-control", 13) else DECLINED
    if length == 15:
        if is_name(name, "accept-encoding", 15):
            return ACCEPT_ENCODING
        return HARMLESS if is_name(name, "accept-language", 15) else DECLINED
    if length == 17:
        return IF_MODIFIED_SINCE if is_name(name, "if-modified-since", 17) else DECLINED
    if length == 25:
        return HARMLESS if is_name(name, "upgrade-insecure-requests", 25) else DECLINED
    return DECLINED


cdef extern from *:
    """
    #include <stdint.h>
    #define FAZT_ONES UINT64_C(0x0101010101010101)
    /* Whether one of eight bytes is a control, DEL or above 127. */
    static inline int fazt_has_odd_byte(uint64_t word) {
        uint64_t deletes = word ^ (FAZT_ONES * 0x7F);
        return ((((word - FAZT_ONES * 0x20) & ~word) | word | ((deletes - FAZT_ONES) & ~deletes)) & (FAZT_ONES * 0x80)) != 0;
    }
    """
    ctypedef unsigned long uint64_t
    bint fazt_has_odd_byte(uint64_t word) noexcept nogil


cdef inline Py_ssize_t end_of_value(const unsigned char* data, Py_ssize_t at, Py_ssize_t length) noexcept:
    """Return the offset of the first byte that is not visible ASCII or a space."""
    cdef uint64_t word
    while at + 8 <= length:
        memcpy(&word, data + at, 8)
        if fazt_has_odd_byte(word):
            break
        at += 8
    while at < length and 32 <= data[at] < 127:
        at += 1
    return at


cdef bint scan_line(const unsigned char* data, Py_ssize_t length, Py_ssize_t* at, Request* request) noexcept:
    """Read `GET|HEAD SP path[?query] SP HTTP/1.1 CRLF`."""
    cdef Py_ssize_t i = at[0], limit
    if length - i < 16:
        return False
    if memcmp(data + i, b"GET /", 5) == 0:
        request.head = False
        i += 4
    elif memcmp(data + i, b"HEAD /", 6) == 0:
        request.head = True
        i += 5
    else:
        return False
    request.path = i
    limit = min(length, i + MAX_TARGET)
    while i < limit and KINDS[data[i]] & 1:
        i += 1
    request.path_length = i - request.path
    request.query = i
    request.query_length = -1
    if i < limit and data[i] == 63:
        i += 1
        request.query = i
        while i < limit and KINDS[data[i]] & 2:
            i += 1
        request.query_length = i - request.query
    if length - i < 11 or memcmp(data + i, b" HTTP/1.1\r\n", 11) != 0:
        return False
    at[0] = i + 11
    return True


cdef inline int mark_of(Field field, const unsigned char* value, Py_ssize_t size) noexcept:
    """Tell what a field says about whether its request may be counted as a visit."""
    if field == WISH:
        return UNTRACKED if size == 1 and value[0] == 49 else 0
    if field == PURPOSE:
        return AHEAD if size >= 8 and memcmp(value, b"prefetch", 8) == 0 else 0
    return 0 if size == 8 and memcmp(value, b"document", 8) == 0 else PART


cdef bint keep_field(
    Field field, const unsigned char* data, Py_ssize_t value, Py_ssize_t size, Request* request
) noexcept:
    """Note a field that matters; False where it may not come twice or does not say what the lane understands."""
    cdef Py_ssize_t i
    if field == HOST:
        if request.host_length >= 0 or size < 1 or size > MAX_HOST:
            return False
        for i in range(value, value + size):
            if not KINDS[data[i]] & 8:
                return False
        request.host = value
        request.host_length = size
    elif field == ACCEPT_ENCODING:
        if request.accept_encoding_length >= 0:
            return False
        request.accept_encoding = value
        request.accept_encoding_length = size
    elif field == IF_NONE_MATCH:
        if request.if_none_match_length >= 0:
            return False
        request.if_none_match = value
        request.if_none_match_length = size
    elif field == IF_MODIFIED_SINCE:
        if request.if_modified_since_length >= 0:
            return False
        request.if_modified_since = value
        request.if_modified_since_length = size
    elif field == REFERER:
        if request.referer_length < 0:
            request.referer = value
            request.referer_length = size
    elif field == USER_AGENT:
        if request.agent_length < 0:
            request.agent = value
            request.agent_length = size
    elif field >= WISH:
        request.marks |= mark_of(field, data + value, size)
    elif field == CONNECTION:
        if size != 10 or (data[value] | 32) != 107 or memcmp(data + value + 1, b"eep-", 4) != 0:
            return False
        return (data[value + 5] | 32) == 97 and memcmp(data + value + 6, b"live", 4) == 0
    return field != DECLINED


cdef bint scan_request(const unsigned char* data, Py_ssize_t length, Py_ssize_t start, Request* request) noexcept:
    """Fill `request` from the plain request that begins at `start`; False: decline."""
    cdef Py_ssize_t i = start, name_length, value, stop
    cdef int fields = 0
    cdef Field field
    cdef char[MAX_NAME] name
    length = min(length, start + MAX_HEAD)
    request.host_length = request.accept_encoding_length = -1
    request.if_none_match_length = request.if_modified_since_length = -1
    request.referer_length = request.agent_length = -1
    request.referer = request.agent = 0
    request.marks = 0
    if not scan_line(data, length, &i, request):
        return False
    while True:
        if length - i < 2:
            return False
        if data[i] == 13:
            request.end = i + 2
            return data[i + 1] == 10 and request.host_length > 0
        fields += 1
        name_length = 0
        while i < length and name_length < MAX_NAME and KINDS[data[i]] & 4:
            name[name_length] = <char> (data[i] | 32 if 65 <= data[i] <= 90 else data[i])
            name_length += 1
            i += 1
        if i >= length or data[i] != 58 or name_length == 0 or fields > MAX_FIELDS:
            return False
        i += 1
        while i < length and data[i] == 32:
            i += 1
        value = i
        i = end_of_value(data, i, length)
        if length - i < 2 or data[i] != 13 or data[i + 1] != 10:
            return False
        stop = i
        while stop > value and data[stop - 1] == 32:
            stop -= 1
        i += 2
        field = classify(name, name_length)
        if field != HARMLESS and not keep_field(field, data, value, stop - value, request):  # most are harmless
            return False


def scan(bytes data not None, Py_ssize_t start=0):
    """Return the plain request that begins at `start`, or None: decline, whatever the reason."""
    cdef Request request
    if start < 0 or not scan_request(<const unsigned char*> <char*> data, len(data), start, &request):
        return None
    return Plain(
        request.end,
        bool(request.head),
        data[request.host:request.host + request.host_length],
        data[request.path:request.path + request.path_length],
        data[request.query:request.query + request.query_length] if request.query_length > 0 else b"",
        optional(data, request.accept_encoding, request.accept_encoding_length),
        optional(data, request.if_none_match, request.if_none_match_length),
        optional(data, request.if_modified_since, request.if_modified_since_length),
        optional(data, request.referer, request.referer_length),
        optional(data, request.agent, request.agent_length),
        request.marks,
    )


def read_notes(list fields not None):
    """Return (Referer, User-Agent, marks) of fields with names in lower case, as the scan reads them."""
    cdef bytes name, value, referer = None, agent = None
    cdef int marks = 0
    cdef Field field
    for name, value in fields:
        field = classify(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        if field == REFERER:
            referer = value if referer is None else referer
        elif field == USER_AGENT:
            agent = value if agent is None else agent
        elif field >= WISH:
            marks |= mark_of(field, <const unsigned char*> PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    return referer or b"", agent or b"", marks


cdef bytes optional(bytes data, Py_ssize_t at, Py_ssize_t length):
    return data[at:at + length] if length > 0 else b""
