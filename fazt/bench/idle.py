"""Connections that are held open and do nothing, as those of visitors who read.

Rule: each of them has been served once, so that the server holds what it holds for a real visitor.
"""

import contextlib
import http.client
import resource
import socket
from collections.abc import Iterator

from fazt.bench import probe
from fazt.bench.worker import SPARE_DESCRIPTORS, raise_descriptor_limit
from fazt.errors import RemoteError

SOURCES = tuple(f"127.0.0.{number}" for number in range(2, 18))
TIMEOUT_S = 30.0


def most_idle(wanted: int) -> int:
    """Return how many connections one process may hold here, at most `wanted`; raise the soft limit for them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - 2 * SPARE_DESCRIPTORS)
    raise_descriptor_limit(count + 2 * SPARE_DESCRIPTORS)
    return count


@contextlib.contextmanager
def hold(port: int, request: bytes, count: int) -> Iterator[None]:
    """Hold `count` connections from several addresses of loopback, each after one answer.

    Raises: RemoteError where the server closes one instead of answering.
    """
    with contextlib.ExitStack() as held:
        for number in range(count):
            source = (SOURCES[number % len(SOURCES)], 0)
            sock = held.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S, source))
            try:
                probe.ask(sock, request)
            except (OSError, http.client.HTTPException) as error:
                raise RemoteError(f"Connection {number + 1} of {count} got no answer: {error}.") from None
        yield
