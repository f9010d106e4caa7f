"""A restart under a supervisor that keeps the listening socket, as systemd does: the test plays it."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import FAZT, free_port

EVERY_S = 0.004
RESTARTS = 3
AS_SYSTEMD = 'exec 3<&"$FD"; LISTEN_PID=$$ exec "$@"'


class Systemd:
    """Holds a socket, starts the server with it, and hears what it says of itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listening = socket.create_server(("127.0.0.1", free_port()), backlog=4096)
        self.port = self.listening.getsockname()[1]
        self.inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.inbox.bind(str(folder / "notify"))
        self.inbox.settimeout(20)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it says that it is ready."""
        descriptor = self.listening.fileno()
        supervised = {"FD": str(descriptor), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
        supervised |= {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "3000000"}
        command = [*FAZT, "serve", "--db", str(self.folder / "data.db"), "--http", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            ["bash", "-c", AS_SYSTEMD, "bash", *command],
            env=os.environ | supervised,
            pass_fds=[descriptor],
            stdout=subprocess.DEVNULL,
        )
        self.hear("READY=1")

    def hear(self, wanted: str) -> list[str]:
        """Return what is said up to the wanted word."""
        said: list[str] = []
        while not said or not said[-1].startswith(wanted):
            said.append(self.inbox.recv(1000).decode())
        return said

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.hear("STOPPING=1")
        assert self.process.wait(20) == 0

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.listening.close()
        self.inbox.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    supervisor = Systemd(tmp_path)
    yield supervisor
    supervisor.close()


async def ask(port: int) -> tuple[str, float]:
    """Make one request on a connection of its own; return the status line or the failure, and the time it took."""
    begun = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        line = (await reader.readline()).decode()
        writer.close()
    except OSError as error:
        return repr(error), time.monotonic() - begun
    return line, time.monotonic() - begun


async def ask_on_time(port: int, ended: asyncio.Event) -> list[tuple[str, float]]:
    """Begin a request every few milliseconds, whatever became of those before (open loop)."""
    asked = []
    due = time.monotonic()
    while not ended.is_set():
        asked.append(asyncio.ensure_future(ask(port)))
        due += EVERY_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return list(await asyncio.gather(*asked))


async def restart_under_load(systemd: Systemd) -> list[tuple[str, float]]:
    ended = asyncio.Event()
    load = asyncio.ensure_future(ask_on_time(systemd.port, ended))
    for _ in range(RESTARTS):
        await asyncio.sleep(0.3)  # some traffic between two restarts
        await asyncio.to_thread(systemd.stop)
        await asyncio.to_thread(systemd.start)
    await asyncio.sleep(0.3)
    ended.set()
    return await load


def test_a_restart_refuses_nobody(systemd: Systemd) -> None:
    systemd.start()
    answers = asyncio.run(restart_under_load(systemd))
    failed = [line for line, _ in answers if line != "HTTP/1.1 200 OK\r\n"]
    assert failed == []
    assert len(answers) > 300
    print(f"{len(answers)} requests, {RESTARTS} restarts, slowest {max(took for _, took in answers):.2f} s")


def test_the_watchdog_hears_a_loop_that_turns_and_none_that_hangs(systemd: Systemd) -> None:
    systemd.start()
    systemd.hear("WATCHDOG=1")
    systemd.hear("WATCHDOG=1")
    assert systemd.process is not None
    systemd.process.send_signal(signal.SIGSTOP)
    systemd.inbox.settimeout(3)
    with pytest.raises(TimeoutError):
        systemd.hear("a beat that does not come")
    systemd.process.send_signal(signal.SIGCONT)
    systemd.inbox.settimeout(20)
    systemd.hear("WATCHDOG=1")
