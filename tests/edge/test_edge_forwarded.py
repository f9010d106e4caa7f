"""Who asks, behind proxies: only those that are trusted are believed, and nobody else's inventions."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.edge.forwarded import client_of, is_trusted

PEER = "10.0.0.1"
TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def ask(*values: bytes) -> str:
    return client_of([(b"x-forwarded-for", value) for value in values], PEER, TRUSTED)


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ((), PEER),
        ((b"",), PEER),
        ((b"192.0.2.7",), "192.0.2.7"),
        ((b" 192.0.2.7 ",), "192.0.2.7"),
        ((b"1.1.1.1, 192.0.2.7",), "192.0.2.7"),
        ((b"1.1.1.1", b"192.0.2.7"), "192.0.2.7"),
        ((b"192.0.2.7, 10.0.0.2",), "192.0.2.7"),
        ((b"192.0.2.7", b"10.0.0.3,10.0.0.2"), "192.0.2.7"),
        ((b"10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ((b"192.0.2.7:1234",), "192.0.2.7"),
        ((b"[2001:db9::1]:1234",), "2001:db9::1"),
        ((b"2001:DB9:0::1",), "2001:db9::1"),
        ((b"192.0.2.7, 2001:db8::5",), "192.0.2.7"),
        ((b"::ffff:192.0.2.7",), "192.0.2.7"),
        ((b"192.0.2.7, ::ffff:10.1.1.1",), "192.0.2.7"),
        ((b"fe80::1%eth0",), "fe80::1"),
        ((b"1.1.1.1, unknown",), PEER),
        ((b"192.0.2.7, unknown, 10.0.0.2",), "10.0.0.2"),
        ((b"<script>",), PEER),
        ((b"192.0.2.7,",), PEER),
        ((b"1" * 9000,), PEER),
        ((b"\xff",), PEER),
    ],
)
def test_who_asks(values: tuple[bytes, ...], client: str) -> None:
    assert ask(*values) == client


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_comes_it_is_an_address(values: list[bytes]) -> None:
    client = ask(*values)
    assert client == PEER or is_trusted(client, (ip_network("0.0.0.0/0"), ip_network("::/0")))


@given(st.binary(max_size=60))
def test_what_a_client_invents_never_counts(invented: bytes) -> None:
    """The nearest proxy writes whom it saw behind whatever came."""
    assert ask(invented + b", 192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    ("address", "trusted"),
    [("10.9.9.9", True), ("::ffff:10.9.9.9", True), ("11.0.0.1", False), ("local", False), ("", False)],
)
def test_who_is_trusted(address: str, trusted: bool) -> None:
    assert is_trusted(address, TRUSTED) is trusted
    assert not is_trusted(address, ())
