"""Modules that run: what they see of each other, what stacks say, and what JSX becomes."""

# ruff: noqa: E501 - a source stands on one line where its columns matter, and beside what it gives

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from module_isolate import Compiler, MakeSite, Site

from fazt.functions.sources import is_module, resolve_import

MAIN = "api/main.ts"


def run(site: MakeSite, sources: dict[str, str], expression: str = "m.default") -> object:
    """Return what an expression over `m`, the namespace of the main module, gives."""
    return site(sources).value(f"((m) => {expression})(loader.load('{MAIN}'))")


CASES: list[tuple[dict[str, str], object]] = [
    # imports and exports
    ({MAIN: "import { a, b as c } from './x'; export default [a, c]", "api/x.js": "export const a = 1, b = 2"}, [1, 2]),
    ({MAIN: "import x, * as y from './x'; export default [x, y.default, y.a, Object.keys(y)]",
      "api/x.js": "export default 1; export let a = 2"}, [1, 1, 2, ["default", "a"]]),
    ({MAIN: "import { f as default_ } from './x'; export default default_()", "api/x.js": "export function f() { return 3 }"}, 3),
    ({MAIN: "import x from './x'; export default x + new x().y",
      "api/x.js": "export default class { static toString() { return 'c' } y = 1 }"}, "c1"),
    ({MAIN: "import x from './x'; export default [...x()]", "api/x.js": "export default function* () { yield 1 }"}, [1]),
    ({MAIN: "import x from './x'; export default x(1)", "api/x.js": "export default (a) => a + 1\n;[1].map(String)"}, 2),
    ({MAIN: "import { z } from './x'; export default z", "api/x.js": "export * from './y'; export * from './z'; export const z = 1",
      "api/y.js": "export const z = 2, default_ = 3", "api/z.js": "export default 4"}, 1),
    ({MAIN: "import { a } from './x'; export default Object.keys(a)", "api/x.js": "export * as a from './y'",
      "api/y.js": "export default 4; export const b = 1"}, ["default", "b"]),
    ({MAIN: "import { b, default as d } from './x'; export default [b, d]", "api/x.js": "export { a as b, c as default } from './y'",
      "api/y.js": "export const a = 1, c = 2"}, [1, 2]),
    ({MAIN: "import { 'a b' as c } from './x'; export default c", "api/x.js": "const a = 5; export { a as 'a b' }"}, 5),
    # live bindings
    ({MAIN: "import { n, up } from './x'; up(); up(); export default n", "api/x.js": "export let n = 0; export const up = () => n++"}, 2),
    ({MAIN: "import { n, up } from './x'; const f = () => n; up(); export default { n, f: f(), g: `${n}` }.g",
      "api/x.js": "export let n = 0; export function up() { n += 1 }"}, "1"),
    # imported names where they mean something else, and where they do not
    ({MAIN: "import { a } from './x'; const f = (a) => a; { let a = 3 } function g() { return a; var a = 4 } "
            "export default [f(2), a, g() ?? null, { a }.a, { a: 9 }.a, ((b = a) => b)(), (({ a: c = a }) => c)({})]",
      "api/x.js": "export const a = 1"}, [2, 1, None, 1, 9, 1, 1]),
    ({MAIN: "import { a } from './x'; let r; try { throw 5 } catch (a) { r = a } for (const a of [6]) r += a; a: for (;;) break a;"
            "switch (1) { case 1: let a = 7; r += a } class B { a = a; ['a' + a]() { return a } static a() { return a } }"
            "export default [r, new B().a, new B().a1(), B.a(), (function a() { return typeof a })()]",
      "api/x.js": "export const a = 1"}, [18, 1, 1, 1, "function"]),
    ({MAIN: "import { f } from './x'\nconst a = 1\nf()\nif (a) f()\nconst b = () => f()\nf`x`\nexport default [f?.() ?? 'no', f.call(1), b() ?? 'no']",
      "api/x.js": "export function f() { return this }"}, ["no", 1, "no"]),
    ({MAIN: "import { f } from './x'\nlet s = 'a'\nimport './y'\n[1].push(2)\nexport { s }\n;(s)\nexport default new f(2).x",
      "api/x.js": "export class f { constructor(x) { this.x = x } }", "api/y.js": ""}, 2),
    # imports come first, whatever stands before them
    ({MAIN: "globalThis.seen = [...(globalThis.seen ?? []), 'main']; import './x'; export default globalThis.seen",
      "api/x.js": "globalThis.seen = ['x']"}, ["x", "main"]),
    # cycles
    ({MAIN: "import { odd } from './odd'; export function even(n: number): boolean { return n === 0 || odd(n - 1) } export default even(10)",
      "api/odd.js": "import { even } from './main.js'; export function odd(n) { return n !== 0 && even(n - 1) }"}, True),
    ({MAIN: "import * as b from './b'; export const early = 1; export default b.late()",
      "api/b.js": "import { early } from './main'; let r; try { r = early } catch (e) { r = e.name } export const late = () => [r, early]"},
     ["ReferenceError", 1]),
    ({MAIN: "export * from './b'; import { c } from './b'; export const a = 1; export default c()",
      "api/b.js": "import * as m from './main'; export const b = 2; export const c = () => [m.a, m.b]"}, [1, 2]),
    # module words
    ({MAIN: "export default [import.meta.url, typeof this, typeof arguments]"}, ["file:///api/main.ts", "undefined", "object"]),
    ({MAIN: "export default delete Object.freeze([1])[0]"}, "ERROR TypeError"),
    # JSON, CommonJS
    ({MAIN: "import d from './d.json' with { type: 'json' }; import e from './d.json'; export default [d, d === e]",
      "api/d.json": '\ufeff{"a": [1]}'}, [{"a": [1]}, True]),
    ({MAIN: "import x, { a } from './x'; export default [x, a]", "api/x.js": "exports.a = 1; exports.b = require('./y.cjs')(2)",
      "api/y.cjs": "module.exports = (n) => n + 1"}, [{"a": 1, "b": 3}, 1]),
    ({MAIN: "import x, { b } from './x.cjs'; export default [x, b]",
      "api/x.cjs": "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = 7; exports.b = 8"}, [7, 8]),
    ({MAIN: "import x from './x.cjs'; export default x",
      "api/x.cjs": "let e; try { require('left-pad') } catch (error) { e = error.code } module.exports = [e, require('./y').default, require('./d'), this === exports]",
      "api/y.js": "export default 1", "api/d.json": "[2]"}, ["MODULE_NOT_FOUND", 1, [2], True]),
    ({MAIN: "import U from './u'; export default U.a", "api/u.js":
      "(function (root, factory) { typeof exports === 'object' && typeof module !== 'undefined' ? module.exports = factory()"
      " : (root.U = factory()) })(this, function () { 'use strict'; return { a: 1 } })"}, 1),
    # TypeScript
    ({MAIN: "enum A { B, C = 'x', D = 1 << 3 } const enum E { F = 2 } export default [A.B, A[0], A.C, A.D, E.F]"}, [0, "B", "x", 8, 2]),
    ({MAIN: "class A { constructor(private x: number, readonly y = 2) {} get z() { return this.x + this.y } } export default new A(1).z"}, 3),
    ({MAIN: "abstract class A { abstract f(): number; g() { return this.f() } } class B extends A { override f() { return 4 } } export default new B().g()"}, 4),
    ({MAIN: "import { type T, v } from './x'; import type { U } from './nowhere'; export default (v satisfies T) as U", "api/x.ts":
      "export type T = number; export const v = 5"}, 5),
    ({MAIN: "function f<T>(this: void, x?: T): x is T { return x! === undefined } export default f<number>()"}, True),
    # where an import leads
    ({MAIN: "import a from './x.js'; import b from '../joint'; import c from '/lib/c'; import d from 'pkg'; import e from '@s/p/sub.js'; import f from '.'; export default [a, b, c, d, e, f]",
      "api/x.ts": "export default 'ts'", "joint.js": "export default 'root'", "lib/c/index.mjs": "export default 'index'",
      "api/_vendor/pkg/index.js": "export { default } from './inner.js'", "api/_vendor/pkg/inner.js": "export default 'vendored'",
      "api/_vendor/@s/p/sub.js": "export default 'scoped'", "api/index.js": "export default 'folder'"},
     ["ts", "root", "index", "vendored", "scoped", "folder"]),
]  # fmt: skip


