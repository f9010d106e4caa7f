"""Whatever the scanner takes, httptools has to read in the same way: that is what makes the fast lane safe.

Requests come from Hypothesis (valid, slightly wrong, hostile) and from seeded mutations of what browsers send;
FAZT_TEST_FULL=1 tries ten times as many of these.
"""

import os
import random
from collections.abc import Callable

import httptools
from browser_heads import BROWSER_HEADS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fazt._speedups.scan import Plain, scan

SEED = 9112
MUTATIONS = 200_000 if os.environ.get("FAZT_TEST_FULL") else 20_000
PLAIN_NAMES = (
    b"accept accept-encoding accept-language cache-control connection cookie dnt from host if-modified-since"
    b" if-none-match origin pragma priority purpose referer save-data upgrade-insecure-requests user-agent"
).split()


class Reading:
    """What httptools makes of one message."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.parser = httptools.HttpRequestParser(self)

    def on_url(self, piece: bytes) -> None:
        self.url += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_body(self, piece: bytes) -> None:
        raise AssertionError("a body")

    def on_message_complete(self) -> None:
        self.complete = True

    def values(self, name: bytes) -> list[bytes]:
        return [value for other, value in self.fields if other == name]


def compare(data: bytes, start: int = 0) -> Plain | None:
    """Hold the scanner against httptools; None where it declines, which it may always do."""
    plain = scan(data, start)
    if plain is None:
        return None
    head = data[start : plain.end]
    reading = Reading()
    reading.parser.feed_data(head[:-1])
    assert not reading.complete
    reading.parser.feed_data(head[-1:])
    assert reading.complete
    assert reading.parser.get_method() == (b"HEAD" if plain.head else b"GET")
    assert reading.parser.get_http_version() == "1.1"
    assert reading.parser.should_keep_alive()
    assert not reading.parser.should_upgrade()
    path, _, query = reading.url.partition(b"?")
    assert (path, query) == (plain.path, plain.query)
    assert path.startswith(b"/")
    assert reading.values(b"host") == [plain.host]
    for name, value in (
        (b"accept-encoding", plain.accept_encoding),
        (b"if-none-match", plain.if_none_match),
        (b"if-modified-since", plain.if_modified_since),
    ):
        assert reading.values(name) in ([[value]] if value else [[], [b""]])
    for name, value in reading.fields:
        assert name in PLAIN_NAMES or (name.startswith(b"sec-") and not name.startswith(b"sec-websocket-"))
        assert name != b"connection" or value.lower() == b"keep-alive"
    return plain


ORDINARY_FIELDS = [
    line for data in BROWSER_HEADS.values() for line in data.split(b"\r\n")[1:] if line and line[:5] != b"Host:"
]
HOSTILE_FIELDS = [
    *(b"Content-Length: 0", b"Content-Length: 7", b"content-length:+1", b"Transfer-Encoding: chunked", b"Host: other"),
    *(b"Transfer-Encoding: identity", b"Transfer-Encoding : chunked", b"Connection: close", b"Connection: upgrade"),
    *(b"Connection: keep-alive, TE", b"Connection:\tkeep-alive", b"Upgrade: h2c", b"Expect: 100-continue", b"host: x"),
    *(b"Range: bytes=0-1", b"X-Forwarded-Host: x", b"Sec-WebSocket-Key: x", b"Sec-WebSocket: x", b"Authorization: x"),
    *(b"Accept-Encoding: gzip;q=0", b"Accept-Encoding:", b"If-None-Match: *", b'If-None-Match: W/"a", "b"', b": x"),
    *(b"Cookie: \x80", b"Cookie: \x00", b"Cookie: a\tb", b"Cookie: a\rb", b"Cookie: a\nb", b" folded", b"\tfolded"),
    *(b"Proxy-Connection: close", b"Keep-Alive: 300", b"no colon", b"Sec- : x", b"sec-_: x", b"Dnt:", b"Host :x"),
]
RIGHT = {
    "method": st.sampled_from([b"GET", b"HEAD"]),
    "space": st.just(b" "),
    "target": st.text("abcXYZ019-._~!$&'()*+,;=:@%/?", max_size=30).map(lambda text: b"/" + text.encode()),
    "version": st.just(b"HTTP/1.1"),
    "host": st.sampled_from([b"Host: blog.example", b"host:[::1]:80 ", b"HOST:  A_b.c"]),
    "field": st.sampled_from(ORDINARY_FIELDS),
    "line end": st.just(b"\r\n"),
}
WRONG = {
    "method": st.sampled_from([b"POST", b"get", b"GETT", b"OPTIONS", b"PRI", b"M-SEARCH", b""]),
    "space": st.sampled_from([b"  ", b"\t", b"", b"\x0b", b"\xa0"]),
    "target": st.one_of(
        st.sampled_from([b"*", b"http://a/", b"a:80", b"/#", b"/ ", b"/\\", b""]),
        st.binary(max_size=8).map(lambda tail: b"/" + tail),
    ),
    "version": st.sampled_from([b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.10", b"HTTP/1", b"http/1.1", b"RTSP/1.1", b""]),
    "host": st.sampled_from([b"Host: a@b", b"Host:", b"Host : a", b"Host: a b", b""]),
    "field": st.one_of(
        st.sampled_from(HOSTILE_FIELDS),
        st.tuples(
            st.sampled_from(PLAIN_NAMES), st.sampled_from([b":", b": ", b":  ", b" :"]), st.binary(max_size=12)
        ).map(b"".join),
        st.tuples(st.sampled_from([b"sec-", b"Sec-CH-", b"x-"]), st.binary(max_size=5), st.just(b": 1")).map(b"".join),
    ),
    "line end": st.sampled_from([b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b"\r\n ", b"\r\n\r\n", b""]),
}


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Draw a request of right parts, of which at most one kind goes wrong, now and then."""
    flaw = draw(st.sampled_from([None, "field", *WRONG]))

    def part(kind: str) -> bytes:
        return draw(WRONG[kind] if kind == flaw and draw(st.booleans()) else RIGHT[kind])

    line = b"".join(map(part, ("method", "space", "target", "space", "version")))
    fields = [part("field") for _ in range(draw(st.integers(0, 5)))]
    fields.insert(draw(st.integers(0, len(fields))), part("host"))
    return b"".join(piece + part("line end") for piece in (line, *fields, b""))


