"""What goes over a room's WebSocket: JSON texts, and the frames that carry them to the members (RFC 6455 5.2).

Rule: what many members get is encoded and framed once; a frame of a server is not masked, so that one is good for all.
"""

import re
from typing import Any

import orjson

from fazt.errors import InvalidInput, TooLarge

TEXT = 0x81  # the only and last frame of a text message
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
KINDS = ("send", "presence", "ping")


def check_room_name(name: object) -> str:
    """Return the name of a room. Raises: InvalidInput."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidInput("A room's name has 1 to 64 letters, digits, dots, dashes and underscores.")
    return name


def encode(data: object, max_bytes: int, what: str) -> bytes:
    """Return the JSON of a value.

    Raises: TooLarge, InvalidInput where it cannot be written as JSON (nested too deep, half a surrogate pair).
    """
    try:
        encoded = orjson.dumps(data)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidInput(f"{what} cannot be sent as JSON: {error}.") from None
    if len(encoded) > max_bytes:
        raise TooLarge(f"{what} has {len(encoded)} bytes as JSON; {max_bytes} are allowed.")
    return bytes(memoryview(encoded))  # what orjson gives keeps 4 KiB of memory behind its end


def text_frame(payload: bytes) -> bytes:
    """Return the frame of a text."""
    length = len(payload)
    if length < 126:
        return bytes((TEXT, length)) + payload
    if length < 65_536:
        return bytes((TEXT, 126)) + length.to_bytes(2, "big") + payload
    return bytes((TEXT, 127)) + length.to_bytes(8, "big") + payload


def text_of(frame: bytes) -> bytes:
    """Return the text in a frame that `text_frame` made."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def read_request(text: str) -> tuple[str, Any]:
    """Return kind and data of what a member sent: `send`, `presence` or `ping`. Raises: InvalidInput."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"The message is not JSON: {error}.") from None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in KINDS:
        raise InvalidInput('A message is an object whose "type" is "send", "presence" or "ping".')
    if kind != "ping" and "data" not in value:
        raise InvalidInput(f'A message of type "{kind}" has "data".')
    return kind, value.get("data")


def member_json(member_id: str, name: str, data: bytes) -> bytes:
    """Return a member as others see it; `data` is JSON."""
    named = b',"name":' + orjson.dumps(name) if name else b""
    return b'{"id":"%b"%b,"data":%b}' % (member_id.encode(), named, data)


def sender_json(member_id: str, name: str) -> bytes:
    """Return who sent a message; the name stands there since the member may be gone when it is read."""
    return orjson.dumps({"id": member_id, "name": name} if name else {"id": member_id})


def message_frame(seq: int, sender: bytes, data: bytes, at_ms: int) -> bytes:
    """Return a message; `sender` and `data` are JSON."""
    return text_frame(b'{"type":"message","seq":%d,"from":%b,"data":%b,"at":%d}' % (seq, sender, data, at_ms))


def member_frame(kind: str, member: bytes) -> bytes:
    """Return what tells of a member: `join`, `leave` or `presence`."""
    return text_frame(b'{"type":"%b","member":%b}' % (kind.encode(), member))


def members_frame(count: int, listed: bytes) -> bytes:
    """Return who is there, where so many came and went that they are not told of one by one."""
    return text_frame(b'{"type":"members","count":%d,"members":%b}' % (count, listed))


def direct_frame(data: bytes) -> bytes:
    """Return what a function sends to one member only; it has no number and is not kept."""
    return text_frame(b'{"type":"direct","data":%b}' % data)


def error_frame(code: str, message: str) -> bytes:
    """Return what was wrong with a member's message."""
    return text_frame(orjson.dumps({"type": "error", "code": code, "message": message}))


def welcome_frame(room: str, you: str, seq: int, *, missed: bool, count: int, listed: bytes | None) -> bytes:
    """Return the first message to a member; `listed` is JSON, or None where the room does not tell who is there."""
    members = b"" if listed is None else b',"count":%d,"members":%b' % (count, listed)
    told = b"true" if missed else b"false"
    head = b'{"type":"welcome","room":"%b","you":"%b","seq":%d,"missed":%b' % (room.encode(), you.encode(), seq, told)
    return text_frame(head + members + b"}")


PONG = text_frame(b'{"type":"pong"}')
