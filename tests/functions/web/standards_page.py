"""docs/web-standards.md: what is there, as an isolate and the web-platform-tests say.

Rule: every name and figure comes from the isolate or the tests; only what people should know beside them is written
here.
"""

import json
from typing import Any

import wpt
from bare_v8 import Isolate

# Areas of the page: title, what stands there, folders of the tests.
AREAS = [
    ("Fetch", ["fetch", "Request", "Response", "Headers"], [
        "fetch/api/headers", "fetch/api/request", "fetch/api/response", "fetch/api/body", "fetch/api/abort",
        "fetch/data-urls",
    ]),
    ("URL", ["URL", "URLSearchParams"], ["url"]),
    ("URL patterns", ["URLPattern"], ["urlpattern"]),
    ("Encoding", ["TextEncoder", "TextDecoder", "TextEncoderStream", "TextDecoderStream"], ["encoding"]),
    ("Base64", ["atob", "btoa"], ["html/webappapis/atob"]),
    ("Streams", [
        "ReadableStream", "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest",
        "ReadableStreamDefaultController", "ReadableByteStreamController", "WritableStream",
        "WritableStreamDefaultWriter", "WritableStreamDefaultController", "TransformStream",
        "TransformStreamDefaultController", "ByteLengthQueuingStrategy", "CountQueuingStrategy",
    ], ["streams"]),
    ("Compression", ["CompressionStream", "DecompressionStream"], ["compression"]),
    ("Files", ["Blob", "File"], ["FileAPI"]),
    ("Forms", ["FormData"], ["xhr/formdata"]),
    ("Abort", ["AbortController", "AbortSignal"], ["dom/abort"]),
    ("Events", ["Event", "CustomEvent", "ErrorEvent", "EventTarget"], ["dom/events"]),
    ("Errors", ["DOMException", "reportError"], []),
    ("Structured clone", ["structuredClone"], ["html/webappapis/structured-clone"]),
    ("Time", ["performance"], ["hr-time"]),
    ("Microtasks", ["queueMicrotask"], ["html/webappapis/microtask-queuing"]),
    ("Crypto", ["crypto", "SubtleCrypto", "CryptoKey"], []),
    ("Who runs this", ["navigator"], []),
]  # fmt: skip

ABSENT = [
    ("MessageChannel, MessagePort, BroadcastChannel", "use a room: `fazt.rooms`"),
    ("Worker, SharedWorker", "use a job: `fazt.jobs.enqueue`"),
    ("WebSocket, EventSource, XMLHttpRequest", "to reach another server, use `fetch`"),
    ("caches, Cache, localStorage, sessionStorage, indexedDB", "use `fazt.kv`"),
    ("FileReader, ImageData, document, window", "there are no pages here"),
    ("process, Buffer, require, global, setImmediate", "functions are web-standard, not Node.js"),
    ("HTMLRewriter, WebSocketPair, Deno, Bun", "those of other platforms"),
]

INTRODUCTION = """# Web standards in functions

<!-- Written by the tests: tools/assets --docs. Change tests/functions/web/standards_page.py, not this page. -->

What a function of a site finds on its global object. Each figure is a run of the
[web-platform-tests](https://web-platform-tests.org/) in the same bare V8 that runs functions: subtests that pass, of
those that ask for what a server can have. Timers and `console` are there too; what Fazt adds stands in `context.fazt`.

## What differs from a browser

- There is no page, so there is no base URL: `new Request("/x")` is an error, `new URL("/x", request.url)` is the way.
  `Response.redirect("/x")` takes a path all the same, and sends it as it is.
- The headers of the request that a function gets, and of what `fetch` brings, can't be changed; copy them:
  `new Headers(request.headers)`.
- No header name is forbidden to code: `cookie` and `set-cookie` can be read and set like any other. What HTTP itself
  needs (`content-length`, `connection`, ...) is the server's.
- `fetch` takes `http:`, `https:` and `data:`. With `redirect: "manual"` it gives the redirect itself, with its
  `location`. What the host refuses (a private address, a limit) is a `TypeError` whose `code` says which rule it was.
- `mode`, `credentials`, `cache` and `integrity` of a request are kept, and change nothing.
- A transferred `ArrayBuffer` (`structuredClone(x, {transfer})`) is copied and then taken away.
- `performance` has `now()`, `timeOrigin` and `toJSON()`.
"""


