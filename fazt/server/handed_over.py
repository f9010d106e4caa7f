"""The listening sockets that a supervisor handed over: which of them is for HTTPS, its port says."""

import logging
import socket
from typing import NamedTuple

from fazt.machine.sockets import take_sockets
from fazt.settings import Settings, listen_address

log = logging.getLogger("fazt.server")
NAME = "http"  # what fazt.socket calls its ports


class HandedOver(NamedTuple):
    """Sockets that somebody else opened and keeps."""

    http: list[socket.socket]
    https: list[socket.socket]


def take_handed_over(settings: Settings) -> HandedOver:
    """Return them; none where nobody handed any over. Raises: ListenError."""
    sockets = take_sockets()
    opened = sockets.pop(NAME, [])
    for name in sockets:
        log.warning("sockets named %r were handed over, which nothing here answers on", name)
    port = listen_address(settings.https)[1] if settings.https else 0
    secure = [each for each in opened if each.getsockname()[1] == port]
    return HandedOver([each for each in opened if each not in secure], secure)
