"""Ordering certificates: our accounts at authorities, how the orders of names stand, when to renew."""

from dataclasses import dataclass

import apsw

from fazt.store import rows, sealing
from fazt.store.clock import now_ms

FIND_ACCOUNT = "SELECT key FROM acme_account WHERE directory = ?"
ADD_ACCOUNT = "INSERT INTO acme_account (directory, key, created_at) VALUES (?, ?, ?)"
LIST_ORDERS = "SELECT name, failures, tried_at, next_at, error FROM acme_order ORDER BY name"
PUT_ORDER = "INSERT OR REPLACE INTO acme_order (name, failures, tried_at, next_at, error) VALUES (?, ?, ?, ?, ?)"
REMOVE_ORDER = "DELETE FROM acme_order WHERE name = ?"
HURRY = "UPDATE acme_order SET next_at = 0 WHERE name = ?"
LIST_RENEWALS = "SELECT fingerprint, renew_at, ask_at FROM acme_renewal"
PUT_RENEWAL = "INSERT OR REPLACE INTO acme_renewal (fingerprint, renew_at, ask_at) VALUES (?, ?, ?)"
FORGET_RENEWALS = "DELETE FROM acme_renewal WHERE fingerprint NOT IN (SELECT fingerprint FROM certificate)"


@dataclass(frozen=True, slots=True)
class Order:
    """How the order of a certificate stands, by its first name; times in ms."""

    name: str
    failures: int
    tried_at: int
    next_at: int
    error: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """When a certificate is to be renewed as its authority would like it, and when that is asked again; ms."""

    fingerprint: str
    renew_at: int
    ask_at: int


def find_account(connection: apsw.Connection, directory: str) -> bytes | None:
    """Return the key of our account at an authority. Raises: SecretsLocked."""
    sealed: bytes | None = rows.value(connection, FIND_ACCOUNT, (directory,))
    return None if sealed is None else sealing.open_sealed(connection, sealed, "acme_account", directory)


def add_account(connection: apsw.Connection, directory: str, key: bytes) -> bytes:
    """Keep the key of an account; return the one that counts, which may have been there already."""
    present = find_account(connection, directory)
    if present is not None:
        return present
    sealed = sealing.seal(connection, key, "acme_account", directory)
    connection.execute(ADD_ACCOUNT, (directory, sealed, now_ms()))
    return key


def list_orders(connection: apsw.Connection) -> list[Order]:
    """Return how all orders stand that did not succeed, in order of their names."""
    return [Order(*row) for row in rows.fetch(connection, LIST_ORDERS)]


def put_order(connection: apsw.Connection, order: Order) -> None:
    """Keep how an order stands."""
    connection.execute(PUT_ORDER, (order.name, order.failures, order.tried_at, order.next_at, order.error))


def remove_order(connection: apsw.Connection, name: str) -> None:
    """Forget an order: it succeeded, or is not wanted any more."""
    connection.execute(REMOVE_ORDER, (name,))


def hurry(connection: apsw.Connection, name: str) -> None:
    """Let an order that waits be tried again at once."""
    connection.execute(HURRY, (name,))


def list_renewals(connection: apsw.Connection) -> list[Renewal]:
    """Return what is known of when to renew."""
    return [Renewal(*row) for row in rows.fetch(connection, LIST_RENEWALS)]


def put_renewal(connection: apsw.Connection, renewal: Renewal) -> None:
    """Keep when to renew a certificate, and forget that of certificates that are gone."""
    connection.execute(PUT_RENEWAL, (renewal.fingerprint, renewal.renew_at, renewal.ask_at))
    connection.execute(FORGET_RENEWALS)
