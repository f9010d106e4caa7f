"""`fetch`: what the host is asked, and what becomes of its answers."""

from typing import Any

import pytest
from bare_v8 import Isolate

# The host of these tests: `replies` by operation; streams are lists of pieces; everything that is asked is kept.
HOST = """
globalThis.replies = {};
globalThis.pieces = [];
globalThis.written = [];
globalThis.bytesOf = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
globalThis.__onCall = async (op, value, bytes) => {
  if (replies[op]) return replies[op](value, bytes);
  if (op === "fetch.open") return { value: { id: 7 } };
  if (op === "stream.read") {
    const piece = pieces.shift();
    return piece === undefined ? { value: { done: true } } : { value: { done: false }, bytes: bytesOf(piece) };
  }
  if (op === "stream.write") written.push(__web.decodeUtf8(bytes));
  return { value: null };
};
globalThis.answer = (more) => ({
  value: {
    status: 200, statusText: "OK", url: "http://b.test/", redirected: false, headers: [], stream: null, ...more,
  },
  bytes: bytesOf("hello"),
});
replies.fetch = () => answer({});
globalThis.refused = async (promise) => {
  try {
    return ["no error", await promise];
  } catch (error) {
    return [`${error.name}: ${error.message}`, error.code ?? null, error.cause?.code ?? null];
  }
};
"""


@pytest.fixture
def isolate() -> Isolate:
    isolate = Isolate()
    isolate.run(HOST)
    return isolate


def asked(isolate: Isolate) -> list[Any]:
    """Return the operations that the host was asked for, and their values."""
    return isolate.value("__calls.map(([op, value, bytes]) => [op, value, bytes ? __web.decodeUtf8(bytes) : null])")


def test_a_plain_get(isolate: Isolate) -> None:
    isolate.run("replies.fetch = () => answer({headers: [['X-A', '1'], ['Set-Cookie', 'a'], ['Set-Cookie', 'b']]})")
    found = isolate.value(
        "(async (r) => [r.status, r.ok, r.url, r.redirected, r.type, [...r.headers], await r.text()])"
        "(await fetch('http://b.test/x?y#z', {headers: {Accept: 'a/b'}}))"
    )
    headers = [["set-cookie", "a"], ["set-cookie", "b"], ["x-a", "1"]]
    assert found == [200, True, "http://b.test/", False, "basic", headers, "hello"]
    value = {"method": "GET", "url": "http://b.test/x?y", "headers": [["accept", "a/b"]], "redirect": "follow"}
    assert asked(isolate) == [["fetch", {**value, "body": None, "request": 1}, None]]


def test_a_short_body_goes_along(isolate: Isolate) -> None:
    isolate.value("(await fetch('http://b.test/', {method: 'POST', body: '{}', redirect: 'manual'})).status")
    [[op, value, data]] = asked(isolate)
    assert (op, value["body"], value["redirect"], data) == ("fetch", "inline", "manual", "{}")
    assert value["headers"] == [["content-type", "text/plain;charset=UTF-8"]]


def test_a_long_body_goes_in_pieces(isolate: Isolate) -> None:
    isolate.run(
        """let close;
           replies["fetch.response"] = () => new Promise((resolve) => (close = () => resolve(answer({}))));
           replies["stream.close"] = () => close();"""
    )
    isolate.value("(await fetch('http://b.test/', {method: 'PUT', body: 'x'.repeat(1100000)})).status")
    assert isolate.value("[written.length, written.join('').length, Math.max(...written.map((w) => w.length))]") == [
        5,
        1100000,
        262144,
    ]
    assert [op for op, _, _ in asked(isolate) if op != "stream.write"] == [
        "fetch.open",
        "fetch.response",
        "stream.close",
    ]


def test_a_stream_is_sent_while_the_answer_comes(isolate: Isolate) -> None:
    isolate.run(
        """let answered;
           replies["fetch.response"] = () => new Promise((resolve) => (answered = resolve));
           globalThis.source = new ReadableStream({
             async pull(controller) {
               controller.enqueue(bytesOf("a"));
               if (written.length === 2) { answered(answer({})); controller.close(); }
             },
           });"""
    )
    expression = "(await (await fetch('http://b.test/', {method: 'POST', body: source, duplex: 'half'})).text())"
    assert isolate.value(expression) == "hello"
    assert isolate.value("written.length >= 2") is True


def test_a_stream_that_fails_fails_the_call(isolate: Isolate) -> None:
    isolate.run(
        """replies["fetch.response"] = () => new Promise(() => {});
           globalThis.source = new ReadableStream({ pull() { throw new RangeError("broken") } });"""
    )
    found = isolate.value("refused(fetch('http://b.test/', {method: 'POST', body: source, duplex: 'half'}))")
    assert found[0] == "TypeError: fetch: broken"
    assert ["stream.abort", {"id": 7, "reason": "broken"}, None] in asked(isolate)


