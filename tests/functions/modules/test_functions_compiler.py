"""One source file → code, or what is wrong with it and where."""

# ruff: noqa: E501 - a source stands on one line where its columns matter, and beside what it gives

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from module_isolate import Compiler

from fazt.functions.compile import CompiledModule, SourceFault, read_answer

FAULTS = [
    ("a.js", "let a = {\n b c }", 2, 4, "unexpected token"),
    ("a.js", "let a = 1;\nlet a = 2;", 2, 5, "'a' has already been declared"),
    ("a.js", "export { nope }", 1, 10, "'nope' is not defined"),
    ("a.js", "export const a = 1; export { b as a }; const b = 2", 1, 35, "duplicate export 'a'"),
    ("a.js", "if (1) {\n", 2, 1, "unexpected token"),
    ("a.js", "const s = 'abc\n';", 1, 11, "unterminated string"),
    ("a.js", "x = /(/;", 1, 6, "unterminated group"),
    ("a.js", "var a = 010;", 1, 9, "invalid number"),
    ("a.js", "with (a) {}", 1, 1, "'with' in strict mode"),
    ("a.js", "return 1", 1, 1, "'return' outside of function"),
    ("a.js", "function f() { await x }", 1, 16, "'await' outside an async function"),
    ("a.js", "for (const x of y) import z from './z'", 1, 20, "import"),
    ("a.js", "\n  @once class A {}", 2, 3, "decorators are not supported"),
    ("a.js", "const a = <p>1</p>;", 1, 11, "must end in .jsx or .tsx"),
    ("a.js", "type A = number;", 1, 6, "unexpected token"),
    ("a.js", "\u2028\u2029const;", 3, 6, "unexpected token"),
    ("a.js", "\r\n\rconst;", 3, 6, "unexpected token"),
    ("a.js", "'\U0001f600'; ]", 1, 7, "unexpected token"),
    ("a.mjs", "module.exports = 1; return", 1, 21, "'return' outside of function"),
    # top-level await
    ("a.js", "import x from './x'\n\nconst y = await x()", 3, 11, "await at the top level is not available"),
    ("a.js", "for await (const x of y) ;", 1, 1, "await at the top level"),
    ("a.ts", "const x: number = await f();", 1, 19, "await at the top level"),
    # TypeScript and JSX: positions are the author's
    ("a.ts", "let x: number = ;\n", 1, 17, "unexpected token"),
    ("a.ts", "interface A {\n  b: string\n}\nconst c: A = { b: 'x' };; let d: A = 010;", 4, 38, "invalid number"),
    ("a.ts", "function f(a: string, b: { c: number }): void { break }", 1, 49, "unsyntactic break"),
    ("a.ts", "const x = 1;\n  namespace A { export const x = 1 }", 2, 3, "namespaces are not supported"),
    ("a.ts", "export namespace A.B { }", 1, 8, "namespaces are not supported"),
    ("a.ts", "class A { constructor(@inject x: number) {} }", 1, 23, "decorators are not supported"),
    ("a.ts", "@Entity() export class A<T> {}", 1, 1, "decorators are not supported"),
    ("a.ts", "const a = <p>1</p>", 1, 1, ""),
    ("a.tsx", "const a = (\n  <p>\n    <b>1</i>\n  </p>)", 3, 9, "<b> is closed by </i>"),
    ("a.tsx", "const a = <x.y b={<c/>} d='>'><></></x.z>", 1, 36, "<x.y> is closed by </x.z>"),
    ("a.tsx", "const a = <p></>", 1, 14, "<p> is closed by </>"),
    ("a.jsx", "const a = <p>{1 2}</p>", 1, 1, "unexpected token when processing JSX children"),
    # imports
    ("a.js", "import a from './a.css' with { type: 'css' }", 1, 15, 'with { type: "css" } is not available'),
    ("a.js", "import a from './a.js' with { type: 'json' }", 1, 15, "only JSON files"),
    # JSON
    ("a.json", "", 1, 1, "this is not JSON"),
    ("a.json", '{\n "a": 1,\n}', 3, 1, "this is not JSON"),
    ("a.json", '{"a": NaN}', 1, 7, "this is not JSON"),
    ("a.json", "[1, 2", 1, 6, "this is not JSON"),
    ("a.json", "[1] 2", 1, 5, "this is not JSON"),
    ("a.json", "[01]", 1, 3, "this is not JSON"),
    ("a.json", '{"a" 1}', 1, 6, "this is not JSON"),
    ("a.json", "{1: 1}", 1, 2, "this is not JSON"),
    ("a.json", '["a\\x"]', 1, 2, "this is not JSON"),
    ("a.json", "[1}", 1, 3, "this is not JSON"),
    ("a.json", "[,]", 1, 2, "this is not JSON"),
    ("a.json", "[1,]", 1, 4, "this is not JSON"),
]


