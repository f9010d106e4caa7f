"""Incoming webhooks, and what they brought: the newest deliveries of each.

Secrets are sealed here. Rule: a delivery, the job that it became and the count of its hook are
one transaction, and a delivery that its sender has named is there once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import apsw

from fazt.errors import Conflict, NotFound, OverQuota
from fazt.store import queue, rows, sealing, sites
from fazt.store.clock import now_ms
from fazt.store.queue import NewJob

Style = Literal["github", "stripe", "hmac", "none"]

MOST_HOOKS = 1000
KEEP_DELIVERIES = 1000  # of a hook
KEEP_BYTES = 64 << 20  # of the bodies of a hook
KEEP_MS = 30 * 86_400_000
LARGEST_NUMBER = 2**63 - 1

COLUMNS = """
    hook.number, hook.name, site.name, hook.site, style, secret, function, enabled, received, received_at, refused,
    refused_at, hook.created_at FROM hook LEFT JOIN site ON site.id = hook.site
"""
FIND = f"SELECT {COLUMNS} WHERE hook.name = ?"
LIST_PAGE = f"SELECT {COLUMNS} WHERE hook.name > ? ORDER BY hook.name LIMIT ?"
OF_SITES = "site.name IN (SELECT value FROM json_each(?2))"
LIST_OF_SITES = f"SELECT {COLUMNS} WHERE hook.name > ?1 AND {OF_SITES} ORDER BY hook.name LIMIT ?3"
COUNT = "SELECT count(*) FROM hook"
ADD = """
    INSERT INTO hook (name, site, style, secret, function, enabled, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
CHANGE = "UPDATE hook SET style = ?, secret = ?, function = ?, enabled = ? WHERE number = ?"
REMOVE = "DELETE FROM hook WHERE name = ?"
COUNT_REFUSED = """
    UPDATE hook SET refused = refused + ?1, refused_at = max(coalesce(refused_at, 0), ?2) WHERE number = ?3
"""
COUNT_RECEIVED = "UPDATE hook SET received = received + 1, received_at = ? WHERE number = ?"
SITE_OF = "SELECT site FROM hook WHERE number = ?"
KNOWN = "SELECT id FROM hook_delivery WHERE hook = ? AND sender_id = ?"
ADD_DELIVERY = """
    INSERT INTO hook_delivery (id, hook, sender_id, at, address, headers, size, body, job)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
DELIVERY_COLUMNS = "number, id, sender_id, at, address, headers, size, body, job, replays FROM hook_delivery"
DELIVERY = f"SELECT {DELIVERY_COLUMNS} WHERE id = ? AND hook = ?"
LIST_DELIVERIES = """
    SELECT number, id, sender_id, at, address, headers, size, x'', job, replays FROM hook_delivery
    WHERE hook = ? AND number < ? ORDER BY number DESC LIMIT ?
"""
REPLAYED = "UPDATE hook_delivery SET job = ?, replays = replays + 1 WHERE number = ?"
TRIM_MANY = """
    DELETE FROM hook_delivery WHERE number IN (
        SELECT number FROM hook_delivery WHERE hook = ? ORDER BY number DESC LIMIT -1 OFFSET ?)
"""
SIZES = "SELECT number, size FROM hook_delivery WHERE hook = ? ORDER BY number DESC"
TRIM_BEHIND = "DELETE FROM hook_delivery WHERE hook = ? AND number <= ?"
TRIM_OLD = "DELETE FROM hook_delivery WHERE at < ?"


@dataclass(frozen=True, slots=True)
class Hook:
    """An incoming webhook; `site` None: of the server; `function` is the name of the job that a delivery becomes.

    Its secret is sealed: see `open_secret`.
    """

    number: int
    name: str
    site: str | None
    site_id: int | None
    style: Style
    secret: bytes | None = field(repr=False)
    function: str | None
    enabled: bool
    received: int
    received_at: int | None
    refused: int
    refused_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that is to be kept; `headers` is JSON without secrets."""

    id: str
    sender_id: str | None
    at: int
    address: str
    headers: bytes
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that is kept; in a list its body is empty."""

    number: int
    id: str
    sender_id: str | None
    at: int
    address: str
    headers: bytes
    size: int
    body: bytes = field(repr=False)
    job: str | None
    replays: int


def find(connection: apsw.Connection, name: str) -> Hook | None:
    """Return the hook of that name."""
    row = rows.first(connection, FIND, (name,))
    return None if row is None else _hook(row)


def get(connection: apsw.Connection, name: str) -> Hook:
    """Return the hook of that name.

    Raises: NotFound.
    """
    hook = find(connection, name)
    if hook is None:
        raise NotFound(f"There is no hook {name!r}.")
    return hook


def list_page(connection: apsw.Connection, of_sites: str | None, after: str | None, limit: int) -> list[Hook]:
    """Return at most `limit` hooks in order of name, behind `after`; `of_sites`: a JSON list of names, None: all."""
    if of_sites is None:
        found = rows.fetch(connection, LIST_PAGE, (after or "", limit))
    else:
        found = rows.fetch(connection, LIST_OF_SITES, (after or "", of_sites, limit))
    return [_hook(row) for row in found]


def add(
    connection: apsw.Connection, name: str, site: str | None, style: Style, secret: bytes | None, function: str | None
) -> Hook:
    """Make a hook of a site, or of the server.

    Raises: SiteNotFound; Conflict where the name is taken; OverQuota; SecretsLocked.
    """
    site_id = None if site is None else sites.get(connection, site).id
    if find(connection, name) is not None:
        raise Conflict(f"There is a hook {name!r} already; names of hooks are unique on a server.")
    if rows.value(connection, COUNT) >= MOST_HOOKS:
        raise OverQuota(f"There may be at most {MOST_HOOKS:,} hooks; remove some first.")
    connection.execute(ADD, (name, site_id, style, _sealed(connection, name, secret), function, 1, now_ms()))
    return get(connection, name)


def change(
    connection: apsw.Connection, hook: Hook, style: Style, secret: bytes | None, function: str | None, enabled: bool
) -> Hook:
    """Let a hook be otherwise from now on; where no `secret` is given it keeps its own, if its style takes one.

    Raises: NotFound where it has gone; SecretsLocked.
    """
    kept = None if style == "none" else hook.secret
    sealed = kept if secret is None else _sealed(connection, hook.name, secret)
    connection.execute(CHANGE, (style, sealed, function, int(enabled), hook.number))
    return get(connection, hook.name)


def open_secret(connection: apsw.Connection, hook: Hook) -> bytes:
    """Return the secret of a hook, b"" where it has none. Raises: SecretsLocked, StoreCorrupt."""
    return b"" if hook.secret is None else sealing.open_sealed(connection, hook.secret, "hook", hook.name)


def _sealed(connection: apsw.Connection, name: str, secret: bytes | None) -> bytes | None:
    return None if secret is None else sealing.seal(connection, secret, "hook", name)


def remove(connection: apsw.Connection, name: str) -> None:
    """Delete a hook with all that it brought.

    Raises: NotFound.
    """
    connection.execute(REMOVE, (name,))
    if not connection.changes():
        raise NotFound(f"There is no hook {name!r}.")


def count_refused(connection: apsw.Connection, counts: Sequence[tuple[int, int, int]]) -> None:
    """Add refusals: how many, when the last one was, and the number of the hook; one that is gone has none."""
    connection.executemany(COUNT_REFUSED, counts)


def add_delivery(
    connection: apsw.Connection, hook_number: int, delivery: NewDelivery, job: NewJob | None
) -> tuple[str, bool]:
    """Keep a delivery and queue its job; return its id, and False where it was there already.

    Raises: NotFound where the hook has gone; QueueFull.
    """
    owner = rows.first(connection, SITE_OF, (hook_number,))
    if owner is None:
        raise NotFound("There is nothing at this address.")
    if delivery.sender_id is not None:
        known = rows.value(connection, KNOWN, (hook_number, delivery.sender_id))
        if known is not None:
            return known, False
    job_id = None if job is None else queue.add(connection, owner[0], job, now_ms())
    size = len(delivery.body)
    kept = (delivery.sender_id, delivery.at, delivery.address, delivery.headers, size, delivery.body, job_id)
    connection.execute(ADD_DELIVERY, (delivery.id, hook_number, *kept))
    connection.execute(COUNT_RECEIVED, (delivery.at, hook_number))
    _trim(connection, hook_number)
    return delivery.id, True


def get_delivery(connection: apsw.Connection, hook: Hook, id: str) -> Delivery:
    """Return a delivery of a hook with its body.

    Raises: NotFound.
    """
    row = rows.first(connection, DELIVERY, (id, hook.number))
    if row is None:
        raise NotFound(f"The hook {hook.name!r} has no delivery {id!r}; only the newest are kept.")
    return Delivery(*row)


def list_deliveries(connection: apsw.Connection, hook: Hook, before: int | None, limit: int) -> list[Delivery]:
    """Return at most `limit` deliveries without their bodies, newest first, behind the number `before`."""
    start = LARGEST_NUMBER if before is None else before
    return [Delivery(*row) for row in rows.fetch(connection, LIST_DELIVERIES, (hook.number, start, limit))]


def replay(connection: apsw.Connection, hook: Hook, delivery: Delivery, job: NewJob) -> Delivery:
    """Queue a job of a delivery once more.

    Raises: QueueFull, SiteNotFound, NotFound.
    """
    assert hook.site_id is not None
    id = queue.add(connection, hook.site_id, job, now_ms())
    connection.execute(REPLAYED, (id, delivery.number))
    return get_delivery(connection, hook, delivery.id)


def trim_old(connection: apsw.Connection, now: int) -> None:
    """Delete what is too old to be kept."""
    connection.execute(TRIM_OLD, (now - KEEP_MS,))


def _trim(connection: apsw.Connection, hook_number: int) -> None:
    """Delete what of a hook is beyond the newest deliveries, or beyond the bytes that are kept."""
    connection.execute(TRIM_MANY, (hook_number, KEEP_DELIVERIES))
    total = 0
    for number, size in rows.fetch(connection, SIZES, (hook_number,)):
        total += size
        if total > KEEP_BYTES:
            connection.execute(TRIM_BEHIND, (hook_number, number))
            break


def _hook(row: rows.Row) -> Hook:
    return replace(Hook(*row), enabled=bool(row[7]))
