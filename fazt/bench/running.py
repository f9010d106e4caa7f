"""A server under measurement: started on a free port of loopback, held on one core, stopped with its block.

Rule: every server is started and watched in this one way, so that their figures can be set side by side.
"""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fazt.bench import process
from fazt.errors import ListenError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that accepts connections."""

    name: str
    version: str
    port: int
    pids: tuple[int, ...]
    start_s: float


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Say whether something listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def start(
    name: str,
    version: str,
    command: Sequence[str],
    port: int,
    *,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
    ready: Callable[[int], bool] = accepts,
) -> Iterator[Running]:
    """Start a server, wait until `ready(port)`, yield it, and stop it.

    Raises: ListenError with the last line it printed where it does not start.
    """
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        server = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            process.pin([server.pid], core)
            while not ready(port):
                if server.poll() is not None or time.monotonic() - started > START_TIMEOUT_S:
                    output.seek(0)
                    lines = output.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"]
                    raise ListenError(f"{name} did not start: {lines[-1]}")
                time.sleep(POLL_S)
            start_s = time.monotonic() - started
            pids = process.tree(server.pid)
            process.pin(pids, core)
            yield Running(name=name, version=version, port=port, pids=pids, start_s=start_s)
        finally:
            stop(server)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask a server to end, and end it where it does not."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
