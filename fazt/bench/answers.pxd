"""Reading HTTP/1.1 answers from the pieces in which they come: where each ends, its status, and how long its body was.

The load generator compiles it in. Rule: an answer whose end is not certain (no length, two lengths, a length that is no
number) is malformed; guessing would make a server look faster than it is.
"""

from libc.stdint cimport int64_t
from libc.string cimport memchr, memcpy

cdef extern from "<string.h>" nogil:
    void *memmem(const void *haystack, size_t length, const void *needle, size_t needle_length)

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char *one, const char *other, size_t length)

cdef enum:
    HEAD_BYTES = 16384


cdef enum:
    HEAD
    BODY
    CHUNK_SIZE
    CHUNK_EXTENSION
    CHUNK_DATA
    CHUNK_END
    TRAILER


cdef struct Reader:
    int part            # HEAD to TRAILER
    bint done           # one answer is whole; the next call begins another
    bint close          # the server will close the connection after it
    bint fresh          # in a chunk size: no digit yet; in a trailer: at the begin of a line
    int status
    int64_t left        # bytes of the body or of the chunk that are still to come
    int64_t body        # bytes of body read
    int used            # bytes kept in `head`
    char *head          # the begin of a head that came in several reads


cdef inline bint same_name(
    const char *line, Py_ssize_t length, const char *name, Py_ssize_t name_length
) noexcept nogil:
    return length == name_length and strncasecmp(line, name, name_length) == 0


cdef inline int read_length(const char *value, Py_ssize_t length, int64_t *result) noexcept nogil:
    cdef int64_t number = 0
    cdef Py_ssize_t i
    if length < 1 or length > 18:
        return -1
    for i in range(length):
        if value[i] < c'0' or value[i] > c'9':
            return -1
        number = number * 10 + (value[i] - c'0')
    if result[0] >= 0 and result[0] != number:
        return -1
    result[0] = number
    return 0


cdef inline int read_fields(
    Reader *reader, const char *line, const char *end, int64_t *length, bint *chunked
) noexcept nogil:
    """Read the field lines; every line ends in CR LF. Return -1 where one is malformed."""
    cdef const char *stop
    cdef const char *colon
    cdef const char *value
    cdef Py_ssize_t size
    while line < end:
        stop = <const char*>memchr(line, c'\n', end - line)
        if stop == NULL or stop == line or stop[-1] != c'\r':
            return -1
        colon = <const char*>memchr(line, c':', stop - line)
        if colon == NULL or colon == line:
            return -1
        value = colon + 1
        size = stop - 1 - value
        while size and (value[0] == c' ' or value[0] == c'\t'):
            value += 1
            size -= 1
        while size and (value[size - 1] == c' ' or value[size - 1] == c'\t'):
            size -= 1
        if same_name(line, colon - line, b"content-length", 14):
            if read_length(value, size, length) < 0:
                return -1
        elif same_name(line, colon - line, b"transfer-encoding", 17):
            if not same_name(value, size, b"chunked", 7):
                return -1
            chunked[0] = True
        elif same_name(line, colon - line, b"connection", 10):
            if same_name(value, size, b"close", 5):
                reader.close = True
            elif same_name(value, size, b"keep-alive", 10):
                reader.close = False
        line = stop + 1
    return 0


cdef inline int read_head(Reader *reader, const char *head, Py_ssize_t size, bint no_body) noexcept nogil:
    """Read a head up to and with the CR LF of its last line; set what follows. Return -1 where it is malformed."""
    cdef const char *end = head + size
    cdef const char *line
    cdef int64_t length = -1
    cdef bint chunked = False
    cdef int i
    if size < 14 or strncasecmp(head, b"HTTP/1.", 7) != 0 or head[8] != c' ':
        return -1
    reader.status = 0
    for i in range(9, 12):
        if head[i] < c'0' or head[i] > c'9':
            return -1
        reader.status = reader.status * 10 + (head[i] - c'0')
    if reader.status < 100 or reader.status > 599 or (head[12] != c' ' and head[12] != c'\r'):
        return -1
    if head[7] != c'1' and head[7] != c'0':
        return -1
    reader.close = head[7] == c'0'
    line = <const char*>memchr(head, c'\n', size)
    if line == NULL or read_fields(reader, line + 1, end, &length, &chunked) < 0 or reader.status == 101:
        return -1
    if reader.status < 200:      # an interim answer: the real one follows
        return 0
    if no_body or reader.status == 204 or reader.status == 304:
        reader.done = True
    elif chunked:
        if length >= 0:
            return -1
        reader.part = CHUNK_SIZE
        reader.fresh = True
        reader.left = 0
    elif length < 0:             # a body that ends with the connection cannot be told from one that was cut
        return -1
    elif length == 0:
        reader.done = True
    else:
        reader.part = BODY
        reader.left = length
    return 0


