"""The DNS as others see it: which zone a name is in, who answers for it, and whether a record is shown there yet."""

import logging
import time
from typing import Protocol

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver

from fazt.errors import OrderFailed

log = logging.getLogger("fazt.acme")
WAIT_S = 180.0
PATIENT_S = 3600.0  # where a person writes the record
PAUSE_S = 3.0
BLIND_S = 20.0
ANSWER_S = 5.0
PORT = 53


class Writer(Protocol):
    """Writes TXT records."""

    def write(self, name: str, value: str) -> object:
        """Add a record, leaving others of its name alone; return what removes it. Raises: OrderFailed."""

    def remove(self, written: object) -> None:
        """Remove what was written; what cannot be removed is logged, and harms nobody."""


def find_zone(name: str) -> str:
    """Return the zone that a name lies in. Raises: OrderFailed."""
    try:
        return str(dns.resolver.zone_for_name(name)).rstrip(".")
    except dns.exception.DNSException as error:
        raise OrderFailed(f"The zone of {name} cannot be found in the DNS: {error}") from error


def wait_until_shown(name: str, value: str, *, patient: bool) -> None:
    """Come back once every server of the zone has the record. Raises: OrderFailed where that takes too long.

    Where they cannot be asked from here (a network of one's own, port 53 closed), a while is waited instead.
    """
    until = time.monotonic() + (PATIENT_S if patient else WAIT_S)
    while True:
        try:
            servers = _servers(name)
        except OrderFailed as error:
            log.info("%s; waiting %d s instead", error.message, BLIND_S)
            time.sleep(BLIND_S)
            return
        missing = [server for server in servers if value not in _values(name, server)]
        if not missing:
            return
        if time.monotonic() > until:
            raise OrderFailed(f"{missing[0]} does not show the TXT record {name} with the value {value} yet.")
        time.sleep(PAUSE_S)


def _servers(name: str) -> list[str]:
    """Return the addresses of the servers that answer for a name. Raises: OrderFailed."""
    try:
        zone = dns.resolver.zone_for_name(name)
        found = [
            str(address)
            for server in dns.resolver.resolve(zone, "NS")
            for address in dns.resolver.resolve(server.target, "A")
        ]
    except dns.exception.DNSException as error:
        raise OrderFailed(f"The servers that answer for {name} cannot be found in the DNS: {error}") from error
    return found


def _values(name: str, server: str) -> list[str]:
    """Return the TXT records that a server has for a name; none where it does not answer."""
    question = dns.message.make_query(name, dns.rdatatype.TXT)
    try:
        answer = dns.query.udp_with_fallback(question, server, timeout=ANSWER_S, port=PORT)[0]
    except (dns.exception.DNSException, OSError):
        return []
    return [
        b"".join(record.strings).decode("ascii", "replace")
        for found in answer.answer
        if found.rdtype == dns.rdatatype.TXT
        for record in found
    ]
