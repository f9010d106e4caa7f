"""What the names of files in `api/` mean, and which of them answers a path."""

import timeit
from collections.abc import Iterator
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.functions.routes import RouteTable, kind_of

FILES = (
    "api/_middleware.js",
    "api/hello.js",
    "api/hello/world.ts",
    "api/notes/_middleware.mts",
    "api/notes/index.jsx",
    "api/notes/[id].js",
    "api/notes/new.mjs",
    "api/notes/[id]/tags/[tag].js",
    "api/notes/[id]/tags/all.js",
    "api/files/[...path].js",
    "api/files/[name]/info.js",
    "api/docs/[[...path]].tsx",
    "api/docs/old/_middleware.js",
    "api/docs/old/[...rest].js",
    "api/deep/[a]/b/c.js",
    "api/deep/x/[b]/d.js",
    "api/café/[größe]x.txt",
    "api/café/thé.js",
    "api/a.b.js",
    "api/index.js",
    "api/_lib/tools.js",
    "api/notes/_hidden.js",
    "api/hello/types.d.ts",
    "api/hello/types.d.mts",
    "api/readme.md",
    "api/data.json",
    "api/_rooms/chat.js",
    "api/_rooms/[room].ts",
    "api/_rooms/deep/x.js",
    "api/_jobs/send.js",
    "api/_jobs/_shared.js",
    "api/_jobs/deep/x.js",
    "index.html",
    "static-webapp/api/inside.js",
    "API/upper.js",
)

CASES = [
    ("/api/hello", "api/hello.js", {}),
    ("/api/hello/", "api/hello.js", {}),
    ("/api/%68ello", "api/hello.js", {}),
    ("/api/hello/world", "api/hello/world.ts", {}),
    ("/api/notes", "api/notes/index.jsx", {}),
    ("/api/notes/", "api/notes/index.jsx", {}),
    ("/api/notes/new", "api/notes/new.mjs", {}),
    ("/api/notes/7", "api/notes/[id].js", {"id": "7"}),
    ("/api/notes/a%20b%2Fc", "api/notes/[id].js", {"id": "a b/c"}),
    ("/api/notes/%2525", "api/notes/[id].js", {"id": "%25"}),
    ("/api/notes/gr%C3%B6%C3%9Fe", "api/notes/[id].js", {"id": "größe"}),
    ("/api/notes/7/tags/red", "api/notes/[id]/tags/[tag].js", {"id": "7", "tag": "red"}),
    ("/api/notes/7/tags/all", "api/notes/[id]/tags/all.js", {"id": "7"}),
    ("/api/files/a", "api/files/[...path].js", {"path": "a"}),
    ("/api/files/a/b%20c/d/", "api/files/[...path].js", {"path": "a/b c/d"}),
    ("/api/files/a/info", "api/files/[name]/info.js", {"name": "a"}),
    ("/api/files/a/info/x", "api/files/[...path].js", {"path": "a/info/x"}),
    ("/api/docs", "api/docs/[[...path]].tsx", {"path": ""}),
    ("/api/docs/a/b", "api/docs/[[...path]].tsx", {"path": "a/b"}),
    ("/api/docs/old", "api/docs/[[...path]].tsx", {"path": "old"}),
    ("/api/docs/old/a", "api/docs/old/[...rest].js", {"rest": "a"}),
    ("/api/deep/x/b/c", "api/deep/[a]/b/c.js", {"a": "x"}),
    ("/api/deep/x/b/d", "api/deep/x/[b]/d.js", {"b": "b"}),
    ("/api/caf%C3%A9/th%C3%A9", "api/café/thé.js", {}),
    ("/api/a.b", "api/a.b.js", {}),
    # what no file takes
    ("/api", "api/index.js", {}),
    ("/api/", "api/index.js", {}),
    ("/api/files", "api/index.js", {}),
    ("/api/hello/moon", "api/index.js", {}),
    ("/api/notes/7/tags", "api/index.js", {}),
    ("/api/notes//tags/red", "api/index.js", {}),
    ("/api/Hello", "api/index.js", {}),
    ("/api/_lib/tools", "api/index.js", {}),
    ("/api/_middleware", "api/index.js", {}),
    ("/api/_jobs/send", "api/index.js", {}),
    ("/api/index", "api/index.js", {}),
    ("/api/hello.js", "api/index.js", {}),
    ("/api/data", "api/index.js", {}),
]
NOTHING = ["/api/%ff", "/api/notes/%C3", "/api/%zz", "/api/%", "/api/../x", "/api/notes/..", "/api/%2e%2E/x",
           "/api/./hello", "/apix", "/", "", "api/hello", "/x/api/hello", "//api/hello"]  # fmt: skip


