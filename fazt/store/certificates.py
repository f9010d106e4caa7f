"""Certificates for HTTPS: what each is, which names it is for, and which of them a host is shown.

What a certificate may be is decided in `fazt.tls.certificate`. Rule: a change of which certificate a name has adds a
change of the kind `certificate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import apsw

from fazt.errors import Conflict, NotFound
from fazt.store import changes, rows, sealing
from fazt.store.clock import now_ms

KIND = "certificate"
LARGEST_NUMBER = 2**63 - 1
Source = Literal["acme", "uploaded"]

COLUMNS = "number, source, fingerprint, issuer, not_before, not_after, created_at FROM certificate"
GET = f"SELECT {COLUMNS} WHERE number = ?"
LIST_PAGE = f"SELECT {COLUMNS} WHERE number < ? ORDER BY number DESC LIMIT ?"
NAMES = "SELECT name FROM certificate_name WHERE certificate = ? ORDER BY name"
# An own certificate comes before one that was ordered; where all have expired, the newest of them tells the visitor so.
FIND_FOR = """
    SELECT certificate.number FROM certificate_name JOIN certificate ON certificate.number = certificate
    WHERE name IN (?1, ?2)
    ORDER BY not_before <= ?3 AND ?3 < not_after DESC, source = 'uploaded' DESC, name = ?1 DESC, not_after DESC
    LIMIT 1
"""
GET_PEM = "SELECT chain, key, fingerprint FROM certificate WHERE number = ?"
FIND_FINGERPRINT = "SELECT number FROM certificate WHERE fingerprint = ?"
ADD = """
    INSERT INTO certificate (source, fingerprint, issuer, chain, key, not_before, not_after, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_NAME = "INSERT INTO certificate_name (name, certificate) VALUES (?, ?)"
OTHERS = """
    SELECT number FROM certificate_name JOIN certificate ON certificate.number = certificate
    WHERE name = ? AND number <> ? AND source = ?
"""
COUNT = "SELECT count(*) FROM certificate"
SOONEST = """
    SELECT name, max(not_after) AS ends FROM certificate_name JOIN certificate ON certificate.number = certificate
    GROUP BY name ORDER BY ends, name LIMIT 1
"""
REMOVE = "DELETE FROM certificate WHERE number = ?"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known of a certificate; times in ms."""

    number: int
    source: Source
    fingerprint: str
    issuer: str
    not_before: int
    not_after: int
    created_at: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many certificates there are, and the first name to be without a valid one, with the time (ms)."""

    count: int
    name: str | None
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """A certificate that is to be kept, checked; chain and key are PEM."""

    names: Sequence[str]
    fingerprint: str
    issuer: str
    not_before: int
    not_after: int
    chain: bytes
    key: bytes


def get(connection: apsw.Connection, number: int) -> Certificate:
    """Return a certificate.

    Raises: NotFound.
    """
    row = rows.first(connection, GET, (number,))
    if row is None:
        raise NotFound(f"There is no certificate {number}.")
    return Certificate(*(*row, _names(connection, number)))


def find(connection: apsw.Connection, fingerprint: str) -> Certificate | None:
    """Return the certificate of that fingerprint."""
    number: int | None = rows.value(connection, FIND_FINGERPRINT, (fingerprint,))
    return None if number is None else get(connection, number)


def list_page(connection: apsw.Connection, before: int | None, limit: int) -> list[Certificate]:
    """Return at most `limit` certificates, newest first, behind the number `before`."""
    start = LARGEST_NUMBER if before is None else before
    found = rows.fetch(connection, LIST_PAGE, (start, limit))
    return [Certificate(*(*row, _names(connection, row[0]))) for row in found]


def find_for(connection: apsw.Connection, host: str, at_ms: int) -> int | None:
    """Return the number of the certificate that a host is shown at a time, None where there is none."""
    _, _, parent = host.partition(".")
    number: int | None = rows.value(connection, FIND_FOR, (host, f"*.{parent}", at_ms))
    return number


def outlook(connection: apsw.Connection) -> Outlook:
    """Return how the certificates stand."""
    name, ends_at = rows.first(connection, SOONEST) or (None, None)
    return Outlook(rows.value(connection, COUNT), name, ends_at)


def get_pem(connection: apsw.Connection, number: int) -> tuple[bytes, bytes]:
    """Return chain and key of a certificate.

    Raises: NotFound; SecretsLocked, StoreCorrupt.
    """
    row = rows.first(connection, GET_PEM, (number,))
    if row is None:
        raise NotFound(f"There is no certificate {number}.")
    chain, key, fingerprint = row
    return chain, sealing.open_sealed(connection, key, "certificate", fingerprint)


def add(connection: apsw.Connection, new: NewCertificate, source: Source) -> Certificate:
    """Keep a certificate; one of the same source for the same names gives way to it.

    Raises: Conflict where it is kept already; SecretsLocked.
    """
    if find(connection, new.fingerprint) is not None:
        raise Conflict("This certificate is here already.")
    times = (new.not_before, new.not_after, now_ms())
    key = sealing.seal(connection, new.key, "certificate", new.fingerprint)
    connection.execute(ADD, (source, new.fingerprint, new.issuer, new.chain, key, *times))
    number = connection.last_insert_rowid()
    for name in new.names:
        connection.execute(ADD_NAME, (name, number))
        changes.add(connection, KIND, name)
    for (other,) in rows.fetch(connection, OTHERS, (new.names[0], number, source)):
        if set(_names(connection, other)) == set(new.names):
            connection.execute(REMOVE, (other,))
    return get(connection, number)


def remove(connection: apsw.Connection, number: int) -> None:
    """Forget a certificate and its key.

    Raises: NotFound.
    """
    gone = get(connection, number)
    connection.execute(REMOVE, (number,))
    for name in gone.names:
        changes.add(connection, KIND, name)


def _names(connection: apsw.Connection, number: int) -> tuple[str, ...]:
    return tuple(name for (name,) in rows.fetch(connection, NAMES, (number,)))
