"""Which certificate a connection is shown: host -> certificate -> what OpenSSL needs, loaded when first asked for.

Rule: nothing here is proportional to the number of certificates, and what is kept is bounded, unknown names too.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from lru import LRU

from fazt.errors import FaztError, NotFound
from fazt.store import certificates
from fazt.store.changes import Change
from fazt.store.database import Database, now_ms

log = logging.getLogger("fazt.tls")
MOST_HOSTS = 50_000
MOST_CONTEXTS = 2_000
HTTP = "http/1.1"
ACME = "acme-tls/1"  # RFC 8737
CHALLENGES = b"/.well-known/acme-challenge/"  # RFC 8555 8.3: asked for in plain HTTP
HEALTH = b"/_fazt/health"  # asked by whoever watches over the server, in plain HTTP
# Forward secrecy and authenticated encryption only; in TLS 1.3 there is nothing else.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
KNOWN_MS = 600_000  # after which a host is looked up again: its certificate may have expired while another is valid

Pem = tuple[bytes, bytes]  # the chain, and the key


class Contexts:
    """The certificates of a server as those see them who listen."""

    def __init__(
        self, database: Database, url: Callable[[str], str], challenge: Callable[[str], Pem | None] = lambda host: None
    ) -> None:
        """Follow a database; `url` returns the URL of a host, `challenge` what proves it to an authority (RFC 8737)."""
        self._database = database
        self._url = url
        self._hosts: LRU[str, tuple[int | None, int]] = LRU(MOST_HOSTS)  # the certificate, and until when that is so
        self._contexts: LRU[int, ssl.SSLContext] = LRU(MOST_CONTEXTS)
        self._locked: set[int] = set()  # certificates whose key cannot be opened
        self._generation = 0
        self._challenge = challenge
        database.follow(self._follow)

    async def choose(self, host: str, protocols: Sequence[bytes]) -> ssl.SSLContext | None:
        """Return what a connection for a host is begun with, None where there is no certificate for it."""
        if ACME.encode() in protocols:
            proof = self._challenge(host)
            return None if proof is None else await asyncio.to_thread(make_context, proof, ACME)
        number = await self._find(host)
        if number is None:
            return None
        context = self._contexts.get(number)
        return await self._load(number) if context is None else context

    async def to_https(self, host: str, path: bytes, query: bytes) -> bytes | None:
        """Return where a request in plain HTTP is sent; None where its host has none, and for what has to be plain."""
        if path == HEALTH or path.startswith(CHALLENGES) or await self._find(host) is None:
            return None
        return b"".join((self._url(host).rstrip("/").encode(), path, b"?" if query else b"", query))

    async def _find(self, host: str) -> int | None:
        now = now_ms()
        number, until = self._hosts.get(host, (None, 0))
        if now < until <= now + KNOWN_MS:  # else the clock was set back
            return number
        generation = self._generation
        number = await self._database.read(certificates.find_for, host, now)
        if generation == self._generation:
            self._hosts[host] = number, now + KNOWN_MS
        return number

    async def _load(self, number: int) -> ssl.SSLContext | None:
        generation = self._generation
        try:
            pem = await self._database.read(certificates.get_pem, number)
        except NotFound:  # removed a moment ago
            return None
        except FaztError as error:
            if number not in self._locked:  # said once: every connection would say it again
                self._locked.add(number)
                log.error("certificate %d cannot be used: %s", number, error.message)
            return None
        self._locked.discard(number)
        context = await asyncio.to_thread(make_context, pem, HTTP)
        if generation == self._generation:
            self._contexts[number] = context
        return context

    def _follow(self, changes: Sequence[Change]) -> None:
        """Forget what was known; called on the writing thread before the write is answered."""
        if any(change.kind == certificates.KIND for change in changes):
            self._generation += 1
            self._hosts.clear()
            self._contexts.clear()


def make_context(pem: Pem, protocol: str) -> ssl.SSLContext:
    """Return what OpenSSL begins connections with. Raises: ssl.SSLError where the two do not belong together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols([protocol])
    with ExitStack() as stack:
        chain, key = (_in_memory(stack, each) for each in pem)
        context.load_cert_chain(chain, key)
    return context


def _in_memory(stack: ExitStack, content: bytes) -> str:
    """Return the path of a file that is in memory alone: the library reads files, and no key is put on the disk."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return f"/proc/self/fd/{descriptor}"
