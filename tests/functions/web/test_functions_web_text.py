"""Text and URLs held against Python's own, and the fast path of URLs against the whole parser."""

import json

import pytest
from bare_v8 import Isolate
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

BYTES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from([0x41, 0x7F, 0x80, 0xBF, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xA0, 0x9F, 0x90, 0xFF])).map(
        bytes
    ),
)


@settings(max_examples=200, deadline=None)
@given(BYTES, st.integers(0, 40))
@example(b"\xf0\x9f\x92", 1)
def test_utf8_is_decoded_as_python_does(isolate: Isolate, data: bytes, cut: int) -> None:
    whole = f"new Uint8Array({list(data)})"
    wanted = data.decode("utf-8", "replace")
    assert isolate.value(f"__web.decodeUtf8({whole})") == wanted
    streamed = isolate.value(
        f"(() => {{ const d = new TextDecoder('utf-8', {{ignoreBOM: true}}), all = {whole};"
        f" return d.decode(all.subarray(0, {cut}), {{stream: true}}) + d.decode(all.subarray({cut}), {{stream: true}})"
        " + d.decode() })()"
    )
    assert streamed == wanted
    try:
        data.decode("utf-8")
        good = True
    except UnicodeDecodeError:
        good = False
    decoder = "new TextDecoder('utf-8', {fatal: true})"
    fatal = f"(() => {{ try {{ {decoder}.decode({whole}); return true }} catch {{ return false }} }})()"
    assert isolate.value(fatal) is good


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_utf8_is_encoded_as_python_does(isolate: Isolate, text: str) -> None:
    assert isolate.value(f"[...__web.encodeUtf8({json.dumps(text)})]") == list(replaced(text).encode())


def replaced(text: str) -> str:
    """Return a string whose unpaired surrogates are U+FFFD, as JavaScript's USVString has it."""
    whole = json.loads(json.dumps(text))  # pairs of surrogates become one character
    return "".join("\ufffd" if 0xD800 <= ord(character) < 0xE000 else character for character in whole)


LETTERS = st.sampled_from([*"abz019.-_~!$&'()*+,;=:@%/?#[]{}|\\^`\"<> \t", "%2e", "..", "xn--", "é", "😀", "%zz"])
PARTS = st.lists(LETTERS, max_size=8).map("".join)
URLS = st.builds(
    "{}://{}{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp", "x"]),
    st.one_of(
        st.sampled_from(["a.test", "localhost", "a.localhost", "1.2", "0x7f.1", "a.0x1", "x.1a", "-a", "a-", "A.b"]),
        PARTS,
    ),
    st.sampled_from(["", ":", ":80", ":443", ":8000", ":65535", ":65536", ":08", ":x"]),
    st.one_of(st.just(""), PARTS.map(lambda text: "/" + text)),
    st.one_of(st.just(""), PARTS.map(lambda text: "?" + text)),
    st.one_of(st.just(""), PARTS.map(lambda text: "#" + text)),
)
FIELDS = "href origin protocol username password host hostname port pathname search hash".split()


@settings(max_examples=400, deadline=None)
@given(URLS)
@example("http://a.test:80?x")
@example("http://a.test/.a/b")
@example("http://a.test/a/%2E%2e/b")
def test_the_fast_path_of_urls_is_the_whole_parser(isolate: Isolate, url: str) -> None:
    show = f"((input) => {{ const u = URL.parse(input); return u && {json.dumps(FIELDS)}.map((f) => u[f]) }})"
    # A blank in front takes every URL past the fast path, and the parser drops it
    assert isolate.value(f"{show}({json.dumps(url)})") == isolate.value(f"{show}({json.dumps(' ' + url)})")


PAIRS = st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4)


@settings(max_examples=100, deadline=None)
@given(PAIRS)
def test_search_parameters_come_back(isolate: Isolate, pairs: list[tuple[str, str]]) -> None:
    wanted = [list(pair) for pair in pairs]
    text = json.dumps(pairs)
    assert isolate.value(f"[...new URLSearchParams(new URLSearchParams({text}).toString())]") == wanted
    through_url = (
        f"(() => {{ const u = new URL('http://a.test/'); for (const [n, v] of {text}) u.searchParams.append(n, v);"
    )
    assert isolate.value(through_url + " return [...new URL(u.href).searchParams] })()") == wanted


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("latin1", b"caf\xe9 \x80", "café €"),
        ("shift_jis", "こんにちは".encode("shift_jis"), "こんにちは"),
        ("gb18030", "你好".encode("gb18030"), "你好"),
        ("utf-16le", "a😀".encode("utf-16-le"), "a😀"),
        ("windows-1251", "привет".encode("cp1251"), "привет"),
        ("big5", "你好".encode("big5"), "你好"),
        ("euc-kr", "안녕".encode("euc-kr"), "안녕"),
    ],
)
def test_other_encodings(isolate: Isolate, label: str, data: bytes, text: str) -> None:
    assert isolate.value(f"new TextDecoder({label!r}).decode(new Uint8Array({list(data)}))") == text


def test_structured_clone_of_deep_values_is_an_error_not_a_crash(isolate: Isolate) -> None:
    deep = "(() => { let x = {}; for (let i = 0; i < 1e6; i++) x = {x}; return x })()"
    assert (
        isolate.value(f"(() => {{ try {{ structuredClone({deep}) }} catch (e) {{ return e.name }} }})()")
        == "RangeError"
    )


@pytest.mark.parametrize("format_", ["gzip", "deflate", "deflate-raw"])
def test_compression_streams(isolate: Isolate, format_: str) -> None:
    found = isolate.value(
        "(async (text) => {"
        f" const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('{format_}'));"
        " const packed = await new Response(stream).bytes();"
        f" const back = new Blob([packed]).stream().pipeThrough(new DecompressionStream('{format_}'));"
        " return [packed.length < text.length, (await new Response(back).text()) === text] })('abc'.repeat(10000))"
    )
    assert found == [True, True]


PATHS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["/", "//", "/\\", "", "?", "#", "/."]),
    PARTS,
    st.one_of(st.just(""), PARTS.map(lambda text: "?" + text)),
    st.one_of(st.just(""), PARTS.map(lambda text: "#" + text)),
)


@settings(max_examples=300, deadline=None)
@given(PATHS, st.sampled_from(["http://a.test/b/c?d#e", "https://a.test:8000", "x://a/b", "x:opaque"]))
@example("/", "http://a.test/b")
@example("/a/%2e", "http://a.test/b")
def test_the_fast_path_of_relative_urls_is_the_whole_parser(isolate: Isolate, path: str, base: str) -> None:
    show = f"((input) => URL.parse(input, {json.dumps(base)})?.href ?? null)"
    assert isolate.value(f"{show}({json.dumps(path)})") == isolate.value(f"{show}({json.dumps(' ' + path)})")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["search", "pathname"]), PATHS)
@example("search", "?")
@example("pathname", "/a?b")
def test_the_fast_path_of_setters_is_the_whole_parser(isolate: Isolate, name: str, value: str) -> None:
    assume(value != "")  # which stands for "no query", and a line break does not
    # A line break is dropped by the parser, and keeps the value from the fast path
    set_ = f"(value) => {{ const u = new URL('http://a.test/b?c#d'); u.{name} = value; return [u.href, u.{name}] }}"
    assert isolate.value(f"({set_})({json.dumps(value)})") == isolate.value(f"({set_})({json.dumps(value + chr(10))})")
