"""The WebSocket of a room: `/_fazt/room/<name>` under every host of a site.

Owns who is let in, and the order of what one member says; rooms themselves are `fazt.data.rooms`'. Needs the edge's own
`websocket.post` and `websocket.close`, so that a message to a thousand members takes no thousand tasks.

Rule: a page of another origin gets no WebSocket at all, unless the site says "anyone"; what a function has to decide,
it decides before anything of the room is told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson

from fazt._speedups.hosts import normalise
from fazt.api.platform import respond_error
from fazt.api.routing import Application, Receive, Scope, Send
from fazt.data.room import Member
from fazt.data.room_limits import RoomSettings
from fazt.data.room_messages import PONG, check_room_name, error_frame, read_request
from fazt.data.rooms import Rooms
from fazt.errors import FaztError, Forbidden, InvalidInput, NotFound, RoomFull, RoomHandlerFailed, TooLarge
from fazt.sites.room_rules import RoomRule, RoomRules

log = logging.getLogger("fazt.rooms")
PREFIX = "/_fazt/room/"
BAD_REQUEST, REFUSED, NO_ROOM, FULL, FAILED = 4400, 4403, 4404, 4429, 4500
NOT_TEXT = 1003
MAX_FIELDS = 20  # of a query
ENVELOPE_BYTES = 1_024  # of a message, around its data
DEFAULT_PORTS = {"http": "80", "https": "443"}


class Relay:
    """What a handler returns when its module does not have the function for this event."""


RELAY = Relay()


@dataclass(frozen=True, slots=True)
class RoomSite:
    """The site that a host belongs to, as its rooms need it."""

    name: str
    site_id: int
    version: int
    rules: RoomRules
    has_handler: Callable[[str], bool] = lambda name: False  # whether api/_rooms/ has a module for this name
    hosts: frozenset[str] = frozenset()  # normalised: others whose pages may join as the site's own


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """One call of a room's function."""

    site: RoomSite
    handler: str  # the module: api/_rooms/<handler>
    room: str
    kind: str  # "join", "message" or "leave"
    member: dict[str, Any]  # id, name, data; for a join also url, headers and address
    data: Any = None  # of a message


# RELAY: there is no function for this. join: False refuses, an object may hold the member's name and data, all else
# lets in. message: None and False send nothing, any other value is sent in the message's place. A FaztError refuses.
RoomHandler = Callable[[RoomEvent], Awaitable[Any]]
FindRoomSite = Callable[[str], Awaitable[RoomSite | None]]


class _Refused(Exception):
    """The WebSocket was opened and is closed with a code that its client understands."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def rooms_app(rooms: Rooms, find_room_site: FindRoomSite, handler: RoomHandler | None = None) -> Application:
    """Return the application of the paths under `/_fazt/room/`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await respond_error(send, _not_here(scope))
            return
        name = scope["path"].removeprefix(PREFIX)
        site = await find_room_site(scope["extensions"]["fazt"]["host"])
        rule = site.rules.find(name) if site else None
        await receive()  # websocket.connect
        if site is None or not is_origin_allowed(scope, site, rule):
            await send({"type": "websocket.close"})
            return
        scope["extensions"]["fazt"]["site"] = site.name
        visit = _Visit(rooms, site, name, rule, handler, scope)
        await send({"type": "websocket.accept", "compress": False})
        try:
            await visit.enter(scope)
            scope["headers"] = []  # there may be ten thousand of these, for days
            await visit.listen(receive)
        except _Refused as refusal:
            await send({"type": "websocket.close", "code": refusal.code, "reason": refusal.reason})
        finally:
            await visit.end()

    return app


def _not_here(scope: Scope) -> FaztError:
    if scope["path"] == PREFIX:
        return NotFound("There is nothing at this address.")
    return InvalidInput("A room is joined with a WebSocket: new WebSocket(...), or room() of /_fazt/client.js.")


