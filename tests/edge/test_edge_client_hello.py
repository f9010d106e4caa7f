"""ClientHellos: those of OpenSSL, made ones, cut ones, and bytes that are none."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openssl_hello import openssl_hello

from fazt.edge.client_hello import MAX_HELLO_BYTES, Hello, NotTls, read_hello

LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20)
HOST = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
PROTOCOLS = st.lists(st.binary(min_size=1, max_size=20), max_size=5).map(tuple)
OTHERS = st.lists(st.tuples(st.integers(17, 65535), st.binary(max_size=2000)), max_size=5)


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size) + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2) + vector(2, data)


def make_hello(name: bytes, protocols: tuple[bytes, ...], others: list[tuple[int, bytes]], piece: int) -> bytes:
    """Return a ClientHello in records of `piece` bytes."""
    extensions = b"".join(extension(*other) for other in others)
    if name:
        extensions += extension(0, vector(2, b"\0" + vector(2, name)))
    if protocols:
        extensions += extension(16, vector(2, b"".join(vector(1, each) for each in protocols)))
    body = b"\x03\x03" + bytes(32) + vector(1, bytes(32)) + vector(2, b"\x13\x01") + vector(1, b"\0")
    message = b"\x01" + vector(3, body + vector(2, extensions))
    pieces = [message[at : at + piece] for at in range(0, len(message), piece)]
    return b"".join(b"\x16\x03\x01" + vector(2, each) for each in pieces)


def test_hellos_of_openssl() -> None:
    assert read_hello(openssl_hello("blog.example.org")) == Hello("blog.example.org", ())
    found = read_hello(openssl_hello("Blog.Example.org", "h2", "http/1.1"))
    assert found == Hello("blog.example.org", (b"h2", b"http/1.1"))


@given(HOST, PROTOCOLS, OTHERS, st.integers(1, 16384))
def test_what_was_asked_is_read(
    host: str, protocols: tuple[bytes, ...], others: list[tuple[int, bytes]], piece: int
) -> None:
    data = make_hello(host.encode(), protocols, others, piece)
    assert read_hello(data + b"more") == Hello(host, protocols)


@given(HOST, st.integers(1, 300), st.data())
def test_the_rest_is_waited_for(host: str, piece: int, data: st.DataObject) -> None:
    whole = make_hello(host.encode(), (b"http/1.1",), [], piece)
    assert read_hello(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


@pytest.mark.parametrize("name", [b"", b"a b", b"a\0b", b"blog.example.org:443", b"\xff", b"-", b"a..b", b"[::1]:1"])
def test_a_name_that_no_host_has_is_none(name: bytes) -> None:
    assert read_hello(make_hello(name, (), [], 1000)) == Hello("", ())


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"\x16\x03\x01" + vector(2, b"\x01" + data)))
def test_any_bytes_are_a_hello_or_none(data: bytes) -> None:
    with contextlib.suppress(NotTls):
        read_hello(data)


@given(st.data())
def test_a_changed_byte_breaks_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(make_hello(b"blog.example.org", (b"http/1.1",), [(43, b"\x02\x03\x04")], 1000))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotTls):
        read_hello(bytes(whole))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"\x15",
        b"\x16\x02\x00\x00\x01\x01",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x01\x02",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        make_hello(b"", (), [(99, bytes(60_000))], 16384),
        b"\x16\x03\x01\x00\x01\x01" + b"\x16\x03\x01\x00\x01\x00" * MAX_HELLO_BYTES,
    ],
)
def test_what_is_no_hello_is_told_at_once(data: bytes) -> None:
    with pytest.raises(NotTls):
        read_hello(data)
