"""The files of a version → its program, and all that can be wrong with them together."""

# ruff: noqa: E501 - a source stands on one line where its columns matter, and beside what it gives

import orjson
import pytest
from module_isolate import Compiler

from fazt.errors import InvalidFunction
from fazt.functions.compile import (
    MAX_ERRORS,
    CompiledModule,
    SourceFault,
    compile_program,
)
from fazt.functions.program import EMPTY, Program
from fazt.functions.sources import MAX_FILE_BYTES, MAX_MODULES

OK = "export const GET = () => new Response()"


def build(compiler: Compiler, files: dict[str, str | bytes], extra: tuple[str, ...] = ()) -> Program:
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return compile_program(data, data.__getitem__, compiler, extra)


def faults(compiler: Compiler, files: dict[str, str | bytes]) -> list[str]:
    with pytest.raises(InvalidFunction) as caught:
        build(compiler, files)
    lines = caught.value.message.split("\n")
    assert len(lines) == len(caught.value.details["errors"])
    return lines


def test_a_program_holds_what_is_reached_and_nothing_else(compiler: Compiler) -> None:
    program = build(
        compiler,
        {
            "api/hello.ts": "import { a } from './_lib/a.js'; import d from '../data.json'; export default () => a + d",
            "api/_lib/a.ts": "export * from './b'",
            "api/_lib/b.js": "export const a = 1; export const later = () => import('/shared.js')",
            "api/_lib/unused.js": "this is not JavaScript",
            "api/notes/[id].js": "export async function GET() {} export const helper = 1, DELETE = () => {}",
            "api/_middleware.js": "export default (request, context) => context.next()",
            "api/_rooms/chat.js": "export function onMessage() {}",
            "api/_jobs/send.js": "export default async () => {}",
            "api/old.js": "module.exports = { GET() {} }",
            "shared.js": "export default 1",
            "data.json": "[1]",
            "index.html": "<p>",
            "app.js": "nor is this",
        },
    )
    assert set(program.modules) == {
        "api/hello.ts", "api/_lib/a.ts", "api/_lib/b.js", "api/notes/[id].js", "api/_middleware.js",
        "api/_rooms/chat.js", "api/_jobs/send.js", "api/old.js", "shared.js", "data.json",
    }  # fmt: skip
    assert program.exports == {
        "api/hello.ts": ("default",),
        "api/notes/[id].js": ("DELETE", "GET", "helper"),
        "api/_middleware.js": ("default",),
        "api/_rooms/chat.js": ("onMessage",),
        "api/_jobs/send.js": ("default",),
        "api/old.js": None,
    }
    found = program.routes.match("/api/notes/7")
    assert found is not None
    assert (found.module, found.middleware, found.params) == ("api/notes/[id].js", ("api/_middleware.js",), {"id": "7"})


def test_bytes_and_back(compiler: Compiler) -> None:
    files = {"api/b.js": OK, "api/a.js": "export default 'ü'", "api/_rooms/[name].js": "export const onJoin = 1"}
    program = build(compiler, files)
    data = program.to_bytes()
    again = Program.from_bytes(data)
    assert again is not None
    assert (again.modules, again.exports) == (program.modules, program.exports)
    assert again.routes.match("/api/a") == program.routes.match("/api/a")
    assert again.routes.room("x") == program.routes.room("x")
    assert build(compiler, dict(reversed(files.items()))).to_bytes() == data == again.to_bytes()
    assert Program.from_bytes(orjson.dumps({**orjson.loads(data), "format": 0})) is None


def test_a_site_without_functions_costs_nothing() -> None:
    def never(*_: object) -> bytes:
        raise AssertionError

    program = compile_program(["index.html", "app.js", "api/readme.md", "api/_lib/x.js"], never, never)  # type: ignore[arg-type]
    assert program is EMPTY
    assert program.is_empty
    assert program.to_bytes() == b""
    assert Program.from_bytes(b"") is EMPTY


def test_further_modules_are_compiled_too(compiler: Compiler) -> None:
    program = build(compiler, {"api/a.js": OK, "api/_lib/tick.js": "export default 1"}, ("api/_lib/tick.js",))
    assert set(program.modules) == {"api/a.js", "api/_lib/tick.js"}
    with pytest.raises(InvalidFunction, match=r"api/_lib/gone\.js:1:1: there is no such module in this site\."):
        build(compiler, {"api/a.js": OK}, ("api/_lib/gone.js",))


