"""A lane with a transport that only notes what it is given, and pages for it."""

import time
from typing import Any

from fazt._speedups.lane import Lane
from fazt._speedups.pages import Clock, Page, Pages, Variant
from fazt._speedups.statistics import AccessRing

HTML = ((b"Content-Type", b"text/html"), (b"Vary", b"Accept-Encoding"))
HOST = b"blog.example"
PLAIN_TAG, GZIP_TAG, BROTLI_TAG, ZSTD_TAG = b'"plain"', b'"gz"', b'"brotli"', b'"zst"'


class FakeTransport:
    """Notes writes in `events`; `after_write` may change the lane as a transport's callbacks would."""

    def __init__(self, events: list[tuple[str, bytes]]) -> None:
        self.events = events
        self.buffered = 0
        self.after_write: Any = None

    def write(self, data: Any) -> None:
        self.events.append(("write", bytes(data)))
        if self.after_write is not None:
            self.after_write()

    def get_write_buffer_size(self) -> int:
        return self.buffered


class RecordingLane(Lane):
    """Keeps what was written and what was fed, in the order in which it happened."""

    def __init__(self, pages: Pages, clock: Clock, ring: AccessRing) -> None:
        super().__init__(pages, clock, ring)
        self.events: list[tuple[str, bytes]] = []
        self.fake = FakeTransport(self.events)
        self.transport = self.fake  # type: ignore[assignment]
        self.client = "192.0.2.7"
        self.lane_open = True

    def feed(self, data: bytes) -> None:
        self.events.append(("feed", data))

    def receive(self, data: bytes) -> list[tuple[str, bytes]]:
        """Give the lane bytes; return what came of them."""
        self.events.clear()
        self.data_received(data)
        return list(self.events)

    def answer_to(self, data: bytes) -> bytes | None:
        """Return the one answer to one request, None where it was declined."""
        events = self.receive(data)
        assert len(events) == 1
        kind, content = events[0]
        assert kind == "write" or content == data
        return content if kind == "write" else None


def make_page(pages: Pages, body: bytes = b"hello", **options: Any) -> Page:
    """Return a page of the site `blog`, current unless told otherwise; `coded` holds encoding -> (tag, body)."""
    site = pages.site(options.pop("site", "blog"))
    variants = [Variant("", options.pop("etag", PLAIN_TAG), len(body), body, None)]
    for encoding, (etag, data) in options.pop("coded", {}).items():
        variants.append(Variant(encoding, etag, len(data), data, None))
    headers = options.pop("headers", HTML)
    settings = {"keep": True, "generation": pages.generation, "status": 200} | options
    return Page(site, settings.pop("generation"), settings.pop("status"), headers, variants, **settings)


def request(path: str = "/", *fields: str, method: str = "GET", host: bytes = HOST) -> bytes:
    """Return a plain request with more fields."""
    return b"".join(
        (
            f"{method} {path} HTTP/1.1\r\nHost: ".encode(),
            host,
            b"\r\n",
            *(field.encode("latin-1") + b"\r\n" for field in fields),
            b"\r\n",
        )
    )


def await_next_second(clock: Clock) -> None:
    """Return when the clock shows another Date."""
    before = clock.date
    while clock.date == before:
        time.sleep(0.01)
        clock.tick()
