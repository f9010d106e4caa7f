"""Pages, the clock, and the cache: what is kept, what goes first, what is never given out again."""

import threading
import time
import tracemalloc
from email.utils import formatdate

import pytest
from fake_lane import HTML, PLAIN_TAG, RecordingLane, make_page, request

from fazt._speedups.pages import Clock, Page, Pages, Variant
from fazt._speedups.statistics import AccessRing, SiteState


@pytest.fixture
def pages() -> Pages:
    return Pages(1_000_000)


def fill(pages: Pages, names: range, prefix: bytes = b"page", **options: object) -> list[bytes]:
    """Put pages of about 5 kB; return their keys."""
    keys = [b"%s/%d" % (prefix, name) for name in names]
    for key in keys:
        assert pages.put(key, make_page(pages, b"x" * 3000, **options))
    return keys


def kept(pages: Pages, keys: list[bytes]) -> list[bytes]:
    return [key for key in keys if pages.get(key) is not None]


# --- the clock ---


def test_the_clock_shows_now() -> None:
    earliest, began = time.time(), time.monotonic()
    clock = Clock()
    latest, ended = time.time(), time.monotonic()
    assert clock.date.decode() in {formatdate(moment, usegmt=True) for moment in (earliest, latest)}
    assert int(earliest * 1000) <= clock.now_ms <= latest * 1000
    assert began <= clock.monotonic <= ended
    before = clock.monotonic
    clock.tick()
    assert clock.monotonic > before
    with pytest.raises(AttributeError):
        clock.date = b""


# --- pages ---


def test_a_page_tells_what_it_is(pages: Pages) -> None:
    source = object()
    variants = [Variant("", PLAIN_TAG, 9, None, source), Variant("br", b'"b"', 4, b"body", None)]
    page = Page(pages.site("blog"), 7, 200, HTML, variants, keep=False, last_modified=b"then")
    assert (page.site.name, page.generation, page.status, page.keep) == ("blog", 7, 200, False)
    assert (page.headers, page.last_modified, page.available) == (HTML, b"then", 2)
    assert [page.etag(index) for index in (0, 1)] == [PLAIN_TAG, b'"b"']
    assert [page.length(index) for index in (0, 1)] == [9, 4]
    assert page.body(0) is None
    assert page.body(1) == b"body"
    assert [page.source(index) for index in (0, 1)] == [source, None]
    assert page.fields(0) == (*HTML, (b"Content-Length", b"9"), (b"ETag", PLAIN_TAG))
    assert page.fields(1) == (
        *HTML,
        (b"Content-Length", b"4"),
        (b"Content-Encoding", b"br"),
        (b"ETag", b'"b"'),
    )


@pytest.mark.parametrize("index", [-1, 2, 5])
def test_there_is_no_other_variant(pages: Pages, index: int) -> None:
    page = make_page(pages, coded={"br": (b'"b"', b"b")})
    clock = Clock()
    for ask in (page.etag, page.length, page.body, page.source, page.fields):
        with pytest.raises(IndexError):
            ask(index)
    for answer in (page.response, page.head, page.not_modified):
        with pytest.raises(IndexError):
            answer(index, clock)


def test_a_body_outside_of_memory_has_no_response(pages: Pages) -> None:
    page = Page(pages.site("blog"), 1, 200, HTML, [Variant("", PLAIN_TAG, 9, None, object())], keep=True)
    clock = Clock()
    with pytest.raises(ValueError, match="not in memory"):
        page.response(0, clock)
    assert b"\r\nContent-Length: 9\r\n" in page.head(0, clock)
    assert page.not_modified(0, clock).startswith(b"HTTP/1.1 304 ")


