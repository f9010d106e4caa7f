"""Frames between the server and a runner: six 32-bit words, then JSON, then bytes.

`driver.pyx` and `js/src/wire.js` are the other side. Rule: a runner is not believed; whatever it sends that is no frame
of a sane size ends it.
"""

import struct
from enum import IntEnum
from typing import Any, NamedTuple

import orjson

HEAD = struct.Struct("<6I")  # length of the rest, kind, call, seq, length of the JSON, microseconds of CPU
LARGEST_BYTES = (2 << 20) - HEAD.size


class Kind(IntEnum):
    """What a frame is; the first ones go to a runner, those from 16 on come from it, DONE and FATAL too."""

    START = 1
    REPLY = 2
    REFUSED = 3
    ABORT = 4
    PROGRAM = 5
    DONE = 6
    FATAL = 7
    RESULT = 16
    ASK = 17
    FAILED = 18
    LOG = 19
    READY = 20


class Frame(NamedTuple):
    """A frame from a runner; `cpu_us` is the CPU time of its call so far."""

    kind: int
    call: int
    seq: int
    cpu_us: int
    json: bytes
    data: bytes

    def value(self) -> Any:
        """Return what the JSON says; None where there is none. Raises: orjson.JSONDecodeError."""
        return orjson.loads(self.json) if self.json else None


def encode(kind: int, call: int, seq: int, value: Any = None, data: bytes = b"") -> bytes:
    """Return a frame to a runner.

    Raises: ValueError where it is too large; orjson.JSONEncodeError.
    """
    json = orjson.dumps(value)
    length = len(json) + len(data)
    if length > LARGEST_BYTES:
        raise ValueError(f"a frame of {length} bytes; {LARGEST_BYTES} is the most")
    return HEAD.pack(length, kind, call, seq, len(json), 0) + json + data


class Decoder:
    """Bytes from a runner, as they come -> frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole now.

        Raises: ValueError where it is no frame.
        """
        if self._rest:
            self._rest += data
            data = bytes(self._rest)
            self._rest.clear()
        frames = []
        at, size = 0, len(data)
        while size - at >= HEAD.size:
            length, kind, call, seq, json_length, cpu_us = HEAD.unpack_from(data, at)
            if length > LARGEST_BYTES or json_length > length:
                raise ValueError(f"a runner sent a frame of {length} bytes, {json_length} of them JSON")
            end = at + HEAD.size + length
            if end > size:
                break
            body = at + HEAD.size + json_length
            frames.append(Frame(kind, call, seq, cpu_us, data[at + HEAD.size : body], data[body:end]))
            at = end
        if at < size:
            self._rest += data[at:]
        return frames
