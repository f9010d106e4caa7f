"""How values look in the log."""

import pytest
from bare_v8 import Isolate

VALUES = [
    ("'text'", "text"),
    ("['a', \"it's\", `both ' and \"`]", "[ 'a', \"it's\", `both ' and \"` ]"),
    ("-0", "-0"),
    ("[1n, null, undefined, true, Symbol('s')]", "[ 1n, null, undefined, true, Symbol(s) ]"),
    ("{}", "{}"),
    ("[]", "[]"),
    ("{a: 1, 'b-c': [1, {d: new Date(0)}]}", "{ a: 1, 'b-c': [ 1, { d: 1970-01-01T00:00:00.000Z } ] }"),
    ("[1, , 3, , ,]", "[ 1, <1 empty item>, 3, <2 empty items> ]"),
    ("new Map([[{a: 1}, 'b']])", "Map(1) { { a: 1 } => 'b' }"),
    ("new Set([1, 'a'])", "Set(2) { 1, 'a' }"),
    ("{a: {b: {c: {d: {e: {}}}}}}", "{ a: { b: { c: { d: { e: [Object] } } } } }"),
    ("new (class Foo { x = 1 })", "Foo { x: 1 }"),
    ("Object.create(null)", "[Object: null prototype] {}"),
    ("function named() {}", "[Function: named]"),
    ("() => 1", "[Function (anonymous)]"),
    ("class A {}", "[class A]"),
    ("class {}", "[class (anonymous)]"),
    ("/a/g", "/a/g"),
    ("new Date(NaN)", "Invalid Date"),
    ("new Uint8Array([1, 2])", "Uint8Array(2) [ 1, 2 ]"),
    ("new ArrayBuffer(3)", "ArrayBuffer { byteLength: 3 }"),
    ("Promise.resolve(1)", "Promise {}"),
    ("new WeakMap()", "WeakMap { <items unknown> }"),
    ("Object('x')", "[String: 'x']"),
    ("new URL('http://a/b')", "URL { 'http://a/b' }"),
    ("new Headers({A: 'b'})", "Headers { 'a' => 'b' }"),
    ("new Blob(['abc'], {type: 'x/y'})", "Blob { size: 3, type: 'x/y' }"),
    ("{get a() { throw 1 }, set b(x) {}}", "{ a: [Getter], b: [Setter] }"),
    ("new Proxy({}, {ownKeys() { throw 1 }})", "[a value that can't be shown]"),
]


@pytest.mark.parametrize(("expression", "text"), VALUES)
def test_values(isolate: Isolate, expression: str, text: str) -> None:
    assert isolate.value(f"__web.inspect(({expression}))") == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("'%s is %d years and %i', 'Bob', 42.5, 42.9", "Bob is 42.5 years and 42"),
        ("'%o %O %j', {a: 1}, [2], {b: 3}", '{ a: 1 } [ 2 ] {"b":3}'),
        ("'100%% %s', 1, {a: 2}", "100% 1 { a: 2 }"),
        ("'%s'", "%s"),
        ("'%cred', 'color: red'", "red"),
        ("1, 'a', [2]", "1 a [ 2 ]"),
    ],
)
def test_formats(isolate: Isolate, arguments: str, text: str) -> None:
    assert isolate.value(f"__web.inspect({arguments})") == text


def test_circles(isolate: Isolate) -> None:
    isolate.run("globalThis.circle = {name: 'a'}; circle.self = circle; circle.list = [circle]")
    assert isolate.value("__web.inspect(circle)") == (
        "<ref *1> { name: 'a', self: [Circular *1], list: [ [Circular *1] ] }"
    )


def test_errors_have_their_stack_and_cause(isolate: Isolate) -> None:
    text = isolate.value("__web.inspect(new TypeError('bad', {cause: new Error('why')}))")
    first, *rest = text.split("\n")
    assert first == "TypeError: bad"
    assert rest[0].strip().startswith("at ")
    assert "[cause]: Error: why" in text
    assert isolate.value("__web.inspect(new DOMException('m', 'AbortError'))").startswith("AbortError: m")
    assert "code: 'x'" in isolate.value("__web.inspect(Object.assign(new Error('m'), {code: 'x'}))")
    assert isolate.value("__web.inspect({a: Object.assign(new Error('m'), {stack: 'E: m'})})") == "{ a: E: m }"


BOMBS = [
    "'x'.repeat(1e6)",
    "['x'.repeat(1e6)]",
    "Array.from({length: 1e5}, (_, i) => ({i}))",
    "(() => { let x = {}; for (let i = 0; i < 1e4; i++) x = {x}; return x })()",
    "(() => { const f = (d) => d === 0 ? 1 : Array.from({length: 90}, () => f(d - 1)); return f(3) })()",
    "(() => { let x = [1]; for (let i = 0; i < 60; i++) x = [x, x]; return x })()",
    "new Array(2 ** 32 - 1)",
    "new Map(Array.from({length: 1e5}, (_, i) => [i, i]))",
    "Object.fromEntries(Array.from({length: 1e5}, (_, i) => [`k${i}`, i]))",
    "new Uint8Array(1e7)",
    "Object.assign(new Error('x'.repeat(1e6)), {stack: 'y'.repeat(1e6)})",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_length_and_time_are_bounded(isolate: Isolate, bomb: str) -> None:
    assert isolate.value(f"__web.inspect({bomb}).length") <= 8192


def test_wide_objects_go_over_lines(isolate: Isolate) -> None:
    text = isolate.value("__web.inspect({first: 'x'.repeat(40), second: {third: 'y'.repeat(40)}})")
    assert text == "{{\n  first: '{}',\n  second: {{ third: '{}' }}\n}}".format("x" * 40, "y" * 40)
