"""Names of sites, domains and files: what passes, in which form, and what is refused with which words."""

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidName, InvalidPath
from fazt.sites.names import (
    RESERVED,
    check_domain_name,
    check_path,
    check_paths,
    check_site_name,
    is_private,
    is_under,
    shown,
)


def check_sentence(message: str) -> None:
    message.encode()
    assert message.isprintable()
    assert message.endswith(".")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("blog", "blog"),
        ("Blog", "blog"),
        ("a", "a"),
        ("0", "0"),
        ("404", "404"),
        ("root", "root"),
        ("my-site-2", "my-site-2"),
        ("bücher", "xn--bcher-kva"),
        ("BÜCHER", "xn--bcher-kva"),
        ("xn--bcher-kva", "xn--bcher-kva"),
        ("ｂｌｏｇ", "blog"),
        ("a" * 53, "a" * 53),
    ],
)
def test_site_names(name: str, form: str) -> None:
    assert check_site_name(name) == form
    assert check_site_name(form) == form


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "empty"),
        ("-a", "hyphen"),
        ("a-", "hyphen"),
        ("a.b", "a-z, 0-9"),
        ("a b", "a-z, 0-9"),
        ("a_b", "a-z, 0-9"),
        ("a/b", "a-z, 0-9"),
        ("a\n", "a-z, 0-9"),
        ("a\0", "a-z, 0-9"),
        ("a--b", "two hyphens"),
        ("abcd1234--blog", "two hyphens"),
        ("xn--a--b", "international"),
        ("xn--", "international"),
        ("xn--zzzzzz", "international"),
        ("xn--blog-", "international"),
        ("bücher--x", "two hyphens"),
        ("a" * 54, "at most 53"),
        ("ü" * 53, "53"),
        ("a" * 10_000, "too long"),
        ("💥", "international"),
        ("\udcff", "international"),
    ],
)
def test_site_names_refused(name: str, words: str) -> None:
    with pytest.raises(InvalidName, match=words):
        check_site_name(name)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_in_every_spelling(name: str) -> None:
    wide = "".join(chr(ord(c) - 0x20 + 0xFF00) for c in name)
    for spelling in (name, name.upper(), name.title(), wide):
        with pytest.raises(InvalidName, match="reserved"):
            check_site_name(spelling)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=70))
def test_a_site_name_is_a_label_or_refused(name: str) -> None:
    try:
        form = check_site_name(name)
    except InvalidName as error:
        check_sentence(error.message)
        return
    assert check_site_name(form) == form
    assert 0 < len(form) <= 53
    assert set(form) <= set(string.ascii_lowercase + string.digits + "-")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("example.com", "example.com"),
        ("WWW.Example.COM.", "www.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("a.b.c.d.e", "a.b.c.d.e"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("a--b.example", "a--b.example"),
        ("1.example", "1.example"),
    ],
)
def test_domain_names(name: str, form: str) -> None:
    assert check_domain_name(name) == form


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "empty"),
        (".", "empty"),
        ("example", "two parts"),
        ("*.example.com", "wildcard"),
        ("https://example.com/", "bare name"),
        ("me@example.com", "bare name"),
        ("example.com:80", "without a port"),
        ("127.0.0.1", "IP address"),
        ("127.0.0.1.", "IP address"),
        ("[::1]", "IP address"),
        ("::1", "IP address"),
        ("127.1", "number"),
        ("0x7f.0x1", "number"),
        ("１２７.０.０.１", "number"),
        ("a..b", "not a host name"),
        (".example.com", "not a host name"),
        ("-a.example", "not a host name"),
        ("a_b.example", "not a host name"),
        ("a b.example", "not a host name"),
        ("example.com\n", "not a host name"),
        ("a" * 64 + ".example", "not a host name"),
        (".".join(["a" * 60] * 5), "longer"),
    ],
)
def test_domain_names_refused(name: str, words: str) -> None:
    with pytest.raises(InvalidName, match=words):
        check_domain_name(name)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80) | st.from_regex(r"[a-zü.-]{1,30}\.[a-z0-9]{1,5}", fullmatch=True))
def test_a_domain_name_is_in_one_form_or_refused(name: str) -> None:
    try:
        form = check_domain_name(name)
    except InvalidName:
        return
    assert check_domain_name(form) == form
    assert form.isascii()


def test_is_under() -> None:
    assert is_under("example.com", "example.com")
    assert is_under("a.b.example.com", "example.com")
    assert not is_under("badexample.com", "example.com")
    assert not is_under("com", "example.com")


