"""Which module of a version answers a path under `/api`: the files' names → a table with look-up.

Owns what names in `api/` mean: routes, `_middleware`, rooms and jobs. Rule: the table is made of the paths alone, so
that the same files always answer the same requests.

    api/hello.js              /api/hello
    api/notes/index.js        /api/notes
    api/notes/[id].js         /api/notes/7             params.id = "7": one segment, never an empty one
    api/files/[...path].js    /api/files/a/b           params.path = "a/b": one segment or more
    api/docs/[[...path]].js   /api/docs, /api/docs/a   as before, or none at all: params.path = ""
    api/index.js              /api, and what nothing else under /api answers
    api/notes/_middleware.js  runs before each route whose file lies in api/notes/ or below, outermost first

Segment by segment an exact name goes before `[id]`, and that before `[...rest]`. A slash at the end means nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

FOLDER = "api/"
ROOMS = FOLDER + "_rooms/"
JOBS = FOLDER + "_jobs/"
EXTENSIONS = (".js", ".mjs", ".ts", ".mts", ".jsx", ".tsx")

_HANDLER = re.compile(r"(.+)\.(?:js|mjs|ts|mts|jsx|tsx)", re.DOTALL)
_DECLARATION = re.compile(r"\.d\.m?ts$")  # types for an editor: nothing that runs
_PARAMETER = re.compile(
    r"\[(?P<name>[A-Za-z][A-Za-z0-9_-]*)\]|(?P<optional>\[)?\[\.\.\.(?P<rest>[A-Za-z][A-Za-z0-9_-]*)\](?(optional)\])"
)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Match:
    """The module that answers, what wraps it (outermost first) and the values of its parameters."""

    module: str
    middleware: tuple[str, ...] = ()
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouteFault:
    """A file whose name means nothing, or the same as another's."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A route: its file and the names of the parameters on the way to it, in order."""

    module: str
    middleware: tuple[str, ...]
    names: tuple[str, ...]

    def match(self, values: tuple[str, ...]) -> Match:
        return Match(self.module, self.middleware, dict(zip(self.names, values, strict=True)))


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    end: _Leaf | None = None
    rest: _Leaf | None = None  # one segment or more
    optional: _Leaf | None = None  # the same, and none


