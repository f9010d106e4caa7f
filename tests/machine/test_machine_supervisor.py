"""What the supervisor is told, over a socket as systemd makes it."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fazt.machine.supervisor import Supervisor


@pytest.fixture(params=["file", "abstract"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "file" else f"@fazt-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(name.replace("@", "\0", 1))
        opened.settimeout(5)
        yield opened, name


def test_it_hears_when_the_server_is_ready_and_when_it_stops(inbox: tuple[socket.socket, str]) -> None:
    opened, name = inbox
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1", "OTHER": "1"}
    supervisor = Supervisor(environment)
    supervisor.ready("Serving http://example.org/")
    assert opened.recv(1000) == b"READY=1\nSTATUS=Serving http://example.org/"
    supervisor.stopping()
    assert opened.recv(1000).startswith(b"STOPPING=1\n")
    assert environment == {"OTHER": "1"}
    assert supervisor.watchdog_s is None  # the watchdog is another process's


def test_the_loop_says_that_it_turns(inbox: tuple[socket.socket, str]) -> None:
    opened, name = inbox
    opened.setblocking(False)

    async def beats() -> None:
        supervisor = Supervisor({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())})
        assert supervisor.watchdog_s == 0.06
        task = asyncio.ensure_future(supervisor.beat())
        for _ in range(3):
            async with asyncio.timeout(5):
                assert await asyncio.get_running_loop().sock_recv(opened, 100) == b"WATCHDOG=1"
        task.cancel()

    asyncio.run(beats())


def test_without_a_supervisor_nothing_is_said() -> None:
    supervisor = Supervisor({})
    supervisor.ready("Serving")
    asyncio.run(supervisor.beat())  # ends at once


def test_a_supervisor_that_is_gone_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("Serving")
    assert "READY=1" in caplog.text
