"""Requests that may be sent twice and are done once: what their keys stand for, and what they were answered.

Rule: neither a key nor a body is kept, only what tells whether another one is the same.
"""

import builtins
from dataclasses import dataclass

import apsw

from fazt.store.clock import now_ms

SWEEP = "DELETE FROM idempotency WHERE at < ?"
CLAIM = "INSERT INTO idempotency (key, fingerprint, at) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING"
FIND = "SELECT fingerprint, status, body FROM idempotency WHERE key = ?"
FINISH = "UPDATE idempotency SET status = ?, body = ? WHERE key = ?"
RELEASE = "DELETE FROM idempotency WHERE key = ?"
KEPT_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Known:
    """What was asked with a key before; `status` is None as long as it has no end, `body` where it is not kept."""

    fingerprint: builtins.bytes
    status: int | None
    body: builtins.bytes | None


def claim(connection: apsw.Connection, key: bytes, fingerprint: bytes) -> Known | None:
    """Take a key for a request; where it is taken already return by what."""
    now = now_ms()
    connection.execute(SWEEP, (now - KEPT_MS,))
    connection.execute(CLAIM, (key, fingerprint, now))
    if connection.changes():
        return None
    row = connection.execute(FIND, (key,)).fetchone()
    assert row is not None
    return Known(*row)


def finish(connection: apsw.Connection, key: bytes, status: int, body: bytes | None) -> None:
    """Keep what a request was answered; None: only that it was done."""
    connection.execute(FINISH, (status, body, key))


def release(connection: apsw.Connection, key: bytes) -> None:
    """Give a key back whose request did nothing."""
    connection.execute(RELEASE, (key,))


def sweep(connection: apsw.Connection) -> None:
    """Forget what is older than a day."""
    connection.execute(SWEEP, (now_ms() - KEPT_MS,))
