"""What is sent for a page: methods, conditions, codings, ranges, from memory and from a source."""

import re
from collections.abc import Iterator

import pytest
from fake_edge import FakeEdge, Reply, request
from hypothesis import given, settings
from hypothesis import strategies as st

BODY = bytes(range(256)) * 4
CODED = {"gzip": b"g" * 60, "br": b"b" * 50, "zstd": b"z" * 55}


class PieceSource:
    """A source without a file that hands out small pieces."""

    def fileno(self) -> None:
        return None

    async def read(self, offset: int, length: int) -> bytes:
        return BODY[offset : offset + min(length, 100)]


@pytest.fixture(scope="module", params=["memory", "source"])
def edge(request: pytest.FixtureRequest) -> Iterator[FakeEdge]:
    with FakeEdge() as edge:
        source = PieceSource() if request.param == "source" else None
        edge.add("/", BODY, etag=b'"tag"', source=source)
        edge.add("/all", b"i" * 100, etag=b'"tag"', coded=CODED, headers=[(b"Vary", b"Accept-Encoding")])
        edge.add("/empty", b"", etag=b'"none"')
        yield edge


def ask(edge: FakeEdge, path: str, *fields: str, method: str = "GET") -> Reply:
    client = edge.connect().send(request(path, *fields, method=method))
    (reply,) = client.replies(method)
    assert not client.closed
    client.vanish()
    edge.clients.remove(client)
    return reply


def test_get_and_head_have_the_same_fields(edge: FakeEdge) -> None:
    whole, head = ask(edge, "/"), ask(edge, "/", method="HEAD")
    assert (whole.status, whole.body) == (200, BODY)
    assert head.body == b""
    assert {**head.fields, "date": ""} == {**whole.fields, "date": ""}
    assert whole.fields["content-length"] == "1024"
    assert whole.fields["etag"] == '"tag"'
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", whole.fields["date"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "TRACE"])
def test_other_methods(edge: FakeEdge, method: str) -> None:
    reply = ask(edge, "/", method=method)
    assert reply.status == 405
    assert reply.fields["allow"] == "GET, HEAD"
    assert reply.fields["cache-control"] == "no-store"
    assert reply.fields["x-content-type-options"] == "nosniff"
    assert b'"method_not_allowed"' in reply.body


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("*", "br"),
        ("identity", None),
        ("identity;q=0", None),
        ("deflate", None),
    ],
)
def test_codings(edge: FakeEdge, accepted: str, encoding: str | None) -> None:
    reply = ask(edge, "/all", f"Accept-Encoding: {accepted}")
    assert reply.fields.get("content-encoding") == encoding
    assert reply.body == (CODED[encoding] if encoding else b"i" * 100)
    assert reply.fields["vary"] == "Accept-Encoding"
    assert reply.fields["etag"] == (f'"tag{encoding}"' if encoding else '"tag"')


def test_not_modified_is_of_the_coding(edge: FakeEdge) -> None:
    assert ask(edge, "/all", "Accept-Encoding: br", 'If-None-Match: "tagbr"').status == 304
    assert ask(edge, "/all", "Accept-Encoding: br", 'If-None-Match: "tag"').status == 200
    reply = ask(edge, "/all", "Accept-Encoding: br", 'If-None-Match: "x", W/"tagbr"')
    assert (reply.status, reply.fields["vary"], reply.fields["etag"]) == (304, "Accept-Encoding", '"tagbr"')
    assert "content-length" not in reply.fields


def test_precondition_failed(edge: FakeEdge) -> None:
    assert ask(edge, "/", 'If-Match: "x"').status == 412
    assert ask(edge, "/", 'If-Match: "x"', method="HEAD").status == 412


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("0-0", 0, 1), ("0-99", 0, 100), ("1000-", 1000, 1024), ("-24", 1000, 1024), ("0-9999", 0, 1024)],
)
def test_one_range(edge: FakeEdge, wanted: str, start: int, stop: int) -> None:
    reply = ask(edge, "/", f"Range: bytes={wanted}")
    assert (reply.status, reply.body) == (206, BODY[start:stop])
    assert reply.fields["content-range"] == f"bytes {start}-{stop - 1}/1024"
    assert reply.fields["content-type"] == "text/plain"
    assert reply.fields["etag"] == '"tag"'


