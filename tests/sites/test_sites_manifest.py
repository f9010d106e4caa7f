"""`fazt.json`: every key, and errors that name the line."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidRules
from fazt.sites import located_json
from fazt.sites.manifest import Manifest, parse_manifest


def parse(value: Any) -> Manifest:
    return parse_manifest(json.dumps(value).encode())


def test_every_key() -> None:
    manifest = parse_manifest(
        b"""\xef\xbb\xbf{
        "name": "Blog", "title": "My blog", "version": "1.2", "spa": true, "clean_urls": "redirect",
        "trailing_slash": "add",
        "headers": {"/*": {"X-A": "1", "X-B": " 2 "}},
        "redirects": [
          {"from": "/a", "to": "/b"},
          {"from": "/c/*", "to": "/d/:splat", "status": 302, "force": true, "query": {"x": ":x"}}
        ],
        "env": {"A": "1"}, "needs": {"net": ["example.org"]}, "cron": [], "mail": null, "collections": {},
        "limits": {"cpu_s": 0.5}
        }"""
    )
    assert (manifest.name, manifest.title, manifest.version) == ("blog", "My blog", "1.2")
    assert (manifest.spa, manifest.clean_urls, manifest.trailing_slash) == (True, "redirect", "add")
    (header,) = manifest.headers
    assert header.pattern == "/*"
    assert header.fields == (("X-A", "1"), ("X-B", "2"))
    assert header.where == "fazt.json:4"
    first, second = manifest.redirects
    assert (first.source, first.target, first.status, first.force, first.where) == (
        "/a",
        "/b",
        301,
        False,
        "fazt.json:6",
    )
    assert (second.status, second.force, second.conditions) == (302, True, (("x", ":x"),))
    assert manifest.rest == {
        "env": {"A": "1"},
        "needs": {"net": ["example.org"]},
        "cron": [],
        "mail": None,
        "collections": {},
        "limits": {"cpu_s": 0.5},
    }
    assert Manifest.from_json(orjson.loads(orjson.dumps(manifest.as_json()))) == manifest


def test_nothing_said() -> None:
    assert parse({}) == Manifest() == Manifest.from_json({})
    assert parse({"clean_urls": False}).clean_urls is False
    assert [rule.target for rule in parse({"redirects": {"/a": "/b", "/c": "/d"}}).redirects] == ["/b", "/d"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "ends where a value"),
        ("\n\n  ", 3, "ends where a value"),
        ("[]", 1, "object"),
        ('"x"', 1, "object"),
        ("{", 1, "double quotes"),
        ('{"spa": true,}', 1, "double quotes"),
        ('{\n"spa": true\n"name": "x"}', 3, "comma or }"),
        ('{"spa" true}', 1, "colon"),
        ("{'spa': true}", 1, "double quotes"),
        ("{spa: true}", 1, "double quotes"),
        ('{"spa": True}', 1, "value should stand"),
        ('{"limits": NaN}', 1, "value should stand"),
        ('{"limits": Infinity}', 1, "value should stand"),
        ('{"limits": 01}', 1, "value should stand|comma"),
        ('{"limits": 1.}', 1, "value should stand|comma"),
        ('{"limits": +1}', 1, "value should stand"),
        ('{"limits": 99999999999999999999999}', 1, "value should stand|comma"),
        ('{"limits": 1e999}', 1, "too large"),
        ('{"limits": -9999999999999999999}', 1, "value should stand|comma"),
        ('{"title": "a\nb"}', 1, "does not end on this line"),
        ('{"title": "a', 1, "does not end"),
        ('{"title": "\\x41"}', 1, "backslash"),
        ('{"title": "\\ud800"}', 1, "surrogate"),
        ('{"title": "x"} // why', 1, "behind the end"),
        ('{\n"title": "x",\n"title": "y"}', 3, "'title' is there twice"),
        ('{"limits": {"a": 1,\n "a": 2}}', 2, "'a' is there twice"),
        ('{"limits": ' + "[" * 100_000, 1, "nested"),
        ('{\n\n"spas": true}', 3, "'spas' is not known; did you mean 'spa'"),
        ('{"cleanUrls": true}', 1, "did you mean 'clean_urls'"),
        ('{"zzz": true}', 1, "known are name, title"),
        ('{\n"protect": "x"}', 2, "a rule must be an object"),
        ('{\n"name": "api"}', 2, "reserved"),
        ('{"name": "a b"}', 1, "a-z"),
        ('{"name": null}', 1, "name must be text"),
        ('{"title": 1}', 1, "title must be text"),
        ('{"version": 1.0}', 1, "version must be text"),
        ('{"spa": "yes"}', 1, "spa must be true or false"),
        ('{"spa": 1}', 1, "spa must be true or false"),
        ('{"clean_urls": "no"}', 1, 'clean_urls must be true, false or "redirect"'),
        ('{"trailing_slash": true}', 1, 'trailing_slash must be "add", "remove" or "keep"'),
        ('{"headers": []}', 1, "headers must be an object"),
        ('{"headers": {\n"/*": []}}', 2, "'/\\*' must have an object of headers"),
        ('{"headers": {\n"/*": {}}}', 2, "must have an object"),
        ('{"headers": {"/*": {\n\n"X-A": 1}}}', 3, "'X-A' must be text"),
        ('{"headers": {"/*": {\n"X-A": "a\\nb"}}}', 2, "ASCII"),
        ('{"headers": {"/*": {\n"Set-Cookie": "a"}}}', 2, "Set-Cookie cannot be set"),
        ('{"headers": {\n"x": {"X-A": "1"}}}', 2, "begin with a slash"),
        ('{"redirects": "x"}', 1, "redirects must be a list"),
        ('{"redirects": [\n"x"]}', 2, "must be an object"),
        ('{"redirects": [\n\n{"from": "/a"}]}', 3, "needs from and to"),
        (
            '{"redirects": [{"from": "/a", "to": "/b"},\n{"from": "/a", "to": "/b", "code": 1}]}',
            2,
            "'code' is not known",
        ),
        ('{"redirects": [{"from": "/a", "to": "/b", "status": "301"}]}', 1, "status must be a number"),
        ('{"redirects": [{"from": "/a", "to": "/b", "status": true}]}', 1, "status must be a number"),
        ('{"redirects": [{"from": "/a", "to": "/b", "force": 1}]}', 1, "force true or false"),
        ('{"redirects": [{"from": "/a", "to": "/b", "query": ["x"]}]}', 1, "query must be"),
        ('{"redirects": [\n{"from": "/a", "to": "/b", "status": 99}]}', 2, "status 99"),
        ('{"redirects": {\n"/a": "//b"}}', 2, "two slashes"),
        ('{"redirects": {"/a": 1}}', 1, "needs from and to"),
        ('{\n"rooms": []}', 2, "rooms must be an object"),
        ('{"rooms": {\n"a b": {}}}', 2, "'a b' is no name of rooms"),
        ('{"rooms": {"chat": {\n"join": "all"}}}', 2, "join must be"),
    ],
)
def test_what_is_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(InvalidRules, match=words) as caught:
        parse_manifest(text.encode())
    assert caught.value.message.startswith(f"fazt.json:{line}: ")
    assert caught.value.message.isprintable()


def test_bytes_that_are_not_text() -> None:
    with pytest.raises(InvalidRules, match=r"fazt\.json:2: the file is not valid UTF-8"):
        parse_manifest(b'{\n"title": "\xff"}')
    with pytest.raises(InvalidRules, match="larger than"):
        parse_manifest(b" " * (5 << 20))


def check_place(message: str) -> None:
    assert message.startswith("fazt.json:")
    assert message.isprintable()


def check_fault(fault: located_json.JsonFault, text: str, *words: str) -> None:
    assert 1 <= fault.line <= text.count("\n") + 1
    assert any(word in fault.message for word in words)


plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(plain_json, st.sampled_from([None, 2]), st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    try:
        assert located_json.parse(text).value == json.loads(text)
    except located_json.JsonFault as fault:
        check_fault(fault, text, "surrogate", "value should stand")  # a float may have many digits


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.sampled_from('{}[]",:\\ \n0123.eE-+truefalsn/u"'), max_size=25))
def test_what_the_standard_library_refuses_is_refused(text: str) -> None:
    try:
        value = located_json.parse(text).value
    except located_json.JsonFault as fault:
        check_fault(fault, text, "")
        return
    assert value == json.loads(text)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.sampled_from(["name", "spa", "headers", "redirects", "limits", "title"]), plain_json))
def test_any_object_is_refused_or_survives_json(value: dict[str, Any]) -> None:
    try:
        manifest = parse(value)
    except InvalidRules as error:
        check_place(error.message)
        return
    assert Manifest.from_json(orjson.loads(orjson.dumps(manifest.as_json()))) == manifest
