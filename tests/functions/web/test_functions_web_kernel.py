"""What the kernel makes of a call, and how it takes an answer apart."""

import json
from typing import Any

import pytest
from bare_v8 import Isolate


def request(isolate: Isolate, expression: str, **parts: Any) -> Any:
    """Make a request of these parts and return the value of an expression over it."""
    given = {"method": "GET", "url": "http://a.test/x?y=1", "headers": [], "body": None, **parts}
    return isolate.value(f"(async (request) => ({expression}))(__web.makeRequest({json.dumps(given)}))")


def taken(isolate: Isolate, expression: str) -> Any:
    """Return what the kernel takes from a response."""
    return isolate.value(f"__web.takeResponse({expression})")


def refused(isolate: Isolate, expression: str) -> str:
    """Return the message of the error that an expression ends with."""
    return str(
        isolate.value(f"(async () => {{ try {{ return [await ({expression})] }} catch (e) {{ return `${{e}}` }} }})()")
    )


def test_a_request_has_what_it_was_made_of(isolate: Isolate) -> None:
    headers = [["x-a", "1"], ["cookie", "a=b"], ["x-a", "2"]]
    found = request(
        isolate,
        "[request.method, request.url, request.headers.get('X-A'), [...request.headers.keys()], request.body,"
        " request instanceof Request, request.signal.aborted, request.bodyUsed, await request.text()]",
        headers=headers,
    )
    assert found == ["GET", "http://a.test/x?y=1", "1, 2", ["cookie", "x-a"], None, True, False, False, ""]


def test_its_url_is_what_the_parser_says(isolate: Isolate) -> None:
    assert request(isolate, "request.url", url="http://a.test/%7Ex/../y z?q='") == "http://a.test/y%20z?q=%27"


def test_its_headers_cannot_be_changed(isolate: Isolate) -> None:
    message = refused(
        isolate, "__web.makeRequest({method: 'GET', url: 'http://a/', headers: [], body: null}).headers.set('a', 'b')"
    )
    assert "can't be changed" in message


def test_bytes_are_read_once(isolate: Isolate) -> None:
    made = "__web.makeRequest({method: 'POST', url: 'http://a/', headers: [], body: new Uint8Array([123, 125])})"
    assert isolate.value(f"(async (r) => [await r.json(), r.bodyUsed])({made})") == [{}, True]
    assert "read already" in refused(isolate, f"(async (r) => {{ await r.text(); await r.text() }})({made})")
    assert isolate.value(f"(async (r) => [...(await r.body.getReader().read()).value])({made})") == [123, 125]


def test_a_body_that_is_pulled(isolate: Isolate) -> None:
    isolate.run(
        """globalThis.pulled = (pieces, cancel) => __web.makeRequest({
             method: "POST", url: "http://a/", headers: [["content-type", "text/plain"]],
             body: __web.bodyStream(async () => pieces.shift() ?? null, cancel),
           })"""
    )
    pieces = "[new Uint8Array([65]), new Uint8Array(0), new Uint8Array([66, 67])]"
    assert isolate.value(f"pulled({pieces}).text()") == "ABC"
    assert isolate.value(f"(async (r) => (await r.clone().text()) + (await r.text()))(pulled({pieces}))") == "ABCABC"
    said = isolate.value(
        f"(async () => {{ const said = []; await pulled({pieces}, (why) => said.push(why)).body.cancel('enough');"
        " return said })()"
    )
    assert said == ["enough"]


def test_a_body_that_fails(isolate: Isolate) -> None:
    made = "new Response(__web.bodyStream(async () => { throw new TypeError('the client left') })).text()"
    assert refused(isolate, made) == "TypeError: the client left"


def test_the_signal_is_made_when_it_is_looked_at(isolate: Isolate) -> None:
    isolate.run(
        """globalThis.made = 0;
           globalThis.lazily = __web.makeRequest({
             method: "GET", url: "http://a/", headers: [], body: null,
             signal: () => { made++; return new AbortController().signal },
           })"""
    )
    assert isolate.value("[made, lazily.signal === lazily.signal, made]") == [0, True, 1]
    found = isolate.value(
        "(async (r) => { __web.abortRequest(r, new Error('left'));"
        " return [r.signal.aborted, r.signal.reason.message] })"
        "(__web.makeRequest({method: 'GET', url: 'http://a/', headers: [], body: null}))"
    )
    assert found == [True, "left"]


RESPONSES = [
    ("new Response('hé')", 200, [["content-type", "text/plain;charset=UTF-8"]], "hé"),
    ("new Response('\\ud800')", 200, [["content-type", "text/plain;charset=UTF-8"]], "\ufffd"),
    ("Response.json({a: 1})", 200, [["content-type", "application/json"]], '{"a":1}'),
    ("Response.json(1, {status: 418, headers: {'content-type': 'x/y'}})", 418, [["content-type", "x/y"]], "1"),
    ("new Response(null, {status: 204})", 204, [], None),
    ("new Response('', {headers: [['a', '1'], ['A', '2']]})", 200, None, ""),
    ("Response.redirect('http://a.test/x')", 302, [["location", "http://a.test/x"]], None),
    ("Response.redirect('/login?next=%2F', 303)", 303, [["location", "/login?next=%2F"]], None),
    ("new Response(new URLSearchParams({a: 'b c'}))", 200, None, "a=b+c"),
]


@pytest.mark.parametrize(("expression", "status", "headers", "body"), RESPONSES)
def test_what_the_kernel_takes(isolate: Isolate, expression: str, status: int, headers: Any, body: Any) -> None:
    found = taken(isolate, expression)
    assert (found["status"], found["body"]) == (status, body)
    if headers is not None:
        assert found["headers"] == headers


