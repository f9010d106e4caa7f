"""`context.fazt.kv` in V8, its host served by the real operations on a real database."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fazt.data.caller import Caller
from fazt.data.kv import Unit, kv_operations
from fazt.errors import FaztError
from fazt.store import kv as store
from fazt.store import sites
from fazt.store.database import Database

py_mini_racer = pytest.importorskip("py_mini_racer")

SOURCE = Path(__file__).parents[2] / "fazt" / "functions" / "js" / "src" / "bridge" / "kv.js"
HOST = """
const asked = [], waiting = new Map();
let last = 0, outcome = null;
const host = {
  call(op, value, bytes) {
    return new Promise((resolve, reject) => {
      asked.push({ id: ++last, op, value, bytes: bytes === undefined ? null : Array.from(bytes) });
      waiting.set(last, { resolve, reject });
    });
  },
};
function take() { return JSON.stringify(asked.splice(0)); }
function settle(id, answer) {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (answer.code) reject(Object.assign(new Error(answer.message), { code: answer.code }));
  else resolve({ value: answer.value, bytes: answer.bytes.length ? new Uint8Array(answer.bytes) : undefined });
}
function show(value) {
  return JSON.stringify(value, (_, each) => (each instanceof Uint8Array ? { bytes: Array.from(each) } : each));
}
function start(test) {
  outcome = null;
  test(kv(host)).then(
    (value) => { outcome = show({ value: value === undefined ? null : value }); },
    (error) => { outcome = show({ error: `${error.name}: ${error.message}`, code: error.code ?? null }); },
  );
}
"""


class Isolate:
    """Runs the facade, and answers what it asks for as the server does."""

    def __init__(self, database: Database) -> None:
        self.context = py_mini_racer.MiniRacer()
        self.context.eval(HOST + SOURCE.read_text().replace("export function", "function"))
        site = database.write_blocking(sites.create, "blog")
        self.database = database
        self.caller = Caller("blog", site.id, 1, "call")
        self.pauses: list[float] = []
        self.operations = kv_operations(database, pause=self._pause)
        self.before: Callable[[str], None] = lambda op: None  # called with each operation, before it is run

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def run(self, body: str) -> Any:
        """Run `async (kv) => {body}`; return what it returns, or the text of what it throws."""
        return asyncio.run(self._run(body))

    async def _run(self, body: str) -> Any:
        self.context.eval(f"start(async (kv) => {{ {body} }})")
        while (outcome := self.context.eval("outcome")) is None:
            asked = json.loads(self.context.eval("take()"))  # which knows halves of surrogate pairs
            assert asked, "the script waits for nothing"
            await asyncio.gather(*map(self._answer, asked))
        found = orjson.loads(outcome)
        return f"{found['code']} {found['error']}" if "error" in found else found["value"]

    async def _answer(self, request: dict[str, Any]) -> None:
        self.before(request["op"])
        try:
            value, data = await self.operations[request["op"]](
                self.caller, request.get("value"), bytes(request["bytes"] or [])
            )
            answer: Any = {"value": value, "bytes": list(data)}
        except FaztError as error:
            answer = {"code": error.code, "message": error.message}
        self.context.eval(f"settle({request['id']}, {orjson.dumps(answer).decode()})")


@pytest.fixture
def isolate(tmp_path: Path) -> Iterator[Isolate]:
    with contextlib.closing(Database.open(tmp_path / "data.db")) as database:
        isolate = Isolate(database)
        yield isolate
        isolate.context.close()


CASES = [
    ("return await kv.get('none')", None),
    ("return await kv.getEntry('none')", None),
    ("await kv.set('a', {b: [1, null, 'é']}); return await kv.get('a')", {"b": [1, None, "é"]}),
    ("await kv.set('a', null); return (await kv.getEntry('a')).value", None),
    ("await kv.set('a', new Uint8Array([0, 255])); return await kv.get('a')", {"bytes": [0, 255]}),
    ("await kv.set('a', new Uint8Array([1, 2, 3]).subarray(1)); return await kv.get('a')", {"bytes": [2, 3]}),
    ("await kv.set('a', new ArrayBuffer(2)); return await kv.get('a')", {"bytes": [0, 0]}),
    ("await kv.set('a', new Uint16Array([1])); return await kv.get('a')", {"bytes": [1, 0]}),
    ("await kv.set('a', new Uint8Array(0)); return await kv.get('a')", {"bytes": []}),
    ("await kv.set('a', {toJSON: () => 5}); return await kv.get('a')", 5),
    ("return [await kv.increment('n'), await kv.increment('n', 5), await kv.increment('n', -2, {ttl: 9})]", [1, 6, 4]),
    ("await kv.set('a', 1); return [await kv.delete('a'), await kv.delete('a')]", [True, False]),
    (
        "const {version} = await kv.set('a', 1, {ifVersion: null}); const e = await kv.getEntry('a');"
        "return [e.version === version, e.expiresAt, (await kv.set('a', 2, {ifVersion: version})).version > version]",
        [True, None, True],
    ),
    ("await kv.set('a', 1, {ttl: 60}); return (await kv.getEntry('a')).expiresAt > Date.now()", True),
    (
        "for (const key of ['b', 'a', 'c']) await kv.set(key, key); await kv.set('d', new Uint8Array([7]));"
        "const first = await kv.list({limit: 2}); const rest = await kv.list({cursor: first.cursor, values: true});"
        "return [first.items.map(i => i.key), Object.keys(first.items[0]), rest.items.map(i => i.value), rest.cursor]",
        [["a", "b"], ["key", "version", "expiresAt"], ["c", {"bytes": [7]}], None],
    ),
    ("await kv.set('p/a', 1); await kv.set('q', 1); return (await kv.list({prefix: 'p/'})).items.length", 1),
    (
        "await kv.set('a', 1); await kv.set('b', new Uint8Array([1, 2])); await kv.set('c', new Uint8Array([3]));"
        "return await kv.getMany(['b', 'x', 'a', 'c'])",
        [{"bytes": [1, 2]}, None, 1, {"bytes": [3]}],
    ),
    ("return await kv.getMany([])", []),
    ("return await kv.transaction(async (tx) => { await tx.set('a', 1); return [await tx.get('a'), 9] })", [1, 9]),
    ("await kv.transaction(async (tx) => { await tx.increment('a') }); return await kv.get('a')", 1),
    (
        "try { await kv.transaction(async (tx) => { await tx.set('a', 1); throw new Error('no') }) } catch (e) {"
        "return [e.message, await kv.get('a')] }",
        ["no", None],
    ),
    (
        "let t; await kv.transaction(async (tx) => { t = tx });try { await t.get('a') } catch (e) { return e.code }",
        "invalid_input",
    ),
    (
        "const inside = await kv.transaction(async (tx) => Object.isFrozen(tx) && !tx.transaction);"
        "return Object.isFrozen(kv) && inside",
        True,
    ),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_the_facade(isolate: Isolate, body: str, expected: Any) -> None:
    assert isolate.run(body) == expected


REFUSED = [
    ("await kv.set('a', undefined)", "None TypeError: kv keeps JSON values, Uint8Array and ArrayBuffer, not undefined"),
    ("await kv.set('a', () => 1)", "None TypeError: kv keeps JSON values"),
    ("await kv.set('a', Symbol())", "None TypeError"),
    ("await kv.set('a', 1n)", "None TypeError"),
    ("await kv.set('a', NaN)", "None TypeError: kv keeps JSON values, Uint8Array and ArrayBuffer, not NaN"),
    ("await kv.set('a', {toJSON() {}})", "invalid_input Error: A value is JSON"),
    ("await kv.set('a')", "None TypeError"),
    ("await kv.get(1)", "None TypeError: a key is a string, not number"),
    ("await kv.get(null)", "None TypeError: a key is a string, not null"),
    ("await kv.get('')", "invalid_input Error: A key must not be empty."),
    ("await kv.getMany(['a', 1])", "None TypeError"),
    ("await kv.set('a', 1, 60)", "None TypeError: options are an object"),
    ("await kv.set('a', 1, {ttl: -1})", "invalid_input Error: `ttl`"),
    ("await kv.set('a', '\\ud800')", "invalid_input Error: The value cannot be kept"),
    ("await kv.increment('a', 0.5)", "invalid_input Error: `by`"),
    ("await kv.set('a', 'x'); await kv.increment('a')", "invalid_input Error: The key 'a' does not hold"),
    ("await kv.set('a', 1); await kv.set('a', 1, {ifVersion: null})", "kv_conflict Error: The key 'a' has changed"),
    ("await kv.delete('a', {ifVersion: 5})", "kv_conflict Error"),
    ("await kv.transaction()", "None TypeError: transaction() takes a function"),
]


@pytest.mark.parametrize(("body", "expected"), REFUSED)
def test_what_the_facade_refuses(isolate: Isolate, body: str, expected: str) -> None:
    assert isolate.run(body).startswith(expected)


ADD = """
let runs = 0;
const sum = await kv.transaction(async (tx) => {
  runs++;
  const sum = (await tx.get('sum') ?? 0) + 1;
  await tx.set('sum', sum);
  return sum;
});
return [runs, sum];
"""


def test_a_transaction_is_run_again_where_others_came_in_between(isolate: Isolate) -> None:
    left = [2]

    def interfere(op: str) -> None:
        if op == "kv.commit" and left[0]:
            left[0] -= 1
            isolate.database.write_blocking(store.increment, isolate.caller.site_id, "sum", 10, None, 0)

    isolate.before = interfere
    assert isolate.run(ADD) == [3, 21]
    assert len(isolate.pauses) == 2
    left[0] = 100
    assert isolate.run(ADD).startswith("kv_conflict ")
    assert left[0] == 92
    isolate.caller.close()
    assert isolate.caller.closers == []


def test_a_job_keeps_everything_until_its_end(isolate: Isolate) -> None:
    unit = isolate.caller.unit = Unit()
    add = "await kv.increment('a'), await kv.transaction(tx => tx.increment('a'))"
    assert isolate.run(f"await kv.set('a', 1); return [{add}, await kv.get('a')]") == [2, 3, 3]
    isolate.caller.unit = None
    assert isolate.run("return await kv.get('a')") is None
    isolate.database.write_blocking(store.apply, isolate.caller.site_id, unit.reads, unit.writes)
    assert isolate.run("return await kv.get('a')") == 3
