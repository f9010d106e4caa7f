"""The normaliser of hosts: one form for every spelling, None for everything in doubt."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt._speedups.hosts import normalise

LONG_LABEL = b"a" * 63
LONGEST = b".".join([LONG_LABEL, LONG_LABEL, LONG_LABEL, b"a" * 61])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"example.com", "example.com"),
        (b"EXAMPLE.Com", "example.com"),
        (b"example.com.", "example.com"),
        (b"example.com:80", "example.com"),
        (b"example.com.:80", "example.com"),
        (b"example.com:0", "example.com"),
        (b"example.com:00080", "example.com"),
        (b"example.com:65535", "example.com"),
        (b"localhost", "localhost"),
        (b"x", "x"),
        (b"_dmarc.example.com", "_dmarc.example.com"),
        (b"a--b.xn--bcher-kva.example", "a--b.xn--bcher-kva.example"),
        (b"127.0.0.1:8080", "127.0.0.1"),
        (b"123", "123"),
        (b"[::1]", "[::1]"),
        (b"[::1]:8080", "[::1]"),
        (b"[2001:DB8::A]", "[2001:db8::a]"),
        (b"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]"),
        (LONG_LABEL + b".example", LONG_LABEL.decode() + ".example"),
        (LONGEST, LONGEST.decode()),
        (LONGEST + b".", LONGEST.decode()),
    ],
)
def test_every_spelling_has_one_form(host: bytes, name: str) -> None:
    assert normalise(host) == name


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b".",
        b"..",
        b".example",
        b"example..com",
        b"example.com..",
        b"-example.com",
        b"example-.com",
        b"example.com-",
        b"example.com-.",
        b"example.-com",
        b"a" * 64,
        b"x." + b"a" * 64 + b".example",
        LONGEST + b"a",
        b"a." * 127 + b"b",
        b"example.com:",
        b"example.com:65536",
        b"example.com:000080",
        b"example.com:8a",
        b"example.com:-1",
        b"example.com:+80",
        b"example.com:80:80",
        b":80",
        b".:80",
        b"user@example.com",
        b"user:password@example.com",
        b"example%2ecom",
        b"exa mple.com",
        b" example.com",
        b"example.com ",
        b"example.com\t",
        b"example.com/",
        b"example.com?",
        b"example.com\\evil",
        b"example.com,other.com",
        b"exa*mple.com",
        b"b\xc3\xbccher.example",
        b"\xff",
        b"a\x00b",
        b"a\r\nb",
        b"[",
        b"[]",
        b"[:]",
        b"[::1",
        b"::1",
        b"[::1]x",
        b"[::1].",
        b"[::1]:",
        b"[::1]:65536",
        b"[::1]]",
        b"[[::1]]",
        b"[::g]",
        b"[::1%25eth0]",
        b"[1.2.3.4]",
        b"[v1.a:b:c]",
        b"[" + b"1:" * 30 + b"1]",
    ],
)
def test_what_is_in_doubt_is_refused(host: bytes) -> None:
    assert normalise(host) is None


@pytest.mark.parametrize("byte", range(256))
def test_bytes_of_a_name(byte: int) -> None:
    allowed = (string.ascii_letters + string.digits + "_-.").encode()
    assert (normalise(b"a%cb" % byte) is not None) == (byte in allowed)


LABELS = st.text("abcxyzABCXYZ019_-", min_size=1, max_size=63).filter(lambda label: label.strip("-") == label)


@given(
    st.lists(LABELS, min_size=1, max_size=5).filter(lambda labels: len(".".join(labels)) <= 253), st.integers(0, 65535)
)
@settings(deadline=None, max_examples=150)
def test_case_port_and_last_dot_do_not_matter(labels: list[str], port: int) -> None:
    name = ".".join(labels)
    spellings = [name, name.upper(), name.swapcase(), name + ".", f"{name}:{port}", f"{name.upper()}.:{port}"]
    assert {normalise(spelling.encode()) for spelling in spellings} == {name.lower()}


@given(st.one_of(st.binary(max_size=300), st.text("aA0-_.:[]@%", max_size=60).map(str.encode)))
@settings(deadline=None, max_examples=400)
def test_the_form_is_final_and_safe(host: bytes) -> None:
    name = normalise(host)
    if name is None:
        return
    assert normalise(name.encode()) == name
    assert name == name.lower()
    assert len(name) <= 253
    assert set(name) <= set(string.ascii_lowercase + string.digits + "_-.:[]")
    assert "[" in name or not set(name) & set(":[]")


@pytest.mark.parametrize("wrong", [None, "example.com", bytearray(b"example.com"), 1])
def test_only_bytes_are_taken(wrong: object) -> None:
    with pytest.raises(TypeError):
        normalise(wrong)  # type: ignore[arg-type]
