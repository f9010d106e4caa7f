"""`/api/notifications`: where the owner is told of what happens, and how that went.

All of it is the whole server's and takes `admin`: an address may be a secret by itself. Rule: a secret is told when its
notification is made, and never again; the audit log has no more of an address than its origin.
"""

import re
import secrets
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import apsw
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Admin
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, NoContent, answer, list_answer, number_cursor
from fazt.api.auditing import Act, Audit
from fazt.api.preconditions import IfMatch, held_to, revision_of_fields
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.errors import InvalidInput, NotAvailable
from fazt.notifications.events import KINDS, Kind
from fazt.notifications.messages import check_secret, check_url
from fazt.notifications.notifications import Notifications
from fazt.store import notifications as store
from fazt.store.database import Database
from fazt.store.notifications import Channel, Notice

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
SECRET_BYTES = 32

Secret = Annotated[str, Field(min_length=1, max_length=512)]
Url = Annotated[str, Field(min_length=1, max_length=4096)]
Events = Annotated[list[Kind], Field(min_length=1, max_length=len(KINDS))]


class NewNotification(BaseModel):
    """A way to the owner that is to be made; a webhook without a secret gets one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: Annotated[str, Field(max_length=64)]
    kind: Literal["ntfy", "webhook", "mail"]
    url: Url
    secret: Secret | None = None
    events: Annotated[Events, Field(default_factory=lambda: list(KINDS))]
    enabled: bool = True


class NotificationChanges(BaseModel):
    """What is to be different; `secret` null: as it is."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    url: Url | None = None
    secret: Secret | None = None
    events: Events | None = None
    enabled: bool | None = None


class NotificationCalls:
    """The calls about notifications."""

    def __init__(self, database: Database, notifications: Notifications) -> None:
        self._database = database
        self._audit = Audit(database)
        self._notifications = notifications

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        one = "/api/notifications/{name}"
        app.add_api_route("/api/notifications", self.list_page, methods=["GET"])
        app.add_api_route("/api/notifications", self.create, methods=["POST"], status_code=201)
        app.add_api_route(one, self.show, methods=["GET"])
        app.add_api_route(one, self.change, methods=["PATCH"])
        app.add_api_route(one, self.remove, methods=["DELETE"], status_code=204)
        app.add_api_route(f"{one}/test", self.test, methods=["POST"])
        app.add_api_route(f"{one}/deliveries", self.list_deliveries, methods=["GET"])

    async def list_page(
        self, caller: Admin, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Notification]]:
        """List the notifications in order of their names."""
        return answer(await self._database.read(_list, after, limit))

    async def create(self, caller: Admin, body: NewNotification) -> Answer[shapes.MadeNotification]:
        """Make a notification; its secret is told in this answer and never again."""
        if body.kind == "mail":
            raise NotAvailable("Notifications by mail are not available in this version; take ntfy or webhook.")
        if not NAME.fullmatch(body.name):
            raise InvalidInput("The name of a notification has 1 to 64 of the characters a-z, 0-9, - and _: my-phone.")
        url, secret = check_url(body.url), body.secret
        if secret is None and body.kind == "webhook":
            secret = secrets.token_urlsafe(SECRET_BYTES)
        kept = None if secret is None else _encoded(body.kind, secret)
        act = _act("create", body.name)
        chosen = _in_order(body.events)
        made = await self._audit.write(caller, act, store.add, body.name, body.kind, url, kept, chosen, body.enabled)
        return answer({**_json(made, None), "secret": secret}, 201)

    async def show(self, caller: Admin, name: str) -> Answer[shapes.Notification]:
        """Show a notification."""
        return answer(await self._database.read(_show, name))

    async def change(
        self, caller: Admin, name: str, body: NotificationChanges, if_match: IfMatch = None
    ) -> Answer[shapes.Notification]:
        """Change a notification; what waits for one that is switched off is given up.

        With `If-Match` only one of that revision.
        """
        channel = await self._database.read(store.get, name)
        url = None if body.url is None else check_url(body.url)
        kept = None if body.secret is None else _encoded(channel.kind, body.secret)
        moves = url is not None and urlsplit(url)[:2] != urlsplit(channel.url or "")[:2]
        if body.secret is None and moves and channel.secret is not None:
            raise InvalidInput("The secret was for the host before; send the secret for the new one along.")
        events = channel.events if body.events is None else _in_order(body.events)
        enabled = channel.enabled if body.enabled is None else body.enabled
        act = _act("change", name, secret_changed=body.secret is not None, if_match=if_match)
        await self._audit.write(caller, act, store.change, channel, url, kept, events, enabled)
        self._notifications.wake()
        return answer(await self._database.read(_show, name))

    async def remove(self, caller: Admin, name: str, if_match: IfMatch = None) -> NoContent:
        """Delete a notification with its log. `If-Match` as for changing."""
        await self._audit.write(caller, _act("remove", name, if_match=if_match), store.remove, name)
        return NoContent()

    async def test(self, caller: Admin, name: str) -> Answer[shapes.Notice]:
        """Send a test, and show how that went; it is not tried again."""
        channel = await self._database.read(store.get, name)
        notice = await self._notifications.test(channel)
        return answer(_notice_json(notice))

    async def list_deliveries(
        self, caller: Admin, name: str, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Notice]]:
        """List what was and is to be told there, newest first."""
        return answer(await self._database.read(_list_notices, name, number_cursor(after), limit))


