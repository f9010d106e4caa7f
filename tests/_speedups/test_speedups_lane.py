"""The lane over a transport that notes what it gets: which bytes are answered how, and which are fed."""

import socket
import time

import pytest
from browser_heads import BROWSER_HEADS
from fake_lane import HOST, HTML, PLAIN_TAG, RecordingLane, await_next_second, make_page, request

from fazt._speedups.lane import Lane
from fazt._speedups.pages import Clock, Page, Pages, Variant
from fazt._speedups.statistics import AccessRing

ROOT = HOST + b"/"
MODIFIED = b"Sun, 24 Nov 2024 01:02:03 GMT"


def written(events: list[tuple[str, bytes]]) -> bytes:
    return b"".join(data for kind, data in events if kind == "write")


def status_of(answer: bytes | None) -> int | None:
    return None if answer is None else int(answer.split(b" ", 2)[1])


def head_of(clock: Clock, status: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Date: " + clock.date, *fields, b"", b""))


def test_a_page_is_answered_whole(lane: RecordingLane, clock: Clock) -> None:
    expected = head_of(
        clock,
        b"200 OK",
        b"Content-Type: text/html",
        b"Vary: Accept-Encoding",
        b"Content-Length: 5",
        b'ETag: "plain"',
    )
    assert lane.answer_to(request()) == expected + b"hello"
    assert lane.answer_to(request(method="HEAD")) == expected
    assert lane.answer_to(request("/?a=b")) == expected + b"hello"
    assert lane.answer_to(request("/", 'If-None-Match: "plain"')) == head_of(
        clock, b"304 Not Modified", b"Vary: Accept-Encoding", b'ETag: "plain"'
    )


def test_a_coded_page_names_its_coding(lane: RecordingLane, clock: Clock) -> None:
    answer = lane.answer_to(request("/all", "Accept-Encoding: br"))
    expected = (b"Content-Length: 50", b"Content-Encoding: br", b'ETag: "brotli"')
    assert answer == head_of(clock, b"200 OK", *(b"%s: %s" % field for field in HTML), *expected) + b"b" * 50


@pytest.mark.parametrize("data", BROWSER_HEADS.values(), ids=BROWSER_HEADS.keys())
def test_real_clients_are_answered(data: bytes, lane: RecordingLane, pages: Pages) -> None:
    assert lane.answer_to(data) is None
    lines = dict(line.split(b": ") for line in data.split(b"\r\n")[1:-2])
    path = data.split(b" ")[1].split(b"?")[0]
    assert pages.put(lines[b"Host"] + path, make_page(pages, last_modified=lines.get(b"If-Modified-Since", b"")))
    conditional = b"If-Modified-Since" in lines and b"If-None-Match" not in lines
    assert status_of(lane.answer_to(data)) == (304 if conditional else 200)


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (None, b""),
        ("gzip", b"gzip"),
        ("gzip, deflate", b"gzip"),
        ("gzip, deflate, br", b"br"),
        ("gzip, deflate, br, zstd", b"br"),
        ("gzip,zstd", b"zstd"),
        ("x-gzip", b"gzip"),
        ("GZip,  ZSTD", b"zstd"),
        ("deflate", b""),
        ("identity", b""),
        ("identity, gzip", b"gzip"),
        ("compress", b""),
        ("gzip;q=1", None),
        ("br;q=0", None),
        ("gzip, br;q=0.5", None),
        ("*", None),
        ("gzip, *", None),
        ("identity;q=0", None),
        ("unknown", None),
        ("gzip,,br", None),
        ("gzip br", None),
        ("", None),
    ],
)
def test_codings(lane: RecordingLane, value: str | None, coding: bytes | None) -> None:
    fields = [] if value is None else [f"Accept-Encoding: {value}"]
    for _ in range(3):  # what is remembered of a value says the same
        answer = lane.answer_to(request("/all", *fields))
        if coding is None:
            assert answer is None
        else:
            assert answer is not None
            assert (b"\r\nContent-Encoding: " + coding in answer) == bool(coding)
            assert (b"\r\nContent-Encoding: " in answer) == bool(coding)
        assert lane.answer_to(request("/all", "Accept-Encoding: zstd")) is not None


def test_codings_do_not_matter_where_there_is_only_identity(lane: RecordingLane) -> None:
    assert status_of(lane.answer_to(request("/", "Accept-Encoding: gzip;q=0.5, *;q=0"))) == 200


