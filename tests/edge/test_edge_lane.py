"""The lane and the ordinary path: the same bytes for the same requests, whatever way they come."""

import re
from typing import Any

import pytest
from fake_edge import MODIFIED, FakeEdge, reply, request
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt._speedups.statistics import MARK_HTML, MARK_PART, MARK_UNTRACKED

CODED = {"gzip": b"g" * 60, "br": b"b" * 50, "zstd": b"z" * 55}
PATHS = ["/", "/all", "/absent", "/?query", "/all?a=b", "/api/x", "/untagged"]
FIELDS = [
    "Accept: text/html",
    "Accept-Encoding: gzip",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Encoding: br;q=0.1, *",
    "Accept-Encoding:",
    "Accept-Encoding: identity",
    'If-None-Match: "tag"',
    'If-None-Match: W/"tag"',
    'If-None-Match: "tagbr"',
    'If-None-Match: "a", "tag"',
    "If-None-Match: *",
    'If-None-Match: "a b"',
    f"If-Modified-Since: {MODIFIED.decode()}",
    "If-Modified-Since: Mon, 23 Nov 2026 00:00:00 GMT",
    "If-Modified-Since: nonsense",
    "Range: bytes=0-3",
    "Connection: keep-alive",
    "Connection: close",
    "Cookie: a=b",
    "X-Unknown: 1",
    "Content-Length: 0",
    "User-Agent:  spaces around \t",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) " + "long " * 60,
    "Referer: https://news.example/" + "x" * 300,
    "referer: /first",
    "DNT: 1",
    "DNT: 0",
    "Sec-GPC: 1",
    "Sec-Purpose: prefetch;prerender",
    "Purpose: prefetch",
    "Purpose: preview",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Dest: image",
]

requests = st.builds(
    lambda path, fields, method, host: request(path, *fields, method=method, host=host),
    st.sampled_from(PATHS),
    st.lists(st.sampled_from(FIELDS), max_size=4),
    st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"]),
    st.sampled_from(["blog.example", "blog.example", "blog.example:4698", "BLOG.example", "blog.example."]),
)


def serve(data: bytes, pieces: int | None, *, lane: bool) -> tuple[bytes, bool, list[object]]:
    """Return what is sent for the bytes, dates aside, whether the connection was closed, and what was recorded."""
    with FakeEdge(lane=lane) as edge:
        edge.add("/", b"hello", etag=b'"tag"')
        edge.add("/all", b"i" * 100, etag=b'"tag"', coded=CODED, headers=[(b"Vary", b"Accept-Encoding")])
        edge.add("/untagged", b"bare", etag=b"", kind=b"Text/HTML; charset=utf-8")
        edge.connect().send(b"".join(request(path) for path in ("/", "/all", "/absent", "/untagged"))).vanish()
        client = edge.connect().send(data, pieces=pieces)
        records = [record._replace(at_ms=0, duration_ns=0) for record in edge.ring.since(0)[2]]
        return re.sub(rb"\r\nDate: [^\r]+", b"\r\nDate: now", client.sent), client.closed, list(records)


@settings(max_examples=120, deadline=None)
@given(st.lists(requests, min_size=1, max_size=6), st.sampled_from([None, 1, 7, 30, 64]))
def test_both_give_the_same_bytes(parts: list[bytes], pieces: int | None) -> None:
    data = b"".join(parts)
    expected = serve(data, None, lane=False)
    assert serve(data, pieces, lane=True) == expected
    assert serve(data, pieces, lane=False) == expected


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([None, 1, 9]))
def test_garbage_behind_good_requests(garbage: bytes, pieces: int | None) -> None:
    data = request("/") + request("/all", "Accept-Encoding: br") + garbage
    expected = serve(data, None, lane=False)
    assert expected[0].startswith(b"HTTP/1.1 200 OK")
    assert serve(data, pieces, lane=True) == expected


def test_the_lane_serves_and_comes_back_after_the_ordinary_path() -> None:
    with FakeEdge() as edge:
        edge.add("/", b"hello")
        client = edge.connect().send(request("/"))
        assert client.protocol.reader is not None
        parser = client.protocol.reader.parser
        client.protocol.reader.parser = None  # a request that came to the reader now would fail
        client.send(request("/") * 3)
        client.protocol.reader.parser = parser
        client.send(request("/", "X-Unknown: 1")).send(request("/"))
        assert [reply.body for reply in client.replies()] == [b"hello"] * 6


def test_no_lane_while_something_is_unfinished() -> None:
    with FakeEdge() as edge:
        edge.add("/", b"hello")
        client = edge.connect().send(request("/"))
        assert client.protocol.lane_open
        client.send(b"GET / HT")
        assert not client.protocol.lane_open
        client.send(b"TP/1.1\r\nHost: blog.example\r\n\r\n")
        assert client.protocol.lane_open
        client.send(request("/api", "Content-Length: 5", method="POST"))
        assert not client.protocol.lane_open
        client.send(b"12345")
        assert client.protocol.lane_open
        assert [reply.status for reply in client.replies()] == [200] * 3


@pytest.mark.parametrize("lane", [True, False])
def test_what_is_recorded_of_a_visit(lane: bool) -> None:
    fields = ("Referer: https://news.example/", "User-Agent: Mozilla/5.0", "DNT: 1", "Sec-Fetch-Dest: iframe")
    with FakeEdge(lane=lane) as edge:
        edge.add("/", b"<p>", kind=b"text/html")
        edge.add("/style", b"p{}", kind=b"text/css")
        client = edge.connect().send(request("/") + request("/style"))
        client.send(request("/", *fields)).send(request("/style", *fields)).send(request("/absent", *fields))
        records = edge.ring.since(0)[2][2:]
        assert [(each.referer, each.agent, each.marks) for each in records] == [
            ("https://news.example/", "Mozilla/5.0", MARK_UNTRACKED | MARK_PART | MARK_HTML),
            ("", "", MARK_UNTRACKED | MARK_PART),
            ("https://news.example/", "Mozilla/5.0", MARK_UNTRACKED | MARK_PART),
        ]


def test_an_application_says_what_is_a_page() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"]["fazt"]["site"] = "blog"
        kind = b"text/html" if scope["path"] == "/api/page" else b"application/json"
        await reply(send, 200, b"{}", (b"content-type", kind))

    with FakeEdge() as edge:
        edge.app = app
        edge.connect().send(request("/api/page") + request("/api/data"))
        assert [record.marks for record in edge.ring.since(0)[2]] == [MARK_HTML, 0]
