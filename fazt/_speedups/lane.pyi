"""The base class of the edge's protocol: plain requests for pages in memory are answered here, in one go."""

import asyncio

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing

def add_field(answer: bytes, field: bytes) -> bytes:
    """Return an answer with one more field (its line's end included) behind its status line."""

class Lane:
    """One connection. `data_received` answers what it can and hands every other byte to `feed`, in order.

    The lane serves only while `lane_open` is true and the transport is writable; the subclass closes it (sets it to
    False) whenever bytes of an unfinished message are in its parser, answers are queued, or the lane is switched off.
    """

    lane_open: bool
    writable: bool  # False between pause_writing and resume_writing
    transport_used: bool  # something may wait in the transport's own queue
    descriptor: int  # the socket's, for direct writes; -1: none
    bound_host: bytes | None  # the only host that is asked for here (TLS); None: any
    bound_authority: bytes  # the same with the port
    extra_field: bytes | None  # what each head has behind its status line
    client: str  # the client's address for the records
    transport: asyncio.Transport
    @property
    def last_active(self) -> float:
        """Clock seconds (monotonic) of the last request that the lane answered."""
    pages: Pages  # read-only
    clock: Clock  # read-only
    ring: AccessRing  # read-only
    def __init__(self, pages: Pages, clock: Clock, ring: AccessRing) -> None: ...
    def data_received(self, data: bytes) -> None:
        """Answer the plain requests at the front of the bytes, and feed the rest."""
    def feed(self, data: bytes) -> None:
        """Take bytes that the lane declined; to be overridden."""