@pytest.fixture(scope="module")
def table() -> RouteTable:
    return RouteTable.from_json(orjson.loads(orjson.dumps(RouteTable(FILES).as_json())))


@pytest.mark.parametrize(("path", "module", "params"), CASES)
def test_the_module_of_a_path(table: RouteTable, path: str, module: str, params: dict[str, str]) -> None:
    found = table.match(path)
    assert found is not None
    assert (found.module, found.params) == (module, params)


@pytest.mark.parametrize("path", NOTHING)
def test_paths_that_nothing_answers(table: RouteTable, path: str) -> None:
    assert table.match(path) is None


def test_without_an_index_what_no_file_takes_is_not_answered() -> None:
    table = RouteTable(["api/hello.js", "api/x/index.js"])
    assert [table.match(path) for path in ("/api", "/api/", "/api/y", "/api/x/y")] == [None] * 4


def test_a_rest_at_the_top_goes_before_the_index() -> None:
    table = RouteTable(["api/[...all].js", "api/index.js"])
    assert table.match("/api/x").params == {"all": "x"}  # type: ignore[union-attr]
    assert table.match("/api").module == "api/index.js"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "middleware"),
    [
        ("/api/hello", ("api/_middleware.js",)),
        ("/api/notes", ("api/_middleware.js", "api/notes/_middleware.mts")),
        ("/api/notes/1/tags/x", ("api/_middleware.js", "api/notes/_middleware.mts")),
        ("/api/docs/old/a", ("api/_middleware.js", "api/docs/old/_middleware.js")),
        ("/api/docs/old", ("api/_middleware.js",)),
    ],
)
def test_middleware_wraps_its_folder_outermost_first(table: RouteTable, path: str, middleware: tuple[str, ...]) -> None:
    assert table.match(path).middleware == middleware  # type: ignore[union-attr]


def test_rooms_and_jobs(table: RouteTable) -> None:
    chat, other = table.room("chat"), table.room("a/b")
    assert (chat and chat.module, chat and chat.params) == ("api/_rooms/chat.js", {})
    assert (other and other.module, other and other.params) == ("api/_rooms/[room].ts", {"room": "a/b"})
    assert table.room("") is None
    assert table.jobs == {"send": "api/_jobs/send.js"}
    assert table.job("send") == "api/_jobs/send.js"
    assert [table.job(name) for name in ("_shared", "deep/x", "x", "")] == [None] * 4
    assert RouteTable(["api/_rooms/chat.js"]).room("x") is None


def test_what_is_run(table: RouteTable) -> None:
    assert not table.faults
    assert {kind_of(path) for path in FILES} == {"route", "middleware", "room", "job", None}
    assert "api/_lib/tools.js" not in table.modules
    assert "api/hello/types.d.ts" not in table.modules
    assert RouteTable(["index.html", "api/readme.md", "api/_lib/x.js"]).is_empty


@pytest.mark.parametrize(
    ("paths", "at", "part"),
    [
        (["api/a.js", "api/a.ts"], "api/a.ts", "api/a.js answer the same paths"),
        (["api/a.js", "api/a/index.js"], "api/a/index.js", "api/a.js answer the same"),
        (["api/[a].js", "api/[b].js"], "api/[b].js", "api/[a].js answer the same"),
        (["api/[a]/x.js", "api/[b]/x.ts"], "api/[b]/x.ts", "api/[a]/x.js answer the same"),
        (["api/[...a].js", "api/[...b].js"], "api/[...b].js", "api/[...a].js answer"),
        (["api/[...a].js", "api/[[...a]].js"], "api/[[...a]].js", "api/[...a].js answer"),
        (["api/_middleware.js", "api/_middleware.ts"], "api/_middleware.ts", "api/_middleware.js wrap the same folder"),
        (["api/_rooms/a.js", "api/_rooms/a.ts"], "api/_rooms/a.ts", "api/_rooms/a.js handle the same room"),
        (["api/_rooms/[a].js", "api/_rooms/[b].js"], "api/_rooms/[b].js", "one file"),
        (["api/_rooms/[...a].js"], "api/_rooms/[...a].js", "one file"),
        (["api/_jobs/a.js", "api/_jobs/a.mjs"], "api/_jobs/a.mjs", "api/_jobs/a.js run the same job"),
        (["api/[id]/[id].js"], "api/[id]/[id].js", "'id' is there twice"),
        (["api/[...a]/b.js"], "api/[...a]/b.js", "nothing can follow"),
        (["api/[...a]/[b].js"], "api/[...a]/[b].js", "nothing can follow"),
        *[([f"api/{name}.js"], f"api/{name}.js", "a parameter is a whole name")
          for name in ("[", "]", "[]", "[a", "a]", "x[a]", "[a]x", "[...]", "[[a]]", "[[...a]", "[a b]", "[__a]")],
    ],
)  # fmt: skip
def test_names_that_are_faults(paths: list[str], at: str, part: str) -> None:
    (fault,) = RouteTable(paths).faults
    assert fault.path == at
    assert part in fault.message