@pytest.mark.parametrize(("sources", "expected"), CASES)
def test_what_the_main_module_exports(site: MakeSite, sources: dict[str, str], expected: object) -> None:
    found = run(site, sources)
    if isinstance(expected, str) and expected.startswith("ERROR"):
        assert str(found).startswith(expected)
    else:
        assert found == expected


def test_a_module_runs_once_and_only_when_it_is_wanted(site: MakeSite) -> None:
    isolate = site(
        {
            MAIN: "import './x'; import './y'",
            "api/x.js": "globalThis.runs = (globalThis.runs ?? 0) + 1",
            "api/y.js": "import './x'",
            "api/z.js": "runs = 100",
        }
    )
    assert isolate.value(f"[loader.load('{MAIN}') === loader.load('{MAIN}'), runs]") == [True, 1]


def test_dynamic_imports(site: MakeSite) -> None:
    sources = {
        MAIN: "export default async (n: string) => (await import(`./${n}.js`)).default;\n"
        "export const same = async () => (await import('./x')) === (await import('./x.js'));\n"
        "export const order = () => { const seen = ['a']; const p = import('./y').then(() => seen.push(globalThis.y));"
        " seen.push(globalThis.y ?? 'not yet'); return p.then(() => seen) };",
        "api/x.js": "export default 1",
        "api/y.js": "globalThis.y = 'loaded'",
    }
    assert run(site, sources, "m.default('x')") == 1
    assert run(site, sources, "m.same()") is True
    assert run(site, sources, "m.order()") == ["a", "not yet", "loaded"]
    assert "there is no module './z.js' in this site (imported by api/main.ts)" in str(
        run(site, sources, "m.default('z')")
    )


