"""What the server tells its supervisor: that it is ready, that it is alive, that it stops (sd_notify(3)).

Where there is no supervisor nothing is said. Rule: what is alive is the event loop; a loop that hangs says nothing, and
is restarted.
"""

import asyncio
import logging
import os
import socket
from collections.abc import MutableMapping

log = logging.getLogger("fazt.machine")
BEATS = 3  # within the time after which the supervisor gives up
MICROSECONDS = 1_000_000


class Supervisor:
    """Who started this process and watches over it, if anybody does."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Take the supervisor's variables out of the environment: they are not meant for child processes."""
        environment = os.environ if environment is None else environment
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        usec, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        watches = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
        self.watchdog_s: float | None = int(usec) / MICROSECONDS if watches else None

    def ready(self, status: str) -> None:
        """Say that requests are answered; `status` is one line for people."""
        self._say(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that this process is on its way out."""
        self._say("STOPPING=1\nSTATUS=Finishing what has begun.")

    async def beat(self) -> None:
        """Say again and again that the event loop turns, where somebody wants to know."""
        while self.watchdog_s is not None:
            self._say("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / BEATS)

    def _say(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
                opened.setblocking(False)  # the loop does not wait for a supervisor that reads nothing
                opened.sendto(message.encode(), self._address)
        except OSError as error:
            log.warning("the supervisor could not be told %r: %s", message.partition("\n")[0], error)
