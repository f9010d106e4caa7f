"""The scanner by itself: what it takes, what it leaves to the ordinary path, and where its limits lie."""

import string

import pytest
from browser_heads import BROWSER_HEADS
from fake_lane import request

from fazt._speedups.scan import Plain, scan
from fazt._speedups.statistics import MARK_PART

URL = (string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@%/").encode()


@pytest.mark.parametrize("data", BROWSER_HEADS.values(), ids=BROWSER_HEADS.keys())
def test_real_clients_are_taken(data: bytes) -> None:
    plain = scan(data)
    assert plain is not None
    assert plain.end == len(data)
    assert plain.host in data


def test_everything_is_read() -> None:
    data = BROWSER_HEADS["chrome-script-again"]
    assert scan(data) == Plain(
        end=len(data),
        head=False,
        host=b"blog.example.com:8080",
        path=b"/assets/app.3f2a9c11.js",
        query=b"v=2&lang=en",
        accept_encoding=b"gzip, deflate, br, zstd",
        if_none_match=b'"3f2a9c11d0e84b6c"',
        if_modified_since=b"Sun, 24 Nov 2024 01:02:03 GMT",
        referer=b"http://blog.example.com:8080/2024/11/?page=2",
        agent=b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        marks=MARK_PART,
    )


def test_it_begins_and_ends_where_it_is_told() -> None:
    first, second = request("/one"), BROWSER_HEADS["curl-head-compressed"]
    data = first + second + b"POST"
    assert scan(data) == scan(first)
    plain = scan(data, len(first))
    assert plain is not None
    assert plain == scan(second)._replace(end=len(first) + len(second))  # type: ignore[union-attr]
    assert plain.head
    assert scan(data, len(first) + 1) is None
    assert scan(data, plain.end) is None
    assert scan(data, len(data)) is None
    assert scan(data, len(data) + 10) is None
    assert scan(data, -1) is None


@pytest.mark.parametrize("data", BROWSER_HEADS.values(), ids=BROWSER_HEADS.keys())
def test_an_unfinished_head_is_left(data: bytes) -> None:
    assert not [length for length in range(len(data)) if scan(data[:length]) is not None]


@pytest.mark.parametrize(
    "line",
    [
        "POST / HTTP/1.1",
        "PUT / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "get / HTTP/1.1",
        "Head / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / HTTP/1.1 ",
        "GET / http/1.1",
        "GET /",
        "GET",
        "",
        "GET http://blog.example/ HTTP/1.1",
        "GET * HTTP/1.1",
        "GET ? HTTP/1.1",
        "GET index.html HTTP/1.1",
        "GET /#fragment HTTP/1.1",
        "GET /?a#fragment HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /é HTTP/1.1",
        "GET /\x00 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "CONNECT blog.example:80 HTTP/1.1",
        "PRI * HTTP/2.0",
    ],
)
def test_other_request_lines_are_left(line: str) -> None:
    assert scan(line.encode("latin-1") + b"\r\nHost: blog.example\r\n\r\n") is None


@pytest.mark.parametrize(
    "field",
    [
        "Content-Length: 0",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Connection: close",
        "Connection: keep-alive, close",
        "Connection: Upgrade",
        "Connection: keep-alivé",
        "Connection:",
        "Upgrade: h2c",
        "Upgrade: websocket",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version: 13",
        "Expect: 100-continue",
        "Range: bytes=0-9",
        "If-Range: x",
        'If-Match: "x"',
        "If-Unmodified-Since: Sun, 24 Nov 2024 01:02:03 GMT",
        "Authorization: Basic dTpw",
        "TE: trailers",
        "Trailer: x",
        "Via: 1.1 proxy",
        "Forwarded: for=192.0.2.1",
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Host: evil.example",
        "X-HTTP-Method-Override: DELETE",
        "X-Original-URL: /admin",
        "Proxy-Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Host: blog.example",
        "Host: other.example",
        "host:blog.example",
        "Unknown: x",
        "Accept : x",
        " Accept: x",
        "\tAccept: x",
        "Accept",
        ": x",
        "Acc ept: x",
        "Accépt: x",
        "Accept: a\tb",
        "Accept: a\x00b",
        "Accept: a\rb",
        "Accept: a\nb",
        "Accept: a\x7fb",
        "Accept: é",
        "Accept: a\r\n folded",
        "a" * 41 + ": x",
    ],
)
def test_other_fields_are_left(field: str) -> None:
    assert scan(request("/", "Accept: */*")) is not None
    assert scan(request("/", field)) is None
    assert scan(request("/", "Accept: */*", field, "Accept: */*")) is None


@pytest.mark.parametrize("name", ["Accept-Encoding", "If-None-Match", "If-Modified-Since", "Host"])
@pytest.mark.parametrize("second", ["x", ""])
def test_what_matters_may_not_come_twice(name: str, second: str) -> None:
    other = [] if name == "Host" else [f"{name}: x"]
    assert scan(request("/", *other)) is not None
    assert scan(request("/", *other, f"{name.upper()}: {second}")) is None


@pytest.mark.parametrize(
    "ending",
    [b"\n\n", b"\r\n\n", b"\n\r\n", b"\r\r\n\r\n", b"\r\n\r\r\n", b"\r\n\rx", b"\r\n \r\n", b"\r\n"],
)
def test_other_line_ends_are_left(ending: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: blog.example"
    assert scan(head + b"\r\n\r\n") is not None
    assert scan(head + ending) is None
    assert scan(b"GET / HTTP/1.1" + ending + b"Host: blog.example\r\n\r\n") is None or ending == b"\r\n"


@pytest.mark.parametrize("host", [b"", b" ", b"a b", b"a/b", b"a@b", b"a,b", b"a%62", b"\xff", b"a" * 256])
def test_other_hosts_are_left(host: bytes) -> None:
    assert scan(request(host=host)) is None


def test_there_has_to_be_a_host() -> None:
    assert scan(b"GET / HTTP/1.1\r\n\r\n") is None
    assert scan(b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n") is None


def test_space_around_values_is_not_part_of_them() -> None:
    data = b'GET / HTTP/1.1\r\nHost:   blog.example  \r\nIf-None-Match:"x"\r\nAccept-Encoding:  gzip \r\nDNT:\r\n\r\n'
    plain = scan(data)
    assert plain is not None
    assert (plain.host, plain.if_none_match, plain.accept_encoding) == (b"blog.example", b'"x"', b"gzip")


@pytest.mark.parametrize("target", ["/?", "/??", "/?a=b?c", "/?a/b"])
def test_queries(target: str) -> None:
    plain = scan(request(target))
    assert plain is not None
    path, _, query = target.partition("?")
    assert (plain.path, plain.query) == (path.encode(), query.encode())


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_in_each_place(byte: int) -> None:
    """Held against lists written down a second time, so that a slip in the scanner's table shows."""

    def taken(template: bytes) -> bool:
        return scan(template % byte) is not None

    letters = (string.ascii_letters + string.digits).encode()
    rest = b" HTTP/1.1\r\nHost: h\r\n\r\n"
    assert taken(b"GET /a%cb" + rest) == (byte in URL + b"?")
    assert taken(b"GET /a?b%cc" + rest) == (byte in URL + b"?")
    assert taken(b"GET / HTTP/1.1\r\nHost: a%cb\r\n\r\n") == (byte in letters + b"-._:[]")
    for filler in (b"", b"0123456789"):  # the values are read eight bytes at a time
        assert taken(b"GET / HTTP/1.1\r\nHost: h\r\nCookie: " + filler + b"a%cb\r\n\r\n") == (32 <= byte < 127)
        if byte != 58:  # ":" ends the name
            name = b"Sec-" + filler + b"%c"
            assert taken(b"GET / HTTP/1.1\r\nHost: h\r\n" + name + b": b\r\n\r\n") == (byte in letters + b"-_")


@pytest.mark.parametrize(("length", "taken"), [(2048, True), (2049, False)])
@pytest.mark.parametrize("prefix", ["/", "/?", "/" + "a" * 1000 + "?"])
def test_longest_target(prefix: str, length: int, taken: bool) -> None:
    assert (scan(request(prefix.ljust(length, "a"))) is not None) == taken


@pytest.mark.parametrize(("length", "taken"), [(255, True), (256, False)])
def test_longest_host(length: int, taken: bool) -> None:
    assert (scan(request(host=b"a" * length)) is not None) == taken


@pytest.mark.parametrize(("count", "taken"), [(100, True), (101, False)])
def test_most_fields(count: int, taken: bool) -> None:
    assert (scan(request("/", *["DNT: 1"] * (count - 1))) is not None) == taken


@pytest.mark.parametrize(("length", "taken"), [(16384, True), (16385, False)])
@pytest.mark.parametrize("start", [0, 5000])
def test_longest_head(length: int, taken: bool, start: int) -> None:
    filler = "a" * (length - len(request("/", "Cookie: ")))
    data = request("/", f"Cookie: {filler}")
    assert len(data) == length
    assert (scan(b"x" * start + data + b"GET", start) is not None) == taken


@pytest.mark.parametrize("wrong", [None, "GET", bytearray(b"GET"), memoryview(b"GET")])
def test_only_bytes_are_scanned(wrong: object) -> None:
    with pytest.raises(TypeError):
        scan(wrong)  # type: ignore[arg-type]