def test_more_values_than_are_remembered(pages: Pages, clock: Clock, ring: AccessRing) -> None:
    for turn in range(700):
        lane = RecordingLane(pages, clock, ring)
        answer = lane.answer_to(request("/all", f"Accept-Encoding: {' ' * (turn % 350)}gzip,{' ' * (turn % 350)}zstd"))
        assert answer is not None
        assert b"Content-Encoding: zstd" in answer


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ('"plain"', 304),
        ('"other"', 200),
        ('""', 200),
        ('"PLAIN"', 200),
        ('"plain-gzip"', 200),
        ("plain", None),
        ('W/"plain"', None),
        ("*", None),
        ('"plain", "other"', None),
        ('"other","plain"', None),
        ('"', None),
        ('"plain', None),
        ('plain"', None),
        ("", None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_entity_tags(lane: RecordingLane, value: str, status: int | None, method: str) -> None:
    assert status_of(lane.answer_to(request("/", f"If-None-Match: {value}", method=method))) == status


def test_each_coding_has_its_own_tag(lane: RecordingLane) -> None:
    for accept, tag in (("br", "brotli"), ("gzip", "gz"), ("identity", "plain")):
        fields = (f"Accept-Encoding: {accept}", f'If-None-Match: "{tag}"')
        assert status_of(lane.answer_to(request("/all", *fields))) == 304
        assert status_of(lane.answer_to(request("/all", "Accept-Encoding: zstd", fields[1]))) == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([f"If-Modified-Since: {MODIFIED.decode()}"], 304),
        (["If-Modified-Since: Mon, 25 Nov 2024 01:02:03 GMT"], None),
        (["If-Modified-Since: Sunday, 24-Nov-24 01:02:03 GMT"], None),
        (["If-Modified-Since:"], None),
        ([f"If-Modified-Since: {MODIFIED.decode()}", 'If-None-Match: "other"'], 200),
        (['If-None-Match: "plain"', "If-Modified-Since: never"], 304),
    ],
)
def test_modification_times(lane: RecordingLane, pages: Pages, fields: list[str], status: int | None) -> None:
    headers = (*HTML, (b"Last-Modified", MODIFIED))
    assert pages.put(HOST + b"/dated", make_page(pages, headers=headers, last_modified=MODIFIED))
    answer = lane.answer_to(request("/dated", *fields))
    assert status_of(answer) == status
    assert answer is None or b"\r\nLast-Modified: " + MODIFIED in answer


def test_conditions_on_a_page_without_validators(lane: RecordingLane, pages: Pages) -> None:
    assert pages.put(HOST + b"/bare", make_page(pages, etag=b""))
    answer = lane.answer_to(request("/bare"))
    assert answer is not None
    assert b"ETag" not in answer
    assert lane.answer_to(request("/bare", 'If-None-Match: ""')) is None
    assert lane.answer_to(request("/bare", 'If-None-Match: "plain"')) is None
    assert lane.answer_to(request("/bare", f"If-Modified-Since: {MODIFIED.decode()}")) is None


def test_a_weak_tag_is_not_compared_here(lane: RecordingLane, pages: Pages) -> None:
    """If-None-Match compares weakly (RFC 9110 13.1.2): `"a"` names `W/"a"` too."""
    assert pages.put(HOST + b"/weak", make_page(pages, etag=b'W/"a"'))
    assert status_of(lane.answer_to(request("/weak"))) == 200
    assert lane.answer_to(request("/weak", 'If-None-Match: "a"')) is None


@pytest.mark.parametrize(("status", "line"), [(404, b"404 Not Found"), (301, b"301 Moved Permanently")])
def test_other_statuses_have_no_conditions(lane: RecordingLane, pages: Pages, status: int, line: bytes) -> None:
    assert pages.put(HOST + b"/other", make_page(pages, status=status, last_modified=MODIFIED))
    for fields in ([], ['If-None-Match: "plain"'], ["If-None-Match: *"], [f"If-Modified-Since: {MODIFIED.decode()}"]):
        answer = lane.answer_to(request("/other", *fields))
        assert answer is not None
        assert answer.startswith(b"HTTP/1.1 " + line + b"\r\n")
        assert answer.endswith(b"\r\n\r\nhello")


def test_a_body_outside_of_memory_is_left(lane: RecordingLane, pages: Pages) -> None:
    variants = [Variant("", PLAIN_TAG, 1 << 30, None, object()), Variant("gzip", b'"g"', 3, b"abc", None)]
    assert pages.put(HOST + b"/large", Page(pages.site("blog"), pages.generation, 200, HTML, variants, keep=True))
    assert lane.answer_to(request("/large")) is None
    assert lane.answer_to(request("/large", method="HEAD")) is None
    assert status_of(lane.answer_to(request("/large", "Accept-Encoding: gzip"))) == 200


def test_only_the_very_key_is_answered(lane: RecordingLane) -> None:
    for path, host in (("/x", HOST), ("//", HOST), ("/", b"Blog.example"), ("/", HOST + b":80"), ("/", HOST + b".")):
        assert lane.answer_to(request(path, host=host)) is None


