"""The outgoing connections of one site, shared with no other: names looked up, addresses checked, sockets made.

Rule: a name is looked up once for each connection, every address it has is checked, and one of these very addresses is
connected to; nothing is looked up again in between, so that a name that changes (DNS rebinding) gains nothing.
"""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from fazt.errors import FetchFailed, FetchRefused, FetchTimeout
from fazt.outbound.addresses import Network, refusal
from fazt.outbound.codings import PIECE

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

MAX_HEADERS = 128  # of an answer; 8 KiB each
MAX_LOOKUPS = 4  # names looked up at a time: each holds a thread until the name servers answer
IDLE_S = 15.0  # for which a connection is kept after its last answer

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Connections:
    """One site's way out; `users` counts the requests that are under way or wait for one of the `places`."""

    def __init__(
        self,
        resolve: Resolve,
        allowed: tuple[Network, ...],
        own_address: tuple[str, int] | None,
        tls: ssl.SSLContext,
        connect_s: float,
        places: int,
    ) -> None:
        import aiohttp  # loaded late: it takes 285 ms

        self.users = 0
        self.places = asyncio.Semaphore(places)
        self._resolve = resolve
        self._allowed = allowed
        self._own_address = own_address
        self._connect_s = connect_s
        self._lookups = asyncio.Semaphore(MAX_LOOKUPS)
        self._looking: set[asyncio.Future[Sequence[str]]] = set()
        connector = aiohttp.TCPConnector(
            resolver=cast("AbstractResolver", self),  # `resolve` and `close` are all it asks for
            use_dns_cache=False,
            socket_factory=self._make_socket,
            ssl=tls,
            limit=0,  # `places` is the limit
            keepalive_timeout=IDLE_S,
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # no proxies and no passwords from the environment
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
            max_headers=MAX_HEADERS,
            read_bufsize=PIECE,
        )

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[dict[str, Any]]:
        """Return the addresses of a name, for aiohttp; refuse the name if any of them may not be reached.

        The message does not tell the address: who writes a script need not know what lies in the owner's network.
        Raises: FetchRefused, FetchFailed, FetchTimeout.
        """
        try:
            async with asyncio.timeout(self._connect_s):
                found = await self._look_up(host, port)
        except TimeoutError as error:
            raise FetchTimeout(f"The address of {host} could not be found in time.") from error
        except (OSError, UnicodeError) as error:
            raise FetchFailed(f"{host} has no address.") from error
        if not found:
            raise FetchFailed(f"{host} has no address.")
        for address in found:
            if reason := refusal(address, self._allowed):
                raise FetchRefused(f"fetch may not reach {host}: it leads to {reason}.")
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in found
        ]

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        await self._lookups.acquire()
        looking = asyncio.ensure_future(self._resolve(host, port))
        self._looking.add(looking)
        looking.add_done_callback(self._looked_up)
        return await asyncio.shield(looking)  # the thread goes on when nobody waits: its place is taken until it ends

    def _looked_up(self, looking: asyncio.Future[Sequence[str]]) -> None:
        self._looking.discard(looking)
        self._lookups.release()
        if not looking.cancelled():
            looking.exception()  # seen, also where nobody waits any more

    def _make_socket(self, info: Any) -> socket.socket:
        """Make the socket of one connection: the last check, of the very address that is connected to."""
        family, kind, protocol, _, where = info
        if tuple(where[:2]) != self._own_address and refusal(str(where[0]), self._allowed):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Close all of them; what is under way fails."""
        for looking in tuple(self._looking):
            looking.cancel()
        await self.session.close()


@contextlib.contextmanager
def failures(url: str) -> Iterator[None]:
    """Turn what the library and the system raise into FetchError, without addresses that a name may hide."""
    try:
        yield
    except TimeoutError as error:
        raise FetchTimeout(f"{url[:300]} took too long to answer.") from error
    except RuntimeError as error:  # aiohttp's word for a session or connection that was closed meanwhile
        raise FetchFailed(f"{url[:300]} could not be fetched: the connection was closed.") from error
    except (OSError, ValueError) as error:
        raise FetchFailed(f"{url[:300]} could not be fetched: {_reason(error)}.") from error
    except Exception as error:
        from aiohttp import ClientError

        if not isinstance(error, ClientError):
            raise
        raise FetchFailed(f"{url[:300]} could not be fetched: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    from aiohttp import ClientConnectorCertificateError, ClientPayloadError, ServerDisconnectedError

    if isinstance(error, ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, ServerDisconnectedError | ConnectionResetError):
        return "the connection was closed"
    if isinstance(error, ClientPayloadError):
        return "the body breaks off"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else "the name or address is not usable"
    return "the answer is not HTTP"
