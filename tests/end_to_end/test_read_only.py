"""A read-only time: everything is read, nothing is written, and each refusal says so."""

import json
from collections.abc import Callable
from pathlib import Path

from loopback import FaztServer

PROGRAM = """
export const GET = async (request, { fazt }) => new Response(String((await fazt.kv.get("count")) ?? 0));
export const POST = async (request, { fazt }) => {
  try {
    await fazt.kv.set("count", 1);
    return new Response("written");
  } catch (error) {
    return Response.json({ message: error.message, code: error.code }, { status: 503 });
  }
};
"""


def make_site(folder: Path, text: str) -> Path:
    (folder / "api").mkdir(parents=True, exist_ok=True)
    (folder / "api" / "count.js").write_text(PROGRAM)
    (folder / "index.html").write_text(text)
    return folder


def files_of(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), path.with_name(f"{path.name}-wal").read_bytes()


def check_read_only(server: FaztServer, tmp_path: Path) -> None:
    assert server.get("/", host="demo.localhost").body == b"first"
    assert server.get("/api/count", host="demo.localhost").body == b"1"
    refused = server.get("/api/count", host="demo.localhost", method="POST")
    assert refused.status == 503
    told = json.loads(refused.body)
    assert (told["code"], "read-only at the moment" in told["message"]) == ("read_only", True)
    for command in (
        ("deploy", str(make_site(tmp_path / "site", "second")), "--site", "demo"),
        ("sites", "remove", "demo", "--yes"),
        ("kv", "demo", "set", "count", "2"),
        ("token", "create", "--label", "x", "--action", "read"),
        ("links", "create", "https://example.org/"),
        ("secrets", "set", "demo", "KEY", "--file", str(tmp_path / "site" / "index.html")),
    ):
        ran = server.cli(*command, check=False)
        assert (ran.returncode, "read-only at the moment" in ran.stderr) == (1, True), (command, ran.stderr)
    assert "read-only" in server.cli("status").stdout
    assert server.get("/_fazt/health", host="localhost").status == 200
    server.cli("backup", "create")
    assert server.get("/", host="demo.localhost").body == b"first"


def test_a_read_only_time_begins_and_ends_while_serving(
    start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    server = start_server()
    server.cli("deploy", str(make_site(tmp_path / "site", "first")), "--site", "demo")
    assert server.get("/api/count", host="demo.localhost", method="POST").body == b"written"
    server.cli("config", "set", "read_only", "yes")
    check_read_only(server, tmp_path)
    server.cli("config", "set", "read_only", "no")
    assert server.get("/api/count", host="demo.localhost", method="POST").body == b"written"
    server.cli("deploy", str(tmp_path / "site"), "--site", "demo")
    assert server.get("/", host="demo.localhost").body == b"second"
    server.stop()


def test_a_server_that_is_started_read_only_writes_nothing(
    start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    server = start_server()
    server.cli("deploy", str(make_site(tmp_path / "site", "first")), "--site", "demo")
    assert server.get("/api/count", host="demo.localhost", method="POST").body == b"written"
    server.stop()
    server = start_server(server.database, flags=["--read-only"])
    before = files_of(server.database)
    check_read_only(server, tmp_path)
    assert "the command line" in server.cli("config", "why", "read_only").stdout
    assert files_of(server.database) == before
    said = server.stop()
    assert "Traceback" not in said
    assert "is lost with this process: the log and the statistics" in said
    server = start_server(server.database)
    assert server.get("/api/count", host="demo.localhost", method="POST").body == b"written"
    server.stop()