@pytest.mark.parametrize(
    ("specifier", "part"),
    [
        ("node:fs", "'node:fs' is a part of Node.js, which is not here"),
        ("https://x.example/a.js", "only files of the site can be"),
        ("zod", "'zod' is not in this site: bundle it, or put it into api/_vendor/ (api/_vendor/zod.js)"),
        ("../../x", "there is no module '../../x'"),
        ("zod/../../main", "is not in this site"),
    ],
)
def test_imports_that_lead_nowhere(site: MakeSite, specifier: str, part: str) -> None:
    found = str(run(site, {MAIN: f"export default (s) => import('{specifier}')"}, "m.default()"))
    assert part in found


def test_a_module_that_fails_goes_on_failing_the_same_way(site: MakeSite) -> None:
    isolate = site(
        {
            MAIN: "import './x'\nglobalThis.ran = true",
            "api/x.ts": "type A = 1\n\nthrow new Error('not today')",
            "api/y.js": "import './x'",
        }
    )
    isolate.run(
        "globalThis.failures = ['api/main.ts', 'api/main.ts', 'api/y.js', 'api/x.ts'].map((path) => {"
        "  try { loader.load(path) } catch (error) { return error }"
        "})"
    )
    assert isolate.value("failures.every((one) => one === failures[0]) && globalThis.ran") is None
    assert isolate.value("failures.map((one) => one.message)") == ["not today"] * 4
    assert re.search(r"\(?api/x\.ts:3:7\)?", str(isolate.value("failures[0].stack")))


