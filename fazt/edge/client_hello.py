"""The first message of a TLS connection, read before TLS begins: for which name, which protocols (RFC 8446 4.1.2).

Rule: it only reads; what it does not fully understand is no ClientHello. Everything else of the handshake is OpenSSL's.
"""

from dataclasses import dataclass

from fazt._speedups.hosts import normalise

MAX_HELLO_BYTES = 32 * 1024  # a hello with post-quantum key shares has about 2 KB
HANDSHAKE = 22
CLIENT_HELLO = 1
SERVER_NAME = 0  # RFC 6066 3
HOST_NAME = 0
PROTOCOLS = 16  # RFC 7301 3.1
RECORD_HEAD = 5
MAX_RECORD_BYTES = 1 << 14
MESSAGE_HEAD = 4


class NotTls(ValueError):
    """What came is not the beginning of a TLS connection."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client asks for: a normalised host, "" where it names none that can be, and its protocols by ALPN."""

    host: str
    protocols: tuple[bytes, ...]


def read_hello(data: bytes) -> Hello | None:
    """Return what the first bytes of a connection ask for, None while some of them are missing.

    Raises: NotTls.
    """
    message = _message(data)
    return None if message is None else _hello(_Fields(message))


def _message(data: bytes) -> bytes | None:
    """Return the body of the first handshake message, joined from its records; None while it is not whole."""
    joined, at = bytearray(), 0
    while True:
        head = data[at : at + RECORD_HEAD]
        if head and head[0] != HANDSHAKE:
            raise NotTls("no handshake")
        if len(head) < RECORD_HEAD:
            break
        length = int.from_bytes(head[3:])
        if head[1] != 3 or not 0 < length <= MAX_RECORD_BYTES:
            raise NotTls("no record")
        joined += data[at + RECORD_HEAD : at + RECORD_HEAD + length]
        at += RECORD_HEAD + length
        if joined and joined[0] != CLIENT_HELLO:
            raise NotTls("no ClientHello")
        if len(joined) >= MESSAGE_HEAD:
            end = MESSAGE_HEAD + int.from_bytes(joined[1:MESSAGE_HEAD])
            if end > MAX_HELLO_BYTES:
                raise NotTls("too long")
            if len(joined) >= end:
                return bytes(joined[MESSAGE_HEAD:end])
        if at > len(data):
            break
    if len(data) >= MAX_HELLO_BYTES:
        raise NotTls("too long")
    return None


class _Fields:
    """A message, read from its front. Raises: NotTls where it is shorter than it says."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return self._at < len(self._data)

    def take(self, length: int) -> bytes:
        """Return the next bytes."""
        end = self._at + length
        if end > len(self._data):
            raise NotTls("too short")
        taken, self._at = self._data[self._at : end], end
        return taken

    def number(self, length: int) -> int:
        """Return the next number, of so many bytes."""
        return int.from_bytes(self.take(length))

    def vector(self, length: int) -> bytes:
        """Return the next bytes, before which their number stands in so many bytes."""
        return self.take(self.number(length))


def _hello(fields: _Fields) -> Hello:
    fields.take(2 + 32)  # legacy_version, random
    fields.vector(1)  # legacy_session_id
    fields.vector(2)  # cipher_suites
    fields.vector(1)  # legacy_compression_methods
    host, protocols = "", list[bytes]()
    if not fields:
        return Hello(host, ())
    extensions = _Fields(fields.vector(2))
    while extensions:
        kind, content = extensions.number(2), _Fields(extensions.vector(2))
        if kind == SERVER_NAME:
            host = _host(_Fields(content.vector(2)))
        elif kind == PROTOCOLS:
            protocols = _protocols(_Fields(content.vector(2)))
    return Hello(host, tuple(protocols))


def _host(names: _Fields) -> str:
    """Return the one name of a list that is a host's."""
    while names:
        kind, name = names.number(1), names.vector(2)
        if kind == HOST_NAME:
            return "" if b":" in name else normalise(name) or ""
    return ""


def _protocols(names: _Fields) -> list[bytes]:
    found = []
    while names:
        found.append(names.vector(1))
    return found