def test_a_changed_site_is_not_answered(lane: RecordingLane, pages: Pages) -> None:
    assert lane.answer_to(request()) is not None
    pages.forget(["other"])
    assert lane.answer_to(request()) is not None
    pages.forget(["blog"])
    assert lane.answer_to(request()) is None
    assert pages.statistics().stale == 1
    assert lane.answer_to(request()) is None
    assert pages.statistics().stale == 1
    assert pages.put(ROOT, make_page(pages, b"new"))
    answer = lane.answer_to(request())
    assert answer is not None
    assert answer.endswith(b"new")


def test_pipelined_answers_go_out_together(lane: RecordingLane) -> None:
    answers = [lane.answer_to(data) for data in (request(), request("/all"), request(method="HEAD"))]
    events = lane.receive(request() + request("/all") + request(method="HEAD"))
    assert events == [("write", b"".join(answer for answer in answers if answer))]


@pytest.mark.parametrize(
    "rest",
    [
        request("/unknown"),
        b"POST / HTTP/1.1\r\nHost: blog.example\r\nContent-Length: 2\r\n\r\nok",
        request()[:-1],
        b"G",
        b"\r\n",
        request("/unknown") + request(),
    ],
)
def test_the_first_byte_that_is_not_answered_is_fed(lane: RecordingLane, rest: bytes) -> None:
    answer = lane.answer_to(request())
    assert answer is not None
    assert lane.receive(rest) == [("feed", rest)]
    assert lane.receive(request() + rest) == [("write", answer), ("feed", rest)]
    assert lane.receive(request() * 2 + rest) == [("write", answer * 2), ("feed", rest)]


def test_a_cut_request_is_fed_at_every_place(lane: RecordingLane) -> None:
    data = request("/", "Accept-Encoding: gzip")
    for length in range(1, len(data)):
        assert lane.receive(data[:length]) == [("feed", data[:length])]


def test_nothing_received_is_fed_as_nothing(lane: RecordingLane) -> None:
    assert lane.receive(b"") == [("feed", b"")]


@pytest.mark.parametrize(("lane_open", "writable"), [(False, True), (True, False), (False, False)])
def test_a_closed_lane_feeds_everything(lane: RecordingLane, lane_open: bool, writable: bool) -> None:
    lane.lane_open, lane.writable = lane_open, writable
    assert lane.answer_to(request()) is None
    lane.lane_open = lane.writable = True
    assert lane.answer_to(request()) is not None


def test_a_lane_is_closed_until_it_is_opened(pages: Pages, clock: Clock, ring: AccessRing) -> None:
    lane = Lane(pages, clock, ring)
    assert not lane.lane_open
    with pytest.raises(NotImplementedError):
        lane.data_received(request())


def test_large_answers_are_not_all_joined(lane: RecordingLane, pages: Pages) -> None:
    assert pages.put(HOST + b"/large", make_page(pages, b"x" * 50_000))
    answer = lane.answer_to(request("/large"))
    assert answer is not None
    events = lane.receive(request("/large") * 7)
    assert [len(data) for _, data in events] == [2 * len(answer)] * 3 + [len(answer)]
    assert written(events) == answer * 7


def test_a_slow_reader_stops_the_lane(lane: RecordingLane, pages: Pages) -> None:
    assert pages.put(HOST + b"/large", make_page(pages, b"x" * 70_000))
    answer = lane.answer_to(request("/large"))
    assert answer is not None
    lane.fake.after_write = lambda: setattr(lane, "writable", False)
    assert lane.receive(request("/large") * 3) == [("write", answer), ("feed", request("/large") * 2)]


