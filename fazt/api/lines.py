"""Lines of the log as they are kept and sent: one JSON object each.

Rule: a line holds no control character, whoever sent what stands in it.
"""

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from fazt._speedups.statistics import AccessRecord
from fazt.api.times import iso

if TYPE_CHECKING:  # pydantic, which it needs, is not loaded with the server
    from fazt.api import shapes

ACCESS, ERROR, CALL, CONSOLE = "access", "error", "call", "console"
LONGEST_MESSAGE = 2000
_CONTROL = re.compile(rb"\x7f|\xc2[\x80-\x9f]")  # in UTF-8; JSON itself escapes those below the space only


class Line(NamedTuple):
    """One line: its time, its site ("" for none), its kind, and JSON."""

    at: int
    site: str
    kind: str
    line: bytes


def access_line(record: AccessRecord) -> Line:
    """Return one answered request as a line."""
    fields = {
        "at": iso(record.at_ms),
        "site": record.site,
        "kind": ACCESS,
        "client": record.client,
        "method": record.method,
        "host": record.host,
        "path": record.path,
        "status": record.status,
        "bytes": record.body_bytes,
        "duration_us": record.duration_ns // 1000,
        "hit": record.hit,
    }
    return Line(record.at_ms, record.site, ACCESS, _to_json(fields))


def error_line(at_ms: int, message: str) -> Line:
    """Return what went wrong as a line."""
    fields = {"at": iso(at_ms), "site": "", "kind": ERROR, "message": message[:LONGEST_MESSAGE]}
    return Line(at_ms, "", ERROR, _to_json(fields))


def call_line(report: "shapes.CallReport", site: str, started_ms: int, at_ms: int) -> Line:
    """Return a call of a function that has ended as a line."""
    fields = {"at": iso(at_ms), "site": site, "kind": CALL, **report, "started_at": iso(started_ms)}
    return Line(at_ms, site, CALL, _to_json(fields))


def console_line(at_ms: int, site: str, call: str, level: str, text: str) -> Line:
    """Return what a function logged as a line."""
    fields = {"at": iso(at_ms), "site": site, "kind": CONSOLE, "call": call, "level": level, "message": text}
    return Line(at_ms, site, CONSOLE, _to_json(fields))


def _to_json(fields: dict[str, Any]) -> bytes:
    try:
        line = orjson.dumps(fields)
    except orjson.JSONEncodeError:  # halves of surrogate pairs, which UTF-8 cannot hold
        line = orjson.dumps({key: _sound(value) for key, value in fields.items()})
    return _CONTROL.sub(lambda match: b"\\u%04x" % ord(match[0].decode()), line)


def _sound(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