@pytest.mark.parametrize(
    ("variants", "error"),
    [
        ([], "one to four"),
        ([Variant("", b"", 1, b"x", None)] * 5, "one to four"),
        ([Variant("gzip", b"", 1, b"x", None)], "first variant"),
        ([Variant("", b"", 2, b"x", None)], "size"),
    ],
)
def test_pages_that_make_no_sense(pages: Pages, variants: list[Variant], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Page(pages.site("blog"), 1, 200, HTML, variants, keep=True)


def test_an_unknown_coding_is_refused(pages: Pages) -> None:
    with pytest.raises(KeyError):
        make_page(pages, coded={"deflate": (b'"d"', b"d")})


@pytest.mark.parametrize(
    ("sizes", "mask", "coding"),
    [
        ({}, 7, ""),
        ({"gzip": 5, "br": 4, "zstd": 6}, 0, ""),
        ({"gzip": 5, "br": 4, "zstd": 6}, 1, "gzip"),
        ({"gzip": 5, "br": 4, "zstd": 6}, 7, "br"),
        ({"gzip": 5, "br": 4, "zstd": 6}, 5, "gzip"),
        ({"gzip": 5, "br": 4, "zstd": 6}, 4, "zstd"),
        ({"gzip": 5, "br": 4, "zstd": 6}, 8 + 2, "br"),
        ({"gzip": 100}, 7, ""),
        ({"gzip": 101}, 7, ""),
        ({"br": 50}, 1, ""),
    ],
)
def test_the_smallest_acceptable_variant_is_chosen(pages: Pages, sizes: dict[str, int], mask: int, coding: str) -> None:
    page = make_page(pages, b"x" * 100, coded={name: (b'"c"', b"x" * size) for name, size in sizes.items()})
    assert page.choose(mask) == ["", *sizes].index(coding)


def test_a_304_has_only_what_belongs_there(pages: Pages) -> None:
    headers = (
        (b"Content-Type", b"text/html"),
        (b"Cache-Control", b"max-age=60"),
        (b"Vary", b"Accept-Encoding"),
        (b"Last-Modified", b"then"),
        (b"content-location", b"/a"),
        (b"Expires", b"soon"),
        (b"X-Frame-Options", b"DENY"),
    )
    clock = Clock()
    lines = make_page(pages, headers=headers).not_modified(0, clock).split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 304 Not Modified"
    assert lines[1] == b"Date: " + clock.date
    assert [line.split(b": ")[0] for line in lines[2:-2]] == [
        b"Cache-Control",
        b"Vary",
        b"Last-Modified",
        b"content-location",
        b"Expires",
        b"ETag",
    ]


def test_a_status_without_a_name(pages: Pages) -> None:
    assert make_page(pages, status=299).response(0, Clock()).startswith(b"HTTP/1.1 299 \r\nDate: ")


def test_a_page_is_charged_what_it_takes(pages: Pages) -> None:
    """With all that is built later: the heads and the 304s."""
    clock = Clock()
    headers = [(b"Name-%d" % number, b"v" * 30) for number in range(8)]

    def build(number: int) -> Page:
        coded = {"gzip": (b'"g%d"' % number, b"g" * 300), "br": (b'"b%d"' % number, b"b" * 200)}
        page = make_page(pages, b"x" * 1000, etag=b'"%d"' % number, coded=coded, headers=tuple(headers))
        for index in range(3):
            page.head(index, clock)
            page.not_modified(index, clock)
        return page

    build(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        made = [build(number) for number in range(100)]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    charged = sum(page.size for page in made)
    assert taken <= charged <= 2 * taken


# --- the cache ---


def test_what_is_put_is_found(pages: Pages) -> None:
    page = make_page(pages)
    assert pages.get(b"key") is None
    assert pages.put(b"key", page)
    assert pages.get(b"key") is page
    statistics = pages.statistics()
    assert statistics == (1, 0, page.size, 1_000_000, 1, 1, 0, 0)
    other = make_page(pages, b"other")
    assert pages.put(b"key", other)
    assert pages.get(b"key") is other
    assert pages.statistics().bytes == other.size


def test_what_is_not_to_be_kept_is_refused(pages: Pages) -> None:
    assert not pages.put(b"key", make_page(pages, keep=False))
    assert not pages.put(b"key", make_page(pages, b"x" * 100_001))
    assert not Pages(1 << 30).put(b"key", make_page(pages, b"x" * 524_288))
    assert not Pages(0).put(b"key", make_page(pages))
    page = make_page(pages)
    assert pages.put(b"key", page)
    assert not pages.put(b"other", page)
    assert pages.statistics().entries == 1


def test_descriptors_are_charged(pages: Pages) -> None:
    page = Page(pages.site("blog"), 1, 200, HTML, [Variant("", PLAIN_TAG, 9, None, object())], keep=True)
    assert page.size > 65536
    assert pages.put(b"key", page)
    assert pages.get(b"key") is page


def test_a_change_makes_the_pages_of_its_site_stale(pages: Pages) -> None:
    for site in ("blog", "shop", "wiki"):
        assert pages.put(site.encode(), make_page(pages, site=site))
    read_at = pages.generation
    pages.forget(["blog", "wiki", "unknown"])
    assert pages.generation > read_at
    assert pages.site("blog").generation == pages.generation
    assert pages.site("shop").generation <= read_at
    assert kept(pages, [b"blog", b"shop", b"wiki"]) == [b"shop"]
    assert pages.statistics()[:3] == (1, 0, pages.get(b"shop").size)  # type: ignore[union-attr]
    assert pages.statistics().stale == 2
    assert not pages.put(b"blog", make_page(pages, generation=read_at))
    assert pages.put(b"shop", make_page(pages, site="shop", generation=read_at))
    assert pages.put(b"blog", make_page(pages))


def test_a_site_seen_for_the_first_time_takes_no_page_made_before(pages: Pages) -> None:
    read_at = pages.generation
    pages.forget(["new"])
    assert not pages.put(b"key", make_page(pages, site="new", generation=read_at))
    assert pages.put(b"key", make_page(pages, site="new"))


def test_a_change_in_the_middle_of_making_a_page(pages: Pages) -> None:
    page = make_page(pages)
    pages.forget(["blog"])
    assert not pages.put(b"key", page)
    assert pages.get(b"key") is None


def test_a_change_on_another_thread_counts_at_once(pages: Pages) -> None:
    for _ in range(50):
        assert pages.put(b"key", make_page(pages))
        assert pages.get(b"key") is not None
        thread = threading.Thread(target=pages.forget, args=(["blog"],))
        thread.start()
        thread.join()
        assert pages.get(b"key") is None


def test_changes_while_the_cache_works(pages: Pages) -> None:
    """A writer thread forgets as fast as it can; what is given out is never older than what it had announced."""
    announced = [0]
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            pages.forget(["blog"])
            announced[0] = pages.generation

    thread = threading.Thread(target=write)
    thread.start()
    try:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            pages.put(b"key", make_page(pages))
            pages.put(b"gone", make_page(pages, status=404))
            for key in (b"key", b"gone"):
                known = announced[0]
                page = pages.get(key)
                assert page is None or page.generation >= known
    finally:
        stop.set()
        thread.join()


def test_nothing_found_is_remembered_until_any_change(pages: Pages) -> None:
    assert pages.put(b"gone", make_page(pages, status=404))
    assert pages.get(b"gone") is not None
    assert pages.statistics().negative_entries == 1
    read_at = pages.generation
    pages.forget([])
    assert pages.get(b"gone") is None
    assert pages.statistics()[:3] == (0, 0, 0)
    assert not pages.put(b"gone", make_page(pages, status=404, generation=read_at))
    assert pages.put(b"gone", make_page(pages, status=404))
    assert pages.put(b"gone", make_page(pages))
    assert pages.statistics()[:2] == (1, 0)


def test_what_is_not_found_is_bounded_in_number_and_bytes() -> None:
    pages = Pages(10_000_000, max_negative=20)
    keys = fill(pages, range(50), status=404)
    assert kept(pages, keys) == keys[-20:]
    pages = Pages(1_000_000)
    live = fill(pages, range(100))
    keys = fill(pages, range(100), b"gone", status=404)
    assert pages.statistics().negative_entries == len(kept(pages, keys)) <= 50_000 / 3000
    assert kept(pages, live) == live
    assert not Pages(1_000_000, max_negative=0).put(b"gone", make_page(pages, status=404))


def test_clearing(pages: Pages) -> None:
    fill(pages, range(10))
    fill(pages, range(10, 20), status=404)
    page = make_page(pages)
    pages.clear()
    assert pages.statistics()[:3] == (0, 0, 0)
    assert not pages.put(b"key", page)
    assert pages.put(b"key", make_page(pages))


def test_sites_are_made_once(pages: Pages) -> None:
    assert pages.sites() == []
    blog = pages.site("blog")
    assert isinstance(blog, SiteState)
    assert pages.site("blog") is blog
    shop = pages.site("shop")
    assert pages.sites() == [blog, shop]
    assert blog.generation == shop.generation == pages.generation


def test_the_oldest_goes_first(pages: Pages) -> None:
    keys = fill(pages, range(400))
    statistics = pages.statistics()
    assert statistics.bytes <= pages.max_bytes
    assert 0 < statistics.entries < 400
    assert statistics.evictions == 400 - statistics.entries == pages.site("blog").totals().evictions
    assert kept(pages, keys) == keys[-statistics.entries :]


def test_a_use_keeps_a_page(pages: Pages) -> None:
    [key] = fill(pages, range(1))
    for number in range(1, 1000, 20):
        assert pages.get(key) is not None
        fill(pages, range(number, number + 20))
    assert pages.get(key) is not None


def test_among_the_protected_the_least_recently_used_goes_first(pages: Pages) -> None:
    keys = fill(pages, range(100))
    assert kept(pages, keys) == keys  # all are protected now, the first is the least recently used
    assert pages.get(keys[0]) is not None
    evict_some(pages)
    assert pages.get(keys[1]) is None
    assert pages.get(keys[0]) is not None


def test_a_use_in_the_lane_counts_as_well(pages: Pages) -> None:
    clock = Clock()
    lane = RecordingLane(pages, clock, AccessRing(4))
    keys = fill(pages, range(100))
    assert kept(pages, keys) == keys
    assert lane.answer_to(request("/0", host=b"page")) is not None
    evict_some(pages)
    assert pages.get(keys[1]) is None
    assert pages.get(keys[0]) is not None


def evict_some(pages: Pages) -> None:
    """Protect so many other pages that the older half of a hundred has to go."""
    for number in range(150):
        [key] = fill(pages, range(number, number + 1), b"other")
        assert pages.get(key) is not None


@pytest.mark.parametrize("status", [200, 404])
def test_any_number_of_cold_pages_leaves_the_used_ones_alone(status: int) -> None:
    pages = Pages(4_000_000)
    hot = fill(pages, range(500), b"hot")
    assert kept(pages, hot) == hot
    body = b"x" * 500
    for number in range(100_000):
        assert pages.put(b"cold/%d" % number, make_page(pages, body, status=status))
    assert kept(pages, hot) == hot
    assert pages.statistics().bytes <= pages.max_bytes


def test_a_large_page_finds_room_beside_the_protected(pages: Pages) -> None:
    """`put` tells the truth, however full the other parts are."""
    hot = fill(pages, range(300), b"hot")
    for key in hot:
        pages.get(key)
    fill(pages, range(300), b"gone", status=404)
    for size in (1000, 20_000, 60_000, 95_000):
        key = b"large/%d" % size
        assert pages.put(key, make_page(pages, b"x" * size)) == (pages.get(key) is not None)
        assert pages.statistics().bytes <= pages.max_bytes