def test_what_is_answered_is_counted(lane: RecordingLane, pages: Pages, ring: AccessRing) -> None:
    began_ms = time.time_ns() // 1_000_000
    pipelined = request("/?q") + request("/", method="HEAD") + request("/", 'If-None-Match: "plain"')
    lane.receive(pipelined + request("/unknown"))
    totals = pages.site("blog").totals()
    assert totals[:6] == (3, 5, 3, 0, 0, (0, 2, 1, 0, 0))
    assert sum(memoryview(totals.latency).cast("I")) == 3
    assert (pages.statistics().hits, pages.statistics().misses) == (3, 0)
    following, lost, records = ring.since(0)
    assert (following, lost) == (3, 0)
    assert all(began_ms <= record.at_ms <= time.time_ns() // 1_000_000 for record in records)
    assert [record[1:8] for record in records] == [
        ("blog", "192.0.2.7", method, "blog.example", "/", status, size)
        for method, status, size in (("GET", 200, 5), ("HEAD", 200, 0), ("GET", 304, 0))
    ]
    assert all(record.hit and 0 < record.duration_ns < 10**10 for record in records)


def test_the_time_of_the_last_answer_is_kept(lane: RecordingLane, clock: Clock) -> None:
    made = lane.last_active
    before = clock.monotonic
    clock.tick()
    assert made == before < clock.monotonic
    assert lane.answer_to(request("/unknown")) is None
    assert lane.last_active == made
    assert lane.answer_to(request()) is not None
    assert lane.last_active == clock.monotonic


def test_parts_are_read_only(lane: RecordingLane) -> None:
    for name in ("pages", "clock", "ring", "last_active"):
        with pytest.raises(AttributeError):
            setattr(lane, name, getattr(lane, name))


@pytest.mark.parametrize("wrong", [None, "GET", bytearray(b"GET")])
def test_only_bytes_are_received(lane: RecordingLane, wrong: object) -> None:
    with pytest.raises(TypeError):
        lane.data_received(wrong)  # type: ignore[arg-type]


THREE_KINDS = (request(), request(method="HEAD"), request("/", 'If-None-Match: "plain"'))


def test_the_date_moves_on_and_bytes_given_out_do_not(lane: RecordingLane, pages: Pages, clock: Clock) -> None:
    """A transport may still hold what it was given a second ago; its Date must not change under it."""
    page = pages.get(ROOT)
    assert page is not None
    held = [page.response(0, clock), page.head(0, clock), page.not_modified(0, clock)]
    view = page.body(0)
    copies = [bytearray(data) for data in held]
    first_date = clock.date
    await_next_second(clock)
    answers = [lane.answer_to(data) for data in THREE_KINDS]
    assert held == copies
    assert answers == [copy.replace(first_date, clock.date) for copy in copies]
    assert view == b"hello"


def test_the_date_is_renewed_in_place_where_nobody_holds_the_bytes(pages: Pages, clock: Clock) -> None:
    page = pages.get(ROOT)
    assert page is not None

    def addresses() -> list[int]:
        return [id(page.response(0, clock)), id(page.head(0, clock)), id(page.not_modified(0, clock))]

    before = addresses()
    await_next_second(clock)
    assert addresses() == before
    for answer in (page.response(0, clock), page.head(0, clock), page.not_modified(0, clock)):
        assert b"\r\nDate: " + clock.date + b"\r\n" in answer


class Wire:
    """A lane that writes straight to one end of a socket pair."""

    def __init__(self, lane: RecordingLane) -> None:
        self.lane = lane
        self.near, self.far = socket.socketpair()
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.near.setblocking(False)
        self.far.setblocking(False)
        lane.descriptor = self.near.fileno()

    def received(self) -> bytes:
        """Return all that has come to the far end."""
        pieces = []
        try:
            while piece := self.far.recv(1 << 20):
                pieces.append(piece)
        except BlockingIOError:
            pass
        return b"".join(pieces)

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def wire(lane: RecordingLane) -> Wire:
    made = Wire(lane)
    yield made
    made.close()


def test_an_answer_goes_straight_to_the_socket(wire: Wire, lane: RecordingLane) -> None:
    assert lane.receive(request() * 2) == []
    received = wire.received()
    lane.descriptor = -1
    assert received == written(lane.receive(request() * 2))


def test_what_the_socket_does_not_take_goes_to_the_transport(wire: Wire, lane: RecordingLane, pages: Pages) -> None:
    assert pages.put(HOST + b"/large", make_page(pages, bytes(range(256)) * 1500))
    page = pages.get(HOST + b"/large")
    assert page is not None
    answer = page.response(0, lane.clock)
    [(kind, rest)] = lane.receive(request("/large"))
    assert kind == "write"
    assert 0 < len(rest) < len(answer)
    assert lane.transport_used
    assert wire.received() + rest == answer
    # there is room again, but as long as something waits in the transport nothing may overtake it
    lane.fake.buffered = len(rest)
    [(_, second)] = lane.receive(request())
    assert second.endswith(b"hello")
    assert wire.received() == b""
    lane.fake.buffered = 0
    assert lane.receive(request()) == []
    assert not lane.transport_used
    assert wire.received().endswith(b"hello")


def test_a_full_socket_gives_all_to_the_transport(wire: Wire, lane: RecordingLane) -> None:
    try:
        while True:
            wire.near.send(b"x" * 65536)
    except BlockingIOError:
        pass
    answer = written(lane.receive(request()))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"hello")


def test_a_broken_connection_is_left_to_the_transport(wire: Wire, lane: RecordingLane) -> None:
    wire.far.close()
    assert lane.receive(request())[0][0] == "write"
