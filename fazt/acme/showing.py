"""Shows an authority what it looks for, by whatever way was agreed on: HTTP, TLS or the DNS."""

import asyncio
import hashlib
import socket
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fazt.acme.proofs import Proofs
from fazt.errors import OrderFailed

if TYPE_CHECKING:
    from fazt.acme.dns.zone import Writer

PREFIX = "_acme-challenge."  # RFC 8555 8.4
LOOK_UP_S = 5
# (kind of challenge, host, token, authorization) -> shows a proof until its block ends. Raises: OrderFailed.
Show = Callable[[str, str, str, str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class DnsChoice:
    """Who writes records: provider, its token, the server and the TSIG key for updates."""

    provider: str = ""
    token: str = field(default="", repr=False)
    server: str = ""
    key: str = field(default="", repr=False)


class Showing:
    """The ways of showing proofs; `program` is asked to write records where the owner put one there."""

    def __init__(self, proofs: Proofs, program: Path) -> None:
        self._proofs = proofs
        self._program = program
        self.records: dict[str, str] = {}  # what the owner is asked to write, by name

    def show(self, choice: DnsChoice) -> Show:
        """Return what shows proofs; records are written as was chosen."""

        @contextmanager
        def shown(kind: str, host: str, token: str, authorization: str) -> Iterator[None]:
            if kind == "dns-01":
                with self._in_dns(choice, host, authorization):
                    yield
                return
            if kind == "tls-alpn-01":
                self._proofs.show_certificate(host, authorization)
            else:
                self._proofs.show_token(host, token, authorization)
            try:
                yield
            finally:
                self._proofs.hide(host, token)

        return shown

    @contextmanager
    def _in_dns(self, choice: DnsChoice, host: str, authorization: str) -> Iterator[None]:
        from fazt.acme.dns.zone import wait_until_shown

        name = PREFIX + host
        digest = hashlib.sha256(authorization.encode()).digest()
        value = urlsafe_b64encode(digest).decode().rstrip("=")
        with self._written(choice, name, value):
            wait_until_shown(name, value, patient=choice.provider == "manual")
            yield

    @contextmanager
    def _written(self, choice: DnsChoice, name: str, value: str) -> Iterator[None]:
        if choice.provider == "manual":
            self.records[name] = value
            try:
                yield
            finally:
                self.records.pop(name, None)
            return
        writer = _writer(choice, self._program)
        written = writer.write(name, value)
        try:
            yield
        finally:
            writer.remove(written)

    async def check_addresses(self, names: Sequence[str]) -> None:
        """Look whether every name has an address: an authority that finds none counts a failure.

        Raises: OrderFailed.
        """
        loop = asyncio.get_running_loop()
        for name in names:
            host = name.removeprefix("*.")
            try:
                async with asyncio.timeout(LOOK_UP_S):
                    await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            except (OSError, TimeoutError):
                raise OrderFailed(f"{host} has no address in the DNS: let it point at this server.") from None


def _writer(choice: DnsChoice, program: Path) -> "Writer":
    """Return who writes records. Raises: OrderFailed."""
    match choice.provider:
        case "cloudflare":
            from fazt.acme.dns.web import CloudflareWriter

            return CloudflareWriter(choice.token)
        case "digitalocean":
            from fazt.acme.dns.web import DigitalOceanWriter

            return DigitalOceanWriter(choice.token)
        case "rfc2136":
            from fazt.acme.dns.update import UpdateWriter

            return UpdateWriter(choice.server, choice.key)
        case _:
            from fazt.acme.dns.program import ProgramWriter

            return ProgramWriter(program)