GOOD_PATHS = [
    "index.html",
    "a/b/c.txt",
    "api/notes/[id].js",
    "api/[...path].js",
    ".well-known/security.txt",
    "a name with spaces & signs+.txt",
    "ünïcödé.txt",
    "日本/語.html",
    "...a",
    "a..b",
    ".htaccess",
    "%2e%2e/x",
    "C",
    "x/" * 60 + "y",
    "a" * 255,
    "ü" * 127,
    "ab:c",
    "emoji 👩‍🚀.png",
]
BAD_PATHS = {
    "": "empty",
    "/": "slash at the beginning",
    "/etc/passwd": "slash at the beginning",
    "a//b": "empty part",
    "a/": "empty part",
    ".": r"'\.' as a part",
    "..": r"'\.\.' as a part",
    "a/../b": r"'\.\.' as a part",
    "a/./b": r"'\.' as a part",
    "../../etc/passwd": r"'\.\.' as a part",
    "a\\b": "backslash",
    "..\\x": "backslash",
    "a\0b": "control",
    "a\nb": "control",
    "a\x7f": "control",
    "a\x85": "control",
    "C:/x": "drive",
    "a:b": "drive",
    "c:x": "drive",
    " a": "space",
    "a ": "space",
    "a /b": "space",
    "a\u3000/b": "space",
    "a.": "dot",
    "a./b": "dot",
    "...": "dot",
    "a\udcffb": "UTF-8",
    "a" * 256: "255",
    "ü" * 128: "255",
    "a/" * 512 + "a": "1024",
}


@pytest.mark.parametrize("path", GOOD_PATHS)
def test_paths(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_refused(path: str) -> None:
    with pytest.raises(InvalidPath, match=BAD_PATHS[path]) as caught:
        check_path(path)
    assert caught.value.message.isprintable()


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.sampled_from("ab./\\:C \0\x1fü\ud800-_"), max_size=12) | st.text(max_size=300))
def test_a_path_that_passes_stays_inside(path: str) -> None:
    try:
        check_path(path)
    except InvalidPath as error:
        check_sentence(error.message)
        return
    path.encode()
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert "\\" not in path
    assert min(path) >= " "


@pytest.mark.parametrize(
    "paths",
    [["a", "a"], ["a", "a/b"], ["a/b/c", "x", "a/b"]],
)
def test_paths_that_cannot_be_together(paths: list[str]) -> None:
    for strict in (True, False):
        with pytest.raises(InvalidPath):
            check_paths(paths, strict=strict)


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (["Readme.md", "README.md"], ("Readme.md", "README.md")),
        (["caf\u00e9.txt", "cafe\u0301.txt"], ("caf\u00e9.txt", "cafe\u0301.txt")),
        (["CAFÉ/x", "cafe\u0301/x"], ("CAFÉ/x", "cafe\u0301/x")),
        (["straße", "STRASSE"], ("straße", "STRASSE")),
        (["a", "A/x"], ("'a'", "'A/x'")),
    ],
)
def test_colliding_paths(paths: list[str], named: tuple[str, str]) -> None:
    (warning,) = check_paths(paths, strict=False)
    assert all(name in warning for name in named)
    with pytest.raises(InvalidPath) as caught:
        check_paths(paths, strict=True)
    assert all(name in caught.value.message for name in named)


def test_paths_of_the_platform_are_warned_of() -> None:
    assert check_paths(["index.html", "api/a.js", "dbx/a"], strict=True) == []
    warnings = check_paths(["db/a", "db/b", "_fazt/c"], strict=True)
    assert len(warnings) == 2
    assert "'db/a'" in warnings[0]


def test_many_paths_are_checked_quickly() -> None:
    paths = [f"folder{number % 100}/sub/file-{number}.html" for number in range(20_000)]
    start = time.perf_counter()
    assert check_paths(paths, strict=True) == []
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("path", "private"),
    [
        ("fazt.json", True),
        ("FAZT.json", True),
        ("_redirects", True),
        ("_Headers", True),
        (".faztignore", True),
        ("api/a.js", True),
        ("API/a.js", True),
        ("api/deep/er.js", True),
        ("static-webapp/_redirects", True),
        ("static-webapp/fazt.json", True),
        ("api", False),
        ("api.html", False),
        ("docs/api/a.js", False),
        ("docs/fazt.json", False),
        ("docs/_redirects", False),
        ("fazt.json.txt", False),
        ("index.html", False),
    ],
)
def test_private_paths(path: str, private: bool) -> None:
    assert is_private(path) is private


def test_shown_is_fit_for_a_message() -> None:
    assert shown("a\x1b[31m\n\udcff") == r"'a\x1b[31m\n\udcff'"
    assert len(shown("a" * 1000)) < 250
