cdef str normalise_host(const unsigned char* host, Py_ssize_t length)
