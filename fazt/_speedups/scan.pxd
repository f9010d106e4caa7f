cdef struct Request:
    Py_ssize_t end
    bint head
    Py_ssize_t host, host_length
    Py_ssize_t path, path_length
    Py_ssize_t query, query_length                    # query_length -1: no "?"
    Py_ssize_t accept_encoding, accept_encoding_length        # -1: not there
    Py_ssize_t if_none_match, if_none_match_length
    Py_ssize_t if_modified_since, if_modified_since_length
    Py_ssize_t referer, referer_length                # the first; -1: not there
    Py_ssize_t agent, agent_length                    # User-Agent, likewise
    int marks                                         # of `fazt._speedups.statistics`

cdef bint scan_request(const unsigned char* data, Py_ssize_t length, Py_ssize_t start, Request* request) noexcept
