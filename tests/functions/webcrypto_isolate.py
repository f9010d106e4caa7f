"""An isolate with `crypto` in it, whose host is the Python operations: what a function sees, without a runner."""

import asyncio
import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from py_mini_racer import MiniRacer

from fazt.data.caller import Caller, Operation
from fazt.errors import FaztError

SOURCE = Path(__file__).parents[2] / "fazt" / "functions" / "js" / "src" / "web"
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";$', re.MULTILINE)
DECLARATION = re.compile(r"^export (?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
SEVERAL = re.compile(r"^export const \{([^}]*)\} =", re.MULTILINE)
LIST = re.compile(r"^export \{([^}]*)\};$", re.MULTILINE)

# A host whose calls wait in a queue until Python has answered them, and a way to run an async function.
HOST = """
const waiting = new Map();
const queue = [];
let last = 0;
let chance = new Uint8Array(0);
const host = {
  call(op, value, bytes) {
    return new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      queue.push([last, op, JSON.stringify(value ?? null), bytes === undefined ? "" : bytes.toBase64()]);
    });
  },
  random(count) {
    const bytes = chance.slice(0, count);
    chance = chance.slice(count);
    if (bytes.length !== count) throw new Error("the test has no more random bytes");
    return bytes;
  },
};
let outcome = null;
const api = {
  addChance: (text) => { chance = Uint8Array.fromBase64(text); },
  start(source) {
    outcome = null;
    const named = (error) => `${error?.name}: ${error?.message}`;
    (0, eval)(`(async () => {${source}\\n})()`).then(
      (value) => { outcome = JSON.stringify({ value }); },
      (error) => { outcome = JSON.stringify({ error: named(error), stack: String(error?.stack) }); },
    );
  },
  outcome: () => outcome,
  asked: () => JSON.stringify(queue.splice(0)),
  answer(id, json, text) {
    const bytes = text === "" ? undefined : Uint8Array.fromBase64(text);
    waiting.get(id).resolve({ value: JSON.parse(json), bytes });
  },
  refuse(id, code, message) {
    waiting.get(id).reject(Object.assign(new Error(message), { code }));
  },
};
"""

# What the tests' scripts use and bare V8 does not have.
AIDS = """
globalThis.hex = (data) => new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength).toHex();
globalThis.unhex = (text) => Uint8Array.fromHex(text);
globalThis.utf8 = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
globalThis.unbase64 = (text) => Uint8Array.fromBase64(text, { alphabet: "base64url" });
globalThis.base64 = (data) => new Uint8Array(data).toBase64({ alphabet: "base64url", omitPadding: true });
globalThis.nameOf = async (promise) => { try { await promise(); return "nothing"; } catch (e) { return e.name; } };
"""


class ScriptError(Exception):
    """The script threw; the message is `name: message`."""


def bundle(entry: str) -> str:
    """Return a module and what it imports as one script in which each module is a function's scope."""
    order: list[str] = []
    sources: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in sources:
            return
        sources[name] = (SOURCE / name).read_text()
        for found in IMPORT.finditer(sources[name]):
            visit(found[2])
        order.append(name)

    visit(entry)
    return "\n".join(_as_scope(name, sources[name]) for name in order)


def _as_scope(name: str, source: str) -> str:
    names = DECLARATION.findall(source)
    for found in (*SEVERAL.finditer(source), *LIST.finditer(source)):
        names += [part.rpartition(":")[2].strip() for part in found[1].split(",") if part.strip()]
    body = LIST.sub("", IMPORT.sub(lambda found: f"const {{{_as_pattern(found[1])}}} = {_scope(found[2])};", source))
    body = re.sub(r"^export ", "", body, flags=re.MULTILINE)
    assert not re.search(r"^(import|export)\b", body, re.MULTILINE), (
        f"{name}: an import or export that is not understood"
    )
    return f"const {_scope(name)} = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();"


def _as_pattern(names: str) -> str:
    return re.sub(r"(\w+) as (\w+)", r"\1: \2", names)


def _scope(name: str) -> str:
    return "module_" + re.sub(r"\W", "_", name)


class Isolate:
    """One isolate and one loop; `run` is an async function's body -> its value."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations
        self._engine = MiniRacer()
        self.asked: list[str] = []  # names of the operations, in order
        script = f"{bundle('crypto.js')}\n{HOST}\nmodule_crypto_js.installCrypto(host);"
        self._engine.eval(f"globalThis.__test = (() => {{ {script}\nreturn api; }})(); {AIDS}; undefined")
        self._engine.eval(f"__test.addChance('{base64.b64encode(os.urandom(400_000)).decode()}'); undefined")

    def close(self) -> None:
        self._engine.close()

    def run(self, source: str, caller: Caller | None = None) -> Any:
        """Run the body of an async function to its end. Raises: ScriptError."""
        return asyncio.run(self._run(source, caller or Caller("site", 1, 1, "call")))

    async def _run(self, source: str, caller: Caller) -> Any:
        self._engine.eval(f"__test.start({json.dumps(source)}); undefined")
        running: set[asyncio.Task[None]] = set()
        while (outcome := self._engine.eval("__test.outcome()")) is None:
            for id, name, value, text in json.loads(str(self._engine.eval("__test.asked()"))):
                self.asked.append(name)
                answer = self._answer(id, name, json.loads(value), base64.b64decode(text), caller)
                running.add(asyncio.create_task(answer))
            assert running, "the script waits for something that is not the host"
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        result = json.loads(str(outcome))
        if "error" in result:
            raise ScriptError(result["error"])
        return result.get("value")

    async def _answer(self, id: int, name: str, value: Any, data: bytes, caller: Caller) -> None:
        try:
            answer, result = await self._operations[name](caller, value, data)
        except FaztError as error:
            words = json.dumps(error.code), json.dumps(error.message)
            self._engine.eval(f"__test.refuse({id}, {words[0]}, {words[1]}); undefined")
            return
        text = base64.b64encode(result).decode()
        self._engine.eval(f"__test.answer({id}, {json.dumps(json.dumps(answer))}, '{text}'); undefined")
