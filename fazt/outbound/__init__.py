"""Outgoing HTTP: the one client of the server, which reaches public addresses only."""
