"""One request at a time: to check an answer before it is measured, and to see when something becomes visible.

Rule: no case is measured whose answer was not looked at first, body and all.
"""

import contextlib
import hashlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from fazt.bench import process
from fazt.errors import RemoteError

TIMEOUT_S = 30.0
REST_TIMEOUT_S = 120.0
REST_INTERVAL_S = 0.2
REST_SHARE = 0.02
VISIBLE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, as it came."""

    status: int
    fields: dict[str, str]
    body: bytes


def ask(sock: socket.socket, request: bytes) -> Answer:
    """Send one request over an open connection; return the whole answer."""
    sock.sendall(request)
    with http.client.HTTPResponse(sock, method=request.partition(b" ")[0].decode()) as response:
        response.begin()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())


@contextlib.contextmanager
def connect(port: int) -> Iterator[Callable[[bytes], Answer]]:
    """Open a connection to loopback; yield a function that sends a request over it and returns the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield partial(ask, sock)


def fetch(port: int, request: bytes) -> Answer:
    """Send one request over a connection of its own."""
    with connect(port) as send:
        return send(request)


def check(name: str, port: int, request: bytes, status: int, body: bytes) -> None:
    """Look at one answer.

    Raises: RemoteError where status, body or coding are not what is to be measured.
    """
    answer = fetch(port, request)
    place = f"{name} answers {request.split(b' ', 2)[1].decode()} with"
    if answer.status != status:
        raise RemoteError(f"{place} status {answer.status} where {status} was expected.")
    if answer.body != body:
        found, wanted = (hashlib.sha256(data).hexdigest()[:12] for data in (answer.body, body))
        raise RemoteError(
            f"{place} {len(answer.body)} bytes ({found}), not the {len(body)} ({wanted}) that were expected."
        )
    if answer.fields.get("content-encoding", "identity") != "identity":
        raise RemoteError(f"{place} a body in {answer.fields['content-encoding']}, which was not asked for.")


def wait_until_rest(pids: tuple[int, ...]) -> None:
    """Wait until a server does no work of its own, so that its compressing of files is not measured with the rest."""
    deadline = time.monotonic() + REST_TIMEOUT_S
    before = process.cpu_s(pids)
    while time.monotonic() < deadline:
        time.sleep(REST_INTERVAL_S)
        now = process.cpu_s(pids)
        if now - before < REST_INTERVAL_S * REST_SHARE:
            return
        before = now


def wait_until_body(port: int, request: bytes, body: bytes) -> None:
    """Ask over one connection until `body` is the answer.

    Raises: RemoteError where it does not come in time.
    """
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    with connect(port) as send:
        while send(request).body != body:
            if time.monotonic() > deadline:
                raise RemoteError(f"The new page did not become visible within {VISIBLE_TIMEOUT_S:.0f} s.")
