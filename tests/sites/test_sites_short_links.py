"""What a slug may be, and where a short link may lead."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fazt.errors import InvalidInput
from fazt.sites.short_links import ALPHABET, RESERVED, check_slug, check_target, random_slug, slug_of

NASTY = st.text(st.one_of(st.characters(), st.sampled_from("/\\@:?#%.\r\n\t\0 ")), max_size=60)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTP://EXAMPLE.org:80/a/../b", "http://example.org/b"),
        ("https://bücher.example/ü?q=ä#ö", "https://xn--bcher-kva.example/%C3%BC?q=%C3%A4#%C3%B6"),
        ('https://example.org/"<>', "https://example.org/%22%3C%3E"),
        ("https://example.org/a%0d%0ab", "https://example.org/a%0d%0ab"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("http://192.168.1.2/", "http://192.168.1.2/"),
        ("https://@example.org/", "https://example.org/"),
    ],
)
def test_where_a_link_may_lead(text: str, target: str) -> None:
    assert check_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "/page",
        "//example.org/",
        "/\\example.org",
        "https:\\\\example.org",
        "https://example.org\\@evil.example/",
        "https://",
        "https://user@example.org/",
        "https://user:password@example.org/",
        "javascript:alert(1)",
        "JaVaScRiPt://example.org/%0aalert(1)",
        "data:text/html,x",
        "ftp://example.org/",
        "file:///etc/passwd",
        "mailto:a@example.org",
        "java\nscript:alert(1)",
        " https://example.org/",
        "https://example.org/ ",
        "https://example.org/a b",
        "https://example.org/\r\nSet-Cookie: a=b",
        "https://example.org/\x00",
        "https://example.org/\x85",
        "https://exa\tmple.org/",
        "https://example.org/" + "x" * 5000,
        "https://example.org/" + "ü" * 1000,
        "https://exa mple.org/",
        "https://256.256.256.256/",
    ],
)
def test_where_no_link_leads(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_target(text)


@given(st.one_of(NASTY, NASTY.map(lambda text: f"https://example.org/{text}"), NASTY.map(lambda t: f"http:{t}")))
@example("https://example.org/\u2028")
@example("https://example.org/\ud800")
def test_what_is_let_through_can_stand_in_a_header_and_means_one_thing(text: str) -> None:
    try:
        target = check_target(text)
    except InvalidInput:
        return
    assert re.fullmatch(r"https?://[!-~]+", target)
    parts = urlsplit(target)
    assert parts.hostname
    assert parts.username is None
    assert parts.password is None
    assert check_target(target) == target


@pytest.mark.parametrize("slug", ["a", "0", "a-b", "a_b", "x" * 64, "talk-2026"])
def test_slugs(slug: str) -> None:
    assert check_slug(slug.upper()) == slug
    assert slug_of(b"/r/" + slug.upper().encode()) == slug


@pytest.mark.parametrize(
    "slug", ["", "-a", "a-", "_", "a b", "a/b", "ä", "a.b", "x" * 65, "a\n", "\u212a", *sorted(RESERVED)]
)
def test_what_is_no_slug(slug: str) -> None:
    with pytest.raises(InvalidInput):
        check_slug(slug)


@pytest.mark.parametrize(
    "path", [b"/r/", b"/r", b"/R/a", b"/r/a/", b"/r/a/b", b"/r/%61", b"/r//a", b"/r/a.b", b"/r/\xc3"]
)
def test_what_is_no_path_of_a_link(path: bytes) -> None:
    assert slug_of(path) is None


def test_random_slugs_can_be_read_aloud() -> None:
    for _ in range(100):
        slug = random_slug()
        assert check_slug(slug) == slug
        assert set(slug) <= set(ALPHABET)
    assert not set("01ilo") & set(ALPHABET)
