"""The files of the dashboard: on its own host alone, under a strict policy, kept by browsers while they are true."""

import asyncio
import gzip
import re
from typing import Any

import pytest
from api_calls import make_scope

from fazt.api.dashboard import FOLDER, POLICY, dashboard

APP = dashboard()


def call(path: str, method: str = "GET", **fields: str) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    asyncio.run(APP(make_scope(method, path, headers, None), None, send))  # type: ignore[arg-type]
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize("path", ["/", "/app.js", "/style/base.css", "/vendor/preact.js", "/mark.svg"])
def test_a_file_and_its_fields(path: str) -> None:
    status, headers, body = call(path)
    assert (status, int(headers[b"content-length"])) == (200, len(body))
    assert headers[b"content-security-policy"].decode() == POLICY
    assert headers[b"cross-origin-opener-policy"] == b"same-origin"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-cache"
    zipped_status, zipped_headers, zipped = call(path, accept_encoding="br, gzip;q=0.5")
    assert zipped_status == 200
    if zipped_headers.get(b"content-encoding") == b"gzip":
        assert gzip.decompress(zipped) == body
        assert zipped_headers[b"etag"] != headers[b"etag"]
    for kept in (headers[b"etag"], b"W/" + headers[b"etag"], b'"other", ' + headers[b"etag"]):
        assert call(path, if_none_match=kept.decode())[::2] == (304, b"")


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert "unsafe" not in POLICY
    assert "frame-ancestors 'none'" in POLICY
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|style=|https?:", page)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.js")), ids=lambda path: path.name)
def test_no_script_makes_markup_of_text(path: Any) -> None:
    if "vendor" in path.parts:
        return
    text = path.read_text()
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "dangerouslySetInnerHTML",
        "eval(",
    ):
        assert forbidden not in text, f"{path.name} has {forbidden}"


def test_other_methods_and_paths() -> None:
    assert call("/", "POST")[0] == 405
    for path in ("/nothing", "/../dashboard.py", "/style", "/index.html/", "//app.js", "/.hidden"):
        assert call(path)[0] == 404
