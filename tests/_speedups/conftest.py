"""A cache with one page and a lane over it."""

import pytest
from fake_lane import BROTLI_TAG, GZIP_TAG, HOST, ZSTD_TAG, RecordingLane, make_page

from fazt._speedups.pages import Clock, Pages
from fazt._speedups.statistics import AccessRing


@pytest.fixture
def pages() -> Pages:
    """A cache that holds `/` in identity alone and `/all` in all codings, brotli the smallest."""
    pages = Pages(10_000_000)
    assert pages.put(HOST + b"/", make_page(pages))
    coded = {"gzip": (GZIP_TAG, b"g" * 60), "br": (BROTLI_TAG, b"b" * 50), "zstd": (ZSTD_TAG, b"z" * 55)}
    assert pages.put(HOST + b"/all", make_page(pages, b"i" * 100, coded=coded))
    return pages


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring() -> AccessRing:
    return AccessRing(64)


@pytest.fixture
def lane(pages: Pages, clock: Clock, ring: AccessRing) -> RecordingLane:
    return RecordingLane(pages, clock, ring)