@given(requests(), st.binary(max_size=20))
@example(BROWSER_HEADS["curl"], b"\r\n")
@settings(deadline=None, max_examples=1500 if MUTATIONS > 20_000 else 300)
def test_requests_by_hypothesis(data: bytes, behind: bytes) -> None:
    plain = compare(data)
    assert plain == scan(data + behind) or plain is None  # what follows changes nothing
    if plain is not None:
        assert compare(behind + data, len(behind)) == plain._replace(end=plain.end + len(behind))


@given(st.binary(max_size=200), st.integers(0, 5))
@settings(deadline=None, max_examples=200)
def test_noise_behind_a_beginning(noise: bytes, begun: int) -> None:
    lines = BROWSER_HEADS["firefox-document"].split(b"\r\n")[: begun + 1]
    compare(b"\r\n".join(lines) + noise + b"\r\n\r\n")


INTERESTING = b'\x00\t\n\x0b\r "#%,/:;<>?@[\\]^`{|}\x7f\x80\xa0\xff'


def change_byte(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.choice(INTERESTING) if chance.random() < 0.5 else chance.randrange(256)


def change_to_letter(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.choice(b"abcxyzABCXYZ0189-._=;,")


def change_case(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at : at + 8] = data[at : at + 8].swapcase()


def insert_byte(data: bytearray, chance: random.Random) -> None:
    data.insert(chance.randrange(len(data) + 1), chance.choice(INTERESTING))


def delete_bytes(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.choice((1, 1, 2, 8))]


def repeat_bytes(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randrange(30)]


def cut_end(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def change_lines(data: bytearray, chance: random.Random) -> None:
    """Repeat, drop, move or add a line."""
    lines = bytes(data).split(b"\r\n")
    at = chance.randrange(len(lines))
    kind = chance.randrange(5)
    if kind == 0:
        lines.insert(at, chance.choice(lines))
    elif kind == 1:
        del lines[at]
    elif kind == 2:
        lines.insert(chance.randrange(len(lines)), lines.pop(at))
    else:
        lines.insert(max(1, at), chance.choice(HOSTILE_FIELDS if kind == 3 else ORDINARY_FIELDS))
    data[:] = b"\r\n".join(lines)


def change_line_end(data: bytearray, chance: random.Random) -> None:
    ends = [at for at, byte in enumerate(data) if byte == 13]
    if ends:
        at = chance.choice(ends)
        data[at : at + 2] = chance.choice(
            (b"\n", b"\r", b"\r\r\n", b"\n\n", b" \r\n", b"\t\r\n", b"\r\n ", b"\r\n\r\n")
        )


OPERATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(change_byte, change_to_letter, change_case, insert_byte, delete_bytes),
    *(repeat_bytes, cut_end, change_lines, change_line_end),
)


def test_mutations_of_real_requests() -> None:
    chance = random.Random(SEED)
    heads = list(BROWSER_HEADS.values())
    taken = 0
    for _ in range(MUTATIONS):
        data = bytearray(chance.choice(heads))
        for _ in range(chance.choice((1, 1, 2, 4))):
            if data:
                chance.choice(OPERATIONS)(data, chance)
        mutated = bytes(data)
        try:
            taken += compare(mutated) is not None
        except Exception as error:
            error.add_note(f"The request was {mutated!r}")
            raise
    # A test that hardly ever compares, or hardly ever changes what matters, would say nothing.
    assert 0.1 < taken / MUTATIONS < 0.8
