"""Accept or decline: read one plain GET or HEAD out of bytes, or say that it is not for the fast lane."""

from typing import NamedTuple

class Plain(NamedTuple):
    """A request that the fast lane understands whole."""

    end: int  # offset after the blank line
    head: bool  # HEAD, not GET
    host: bytes  # as it came
    path: bytes  # as it came, without the query
    query: bytes  # after the first "?", or b""
    accept_encoding: bytes
    if_none_match: bytes
    if_modified_since: bytes
    referer: bytes
    agent: bytes  # User-Agent
    marks: int  # MARK_... of `fazt._speedups.statistics`

def scan(data: bytes, start: int = 0) -> Plain | None:
    """Return the plain request that begins at `start`, or None: decline, whatever the reason.

    For tests and tools; the lane uses the same C function without building the tuple.
    """

def read_notes(fields: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes, int]:
    """Return (Referer, User-Agent, marks) of fields with names in lower case, as the scan reads them."""
