"""`_headers`: the format, how rules add up, and what no rule may set."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidRules
from fazt.sites.headers import HeaderRule, HeaderTable, compile_headers


def table(text: str) -> HeaderTable:
    return HeaderTable.from_rules(compile_headers(text, "_headers"))


@pytest.mark.parametrize(
    ("text", "path", "values", "detached"),
    [
        ("", "/a", [], set()),
        ("# nothing\n", "/a", [], set()),
        ("/*\n  X-A: 1", "/", [("X-A", "1")], set()),
        ("/*\n  X-A: 1", "/a/b", [("X-A", "1")], set()),
        ("/a\n\tX-A:1 \r\n X-B : two words ", "/a", [("X-A", "1"), ("X-B", "two words")], set()),
        ("/a\nX-A: no indent", "/a", [("X-A", "no indent")], set()),
        ("/a\n  X-A: 1", "/a/", [("X-A", "1")], set()),
        ("/a\n  X-A: 1", "/b", [], set()),
        ("/a/*\n  X-A: 1", "/a/b/c", [("X-A", "1")], set()),
        ("/*.html\n  X-A: 1", "/a/b.html", [("X-A", "1")], set()),
        ("/*.html\n  X-A: 1", "/a/b.htm", [], set()),
        ("/u/:name/x\n  X-A: 1", "/u/me/x", [("X-A", "1")], set()),
        ("/u/:name/x\n  X-A: 1", "/u/x", [], set()),
        ("/a\n  Link: </s.css>; rel=preload", "/a", [("Link", "</s.css>; rel=preload")], set()),
        ("/a\n  X-A: a:b:c", "/a", [("X-A", "a:b:c")], set()),
        # adding up
        ("/*\n  X-A: 1\n/a\n  X-B: 2", "/a", [("X-A", "1"), ("X-B", "2")], set()),
        ("/*\n  X-A: 1\n/a\n  x-a: 2", "/a", [("x-a", "1, 2")], set()),
        ("/a\n  X-A: 2\n/*\n  X-A: 1", "/a", [("X-A", "2, 1")], set()),
        ("/a\n  Link: <a>\n  Link: <b>", "/a", [("Link", "<a>, <b>")], set()),
        (
            "/*\n  Cache-Control: no-store\n/a\n  Cache-Control: max-age=1",
            "/a",
            [("Cache-Control", "max-age=1")],
            set(),
        ),
        (
            "/*\n  X-Frame-Options: DENY\n/a\n  X-Frame-Options: SAMEORIGIN",
            "/a",
            [("X-Frame-Options", "SAMEORIGIN")],
            set(),
        ),
        # taking away
        ("/*\n  X-A: 1\n/a\n  ! X-A", "/a", [], {"x-a"}),
        ("/*\n  X-A: 1\n/a\n  !x-a\n  X-A: 2", "/a", [("X-A", "2")], {"x-a"}),
        ("/a\n  ! X-A\n/*\n  X-A: 1", "/a", [("X-A", "1")], {"x-a"}),
        ("/a\n  ! Cache-Control", "/a", [], {"cache-control"}),
    ],
)
def test_fields(text: str, path: str, values: list[tuple[str, str]], detached: set[str]) -> None:
    found = table(text).fields(path)
    assert list(found.values) == values
    assert found.detached == detached


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ("X-A: 1", 1, "must come before"),
        ("/a\n  X-A", 2, "neither a path nor a header"),
        ("/a\n  X-A:", 2, "no value"),
        ("/a\n  X A: 1", 2, "not the name"),
        ("/a\n  : 1", 2, "not the name"),
        ("/a\n  Ü: 1", 2, "not the name"),
        ("/a\n  X-A: ü", 2, "ASCII"),
        ("/a\n  X-A: a\x00b", 2, "ASCII"),
        ("/a\n  X-A: a\rb", 2, "ASCII"),
        ("/a\n  X-A: a\x7f", 2, "ASCII"),
        ("/a\n  !", 2, "not the name"),
        ("/a\n\n/b\n  X-A: 1", 1, "no header under '/a'"),
        ("/a\n  X-A: 1\n/b", 3, "no header under '/b'"),
        ("https://x.example/*\n  X-A: 1", 1, "cannot ask for a host"),
        ("/a\n  X-A: 1\nhttps://x.example/*\n  X-B: 1", 3, "cannot ask for a host"),
        ("/*/*\n  X-A: 1", 1, "one \\* only"),
        ("/a//b\n  X-A: 1", 1, "two slashes"),
        ("/a?b\n  X-A: 1", 1, "without"),
        ("/a\n  X-A: " + "1" * 20_000, 2, "longer than"),
        *(
            (f"/a\n  {name}: 1", 2, f"{name} cannot be set here")
            for name in """
            Connection Keep-Alive Transfer-Encoding Content-Length Trailer Upgrade TE Host Date ETag Last-Modified Age
            Content-Encoding Content-Range Accept-Ranges Set-Cookie Location Basic-Auth Proxy-Connection
            set-cookie CONNECTION
            """.split()
        ),
        ("/a\n  ! Content-Length", 2, "cannot be set here"),
        ("/a\n  ! ETag", 2, "cannot be set here"),
    ],
)
def test_what_is_refused(lines: str, line: int, words: str) -> None:
    with pytest.raises(InvalidRules, match=words) as caught:
        compile_headers(lines, "_headers")
    assert caught.value.message.startswith(f"_headers:{line}: ")
    assert caught.value.message.isprintable()


def test_rules_survive_json() -> None:
    rules = compile_headers("/*\n  X-A: 1\n  ! X-B\n/a\n  Link: 1\n  Link: 2", "_headers")
    assert [HeaderRule.from_json(rule.as_json()) for rule in rules] == rules


def check_place(message: str) -> None:
    assert message.startswith("_headers:")
    assert message.isprintable()


def test_five_thousand_rules_cost_what_five_do() -> None:
    def best(count: int) -> float:
        look_up = table("\n".join(f"/p{n}/*\n  X-A: {n}\n/*.x{n}\n  X-B: {n}" for n in range(count)))
        times = []
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(500):
                look_up.fields("/p3/a.x4")
            times.append((time.perf_counter() - start) / 500)
        assert len(look_up.fields("/p3/a.x4").values) == 2
        return min(times)

    assert best(5000) < 3 * best(5) + 2e-6


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(alphabet=st.sampled_from("/a*:! X-\t\r\x00ü#;"), max_size=10), max_size=6).map("\n".join))
def test_any_text_is_refused_or_safe(text: str) -> None:
    try:
        look_up = table(text)
    except InvalidRules as error:
        check_place(error.message)
        return
    for path in ("/", "/a", "/a/a"):
        for name, value in look_up.fields(path).values:
            assert name.isascii()
            assert name.isprintable()
            assert value.isascii()
            assert not set(value) & set("\r\n\x00")
