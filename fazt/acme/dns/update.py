"""DNS updates (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot, PowerDNS and others take them."""

import base64
import binascii
import logging
import socket

import dns.exception
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from fazt.acme.dns.zone import find_zone
from fazt.errors import OrderFailed

log = logging.getLogger("fazt.acme")
TTL_S = 60
TIMEOUT_S = 20
PORT = 53


class UpdateWriter:
    """Writes records by DNS updates."""

    def __init__(self, server: str, key: str, zone: str | None = None) -> None:
        """Take a server, HOST or HOST:PORT, and a key, NAME:ALGORITHM:SECRET. Raises: OrderFailed."""
        host, port = split_server(server)
        try:
            self._address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
        except OSError:
            raise OrderFailed(f"The server for DNS updates, {host}, cannot be found.") from None
        self._port = port
        self._key = read_key(key)
        self._zone = zone

    def write(self, name: str, value: str) -> tuple[str, str]:
        """Add a record. Raises: OrderFailed."""
        self._send(name, lambda update, at: update.add(at, TTL_S, "TXT", value))
        return name, value

    def remove(self, written: object) -> None:
        """Remove it."""
        assert isinstance(written, tuple)
        name, value = written
        try:
            self._send(name, lambda update, at: update.delete(at, "TXT", value))
        except OrderFailed as error:
            log.warning("a DNS record stays: %s", error.message)

    def _send(self, name: str, change: "object") -> None:
        assert callable(change)
        zone = self._zone or find_zone(name)
        update = dns.update.UpdateMessage(zone, keyring=self._key)
        change(update, dns.name.from_text(name))
        try:
            answer = dns.query.tcp(update, str(self._address), timeout=TIMEOUT_S, port=self._port)
        except (dns.exception.DNSException, OSError) as error:
            raise OrderFailed(f"The server for DNS updates does not do: {error}") from error
        if answer.rcode() != dns.rcode.NOERROR:
            said = dns.rcode.to_text(answer.rcode())
            raise OrderFailed(f"The server for DNS updates refuses a record in {zone}: {said}.")


def split_server(text: str) -> tuple[str, int]:
    """Return host and port of HOST, HOST:PORT or [IPv6]:PORT. Raises: OrderFailed."""
    host, colon, port = text.rpartition(":")
    if text.endswith("]") or (host.count(":") and not host.endswith("]")):  # an IPv6 address without a port
        host, colon, port = text, "", ""
    elif not colon:
        host = text
    if not host.strip("[]") or (colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise OrderFailed("acme_dns_server is HOST or HOST:PORT.")
    return host.strip("[]"), int(port) if colon else PORT


def read_key(text: str) -> dns.tsig.Key:
    """Return the key that NAME:ALGORITHM:SECRET is. Raises: OrderFailed."""
    name, _, rest = text.partition(":")
    algorithm, _, secret = rest.partition(":")
    try:
        decoded = base64.b64decode(secret, validate=True)
        key = dns.tsig.Key(name, decoded, dns.name.from_text(algorithm))
    except (binascii.Error, ValueError, dns.exception.DNSException):
        key = None
    if key is None or not name or not secret or key.algorithm not in dns.tsig.mac_sizes:
        raise OrderFailed("acme_dns_key is NAME:ALGORITHM:SECRET, such as fazt:hmac-sha256:bm8=.")
    return key
