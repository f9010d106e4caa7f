"""The rules of a version: `fazt.json`, `_redirects` and `_headers` as one JSON value, compiled when it is deployed.

Owns how the three are put together. Rule: what `compile_rules` lets through, `Rules.from_json` reads without fault, so
that no deployed site fails later over its rules.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import orjson

from fazt.errors import InvalidRules
from fazt.sites.cron_rules import CronRule, check_handlers
from fazt.sites.headers import HeaderRule, HeaderTable, compile_headers
from fazt.sites.manifest import FILE, Manifest, parse_manifest
from fazt.sites.names import WEB_FOLDER
from fazt.sites.redirects import Redirect, RedirectTable, compile_redirects

MAX_FILE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one version; `root` is the folder that is served: "" or "static-webapp/"."""

    manifest: Manifest
    redirects: RedirectTable
    headers: HeaderTable
    root: str

    @classmethod
    def from_json(cls, data: bytes) -> "Rules":
        """Return the rules that `compile_rules` made; `{}` is a site without any."""
        value = orjson.loads(data)
        manifest = Manifest.from_json(value.get("manifest", {}))
        redirects = [Redirect.from_json(rule) for rule in value.get("redirects", ())]
        headers = [HeaderRule.from_json(rule) for rule in value.get("headers", ())]
        return cls(
            manifest,
            RedirectTable.from_rules([*redirects, *manifest.redirects]),
            HeaderTable.from_rules([*headers, *manifest.headers]),
            value.get("root", ""),
        )


def compile_rules(read: Callable[[str], bytes | None], paths: Collection[str]) -> bytes:
    """Return the rules of a version with these paths; `read` gives the content of one, or None where there is none.

    `_redirects` and `_headers` come before the same in `fazt.json`. Where the site lies in `static-webapp/`, they may
    lie there too, as build tools put them. Equal rules give equal bytes. Raises: InvalidRules, naming file and line.
    """
    root = WEB_FOLDER if any(path.startswith(WEB_FOLDER) for path in paths) else ""
    data = read(FILE) if FILE in paths else None
    manifest = parse_manifest(data) if data is not None else Manifest()
    check_handlers([CronRule.from_json(rule) for rule in manifest.rest.get("cron", ())], paths)
    redirects = [rule for name in _places("_redirects", root) for rule in compile_redirects(*_text(read, name, paths))]
    headers = [rule for name in _places("_headers", root) for rule in compile_headers(*_text(read, name, paths))]
    value = {
        "manifest": manifest.as_json(),
        "redirects": [rule.as_json() for rule in redirects],
        "headers": [rule.as_json() for rule in headers],
        "root": root,
    }
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _places(name: str, root: str) -> list[str]:
    return [name, root + name] if root else [name]


def _text(read: Callable[[str], bytes | None], name: str, paths: Collection[str]) -> tuple[str, str]:
    """Return the text of a file of rules, empty where there is none, and its name."""
    data = (read(name) if name in paths else None) or b""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidRules(f"{name}:1: the file is larger than {MAX_FILE_BYTES >> 20} MiB.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n"), name
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidRules(f"{name}:{line}: the file is not valid UTF-8.") from None
