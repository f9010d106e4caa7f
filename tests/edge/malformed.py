"""Requests that are malformed, ambiguous or too large, each with the section that decides it.

A case is (name, section, bytes, status). Status None: closed without an answer. After every one of them the connection
ends, and nothing behind it is answered. Sections are of RFC 9112 where nothing else is said.
"""

from typing import NamedTuple

from fake_edge import HOST

H = f"Host: {HOST}\r\n"


class Case(NamedTuple):
    """One request that is not answered as it was meant."""

    name: str
    section: str
    data: bytes
    status: int | None


def line(text: str, name: str = "", section: str = "3", status: int = 400) -> Case:
    """A broken request line."""
    return Case(name or repr(text), section, f"{text}\r\n{H}\r\n".encode("latin-1"), status)


def field(text: str, name: str = "", section: str = "5.1", status: int = 400) -> Case:
    """A broken field behind a good Host."""
    return Case(name or repr(text), section, f"GET / HTTP/1.1\r\n{H}{text}\r\n\r\n".encode("latin-1"), status)


def host(text: str, section: str = "3.2") -> Case:
    """A broken Host."""
    return Case(f"Host {text!r}", section, f"GET / HTTP/1.1\r\nHost: {text}\r\n\r\n".encode("latin-1"), 400)


def body(fields: str, content: bytes, name: str, section: str, status: int = 400) -> Case:
    """A broken body that the application reads."""
    return Case(name, section, f"POST /api/read HTTP/1.1\r\n{H}{fields}\r\n\r\n".encode() + content, status)


def chunked(content: bytes, name: str = "", section: str = "7.1", status: int = 400) -> Case:
    """A broken chunked body."""
    return body("Transfer-Encoding: chunked", content, name or f"chunk {content!r}", section, status)


