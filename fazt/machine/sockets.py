"""Sockets that a supervisor opened and hands over, so that a restart refuses no connection (sd_listen_fds(3)).

The supervisor keeps them open: what connects while nobody accepts waits in their backlog. Rule: what is taken is taken
once, and no child process inherits it or is told of it.
"""

import os
import socket
from collections.abc import MutableMapping

from fazt.errors import ListenError

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def take_sockets(environment: MutableMapping[str, str] | None = None) -> dict[str, list[socket.socket]]:
    """Return the listening sockets that were handed to this process, by the name that their unit gives them.

    Nothing where they are meant for another process, or where there is no supervisor.

    Raises: ListenError where what was handed over is no listening stream socket.
    """
    environment = os.environ if environment is None else environment
    pid, count, names = (environment.pop(name, "") for name in VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    named = names.split(":") if names else []
    taken: dict[str, list[socket.socket]] = {}
    for index in range(int(count)):
        name = named[index] if index < len(named) else "unknown"
        taken.setdefault(name, []).append(_take(FIRST_DESCRIPTOR + index))
    return taken


def _take(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
        listens = taken.type == socket.SOCK_STREAM and taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ListenError(f"Descriptor {descriptor}, handed over as a socket, is none: {error.strerror}.") from error
    if not listens:
        taken.close()
        raise ListenError(f"Descriptor {descriptor}, handed over as a socket, does not listen for connections.")
    taken.setblocking(False)
    return taken
