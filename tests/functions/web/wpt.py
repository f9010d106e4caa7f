"""The vendored web-platform-tests: which files there are, and how one is run in bare V8.

Rule: the files under wpt/ are upstream's, byte for byte; what they need and V8 lacks stands in wpt_shim.js.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from bare_v8 import Result, run_script

HERE = Path(__file__).parent
ROOT = HERE / "wpt"
ORIGIN = "http://web-platform.test:8000"
SHIM = (HERE / "wpt_shim.js").read_text()
EXPECTED = HERE / "expected.json"
SUBSTITUTIONS = {"host": "web-platform.test", "ports[http][0]": "8000", "ports[https][0]": "8443"}


def test_files() -> list[str]:
    """Return the paths of all test files, in order."""
    found = [*ROOT.rglob("*.any.js"), *ROOT.rglob("*.window.js")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def interface_of(path: str) -> str:
    """Return the folder that a file's results are counted under: "url", "streams", "fetch/api/headers", ..."""
    parts = path.split("/")[:-1]
    if parts[0] in ("fetch", "html"):
        return "/".join(parts[:3])
    return "/".join(parts[:2]) if parts[0] in ("dom", "xhr") else parts[0]


@dataclass(frozen=True, slots=True)
class Expected:
    """Known failures: the category of each subtest by file and name, and what the categories mean."""

    reasons: dict[str, str]
    not_counted: frozenset[str]  # categories of subtests that ask for what a server can't have
    failures: dict[str, dict[str, str]]


@functools.cache
def expected() -> Expected:
    """Read expected.json."""
    content = json.loads(EXPECTED.read_text())
    failures = {
        path: {name: reason for reason, names in groups.items() for name in names}
        for path, groups in content["failures"].items()
    }
    return Expected(content["reasons"], frozenset(content["not_counted"]), failures)


@functools.cache
def outcome(path: str) -> dict[str, str]:
    """Run a file once and return "" or the message of the failure by the subtest's name."""
    found: dict[str, str] = {}
    for name, status, message in run_file(path):
        failure = "" if status == "PASS" else f"{status}: {message}"
        found[name] = found.get(name) or failure
    return found


def run_file(path: str) -> list[Result]:
    """Run one file in a fresh isolate; what never reports is one subtest that failed."""
    text = (ROOT / path).read_text()
    scripts = [
        script_text(path, match[1].strip()) for match in re.finditer(r"^// META: *script=(.*)$", text, re.MULTILINE)
    ]
    pieces = [
        SHIM.replace("{{url}}", f"{ORIGIN}/{path}"),
        (ROOT / "resources/testharness.js").read_text(),
        "__harness();",
        *scripts,
        substitute(text),
        "done();",
    ]
    # Scripts of one page share their top level, as the pieces of one script do.
    results = run_script("\n;\n".join(pieces), files_for(path, text + "".join(scripts)))
    return results or [("(the whole file)", "TIMEOUT", "no result")]


def script_text(path: str, name: str) -> str:
    """Return the text of a script that a test file asks for."""
    folder = ROOT if name.startswith("/") else (ROOT / path).parent
    return substitute((folder / name.lstrip("/")).resolve().read_text())


def substitute(text: str) -> str:
    """Fill in what upstream's server fills in."""
    return re.sub(r"\{\{([^}]*)\}\}", lambda match: SUBSTITUTIONS.get(match[1], match[0]), text)


def files_for(path: str, text: str) -> dict[str, bytes]:
    """Return the files that a test may fetch, by their paths on the server."""
    if "fetch" not in text:
        return {}
    folder = (ROOT / path).parent
    return {
        f"/{file.resolve().relative_to(ROOT)}": file.read_bytes()
        for file in [
            *folder.glob("resources/*"),
            *folder.glob("../resources/*"),
            *ROOT.glob("fetch/data-urls/resources/base64.json"),
            *ROOT.glob("xhr/resources/*"),
        ]
        if file.is_file()
    }


def score(area: str) -> tuple[int, int]:
    """Return how many subtests of an area pass, and how many count."""
    passed = counted = 0
    for path in test_files():
        if interface_of(path) != area:
            continue
        known = expected().failures.get(path, {})
        for name, failure in outcome(path).items():
            if known.get(name) in expected().not_counted:
                continue
            counted += 1
            passed += failure == ""
    return passed, counted


def not_counted(area: str) -> int:
    """Return how many subtests of an area ask for what a server can't have."""
    return sum(
        reason in expected().not_counted
        for path, failures in expected().failures.items()
        if interface_of(path) == area
        for reason in failures.values()
    )