TRACED = {
    MAIN: """import { boom,
  type Options } from './lib.js'
interface Local {
  a: 1
}
export default class<T> {
  go(options: Options): never {
    return boom(
      options as
        any)
  }
}
export {
  here as
    there
}
enum E { A,
  B }
const here = (): string =>
  new Error(`${E.B}
  `).stack!
""",
    "api/lib.ts": "export type Options = {\n  x: 1\n}\nexport function boom(o: Options) {\n  throw new Error('boom')\n}\n//# sourceURL=x.js",
    "api/view.tsx": "const A = () => {\n  throw new Error('view')\n}\nexport default () => <p>\n  text\n  <A/>\n</p>",
}


def test_stacks_name_the_file_and_the_line_of_the_author(site: MakeSite) -> None:
    isolate = site(TRACED)
    stack = str(isolate.value(f"new (loader.load('{MAIN}').default)().go({{}})"))
    assert re.findall(r"(api/[^:]+:\d+)", stack)[:2] == ["api/lib.ts:5", "api/main.ts:8"]
    assert "api/main.ts:20:3" in str(isolate.value(f"loader.load('{MAIN}').there()"))
    view = str(isolate.value("loader.load('api/view.tsx').default()"))
    assert re.findall(r"api/view\.tsx:(\d+)", view) == ["2", "6"]


def test_odd_file_names_stand_in_stacks(site: MakeSite) -> None:
    isolate = site({"api/a 'b' [id].js": "export default () => { throw new Error('x') }"})
    assert "api/a%20%27b%27%20[id].js:1:" in str(isolate.value("""loader.load("api/a 'b' [id].js").default()"""))


def test_columns_are_right_where_no_imported_name_stands_before(site: MakeSite) -> None:
    source = "export default function f() {\n  const x = 1; throw new Error('x') }\nexport const g = () => { throw 1 }"
    assert "api/main.ts:2:22" in str(run(site, {MAIN: source}, "m.default()"))


def test_nothing_of_the_loader_can_be_reached(site: MakeSite) -> None:
    source = (
        "let seen = []; for (const name of ['host', 'modules', 'records', 'load', 'evaluate', 'loaded', 'module', 'require'])"
        " seen.push(eval(`typeof ${name}`)); export default seen"
    )
    assert run(site, {MAIN: source}) == ["undefined"] * 8
    found = run(
        site,
        {MAIN: "export const a = 1"},
        "[Object.getPrototypeOf(m), Object.prototype.toString.call(m), Object.keys(m)]",
    )
    assert found == [None, "[object Module]", ["a"]]
    assert "TypeError" in str(
        run(
            site,
            {MAIN: "import * as m from './main'; export let a = 1; export default () => { m.a = 2 }"},
            "m.default()",
        )
    )


def test_a_script_that_breaks_the_built_ins_breaks_no_later_import(site: MakeSite) -> None:
    isolate = site(
        {
            "api/bad.js": "globalThis.eval = null; Function.prototype.call = null",
            MAIN: "import './x'; export default 1",
            "api/x.js": "",
        }
    )
    isolate.run("loader.load('api/bad.js')")
    assert isolate.value(f"loader.load('{MAIN}').default") == 1


