"""A server without systemd: started in the background as its own user, with a log file and the number of its process.

Nobody watches over it, and it does not start with the machine: that is what a container's or another init's own
configuration is for. Rule: a number in a file is believed only if that process is a server of ours.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fazt.errors import MachineError

START_TIMEOUT_S = 900.0
STOP_TIMEOUT_S = 45.0
POLL_S = 0.05


class Background:
    """Starts and stops the server of one database; `user` is None where it runs as whoever starts it."""

    def __init__(self, python: Path, database: Path, user: str | None, environment: dict[str, str]) -> None:
        self._python = python
        self._database = database
        self._user = user
        self._environment = environment
        self._pid_file = database.with_name("fazt.pid")
        self._log_file = database.with_name("fazt.log")

    def is_running(self) -> bool:
        """Tell whether the server runs."""
        return self._pid() is not None

    def _pid(self) -> int | None:
        """Return the number of the server's process, None where it does not run."""
        try:
            pid = int(self._pid_file.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):  # no file, or no such process any more
            return None
        return pid if words[1:4] == [b"-m", b"fazt", b"serve"] else None

    def start(self) -> None:
        """Start the server; comes back once it answers. Raises: MachineError, with its last words."""
        if self.is_running():
            return
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
            notify = Path(folder, "notify")
            inbox.bind(str(notify))
            Path(folder).chmod(0o711)
            notify.chmod(0o666)
            begins_at = self._log_file.stat().st_size if self._log_file.exists() else 0
            process = self._spawn(str(notify))
            self._pid_file.write_text(f"{process.pid}\n")
            self._wait(process, inbox, begins_at)

    def _spawn(self, notify: str) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        descriptor = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            return subprocess.Popen(
                [self._python, "-m", "fazt", "serve"],
                env={**kept, **self._environment, "NOTIFY_SOCKET": notify},
                cwd=self._database.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                umask=0o077,
            )

    def _wait(self, process: subprocess.Popen[bytes], inbox: socket.socket, begins_at: int) -> None:
        inbox.settimeout(POLL_S)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if inbox.recv(4096).startswith(b"READY=1"):
                    return
            except TimeoutError:
                if process.poll() is not None:
                    break
        process.kill()
        process.wait()
        self._pid_file.unlink(missing_ok=True)
        with self._log_file.open("rb") as log:
            log.seek(begins_at)
            last = " ".join(log.read().decode(errors="replace").split())[-500:]
        raise MachineError(f"The server did not start: {last or 'it said nothing'}")

    def stop(self) -> None:
        """Stop the server and wait for its end. Raises: MachineError where it does not end."""
        pid = self._pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._is_alive(pid):
            if time.monotonic() > deadline:
                raise MachineError(f"The server (process {pid}) does not stop.")
            time.sleep(POLL_S)
        self._pid_file.unlink(missing_ok=True)

    def _is_alive(self, pid: int) -> bool:
        """Tell whether the server still runs; one that ended and was not waited for has no command line."""
        return self._pid() == pid

    def restart(self) -> None:
        """Start the server again; for a moment nobody listens. Raises: MachineError."""
        self.stop()
        self.start()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the server down for as long as the block runs."""
        self.stop()
        yield

    def status(self) -> str:
        """Return whether the server runs, for people."""
        pid = self._pid()
        return f"The server runs as process {pid}.\n" if pid else "The server does not run.\n"

    def logs_command(self, lines: int, *, follow: bool) -> list[str]:
        """Return the command that shows what the server printed."""
        return ["tail", f"--lines={lines}", *(["--follow=name"] if follow else []), str(self._log_file)]