def test_optional_rest_and_index_live_together() -> None:
    table = RouteTable(["api/d/index.js", "api/d/[[...p]].js"])
    assert not table.faults
    assert table.match("/api/d").module == "api/d/index.js"  # type: ignore[union-attr]


def test_look_up_is_fast(table: RouteTable) -> None:
    for path in ("/api/hello", "/api/notes/7/tags/red", "/api/files/a/b", "/api/nothing"):
        best = min(timeit.repeat(lambda path=path: table.match(path), number=2000, repeat=5)) / 2000  # type: ignore[misc]
        assert best < 50e-6  # 0.2 to 4 microseconds on a quiet machine


# -- against a model that tries every file -----------------------------------------------------------------------------

NAMES = ("a", "b", "[x]", "[y]")
LAST = (*NAMES, "index", "[...r]", "[[...r]]")
files = st.builds(
    lambda folders, last: "api/" + "/".join([*folders, last]) + ".js",
    st.lists(st.sampled_from(NAMES), max_size=3),
    st.sampled_from(LAST),
)
requests = st.lists(st.sampled_from(("a", "b", "c", "", "ü")), max_size=5)


def keys(pattern: list[str], segments: list[str]) -> Iterator[tuple[list[int], dict[str, str]]]:
    """Yield how well a pattern fits, smaller is better, and its parameters."""
    if not pattern:
        if not segments:
            yield [0], {}
        return
    part, *rest = pattern
    if part.startswith(("[...", "[[...")):
        if segments:
            yield [3], {part.strip("[]."): "/".join(segments)}
        elif part.startswith("[["):
            yield [1], {part.strip("[]."): ""}
    elif segments:
        bound = {part[1:-1]: segments[0]} if part.startswith("[") and segments[0] else {}
        if bound or part == segments[0]:
            for key, params in keys(rest, segments[1:]):
                yield [1 if part == segments[0] else 2, *key], {**bound, **params}


@settings(max_examples=300, deadline=None)
@given(st.sets(files, max_size=8), requests)
def test_the_table_agrees_with_trying_every_file(paths: set[str], segments: list[str]) -> None:
    table = RouteTable(paths)
    faulty = {fault.path for fault in table.faults}
    while segments and segments[-1] == "":
        segments.pop()
    candidates = []
    for path in sorted(paths - faulty):
        pattern = path.removeprefix("api/").removesuffix(".js").split("/")
        pattern = pattern[:-1] if pattern[-1] == "index" else pattern
        candidates += [(key, path, params) for key, params in keys(pattern, segments)]
    found = table.match("/" + "/".join(["api", *map(quote, segments)]))
    if candidates:
        _, path, params = min(candidates, key=lambda candidate: candidate[0])
        assert found is not None
        assert (found.module, found.params) == (path, params)
    elif "api/index.js" in paths - faulty:
        assert found is not None
        assert found.module == "api/index.js"
    else:
        assert found is None


@given(st.text(max_size=30))
def test_no_path_breaks_the_look_up(text: str) -> None:
    table = RouteTable(FILES)
    for path in (text, "/api/" + text, "/api/notes/" + quote(text, safe="/%")):
        table.match(path)


@given(st.lists(st.text(alphabet="ab[].{}_/é", min_size=1, max_size=12), max_size=5))
def test_no_name_breaks_the_table(names: list[str]) -> None:
    table = RouteTable([f"api/{name}.js" for name in names])
    for path in table.modules:
        table.match("/" + path.removesuffix(".js"))
