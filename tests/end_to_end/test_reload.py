"""SIGHUP: what comes from files is read anew, and no connection is dropped."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from loopback import FaztServer

SLOW = """
export default async (request) => {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return new Response("whole");
};
"""


def test_nothing_is_dropped(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    server = start_server()
    (tmp_path / "site" / "api").mkdir(parents=True)
    (tmp_path / "site" / "api" / "slow.js").write_text(SLOW)
    server.cli("deploy", str(tmp_path / "site"), "--site", "demo")
    with server.connection() as kept, server.connection() as slow:
        kept.request("GET", "/", headers={"Host": "localhost"})
        assert kept.getresponse().read()
        slow.request("GET", "/api/slow", headers={"Host": "demo.localhost"})
        for _ in range(5):
            os.kill(server.pid, signal.SIGHUP)
            kept.request("GET", "/", headers={"Host": "localhost"})
            assert kept.getresponse().read()
        assert slow.getresponse().read() == b"whole"
    (tmp_path / "secret").write_text("planted")
    server.cli("secrets", "set", "demo", "KEY", "--file", str(tmp_path / "secret"))
    assert server.get("/api/slow", host="demo.localhost").status == 200

    # A key that is taken away is noticed, and so is one that comes back.
    key = server.database.with_name("data.db.key")
    key.rename(tmp_path / "kept")
    os.kill(server.pid, signal.SIGHUP)
    deadline = time.monotonic() + 10
    while server.cli("secrets", "set", "demo", "KEY", "--file", str(tmp_path / "secret"), check=False).returncode == 0:
        assert time.monotonic() < deadline
    (tmp_path / "kept").rename(key)
    server.cli("secrets", "set", "demo", "KEY", "--file", str(tmp_path / "secret"))
    said = server.stop()
    assert "Traceback" not in said
