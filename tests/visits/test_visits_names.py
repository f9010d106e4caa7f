"""What strangers send becomes a short, printable name, and only so many of them."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.errors import Forbidden, InvalidInput
from fazt.store.visits import OTHERS
from fazt.visits.allowances import Allowances
from fazt.visits.beacon import Told, check_same_host, read_beacon
from fazt.visits.countries import country_of, open_countries
from fazt.visits.names import LONGEST_NAME, MOST_OF_A_KIND, MOST_WAITING, Names, clean, page_name, referrer_host


@given(st.text())
def test_names_are_short_and_printable(text: str) -> None:
    for name in (clean(text), page_name(text), referrer_host(text), referrer_host(f"https://{text}")):
        assert name.isprintable()
        assert len(name) <= LONGEST_NAME
    assert page_name(text).startswith("/")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "/"),
        ("/a%20b/%C3%A9", "/a b/é"),
        ("/%00%1b[2J", "/[2J"),
        ("/%ff", "/\ufffd"),
        ("/%E2%80%AEfdp", "/fdp"),
        ("*", "/*"),
    ],
)
def test_pages(path: str, name: str) -> None:
    assert page_name(path) == name


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        ("https://News.Example/path?query", "news.example"),
        ("http://news.example:8080", "news.example"),
        ("https://user:password@news.example/", "news.example"),
        ("android-app://org.example/", ""),
        ("about:client", ""),
        ("https:///path", ""),
        ("https://<script>/", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_referrers(referrer: str, host: str) -> None:
    assert referrer_host(referrer) == host


def test_a_bounded_number_of_names_waits() -> None:
    names = Names()
    kinds = [("blog", day, "page") for day in range(50)]
    for number in range(1000):
        for kind in kinds:
            names.add(kind, f"/{number}", 1.0)
    taken = names.take()
    assert sum(len(counts) for counts in taken.values()) <= MOST_WAITING + len(kinds)
    assert max(len(counts) for counts in taken.values()) <= MOST_OF_A_KIND + 1
    assert all(sum(counts.values()) == 1000 for counts in taken.values())
    assert taken[kinds[0]][OTHERS] > 0
    assert names.take() == {}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"view": "/a?b#c"}', Told(path="/a")),
        (b'{"view": "/a", "referrer": "https://x.example/"}', Told(path="/a", referrer="https://x.example/")),
        (b'{"event": "signup"}', Told(event="signup")),
    ],
)
def test_beacons(body: bytes, told: Told) -> None:
    assert read_beacon(body) == told


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"view": ""}',
        b'{"view": "https://x.example/"}',
        b'{"view": "/a", "event": "b"}',
        b'{"event": 1}',
        b'{"event": null}',
        b'{"view": "/a", "more": 1}',
        b'{"event": "%s"}' % (b"x" * 3000),
        b"\xff",
        b"[" * 2000,
    ],
)
def test_beacons_that_tell_nothing(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_beacon(body)


@given(st.binary(max_size=300))
def test_any_bytes_may_be_a_beacon(body: bytes) -> None:
    with suppress(InvalidInput):
        assert read_beacon(body)


@pytest.mark.parametrize(
    ("origin", "fetch_site", "passes"),
    [
        ("", "", True),
        ("https://blog.example", "same-origin", True),
        ("http://BLOG.example:80", "", True),
        ("https://evil.example", "", False),
        ("null", "", False),
        ("https://[", "", False),
        ("", "cross-site", False),
        ("", "same-site", False),
        ("https://blog.example", "none", False),
    ],
)
def test_only_pages_of_the_same_host(origin: str, fetch_site: str, passes: bool) -> None:
    if passes:
        check_same_host("blog.example", origin, fetch_site)
    else:
        with pytest.raises(Forbidden):
            check_same_host("blog.example", origin, fetch_site)


def test_an_address_may_ask_so_often() -> None:
    now = 0.0
    allowances = Allowances(a_second=2, at_once=3, most=2, now=lambda: now)
    assert [allowances.take("a") for _ in range(5)] == [True, True, True, False, False]
    assert allowances.take("b")
    now = 1.0
    assert [allowances.take("a") for _ in range(3)] == [True, True, False]
    assert allowances.take("c")  # now "b" is forgotten, which was not seen for longest
    assert len(allowances._left) == 2
    assert not allowances.take("a")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"country": {"iso_code": "DE"}}, "DE"),
        ({"registered_country": {"iso_code": "at"}}, "AT"),
        ({"country": {"iso_code": "<b>"}}, ""),
        ({"country": "DE"}, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_countries(entry: object, code: str) -> None:
    assert country_of(entry) == code


def test_a_database_that_is_none_is_told(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path_factory.mktemp("countries") / "countries.mmdb"
    assert open_countries(str(path))("192.0.2.1") == ""
    path.write_bytes(b"no database")
    assert open_countries(str(path))("192.0.2.1") == ""
    assert len(caplog.records) == 2
    assert open_countries("")("192.0.2.1") == ""
    assert len(caplog.records) == 2


class Number(NamedTuple):
    type: int  # 5: 16 bits, 6: 32 bits, 9: 64 bits
    value: int


def written(value: object) -> bytes:
    """Return a value as MaxMind DB 2.0 writes it, as far as the tests need it."""
    if isinstance(value, dict):
        return bytes((7 << 5 | len(value),)) + b"".join(written(key) + written(inner) for key, inner in value.items())
    if isinstance(value, str):
        return bytes((2 << 5 | len(value),)) + value.encode()
    if isinstance(value, list):
        return bytes((len(value), 11 - 7)) + b"".join(map(written, value))
    assert isinstance(value, Number)
    size = {5: 2, 6: 4, 9: 8}[value.type]
    control = bytes((value.type << 5 | size,)) if value.type < 8 else bytes((size, value.type - 7))
    return control + value.value.to_bytes(size, "big")


def test_a_database_of_one_country(tmp_path: Path) -> None:
    about = {
        "node_count": Number(6, 1),
        "record_size": Number(5, 24),
        "ip_version": Number(5, 4),
        "database_type": "Test",
        "languages": [],
        "binary_format_major_version": Number(5, 2),
        "binary_format_minor_version": Number(5, 0),
        "build_epoch": Number(9, 1),
        "description": {},
    }
    entry = (1 + 16).to_bytes(3, "big")  # of the data section's first byte
    data = written({"country": {"iso_code": "DE"}})
    path = tmp_path / "countries.mmdb"
    path.write_bytes(entry + entry + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + written(about))
    find = open_countries(str(path))
    assert find("192.0.2.1") == find("203.0.113.9") == "DE"
    assert find("2001:db8::1") == find("local") == find("") == ""