def _json(channel: Channel, last: Notice | None) -> shapes.Notification:
    return {
        "name": channel.name,
        "kind": channel.kind,
        "url": channel.url or "",
        "events": list(channel.events),
        "enabled": channel.enabled,
        "has_secret": channel.secret is not None,
        "last": None if last is None else _notice_json(last),
        "created_at": iso(channel.created_at),
        "revision": _revision(channel),
    }


def _notice_json(notice: Notice) -> shapes.Notice:
    return {
        "id": notice.id,
        "event": notice.event,
        "title": notice.title,
        "text": notice.text,
        "site": notice.site,
        "state": notice.state,
        "attempts": notice.attempts,
        "status": notice.status,
        "answer": notice.answer,
        "error": notice.error,
        "duration_ms": notice.duration_ms,
        "at": iso(notice.at),
        "tried_at": iso(notice.tried_at),
        "next_at": iso(notice.due_at),
    }


def _encoded(kind: str, secret: str) -> bytes:
    check_secret(kind, secret)
    try:
        return secret.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The secret is not valid UTF-8.") from None


def _in_order(events: list[Kind]) -> tuple[str, ...]:
    return tuple(kind for kind in KINDS if kind in events)


def _with_last(connection: apsw.Connection, channel: Channel) -> shapes.Notification:
    last = store.list_notices(connection, channel, None, 1)
    return _json(channel, last[0] if last else None)


def _show(connection: apsw.Connection, name: str) -> shapes.Notification:
    return _with_last(connection, store.get(connection, name))


def _list(connection: apsw.Connection, after: str | None, limit: int) -> Page[shapes.Notification]:
    found = store.list_page(connection, after, limit + 1)
    return list_answer(found, limit, lambda channel: _with_last(connection, channel), lambda channel: channel.name)


def _list_notices(connection: apsw.Connection, name: str, before: int | None, limit: int) -> Page[shapes.Notice]:
    found = store.list_notices(connection, store.get(connection, name), before, limit + 1)
    return list_answer(found, limit, _notice_json, lambda notice: str(notice.number))


def _act(verb: str, name: str, *, secret_changed: bool = False, if_match: str | None = None) -> Act:
    """Return what is written down; that a secret changed is told, not what it was or is."""

    def look(connection: apsw.Connection) -> Any:
        channel = store.find(connection, name)
        if channel is None:
            return None
        parts = urlsplit(channel.url or "")
        seen = {"name": channel.name, "kind": channel.kind, "origin": f"{parts.scheme}://{parts.netloc}"}
        more = {"secret": "changed"} if secret_changed else {}
        return seen | {"events": list(channel.events), "enabled": channel.enabled} | more

    check = held_to(if_match, lambda connection: store.find(connection, name), _revision)
    return Act(f"notification.{verb}", name, look=look, check=check)


def _revision(channel: Channel) -> str:
    return revision_of_fields(channel.name, channel.url, channel.events, channel.enabled, channel.secret is not None)
