"""What a function may ask of the rooms of its own site.

Rule: the site is the caller's; nothing in a value can name another one.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fazt.data.caller import Caller, Operation
from fazt.data.room_limits import RoomSettings
from fazt.data.room_messages import check_room_name
from fazt.data.rooms import Rooms
from fazt.errors import InvalidInput

# What the version that asks says of a room (its name); None where it has no such room.
FindSettings = Callable[[Caller, str], Awaitable[RoomSettings | None]]


async def any_room(caller: Caller, name: str) -> RoomSettings | None:
    """Return the settings of a site that says nothing about rooms."""
    return RoomSettings()


def rooms_operations(rooms: Rooms, find_settings: FindSettings = any_room) -> dict[str, Operation]:
    """Return the operations `rooms.broadcast`, `rooms.members`, `rooms.history`, `rooms.send` and `rooms.kick`."""

    async def broadcast(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        name = _room(value)
        settings = await find_settings(caller, name)
        if settings is None:
            raise InvalidInput(f"The site has no room {name}: fazt.json lists its rooms, and this one is not there.")
        seq = rooms.publish(caller.site_id, name, value.get("data"), settings)
        room = rooms.find(caller.site_id, name)
        return {"seq": seq, "members": len(room.members) if room else 0}, b""

    async def members(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        return rooms.members(caller.site_id, _room(value)), b""

    async def history(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        name, since = _room(value), value.get("since")
        if since is not None and (not isinstance(since, int) or isinstance(since, bool)):
            raise InvalidInput("since must be the number (seq) of a message.")
        return rooms.history(caller.site_id, name, since), b""

    async def send(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        rooms.send_to(caller.site_id, _room(value), _text(value, "member"), value.get("data"))
        return None, b""

    async def kick(caller: Caller, value: Any, data: bytes) -> tuple[Any, bytes]:
        name = _room(value)
        reason = _text(value, "reason") if value.get("reason") is not None else ""
        rooms.remove(caller.site_id, name, _text(value, "member"), reason)
        return None, b""

    return {
        "rooms.broadcast": broadcast,
        "rooms.members": members,
        "rooms.history": history,
        "rooms.send": send,
        "rooms.kick": kick,
    }


def _room(value: Any) -> str:
    if not isinstance(value, dict):
        raise InvalidInput("A room is asked for with an object that names it.")
    return check_room_name(value.get("room"))


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key)
    if not isinstance(text, str):
        raise InvalidInput(f"{key} must be text.")
    return text