def describe(isolate: Isolate, name: str) -> dict[str, Any]:
    """Return what kind of thing a global is, and the names of its members."""
    return dict(
        isolate.value(
            f"""((name) => {{
              const value = globalThis[name];
              const names = (object) => Reflect.ownKeys(object).filter((key) => typeof key === "string");
              if (typeof value !== "function") {{
                const all = [];
                const last = [null, Object.prototype, EventTarget.prototype];
                for (let o = value; !last.includes(o); o = Object.getPrototypeOf(o))
                  all.push(...names(o).filter((key) => key !== "constructor"));
                return {{ kind: "object", members: [...new Set(all)], statics: [] }};
              }}
              if (!value.prototype) return {{ kind: "function", members: [], statics: [] }};
              const valueOf = (object, key) => Object.getOwnPropertyDescriptor(object, key).value;
              const show = (object) => (key) => (typeof valueOf(object, key) === "function" ? `${{key}}()` : key);
              const hidden = ["constructor", "prototype", "name", "length"];
              const own = names(value.prototype).filter((key) => !hidden.slice(0, 1).includes(key));
              return {{
                kind: own.length || /^class/.test(Function.prototype.toString.call(value)) ? "class" : "function",
                members: own.filter((key) => !/^[A-Z_]+$/.test(key)).map(show(value.prototype)),
                statics: names(value).filter((key) => !hidden.includes(key) && !/^[A-Z_]+$/.test(key)).map(show(value)),
              }};
            }})({json.dumps(name)})"""
        )
    )


def is_absent(isolate: Isolate, name: str) -> bool:
    """Return whether a global is not there."""
    return isolate.value(f"typeof globalThis[{json.dumps(name)}]") == "undefined"


def area_figures(folders: list[str]) -> tuple[str, str]:
    """Return "passed of counted" and the share of an area, or blanks."""
    scores = [wpt.score(folder) for folder in folders]
    passed, counted = sum(score[0] for score in scores), sum(score[1] for score in scores)
    if not counted:
        return "own tests", ""
    return f"{passed:,} of {counted:,}", f"{100 * passed / counted:.2f} %"


def page() -> str:
    """Return the whole page."""
    isolate = Isolate()
    lines = [INTRODUCTION, "## What is there", "", "| | interfaces | tests passed | share |", "|---|---|---|---|"]
    for title, names, folders in AREAS:
        figures, share = area_figures(folders)
        lines.append(f"| {title} | {', '.join(f'`{name}`' for name in names)} | {figures} | {share} |")
    total = [wpt.score(folder) for _, _, folders in AREAS for folder in folders]
    passed, counted = sum(score[0] for score in total), sum(score[1] for score in total)
    lines.append(f"| **all** | | **{passed:,} of {counted:,}** | **{100 * passed / counted:.2f} %** |")
    lines += ["", "## Members", ""]
    for _, names, _ in AREAS:
        for name in names:
            lines.append(member_line(name, describe(isolate, name)))
    lines += ["", "## What is known to differ", "", *differences(), "", "## What is not there", ""]
    lines += [f"- {', '.join(f'`{name}`' for name in names.split(', '))}: {why}" for names, why in ABSENT]
    return "\n".join(lines) + "\n"


def member_line(name: str, found: dict[str, Any]) -> str:
    """Return the line of one global."""
    if found["kind"] == "function":
        return f"- `{name}()`"
    members = [f"`{member}`" for member in found["members"]]
    statics = [f"`{name}.{member}`" for member in found["statics"]]
    return f"- **`{name}`**: {', '.join([*statics, *members])}" if statics or members else f"- **`{name}`**"


def differences() -> list[str]:
    """Return a line for each reason for which subtests are known to fail."""
    expected = wpt.expected()
    counts: dict[str, int] = {}
    for failures in expected.failures.values():
        for reason in failures.values():
            counts[reason] = counts.get(reason, 0) + 1
    lines = []
    for reason, text in expected.reasons.items():
        kind = "not counted" if reason in expected.not_counted else "counted as failed"
        lines.append(f"- {text} ({counts[reason]:,} of the subtests, {kind})")
    return lines