CASES: list[tuple[dict[str, str | bytes], str]] = [
    ({"api/a.ts": "export default 1;\nlet x: = 2"}, "api/a.ts:2:8: unexpected token."),
    ({"api/a.js": OK, "api/a.mjs": OK}, "api/a.mjs:1:1: this file and api/a.js answer the same paths; keep one."),
    ({"api/a.js": "export const get = 1"}, "api/a.js:1:1: this route exports no handler: export default, or one of GET"),
    ({"api/a.js": ""}, "api/a.js:1:1: this route exports no handler"),
    ({"api/_middleware.js": "export const GET = 1"}, "api/_middleware.js:1:1: this middleware exports no handler"),
    ({"api/_rooms/a.js": "export const x = 1"}, "api/_rooms/a.js:1:1: this room's module exports no handler"),
    ({"api/_jobs/a.js": "export const x = 1"}, "api/_jobs/a.js:1:1: this job exports no handler: export default."),
    ({"api/a.js": f"import './b'; {OK}"}, "api/a.js:1:8: there is no file 'api/b' in this site."),
    ({"api/a.js": f"import './b.css'; {OK}", "api/b.css": ""}, "api/a.js:1:8: 'api/b.css' is not JavaScript, TypeScript or JSON"),
    ({"api/a.js": f"import '../../b'; {OK}"}, "api/a.js:1:8: '../../b' leads out of the site."),
    ({"api/a.js": f"import 'node:fs'; {OK}"}, "api/a.js:1:8: 'node:fs' is a part of Node.js, which is not here."),
    ({"api/a.js": f"import 'zod'; {OK}"}, "'zod' is not in this site: bundle it, or put it into api/_vendor/ (api/_vendor/zod.js)."),
    ({"api/a.js": f"import 'https://x.example/y.js'; {OK}"}, "cannot be imported: only files of the site can be."),
    ({"api/a.jsx": "// @jsxImportSource preact\nexport default () => <p/>"}, "api/a.jsx:1:27: 'preact/jsx-runtime' is not in this site"),
    ({"api/a.js": f"{OK}; import('./b')"}, "api/a.js:1:49: there is no file 'api/b' in this site."),
    ({"api/a.js": f"import {{ b,\n c }} from './b'; {OK}", "api/b.js": "export const b = 1"},
     "api/a.js:2:2: './b' (api/b.js) does not export 'c'."),
    ({"api/a.js": f"import b from './b'; {OK}", "api/b.js": "export * from './c'; export const GET = 1", "api/c.js": "export default 1"},
     "api/a.js:1:8: './b' (api/b.js) does not export 'default'."),
    ({"api/a.js": "export { GET } from './_b'", "api/_b.js": ""}, "api/a.js:1:10: './_b' (api/_b.js) does not export 'GET'."),
    ({"api/a.js": f"import d from './d.json'; {OK}", "api/d.json": "{\n'a': 1}"}, "api/d.json:2:1: this is not JSON."),
    ({"api/a.js": b"export default 1\n// \xff"}, "api/a.js:2:4: the file is not valid UTF-8."),
    ({"api/a.js": b"x" * (MAX_FILE_BYTES + 1)}, f"api/a.js:1:1: the file has {MAX_FILE_BYTES + 1} bytes; {MAX_FILE_BYTES} is the most"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "message"), CASES)
def test_what_is_wrong_is_said_with_its_place(compiler: Compiler, files: dict[str, str | bytes], message: str) -> None:
    assert message in faults(compiler, files)[0]


SOUND: list[dict[str, str | bytes]] = [
    {"api/a.js": "export * from './_b'", "api/_b.js": OK},
    {"api/a.js": "export * from './_b'", "api/_b.js": "exports.GET = 1"},
    {"api/a.js": f"import x, {{ y }} from './_b'; {OK}", "api/_b.cjs": "module.exports = 1"},
    {"api/a.js": f"{OK}; async () => {{ try {{ await import('node:fs') }} catch {{}} }}"},
    {"api/a.js": f"{OK}; import(where)"},
    {"api/a.js": f"/* ü */ import './b'; {OK}", "api/b.js": f"import './a'; {OK}"},
    {"api/a.ts": f"import {{ T }} from './_b'; import {{ v }} from './_b'; export {{ T }}; v; {OK}", "api/_b.ts": "export type T = 1; export const v = 1"},
    {"api/a.ts": f"export {{ T }} from './_b'; {OK}", "api/_b.ts": "export type T = 1"},
    {"api/a.js": f"import {{ a }} from './_b'; {OK}", "api/_b.js": "export * from './_c'", "api/_c.js": "export * from './_b'; export const a = 1"},
    {"api/_middleware.js": "export const onRequestPost = 1", "api/a.jsx": "export default () => <p/>"},
    {"api/a.js": b"\xef\xbb\xbfexport default 1"},
]  # fmt: skip


@pytest.mark.parametrize("files", SOUND)
def test_what_is_sound(compiler: Compiler, files: dict[str, str | bytes]) -> None:
    assert not build(compiler, files).is_empty


def test_several_faults_are_said_at_once_and_not_too_many(compiler: Compiler) -> None:
    found = faults(
        compiler, {"api/a.js": "import './x'; import 'y'; let let", "api/b.js": "import './x'", "api/c.js": "1 2"}
    )
    assert [line.split(":")[0] for line in found] == ["api/a.js", "api/b.js", "api/c.js", "api/b.js"]
    many: dict[str, str | bytes] = {f"api/{number}.js": "1 2" for number in range(30)}
    assert len(faults(compiler, many)) == MAX_ERRORS


def test_a_fault_in_a_module_is_not_said_again_by_those_who_import_it(compiler: Compiler) -> None:
    assert faults(compiler, {"api/a.js": f"import {{ x }} from './_b'; {OK}", "api/_b.js": "export const x = ;"}) == [
        "api/_b.js:1:18: unexpected token."
    ]


def stand_in(path: str, source: str) -> CompiledModule | SourceFault:
    return CompiledModule(source, (), ("default",), ())


def test_limits() -> None:
    paths = [f"api/{number}.js" for number in range(MAX_MODULES + 1)]
    with pytest.raises(InvalidFunction, match=f"more than {MAX_MODULES} modules"):
        compile_program(paths, lambda path: b"", stand_in)
    assert len(compile_program(paths[1:], lambda path: b"", stand_in).modules) == MAX_MODULES
    with pytest.raises(InvalidFunction, match="bytes together"):
        compile_program(paths[:6], lambda path: b" " * MAX_FILE_BYTES, stand_in)
