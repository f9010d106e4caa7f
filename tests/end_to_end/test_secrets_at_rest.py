"""A server with secrets in it: its files, its backups and its log have none of them in the clear."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from loopback import FaztServer

PLANTED = "planted-where-nobody-may-look"
PROGRAM = "export default (request, { env }) => new Response(env.API_KEY.length + ' characters')"


def make_site(folder: Path) -> Path:
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "length.js").write_text(PROGRAM)
    return folder


def holds_it(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "secret"]
    return [path.name for path in files if PLANTED.encode() in path.read_bytes()]


def test_nothing_is_in_the_clear(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    server = start_server(tmp_path / "data" / "data.db")
    (tmp_path / "secret").write_text(PLANTED)
    server.cli("deploy", str(make_site(tmp_path / "site")), "--site", "demo")
    server.cli("secrets", "set", "demo", "API_KEY", "--file", str(tmp_path / "secret"))
    server.cli(
        "hooks", "create", "push", "--site", "demo", "--style", "hmac", "--secret-file", str(tmp_path / "secret")
    )
    assert server.get("/api/length", host="demo.localhost").body == b"%d characters" % len(PLANTED)
    server.cli("backup", "create")
    server.cli("backup", "create", "--with-key")
    assert holds_it(tmp_path) == []  # the WAL is among them
    said = server.stop()
    assert PLANTED not in said
    assert holds_it(tmp_path) == []

    # Without the key the server serves, and what needs a secret says what is missing, until it is given.
    key = tmp_path / "data" / "data.db.key"
    key.rename(tmp_path / "kept.key")
    server = start_server(server.database)
    locked = server.get("/api/length", host="demo.localhost")
    assert (locked.status, json.loads(locked.body)["error"]["code"]) == (503, "secrets_locked")
    assert server.get("/", host="localhost").status == 200
    assert server.cli("key", "status", check=False).returncode == 1
    server.cli("key", "give", str(tmp_path / "kept.key"))
    assert server.get("/api/length", host="demo.localhost").status == 200
    server.stop()


def test_a_server_moves_with_a_backup(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    server = start_server(tmp_path / "data" / "data.db")
    (tmp_path / "secret").write_text(PLANTED)
    server.cli("deploy", str(make_site(tmp_path / "site")), "--site", "demo")
    server.cli("secrets", "set", "demo", "API_KEY", "--file", str(tmp_path / "secret"))
    server.cli("backup", "create", "--out", str(tmp_path / "moved.fazt"))
    server.stop()
    key = shutil.move(tmp_path / "data" / "data.db.key", tmp_path / "kept.key")
    shutil.rmtree(tmp_path / "data")

    other = FaztServer(tmp_path / "other" / "data.db", server.port)
    other.database.parent.mkdir()
    ran = other.cli("backup", "restore", "--yes", str(tmp_path / "moved.fazt"))
    assert "fazt key give" in ran.stderr
    other.cli("key", "give", str(key))
    other = start_server(other.database)
    assert other.get("/api/length", host="demo.localhost").status == 200
    other.stop()
