"""The base class of the edge's protocol: plain requests for pages in memory are answered here, in one go."""

import asyncio

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing

class Lane(asyncio.Protocol):
    """One connection. `data_received` answers what it can and hands every other byte to `feed`, in order.

    The lane serves only while `lane_open` is true and the transport is writable; the subclass closes it (sets it to
    False) whenever bytes of an unfinished message are in its parser, answers are queued, or the lane is switched off.
    """

    lane_open: bool
    writable: bool  # False between pause_writing and resume_writing
    client: str  # the client's address for the records
    transport: asyncio.Transport | None
    last_active: float  # Clock seconds (monotonic) of the last request that the lane answered

    def __init__(self, pages: Pages, clock: Clock, ring: AccessRing) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def feed(self, data: bytes) -> None:
        """Take bytes that the lane declined; to be overridden."""
