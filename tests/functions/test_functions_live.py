"""Functions as a site's author knows them: routes, methods, middleware, bodies, streams, timers, errors, deploys."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from live import Answer, Client, Live, live

Run = Callable[[Coroutine[Any, Any, Any]], Any]
OnLoop = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def with_live(on_loop: OnLoop, tmp_path: Path) -> Callable[[Callable[[Live], Coroutine[Any, Any, Any]]], Any]:
    def run(test: Callable[[Live], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
        async def inside() -> Any:
            async with live(tmp_path, **settings) as found:
                return await test(found)

        return on_loop(inside())

    return run


With = Callable[..., Any]


def test_the_request_is_what_was_sent(with_live: With) -> None:
    source = """
        export async function POST(request, { params, id, ip, version }) {
          return Response.json({
            method: request.method, url: request.url, header: request.headers.get("x-one"),
            body: await request.text(), params, id, ip, version,
          }, { status: 201, headers: { "X-Two": "2" } });
        }"""

    async def test(found: Live) -> tuple[str, Answer]:
        version = await found.deploy("one", {"api/notes/[id].js": source})
        answer = await found.ask(
            "one", "/api/notes/a%20b?q=1&r=%C3%BC", method="POST", body="grüße".encode(), headers=[("X-One", "1")]
        )
        return version, answer

    version, answer = with_live(test)
    assert answer.status == 201
    assert answer.header("x-two") == "2"
    assert answer.header("content-type") == "application/json"
    value = answer.json
    assert len(value.pop("id")) == 16
    assert value == {
        "method": "POST",
        "url": "http://one.localhost:4698/api/notes/a%20b?q=1&r=%C3%BC",
        "header": "1",
        "body": "grüße",
        "params": {"id": "a b"},
        "ip": "203.0.113.7",
        "version": version,
    }


def test_methods(with_live: With) -> None:
    files = {
        "api/one.js": "export const GET = () => new Response('got');",
        "api/all.js": "export default (request) => new Response(request.method);",
        "api/app.js": "export default { fetch: (_, env, ctx) => new Response(`${env.A} ${typeof ctx.waitUntil}`) };",
        "api/cors.js": """export const OPTIONS = () => new Response(null, {
            status: 204, headers: { "access-control-allow-origin": "*" } });
            export const GET = () => new Response("");""",
        "fazt.json": '{"env": {"A": "1"}}',
    }

    async def test(found: Live) -> None:
        await found.deploy("one", files)
        assert (await found.ask("one", "/api/one")).body == b"got"
        head = await found.ask("one", "/api/one", method="HEAD")
        assert (head.status, head.header("content-length")) == (200, "3")
        refused = await found.ask("one", "/api/one", method="DELETE")
        assert (refused.status, refused.header("allow")) == (405, "GET, HEAD, OPTIONS")
        assert refused.code == "method_not_allowed"
        asked = await found.ask("one", "/api/one", method="OPTIONS")
        assert (asked.status, asked.header("allow"), asked.body) == (204, "GET, HEAD, OPTIONS", b"")
        assert (await found.ask("one", "/api/all", method="PROPFIND")).body == b"PROPFIND"
        assert (await found.ask("one", "/api/app")).body == b"1 function"
        assert (await found.ask("one", "/api/cors", method="OPTIONS")).header("access-control-allow-origin") == "*"
        assert (await found.ask("one", "/api/nothing")).status == 404
        assert (await found.ask("nobody", "/api/one")).status == 404

    with_live(test)


def test_middleware_wraps_its_folder_outermost_first(with_live: With) -> None:
    files = {
        "api/_middleware.js": """
            export default async function (request, context) {
              if (request.headers.get("x-stop")) return new Response("stopped", { status: 403 });
              context.data = "outer";
              const response = await context.next();
              return new Response(`[${await response.text()}]`, response);
            }""",
        "api/in/_middleware.js": """
            const headers = { "x-by": "inner" };
            export const onRequest = [(request, { next }) => next(new Request(request, { headers }))];
            """,
        "api/in/a.js": "export const GET = (request) => new Response(request.headers.get('x-by'), { status: 202 });",
        "api/b.js": "export const GET = (request) => new Response(String(request.headers.get('x-by')));",
    }

    async def test(found: Live) -> None:
        await found.deploy("one", files)
        inner = await found.ask("one", "/api/in/a")
        assert (inner.status, inner.body) == (202, b"[inner]")
        assert (await found.ask("one", "/api/b")).body == b"[null]"
        assert (await found.ask("one", "/api/b", headers=[("x-stop", "1")])).body == b"stopped"

    with_live(test)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("export const GET = () => { throw new TypeError('no') };", "no"),
        ("export const GET = async () => { await null; throw new Error('later') };", "later"),
        ("export const GET = () => Promise.reject('a text');", "a text"),
        ("export const GET = () => 'no response';", "must return a Response"),
        ("export const GET = () => undefined;", "must return a Response"),
        ("throw new Error('at load'); export const GET = () => 1;", "at load"),
        ("export const GET = () => { throw null };", "null"),
        ("export const GET = () => { const e = new Error('x'); Object.defineProperty(e, 'stack', "
         "{ get() { throw 1 } }); throw e; };", ""),
    ],
)  # fmt: skip
def test_a_failure_is_told_to_the_owner_and_not_to_the_visitor(with_live: With, source: str, message: str) -> None:
    async def test(found: Live) -> None:
        answer = await found.call(source)
        assert (answer.status, answer.code) == (500, "function_failed")
        assert message.encode() not in answer.body or not message
        call = answer.json["error"]["call"]
        assert answer.header("fazt-call") == call
        (line,) = await found.lines("call")
        assert (line["call"], line["status"], line["error"]) == (call, 500, "function_failed")
        assert message in line["failure"]["message"]
        assert (await found.call("export const GET = () => new Response('well');")).body == b"well"

    with_live(test)


def test_a_stack_names_the_author_s_file_and_line(with_live: With) -> None:
    async def test(found: Live) -> None:
        files = {
            "api/f.ts": 'import { deep } from "./_lib/deep";\n\nexport const GET = async (): Promise<Response> => '
            "await deep();\n",
            "api/_lib/deep.ts": "type A = string;\n\nexport async function deep() {\n  await null;\n"
            '  throw new Error("here");\n}\n',
        }
        await found.deploy("one", files)
        await found.ask("one", "/api/f")
        (line,) = await found.lines("call")
        error, inner, outer = line["failure"]["stack"].splitlines()  # and nothing of the platform
        assert error == "Error: here"
        assert inner.startswith("    at deep (api/_lib/deep.ts:5:")
        assert outer.startswith("    at async GET (api/f.ts:3:")

    with_live(test)


def test_console_lines_belong_to_their_call(with_live: With) -> None:
    source = """export async function GET(request, { fazt }) {
      console.log("one", { a: [1, 2] });
      await new Promise((done) => setTimeout(done, 5));
      console.error("%s is %d", "two", 2);
      fazt.log.warn("three");
      return new Response("");
    }"""

    async def test(found: Live) -> None:
        await asyncio.gather(found.call(source))
        (call,) = await found.lines("call")
        lines = await found.lines("console", 3)
        assert [(line["level"], line["message"], line["call"]) for line in lines] == [
            ("info", "one { a: [ 1, 2 ] }", call["call"]),
            ("error", "two is 2", call["call"]),
            ("warn", "three", call["call"]),
        ]

    with_live(test)


def test_a_call_logs_a_bounded_amount(with_live: With) -> None:
    source = "export const GET = () => { for (let n = 0; n < 5000; n++) console.log(n); return new Response('') };"

    async def test(found: Live) -> None:
        assert (await found.call(source)).status == 200
        lines = await found.lines("console", 1001)
        assert len(lines) == 1001
        assert "too much" in lines[-1]["message"]

    with_live(test)


def test_large_bodies_go_both_ways(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = "export const POST = async (request) => new Response(await request.arrayBuffer());"
        for size in (1, 65_536, 65_537, 1_048_577, 5_000_000):
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            answer = await found.call(source, method="POST", body=body)
            assert (answer.status, answer.whole, answer.body == body) == (200, True, True), size

    with_live(test)


def test_a_body_over_the_limit_is_refused(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = "export const POST = async (request) => new Response((await request.text()).length);"
        assert (await found.call(source, method="POST", body=b"x" * 100_001)).status == 413
        pieces = [b"x" * 50_000] * 3
        answer = await found.call(source, method="POST", body=pieces)
        assert (answer.status, answer.code) == (413, "too_large")

    with_live(test, function_request_bytes=100_000)


def test_an_answer_over_the_limit_is_refused_and_a_stream_is_not(with_live: With) -> None:
    async def test(found: Live) -> None:
        answer = await found.call("export const GET = () => new Response('x'.repeat(200000));")
        assert (answer.status, answer.code) == (502, "function_bad_answer")
        stream = """export const GET = () => {
          let n = 0;
          return new Response(new ReadableStream({ pull(c) {
            if (++n > 20) c.close(); else c.enqueue(new Uint8Array(10000));
          } }));
        };"""
        assert len((await found.call(stream)).body) == 200_000

    with_live(test, function_response_bytes=100_000)


def test_a_slow_reader_pauses_the_stream(with_live: With) -> None:
    source = """
      let made = 0;
      export const GET = () => new Response(new ReadableStream({
        pull(controller) { made++; controller.enqueue(new Uint8Array(100000)); if (made === 200) controller.close(); },
      }));
      export const POST = () => new Response(String(made));"""

    async def test(found: Live) -> None:
        await found.deploy("one", {"api/f.js": source})
        client = Client()
        client.may_read.clear()
        asked = asyncio.ensure_future(found.ask("one", "/api/f", client=client))
        async with client.came:
            await client.came.wait_for(lambda: client.answer.status == 200)
        made = int((await found.ask("one", "/api/f", method="POST")).body)
        assert made < 10
        client.may_read.set()
        assert len((await asked).body) == 20_000_000

    with_live(test)


def test_a_client_that_leaves_aborts_the_signal(with_live: With) -> None:
    source = """
      let aborted = "no";
      export async function GET(request) {
        return new Promise((resolve, reject) => {
          request.signal.addEventListener("abort", () => { aborted = request.signal.reason.name; reject(1); });
        });
      }
      export const POST = () => new Response(aborted);"""

    async def test(found: Live) -> None:
        await found.deploy("one", {"api/f.js": source})
        client = Client()
        asked = asyncio.ensure_future(found.ask("one", "/api/f", client=client))
        await found.ask("one", "/api/f", method="POST")
        client.gone.set()
        with pytest.raises(ConnectionResetError):
            await asked
        while (aborted := (await found.ask("one", "/api/f", method="POST")).body) == b"no":
            pass
        assert aborted == b"AbortError"

    with_live(test)


def test_server_sent_events_come_one_by_one(with_live: With) -> None:
    source = """export const GET = () => {
      const encoder = new TextEncoder();
      let n = 0;
      return new Response(new ReadableStream({ async pull(controller) {
        await new Promise((done) => setTimeout(done, 5));
        controller.enqueue(encoder.encode(`data: ${++n}\\n\\n`));
        if (n === 3) controller.close();
      } }), { headers: { "content-type": "text/event-stream" } });
    };"""

    async def test(found: Live) -> Answer:
        return await found.call(source)

    answer = with_live(test)
    assert answer.pieces == [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"]
    assert answer.header("content-length") is None


def test_what_is_waited_for_goes_on_behind_the_answer(with_live: With) -> None:
    source = """export async function GET(request, { waitUntil, fazt }) {
      waitUntil(new Promise((done) => setTimeout(done, 20)).then(() => fazt.kv.set("done", true)));
      return new Response("early");
    }
    export const POST = async (request, { fazt }) => Response.json(await fazt.kv.get("done"));"""

    async def test(found: Live) -> None:
        assert (await found.call(source)).body == b"early"
        while (await found.ask("one", "/api/f", method="POST")).json is not True:
            pass

    with_live(test)


def test_timers(with_live: With) -> None:
    source = """
      const order = [];
      const wait = (ms) => new Promise((done) => setTimeout(done, ms));
      setTimeout(() => order.push("b"), 2); setTimeout((x) => order.push(x), 0, "a");
      const gone = setTimeout(() => order.push("never"), 1); clearTimeout(gone);
      let ticks = 0; const every = setInterval(() => { if (++ticks === 3) clearInterval(every); }, 1);
      setTimeout(() => { throw new Error("in a timer") }, 1);
      await wait(30); queueMicrotask(() => order.push("micro")); await null;
      const begin = performance.now(); await wait(20);
      return { order, ticks, waited: performance.now() - begin >= 19 };"""

    async def test(found: Live) -> None:
        assert await found.value(source) == {"order": ["a", "b", "micro"], "ticks": 3, "waited": True}
        assert any("in a timer" in line["message"] for line in await found.lines("console"))

    with_live(test)


def test_a_new_version_is_seen_at_once_and_running_calls_end_on_the_old_one(with_live: With) -> None:
    async def test(found: Live) -> None:
        slow = """let release; const held = new Promise((done) => { release = done });
          export const GET = async () => { await held; return new Response("old") };
          export const POST = (request, { waitUntil }) => {
            waitUntil(new Promise((done) => setTimeout(() => { release(); done(); }, 30)));
            return new Response("");
          };"""
        await found.deploy("one", {"api/f.js": slow})
        running = asyncio.ensure_future(found.ask("one", "/api/f"))
        await found.ask("one", "/api/f", method="POST")
        await found.deploy("one", {"api/f.js": "export const GET = () => new Response('new');"})
        assert (await found.ask("one", "/api/f")).body == b"new"
        assert (await running).body == b"old"

    with_live(test)


def test_a_deploy_that_changes_only_pages_keeps_the_isolate_warm(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = "let calls = 0; export const GET = () => new Response(String(++calls));"
        await found.deploy("one", {"api/f.js": source, "index.html": "1"})
        assert (await found.ask("one", "/api/f")).body == b"1"
        await found.deploy("one", {"api/f.js": source, "index.html": "2"})
        assert (await found.ask("one", "/api/f")).body == b"2"

    with_live(test)


def test_a_preview_runs_its_own_code(with_live: With) -> None:
    async def test(found: Live) -> None:
        await found.deploy("one", {"api/f.js": "export const GET = () => new Response('live');"})
        preview = await found.deploy(
            "one", {"api/f.js": "export const GET = () => new Response('preview');"}, live=False
        )
        assert (await found.ask("one", "/api/f")).body == b"live"
        assert (await found.ask("one", "/api/f", host=f"{preview[:8]}--one.localhost")).body == b"preview"

    with_live(test)


def test_two_sites_share_nothing(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = """export const GET = async (request, { fazt }) => {
          globalThis.seen = (globalThis.seen ?? 0) + 1; Array.prototype.mine = "%s";
          return Response.json([seen, [].mine, await fazt.kv.increment("n"), (await fazt.kv.list()).items.length]);
        };"""
        for site in ("one", "two"):
            await found.deploy(site, {"api/f.js": source % site})
        assert (await found.ask("one", "/api/f")).json == [1, "one", 1, 1]
        assert (await found.ask("two", "/api/f")).json == [1, "two", 1, 1]
        assert (await found.ask("one", "/api/f")).json == [2, "one", 2, 1]

    with_live(test)


@pytest.mark.parametrize("name", ["db", "mail", "ai", "auth"])
def test_what_comes_later_says_so(with_live: With, name: str) -> None:
    source = f"try {{ await fazt.{name}.anything(1) }} catch (error) {{ return [error.code, error.message] }}"

    async def test(found: Live) -> None:
        assert await found.value(source) == ["not_available", f"fazt.{name} is not available in this version"]

    with_live(test)


def test_files_are_read_listed_and_written_as_versions(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = """export default async function (request, { fazt }) {
          const big = await fazt.files.read("big.bin");
          const before = await fazt.files.text("note.txt");
          const missing = await fazt.files.read("nothing.txt");
          const listed = (await fazt.files.list("n")).items.map((file) => file.path);
          const version = await fazt.files.write("new/note.txt", "written");
          const refused = [];
          for (const path of ["api/f.js", "fazt.json", "../x", "_headers", "lib.js"]) {
            await fazt.files.write(path, "x").catch((error) => refused.push(error.code));
          }
          return Response.json({ size: big.length, before, missing, listed, version: version.version, refused });
        }"""
        files: dict[str, str | bytes] = {
            "api/f.js": 'import "../lib.js";\n' + source,
            "lib.js": "export default 1;",
            "note.txt": "grüße",
            "next.txt": "",
            "other.txt": "",
            "big.bin": bytes(700_000),
        }
        before = await found.deploy("one", files)
        value = (await found.ask("one", "/api/f")).json
        assert value.pop("version") != before
        assert value == {
            "size": 700_000,
            "before": "grüße",
            "missing": None,
            "listed": ["next.txt", "note.txt"],
            "refused": ["forbidden", "forbidden", "invalid_path", "forbidden", "forbidden"],
        }

    with_live(test)


def test_variables_and_secrets(with_live: With) -> None:
    from fazt.data import environment

    async def test(found: Live) -> None:
        source = """export const GET = async (request, { env, fazt }) => Response.json([
          env, await fazt.env.get("A"), await fazt.secrets.get("S"), await fazt.secrets.get("A"),
          await fazt.env.list()]);"""
        await found.deploy("one", {"api/f.js": source, "fazt.json": '{"env": {"A": "file", "B": "2"}}'})
        assert (await found.ask("one", "/api/f")).json[0] == {"A": "file", "B": "2"}
        await found.database.write(environment.put, "one", "A", "set", secret=False)
        await found.database.write(environment.put, "one", "S", "hush", secret=True)
        assert (await found.ask("one", "/api/f")).json == [
            {"A": "set", "B": "2", "S": "hush"}, "set", "hush", None, ["A", "B"],
        ]  # fmt: skip

    with_live(test)


def test_cookies_and_fields_are_made_safe(with_live: With) -> None:
    source = """export const GET = () => new Response("x", { headers: [
      ["set-cookie", "a=1; Domain=localhost; Path=/"], ["set-cookie", "b=2; domain=.one.localhost; HttpOnly"],
      ["connection", "close"], ["content-length", "77"], ["transfer-encoding", "chunked"], ["x-kept", "yes"]] });"""

    async def test(found: Live) -> Answer:
        return await found.call(source)

    answer = with_live(test)
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1; Path=/", "b=2; HttpOnly"]
    assert answer.header("content-length") == "1"
    assert answer.header("connection") is answer.header("transfer-encoding") is None
    assert answer.header("x-kept") == "yes"


def test_a_site_has_so_many_calls_under_way_and_the_next_are_refused(with_live: With) -> None:
    async def test(found: Live) -> None:
        source = """const waiting = [];
          export const GET = () => new Promise((done) => waiting.push(() => done(new Response("")) ));
          export const POST = () => { for (const each of waiting.splice(0)) each(); return new Response("") };"""
        await found.deploy("one", {"api/f.js": source, "fazt.json": '{"limits": {"concurrency": 2}}'})
        asked = [asyncio.ensure_future(found.ask("one", "/api/f")) for _ in range(6)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        refused = await next(iter(done))
        assert (refused.status, refused.code, refused.header("retry-after")) == (503, "function_busy", "1")
        await asyncio.wait(asked, timeout=4)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    with_live(test)


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("export const GET = () => { for (;;); };", 503, "function_cpu_limit"),
        ("export const GET = () => new Promise(() => {});", 504, "function_timeout"),
        ("export const GET = () => { const a = []; for (;;) a.push(new Array(1e5).fill(a.length)); };", 503,
         "function_memory_limit"),
    ],
)  # fmt: skip
def test_limits(with_live: With, source: str, status: int, code: str) -> None:
    async def test(found: Live) -> None:
        answer = await found.call(source)
        assert (answer.status, answer.code) == (status, code)
        assert (await found.call("export const GET = () => new Response('on');")).body == b"on"

    with_live(test, function_cpu_s=0.3, function_timeout_s=2.0, function_memory_bytes=64 << 20)


SHOP = Path(__file__).parent / "modules" / "fixtures" / "shop"


def test_hono_and_zod_run_on_the_real_web_standards(with_live: With) -> None:
    files = {str(path.relative_to(SHOP)): path.read_bytes() for path in SHOP.rglob("*") if path.is_file()}

    async def test(found: Live) -> None:
        await found.deploy("shop", files)
        goods = await found.ask("shop", "/api/goods")
        assert (goods.status, goods.header("x-shop"), goods.json) == (200, "open", {"tea": 3, "cake": 5})
        assert (await found.ask("shop", "/api/nothing")).status == 404
        json = [("content-type", "application/json")]
        order = b'{"name": "tea", "count": 2}'
        made = await found.ask("shop", "/api/orders", method="POST", body=order, headers=json)
        assert (made.status, made.json["total"]) == (201, 6)
        wrong = await found.ask("shop", "/api/orders", method="POST", body=b'{"name": 1}', headers=json)
        assert wrong.status == 400

    with_live(test)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("return new TextDecoder().decode(new Uint8Array([0xe2, 0x82, 0xac]))", "€"),
        ("return (await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))).byteLength", 32),
        ("return crypto.randomUUID().length", 36),
        ("return [...new FormData().entries(), typeof Blob, typeof URLPattern, typeof structuredClone]",
         ["function", "function", "function"]),
        ("const t = new TransformStream(); const w = t.writable.getWriter(); w.write('a'); w.close();"
         "let s = ''; for await (const c of t.readable) s += c; return s", "a"),
        ("try { await fetch('http://127.0.0.1:1/') } catch (e) { return [e.name, e.cause.code] }",
         ["TypeError", "fetch_refused"]),
        ("try { await fetch('http://169.254.169.254/latest') } catch (e) { return e.cause.code }", "fetch_refused"),
        ("return await fazt.kv.transaction(async (tx) => { await tx.set('a', 1); return await tx.get('a') })", 1),
        ("await fazt.kv.set('b', new Uint8Array([1])); return [...await fazt.kv.get('b')]", [1]),
        ("try { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) } catch (e) { return e.name }",
         "TypeError"),
        ("return [typeof process, typeof require, typeof Deno, typeof __sab, typeof __bell, typeof __slice]",
         ["undefined"] * 6),
    ],
)  # fmt: skip
def test_web_standards_and_the_platform_are_joined(with_live: With, source: str, value: object) -> None:
    async def test(found: Live) -> None:
        assert await found.value(source) == value

    with_live(test)


def test_a_job_runs_with_its_effects_and_a_failing_one_is_kept(with_live: With) -> None:
    files = {
        "api/start.js": """export const POST = async (request, { fazt }) =>
            Response.json(await fazt.jobs.enqueue("add", { by: 2 }));
            export const GET = async (request, { fazt }) => Response.json(await fazt.kv.get("sum"));
            export const PUT = async (request, { fazt }) =>
              Response.json(await fazt.jobs.enqueue("missing").catch((error) => error.code));""",
        "api/_jobs/add.ts": """export default async (data: { by: number }, { fazt }: any) => {
            await fazt.kv.increment("sum", data.by);
          };""",
    }

    async def test(found: Live) -> None:
        await found.deploy("one", files)
        assert (await found.ask("one", "/api/start", method="PUT")).json == "not_found"
        for _ in range(3):
            assert (await found.ask("one", "/api/start", method="POST")).status == 200
        async with asyncio.timeout(10):
            while (await found.ask("one", "/api/start")).json != 6:
                pass

    with_live(test)
