"""Passes of visitors: believed where they are signed, for their site and their time, and nowhere else."""

from hypothesis import given
from hypothesis import strategies as st

from fazt.auth import passes
from fazt.auth.passes import COOKIE, Pass

KEY, OTHER = b"k" * 32, b"o" * 32
MADE = Pass(7, ("abc", "users"), 1000)


def test_a_pass_holds_where_and_as_long_as_it_says() -> None:
    text = passes.sign(KEY, MADE)
    assert passes.read(KEY, text, 7, 999) == MADE
    assert passes.read(KEY, text, 7, 1000) is None
    assert passes.read(KEY, text, 8, 999) is None
    assert passes.read(OTHER, text, 7, 999) is None
    assert passes.read(KEY, text, 7, 999, "code") is None


@given(st.text(max_size=300))
def test_no_text_is_a_pass(text: str) -> None:
    assert passes.read(KEY, text, 7, 0) is None


@given(st.integers(0, 400), st.characters())
def test_a_changed_pass_is_none(at: int, character: str) -> None:
    text = passes.sign(KEY, MADE)
    at %= len(text)
    changed = text[:at] + character + text[at + 1 :]
    found = passes.read(KEY, changed, 7, 0)
    assert found is None or found == MADE  # the last character of base64 has bits that say nothing


def test_more_is_added_and_nothing_lasts_longer_for_it() -> None:
    more = passes.with_more(MADE, 7, ["new"], 5000)
    assert more.opens == ("new", "abc", "users")
    assert more.expires_at == 1000
    assert passes.with_more(None, 7, ["new"], 5000).expires_at == 5000


PIECES = st.sampled_from([COOKIE, f"{COOKIE}=", "=", ";", "; ", " ", "\t", "a", "other=b"])


@given(st.lists(st.text(max_size=60) | st.lists(PIECES, max_size=8).map("".join), max_size=4))
def test_any_cookie_field_can_be_read(fields: list[str]) -> None:
    found = passes.find(fields, COOKIE)
    assert found is None or f"{COOKIE}={found}" in ";".join(fields)


def test_two_cookies_are_none() -> None:
    assert passes.find([f"{COOKIE}=a"], COOKIE) == "a"
    assert passes.find([f"{COOKIE}=a; {COOKIE}=b"], COOKIE) is None
