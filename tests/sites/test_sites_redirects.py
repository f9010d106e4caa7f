"""`_redirects`: the format, which rule decides, and a Location that no visitor can bend."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidRules
from fazt.sites.redirects import Redirect, RedirectTable, compile_redirects


def table(text: str) -> RedirectTable:
    return RedirectTable.from_rules(compile_redirects(text, "_redirects"))


def ask(text: str, path: str, query: str = "", *, exists: bool = False) -> tuple[int, str | None] | None:
    answer = table(text).match(path, query, exists)
    if answer is None:
        return None
    return answer.status, answer.location if answer.path is None else answer.path


CASES = [
    ("/a /b", "/a", (301, "/b")),
    ("/a /b", "/a/", (301, "/b")),
    ("/a/ /b", "/a", (301, "/b")),
    ("/a /b", "/A", None),
    ("/a /b", "/a/c", None),
    ("/a /b", "/", None),
    ("/ /home 302", "/", (302, "/home")),
    ("/a\t/b   307  # why", "/a", (307, "/b")),
    ("# only\n\n  /a /b 308\r", "/a", (308, "/b")),
    ("/a https://example.com/x?y=1#z 303", "/a", (303, "https://example.com/x?y=1#z")),
    ("/a HTTPS://Example.COM 302", "/a", (302, "https://example.com")),
    ("/a https://bücher.example/ü", "/a", (301, "https://xn--bcher-kva.example/%C3%BC")),
    ("/a http://[::1]:8080/x", "/a", (301, "http://[::1]:8080/x")),
    ("/log/:slug /notes/:slug", "/log/frost", (301, "/notes/frost")),
    ("/log/:slug /notes/:slug", "/log/a/b", None),
    ("/log/:slug /notes/:slug", "/log/", None),
    ("/:y/:m/:d /p/:y-:m-:d", "/2024/01/02", (301, "/p/2024-01-02")),
    ("/old/* /new/:splat 302", "/old/a/b/", (302, "/new/a/b/")),
    ("/old/* /new/:splat", "/old", (301, "/new/")),
    ("/old/* /new/:splat", "/old/", (301, "/new/")),
    ("/old/* /new/:splat", "/older", None),
    ("/:lang/old/* /:lang/new/:splat", "/de/old/x", (301, "/de/new/x")),
    ("/*.php /:splat.html", "/deep/page.php", (301, "/deep/page.html")),
    ("/img-* /images/:splat", "/img-1.png", (301, "/images/1.png")),
    ("/img-* /images/:splat", "/img", None),
    ("/a/*/feed.xml /feeds/:splat", "/a/x/y/feed.xml", (301, "/feeds/x/y")),
    ("/caf%C3%A9 /x", "/café", (301, "/x")),
    ("/café /thé", "/café", (301, "/th%C3%A9")),
    ("/a%2Ab /x", "/a*b", (301, "/x")),
    ("/x/%3Aname /y", "/x/:name", (301, "/y")),
    ("/a /b:c", "/a", (301, "/b:c")),
    ("/a /wiki/Special:Search", "/a", (301, "/wiki/Special:Search")),
    ("/a https://example.com:8443/x", "/a", (301, "https://example.com:8443/x")),
    ("/* /index.html 200", "/any/thing", (200, "/index.html")),
    ("/* /gone.html 404", "/any", (404, "/gone.html")),
    ("/old /gone.html 410", "/old", (410, "/gone.html")),
    ("/shop/:id /items/:id.html 200", "/shop/ä", (200, "/items/ä.html")),
    ("/shop/* /caf%C3%A9/:splat 200", "/shop/a%b", (200, "/café/a%b")),
    # order
    ("/a /b\n/a /c", "/a", (301, "/b")),
    ("/a/* /b\n/a/x /c", "/a/x", (301, "/b")),
    ("/a/x /c\n/a/* /b", "/a/x", (301, "/c")),
    ("/:x /b\n/a /c", "/a", (301, "/b")),
    ("/a/:x/c /1\n/a/b/* /2\n/*/c /3", "/a/b/c", (301, "/1")),
    ("/*/c /3\n/a/:x/c /1\n/a/b/* /2", "/a/b/c", (301, "/3")),
    # a redirect to itself does not count
    ("/a /a", "/a", None),
    ("/a/ /a", "/a/", (301, "/a")),
    ("/a/ /a", "/a", None),
    ("/a /a/", "/a", (301, "/a/")),
    ("/a /a/", "/a/", None),
    ("/a/ /a\n/a /x", "/a", (301, "/x")),
    ("/* /:splat", "/a/b", None),
    ("/* https://example.com/:splat", "/a", (301, "https://example.com/a")),
    # T13
    ("/* /:splat", "//evil.example", (301, "/evil.example")),
    ("/go/* /:splat", "/go//evil.example/x", (301, "/evil.example/x")),
    ("/go/* /:splat", "/go/\\evil.example", (301, "/%5Cevil.example")),
    ("/go/* /x/:splat", "/go/a\r\nSet-Cookie: b", (301, "/x/a%0D%0ASet-Cookie:%20b")),
    ("/go/* /x/:splat", "/go/a?b#c", (301, "/x/a%3Fb%23c")),
    ("/go/:a /x?y=:a", "/go/1&z=2", (301, "/x?y=1%26z%3D2")),
    ("/go/:a /x#:a", '/go/"<>', (301, "/x#%22%3C%3E")),
    ("/go/* https://example.com/:splat", "/go/../x@y", (301, "https://example.com/../x@y")),
    ("/go/* https://example.com/?u=:splat", "/go/https://a/b", (301, "https://example.com/?u=https://a/b")),
]


@pytest.mark.parametrize(("text", "path", "expected"), CASES)
def test_match(text: str, path: str, expected: tuple[int, str] | None) -> None:
    assert ask(text, path) == expected


@pytest.mark.parametrize(
    ("text", "path", "query", "expected"),
    [
        ("/a /b", "/a", "x=1&y", "/b?x=1&y"),
        ("/a /b?z=2", "/a", "x=1", "/b?z=2"),
        ("/a /b?", "/a", "x=1", "/b"),
        ("/a /b#c", "/a", "x=1", "/b?x=1#c"),
        ("/a https://example.com", "/a", "x=1", "https://example.com?x=1"),
        ("/a /b", "/a", 'x="<>\r\n\x00é ', "/b?x=%22%3C%3E%0D%0A%00%C3%A9%20"),
        ("/a /b", "/a", "x=%0d%0a&y=%", "/b?x=%0d%0a&y=%"),
        ("/a /b", "/a", "\udcff\ud800", "/b???"),
        ("/a/ /a", "/a", "x=1", None),
        ("/a/ /a", "/a/", "x=1", "/a?x=1"),
        ("/find q=:q /find?term=:q", "/find", "q=a b", "/find?term=a%20b"),
        ("/a x=1 /a", "/a", "x=1", "/a"),
        ("/a /a?x=1", "/a", "x=1", None),
        ("/store id=:id /blog/:id", "/store", "id=7", "/blog/7"),
        ("/store id=:id /blog/:id", "/store", "x=1&id=7&y=2", "/blog/7?x=1&y=2"),
        ("/store id=:id /blog/:id", "/store", "", None),
        ("/store id=:id /blog/:id", "/store", "ID=7", None),
        ("/store id=:id /blog/:id", "/store", "id=a%2Fb%20c", "/blog/a/b%20c"),
        ("/index.php page=12 /about\n/index.php page=13 /team", "/index.php", "page=13", "/team"),
        ("/index.php page=12 /about\n/index.php /", "/index.php", "page=14", "/?page=14"),
        ("/s q=a+b /ab", "/s", "q=a%20b", "/ab"),
        ("/s a=:x b=:y /:y/:x", "/s", "b=2&a=1", "/2/1"),
        ("/s a=:x b=2 /:x\n/s a=:x /only/:x", "/s", "a=1&b=2", "/1"),
        ("/s a=:x b=2 /:x\n/s a=:x /only/:x", "/s", "a=1&b=3", "/only/1?b=3"),
        ("/s a=:x /only/:x\n/s a=:x b=2 /:x", "/s", "a=1&b=2", "/only/1?b=2"),
        ("/s/:n a=:x /:n/:x", "/s/1", "a=2", "/1/2"),
    ],
)
def test_query(text: str, path: str, query: str, expected: str | None) -> None:
    answer = ask(text, path, query)
    assert (answer and answer[1]) == expected


def test_an_existing_file_wins_unless_forced() -> None:
    assert ask("/a /b 301", "/a", exists=True) is None
    assert ask("/a /b 301!", "/a", exists=True) == (301, "/b")
    assert ask("/a /b\n/a /c 301!", "/a", exists=True) is None
    assert ask("/a /c 301!\n/a /b", "/a", exists=True) == (301, "/c")
    assert ask("/* /index.html 200!", "/a", exists=True) == (200, "/index.html")


def test_when_the_query_matters() -> None:
    assert not table("/a /b").reads_query(exists=False)
    assert table("/a x=1 /b").reads_query(exists=False)
    assert not table("/a x=1 /b").reads_query(exists=True)
    assert table("/a x=1 /b 301!").reads_query(exists=True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/a", "does not say where to go"),
        ("/a 301", "'301' must begin with a slash"),
        ("a /b", "must begin with a slash"),
        ("https://old.example/* https://new.example/:splat", "cannot ask for a host"),
        ("/a /b 300", "status 300 is not available"),
        ("/a /b 600!", "status 600"),
        ("/a /b 30", "'30' is not understood"),
        ("/a /b 301 /c", "'/c' is not understood"),
        ("/a /b 301 Country=de", "'Country=de' are not available"),
        ("/a /b 302 Language=de,en", "conditions"),
        ("/a /b Role=admin", "conditions"),
        ("/a https://api.example/x 200", "not available; redirect with 301"),
        ("/a /api/x 200", "function"),
        ("/a /_fazt/x 200", "platform"),
        ("/a ftp://example.com/", "http"),
        ("/a javascript:alert(1)", "http"),
        ("/a mailto:me@example.com", "http"),
        ("/a //example.com/", "two slashes"),
        ("/a https://user:pass@example.com/", "user name"),
        ("/* https://:splat/", "host that is not valid"),
        ("/:x https://:x.example.com/", "host that is not valid"),
        ("/* https://example.com:splat", "host that is not valid"),
        ("/a https:///x", "host that is not valid"),
        ("/a https://exa%2fmple.com/", "host that is not valid"),
        ("/a https://a\\b/", "host that is not valid"),
        ("/a /b\\c", "backslash"),
        ("/a /b%zz", "percent"),
        ("/a /b\x01", "control"),
        ("/a /:slug", "does not capture"),
        ("/a /b/:splat", "does not capture"),
        ("/a/:x/:x /b", "twice"),
        ("/a/:splat/* /b", "splat"),
        ("/a/*/*/b /c", "one \\* only"),
        ("/a//b /c", "two slashes in a row"),
        ("/a/:x-y /c", "whole part"),
        ("/a/*/:x /c", "before the part"),
        ("/a?x=1 /c", "without \\? and #"),
        ("/a/../b /c", "as a part"),
        ("/a%2Fb /c", "%2F"),
        ("/a%ff /c", "UTF-8"),
        ("/a /b/../c 200", "as a part"),
        ("/a /b%ff 200", "UTF-8"),
        ("/a x=:splat /b", "splat"),
        ("/a x=1 x=2 /b", "twice"),
        ("/:x y=:x /b", "twice"),
        ("/a /" + "b" * 5000, "longer than"),
    ],
)
def test_lines_that_are_refused(line: str, words: str) -> None:
    with pytest.raises(InvalidRules, match=words) as caught:
        compile_redirects(f"# first\n/fine /too\n{line}\n/more /lines", "_redirects")
    assert caught.value.message.startswith("_redirects:3: ")
    assert caught.value.message.isprintable()


def test_rules_survive_json() -> None:
    rules = compile_redirects("\n".join(text for text, _, _ in CASES), "_redirects")
    assert [Redirect.from_json(rule.as_json()) for rule in rules] == rules
    assert rules[0].where == "_redirects:1"


def check_place(message: str) -> None:
    assert message.startswith("_redirects:")
    assert message.isprintable()


def seconds_per_look_up(look_up: RedirectTable, asks: list[tuple[str, str]]) -> float:
    best = 1.0
    for _ in range(7):
        start = time.perf_counter()
        for path, query in asks:
            look_up.match(path, query, False)
        best = min(best, (time.perf_counter() - start) / len(asks))
    return best


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("/old/page-{n} /new/{n}", [("/old/page-3", ""), ("/old/page-9", ""), ("/nothing/here", "")]),
        ("/s{n}/:slug/* /t/{n}/:slug/:splat", [("/s3/a/b/c", ""), ("/s9/x/", ""), ("/t/x", "")]),
        ("/index.php page={n} /p/{n}", [("/index.php", "page=3"), ("/index.php", "page=x"), ("/a", "page=1")]),
        ("/{n}* /p/{n}", [("/3abc", ""), ("/abc", ""), ("/9", "")]),
        ("/*.x{n} /p/{n}", [("/a/b.x3", ""), ("/abc", ""), ("/y.x9", "")]),
        ("/same /p/{n}", [("/same", ""), ("/other", "")]),
    ],
)
def test_ten_thousand_rules_cost_what_ten_do(line: str, asks: list[tuple[str, str]]) -> None:
    few, many = ("\n".join(line.format(n=n) for n in range(count)) for count in (10, 10_000))
    asks = asks * 200
    small, large = table(few), table(many)
    assert seconds_per_look_up(large, asks) < 3 * seconds_per_look_up(small, asks) + 2e-6


words = st.text(alphabet=st.sampled_from("ab/:*#?=%2F.\\é!3012 \t~@"), max_size=14)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(words, max_size=4).map(" ".join), max_size=4).map("\n".join), words, words)
def test_any_text_is_refused_or_safe(text: str, path: str, query: str) -> None:
    try:
        look_up = table(text)
    except InvalidRules as error:
        check_place(error.message)
        return
    check_safe(look_up, "/" + path, query)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(
        ["/* /:splat", "/* /x/:splat", "/:a/* /:a:splat", "/* https://e.example/:splat", "/:a/:b /?:a=:b#:a"]
    ),
    st.text(max_size=30),
    st.text(max_size=20),
)
def test_no_request_bends_a_location(text: str, path: str, query: str) -> None:
    check_safe(table(text), "/" + path, query)


def check_safe(look_up: RedirectTable, path: str, query: str) -> None:
    answer = look_up.match(path, query, False)
    if answer is None:
        return
    assert answer.location.isascii()
    assert min(answer.location) > " "
    assert "\\" not in answer.location
    assert not answer.location.startswith("//")
    if answer.rule.target.startswith("/"):
        assert answer.location.startswith("/")
    else:
        assert answer.location.lower().startswith(("http://", "https://"))