def test_several_ranges(edge: FakeEdge) -> None:
    reply = ask(edge, "/", "Range: bytes=0-9, -5, 100-100")
    assert reply.status == 206
    assert "content-range" not in reply.fields
    kind, _, boundary = reply.fields["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    expected = b""
    for start, stop in ((0, 10), (1019, 1024), (100, 101)):
        lines = f"\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {start}-{stop - 1}/1024\r\n\r\n"
        expected += lines.encode() + BODY[start:stop]
    assert reply.body == expected + f"\r\n--{boundary}--\r\n".encode()
    assert ask(edge, "/", "Range: bytes=0-9, -5").fields["content-type"] != reply.fields["content-type"]


def test_unsatisfiable_ranges(edge: FakeEdge) -> None:
    reply = ask(edge, "/", "Range: bytes=1024-")
    assert (reply.status, reply.fields["content-range"]) == (416, "bytes */1024")


@pytest.mark.parametrize(
    "fields",
    [
        ("Range: bytes=1-0-",),
        ("Range: lines=0-1",),
        ("Range: bytes=" + ",".join(["0-0"] * 40),),
        ("Range: bytes=0-,0-,0-",),
        ("Range: bytes=0-1", 'If-Range: "other"'),
        ("Range: bytes=0-1", 'If-Range: W/"tag"'),
        ("Range: bytes=0-1", "If-Range: Mon, 23 Nov 2026 00:00:00 GMT"),
    ],
)
def test_ranges_that_do_not_count(edge: FakeEdge, fields: tuple[str, ...]) -> None:
    assert ask(edge, "/", *fields).status == 200


def test_ranges_are_for_get(edge: FakeEdge) -> None:
    reply = ask(edge, "/", "Range: bytes=0-1", method="HEAD")
    assert (reply.status, reply.fields["content-length"]) == (200, "1024")


def test_a_condition_comes_before_a_range(edge: FakeEdge) -> None:
    assert ask(edge, "/", "Range: bytes=0-1", 'If-None-Match: "tag"').status == 304
    assert ask(edge, "/", "Range: bytes=0-1", 'If-Range: "tag"').status == 206


def test_ranges_are_of_the_coding(edge: FakeEdge) -> None:
    reply = ask(edge, "/all", "Range: bytes=40-", "Accept-Encoding: br")
    assert (reply.status, reply.body) == (206, b"b" * 10)
    assert reply.fields["content-encoding"] == "br"
    assert reply.fields["content-range"] == "bytes 40-49/50"


def test_an_empty_page(edge: FakeEdge) -> None:
    assert ask(edge, "/empty", "Range: bytes=0-").status == 200
    assert ask(edge, "/empty").fields["content-length"] == "0"


def test_neither_conditions_nor_ranges_for_an_error(edge: FakeEdge) -> None:
    assert ask(edge, "/absent", "Range: bytes=0-1", "If-None-Match: *").status == 404


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 1100)), min_size=1, max_size=5))
def test_every_answer_to_a_range_holds_those_bytes(pairs: list[tuple[int, int]]) -> None:
    with FakeEdge() as edge:
        edge.add("/", BODY)
        reply = ask(edge, "/", "Range: bytes=" + ",".join(f"{start}-{stop}" for start, stop in pairs))
        assert reply.status in (200, 206, 416)
        if reply.status == 206 and "content-range" in reply.fields:
            start, stop = re.fullmatch(r"bytes (\d+)-(\d+)/1024", reply.fields["content-range"]).groups()  # type: ignore[union-attr]
            assert reply.body == BODY[int(start) : int(stop) + 1]
