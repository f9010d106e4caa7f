"""A request and a page -> the bytes to be sent: method, coding, conditions, ranges (RFC 9110 9, 12, 13, 14).

Rule: a pure function of the request and the page; it sends nothing and reads no body from anywhere.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from fazt._speedups.pages import Clock, Page
from fazt.edge.bodies import Source
from fazt.edge.conditions import evaluate, parse_ranges, range_applies
from fazt.edge.encodings import IDENTITY, preferences
from fazt.edge.request import Head

Piece = bytes | tuple[int, int]  # bytes as they are, or (offset, length) of the source
CLOSE = b"Connection: close\r\n"
ALLOW = (b"Allow", b"GET, HEAD")


@dataclass(slots=True)
class Answer:
    """What is sent: `data` first, then the pieces."""

    status: int
    data: bytes
    body_bytes: int
    pieces: Sequence[Piece] = ()
    source: Source | None = None


def status_line(status: int) -> bytes:
    """Return the status line of an answer."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())


def make_head(status: int, fields: Sequence[tuple[bytes, bytes]], clock: Clock, *, close: bool) -> bytes:
    """Return a head with its blank line; Date comes first, as in the heads of pages."""
    lines = [status_line(status), b"Date: ", clock.date, b"\r\n"]
    lines += [b"%s: %s\r\n" % field for field in fields]
    if close:
        lines.append(CLOSE)
    lines.append(b"\r\n")
    return b"".join(lines)


def error_answer(
    status: int,
    code: str,
    message: str,
    clock: Clock,
    *,
    close: bool,
    bodyless: bool = False,
    fields: Sequence[tuple[bytes, bytes]] = (),
) -> Answer:
    """Return an error as every error of the API looks; without its body as the answer to HEAD."""
    body = orjson.dumps({"error": {"code": code, "message": message}})
    all_fields = [
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Cache-Control", b"no-store"),
        (b"X-Content-Type-Options", b"nosniff"),
        *fields,
    ]
    head = make_head(status, all_fields, clock, close=close)
    return Answer(status, head if bodyless else head + body, 0 if bodyless else len(body))


def choose(page: Page, accept_encoding: bytes | None) -> int:
    """Return the index of the variant to send (RFC 9110 12.5.3)."""
    if not page.available:
        return 0
    text = None if accept_encoding is None else accept_encoding.decode("latin-1")
    for mask in preferences(text):
        if mask == IDENTITY:
            return 0
        if mask & page.available:
            return page.choose(mask)
    return 0


def answer(page: Page, head: Head, clock: Clock, *, close: bool) -> Answer:
    """Return the answer to a request for a page."""
    bodyless = head.method == b"HEAD"
    if head.method != b"GET" and not bodyless:
        message = f"{head.method.decode('latin-1')} is not possible here; GET and HEAD are."
        return error_answer(405, "method_not_allowed", message, clock, close=close, fields=[ALLOW])
    values = head.first()
    index = choose(page, values.get(b"accept-encoding"))
    if page.status == 200:
        status = evaluate(values, page.etag(index), page.last_modified)
        if status == 304:
            return Answer(304, _closing(page.not_modified(index, clock), 0, close=close), 0)
        if status == 412:
            text = "The page is not the one that the condition names."
            return error_answer(412, "precondition_failed", text, clock, close=close, bodyless=bodyless)
        wanted = values.get(b"range")
        applies = range_applies(values.get(b"if-range"), page.etag(index), page.last_modified)
        if wanted is not None and not bodyless and applies:
            ranges = parse_ranges(wanted, page.length(index))
            if ranges is not None:
                return _partial(page, index, ranges, clock, close=close)
    if bodyless:
        return Answer(page.status, _closing(page.head(index, clock), 0, close=close), 0)
    return _whole(page, index, clock, close=close)


def _closing(data: bytes, body_length: int, *, close: bool) -> bytes:
    """Put `Connection: close` at the end of the head where the connection ends with this answer."""
    if not close:
        return data
    blank = len(data) - body_length - 2
    return b"".join((data[:blank], CLOSE, data[blank:]))


def _whole(page: Page, index: int, clock: Clock, *, close: bool) -> Answer:
    length, source = page.length(index), page.source(index)
    if source is None:
        return Answer(page.status, _closing(page.response(index, clock), length, close=close), length)
    head = _closing(page.head(index, clock), 0, close=close)
    return Answer(page.status, head, length, ((0, length),) if length else (), source)


def _partial(page: Page, index: int, ranges: list[tuple[int, int]], clock: Clock, *, close: bool) -> Answer:
    """Return 206 with one part or several, or 416 (RFC 9110 15.3.7 and 15.5.17)."""
    total = page.length(index)
    if not ranges:
        span = (b"Content-Range", b"bytes */%d" % total)
        text = f"The page has {total} bytes; none of those that were asked for exists."
        return error_answer(416, "range_not_satisfiable", text, clock, close=close, fields=[span])
    fields = [field for field in page.fields(index) if field[0].lower() not in (b"content-length", b"content-type")]
    kind = next((value for name, value in page.fields(index) if name.lower() == b"content-type"), b"")
    pieces: list[Piece]
    if len(ranges) == 1:
        offset, length = ranges[0]
        fields = [(b"Content-Type", kind), *fields, (b"Content-Range", _span(offset, length, total))]
        pieces = [(offset, length)]
    else:
        boundary = secrets.token_hex(16).encode()
        fields = [(b"Content-Type", b"multipart/byteranges; boundary=" + boundary), *fields]
        pieces = _parts(ranges, boundary, kind, total)
    size = sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in pieces)
    head = make_head(206, [*fields, (b"Content-Length", b"%d" % size)], clock, close=close)
    body = page.body(index)
    if body is None:
        return Answer(206, head, size, pieces, page.source(index))
    data = [piece if isinstance(piece, bytes) else body[piece[0] : piece[0] + piece[1]] for piece in pieces]
    return Answer(206, b"".join((head, *data)), size)


def _span(offset: int, length: int, total: int) -> bytes:
    return b"bytes %d-%d/%d" % (offset, offset + length - 1, total)


def _parts(ranges: list[tuple[int, int]], boundary: bytes, kind: bytes, total: int) -> list[Piece]:
    """Return the pieces of a multipart/byteranges body (RFC 9110 14.6)."""
    pieces: list[Piece] = []
    for offset, length in ranges:
        head = b"\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n"
        pieces += [head % (boundary, kind, _span(offset, length, total)), (offset, length)]
    return [*pieces, b"\r\n--%s--\r\n" % boundary]
