"""The compiler and the loader in bare V8, as a deploy and a runner have them.

The compiler is the built bundle; the loader is compiled by it from its sources, so that no bundler is needed.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from py_mini_racer import MiniRacer

from fazt.functions.compile import CompiledModule, SourceFault, read_answer

SCRIPTS = Path(__file__).parents[3] / "fazt" / "functions" / "js"
LOADER = ("modules.js", "jsx.js", "resolving.js")

# Joins the loader's own modules: they import each other as "./name.js", by name and without cycles.
BOOTSTRAP = """
(() => {
  const own = new Map();
  const load = (name) => {
    if (!own.has(name)) {
      (0, eval)(codes[name])((names) => own.set(name, names), (specifier) => load(specifier.slice(2)));
    }
    return own.get(name);
  };
  globalThis.createLoader = load("modules.js").createLoader;
  globalThis.resolveImport = load("resolving.js").resolveImport;
})();
"""


class Compiler:
    """Compiles one file after the other, as the caller of `compile_program` does."""

    def __init__(self) -> None:
        self._engine = MiniRacer()
        self._engine.eval((SCRIPTS / "dist" / "compiler.js").read_text())

    def __call__(self, path: str, source: str) -> CompiledModule | SourceFault:
        return read_answer(str(self._engine.eval(f"faztCompile({json.dumps(path)},{json.dumps(source)})")))

    def code(self, path: str, source: str) -> str:
        answer = self(path, source)
        assert isinstance(answer, CompiledModule), answer
        return answer.code

    def close(self) -> None:
        self._engine.close()


class Site:
    """An isolate with the compiled modules of one site in it; `loader` is theirs."""

    def __init__(self, compiler: Compiler, codes: Mapping[str, str]) -> None:
        self._engine = MiniRacer()
        own = {name: compiler.code(name, (SCRIPTS / "src" / name).read_text()) for name in LOADER}
        self._engine.eval(f"const codes = {json.dumps(own)};{BOOTSTRAP}")
        modules = {path: {"code": code} for path, code in codes.items()}
        self._engine.eval(f"globalThis.loader = createLoader(new Map(Object.entries({json.dumps(modules)})))")

    def run(self, script: str) -> None:
        self._engine.eval(script)

    def value(self, expression: str) -> Any:
        """Return what an expression gives, waited for, as JSON has it; "ERROR ..." and the stack where it throws."""
        self._engine.eval(
            "globalThis.answer = null;"
            f"(async () => JSON.stringify(await ({expression}\n)) ?? 'null')().then((text) => {{ answer = text; }},"
            "(error) => { answer = JSON.stringify(`ERROR ${error?.stack ?? error}`); })"
        )
        answer = self._engine.eval("answer")
        assert answer is not None, "the promise is never settled"
        return json.loads(str(answer))

    def close(self) -> None:
        self._engine.close()


MakeSite = Callable[[Mapping[str, str]], Site]