REQUEST_LINES = [
    line(" GET / HTTP/1.1"),
    line("\tGET / HTTP/1.1"),
    line("GET\t/ HTTP/1.1"),
    line("GET /\tHTTP/1.1"),
    line("GET / HTTP/1.1 "),
    line("GET / HTTP/1.1 x"),
    line("GET /a b HTTP/1.1"),
    line("GET HTTP/1.1"),
    line("GET  HTTP/1.1"),
    line("/ HTTP/1.1"),
    line("GET"),
    line("GET "),
    line("get / HTTP/1.1"),
    line("GeT / HTTP/1.1"),
    line("FOO / HTTP/1.1"),
    line("G\x00ET / HTTP/1.1"),
    line("GET\x00/ HTTP/1.1"),
    line("G(T / HTTP/1.1"),
    line("GET: / HTTP/1.1"),
    line("GÄT / HTTP/1.1"),
    line("GET / http/1.1", section="2.3"),
    line("GET / HTTP 1.1", section="2.3"),
    line("GET / HTTP/1", section="2.3"),
    line("GET / HTTP/1.", section="2.3"),
    line("GET / HTTP/.1", section="2.3"),
    line("GET / HTTP/11", section="2.3"),
    line("GET / HTTP/1.10", section="2.3"),
    line("GET / HTTP/01.1", section="2.3"),
    line("GET / HTTP/1.x", section="2.3"),
    line("GET / HTTP/-1.1", section="2.3"),
    line("GET / HTTP/1,1", section="2.3"),
    line("GET / HTTPS/1.1", section="2.3"),
    line("GET / ICY/1.1", section="2.3"),
    line("GET / H\x00TTP/1.1", section="2.3"),
    line("GET / HTTP/1.2", section="2.3"),
    line("GET / HTTP/0.9", section="2.3", status=505),
    line("GET / HTTP/2.0", section="2.3", status=505),
    line("GET / HTTP/3.0", section="2.3"),
    Case("HTTP/0.9", "2.3", b"GET /\r\n\r\n", 505),
    Case("HTTP/2 preface", "2.3", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    Case("TLS ClientHello", "2.3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    Case("PROXY line", "2.3", b"PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n" + f"GET / HTTP/1.1\r\n{H}\r\n".encode(), 400),
    Case("PROXY v2", "2.3", b"\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c", 400),
    Case("an answer", "2.1", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    Case("bare LF", "2.2", f"GET / HTTP/1.1\nHost: {HOST}\n\n".encode(), 400),
    Case("bare LF after the line", "2.2", f"GET / HTTP/1.1\n{H}\r\n".encode(), 400),
    Case("bare LF at the end", "2.2", f"GET / HTTP/1.1\r\n{H}\n".encode(), 400),
    Case("bare CR after the line", "2.2", f"GET / HTTP/1.1\r{H}\r\n".encode(), 400),
    Case("CR CR LF", "2.2", f"GET / HTTP/1.1\r\r\n{H}\r\n".encode(), 400),
    Case("white space before the first field", "2.2", f"GET / HTTP/1.1\r\n {H}\r\n".encode(), 400),
]

TARGETS = [
    line("GET /\x00 HTTP/1.1", section="3.2"),
    line("GET /\x01 HTTP/1.1", section="3.2"),
    line("GET /\x7f HTTP/1.1", section="3.2"),
    line("GET /\x0b HTTP/1.1", section="3.2"),
    line("GET /ä HTTP/1.1", section="3.2"),
    line("GET /\xff HTTP/1.1", section="3.2"),
    line("GET /?\xe9 HTTP/1.1", section="3.2"),
    line("GET /#fragment HTTP/1.1", section="3.2"),
    line("GET /?q#fragment HTTP/1.1", section="3.2"),
    line("GET #x HTTP/1.1", section="3.2"),
    line("GET index.html HTTP/1.1", section="3.2.1"),
    line("GET ?q HTTP/1.1", section="3.2.1"),
    line("GET ../x HTTP/1.1", section="3.2.1"),
    line("GET \\x HTTP/1.1", section="3.2.1"),
    line("GET http: HTTP/1.1", section="3.2.2"),
    line("GET http:/x HTTP/1.1", section="3.2.2"),
    line("GET http:// HTTP/1.1", section="3.2.2"),
    line("GET http:///x HTTP/1.1", section="3.2.2"),
    line("GET http://a@b.example/ HTTP/1.1", section="RFC 9110 4.2.4"),
    line("GET http://a:b@c.example/ HTTP/1.1", section="RFC 9110 4.2.4"),
    line("GET http://b.example:x/ HTTP/1.1", section="3.2.2"),
    line("GET http://b.example:99999/ HTTP/1.1", section="3.2.2"),
    line("GET http://b%2eexample/ HTTP/1.1", section="3.2.2"),
    line("GET http://b.example#x HTTP/1.1", section="3.2.2"),
    line("GET ftp://b.example/ HTTP/1.1", section="3.2.2"),
    line("GET file:///etc/passwd HTTP/1.1", section="3.2.2"),
    line("GET javascript:alert(1) HTTP/1.1", section="3.2.2"),
    line(f"GET {HOST}:80 HTTP/1.1", section="3.2.3"),
    line(f"CONNECT {HOST}:443 HTTP/1.1", section="3.2.3", status=501),
    line("CONNECT / HTTP/1.1", section="3.2.3", status=501),
    line("GET * HTTP/1.1", section="3.2.4"),
    line("POST * HTTP/1.1", section="3.2.4"),
    line("OPTIONS *x HTTP/1.1", section="3.2.4"),
]

HOSTS = [
    Case("no Host", "3.2", b"GET / HTTP/1.1\r\n\r\n", 400),
    Case("no Host, another field", "3.2", b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", 400),
    Case("no Host in HTTP/1.0", "3.2", b"GET / HTTP/1.0\r\n\r\n", 400),
    Case("no Host, absolute-form", "3.2", f"GET http://{HOST}/ HTTP/1.1\r\n\r\n".encode(), 400),
    Case("two Hosts", "3.2", f"GET / HTTP/1.1\r\n{H}Host: evil.example\r\n\r\n".encode(), 400),
    Case("twice the same Host", "3.2", f"GET / HTTP/1.1\r\n{H}{H}\r\n".encode(), 400),
    Case("two Hosts, two spellings", "3.2", f"GET / HTTP/1.1\r\n{H}hOST: {HOST}\r\n\r\n".encode(), 400),
    Case("bad Host, absolute-form", "3.2", f"GET http://{HOST}/ HTTP/1.1\r\nHost: a b\r\n\r\n".encode(), 400),
    host(""),
    host(" "),
    host("a b"),
    host("a,b.example"),
    host("a.example, b.example"),
    host("a.example b.example"),
    host("user@a.example", "RFC 9110 4.2.4"),
    host("http://a.example"),
    host("a.example/"),
    host("a.example/x"),
    host("a.example?x"),
    host("a.example#x"),
    host("a.example:"),
    host("a.example:x"),
    host("a.example:-1"),
    host("a.example:65536"),
    host("a.example:80:80"),
    host("a.example:0x50"),
    host(":80"),
    host("a..example"),
    host(".example"),
    host("..."),
    host("a%2eexample"),
    host("a\\example"),
    host("a;example"),
    host("a'example"),
    host('a"example'),
    host("a<b>"),
    host("ä.example"),
    host("[::1"),
    host("::1"),
    host("[::1]x"),
    host("[::1]:x"),
    host("[gg::1]"),
    host("[v1.a]"),
    host("[]"),
    host("-a.example"),
    host("a-.example"),
    host("a" * 64 + ".example"),
    host(".".join(["a" * 60] * 5)),
    host("a.example\x0bx"),
]

FIELDS = [
    field("Name"),
    field("Name x"),
    field(": x"),
    field(" : x"),
    field("Na me: x"),
    field("Name : x"),
    field("Name\t: x"),
    field("Content-Length : 0"),
    field("Na\x00me: x"),
    field("Na\x7fme: x"),
    field("N(me: x"),
    field("N@me: x"),
    field("N[me: x"),
    field('N"me: x'),
    field("N/me: x"),
    field("Näme: x"),
    field("\x01: x"),
    field("X: a\x00b", section="RFC 9110 5.5"),
    field("X: a\x01b", section="RFC 9110 5.5"),
    field("X: a\x08b", section="RFC 9110 5.5"),
    field("X: a\x1bb", section="RFC 9110 5.5"),
    field("X: a\x7fb", section="RFC 9110 5.5"),
    field("X: a\rb", section="RFC 9110 5.5"),
    field("X: a\nb", section="RFC 9110 5.5"),
    field("X: a\nHost: evil.example", section="2.2"),
    field("X: a\rHost: evil.example", section="2.2"),
    field("X: a\r\n b", section="5.2"),
    field("X: a\r\n\tb", section="5.2"),
    field("X: a\r\n ", section="5.2"),
    field("X:\r\n a", section="5.2"),
    field("Range: bytes=0-1\r\nRange: bytes=2-3", section="RFC 9110 5.3"),
    field('If-Range: "a"\r\nIf-Range: "b"', section="RFC 9110 5.3"),
    field("Content-Type: a/b\r\nContent-Type: c/d", section="RFC 9110 5.3"),
    field("Expect: 200-ok", section="RFC 9110 10.1.1", status=417),
    field("Expect: 100-continue, x", section="RFC 9110 10.1.1", status=417),
    field("Expect:", section="RFC 9110 10.1.1", status=417),
    field("Expect: 100-continue\r\nExpect: 100-continue", section="RFC 9110 5.3"),
]

LENGTHS = [
    *(
        body(f"Content-Length: {value}", b"abc", f"Content-Length {value!r}", "6.3")
        for value in (
            *(
                "-1",
                "+3",
                "3a",
                "0x3",
                "3.0",
                "3,3",
                "3, 3",
                "3;3",
                "3 3",
                "three",
                "1e1",
                "٣",
                "'3'",
                "18446744073709551616",
            ),
            *("9999999999999999999", "3 0", "\x0b3"),
        )
    ),
    body("Content-Length:", b"abc", "empty Content-Length", "6.3"),
    body("Content-Length: 3\r\nContent-Length: 3", b"abc", "twice the same length", "6.3"),
    body("Content-Length: 3\r\nContent-Length: 4", b"abc", "two lengths", "6.3"),
    body("Content-Length: 0\r\nContent-Length: 3", b"abc", "two lengths, one 0", "6.3"),
    body("Content-Length: 3\r\nContent-Length:", b"abc", "two lengths, one empty", "6.3"),
    body("Content-Length: 3\r\ncontent-length: 4", b"abc", "two lengths, two spellings", "6.3"),
    body("Content-Length: 3\r\nTransfer-Encoding: chunked", b"0\r\n\r\n", "length and chunked", "6.3"),
    body("Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n", "chunked and length", "6.3"),
    body("Transfer-Encoding: chunked\r\nContent-Length: 0", b"0\r\n\r\n", "chunked and length 0", "6.3"),
    body("Content-Length: 999999", b"", "a body that is too long", "RFC 9110 15.5.14", 413),
    body("Content-Length: 999999999999999999", b"", "a body that is much too long", "RFC 9110 15.5.14", 413),
]

TRANSFER_CODINGS = [
    *(
        body(f"Transfer-Encoding: {value}", b"0\r\n\r\n", f"Transfer-Encoding {value!r}", "6.1", status)
        for value, status in (
            ("gzip", 501),
            ("identity", 501),
            ("xchunked", 501),
            ("chunkedx", 501),
            ("chunked x", 501),
            ("chunked;q=1", 501),
            ("chunked, identity", 400),
            ("chunked, gzip", 400),
            ('"chunked"', 501),
            ("chun ked", 501),
            ("chunked\x0b", 400),
            ("gzip, chunked", 501),
            ("blegh, chunked", 501),
            ("identity, chunked", 501),
            ("chunked, chunked", 400),
            (", chunked", 501),
        )
    ),
    body("Transfer-Encoding:", b"0\r\n\r\n", "empty Transfer-Encoding", "6.1"),
    body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n", "chunked twice", "6.1"),
    body("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", b"0\r\n\r\n", "two codings", "6.1"),
    body("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"0\r\n\r\n", "chunked first", "6.1"),
    body("Transfer-Encoding : chunked", b"0\r\n\r\n", "space before the colon", "5.1"),
    body("Transfer-Encoding:\r\n chunked", b"0\r\n\r\n", "folded Transfer-Encoding", "5.2"),
    body("Transfer\x00-Encoding: chunked", b"0\r\n\r\n", "NUL in the name", "5.1"),
    Case(
        "chunked in HTTP/1.0",
        "6.1",
        f"POST /api/read HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        400,
    ),
]

CHUNKS = [
    chunked(b"x\r\n\r\n"),
    chunked(b"\r\n\r\n"),
    chunked(b"-1\r\nx\r\n"),
    chunked(b"+1\r\nx\r\n0\r\n\r\n"),
    chunked(b"0x1\r\nx\r\n0\r\n\r\n"),
    chunked(b" 1\r\nx\r\n0\r\n\r\n"),
    chunked(b"1 \r\nx\r\n0\r\n\r\n"),
    chunked(b"1\nx\r\n0\r\n\r\n"),
    chunked(b"1\rx\r\n0\r\n\r\n"),
    chunked(b"1\r\nx\n0\r\n\r\n"),
    chunked(b"1\r\nxy\r\n0\r\n\r\n", "a chunk longer than it says"),
    chunked(b"2\r\nx\r\n0\r\n\r\n", "a chunk shorter than it says"),
    chunked(b"1\r\nx0\r\n\r\n", "no line end behind a chunk"),
    chunked(b"1\r\nx\r\r\n0\r\n\r\n"),
    chunked(b"FFFFFFFFFFFFFFFFF\r\n", "a chunk size that overflows"),
    chunked(b"fffffffffffffffff0\r\n", "a chunk size with 18 digits"),
    chunked(b"1;a\x00b\r\nx\r\n0\r\n\r\n", section="7.1.1"),
    chunked(b"1;a=\nb\r\nx\r\n0\r\n\r\n", section="7.1.1"),
    chunked(b'1;a="b\r\nx\r\n0\r\n\r\n', section="7.1.1"),
    chunked(b"1,a\r\nx\r\n0\r\n\r\n", section="7.1.1"),
    chunked(b"0\r\nBad Name: x\r\n\r\n", section="7.1.2"),
    chunked(b"0\r\nX: a\x00\r\n\r\n", section="7.1.2"),
    chunked(b"0\r\nX: a\r\n b\r\n\r\n", section="7.1.2"),
    chunked(b"0\r\nno colon\r\n\r\n", section="7.1.2"),
    chunked(b"0\n\n", section="7.1.2"),
    chunked(b"0\r\n\n", section="7.1.2"),
    chunked(b"0\r\n\rx", section="7.1.2"),
    chunked(b"1;" + b"e" * 40_000 + b"\r\nx\r\n0\r\n\r\n", "a chunk extension without end", "7.1.1"),
    chunked(b"1;e\r\nx\r\n" + b"1;eeeeeeeeeeeeeeee\r\nx\r\n" * 2_000, "many chunk extensions", "7.1.1"),
    chunked(b"0\r\n" + b"X: y\r\n" * 8_000, "a trailer without end", "7.1.2"),
    body("Connection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked", b"x\r\n\r\n", "bad chunk, upgrade", "7.1"),
    body("Connection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: x", b"0\r\n\r\n", "bad coding, upgrade", "6.1", 501),
    body("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: -1", b"", "bad length, upgrade", "6.3"),
    chunked(b"8001\r\n" + b"x" * 32_769, "a chunked body that is too long", "RFC 9110 15.5.14", 413),
]

SIZES = [
    line("GET /" + "a" * 9_000 + " HTTP/1.1", "a long target", "3", 414),
    line("GET /?" + "a" * 9_000 + " HTTP/1.1", "a long query", "3", 414),
    line("GET http://" + "a" * 9_000 + "/ HTTP/1.1", "a long host in the target", "3", 414),
    Case("a target without end", "3", b"GET /" + b"a" * 9_000, 414),
    field("X: " + "a" * 17_000, "a long value", "RFC 6585 5", 431),
    field("X" * 17_000 + ": a", "a long name", "RFC 6585 5", 431),
    field("\r\n".join(f"X{number}: a" for number in range(120)), "many fields", "RFC 6585 5", 431),
    field("\r\n".join("X: " + "a" * 1_000 for _ in range(20)), "a long head", "RFC 6585 5", 431),
    Case("a value without end", "RFC 6585 5", f"GET / HTTP/1.1\r\n{H}X: ".encode() + b"a" * 30_000, 431),
    Case("a name without end", "RFC 6585 5", f"GET / HTTP/1.1\r\n{H}".encode() + b"a" * 30_000, 431),
]

CASES = [*REQUEST_LINES, *TARGETS, *HOSTS, *FIELDS, *LENGTHS, *TRANSFER_CODINGS, *CHUNKS, *SIZES]
