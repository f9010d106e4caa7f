"""The three files of rules as one JSON value: who comes first, where they may lie, and how fast they are read."""

import re
import time
from pathlib import Path

import orjson
import pytest

from fazt.errors import InvalidRules
from fazt.sites.manifest import KEYS
from fazt.sites.rules import Rules, compile_rules


def compiled(files: dict[str, str | bytes]) -> bytes:
    content = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    return compile_rules(content.get, content.keys())


def rules(files: dict[str, str | bytes]) -> Rules:
    return Rules.from_json(compiled(files))


def location(of: Rules, path: str) -> str | None:
    answer = of.redirects.match(path, "", False)
    return answer.location if answer else None


def test_a_site_without_rules() -> None:
    for empty in (rules({"index.html": "x"}), Rules.from_json(b"{}")):
        assert empty.root == ""
        assert empty.manifest.clean_urls is True
        assert location(empty, "/a") is None
        assert empty.headers.fields("/a").values == ()


def test_the_files_come_before_the_manifest() -> None:
    both = rules(
        {
            "fazt.json": """{"redirects": {"/a": "/json", "/b": "/json"}, "headers": {"/*": {"X-A": "json"}},
                             "spa": true}""",
            "_redirects": "/a /file\r\n",
            "_headers": "/*\r\n  X-A: file\r\n",
        }
    )
    assert location(both, "/a") == "/file"
    assert location(both, "/b") == "/json"
    assert both.headers.fields("/x").values == (("X-A", "file, json"),)
    assert both.manifest.spa is True
    assert [rule.target for rule in both.manifest.redirects] == ["/json", "/json"]


def test_a_site_in_its_web_folder() -> None:
    both = rules(
        {"static-webapp/index.html": "x", "static-webapp/_redirects": "/a /web\n/b /web", "_redirects": "/a /top"}
    )
    assert both.root == "static-webapp/"
    assert location(both, "/a") == "/top"
    assert location(both, "/b") == "/web"
    with pytest.raises(InvalidRules, match="static-webapp/_headers:1: "):
        rules({"static-webapp/_headers": "X-A: 1"})
    assert location(rules({"docs/_redirects": "/a /b"}), "/a") is None


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"fazt.json": "{"}, "fazt.json:1: "),
        ({"_redirects": "\n/a"}, "_redirects:2: "),
        ({"_redirects": b"/a /b\n/\xff /c"}, "_redirects:2: the file is not valid UTF-8"),
        ({"_headers": "\n\nX: 1"}, "_headers:3: "),
        ({"_headers": b"#" * (5 << 20)}, "_headers:1: the file is larger"),
    ],
)
def test_what_is_refused(files: dict[str, str | bytes], where: str) -> None:
    with pytest.raises(InvalidRules) as caught:
        compiled(files)
    assert caught.value.message.startswith(where)


def test_the_examples_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "site-folder.md").read_text()
    names = ["## fazt.json", "## _redirects", "## _headers"]
    examples = [re.search(r"```\w*\n(.*?)```", text[text.index(name + "\n") :], re.DOTALL) for name in names]
    shown = rules({name.split()[1]: example[1] for name, example in zip(names, examples, strict=True) if example})
    assert location(shown, "/log/a") == "/notes/a"
    assert len(shown.redirects) == 9
    assert len(shown.headers) == 4
    with pytest.raises(InvalidRules) as caught:
        compiled({"_redirects": "\n" * 6 + "/shop"})
    assert caught.value.message in text
    for key in KEYS:
        assert f"`{key}`" in text


def test_equal_rules_give_equal_bytes() -> None:
    one = compiled({"fazt.json": '{"spa": true, "title": "x", "env": {"a": "1", "b": "2"}}', "a": ""})
    other = compiled({"b": "", "fazt.json": '{"env": {"b": "2", "a": "1"}, "title": "x", "spa": true}'})
    assert orjson.loads(one) == orjson.loads(other)
    assert one == other
    assert compiled({"_redirects": "/a /b"}) != compiled({"_redirects": "/a /c"})


def test_an_empty_file_is_no_rule_and_an_empty_manifest_an_error() -> None:
    assert compiled({"_redirects": "", "_headers": "\ufeff"}) == compiled({})
    with pytest.raises(InvalidRules):
        compiled({"fazt.json": ""})


def test_reading_is_quick() -> None:
    small = compiled({"_headers": "/*\n  X-A: 1", "_redirects": "/a /b\n/c/* /d/:splat"})
    large = compiled({"_redirects": "\n".join(f"/old/{n}/* /new/{n}/:splat" for n in range(10_000))})
    for data, most in ((small, 0.001), (large, 1.0)):
        best = 10.0
        for _ in range(5):
            start = time.perf_counter()
            Rules.from_json(data)
            best = min(best, time.perf_counter() - start)
        assert best < most
