"""The script for pages: two addresses, one source, and a tag by which a browser knows that it has it."""

import asyncio
import re
import shutil
import subprocess
from typing import Any

import pytest

from fazt.api.client_script import CLASSIC, MODULE, client_script_app, client_scripts


def ask(path: str, method: str = "GET", kind: str = "http", **headers: str) -> Any:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": method, "path": path, "headers": fields}
    asyncio.run(client_script_app()(scope, None, send))  # type: ignore[arg-type]
    return (sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]) if kind == "http" else sent


@pytest.mark.parametrize("path", [MODULE, CLASSIC])
def test_a_script_is_given_and_known_again(path: str) -> None:
    status, headers, body = ask(path)
    assert (status, headers[b"content-type"]) == (200, b"text/javascript; charset=utf-8")
    assert headers[b"content-length"] == b"%d" % len(body)
    assert headers[b"cache-control"] == b"no-cache"
    tag = headers[b"etag"].decode()
    for value in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = ask(path, if_none_match=value)
        assert (again[0], again[2], again[1][b"etag"]) == (304, b"", tag.encode())
    assert ask(path, if_none_match='"x"')[0] == 200
    assert ask(path, "HEAD")[0] == 200


def test_the_two_are_one_source() -> None:
    scripts = client_scripts()
    assert b"export { room };" in scripts[MODULE]
    assert not re.search(rb"^(export|import)\b", scripts[CLASSIC], re.MULTILINE)
    assert ask(MODULE)[1][b"etag"] != ask(CLASSIC)[1][b"etag"]


def test_what_is_refused() -> None:
    status, headers, _ = ask(MODULE, "POST")
    assert (status, headers[b"allow"]) == (405, b"GET, HEAD")
    assert ask("/_fazt/client.css")[0] == 404
    assert ask(MODULE, kind="websocket") == [{"type": "websocket.close"}]


@pytest.mark.parametrize(("path", "kind"), [(MODULE, "module"), (CLASSIC, "commonjs")])
def test_the_scripts_are_well_formed(path: str, kind: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, "--check", f"--input-type={kind}", "-"]
    done = subprocess.run(command, input=client_scripts()[path], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