class RouteTable:
    """Finds the module of a request, of a room or of a job."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._root = _Node()
        self._exact: dict[str, Match] = {}  # routes without parameters: most requests need no more than this
        self._fallback: _Leaf | None = None
        self._rooms: dict[str, str] = {}
        self._any_room: tuple[str, str] | None = None  # the module, the name of its parameter
        self._jobs: dict[str, str] = {}
        self._paths = sorted(path for path in paths if is_handler(path))
        self.faults: list[RouteFault] = []
        self._middleware = self._find_middleware()
        for path in self._paths:
            self._add(path)

    @property
    def is_empty(self) -> bool:
        """Whether nothing here answers anything."""
        return not self._paths

    @property
    def modules(self) -> tuple[str, ...]:
        """The files that are run: routes, middleware, rooms and jobs, in order."""
        return tuple(self._paths)

    @property
    def routes(self) -> tuple[str, ...]:
        """The files that answer requests, in order."""
        return tuple(path for path in self._paths if kind_of(path) == "route")

    @property
    def jobs(self) -> dict[str, str]:
        """The module of each job by the job's name."""
        return dict(self._jobs)

    def as_json(self) -> list[str]:
        """Return the table as a JSON value; `from_json` undoes it."""
        return list(self._paths)

    @classmethod
    def from_json(cls, value: list[str]) -> "RouteTable":
        """Return the table that `as_json` gave."""
        return cls(value)

    # -- look-up ------------------------------------------------------------------------------------------------------

    def match(self, path: str) -> Match | None:
        """Return what answers a path as it stands in the request line, percent-encoded and without its query."""
        found = self._exact.get(path)
        if found is not None:
            return found
        segments = _segments(path)
        if segments is None:
            return None
        leaf, values = self._find(segments)
        if leaf is not None:
            return leaf.match(values)
        return self._fallback.match(()) if self._fallback is not None else None

    def _find(self, segments: list[str]) -> tuple[_Leaf | None, tuple[str, ...]]:
        count = len(segments)
        waiting: list[tuple[_Node, int, tuple[str, ...], bool]] = [(self._root, 0, (), False)]
        while waiting:
            node, depth, values, only_rest = waiting.pop()
            if depth == count:
                if node.end is not None:
                    return node.end, values
                if node.optional is not None:
                    return node.optional, (*values, "")
                continue
            if only_rest:
                leaf = node.rest or node.optional
                assert leaf is not None
                return leaf, (*values, "/".join(segments[depth:]))
            segment = segments[depth]
            if node.rest is not None or node.optional is not None:
                waiting.append((node, depth, values, True))
            if node.parameter is not None and segment:
                waiting.append((node.parameter, depth + 1, (*values, segment), False))
            if (literal := node.literals.get(segment)) is not None:
                waiting.append((literal, depth + 1, values, False))
        return None, ()

    def room(self, name: str) -> Match | None:
        """Return the handler of a room: `api/_rooms/<name>.js`, else `api/_rooms/[name].js` with params.name."""
        if (module := self._rooms.get(name)) is not None:
            return Match(module)
        if self._any_room is None or not name:
            return None
        return Match(self._any_room[0], (), {self._any_room[1]: name})

    def job(self, name: str) -> str | None:
        """Return the module of a job: `api/_jobs/<name>.js`."""
        return self._jobs.get(name)

    # -- making -------------------------------------------------------------------------------------------------------

    def _find_middleware(self) -> dict[str, str]:
        """Return the middleware of each folder that has one."""
        found: dict[str, str] = {}
        for path in self._paths:
            if kind_of(path) == "middleware":
                folder = path.rpartition("/")[0]
                self._put(found, folder, path, "wrap the same folder")
        return found

    def _put(self, table: dict[str, str], key: str, path: str, what: str) -> None:
        if key in table:
            self._refuse(path, f"this file and {table[key]} {what}; keep one")
        else:
            table[key] = path

    def _add(self, path: str) -> None:
        match kind_of(path):
            case "route":
                self._add_route(path)
            case "room":
                name = _name_of(path, ROOMS)
                if (found := _PARAMETER.fullmatch(name)) is None:
                    self._put(self._rooms, name, path, "handle the same room")
                elif found["name"] is None or self._any_room is not None:
                    self._refuse(path, "for all other rooms there is one file, such as [name].js")
                else:
                    self._any_room = (path, found["name"])
            case "job":
                self._put(self._jobs, _name_of(path, JOBS), path, "run the same job")

    def _add_route(self, path: str) -> None:
        *folders, name = _name_of(path, FOLDER).split("/")
        parts = folders if name == "index" else [*folders, name]
        node, kind = self._root, "end"
        names: list[str] = []
        for part in parts:
            found = _PARAMETER.fullmatch(part)
            if kind != "end":
                self._refuse(path, f"behind {names[-1]!r}, which takes the rest, nothing can follow")
                return
            if found is None:
                if "[" in part or "]" in part:
                    self._refuse(path, f"{part!r}: a parameter is a whole name, such as [id] or [...path]")
                    return
                node = node.literals.setdefault(part, _Node())
                continue
            if (parameter := found["name"] or found["rest"]) in names:
                self._refuse(path, f"the parameter {parameter!r} is there twice")
                return
            names.append(parameter)
            if found["name"] is not None:
                node.parameter = node = node.parameter or _Node()
            else:
                kind = "optional" if found["optional"] else "rest"
        leaf = _Leaf(path, self._around(path), tuple(names))
        before = node.end if kind == "end" else node.rest or node.optional
        if before is not None:
            self._refuse(path, f"this file and {before.module} answer the same paths; keep one")
            return
        setattr(node, kind, leaf)
        if not names:
            self._add_exact("/".join(["/api", *parts]), leaf)

    def _refuse(self, path: str, message: str) -> None:
        self.faults.append(RouteFault(path, message))

    def _add_exact(self, path: str, leaf: _Leaf) -> None:
        if "%" not in path:
            self._exact[path] = self._exact[path + "/"] = leaf.match(())
        if path == "/api":
            self._fallback = leaf

    def _around(self, path: str) -> tuple[str, ...]:
        return tuple(self._middleware[folder] for folder in _folders(path) if folder in self._middleware)


def is_handler(path: str) -> bool:
    """Say whether a file of a version is run by its name: as a route, as middleware, for a room or as a job."""
    return kind_of(path) is not None


def kind_of(path: str) -> str | None:
    """Return what a file is by its name: "route", "middleware", "room", "job", or None for all others."""
    if not path.startswith(FOLDER) or not path.endswith(EXTENSIONS) or _DECLARATION.search(path):
        return None
    folder, _, file = path.rpartition("/")
    inside = folder.split("/")[1:]
    if inside in (["_rooms"], ["_jobs"]) and not file.startswith("_"):
        return "room" if inside == ["_rooms"] else "job"
    if any(part.startswith("_") for part in inside):
        return None
    if file.startswith("_"):
        return "middleware" if _name_of(file, "") == "_middleware" else None
    return "route" if _HANDLER.fullmatch(file) else None


def _name_of(path: str, folder: str) -> str:
    """Return the path of a handler without a folder before it and its extension."""
    found = _HANDLER.fullmatch(path.removeprefix(folder))
    return found[1] if found else ""


def _folders(path: str) -> Iterator[str]:
    """Yield the folders that a file lies in, outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _segments(path: str) -> list[str] | None:
    """Return the decoded segments behind `/api`, None where the path is not one that a route could have."""
    before, *raw = path.removesuffix("/").split("/")
    if before or not raw or raw[0] != "api":
        return None
    del raw[0]
    if "%" in path:
        if _BAD_PERCENT.search(path):
            return None
        try:
            raw = [unquote_to_bytes(segment).decode() if "%" in segment else segment for segment in raw]
        except UnicodeDecodeError:
            return None
    return None if "." in raw or ".." in raw else raw
