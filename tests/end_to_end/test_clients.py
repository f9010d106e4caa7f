"""A day with the server, through the clients that people use: the CLI, curl and a browser."""

import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import FAZT, FaztServer, run_cli

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello"


def curl(server: FaztServer, url: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run curl against the server, whatever name the URL has."""
    resolve = f"*:{server.port}:127.0.0.1"
    command = ["curl", "-sS", "--max-time", "20", "--resolve", resolve, *flags, url.replace("PORT", str(server.port))]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.fixture
def hello(server: FaztServer) -> FaztServer:
    server.cli("deploy", str(EXAMPLE), "--site", "hello")
    return server


def test_curl_reads_the_example(hello: FaztServer) -> None:
    page = (EXAMPLE / "index.html").read_text()
    assert curl(hello, "http://hello.localhost:PORT/").stdout == page
    assert curl(hello, "http://hello.localhost:PORT/", "--compressed").stdout == page
    assert curl(hello, "http://HELLO.localhost:PORT/index.html").stdout == page
    assert curl(hello, "http://hello.localhost:PORT/", "--http1.0").stdout == page
    assert curl(hello, "http://hello.localhost:PORT/", "-r", "0-14").stdout == page[:15]
    assert curl(hello, "http://hello.localhost:PORT/about").stdout == (EXAMPLE / "about.html").read_text()
    head = curl(hello, "http://hello.localhost:PORT/", "-I").stdout
    assert "HTTP/1.1 200 OK" in head
    assert "referrer-policy: no-referrer" in head.lower()
    etag = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("etag"))
    status = ("-o", os.devnull, "-w", "%{http_code} %{redirect_url}")
    assert curl(hello, "http://hello.localhost:PORT/", "-H", f"If-None-Match: {etag}", *status).stdout == "304 "
    home = f"http://hello.localhost:{hello.port}"
    assert curl(hello, "http://hello.localhost:PORT/notes?x=1", *status).stdout == f"308 {home}/notes/?x=1"
    assert curl(hello, "http://hello.localhost:PORT/log/first-frost", *status).stdout == f"301 {home}/notes/first-frost"
    assert curl(hello, "http://hello.localhost:PORT/old/spring-tide", *status).stdout == f"302 {home}/notes/spring-tide"
    assert curl(hello, "http://hello.localhost:PORT/nowhere").stdout == (EXAMPLE / "404.html").read_text()
    assert curl(hello, "http://hello.localhost:PORT/nowhere", *status).stdout == "404 "
    assert curl(hello, "http://hello.localhost:PORT/", "-X", "POST", "-d", "x=1", *status).stdout == "405 "
    assert curl(hello, "http://unknown.localhost:PORT/", *status).stdout == "404 "
    assert curl(hello, "http://localhost:PORT/", *status).stdout == "200 "
    assert curl(hello, "http://www.localhost:PORT/a?b", *status).stdout == f"308 http://localhost:{hello.port}/a?b"
    assert curl(hello, "http://hello.localhost:PORT/_fazt/health").stdout.strip() == "ok"


def test_previews_domains_and_rollback(hello: FaztServer, tmp_path: Path) -> None:
    first = json.loads(hello.cli("sites", "show", "hello", "--json").stdout)["live_version"]
    changed = tmp_path / "changed"
    shutil.copytree(EXAMPLE, changed)
    (changed / "index.html").write_text("<!doctype html><title>second</title>")
    preview = json.loads(hello.cli("deploy", str(changed), "--site", "hello", "--preview", "--json").stdout)
    assert "second" not in hello.get("/", host="hello.localhost").body.decode()
    answer = hello.get("/", host=f"{preview['version'][:8]}--hello.localhost")
    assert "second" in answer.body.decode()
    assert "noindex" in (answer.header("X-Robots-Tag") or "")
    hello.cli("deploy", str(changed), "--site", "hello", "--message", "second try")
    assert "second" in hello.get("/", host="hello.localhost").body.decode()
    hello.cli("rollback", "hello", first)
    assert hello.get("/", host="hello.localhost").body == (EXAMPLE / "index.html").read_bytes()
    hello.cli("domains", "add", "hello", "harbour.example")
    assert hello.get("/", host="harbour.example").body == (EXAMPLE / "index.html").read_bytes()
    hello.cli("domains", "remove", "harbour.example")
    assert hello.get("/", host="harbour.example").status == 404
    hello.cli("sites", "rename", "hello", "log")
    assert hello.get("/", host="hello.localhost").status == 404
    assert hello.get("/", host="log.localhost").status == 200
    export = tmp_path / "export"
    hello.cli("sites", "export", "log", "--out", str(export))
    same = subprocess.run(["diff", "-r", str(export), str(EXAMPLE)], capture_output=True, text=True)
    assert same.stdout in ("", f"Only in {EXAMPLE}: .faztignore\n")
    hello.cli("sites", "remove", "log", "--yes")
    assert hello.get("/", host="log.localhost").status == 404


def test_everything_acknowledged_is_there_after_kill_and_restart(start_server: Callable[..., FaztServer]) -> None:
    server = start_server()
    server.cli("deploy", str(EXAMPLE), "--site", "hello")
    server.stop(signal.SIGKILL)
    again = start_server(server.database)
    assert again.get("/", host="hello.localhost").body == (EXAMPLE / "index.html").read_bytes()


def test_the_same_commands_work_without_a_server_and_with_a_token(
    start_server: Callable[..., FaztServer], tmp_path: Path
) -> None:
    database = tmp_path / "data.db"
    run_cli("deploy", str(EXAMPLE), "--site", "hello", database=database)
    alone = json.loads(run_cli("sites", "list", "--json", database=database).stdout)
    server = start_server(database)
    through_the_socket = json.loads(server.cli("sites", "list", "--json").stdout)
    names = [site["name"] for site in alone["items"]]
    assert "hello" in names
    assert set(names) <= {site["name"] for site in through_the_socket["items"]}
    token = json.loads(server.cli("token", "create", "--site", "hello", "--action", "deploy", "--json").stdout)["token"]
    environment = os.environ | {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "FAZT_DB": str(tmp_path / "nothing.db"),
        "FAZT_TOKEN": token,
    }

    def remote(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*FAZT, *arguments], env=environment, capture_output=True, text=True, timeout=60)

    added = remote("remote", "add", "here", f"http://dashboard.localhost:{server.port}")
    assert added.returncode == 0, added.stderr
    assert token not in added.stdout + added.stderr
    deployed = remote("deploy", str(EXAMPLE), "--site", "hello", "--remote", "here")
    assert deployed.returncode == 0, deployed.stderr
    refused = remote("deploy", str(EXAMPLE), "--site", "other", "--remote", "here")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert remote("sites", "remove", "hello", "--yes", "--remote", "here").returncode == 1
    assert server.get("/", host="hello.localhost").status == 200
    server.cli("token", "revoke", token[:8])
    assert remote("sites", "list", "--remote", "here").returncode == 1


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.slow
def test_a_large_file_takes_constant_memory(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    piece = os.urandom(1 << 20)
    with (site / "large.bin").open("wb") as file:
        for number in range(300):
            file.write(number.to_bytes(4, "big") + piece[4:])
    with (site / "large.bin").open("rb") as file:
        wanted = hashlib.file_digest(file, "sha256").hexdigest()
    server = start_server()
    server.cli("deploy", str(site), "--site", "large")
    before = resident_bytes(server.pid)
    peak = before
    for _ in range(3):  # from chunks, while the spill cache fills, from the spill cache
        digest = hashlib.sha256()
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(b"GET /large.bin HTTP/1.1\r\nHost: large.localhost\r\nConnection: close\r\n\r\n")
            stream = connection.makefile("rb")
            while stream.readline() not in (b"\r\n", b""):
                pass
            while data := stream.read(1 << 20):
                digest.update(data)
                peak = max(peak, resident_bytes(server.pid))
        assert digest.hexdigest() == wanted
    assert peak - before < 40 << 20, f"{(peak - before) >> 20} MiB more while a file of 300 MiB was sent"


def test_stopping_finishes_what_has_begun(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "file.bin").write_bytes(os.urandom(24 << 20))
    server = start_server()
    server.cli("deploy", str(site), "--site", "big")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"GET /file.bin HTTP/1.1\r\nHost: big.localhost\r\nConnection: close\r\n\r\n")
        stream = connection.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += stream.readline()
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        deadline = time.monotonic() + 10
        refused = False
        while not refused and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            except OSError:
                refused = True
        assert refused, "a stopping server must not take new connections"
        assert stream.read() == (site / "file.bin").read_bytes()
        stopping.join(timeout=30)
    assert server.process is not None
    assert server.process.returncode == 0


@pytest.mark.slow
def test_a_browser_shows_the_example(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: tools/test installs it as root")
    server = start_server()
    server.cli("deploy", str(EXAMPLE), "--site", "hello")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    shown = subprocess.run(
        [
            chromium,
            *flags,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            f"http://hello.localhost:{server.port}/",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "written down every evening" in shown.stdout
    lines = server.cli("logs", "hello", "--json").stdout.splitlines()
    assert {"/", "/assets/style.css", "/assets/harbour.svg"} <= {json.loads(line)["path"] for line in lines}