def test_the_answer_may_be_a_stream(isolate: Isolate) -> None:
    isolate.run("replies.fetch = () => answer({stream: 9}); pieces.push('ab', '', 'c')")
    assert isolate.value("(await fetch('http://b.test/')).text()") == "abc"
    assert [value for op, value, _ in asked(isolate) if op == "stream.read"] == [{"id": 9}] * 4


def test_nothing_is_read_before_somebody_asks(isolate: Isolate) -> None:
    isolate.run("replies.fetch = () => answer({stream: 9}); pieces.push('ab', 'c')")
    isolate.value("(await fetch('http://b.test/')).body.getReader() && null")
    assert [op for op, _, _ in asked(isolate)] == ["fetch"]
    isolate.value("(async (r) => { await r.body.cancel() })(await fetch('http://b.test/'))")
    assert [op for op, _, _ in asked(isolate)] == ["fetch", "fetch", "stream.cancel"]


@pytest.mark.parametrize("status", [204, 205, 304])
def test_answers_without_a_body(isolate: Isolate, status: int) -> None:
    isolate.run(f"replies.fetch = () => answer({{status: {status}}})")
    assert isolate.value("(await fetch('http://b.test/')).body") is None


def test_what_the_host_refuses_is_a_type_error(isolate: Isolate) -> None:
    isolate.run(
        """replies.fetch = () => {
             const error = new Error("10.0.0.1 is a private address");
             error.code = "address_refused";
             throw error;
           }"""
    )
    found = isolate.value("refused(fetch('http://b.test/'))")
    assert found == ["TypeError: fetch: 10.0.0.1 is a private address", "address_refused", "address_refused"]


def test_a_stream_that_breaks_is_a_type_error(isolate: Isolate) -> None:
    isolate.run(
        """replies.fetch = () => answer({ stream: 9 });
           replies["stream.read"] = () => { throw new Error("the connection was lost") }"""
    )
    assert (
        isolate.value("refused((await fetch('http://b.test/')).text())")[0]
        == "TypeError: fetch: the connection was lost"
    )


def test_abort_before_during_and_after_the_answer(isolate: Isolate) -> None:
    isolate.run("globalThis.controller = new AbortController()")
    found = isolate.value("refused(fetch('http://b.test/', {signal: AbortSignal.abort(new RangeError('no'))}))")
    assert found[0] == "RangeError: no"
    assert asked(isolate) == []
    isolate.run("replies.fetch = () => new Promise(() => {})")
    isolate.run("setTimeout(() => controller.abort(), 10)")
    assert isolate.value("refused(fetch('http://b.test/', {signal: controller.signal}))")[0].startswith("AbortError: ")
    assert asked(isolate)[-1] == ["fetch.cancel", {"request": 1}, None]
    isolate.run("replies.fetch = () => answer({stream: 9}); controller = new AbortController(); pieces.push('a')")
    isolate.run("replies['stream.read'] = () => new Promise(() => {})")
    found = isolate.value(
        "(async (r) => { const read = refused(r.text()); controller.abort(); return read })"
        "(await fetch('http://b.test/', {signal: controller.signal}))"
    )
    assert found[0].startswith("AbortError: ")
    assert asked(isolate)[-1] == ["fetch.cancel", {"id": 9}, None]


def test_a_timeout(isolate: Isolate) -> None:
    isolate.run("replies.fetch = () => new Promise(() => {})")
    found = isolate.value("refused(fetch('http://b.test/', {signal: AbortSignal.timeout(50)}))")
    assert found[0] == "TimeoutError: The operation timed out after 50 ms"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/relative", "is not an absolute URL"),
        ("file:///etc/passwd", "only http, https and data URLs"),
        ("ftp://a.test/", "only http, https and data URLs"),
        ("blob:http://a.test/x", "only http, https and data URLs"),
        ("http://user:secret@a.test/", "user name or a password"),
        ("data:,", "no error"),
        ("data:x", "can't be read"),
    ],
)
def test_other_urls(isolate: Isolate, url: str, message: str) -> None:
    found = isolate.value(f"refused((async () => (await fetch({url!r})).status)())")
    assert message in found[0]
    assert found[0].startswith("TypeError") or message == "no error"
    assert asked(isolate) == []


def test_a_request_may_be_sent_on(isolate: Isolate) -> None:
    isolate.run(
        """globalThis.incoming = __web.makeRequest({
             method: "POST", url: "http://a.test/", headers: [["x-a", "1"]], body: bytesOf("body"),
           })"""
    )
    isolate.value("(await fetch(new Request(incoming, {headers: {'x-b': '2'}}))).status")
    [[_, value, data]] = asked(isolate)
    assert (value["method"], value["headers"], data) == ("POST", [["x-b", "2"]], "body")
    assert isolate.value("incoming.bodyUsed") is True
