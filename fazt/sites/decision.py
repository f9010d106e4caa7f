"""What a path of a version is answered with: which file and status, or where to go instead.

`resolve` makes pages of decisions and `explain` shows them step by step: there is no second copy of this logic.
Rule: pure functions of the version's files and rules; a file that is not public does not exist here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from fazt.sites.manifest import Manifest
from fazt.sites.redirects import Answer
from fazt.sites.rules import Rules
from fazt.store.versions import File

PATH_SAFE = "/!$&'()*+,;=:@[]|"  # what browsers leave as it is in a path (WHATWG URL, path percent-encode set)
QUERY_SAFE = "/?%!$&'()*+,;=:@[]|"
INDEX = "index.html"
PAGE_SUFFIX = ".html"
NOT_FOUND = "404.html"
PLAIN_PATH = re.compile(rb"(?:/[\w!$&'()*+,;=:@~-][\w!$&'()*+,;=:@~.-]*)*/?")  # nothing to be decoded or resolved
BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
DEEPEST_404 = 32  # folders whose 404.html is looked for: without a limit a path of slashes costs thousands of reads

Find = Callable[[str], File | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decision, for people: what was looked at and what came of it."""

    step: str
    result: str


Trace = list[Step]


@dataclass(frozen=True, slots=True)
class RequestPath:
    """A path of a request: decoded, dot segments resolved, without its first slash.

    `text` is None where no file can have that path. `canonical`: it was spelled in its one plain way.
    """

    text: str | None
    canonical: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A status with a file, or a redirect with its `location`, or 404 without either.

    `fixed`: the answer is the same for every query, and only so many paths have it.
    """

    status: int
    file: File | None = None
    location: str = ""
    fixed: bool = False


def read_path(raw: bytes) -> RequestPath:
    """Decode a path once and resolve its dot segments (RFC 3986 5.2.4).

    An encoded slash, a backslash, a control character, a broken escape, bytes that are not UTF-8 and an empty segment
    are parts of no file's path.
    """
    if PLAIN_PATH.fullmatch(raw):
        return RequestPath(raw[1:].decode("ascii"), canonical=True)
    segments: list[str] = []
    for piece in raw.removeprefix(b"/").split(b"/"):
        segment = _decode(piece)
        if segment is None:
            return RequestPath(None)
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if segment in (".", ".."):  # at the end they name a folder
        segments.append("")
    if "" in segments[:-1]:
        return RequestPath(None)
    text = "/".join(segments)
    return RequestPath(text, canonical=encode_path(text).encode("ascii") == raw)


def _decode(piece: bytes) -> str | None:
    """Return a decoded segment, None where it is broken or holds what no name may hold."""
    if BROKEN_ESCAPE.search(piece):
        return None
    try:
        segment = unquote_to_bytes(piece).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if FORBIDDEN.search(segment) else segment


def encode_path(text: str) -> str:
    """Return the one spelling of a decoded path, with its first slash."""
    return "/" + quote(text, safe=PATH_SAFE)


def encode_query(query: bytes) -> str:
    """Return a query fit for a header field: what is encoded stays so, all that may not stand there is encoded."""
    return quote(query, safe=QUERY_SAFE)


def decide(find: Find, rules: Rules, path: RequestPath, query: str, trace: Trace | None = None) -> Decision:
    """Return what a path is answered with."""
    if path.text is None:
        return _missing(find, "", fixed=False, trace=trace)
    static = _static(find, rules.manifest, path.text)
    _note(trace, "files", _told(static))
    answer = rules.redirects.match(f"/{path.text}", query, static is not None)
    _note(trace, "redirects", _told_rule(answer))
    fixed = not rules.redirects.reads_query(static is not None)
    if answer is not None:
        return _by_rule(find, rules.manifest, answer, path.text, trace)
    if isinstance(static, str):
        return Decision(308, location=encode_path(static) + (f"?{query}" if query else ""))
    if static is not None:
        return Decision(200, static, fixed=fixed)
    if rules.manifest.spa and "." not in path.text.rpartition("/")[2]:
        index = find(INDEX)
        _note(trace, "spa", "there is no index.html" if index is None else index.path)
        if index is not None:
            return Decision(200, index)
    return _missing(find, path.text, fixed=fixed, trace=trace)


@dataclass(frozen=True, slots=True)
class _Found:
    """The file that a path leads to, and how."""

    file: File
    how: Literal["itself", "index", "page"]


def _static(find: Find, manifest: Manifest, path: str) -> File | str | None:
    """Return the file that a path serves, or the path it has moved to, or None."""
    found = _find_at(find, manifest, path)
    if found is None:
        return None
    wanted = _wanted_path(manifest, path, found)
    if wanted != path:
        there = _find_at(find, manifest, wanted)
        if there is not None and there.file.path == found.file.path:
            return wanted
    return found.file


def _find_at(find: Find, manifest: Manifest, path: str) -> _Found | None:
    """Return the file that a path leads to: itself, the index of a folder, or a page without its suffix."""
    is_folder = path == "" or path.endswith("/")
    if not is_folder and (file := find(path)) is not None:
        return _Found(file, "itself")
    stem = path.removesuffix("/")
    index = find(f"{stem}/{INDEX}" if stem else INDEX)
    page = find(stem + PAGE_SUFFIX) if stem and manifest.clean_urls else None
    # A name can be both a folder with an index and a page: the slash tells which is meant.
    if page is not None and not (is_folder and index is not None):
        return _Found(page, "page")
    return None if index is None else _Found(index, "index")


def _wanted_path(manifest: Manifest, path: str, found: _Found) -> str:
    """Return the path that a file should be reached at, by the settings of the site."""
    is_index = found.how == "index"
    stem = path.removesuffix("/")
    if found.how == "itself":
        if manifest.clean_urls != "redirect" or not path.endswith(PAGE_SUFFIX):
            return path
        is_index = path.rpartition("/")[2] == INDEX
        stem = path.removesuffix(INDEX).removesuffix("/") if is_index else path.removesuffix(PAGE_SUFFIX)
    if not stem:
        return ""
    slash = {"add": True, "remove": False, "keep": is_index}[manifest.trailing_slash]
    return f"{stem}/" if slash else stem


def _by_rule(find: Find, manifest: Manifest, answer: Answer, path: str, trace: Trace | None) -> Decision:
    """Follow a redirect rule: a redirect, or another file under this path."""
    if answer.path is None:
        return Decision(answer.status, location=answer.location)
    found = _find_at(find, manifest, answer.path.removeprefix("/"))
    _note(trace, "rewrite", "there is no such file" if found is None else found.file.path)
    if found is None:
        return _missing(find, path, fixed=False, trace=trace)
    return Decision(answer.status, found.file)


def _missing(find: Find, path: str, *, fixed: bool, trace: Trace | None) -> Decision:
    """Return 404 with the nearest 404.html up the tree."""
    folders = path.split("/")[:-1][:DEEPEST_404]
    for depth in range(len(folders), -1, -1):
        file = find("/".join([*folders[:depth], NOT_FOUND]))
        if file is not None:
            _note(trace, "not found", file.path)
            return Decision(404, file, fixed=fixed)
    _note(trace, "not found", "the site has no 404.html above this path; the server's own")
    return Decision(404, fixed=fixed)


def _told(static: File | str | None) -> str:
    if static is None:
        return "no file, folder or page"
    return f"moved to /{static}" if isinstance(static, str) else static.path


def _told_rule(answer: Answer | None) -> str:
    if answer is None:
        return "no rule applies"
    return f"{answer.rule.where}: {answer.status} {answer.location}"


def _note(trace: Trace | None, step: str, result: str) -> None:
    if trace is not None:
        trace.append(Step(step, result))
