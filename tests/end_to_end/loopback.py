"""A real `fazt serve` on loopback and the plain HTTP client that the end-to-end tests read it with."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

STACKS = {"PYTHONFAULTHANDLER": "1"}  # SIGABRT makes the server say where each thread is
FAZT = [sys.executable, "-m", "fazt"]
START_TIMEOUT_S = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


def send(
    connection: http.client.HTTPConnection,
    path: str,
    *,
    host: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request exactly as it is given: nothing is added but Host."""
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    return Answer(response.status, response.getheaders(), body)


@dataclass(slots=True)
class FaztServer:
    """One `fazt serve` process on a database and a port of its own."""

    database: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def start(self) -> "FaztServer":
        command = [*FAZT, "serve", "--db", str(self.database), "--http", f"127.0.0.1:{self.port}", *self.flags]
        self.process = subprocess.Popen(
            command,
            env=os.environ | STACKS | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"fazt serve did not start:\n{self.process.communicate()[0]}")
        return self

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/_fazt/health", host="localhost").status in (200, 503)  # 503: no room to write
        time.sleep(0.02)  # nothing listens yet, and there is no event to wait for from outside the process
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> str:
        """Stop the server; return what it printed."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.communicate(timeout=45)[0]
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            try:
                output = self.process.communicate(timeout=10)[0]
            except subprocess.TimeoutExpired:  # it is gone, but a process of its own still holds its output
                output = subprocess.run(
                    ["ps", "axfo", "pid,ppid,stat,wchan:20,args"], capture_output=True, text=True
                ).stdout
        raise AssertionError(f"fazt serve (now {self.process.returncode}) did not stop:\n{output}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @contextlib.contextmanager
    def connection(self, timeout_s: float = 30) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            yield connection
        finally:
            connection.close()

    def get(self, path: str, *, host: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        with self.connection() as connection:
            return send(connection, path, host=host, method=method, headers=headers)

    def raw(self, request: bytes, timeout_s: float = 10) -> bytes:
        """Send bytes, half-close, and return everything that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(1 << 16):
                answer += piece
            return answer

    def cli(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
        """Run `fazt ... --db <this database>`."""
        return run_cli(*arguments, database=self.database, check=check, stdin=stdin)


def run_cli(
    *arguments: str, database: Path, check: bool = True, stdin: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"FAZT_DB": str(database), "NO_COLOR": "1"}
    done = subprocess.run([*FAZT, *arguments], env=environment, input=stdin, capture_output=True, timeout=120)
    result = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    if check:
        assert result.returncode == 0, f"fazt {' '.join(arguments)} failed:\n{result.stdout}{result.stderr}"
    return result