@pytest.mark.parametrize(("path", "source", "line", "column", "part"), FAULTS)
def test_faults_have_a_place(compiler: Compiler, path: str, source: str, line: int, column: int, part: str) -> None:
    answer = compiler(path, source)
    assert isinstance(answer, SourceFault), answer
    if part:
        assert (answer.line, answer.column) == (line, column), answer
    assert part.lower() in answer.message.lower()


SOUND = [
    (
        "a.js",
        "using x = f(); class A { static #a = 1; static { this.b = 1 } accessor; } a?.b ?? c ** 2n; /[\\p{L}--x]/v",
    ),
    ("a.js", "#!/usr/bin/env node\nexport const a = 1"),
    ("a.js", "async function f() { for await (const x of y) await x; await using z = x }"),
    ("a.js", "const f = async () => { await 1 }; class A { async m() { await 1 } static x = async () => await 1 }"),
    ("a.js", "label: for (;;) { break label }"),
    ("a.js", "import * as a from './b'; export { a as 'not an identifier', a as default }"),
    ("a.js", ""),
    ("a.js", "// only a comment"),
    ("a.js", "export default function () {} // no line behind it"),
    ("a.js", "/* } */ const _m_ = 1, _m__ = 2; export default _m_"),
    ("a.ts", "declare global { namespace X { const y: 1 } }\ndeclare module 'q' { export namespace Z { let a: 1 } }"),
    (
        "a.ts",
        "declare namespace A.B { let x: 1 }\ntype module = { namespace: 1 }\nlet namespace: module = { namespace: 1 }",
    ),
    ("a.ts", "interface namespace { a: 1 }\ninterface A { namespace: { b: 1 } }"),
    ("a.ts", "const a = <T,>(x: T) => x; const b = { c: 1 } satisfies object as const; b!.c; let c = <any>b"),
    ("a.ts", "function f(this: A, x?: number): asserts x is number; function f(x: any) {}"),
    ("a.ts", "abstract class A<T> implements B { abstract f(): void; declare x: 1; protected override y?: T }"),
    ("a.ts", "import type { A } from './nowhere'; import { type B } from './b'; export type { A }; let x: B"),
    ("a.ts", "import { C } from './c'; const x: C = 1; export interface D extends C {}"),
    ("a.ts", "let x = y as unknown as { [key: string]: <T>(a: T) => T }[]"),
    ("a.mts", "export type A = `${string}-x`; export default {} as A"),
    ("a.tsx", "const f = <T extends object>(x: T) => <b a={1} {...x}>{/* no */}<>&amp;</></b>"),
    ("a.cjs", "with (a) {} return 010"),
    ("a.js", "if (x) return; module.exports = 017"),
]


@pytest.mark.parametrize(("path", "source"), SOUND)
def test_what_is_sound_compiles(compiler: Compiler, path: str, source: str) -> None:
    answer = compiler(path, source)
    assert isinstance(answer, CompiledModule), answer


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import './a'", [("./a", 1, 8, False, ())]),
        ("import a, { b as c, default as d } from\n'./a'", [("./a", 2, 1, False, (("default", 8), ("b", 13), ("default", 21)))]),
        ("import * as a from './a'; import b from './a'", [("./a", 1, 20, False, (("default", 34),))]),
        ("export * from './a'; export * as b from './b'", [("./a", 1, 15, False, ()), ("./b", 1, 41, False, ())]),
        ("export { a as b } from './a'", [("./a", 1, 24, False, (("a", 10),))]),
        ("f(import('./a'), import(a))", [("./a", 1, 10, True, ())]),
        ("module.exports = require('./a') + require(b) + c.require('./d')", [("./a", 1, 26, True, ())]),
        ("exports.a = (require) => require('./a')", []),
        ("import { 'a b' as c } from './a'", [("./a", 1, 28, False, (("a b", 10),))]),
    ],
)  # fmt: skip
def test_imports(compiler: Compiler, source: str, imports: list[object]) -> None:
    answer = compiler("api/x.js", source)
    assert isinstance(answer, CompiledModule)
    found = [
        (one.specifier, one.line, one.column, one.dynamic, tuple((name.name, name.column) for name in one.names))
        for one in answer.imports
    ]
    assert found == imports