cdef inline Py_ssize_t take_head(Reader *reader, const char *data, Py_ssize_t size, bint no_body) noexcept nogil:
    """Take what belongs to the head; return the bytes taken, or -1 where it is malformed."""
    cdef int before = reader.used
    cdef Py_ssize_t start, taken
    cdef const char *end
    if before == 0:
        end = <const char*>memmem(data, size, b"\r\n\r\n", 4)
        if end != NULL:
            return end - data + 4 if read_head(reader, data, end - data + 2, no_body) == 0 else -1
    taken = min(size, HEAD_BYTES - before)
    memcpy(reader.head + before, data, taken)
    reader.used = before + <int>taken
    start = before - 3 if before > 3 else 0
    end = <const char*>memmem(reader.head + start, reader.used - start, b"\r\n\r\n", 4)
    if end == NULL:
        return taken if reader.used < HEAD_BYTES else -1
    reader.used = 0
    taken = end + 4 - reader.head - before
    return taken if read_head(reader, reader.head, end - reader.head + 2, no_body) == 0 else -1


cdef inline int take_chunk_size(Reader *reader, char byte) noexcept nogil:
    cdef int digit
    if byte >= c'0' and byte <= c'9':
        digit = byte - c'0'
    elif (byte | 32) >= c'a' and (byte | 32) <= c'f':
        digit = (byte | 32) - c'a' + 10
    elif reader.fresh:
        return -1
    elif byte == c'\r' or byte == c';':
        reader.part = CHUNK_EXTENSION
        return 0
    else:
        return -1
    if reader.left >> 40:
        return -1
    reader.fresh = False
    reader.left = reader.left * 16 + digit
    return 0


cdef inline int take_framing(Reader *reader, char byte) noexcept nogil:
    """Take one byte of what stands between chunks; return -1 where it is malformed."""
    if reader.part == CHUNK_SIZE:
        return take_chunk_size(reader, byte)
    if reader.part == CHUNK_EXTENSION:
        if byte == c'\n':
            reader.part = CHUNK_DATA if reader.left else TRAILER
            reader.fresh = True
    elif reader.part == CHUNK_END:
        if byte == c'\n':
            reader.part = CHUNK_SIZE
            reader.fresh = True
        elif byte != c'\r':
            return -1
    elif byte == c'\n':          # in the trailer: an empty line ends the answer
        reader.done = reader.fresh
        reader.fresh = True
    elif byte != c'\r':
        reader.fresh = False
    return 0


cdef inline Py_ssize_t take(Reader *reader, const char *data, Py_ssize_t size, bint no_body) noexcept nogil:
    """Read on until the answer is whole or the bytes are used up; return those taken, or -1 where malformed."""
    cdef Py_ssize_t taken = 0
    cdef Py_ssize_t piece
    if reader.done:
        reader.done = False
        reader.part = HEAD
        reader.body = 0
    while taken < size and not reader.done:
        if reader.part == HEAD:
            piece = take_head(reader, data + taken, size - taken, no_body)
            if piece < 0:
                return -1
            taken += piece
        elif reader.part == BODY or reader.part == CHUNK_DATA:
            piece = min(size - taken, reader.left)
            taken += piece
            reader.body += piece
            reader.left -= piece
            if reader.left == 0:
                reader.done = reader.part == BODY
                reader.part = CHUNK_END
        else:
            if take_framing(reader, data[taken]) < 0:
                return -1
            taken += 1
    return taken
