# cython: language_level=3
"""The one normaliser of host names: every host that Fazt compares went through here (RFC 9110 4.2.3, RFC 3986 3.2.2).

Rule: two spellings of one host give the same text, and anything in doubt gives None.
"""

from cpython.unicode cimport PyUnicode_DecodeASCII

DEF LONGEST = 253


cdef inline bint is_digit(unsigned char c) noexcept:
    return 48 <= c <= 57


cdef inline bint is_hex(unsigned char c) noexcept:
    return 48 <= c <= 57 or 97 <= c <= 102 or 65 <= c <= 70


cdef bint is_port(const unsigned char* text, Py_ssize_t length) noexcept:
    """Tell whether the bytes are a port of 1 to 5 digits up to 65535."""
    cdef Py_ssize_t i
    cdef int value = 0
    if length < 1 or length > 5:
        return False
    for i in range(length):
        if not is_digit(text[i]):
            return False
        value = value * 10 + (text[i] - 48)
    return value <= 65535


cdef str bracketed(const unsigned char* host, Py_ssize_t length):
    """Normalise `[IPv6]` with an optional port. Which address it is does not matter: no site is known by one."""
    cdef Py_ssize_t i = 1
    cdef int colons = 0
    cdef char[48] out
    out[0] = b"["
    while i < length and host[i] != 93:
        if i > 45:
            return None
        if host[i] == 58:
            colons += 1
        elif not (is_hex(host[i]) or host[i] == 46):
            return None
        out[i] = <char> (host[i] | 32 if 65 <= host[i] <= 70 else host[i])
        i += 1
    if i >= length or colons < 2:
        return None
    if i + 1 < length and (host[i + 1] != 58 or not is_port(host + i + 2, length - i - 2)):
        return None
    out[i] = b"]"
    return PyUnicode_DecodeASCII(out, i + 1, NULL)


cdef str normalise_host(const unsigned char* host, Py_ssize_t length):
    """Return the one form of a host, or None."""
    cdef Py_ssize_t i, end = length, label = 0
    cdef unsigned char c
    cdef char[LONGEST + 1] out
    if length == 0:
        return None
    if host[0] == 91:
        return bracketed(host, length)
    for i in range(length):
        if host[i] == 58:
            if not is_port(host + i + 1, length - i - 1):
                return None
            end = i
            break
    if end > 0 and host[end - 1] == 46:
        end -= 1
    if end == 0 or end > LONGEST:
        return None
    for i in range(end):
        c = host[i]
        if c == 46:
            if i == label or host[i - 1] == 45:
                return None
            label = i + 1
        elif 65 <= c <= 90:
            c |= 32
        elif c == 45:
            if i == label:
                return None
        elif not (97 <= c <= 122 or is_digit(c) or c == 95):
            return None
        if i - label >= 63:
            return None
        out[i] = <char> c
    if label == end or host[end - 1] == 45:
        return None
    return PyUnicode_DecodeASCII(out, end, NULL)


def normalise(bytes host not None):
    """Return the host of a Host field or an authority in its one form, or None where the grammar is broken."""
    return normalise_host(<const unsigned char*> <char*> host, len(host))
