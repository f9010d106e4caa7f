"""Where a redirect rule leads: a path or an http(s) URL with placeholders to be filled in.

Owns the encoding of what is filled in. Rule: nothing that a visitor sends can reach the host of a Location, end a
header line, or make a path begin with two slashes.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

import idna

from fazt.sites.names import PLATFORM_FOLDERS

_PLACEHOLDER = re.compile(r":([A-Za-z_][A-Za-z0-9_]*)")
_AUTHORITY = re.compile(r"(?i)https?://([^/?#]*)")
_HOST_AND_PORT = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])\.?(:\d{1,5})?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LITERAL_SAFE = "!$&'()*+,;=:@/-._~%"
PATH_SAFE = "!$&'()*+,;=:@/-._~"
_VALUE_SAFE = {"path": PATH_SAFE, "query": "-._~/:@!$'()*,;", "fragment": "-._~/:@!$&'()*+,;="}
_RESERVED = tuple("/" + folder for folder in ("api/", *PLATFORM_FOLDERS))

Part = str | tuple[str]  # literal text, or the name of a placeholder


@dataclass(frozen=True, slots=True)
class Target:
    """A target taken apart. Literal text is encoded already; `query` and `fragment` are None where there are none."""

    origin: str
    path: tuple[Part, ...]
    query: tuple[Part, ...] | None
    fragment: tuple[Part, ...] | None

    def location(self, values: dict[str, str], kept_query: str) -> str:
        """Return the value of Location; `kept_query` is used where the target has no query of its own."""
        path = _fill(self.path, values, "path")
        path = "/" + path.lstrip("/") if path or not self.origin else ""
        query = kept_query if self.query is None else _fill(self.query, values, "query")
        fragment = "" if self.fragment is None else "#" + _fill(self.fragment, values, "fragment")
        return f"{self.origin}{path}{'?' + query if query else ''}{fragment}"

    def file_path(self, values: dict[str, str]) -> str:
        """Return the decoded path of the file that is meant; it begins with one slash."""
        parts = (values[part[0]] if isinstance(part, tuple) else unquote_to_bytes(part).decode() for part in self.path)
        return "/" + "".join(parts).lstrip("/")


def _fill(parts: tuple[Part, ...], values: dict[str, str], place: str) -> str:
    safe = _VALUE_SAFE[place]
    return "".join(
        quote(values[part[0]], safe=safe, errors="replace") if isinstance(part, tuple) else part for part in parts
    )


def parse_target(text: str, names: frozenset[str], *, is_file: bool) -> Target:
    """Take a target apart; `names` are the placeholders that the rule's pattern captures.

    Raises: ValueError with half a sentence about what is wrong.
    """
    if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("contains a control character")
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("has a percent sign that is not followed by two hexadecimal digits; write %25")
    origin = _read_origin(text, is_file=is_file)
    rest = text[len(origin[0]) :]
    before, hash_sign, fragment = rest.partition("#")
    path, question_mark, query = before.partition("?")
    if "\\" in path:
        raise ValueError("contains a backslash")
    if is_file:
        _check_file(path)
    return Target(
        origin[1],
        _split(path, names, _LITERAL_SAFE),
        _split(query, names, _LITERAL_SAFE + "?") if question_mark else None,
        _split(fragment, names, _LITERAL_SAFE + "?") if hash_sign else None,
    )


def _read_origin(text: str, *, is_file: bool) -> tuple[str, str]:
    """Return the scheme and host as they are written and in their one form; both are empty for a path."""
    found = _AUTHORITY.match(text)
    if not found:
        if text.startswith("//"):
            raise ValueError("begins with two slashes; write https:// and the host, or one slash")
        if _SCHEME.match(text):
            raise ValueError("must be a path or an http(s) URL")
        if not text.startswith("/"):
            raise ValueError("must begin with a slash, or with https://")
        return "", ""
    if is_file:
        raise ValueError("is on another server: passing requests on (200 to a URL) is not available; redirect with 301")
    authority = found[1]
    if "@" in authority:
        raise ValueError("may not have a user name")
    if not authority.isascii():
        host, colon, port = authority.partition(":")
        try:
            authority = idna.encode(host, uts46=True).decode() + colon + port
        except idna.IDNAError:
            raise ValueError("has a host that is not a valid name") from None
    if not _HOST_AND_PORT.fullmatch(authority):
        raise ValueError("has a host that is not valid (placeholders may not stand there)")
    return found[0], found[0].partition("://")[0].lower() + "://" + authority.lower()


def _check_file(path: str) -> None:
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeError:
        raise ValueError("is not valid UTF-8 behind its percent signs") from None
    if decoded.startswith(_RESERVED):
        raise ValueError("cannot be answered by a function or another part of the platform; only files can")
    if any(part in (".", "..") for part in decoded.split("/")):
        raise ValueError("has . or .. as a part")


def _split(text: str, names: frozenset[str], safe: str) -> tuple[Part, ...]:
    """Cut a text into literals and placeholders. A colon that begins no known name stays a colon."""
    parts: list[Part] = []
    reached = 0
    for found in _PLACEHOLDER.finditer(text):
        if found[1] not in names:
            if found.start() and text[found.start() - 1] not in "/=":
                continue
            raise ValueError(f"uses {found[0]}, which the rule does not capture")
        parts += [quote(text[reached : found.start()], safe=safe), (found[1],)]
        reached = found.end()
    parts.append(quote(text[reached:], safe=safe))
    return tuple(part for part in parts if part)