def test_set_cookie_stays_apart(isolate: Isolate) -> None:
    found = taken(
        isolate,
        "(() => { const r = new Response('x'), h = r.headers;"
        " h.append('Set-Cookie', 'a=1'); h.append('set-cookie', 'b=2'); return r })()",
    )
    assert found["headers"][1:] == [["set-cookie", "a=1"], ["set-cookie", "b=2"]]


def test_bytes_blobs_and_streams_are_taken_as_they_are(isolate: Isolate) -> None:
    assert isolate.value("[...__web.takeResponse(new Response(new Uint8Array([1, 2]))).body]") == [1, 2]
    assert isolate.value("[...__web.takeResponse(new Response(new Blob(['AB']))).body]") == [65, 66]
    assert isolate.value(
        "(() => { const s = new ReadableStream(); return __web.takeResponse(new Response(s)).body === s })()"
    )


def test_a_response_from_a_string_needs_no_streams() -> None:
    fresh = Isolate()
    taken(fresh, "Response.json({a: 1})")
    fresh.run("globalThis.fresh = Object.getOwnPropertyDescriptor(globalThis, 'ReadableStream').get !== undefined")
    assert fresh.value("fresh") is True


NOT_RESPONSES = [
    ("undefined", "The handler must return a Response, it returned undefined"),
    ("null", "it returned null"),
    ("'text'", "it returned a string: return new Response(text)"),
    ("({a: 1})", "it returned an object of class Object: return Response.json(value)"),
    ("42", "it returned number"),
    ("() => 1", "it returned a function"),
    ("Object.create(Response.prototype)", "an object of class Response"),
    ("new Proxy({}, {get() { throw 1 }})", "it returned an object"),
    ("Response.error()", "Response.error()"),
    ("(() => { const r = new Response('x'); r.text(); return r })()", "read already"),
    ("(() => { const r = new Response('x'); r.body.getReader(); return r })()", "locked"),
]


@pytest.mark.parametrize(("expression", "message"), NOT_RESPONSES)
def test_what_is_no_response_is_refused_clearly(isolate: Isolate, expression: str, message: str) -> None:
    found = refused(isolate, f"__web.takeResponse({expression})")
    assert found.startswith("TypeError: ")
    assert message in found


HOSTILE = [
    "Array.prototype.push = () => { throw 1 }",
    "Array.prototype[Symbol.iterator] = () => { throw 1 }",
    "String.prototype.toLowerCase = () => 'x'",
    "RegExp.prototype.exec = () => null",
    "RegExp.prototype.test = () => true",
    "Promise.prototype.then = () => { throw 1 }",
    "Object.prototype.get = () => 1; Object.prototype.status = 500",
    "globalThis.Headers = globalThis.Response = globalThis.ReadableStream = undefined",
    "Uint8Array.prototype.set = () => { throw 1 }",
    "JSON.stringify = () => 'x'; JSON.parse = () => 'x'",
]


@pytest.mark.parametrize("attack", HOSTILE)
def test_changed_prototypes_do_not_reach_the_way_of_a_call(attack: str) -> None:
    hostile = Isolate()
    hostile.run(
        """globalThis.make = (R) => async (parts) => {
             const request = __web.makeRequest(parts);
             const text = await request.text();
             return __web.takeResponse(R.json({ a: request.headers.get("X-A"), text }));
           };
           globalThis.go = make(Response);"""
    )
    hostile.run(
        f"""globalThis.done = "nothing";
            (async () => {{
              const body = new Uint8Array([66]);
              {attack};
              const taken = await go({{ method: "POST", url: "http://a/", headers: [["x-a", "1"]], body }});
              done = `${{taken.status}} ${{taken.headers[0][0]}} ${{taken.headers[0][1]}} ${{taken.body}}`;
            }})()"""
    )
    assert hostile.text("done") == '200 content-type application/json {"a":"1","text":"B"}'


def test_internals_stay_inside(isolate: Isolate) -> None:
    assert isolate.value("typeof globalThis.__host") == "undefined"
    names = isolate.value("Object.keys(globalThis).filter((name) => !name.startsWith('__'))")
    assert set(names) & {"Request", "fetch", "URL", "ReadableStream"} == set()
    described = isolate.value(
        "['Request', 'fetch', 'URLPattern', 'structuredClone'].map((name) => { globalThis[name];"
        " const d = Object.getOwnPropertyDescriptor(globalThis, name);"
        " return [typeof d.value, d.value.name, d.writable, d.enumerable, d.configurable] })"
    )
    assert described == [
        ["function", name, True, False, True] for name in ("Request", "fetch", "URLPattern", "structuredClone")
    ]


def test_a_global_that_is_not_loaded_yet_can_be_replaced() -> None:
    own = Isolate()
    assert own.value("(() => { globalThis.URLPattern = 5; return URLPattern })()") == 5


def test_errors_of_microtasks_and_listeners_are_reported() -> None:
    own = Isolate()
    own.run(
        """globalThis.reported = [];
           __web.setErrorReporter((error) => reported.push(error));
           queueMicrotask(() => { throw "a" });
           const target = new EventTarget();
           target.addEventListener("x", () => { throw "b" });
           target.dispatchEvent(new Event("x"));
           reportError("c");"""
    )
    assert sorted(own.value("reported")) == ["a", "b", "c"]


def test_navigator_and_performance(isolate: Isolate) -> None:
    assert isolate.value("navigator.userAgent") == "Fazt"
    assert isolate.value("performance.now() > 0 && performance.now() < performance.now()") is True
    assert isolate.value("performance.timeOrigin") == 1700000000000
