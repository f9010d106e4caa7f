"""The files of a version that its functions are made of: which file an import means, and what such a file may be.

Rule: `resolve_import` gives the same answers as js/src/resolving.js, which asks at run time.
"""

import re
from collections.abc import Callable, Collection, Iterator

VENDORED = "api/_vendor/"  # `import "zod"` means api/_vendor/zod.js or api/_vendor/zod/index.js
EXTENSIONS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".mts", ".cjs", ".json")
BUILT_IN = ("fazt", "fazt/jsx-runtime")  # js/src/jsx.js

MAX_FILE_BYTES = 2 << 20
MAX_TOTAL_BYTES = 10 << 20
MAX_MODULES = 2000

_TYPED = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",)}  # TypeScript imports "./a.js" for a.ts
_RELATIVE = re.compile(r"\.{0,2}/|\.\Z|\.\.\Z")
_FOLDER = re.compile(r"(?:^|/)\.{0,2}\Z")
_EXTENSION = re.compile(r"\.\w+\Z", re.ASCII)
_DECLARATION = re.compile(r"\.d\.m?ts\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def is_module(path: str) -> bool:
    """Say whether a file can be imported."""
    return path.endswith(EXTENSIONS) and not _DECLARATION.search(path)


def resolve_import(specifier: str, importer: str, has: Callable[[str], bool]) -> str | None:
    """Return the path of the module that an import in a file means, or None; `has` knows the files.

    Tried in order: the file as it is named, the TypeScript that `./a.js` may stand for, the name with each of the
    extensions, and `index` with each of them. `/` is the root of the version; other names lie in `api/_vendor/`.
    """
    relative = _RELATIVE.match(specifier) is not None
    if not relative:
        segments = VENDORED.rstrip("/").split("/")
    else:
        segments = [] if specifier.startswith("/") else importer.split("/")[:-1]
    for segment in specifier.split("/"):
        if segment == "..":
            if not segments:
                return None
            segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    path = "/".join(segments)
    if not relative and not path.startswith(VENDORED):
        return None
    return next(filter(has, _candidates(path, _FOLDER.search(specifier) is not None)), None)


def _candidates(path: str, is_folder: bool) -> Iterator[str]:
    if path and not is_folder:
        found = _EXTENSION.search(path)
        extension = found[0] if found else ""
        if is_module(path):
            yield path
        for other in _TYPED.get(extension, ()):
            yield path[: -len(extension)] + other
        for other in EXTENSIONS:
            yield path + other
    for other in EXTENSIONS:
        yield f"{path}/index{other}" if path else f"index{other}"


def why_not_found(specifier: str, importer: str, paths: Collection[str]) -> str:
    """Return why an import means no file, as a sentence without a full stop."""
    if _RELATIVE.match(specifier):
        named = resolve_import(specifier, importer, lambda path: True)
        folder = "" if specifier.startswith("/") else importer.rpartition("/")[0]
        if named is None:
            return f"'{specifier}' leads out of the site"
        if (plain := _joined(folder, specifier)) in paths:
            return f"'{plain}' is not JavaScript, TypeScript or JSON, so it cannot be imported"
        return f"there is no file '{plain}' in this site"
    if specifier.startswith("node:"):
        return f"'{specifier}' is a part of Node.js, which is not here"
    if _SCHEME.match(specifier):
        return f"'{specifier}' cannot be imported: only files of the site can be"
    return f"'{specifier}' is not in this site: bundle it, or put it into {VENDORED} ({VENDORED}{specifier}.js)"


def _joined(folder: str, specifier: str) -> str:
    segments = folder.split("/") if folder else []
    for segment in specifier.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/".join(segments)
