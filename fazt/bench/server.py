"""A private `fazt serve` on a temporary database, and the `fazt` commands run against it.

Rule: the measured server is the one that users start, with its defaults, driven by the commands that users type.
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from fazt import __version__
from fazt.bench import probe
from fazt.bench.request import request_bytes
from fazt.bench.running import Running, free_port, start
from fazt.errors import RemoteError
from fazt.settings import socket_path

FAZT = (sys.executable, "-m", "fazt")
COMMAND_TIMEOUT_S = 300


def is_healthy(port: int) -> bool:
    """Say whether the server answers its health check."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return probe.fetch(port, request_bytes("localhost", "/_fazt/health", browser=False)).status == 200
    return False


@contextlib.contextmanager
def fazt(database: Path, *, core: int | None = None, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run `fazt serve` on a database.

    Raises: ListenError with what it printed where it does not start.
    """
    port = free_port()
    command = [*FAZT, "serve", "--db", str(database), "--http", f"127.0.0.1:{port}"]
    with start("fazt", __version__, command, port, core=core, environment=environment, ready=is_healthy) as running:
        yield running


def run_command(database: Path, *arguments: str, core: int | None = None) -> float:
    """Run a `fazt` command on the server of a database; return the seconds it took, Python's start included.

    Raises: RemoteError with what it printed where it fails.
    """
    environment = {**os.environ, "FAZT_DB": str(database), "NO_COLOR": "1"}
    prefix = ("taskset", "-c", str(core)) if core is not None else ()
    started = time.monotonic()
    done = subprocess.run(
        [*prefix, *FAZT, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    took_s = time.monotonic() - started
    if done.returncode:
        raise RemoteError(f"`fazt {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return took_s


class SocketConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket beside a database."""

    def __init__(self, database: Path) -> None:
        super().__init__("localhost", timeout=probe.TIMEOUT_S)
        self._path = socket_path(database)

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def roll_back(connection: SocketConnection, site: str) -> None:
    """Make the version live that was live before, through the admin API.

    Raises: RemoteError where the server refuses.
    """
    connection.request(
        "PUT", f"/api/sites/{site}/live", body=json.dumps({}), headers={"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    said = response.read()
    if response.status != 200:
        raise RemoteError(f"The rollback was refused: {said.decode(errors='replace')}")