def test_imports_of_types_are_gone_and_columns_are_those_of_the_source(compiler: Compiler) -> None:
    source = "import type { A } from './a';\nimport { type B, c, D } from './b';\nexport { D };\nlet x: A = c"
    answer = compiler("a.ts", source)
    assert isinstance(answer, CompiledModule)
    (found,) = answer.imports
    assert (found.specifier, found.line, found.column) == ("./b", 2, 30)
    # D may be a type that is exported again: it is not asked for
    assert [(name.name, name.line, name.column) for name in found.names] == [("c", 2, 18)]


@pytest.mark.parametrize(
    ("path", "source", "exports", "stars"),
    [
        ("a.js", "export const a = 1, { b, c: [d = 2, ...e], ...f } = g; var g", "abdef", ()),
        ("a.js", "export function a() {} export class b {} export async function* c() {}", "abc", ()),
        ("a.js", "export default 1; const x = 1; export { x as 'y' }", ("default", "y"), ()),
        ("a.js", "export * from './a'; export * as b from './b'; export { default } from './c'", ("b", "default"), ("./a",)),
        ("a.ts", "export type A = 1; export interface B {} export enum C { D } export declare const e: 1; export const f = 1", "Cf", ()),
        ("a.json", "[]", ("default",), ()),
        ("a.js", "exports.a = 1", None, ()),
        ("a.js", "let a", (), ()),
        ("a.js", "const exports = {}; exports.a = 1", (), ()),
    ],
)  # fmt: skip
def test_exports(compiler: Compiler, path: str, source: str, exports: str | None, stars: tuple[str, ...]) -> None:
    answer = compiler(path, source)
    assert isinstance(answer, CompiledModule)
    assert answer.exports == (None if exports is None else tuple(exports)) or sorted(answer.exports or ()) == sorted(
        exports or ()
    )
    assert answer.stars == stars


def test_too_deep_is_a_fault_and_no_crash(compiler: Compiler) -> None:
    for path, source in (
        ("a.js", "[" * 50_000),
        ("a.ts", "(" * 50_000),
        ("a.json", "[" * 100_000),
        ("a.js", "1" + "+1" * 100_000),
    ):
        answer = compiler(path, source)
        assert isinstance(answer, SourceFault)
    assert isinstance(compiler("a.js", "1"), CompiledModule)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(("a.js", "a.ts", "a.tsx", "a.jsx", "a.cjs", "a.json")),
    st.lists(
        st.sampled_from(
            ["import ", "export ", "default ", "{", "}", "(", ")", "a", "b", " from './x'", "=>", "=", ";", "\n", "class ",
             "function ", "async ", "await ", "*", ",", ": number", "<a>", "</a>", "`", "'", "/", "//", "\u2028", "type ",
             "import(", "import.meta", "const ", "let ", "...", "[", "]", "as ", "enum ", "namespace ", "declare ", "é", "1"]
        ),
        max_size=25,
    ),
)  # fmt: skip
def test_anything_compiles_or_has_a_place(compiler: Compiler, path: str, pieces: list[str]) -> None:
    source = "".join(pieces)
    answer = compiler(path, source)
    if isinstance(answer, SourceFault):
        lines = source.replace("\u2028", "\n").split("\n")
        assert 1 <= answer.line <= len(lines)
        assert 1 <= answer.column <= len(lines[answer.line - 1]) + 1
        assert answer.message


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", '{"error": 1}', '{"code": "", "imports": [1]}', "1", "nope"]
)
def test_what_the_compiler_never_says(answer: str) -> None:
    with pytest.raises(ValueError):
        read_answer(answer)


def test_messages_are_fit_to_be_shown() -> None:
    answer = read_answer('{"error": {"message": "unexpected \\ud83d\\u001b[2J", "line": 1, "column": 2}}')
    assert answer == SourceFault("unexpected \ufffd\ufffd[2J", 1, 2)
