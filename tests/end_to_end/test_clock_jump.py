"""A real server whose clock jumps, by more than a year ahead and back behind its start: it goes on as if nothing were.

libfaketime tells the server another time of the wall; the monotonic clock stays, as when somebody sets a clock.
"""

import http.client
import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from loopback import FaztServer

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
DAY_S = 86_400
PROGRAM = """
export const GET = async (request, { fazt }) => new Response(String((await fazt.kv.get("done")) ?? 0));
export const POST = async (request, { fazt }) => Response.json(await fazt.jobs.enqueue("count", {}));
"""
JOB = """
export default async (data, { fazt }) => {
  await fazt.kv.set("done", ((await fazt.kv.get("done")) ?? 0) + 1);
};
"""

needs_faketime = pytest.mark.skipif(not LIBRARIES, reason="libfaketime sets the clock of one process")


def make_site(folder: Path) -> Path:
    (folder / "api" / "_jobs").mkdir(parents=True)
    (folder / "index.html").write_text("here")
    (folder / "api" / "count.js").write_text(PROGRAM)
    (folder / "api" / "_jobs" / "count.js").write_text(JOB)
    return folder


def until(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask_api(server: FaztServer, token: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Host": "dashboard.localhost", "Authorization": f"Bearer {token}"}
    connection.request("GET", "/api/sites", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


@needs_faketime
def test_a_clock_that_jumps(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("+0")
    server = start_server(
        LD_PRELOAD=str(LIBRARIES[0]),
        FAKETIME_TIMESTAMP_FILE=str(offset),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    server.cli("deploy", str(make_site(tmp_path / "site")), "--site", "demo")
    made = [
        json.loads(server.cli("token", "create", "--action", "read", "--json", *more).stdout)["token"]
        for more in ((), ("--expires", "1d"))
    ]
    for turn, days in enumerate((0, 400, -30, 0), 1):
        offset.write_text(f"{days * DAY_S:+d}")

        def is_right(days: int = days) -> bool:
            answer = server.get("/", host="demo.localhost")
            assert (answer.status, answer.body) == (200, b"here")
            shown = parsedate_to_datetime(dict(answer.headers)["Date"]).timestamp()
            return abs(shown - time.time() - days * DAY_S) < 3

        until(is_right)
        assert server.get("/api/count", host="demo.localhost", method="POST").status == 200
        until(lambda turn=turn: server.get("/api/count", host="demo.localhost").body == b"%d" % turn)
        assert ask_api(server, made[0]) == 200
        assert ask_api(server, made[1]) == (
            401 if days > 1 else 200
        )  # what ends at a time has ended then, not for ever
        found = json.loads(server.cli("status", "--json").stdout)
        (demo,) = (site for site in found["sites"] if site["name"] == "demo")
        assert demo["requests"] >= turn
        server.cli("kv", "demo", "set", f"turn{turn}", str(turn))
    began = time.monotonic()
    said = server.stop()
    assert time.monotonic() - began < 10
    assert "Traceback" not in said, said

    server = start_server(server.database)  # with the right clock, and rows from the future behind it
    assert server.get("/", host="demo.localhost").body == b"here"
    server.cli("deploy", str(tmp_path / "site"), "--site", "demo")
    assert server.get("/api/count", host="demo.localhost", method="POST").status == 200
    until(lambda: server.get("/api/count", host="demo.localhost").body == b"5")
    server.stop()
