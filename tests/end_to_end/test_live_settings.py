"""Settings that are changed while the server runs count without a restart."""

import socket
import time
from collections.abc import Callable

from loopback import FaztServer


def is_cut(connection: socket.socket, within_s: float) -> bool:
    connection.settimeout(within_s)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_a_limit_counts_within_a_second(start_server: Callable[..., FaztServer]) -> None:
    server = start_server()
    server.cli("config", "set", "max_connections", "1")
    changed_at = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", server.port)),
        socket.create_connection(("127.0.0.1", server.port)) as second,
    ):
        assert is_cut(second, 5)
        assert time.monotonic() - changed_at < 1
        server.cli("config", "rollback")  # the server is full, but never for its owner
    with (
        socket.create_connection(("127.0.0.1", server.port)),
        socket.create_connection(("127.0.0.1", server.port)) as second,
    ):
        assert not is_cut(second, 0.3)