JSX = [
    ("<p/>", "<p></p>"),
    ("<p class='a' id={1} hidden disabled={false} title={null}>x</p>", '<p class="a" id="1" hidden>x</p>'),
    ("<p className='a' htmlFor='b' title={`<\"'&`}>{'<b>'} &lt; &nbsp;</p>",
     '<p class="a" for="b" title="&lt;&quot;&#39;&amp;">&lt;b&gt; &lt; \u00a0</p>'),
    ("<><br/>{1}{0}{null}{undefined}{true}{[<i>a</i>, 'b', [<b/>]]}</>", "<br>10<i>a</i>b<b></b>"),
    ("<p style={{ fontSize: '2px', color: null, '--x': 1 }}/>", '<p style="font-size:2px;--x:1"></p>'),
    ("<p dangerouslySetInnerHTML={{ __html: '<hr>' }}/>", "<p><hr></p>"),
    ("(() => { const A = ({ b, children }) => <u title={b}>{children}</u>; return <A b='c'>d<i/></A> })()", '<u title="c">d<i></i></u>'),
    ("<p onClick={() => 1} key='k' ref={2}>{new Set(['a', 'b'])}</p>", "<p>ab</p>"),
    ("<x-y a-b='1' {...{ e: 3 }}/>", '<x-y a-b="1" e="3"></x-y>'),
    ("<p {...{ a: 1 }} key='k'/>", '<p a="1"></p>'),
    ("<p {...{ 'a onload=x': 1 }}/>", "ERROR TypeError: JSX: \"a onload=x\" is no name of an attribute"),
    ("<p>{Promise.resolve(1)}</p>", "ERROR TypeError: JSX: a child is a promise"),
    ("<p>{{ toString: () => '<script>' }}</p>", "<p>&lt;script&gt;</p>"),
]  # fmt: skip


@pytest.mark.parametrize(("element", "html"), JSX)
def test_jsx_is_html(site: MakeSite, element: str, html: str) -> None:
    found = site({"api/a.jsx": f"export default () => {element}"}).value("String(loader.load('api/a.jsx').default())")
    assert str(found).startswith(html) if html.startswith("ERROR") else found == html


def test_raw_html_and_other_libraries(site: MakeSite) -> None:
    sources = {
        "api/raw.tsx": "import { raw } from 'fazt/jsx-runtime'; export default () => <>{raw('<!doctype html>')}<p/></>",
        "api/classic.jsx": "/** @jsx h */ /** @jsxFrag F */\nimport { h, F } from './h'; export default <><a b='1'>c</a></>",
        "api/other.jsx": "// @jsxImportSource own\nexport default <a b='1'>c</a>",
        "api/h.js": "export const F = 'F', h = (...all) => all",
        "api/_vendor/own/jsx-runtime.js": "export const jsx = (...all) => all",
        "api/root.js": "import { h, Fragment } from 'fazt'; export default String(h(Fragment, null, h('a', { b: 1 }, '<')))",
    }
    isolate = site(sources)
    assert isolate.value("String(loader.load('api/raw.tsx').default())") == "<!doctype html><p></p>"
    assert isolate.value("loader.load('api/classic.jsx').default") == ["F", None, ["a", {"b": "1"}, "c"]]
    assert isolate.value("loader.load('api/other.jsx').default") == ["a", {"b": "1", "children": "c"}]
    assert isolate.value("loader.load('api/root.js').default") == '<a b="1">&lt;</a>'


PARTS = ("a", "b.js", "b.ts", "index.js", "c.json", "d.d.ts", "e.css", "..", ".", "", "_vendor", "api")


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.lists(st.sampled_from([part for part in PARTS if part.strip(".")]), min_size=1, max_size=3).map("/".join), max_size=12),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(PARTS), max_size=4).map("/".join),
            st.sampled_from(("", "./", "../", "/", ".", "..")),
        ),
        min_size=20,
        max_size=40,
    ),
)  # fmt: skip
def test_deploy_and_run_time_find_the_same_files(
    resolving: Site, files: set[str], imports: list[tuple[str, str]]
) -> None:
    modules = {path for path in files if is_module(path)}
    specifiers = [before + rest for rest, before in imports]
    importer = "api/a/b.js"
    found = resolving.value(
        f"((has) => {json.dumps(specifiers)}.map((one) => resolveImport(one, {json.dumps(importer)}, (path) => has.has(path))))"
        f"(new Set({json.dumps(sorted(modules))}))"
    )
    assert found == [resolve_import(one, importer, modules.__contains__) for one in specifiers]


@pytest.fixture(scope="module")
def resolving(compiler: Compiler) -> Site:
    return Site(compiler, {})
