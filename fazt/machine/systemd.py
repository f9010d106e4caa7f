"""systemd as the supervisor: its commands, for the system or for one user."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fazt.errors import MachineError
from fazt.machine.acts import ask, attempt

SERVICE = "fazt.service"
SOCKET = "fazt.socket"
START_TIMEOUT_S = 960  # TimeoutStartSec, and a little
BOOTED = "/run/systemd/system"  # sd_booted(3)


def is_booted() -> bool:
    """Tell whether systemd runs this computer."""
    return os.path.isdir(BOOTED)


class Systemd:
    """Starts, stops and watches the server through systemd."""

    def __init__(self, *, personal: bool) -> None:
        self._personal = personal

    def command(self, *words: str) -> list[str]:
        """Return a command for systemd."""
        return ["systemctl", *(["--user"] if self._personal else []), "--no-ask-password", *words]

    def is_running(self) -> bool:
        """Tell whether the server runs; one that is being started counts."""
        code, state = attempt(*self.command("is-active", SERVICE))
        return code == 0 or state.strip() in ("activating", "reloading")

    def start(self) -> None:
        """Start the server; comes back once it answers. Raises: MachineError."""
        ask(*self.command("start", SOCKET), timeout_s=START_TIMEOUT_S)
        self._try("start", SERVICE)

    def restart(self) -> None:
        """Start the server again. The socket stays, so that nobody is refused. Raises: MachineError."""
        attempt(*self.command("reset-failed", SERVICE, SOCKET))  # failures of before do not count against this start
        ask(*self.command("start", SOCKET), timeout_s=START_TIMEOUT_S)
        self._try("restart", SERVICE)

    def stop(self) -> None:
        """Stop the server, and the socket that would start it again."""
        ask(*self.command("stop", SOCKET, SERVICE), timeout_s=START_TIMEOUT_S)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the server down for as long as the block runs; the socket goes too, or it would start the server."""
        self.stop()
        yield

    def _try(self, *words: str) -> None:
        code, output = attempt(*self.command(*words), timeout_s=START_TIMEOUT_S)
        if code:
            said = " ".join(output.split())
            raise MachineError(f"systemd could not {words[0]} the server: {said} See: fazt service logs")

    def status(self) -> str:
        """Return what systemd says of the server, for people."""
        return attempt(*self.command("status", "--no-pager", "--lines=10", SERVICE, SOCKET))[1]

    def logs_command(self, lines: int, *, follow: bool) -> list[str]:
        """Return the command that shows what the server printed."""
        which = ["--user-unit", SERVICE] if self._personal else ["--unit", SERVICE]
        return ["journalctl", *which, "--no-pager", f"--lines={lines}", *(["--follow"] if follow else [])]
