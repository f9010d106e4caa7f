"""Which URLs and addresses may be reached, over generated spellings."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from fazt.errors import FetchRefused, InvalidInput
from fazt.outbound import addresses
from fazt.outbound.addresses import is_listed, parse_net_entry, parse_url, refusal

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
SPECIAL_V4 = st.sampled_from(addresses.REFUSED_V4).flatmap(
    lambda row: st.integers(int(row[0].network_address), int(row[0].broadcast_address)).map(IPv4Address)
)
SPECIAL_V6 = st.sampled_from(addresses.REFUSED_V6).flatmap(
    lambda row: st.integers(int(row[0].network_address), int(row[0].broadcast_address)).map(IPv6Address)
)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address) | st.integers(2**125, 2**126 - 1).map(IPv6Address)


@st.composite
def spelled(draw: st.DrawFn, address: IPv4Address) -> str:
    """Return one of the many ways in which browsers read an IPv4 address."""
    packed = address.packed
    kept = draw(st.integers(0, 3))  # parts written one by one; the last one takes all that is left
    values = [*packed[:kept], int.from_bytes(packed[kept:], "big")]
    parts = [draw(st.sampled_from(("{:d}", "0x{:x}", "0X{:X}", "0{:o}", "0x00{:x}"))).format(value) for value in values]
    text = "".join(
        draw(st.sampled_from((character, chr(ord(character) + 0xFEE0), f"%{ord(character):02X}")))
        for character in ".".join(parts)
    )
    return text + draw(st.sampled_from(("", ".", "。")))


@given(st.data(), V4 | SPECIAL_V4)
def test_every_spelling_of_an_ipv4_address_is_that_address(data: st.DataObject, address: IPv4Address) -> None:
    text = data.draw(spelled(address))
    target = parse_url(f"http://{text}/")
    assert target.host == str(address)
    assert target.address == address


@given(V4 | SPECIAL_V4)
def test_an_ipv4_address_that_is_let_through_is_global(address: IPv4Address) -> None:
    reason = refusal(str(address))
    if reason is None:
        assert address.is_global
        assert not address.is_multicast
    assert refusal(str(IPv6Address(0xFFFF_0000_0000 + int(address)))) == reason  # IPv4-mapped
    assert refusal(str(IPv6Address((0x64FF9B << 96) + int(address)))) == reason  # NAT64
    for prefix in (0, 0xFFFF << 48, 0x2002 << 112 | int(address) << 80):  # compatible, translated, 6to4
        assert refusal(str(IPv6Address(prefix + int(address)))) is not None


@given(SPECIAL_V4 | SPECIAL_V6)
def test_every_address_of_a_refused_network_is_refused(address: addresses.Address) -> None:
    assert refusal(str(address)) is not None


@given(V6)
def test_an_ipv6_address_that_is_let_through_is_global(address: IPv6Address) -> None:
    if refusal(str(address)) is None:
        assert address.is_global
        assert not address.is_multicast
        assert address in addresses.GLOBAL_V6 or address in addresses.NAT64 or address.ipv4_mapped


@pytest.mark.parametrize(
    "address",
    """
    1.1.1.1 93.184.215.14 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 169.253.255.255
    192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255
    2606:4700::1111 2001:4860:4860::8888 2a00:1450::1 ::ffff:1.1.1.1 64:ff9b::1.1.1.1
    """.split(),
)
def test_public_addresses_are_reached(address: str) -> None:
    assert refusal(address) is None


def test_an_address_of_this_machine_is_known_by_asking_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public address of the machine is a way around its firewall; loopback stands in for one here."""
    monkeypatch.setattr(addresses, "REFUSED_V4", ())
    assert refusal("127.0.0.1") == "an address of this machine"
    assert refusal("127.0.0.1", (ipaddress.ip_network("127.0.0.0/8"),)) is None


URL_PIECES = st.sampled_from(
    "http https file : / // \\ @ # ? % %2e %00 . .. [ ] ::1 127 0x7f 1 a test xn-- é １ 。 :80 :22 ß".split()
) | st.sampled_from(["\t", "\n", " ", "\x00", "\u200b", "\ud800"])
BASES = st.none() | st.sampled_from(["http://base.test/a/b?c#d", "https://[2606:4700::1]:8443/"])


@given(st.lists(URL_PIECES, max_size=12).map("".join) | st.text(max_size=60), st.booleans(), BASES)
def test_any_text_is_a_target_that_all_readers_agree_on_or_is_refused(
    text: str, prefixed: bool, base: str | None
) -> None:
    try:
        target = parse_url(f"http://{text}" if prefixed else text, base)
    except (FetchRefused, InvalidInput):
        return
    assert parse_url(target.url + target.fragment) == target
    url = URL.build(
        scheme=target.scheme, authority=target.authority, path=target.path, query_string=target.query, encoded=True
    )
    assert (url.raw_host, url.port, url.scheme) == target.origin[1:] + target.origin[:1]
    assert url.raw_user is None
    assert not set(url.raw_path_qs) & set("\r\n\0 \t")
    assert url.raw_path_qs.isascii()


@pytest.mark.parametrize(
    ("net", "host", "port", "listed"),
    [
        (("example.org",), "example.org", 443, True),
        (("Example.ORG.",), "example.org", 80, True),
        (("example.org:8443",), "example.org", 8443, True),
        (("example.org:8443",), "example.org", 443, False),
        (("*.example.org",), "a.b.example.org", 443, True),
        (("*.example.org",), "example.org", 443, False),
        (("*.example.org",), "badexample.org", 443, False),
        (("example.org",), "example.org.evil.test", 443, False),
        (("[2606:4700::1]:80",), "2606:4700::1", 80, True),
        (("*",), "anything.test", 1, True),
        (("*:443",), "anything.test", 80, False),
        ((), "example.org", 443, False),
    ],
)
def test_the_list_of_a_site(net: tuple[str, ...], host: str, port: int, listed: bool) -> None:
    assert is_listed(net, host, port) is listed


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "a.org\n",
        "a b",
        *"*. ** a..b -a.org user@a.org [::1 é.org *.*.org a.*.org".split(),
        *"http://a.org a.org/ a.org: a.org:0 a.org:65536 a.org:x".split(),
    ],
)
def test_entries_that_name_no_host(entry: str) -> None:
    with pytest.raises(InvalidInput):
        parse_net_entry(entry)
