"""A real server behind a proxy: who asked stands in the log and with a webhook, where the proxy is trusted."""

from collections.abc import Iterator

import orjson
import pytest
from loopback import FaztServer, free_port


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    folder = tmp_path_factory.mktemp("proxies")
    running = FaztServer(folder / "data.db", free_port()).start()
    (folder / "blog").mkdir()
    (folder / "blog" / "index.html").write_text("hello")
    running.cli("deploy", str(folder / "blog"), "--site", "blog")
    yield running
    running.stop()


def clients(server: FaztServer) -> list[str]:
    lines = server.cli("logs", "blog", "--json").stdout.splitlines()
    return [line["client"] for line in map(orjson.loads, lines) if line.get("kind") == "access"]


def test_who_asked(server: FaztServer) -> None:
    forwarded = {"X-Forwarded-For": "1.1.1.1, 192.0.2.7"}
    for _ in range(2):  # out of the store, then out of memory
        assert server.get("/", host="blog.localhost", headers=forwarded).body == b"hello"
    assert clients(server) == ["127.0.0.1"] * 2
    server.cli("config", "set", "trusted_proxies", "127.0.0.0/8")
    for _ in range(2):
        assert server.get("/", host="blog.localhost", headers=forwarded).body == b"hello"
    assert server.get("/", host="blog.localhost").body == b"hello"
    assert clients(server)[2:] == ["192.0.2.7", "192.0.2.7", "127.0.0.1"]
    refused = server.cli("config", "set", "trusted_proxies", "everybody", check=False)
    assert refused.returncode == 1
    assert "no list of networks" in refused.stderr
