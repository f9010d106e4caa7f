"""This computer: who supervises the server, its units, its user and rights, the versions that are installed."""
