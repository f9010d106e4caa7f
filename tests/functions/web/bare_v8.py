"""Scripts in bare V8 with the web standards installed: a host of the test's own, time that only passes when asked.

Rule: everything that runs a script here goes through `run_script` and `Isolate`; only they know which engine it is.
"""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from py_mini_racer import MiniRacer

HERE = Path(__file__).parent
BUNDLE = Path(os.environ.get("FAZT_WEB_BUNDLE", HERE.parents[2] / "fazt/functions/js/dist/runtime.js"))
HOST = (HERE / "bare_host.js").read_text()
MOST_TURNS = 20_000
LONGEST_S = 60

Result = tuple[str, str, str]  # name of the subtest, PASS, FAIL, TIMEOUT or NOTRUN, message


class Isolate:
    """A fresh isolate; `files` are what its `fetch` finds, by path or whole URL."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self._engine = MiniRacer()
        self._eval(HOST)
        self._eval(BUNDLE.read_text())
        self._eval("__ready()")
        for path, data in (files or {}).items():
            self._eval(f"__files[{json.dumps(path)}] = {json.dumps(base64.b64encode(data).decode())}")

    def _eval(self, source: str) -> Any:
        return self._engine.eval(source, timeout_sec=LONGEST_S)

    def run(self, source: str) -> None:
        """Evaluate a script; its microtasks run before this returns."""
        self._eval(source)

    def value(self, expression: str) -> Any:
        """Return the value of an expression as JSON would have it; promises are waited for."""
        self._eval(f"__answer(async () => ({expression}\n))")
        for _ in range(MOST_TURNS):
            answer = self._eval("__take()")
            if answer is not None:
                result = json.loads(str(answer))
                if "error" in result:
                    raise AssertionError(result["error"])
                return result.get("value")
            if not self.turn():
                raise AssertionError("the promise is never settled")
        raise AssertionError("it takes too long")

    def text(self, expression: str) -> str:
        """Return the value of an expression that is a string, whatever a script did to its isolate."""
        return str(self._eval(expression))

    def turn(self) -> bool:
        """Let time pass until the next timer, and run it; False where there is none."""
        return bool(self._eval("__turn()"))


def run_script(source: str, files: Mapping[str, bytes] | None = None) -> list[Result]:
    """Run a script that uses testharness.js in a fresh isolate, and return its subtests."""
    isolate = Isolate(files)
    isolate.run(source)
    for _ in range(MOST_TURNS):
        if isolate.value("__results") is not None or not isolate.turn():
            break
    return [(name, status, message) for name, status, message in isolate.value("__results") or []]