def is_origin_allowed(scope: Scope, site: RoomSite, rule: RoomRule | None) -> bool:
    """Tell whether a page of that origin may open this WebSocket (RFC 6455 10.2).

    A browser says truly which page asks, and sends its cookies with it. A client that names no origin is no browser: it
    is let in where anyone is, and where a function decides.
    """
    join = rule.join if rule else "same-origin"
    if join == "anyone":
        return True
    fields: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        fields.setdefault(name, []).append(value)
    origins = fields.get(b"origin", [])
    if not origins:
        return join == "function"
    scheme, separator, authority = origins[0].decode("latin-1").partition("://")
    host = normalise(authority.encode("latin-1"))
    if len(origins) > 1 or not separator or host is None or scheme not in DEFAULT_PORTS:
        return False
    if host in site.hosts:
        return True
    here = fields.get(b"host", [b""])[0].decode("latin-1")
    return host == scope["extensions"]["fazt"]["host"] and _port(authority, scheme) == _port(here, scheme)


def _port(authority: str, scheme: str) -> str:
    """Return the port of a host that the normaliser let through."""
    return authority.rpartition("]")[2].partition(":")[2] or DEFAULT_PORTS[scheme]


class _Visit:
    """One connection to a room, from the handshake to its end."""

    __slots__ = ("_handler", "_hang_up", "_member", "_module", "_name", "_post", "_rooms", "_rule", "_site", "_told")

    def __init__(
        self,
        rooms: Rooms,
        site: RoomSite,
        name: str,
        rule: RoomRule | None,
        handler: RoomHandler | None,
        scope: Scope,
    ) -> None:
        self._rooms = rooms
        self._site = site
        self._name = name
        self._rule = rule
        self._module = (rule.handler or name) if rule else name
        self._handler = handler if site.has_handler(self._module) else None
        extension = scope["extensions"]["fazt"]
        self._post: Callable[[bytes], bool] = extension["websocket.post"]
        self._hang_up: Callable[[int, str], None] = extension["websocket.close"]
        self._member: Member | None = None
        self._told: dict[str, Any] | None = None  # the member whom the function let in

    async def enter(self, scope: Scope) -> None:
        """Join the room. Raises: _Refused."""
        rule, limits = self._rule, self._rooms.limits
        try:
            check_room_name(self._name)
            if rule is None:
                raise NotFound("The site has no such room.")
            query = _Query(scope["query_string"])
            member_id, name, data = (
                self._rooms.new_id(),
                query.text("name").strip(),
                query.data(limits.max_member_bytes),
            )
            self._rooms.check_member_name(name)
            since, wants_history = query.since()
            if "function" in (rule.join, rule.send) and self._handler is None:
                log.error("room %s of %s: there is no api/_rooms/%s", self._name, self._site.name, self._module)
                raise _Refused(FAILED, "The room has no function.")
            name, data = await self._ask_to_join(scope, member_id, name, data)
            self._member = self._rooms.join(
                self._site.site_id,
                self._name,
                post=self._post,
                hang_up=self._hang_up,
                settings=RoomSettings(rule.history, rule.presence, rule.members),
                member_id=member_id,
                member_name=name,
                data=data,
                since=since,
                wants_history=wants_history,
            )
        except RoomFull as error:
            raise _Refused(FULL, error.message) from None
        except NotFound as error:
            raise _Refused(NO_ROOM, error.message) from None
        except (InvalidInput, TooLarge) as error:
            raise _Refused(BAD_REQUEST, error.message[:100]) from None

    async def _ask_to_join(self, scope: Scope, member_id: str, name: str, data: Any) -> tuple[str, Any]:
        """Ask the room's function; return the member's name and data. Raises: _Refused."""
        if self._handler is None:
            return name, data
        member = {"id": member_id, "name": name, "data": data}
        query = scope["query_string"].decode("latin-1")
        headers: dict[str, str] = {}
        for key, value in scope["headers"]:
            field = key.decode("latin-1")
            headers[field] = (
                f"{headers[field]}, {value.decode('latin-1')}" if field in headers else value.decode("latin-1")
            )
        asked = {**member, "url": f"{scope['path']}?{query}", "headers": headers, "address": scope["client"][0]}
        try:
            answer = await self._call("join", asked)
        except FaztError:
            answer = False
        if answer is False:
            raise _Refused(REFUSED, "The room's function refused.")
        if answer is RELAY and self._rule is not None and self._rule.join == "function":
            log.error("room %s of %s: api/_rooms/%s has no onJoin", self._name, self._site.name, self._module)
            raise _Refused(FAILED, "The room's function does not say who may join.")
        if isinstance(answer, dict):
            name, data = answer.get("name", name), answer.get("data", data)
            if not isinstance(name, str):
                raise _Refused(FAILED, "The room's function gave a name that is no text.")
        self._told = {"id": member_id, "name": name, "data": data}
        return name, data

    async def _call(self, kind: str, member: dict[str, Any], data: Any = None) -> Any:
        assert self._handler is not None
        return await self._handler(RoomEvent(self._site, self._module, self._name, kind, member, data))

    async def listen(self, receive: Receive) -> None:
        """Take what the member says, one after the other, until it is gone. Raises: _Refused."""
        member = self._member
        assert member is not None
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect" or member.gone:
                return
            text = message.get("text")
            if text is None:
                raise _Refused(NOT_TEXT, "A room takes text, not bytes.")
            # Who says too much is read more slowly: the edge holds its connection back meanwhile.
            if delay_s := self._rooms.delay_s(member, len(text)):
                await asyncio.sleep(delay_s)
            try:
                await self._take(member, text)
            except FaztError as error:
                member.post(error_frame(error.code, error.message))

    async def _take(self, member: Member, text: str) -> None:
        if len(text) > self._rooms.limits.max_message_bytes + ENVELOPE_BYTES:
            raise TooLarge(f"A message's data may have {self._rooms.limits.max_message_bytes} bytes as JSON.")
        kind, data = read_request(text)
        if kind == "ping":
            member.post(PONG)
        elif kind == "presence":
            self._rooms.describe(member, data)
        else:
            await self._take_message(member, data)

    async def _take_message(self, member: Member, data: Any) -> None:
        assert self._rule is not None
        if self._rule.send == "nobody":
            raise Forbidden("Nobody but the site itself sends to this room.")
        answer: Any = RELAY
        if self._handler is not None:
            try:
                answer = await self._call("message", _described(member), data)
            except FaztError as error:
                raise RoomHandlerFailed("The room's function failed; the message was not sent.") from error
        if answer is RELAY:
            if self._rule.send != "members":
                raise Forbidden("The room's function does not take messages.")
            answer = data
        elif answer is None or answer is False:
            return
        if not member.gone:
            self._rooms.send(member, answer)

    async def end(self) -> None:
        """Leave, and tell the function."""
        if self._member is not None:
            self._rooms.leave(self._member)
        if self._told is not None:
            told = self._told if self._member is None else _described(self._member)
            try:
                await self._call("leave", told)
            except FaztError as error:
                log.warning("room %s of %s: onLeave failed: %s", self._name, self._site.name, error.message)


def _described(member: Member) -> dict[str, Any]:
    return {"id": member.id, "name": member.name, "data": orjson.loads(member.data)}


class _Query:
    """The query of a room's URL: name, data, since."""

    def __init__(self, query: bytes) -> None:
        try:
            self._fields = parse_qs(
                query.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
            )
        except ValueError:
            raise InvalidInput("The query cannot be understood.") from None

    def text(self, key: str) -> str:
        return self._fields.get(key, [""])[0]

    def data(self, max_bytes: int) -> Any:
        """Return what the member says about itself."""
        text = self.text("data")
        if not text:
            return None
        if len(text) > max_bytes:
            raise TooLarge(f"data may have {max_bytes} bytes.")
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise InvalidInput("data is not JSON.") from None

    def since(self) -> tuple[int | None, bool]:
        """Return the number behind which messages are asked for, and whether any are."""
        text = self.text("since")
        if text == "now":
            return None, False
        if text and (not text.isascii() or not text.isdigit() or len(text) > 16):
            raise InvalidInput('since is the number of a message, or "now".')
        return (int(text) if text else None), True
