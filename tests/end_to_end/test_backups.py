"""A server that is backed up and restored as its owner does it, while visitors come."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import FaztServer, free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaztServer]:
    server = FaztServer(tmp_path / "data.db", free_port())
    server.start()
    yield server
    server.stop()


def deploy(server: FaztServer, folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(text)
    server.cli("deploy", str(folder), "--site", "blog")


def wait_for(server: FaztServer, text: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if server.get("/", host="blog.localhost").body.decode() == text:
                return
        except OSError:
            pass  # it starts anew
        time.sleep(0.05)
    raise AssertionError(f"the site never said {text}")


def test_a_running_server_is_restored_and_goes_on(server: FaztServer, tmp_path: Path) -> None:
    deploy(server, tmp_path / "site", "old")
    made = json.loads(server.cli("backup", "create", "--label", "before", "--json").stdout)
    deploy(server, tmp_path / "site", "new")
    pid = server.pid
    server.cli("backup", "restore", made["id"], "--yes")
    wait_for(server, "old")
    assert server.process is not None
    assert (server.process.poll(), server.pid) == (None, pid)  # the same process: whoever started it need not know
    (kept,) = tmp_path.glob("data.db.before-*")
    assert kept.stat().st_mode & 0o777 == 0o600
    deploy(server, tmp_path / "site", "newest")
    wait_for(server, "newest")
    assert json.loads(server.cli("status", "--json").stdout)["pid"] == pid
    rows = json.loads(server.cli("audit", "--json").stdout)["items"]
    assert [row["subject"] for row in rows if row["action"] == "backup.restore"] == [f"{made['id']}.fazt"]


def test_one_site_comes_back_alone(server: FaztServer, tmp_path: Path) -> None:
    deploy(server, tmp_path / "site", "old")
    server.cli("kv", "blog", "set", "key", '"old"')
    server.cli("backup", "create")
    deploy(server, tmp_path / "site", "new")
    server.cli("kv", "blog", "set", "key", '"new"')
    server.cli("deploy", str(tmp_path / "site"), "--site", "other")
    said = server.cli("backup", "restore", "latest", "--site", "blog", "--yes").stdout
    assert "blog is as it was in" in said
    assert "1 file, 1 key" in said
    assert server.get("/", host="blog.localhost").body == b"old"
    assert server.cli("kv", "blog", "get", "key").stdout.strip() == '"old"'
    assert server.get("/", host="other.localhost").body == b"new"
    refused = server.cli("backup", "restore", "latest", "--no-data", "--yes", check=False)
    assert (refused.returncode, "--site" in refused.stderr) == (1, True)


def test_an_encrypted_file_moves_a_server(server: FaztServer, tmp_path: Path) -> None:
    deploy(server, tmp_path / "site", "moved")
    out, secret = tmp_path / "moved.fazt", tmp_path / "passphrase"
    secret.write_text("a long night of rain\n")
    server.cli("backup", "create", "--out", str(out), "--encrypt", "--passphrase-file", str(secret))
    assert json.loads(server.cli("backup", "list", "--json").stdout)["items"] == []
    server.cli("backup", "verify", str(out), "--passphrase-file", str(secret))
    elsewhere = FaztServer(tmp_path / "elsewhere" / "data.db", free_port())
    elsewhere.database.parent.mkdir()
    elsewhere.cli("backup", "restore", str(out), "--yes", "--passphrase-file", str(secret))
    elsewhere.start()
    try:
        assert elsewhere.get("/", host="blog.localhost").body == b"moved"
    finally:
        elsewhere.stop()


def test_visitors_and_writers_notice_nothing_of_a_backup_and_its_proof(server: FaztServer, tmp_path: Path) -> None:
    deploy(server, tmp_path / "site", "here")
    failed: list[str] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            answer = server.get("/", host="blog.localhost")
            if (answer.status, answer.body) != (200, b"here"):
                failed.append(f"{answer.status} {answer.body!r}")

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        server.cli("backup", "create")
        proven = json.loads(server.cli("backup", "drill", "--json").stdout)
    finally:
        stop.set()
        thread.join()
    assert failed == []
    assert (proven["proof"]["failed"], proven["proof"]["booted"]) == (None, True)


@pytest.mark.parametrize("watched", [False, True])
def test_whoever_is_not_watched_over_starts_itself_anew(tmp_path: Path, watched: bool) -> None:
    """systemd starts what has ended, and keeps its sockets; nobody else does."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")} | ({"INVOCATION_ID": "1"} if watched else {})
    server = FaztServer(tmp_path / "data.db", free_port(), environment)
    server.start()
    assert server.process is not None
    try:
        before = json.loads(server.cli("status", "--json").stdout)["started_at"]
        server.cli("backup", "create")
        server.cli("backup", "restore", "latest", "--yes")
        if watched:
            assert server.process.wait(20) == 0
            return
        deadline = time.monotonic() + 20
        while json.loads(server.cli("status", "--json").stdout)["started_at"] in (before, None):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert server.process.poll() is None
    finally:
        server.stop()


def test_settings_that_wait_for_a_start_count_after_one(server: FaztServer) -> None:
    server.cli("config", "set", "www", "redirect-to-www")
    before = json.loads(server.cli("status", "--json").stdout)["started_at"]
    server.cli("backup", "create")
    server.cli("backup", "restore", "latest", "--yes")
    deadline = time.monotonic() + 20
    while json.loads(server.cli("status", "--json").stdout)["started_at"] in (before, None):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert server.get("/", host="localhost").status == 308
