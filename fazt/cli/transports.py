"""The three ways to reach a server's API: its Unix socket, in process on the opened file, HTTP(S) with a token.

Rule: all three speak the same requests and answers; nothing above this module knows which one is used.
"""

import asyncio
import http.client
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from fazt.cli.remotes import Remote, is_loopback
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

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request and return its answer; usable from `lanes` threads at once."""

    def close(self) -> None:
        """Release everything."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("local.fazt", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _pieces(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read1(PIECE_BYTES):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise RemoteError(f"The server broke off its answer: {error}.") from error
    finally:
        connection.close()


class SocketTransport:
    """The running server of this machine."""

    lanes = 4

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

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request through the socket."""
        connection = UnixConnection(self._path)
        try:
            connection.request(method, target, body or None, dict(headers))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise RemoteError(f"The server behind {self._path} does not answer: {error}.") from error
        return Reply(response.status, _pieces(connection, response))

    def close(self) -> None:
        """Do nothing: no connection outlives its answer."""


class RemoteTransport:
    """Another server, over HTTPS."""

    lanes = 4

    def __init__(self, remote: Remote) -> None:
        self.where = remote.url
        self._parts = urlsplit(remote.url)
        self._token = remote.token

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        # No resolver has to know *.localhost; the name still goes into the Host field.
        address = "127.0.0.1" if is_loopback(host) and host != "::1" else host
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S)
        return http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request with the token."""
        connection = self._connect()
        fields = {**headers, "Host": self._parts.netloc, "Authorization": f"Bearer {self._token}"}
        try:
            connection.request(method, target, body or None, fields)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise RemoteError(f"{self.where} cannot be reached: {error}.") from error
        return Reply(response.status, _pieces(connection, response))

    def close(self) -> None:
        """Do nothing: no connection outlives its answer."""


class ProcessTransport:
    """The API in this process, on the opened database: for when no server runs."""

    lanes = 1

    def __init__(self, database: Path) -> None:
        # The whole server's code is loaded only where no server runs that could answer.
        from fazt.server import open_api
        from fazt.settings import load_settings

        self.where = str(database)
        self._stack = ExitStack()
        self._runner = self._stack.enter_context(asyncio.Runner())
        self._app: Any = self._stack.enter_context(open_api(database, load_settings({})))

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Call the application."""
        status, data = self._runner.run(self._call(method, target, headers, body))
        return Reply(status, iter([data]))

    async def _call(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("local", 0),
            "server": ("local.fazt", 0),
            "extensions": {"fazt": {"host": "local.fazt", "peer_uid": os.getuid(), "site": None}},
        }
        status = 0
        out = bytearray()
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()  # this client does not go away
            raise AssertionError("never set")

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                out.extend(message.get("body", b""))

        await self._app(scope, receive, send)
        return status, bytes(out)

    def close(self) -> None:
        """Close the database."""
        self._stack.close()
