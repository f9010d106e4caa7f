"""Who may see which path: patterns against a naive model of spellings, and rules that cannot be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.errors import InvalidInput
from fazt.sites.protection import Rule, check_protect, covers, find_rule, from_json, refuse_input, to_json

SECRET = {"secret": "SITE_PASSWORD"}


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("/*", "/", True),
        ("/*", "/anything/at/all", True),
        ("/drafts/*", "/drafts", True),
        ("/drafts/*", "/drafts/", True),
        ("/drafts/*", "/drafts.html", True),
        ("/drafts/*", "/drafts/index.html", True),
        ("/drafts/*", "/drafts/one.html", True),
        ("/drafts/*", "/draftsmen", False),
        ("/drafts/*", "/Drafts/one", False),
        ("/drafts/*", "/", False),
        ("/plan", "/plan", True),
        ("/plan", "/plan/", True),
        ("/plan", "/plan.html", True),
        ("/plan", "/plan/index.html", True),
        ("/plan", "/plans", False),
        ("/plan", "/plan/more", False),
        ("/plan.html", "/plan", True),
        ("/", "/", True),
        ("/", "/index.html", True),
        ("/", "/other", False),
    ],
)
def test_what_a_pattern_is_about(pattern: str, path: str, covered: bool) -> None:
    assert covers(pattern, path) is covered


segments = st.lists(st.sampled_from(["a", "b", "ab", "index", "a.html"]), max_size=4)
endings = st.sampled_from(["", "/", ".html", "/index.html"])


@given(segments, segments, endings)
def test_no_spelling_of_a_page_below_a_folder_is_open(folder: list[str], rest: list[str], ending: str) -> None:
    pattern = "/" + "".join(f"{segment}/" for segment in folder) + "*"
    path = "/" + "/".join([*folder, *rest])
    assert covers(pattern, (path.rstrip("/") or "") + ending if path != "/" else path)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_can_be_compared(pattern: str, path: str) -> None:
    covers(pattern, path)


def test_the_first_rule_about_a_path_counts_and_previews_can_have_one_of_their_own() -> None:
    inner, outer, preview = (
        Rule(("/a/*",), users=True),
        Rule(("/*",), password="x"),
        Rule(("/*",), users=True, previews=True),
    )
    assert find_rule((inner, outer), "/a/b", preview=False) is inner
    assert find_rule((inner, outer), "/b", preview=False) is outer
    assert find_rule((preview,), "/b", preview=False) is None
    assert find_rule((preview,), "/b", preview=True) is preview


def test_addresses() -> None:
    rule = Rule(addresses=("192.0.2.0/24", "2001:db8::/32"))
    assert rule.lets_in("192.0.2.7")
    assert rule.lets_in("::ffff:192.0.2.7")
    assert rule.lets_in("2001:db8::1")
    for other in ("198.51.100.1", "", "x", "local", "192.0.2.7.evil"):
        assert not rule.lets_in(other)


def test_rules_are_kept_as_they_are_and_another_password_is_another_rule() -> None:
    rules = check_protect(
        [{"paths": ["/a/*"], "password": SECRET, "addresses": ["192.0.2.9/24"]}, {"users": True}], refuse_input
    )
    assert from_json(to_json(rules)) == rules
    assert rules[0].addresses == ("192.0.2.0/24",)
    assert Rule(password="one").fingerprint != Rule(password="two").fingerprint


@pytest.mark.parametrize(
    "value",
    [
        [],
        "x",
        {},
        {"paths": ["/*"]},
        {"users": False},
        {"users": "yes"},
        {"password": "plain"},
        {"password": {"secret": "a b"}},
        {"password": {"secret": 1}},
        {"password": {"secret": "A", "other": 1}},
        {"paths": [], "users": True},
        {"paths": ["drafts"], "users": True},
        {"paths": ["/a*b"], "users": True},
        {"paths": ["/a/../b"], "users": True},
        {"paths": ["//a"], "users": True},
        {"paths": [1], "users": True},
        {"addresses": ["everywhere"]},
        {"addresses": [1]},
        {"addresses": "192.0.2.1"},
        {"users": True, "other": 1},
        [{"users": True}] * 51,
    ],
)
def test_what_cannot_be_a_rule(value: Any) -> None:
    with pytest.raises(InvalidInput):
        check_protect(value, refuse_input)
