"""The compilation of a version's functions at deploy: its files → a `Program`, or what is wrong with them and where.

Owns what is compiled (the handlers in `api/` and all that they import), and what is checked over the modules together:
imports that mean nothing, names that a module does not export, handlers that handle nothing. One module is compiled by
js/src/compiler.js, which the caller runs. Rule: what can be known at deploy fails at deploy, with its place.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from fazt.errors import InvalidFunction
from fazt.functions.program import EMPTY, Program
from fazt.functions.routes import RouteTable, kind_of
from fazt.functions.sources import (
    BUILT_IN,
    MAX_FILE_BYTES,
    MAX_MODULES,
    MAX_TOTAL_BYTES,
    is_module,
    resolve_import,
    why_not_found,
)

MAX_ERRORS = 10
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROOM_EVENTS = ("onJoin", "onMessage", "onLeave")
_WANTED = {
    "route": (*METHODS, "default"),
    "middleware": ("default", "onRequest", *(f"onRequest{method.capitalize()}" for method in METHODS)),
    "room": (*ROOM_EVENTS, "default"),
    "job": ("default",),
}
_ADVICE = {
    "route": "this route exports no handler: export default, or one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "middleware": "this middleware exports no handler: export default, or onRequest",
    "room": "this room's module exports no handler: export one of onJoin, onMessage, onLeave",
    "job": "this job exports no handler: export default",
}


@dataclass(frozen=True, slots=True)
class ImportedName:
    """A name that an import wants of another module."""

    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Import:
    """An import of a module; `dynamic`: by `import()` or `require()`, which may fail and be caught."""

    specifier: str
    line: int
    column: int
    dynamic: bool
    names: tuple[ImportedName, ...]


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """One compiled file; `exports` is None where only running it tells; `stars` are those of `export * from`."""

    code: str
    imports: tuple[Import, ...]
    exports: tuple[str, ...] | None
    stars: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceFault:
    """What is wrong with a file, and where."""

    message: str
    line: int = 1
    column: int = 1


CompileModule = Callable[[str, str], CompiledModule | SourceFault]


def read_answer(answer: str) -> CompiledModule | SourceFault:
    """Return what the compiler answered. Raises: ValueError where it is nothing that the compiler says."""
    try:
        value = json.loads(answer)
        if "error" in value:
            fault = value["error"]
            return SourceFault(_printable(fault["message"]), int(fault["line"]), int(fault["column"]))
        exports = value["exports"]
        return CompiledModule(
            str(value["code"]),
            tuple(_read_import(item) for item in value["imports"]),
            None if exports is None else tuple(map(str, exports)),
            tuple(map(str, value["stars"])),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"The compiler answered {answer[:200]!r}.") from error


def _read_import(item: Mapping[str, Any]) -> Import:
    names = tuple(ImportedName(str(name["name"]), int(name["line"]), int(name["column"])) for name in item["names"])
    return Import(str(item["specifier"]), int(item["line"]), int(item["column"]), bool(item["dynamic"]), names)


def _printable(message: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in message[:500])


def compile_program(
    paths: Collection[str], read: Callable[[str], bytes], compile_module: CompileModule, extra: Collection[str] = ()
) -> Program:
    """Compile the functions of a version with these paths; `read` gives the content of one.

    `extra` are further modules that are run, such as handlers that `fazt.json` names. Raises: InvalidFunction with at
    most ten lines "file:line:column: message", and the same as `errors` in its details.
    """
    routes = RouteTable(paths)
    if routes.is_empty and not extra:
        return EMPTY
    return _Compilation(paths, read, compile_module).run(routes, extra)


class _TooManyErrors(Exception):
    """No more faults are wanted."""


class _Compilation:
    """The compilation of one version."""

    def __init__(self, paths: Collection[str], read: Callable[[str], bytes], compile_module: CompileModule) -> None:
        self._paths = frozenset(paths)
        self._files = frozenset(filter(is_module, self._paths))
        self._read = read
        self._compile_module = compile_module
        self._modules: dict[str, CompiledModule] = {}
        self._faulty: set[str] = set()
        self._exported: dict[str, frozenset[str] | None] = {}
        self._errors: list[dict[str, Any]] = []
        self._total_bytes = 0

    def run(self, routes: RouteTable, extra: Collection[str]) -> Program:
        try:
            for fault in routes.faults:
                self._refuse(fault.path, fault.message)
            self._compile_all([*routes.modules, *sorted(extra)])
            for path in self._modules:
                self._check_names(path)
            for path in routes.modules:
                self._check_handler(path)
        except _TooManyErrors:
            pass
        if self._errors:
            self._raise()
        exports = {path: self._exports(path) for path in routes.modules}
        named = {path: None if names is None else tuple(sorted(names)) for path, names in exports.items()}
        return Program(routes, {path: module.code for path, module in self._modules.items()}, named)

    def _raise(self) -> None:
        lines = [f"{error['file']}:{error['line']}:{error['column']}: {error['message']}." for error in self._errors]
        raise InvalidFunction("\n".join(lines), errors=self._errors)

    def _refuse(self, path: str, message: str, line: int = 1, column: int = 1) -> None:
        self._errors.append({"file": path, "line": line, "column": column, "message": message})
        if len(self._errors) == MAX_ERRORS:
            raise _TooManyErrors

    def _compile_all(self, roots: Collection[str]) -> None:
        """Compile the roots and what they import, nearest first."""
        waiting = list(dict.fromkeys(roots))
        seen = set(waiting)
        for path in waiting:  # grows as it goes
            if len(seen) > MAX_MODULES:
                self._refuse(path, f"the functions have more than {MAX_MODULES} modules")
                return
            if path not in self._files:
                self._refuse(path, "there is no such module in this site")
                continue
            module = self._compile(path)
            if module is None:
                self._faulty.add(path)
                continue
            self._modules[path] = module
            for found in module.imports:
                target = self._target(path, found)
                if target is not None and target not in seen:
                    seen.add(target)
                    waiting.append(target)

    def _compile(self, path: str) -> CompiledModule | None:
        data = self._read(path)
        self._total_bytes += len(data)
        if len(data) > MAX_FILE_BYTES:
            self._refuse(path, f"the file has {len(data)} bytes; {MAX_FILE_BYTES} is the most for a module")
            return None
        if self._total_bytes > MAX_TOTAL_BYTES:
            self._refuse(path, f"the functions have more than {MAX_TOTAL_BYTES} bytes together")
            raise _TooManyErrors
        try:
            source = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._refuse(path, "the file is not valid UTF-8", line, error.start - data.rfind(b"\n", 0, error.start))
            return None
        answer = self._compile_module(path, source)
        if isinstance(answer, SourceFault):
            self._refuse(path, answer.message.removesuffix("."), answer.line, answer.column)
            return None
        return answer

    def _target(self, path: str, found: Import) -> str | None:
        """Return the file that an import means; one that means none is refused, unless it may fail at run time."""
        target = resolve_import(found.specifier, path, self._files.__contains__)
        if target is None and found.specifier not in BUILT_IN:
            is_file = found.specifier.startswith((".", "/"))
            if is_file or not found.dynamic:  # `try { await import("node:fs") }` is what bundles do
                why = why_not_found(found.specifier, path, self._paths)
                self._refuse(path, why, found.line, found.column)
        return target

    # -- what modules want of each other --------------------------------------------------------------------------

    def _check_names(self, path: str) -> None:
        for found in self._modules[path].imports:
            target = resolve_import(found.specifier, path, self._files.__contains__)
            if target is None or target in self._faulty or not found.names:
                continue
            exports = self._exports(target)
            for name in found.names:
                if exports is not None and name.name not in exports:
                    message = f"'{found.specifier}' ({target}) does not export {_printable(repr(name.name))}"
                    self._refuse(path, message, name.line, name.column)

    def _exports(self, path: str) -> frozenset[str] | None:
        """Return the names that a module exports, also by `export *`; None where that is known at run time only."""
        if path not in self._exported:
            self._exported[path] = self._find_exports(path)
        return self._exported[path]

    def _find_exports(self, path: str) -> frozenset[str] | None:
        names: set[str] = set()
        waiting = [path]
        seen: set[str | None] = {path}
        for module_path in waiting:  # grows as it goes
            module = self._modules.get(module_path)
            if module is None or module.exports is None:
                return None
            names.update(name for name in module.exports if name != "default" or module_path == path)
            for star in module.stars:
                target = resolve_import(star, module_path, self._files.__contains__)
                if target is None:
                    return None
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return frozenset(names)

    def _check_handler(self, path: str) -> None:
        kind = kind_of(path)
        exports = None if path not in self._modules else self._exports(path)
        if kind is not None and exports is not None and not exports.intersection(_WANTED[kind]):
            self._refuse(path, _ADVICE[kind])
