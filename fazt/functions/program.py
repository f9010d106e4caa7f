"""A version's functions, compiled: what runs where, kept with the version as bytes.

Rule: a program says everything that is needed to run it; the files of the version are not read again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from fazt.functions.routes import RouteTable

FORMAT = 1  # rises when programs of before cannot be used any more: they are compiled again


@dataclass(frozen=True, slots=True)
class Program:
    """The routes of a version, the code of its modules by path, and what each handler exports.

    The names that a handler exports are None where only running it tells (CommonJS).
    """

    routes: RouteTable
    modules: Mapping[str, str]
    exports: Mapping[str, tuple[str, ...] | None]

    @property
    def is_empty(self) -> bool:
        """Whether the version has no functions."""
        return self.routes.is_empty

    def to_bytes(self) -> bytes:
        """Return the program as bytes, b"" where it is empty; equal programs give equal bytes."""
        if self.is_empty:
            return b""
        value = {
            "format": FORMAT,
            "routes": self.routes.as_json(),
            "modules": dict(self.modules),
            "exports": dict(self.exports),
        }
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Program | None":
        """Return the program that `to_bytes` gave, None where another version of Fazt wrote it."""
        if not data:
            return EMPTY
        value = orjson.loads(data)
        if value.get("format") != FORMAT:
            return None
        exports = {path: None if names is None else tuple(names) for path, names in value["exports"].items()}
        return cls(RouteTable.from_json(value["routes"]), value["modules"], exports)


EMPTY = Program(RouteTable(()), {}, {})
