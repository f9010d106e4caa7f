"""The ways to reach the API of a server that runs: its Unix socket, and HTTP(S) with a token.

`in_process` is the third, for when none runs. Rule: all three speak the same requests and answers; nothing above knows
which one is used.
"""

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from fazt.cli.remotes import Remote, is_localhost
from fazt.errors import RemoteError

TIMEOUT_S = 60.0
PIECE_BYTES = 1 << 16


@dataclass(slots=True)
class Reply:
    """An answer whose body is read piece by piece."""

    status: int
    pieces: Iterator[bytes]

    def read(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.pieces)


class Transport(Protocol):
    """Sends one request of the API."""

    where: str  # for messages
    lanes: int  # how many requests may be under way at once
    alone: bool  # no server runs behind it
    live: bool  # whether a server runs there, so that something can happen while an answer is read

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None = TIMEOUT_S
    ) -> Reply:
        """Send a request and return its answer; usable from `lanes` threads at once.

        `timeout_s` is how long the server may be silent; None: for ever.
        """

    def close(self) -> None:
        """Release everything."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("local.fazt", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _exchange(
    connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """Send a request on a fresh connection and return its answer.

    Raises: OSError, http.client.HTTPException; the connection is closed then.
    """
    try:
        connection.connect()
        # A server may refuse a request before all of it was sent: what it says is worth more than the break.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, body or None, dict(headers))
        response = connection.getresponse()
    except (OSError, http.client.HTTPException):
        connection.close()
        raise
    return Reply(response.status, _pieces(connection, response))


def _pieces(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read1(PIECE_BYTES):
            yield piece
        if response.length:  # http.client takes the end of the connection for the end of the body
            raise http.client.IncompleteRead(b"", response.length)
    except (OSError, http.client.HTTPException) as error:
        raise RemoteError(f"The server broke off its answer: {_reason(error)}.") from error
    finally:
        connection.close()


class SocketTransport:
    """The running server of this machine."""

    lanes = 4
    alone = False
    live = True

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path

    @staticmethod
    def is_open(path: Path) -> bool:
        """Tell whether a server answers at the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2.0)
            try:
                probe.connect(str(path))
            except OSError:
                return False
        return True

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None = TIMEOUT_S
    ) -> Reply:
        """Send a request through the socket."""
        try:
            return _exchange(UnixConnection(self._path, timeout_s), method, target, headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise RemoteError(f"The server behind {self._path} does not answer: {_reason(error)}.") from error

    def close(self) -> None:
        """Do nothing: no connection outlives its answer."""


class RemoteTransport:
    """Another server, over HTTPS."""

    lanes = 4
    alone = False
    live = True

    def __init__(self, remote: Remote) -> None:
        self.where = remote.url
        self._parts = urlsplit(remote.url)
        self._token = remote.token

    def _connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout_s)
        # No resolver has to know *.localhost; the name still goes into the Host field.
        return http.client.HTTPConnection("127.0.0.1" if is_localhost(host) else host, port, timeout=timeout_s)

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None = TIMEOUT_S
    ) -> Reply:
        """Send a request with the token."""
        fields = {**headers, "Host": self._parts.netloc, "Authorization": f"Bearer {self._token}"}
        try:
            return _exchange(self._connection(timeout_s), method, target, fields, body)
        except (OSError, http.client.HTTPException) as error:
            raise RemoteError(f"{self.where} cannot be reached: {_reason(error)}.") from error

    def close(self) -> None:
        """Do nothing: no connection outlives its answer."""


def _reason(error: Exception) -> str:
    """Return what went wrong in a few words, without a number or a full stop."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__).rstrip(".")
