"""Where the owner is told of what happens, what is on its way there, and how that went.

Secrets are sealed here. Rule: an event is one row for each channel that wants it, from the moment
that it is raised until its log is trimmed; what is bounded is bounded here.
"""

from dataclasses import dataclass, field
from typing import Literal

import apsw
import orjson

from fazt.errors import Conflict, NotFound, OverQuota, SecretsLocked
from fazt.store import rows, sealing
from fazt.store.clock import now_ms

Kind = Literal["ntfy", "webhook"]
State = Literal["waiting", "sent", "failed"]

MOST_CHANNELS = 100
MOST_WAITING = 1000  # of a channel; an event beyond that is not told there
KEEP_DELIVERIES = 500  # of a channel, those that wait among them
KEEP_MS = 30 * 86_400_000
LARGEST_NUMBER = 2**63 - 1
SWITCHED_OFF = "The notification was switched off."

COLUMNS = "number, name, kind, url, secret, events, enabled, created_at FROM notification"
FIND = f"SELECT {COLUMNS} WHERE name = ?"
LIST_PAGE = f"SELECT {COLUMNS} WHERE name > ? ORDER BY name LIMIT ?"
ENABLED = f"SELECT {COLUMNS} WHERE enabled = 1"
COUNT = "SELECT count(*) FROM notification"
ADD = "INSERT INTO notification (name, kind, url, secret, events, enabled, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
CHANGE = "UPDATE notification SET url = coalesce(?, url), secret = ?, events = ?, enabled = ? WHERE number = ?"
REMOVE = "DELETE FROM notification WHERE name = ?"
GIVE_UP = """
    UPDATE notification_delivery SET state = 'failed', due_at = NULL, error = ?
    WHERE notification = ? AND state = 'waiting'
"""
DELIVERY_COLUMNS = """
    number, id, notification, event, title, text, site, state, attempts, due_at, status, answer, error, duration_ms, at,
    tried_at FROM notification_delivery
"""
FIRST_DUE = f"""
    SELECT {DELIVERY_COLUMNS} WHERE notification = ? AND state = 'waiting' AND due_at <= ?
    ORDER BY due_at, number LIMIT 1
"""
NEXT_DUE = "SELECT min(due_at) FROM notification_delivery WHERE notification = ? AND state = 'waiting'"
COUNT_WAITING = "SELECT count(*) FROM notification_delivery WHERE notification = ? AND state = 'waiting'"
ADD_DELIVERY = """
    INSERT INTO notification_delivery (id, notification, event, title, text, site, state, due_at, at)
    VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?)
"""
END = """
    UPDATE notification_delivery
    SET state = ?, attempts = ?, due_at = ?, status = ?, answer = ?, error = ?, duration_ms = ?, tried_at = ?
    WHERE number = ? AND state = 'waiting'
"""
DELIVERY = f"SELECT {DELIVERY_COLUMNS} WHERE id = ?"
LIST_DELIVERIES = f"SELECT {DELIVERY_COLUMNS} WHERE notification = ? AND number < ? ORDER BY number DESC LIMIT ?"
TRIM_MANY = """
    DELETE FROM notification_delivery WHERE number IN (
        SELECT number FROM notification_delivery WHERE notification = ? ORDER BY number DESC LIMIT -1 OFFSET ?)
        AND state <> 'waiting'
"""
TRIM_OLD = "DELETE FROM notification_delivery WHERE at < ?"
TOLD_AT = "SELECT at FROM notification_told WHERE subject = ?"
TELL = "INSERT INTO notification_told (subject, at) VALUES (?, ?) ON CONFLICT (subject) DO UPDATE SET at = excluded.at"
FORGET_TOLD = "DELETE FROM notification_told WHERE at < ?"
TOLD_KEPT_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to the owner; `events` are the kinds of events that go there."""

    number: int
    name: str
    kind: Kind
    url: str | None = field(repr=False)  # often a secret by itself; None: its key is missing
    secret: bytes | None = field(repr=False)
    events: tuple[str, ...]
    enabled: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `site` is the name of the site that it is about, None: the server."""

    kind: str
    title: str
    text: str
    site: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Notice:
    """An event on its way to a channel (its number), or the log of that."""

    number: int
    id: str
    channel: int
    event: str
    title: str
    text: str
    site: str | None
    state: State
    attempts: int
    due_at: int | None
    status: int | None
    answer: str | None
    error: str | None
    duration_ms: int | None
    at: int
    tried_at: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went: the status and the beginning of the answer, or why there was none."""

    status: int | None
    answer: str | None
    error: str | None
    duration_ms: int
    tried_at: int


def find(connection: apsw.Connection, name: str) -> Channel | None:
    """Return the channel of that name."""
    row = rows.first(connection, FIND, (name,))
    return None if row is None else _channel(connection, row)


def get(connection: apsw.Connection, name: str) -> Channel:
    """Return the channel of that name.

    Raises: NotFound.
    """
    channel = find(connection, name)
    if channel is None:
        raise NotFound(f"There is no notification {name!r}.")
    return channel


def list_page(connection: apsw.Connection, after: str | None, limit: int) -> list[Channel]:
    """Return at most `limit` channels in order of name, behind `after`."""
    return [_channel(connection, row) for row in rows.fetch(connection, LIST_PAGE, (after or "", limit))]


def add(
    connection: apsw.Connection,
    name: str,
    kind: Kind,
    url: str,
    secret: bytes | None,
    events: tuple[str, ...],
    enabled: bool,
) -> Channel:
    """Make a channel.

    Raises: Conflict where the name is taken; OverQuota; SecretsLocked.
    """
    if find(connection, name) is not None:
        raise Conflict(f"There is a notification {name!r} already.")
    if rows.value(connection, COUNT) >= MOST_CHANNELS:
        raise OverQuota(f"There may be at most {MOST_CHANNELS} notifications; remove some first.")
    sealed = _sealed(connection, name, secret)
    address = sealing.seal(connection, url.encode(), "notification", name, "url")
    connection.execute(ADD, (name, kind, address, sealed, orjson.dumps(events).decode(), int(enabled), now_ms()))
    return get(connection, name)


def change(
    connection: apsw.Connection,
    channel: Channel,
    url: str | None,
    secret: bytes | None,
    events: tuple[str, ...],
    enabled: bool,
) -> Channel:
    """Let a channel be otherwise; where no `url` or no `secret` is given it keeps its own.

    What waits for one that is switched off is given up. Raises: NotFound where it has gone; SecretsLocked.
    """
    sealed = channel.secret if secret is None else _sealed(connection, channel.name, secret)
    address = None if url is None else sealing.seal(connection, url.encode(), "notification", channel.name, "url")
    connection.execute(CHANGE, (address, sealed, orjson.dumps(events).decode(), int(enabled), channel.number))
    if not enabled:
        connection.execute(GIVE_UP, (SWITCHED_OFF, channel.number))
    return get(connection, channel.name)


def open_secret(connection: apsw.Connection, channel: Channel) -> str | None:
    """Return the secret of a channel, None where it has none. Raises: SecretsLocked, StoreCorrupt."""
    if channel.secret is None:
        return None
    return sealing.open_sealed(connection, channel.secret, "notification", channel.name).decode()


def _sealed(connection: apsw.Connection, name: str, secret: bytes | None) -> bytes | None:
    return None if secret is None else sealing.seal(connection, secret, "notification", name)


def remove(connection: apsw.Connection, name: str) -> None:
    """Delete a channel with its log.

    Raises: NotFound.
    """
    connection.execute(REMOVE, (name,))
    if not connection.changes():
        raise NotFound(f"There is no notification {name!r}.")


def tell(connection: apsw.Connection, event: Event, new_id: str) -> int:
    """Put an event on its way to every channel that wants it; return how many do. `new_id` begins the ids."""
    told = 0
    for channel in [_channel(connection, row) for row in rows.fetch(connection, ENABLED)]:
        if event.kind in channel.events and rows.value(connection, COUNT_WAITING, (channel.number,)) < MOST_WAITING:
            _add(connection, channel.number, event, f"{new_id}{channel.number:x}", event.at)
            told += 1
    return told


def tell_once(connection: apsw.Connection, event: Event, new_id: str, subject: str, every_ms: int) -> int:
    """Do the same, unless the subject was told of within a time."""
    before = rows.value(connection, TOLD_AT, (subject,))
    if before is not None and 0 <= event.at - before < every_ms:
        return 0
    told = tell(connection, event, new_id)
    if told:
        connection.execute(TELL, (subject, event.at))
    return told


def add_test(connection: apsw.Connection, channel: Channel, event: Event, id: str, due_at: int) -> Notice:
    """Put an event on its way to one channel, whatever that wants; whoever adds it sends it before `due_at`."""
    _add(connection, channel.number, event, id, due_at)
    return get_notice(connection, id)


def due(connection: apsw.Connection, now: int, busy: frozenset[int]) -> list[tuple[Channel, Notice]]:
    """Return what is due first of each channel that is not busy (numbers)."""
    found = []
    for channel in [_channel(connection, row) for row in rows.fetch(connection, ENABLED)]:
        row = None if channel.number in busy else rows.first(connection, FIRST_DUE, (channel.number, now))
        if row is not None:
            found.append((channel, Notice(*row)))
    return found


def next_due(connection: apsw.Connection, busy: frozenset[int]) -> int | None:
    """Return when something is due next of the channels that are not busy."""
    numbers = [row[0] for row in rows.fetch(connection, ENABLED) if row[0] not in busy]
    times = [rows.value(connection, NEXT_DUE, (number,)) for number in numbers]
    return min((at for at in times if at is not None), default=None)


def end(connection: apsw.Connection, notice: Notice, state: State, due_at: int | None, attempt: Attempt) -> Notice:
    """Write down how an attempt went; nothing where the notice does not wait any more.

    Raises: NotFound where its channel has gone meanwhile.
    """
    how = (attempt.status, attempt.answer, attempt.error, attempt.duration_ms, attempt.tried_at)
    connection.execute(END, (state, notice.attempts + 1, due_at, *how, notice.number))
    return get_notice(connection, notice.id)


def get_notice(connection: apsw.Connection, id: str) -> Notice:
    """Return the notice of that id.

    Raises: NotFound.
    """
    row = rows.first(connection, DELIVERY, (id,))
    if row is None:
        raise NotFound("The notification was removed meanwhile.")
    return Notice(*row)


def list_notices(connection: apsw.Connection, channel: Channel, before: int | None, limit: int) -> list[Notice]:
    """Return at most `limit` notices of a channel, newest first, behind the number `before`."""
    start = LARGEST_NUMBER if before is None else before
    return [Notice(*row) for row in rows.fetch(connection, LIST_DELIVERIES, (channel.number, start, limit))]


def trim(connection: apsw.Connection, now: int) -> None:
    """Delete what is too old to be kept."""
    connection.execute(TRIM_OLD, (now - KEEP_MS,))
    connection.execute(FORGET_TOLD, (now - TOLD_KEPT_MS,))


def _add(connection: apsw.Connection, channel_number: int, event: Event, id: str, due_at: int) -> None:
    what = (event.kind, event.title, event.text, event.site)
    connection.execute(ADD_DELIVERY, (id, channel_number, *what, due_at, event.at))
    connection.execute(TRIM_MANY, (channel_number, KEEP_DELIVERIES))


def _channel(connection: apsw.Connection, row: rows.Row) -> Channel:
    number, name, kind, kept, secret, events, enabled, created_at = row
    try:
        url = sealing.open_sealed(connection, kept, "notification", name, "url").decode() if kept else ""
    except SecretsLocked:
        url = None  # the rest can be shown, and changed
    return Channel(number, name, kind, url, secret, tuple(orjson.loads(events)), bool(enabled), created_at)
