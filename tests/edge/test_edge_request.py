"""Requests that look unusual and are good: what they mean, sent whole, byte by byte and through both paths."""

from collections.abc import Iterator

import pytest
from fake_edge import HOST, FakeEdge, request

from fazt._speedups.hosts import normalise
from fazt.edge.request import Head, Refusal, read_head


@pytest.fixture(scope="module", params=[True, False], ids=["lane", "no lane"])
def edge(request: pytest.FixtureRequest) -> Iterator[FakeEdge]:
    with FakeEdge(lane=request.param) as edge:
        edge.add("/", b"home")
        edge.add("/a?", b"never")
        yield edge


CHUNKED = f"POST /api/read HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
UPGRADE = request("/api", "Connection: Upgrade", "Upgrade: h2c", method="POST")[:-2]
GOOD = [
    ("an empty line before", "2.2", b"\r\n" + request(), 200, b"home", True),
    ("some empty lines before", "2.2", b"\r\n\r\n\r\n" + request(), 200, b"home", True),
    ("two spaces", "3", request("/").replace(b"GET /", b"GET  /"), 200, b"home", True),
    ("absolute-form", "3.2.2", request(f"http://{HOST}/", host="other.example"), 200, b"home", True),
    ("absolute-form without a path", "3.2.2", request(f"http://{HOST}"), 200, b"home", True),
    ("absolute-form with a query only", "3.2.2", request(f"http://{HOST}?a"), 200, b"home", True),
    ("https in the target", "3.2.2", request(f"HTTPS://{HOST.upper()}:443/"), 200, b"home", True),
    ("asterisk-form", "3.2.4", request("*", method="OPTIONS"), 200, b"", True),
    ("OPTIONS of a page", "RFC 9110 9.3.7", request(method="OPTIONS"), 405, None, True),
    ("a port", "3.2", request(host=f"{HOST}:4698"), 200, b"home", True),
    ("another port", "3.2", request(host=f"{HOST}:1"), 200, b"home", True),
    ("upper case", "3.2", request(host=HOST.upper()), 200, b"home", True),
    ("a dot at the end", "3.2", request(host=f"{HOST}."), 200, b"home", True),
    ("an IPv6 address", "3.2", request(host="[::1]:4698"), 200, b"home", True),
    ("tabs around a value", "5.1", request("/", "X:\t \ta\t \t"), 200, b"home", True),
    ("a value with 8 bits", "RFC 9110 5.5", request("/", "X: \xe4\xff"), 200, b"home", True),
    ("an empty value", "RFC 9110 5.5", request("/", "X:"), 200, b"home", True),
    ("close", "9.6", request("/", "Connection: close"), 200, b"home", False),
    ("close in a list", "9.6", request("/", "Connection: keep-alive, close"), 200, b"home", False),
    ("HTTP/1.0", "9.3", request(version="1.0"), 200, b"home", False),
    ("HTTP/1.0 that asks for more", "9.3", request("/", "Connection: keep-alive", version="1.0"), 200, b"home", False),
    ("RTSP is answered as HTTP/1.0", "2.3", request().replace(b"HTTP/1.1", b"RTSP/1.0"), 200, b"home", False),
    ("no body", "6.3", request("/api", method="POST"), 200, b"0", True),
    ("a body", "6.3", request("/api", "Content-Length: 3", method="POST") + b"abc", 200, b"3", True),
    ("zeros", "6.3", request("/api", "Content-Length: 003", method="POST") + b"abc", 200, b"3", True),
    ("a body of GET", "RFC 9110 9.3.1", request("/api", "Content-Length: 3") + b"abc", 200, b"3", True),
    ("a body of GET for a page", "RFC 9110 9.3.1", request("/", "Content-Length: 3") + b"abc", 200, b"home", True),
    ("chunks", "7.1", CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", 200, b"3", True),
    ("chunks in upper case", "7.1", CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", 200, b"10", True),
    ("chunks with zeros", "7.1", CHUNKED + b"0001\r\na\r\n000\r\n\r\n", 200, b"1", True),
    ("chunk extensions", "7.1.1", CHUNKED + b'1;a;b=c;d="e;f"\r\na\r\n0;g\r\n\r\n', 200, b"1", True),
    ("a trailer", "7.1.2", CHUNKED + b"1\r\na\r\n0\r\nX: y\r\nHost: evil.example\r\n\r\n", 200, b"1", True),
    ("CHUNKED", "7", CHUNKED.replace(b" chunked", b" CHUNKED") + b"0\r\n\r\n", 200, b"0", True),
    ("h2c is not taken", "RFC 9110 7.8", request("/", "Connection: Upgrade", "Upgrade: h2c"), 200, b"home", True),
    ("an upgrade without Connection", "RFC 9110 7.8", request("/", "Upgrade: websocket"), 200, b"home", True),
    ("an upgrade with a body", "RFC 9110 7.8", UPGRADE + b"Content-Length: 3\r\n\r\nabc", 200, b"3", True),
    ("an upgrade with a request as its body", "RFC 9110 7.8",
     UPGRADE + b"Content-Length: %d\r\n\r\n" % len(request("/evil")) + request("/evil"), 200, b"42", True),
    ("an upgrade with chunks", "RFC 9110 7.8",
     UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, b"3", True),
    ("an upgrade with a body, then the end", "RFC 9110 7.8",
     UPGRADE.replace(b"Upgrade\r", b"close, Upgrade\r") + b"Content-Length: 3\r\n\r\nabc", 200, b"3", False),
    ("a WebSocket for a page", "RFC 6455 4.1",
     request("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"), 200, b"home", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "section", "data", "status", "body", "keeps"), GOOD, ids=lambda value: str(value)[:40]
)
def test_it_is_answered(
    edge: FakeEdge, name: str, section: str, data: bytes, status: int, body: bytes | None, keeps: bool
) -> None:
    for pieces in (None, 1, len(data) // 2):
        client = edge.connect().send(data + request("/"), pieces=pieces)
        replies = client.replies()
        assert [reply.status for reply in replies] == ([status, 200] if keeps else [status]), pieces
        assert body is None or replies[0].body == body
        assert replies[0].keep_alive == keeps
        assert client.closed != keeps
        client.vanish()


def test_the_host_of_the_target_counts() -> None:
    head = read_head(b"GET", b"http://a.example:80/x?y", "1.1", [(b"host", b"b.example")], keep_alive=True)
    assert (head.host, head.raw_host, head.path, head.query) == ("a.example", b"a.example:80", b"/x", b"y")
    assert head.has_query


def test_a_question_mark_alone_is_a_query() -> None:
    head = read_head(b"GET", b"/x?", "1.1", [(b"host", b"b.example")], keep_alive=True)
    assert (head.path, head.query, head.has_query) == (b"/x", b"", True)


def test_values_that_came_several_times_are_joined() -> None:
    head = Head(fields=[(b"accept-encoding", b"gzip"), (b"x", b"1"), (b"accept-encoding", b"br")])
    assert head.first() == {b"accept-encoding": b"gzip, br", b"x": b"1"}


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2", "3.0", ""])
def test_other_versions(version: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_head(b"GET", b"/", version, [(b"host", b"b.example")], keep_alive=True)
    assert refused.value.status == 505


def test_only_canonical_hosts_fill_the_cache() -> None:
    with FakeEdge() as edge:
        edge.add("/", b"home")
        spellings = [HOST.upper(), f"{HOST}.", f"{HOST}:1", f"{HOST}:04698", HOST, f"{HOST}:4698"]
        for spelling in spellings:
            assert normalise(spelling.encode()) == HOST
            edge.connect().send(request(host=spelling) * 2)
        assert edge.pages.statistics().entries == 2
        assert len(edge.asked) == 2 * 4 + 2


def test_what_is_not_to_be_kept_is_not_kept() -> None:
    with FakeEdge() as edge:
        edge.add("/", b"home", keep=False)
        assert len(edge.connect().send(request() * 3).replies()) == 3
        assert len(edge.asked) == 3
