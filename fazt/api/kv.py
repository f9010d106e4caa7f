"""`/api/sites/{site}/kv`: what a site's functions keep under keys, for its owner.

The key is the rest of the path, percent-encoded: slashes belong to it, written as `/` or `%2F`. Rule: any key that a
function can write can be read and removed here.
"""

import base64
import binascii
from typing import Annotated

import apsw
import orjson
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, JsonValue
from starlette.convertors import Convertor, register_url_convertor

from fazt.api import shapes
from fazt.api.access import Admin, Reader
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, NoContent, answer
from fazt.api.auditing import Act, Audit
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.data import kv_values as values
from fazt.errors import InvalidInput, NotFound
from fazt.store import kv, sites
from fazt.store.database import Database, now_ms
from fazt.store.kv import Entry, Kind, Write

ALL = "/api/sites/{site}/kv"
ONE = "/api/sites/{site}/kv/{key:any}"


class _AnyText(Convertor[str]):
    """The rest of a path; unlike `path` with line ends in it."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class NewEntry(BaseModel):
    """What is to be kept under a key: a JSON value, or bytes as base64.

    `ttl`: for so many seconds; `if_version`: only if the key has that version now, null: only if there is no such key.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    value: JsonValue = None
    base64: str | None = None
    ttl: float | None = None
    if_version: int | None = None


class Kv:
    """The calls about keys and values."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = Audit(database)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        register_url_convertor("any", _AnyText())
        app.add_api_route(ALL, self.list_page, methods=["GET"])
        app.add_api_route(ONE, self.show, methods=["GET"])
        app.add_api_route(ONE, self.set, methods=["PUT"])
        app.add_api_route(ONE, self.remove, methods=["DELETE"], status_code=204)

    async def list_page(
        self,
        caller: Reader,
        site: str,
        prefix: Annotated[str | None, Query(max_length=512)] = None,
        limit: Limit = DEFAULT_ITEMS,
        after: After = None,
    ) -> Answer[Page[shapes.Key]]:
        """List the keys of a site in their order, without values."""
        found = await self._database.read(
            _list, site, values.prefix_of(prefix), values.cursor_of(after), limit, now_ms()
        )
        return answer(found)

    async def show(self, caller: Reader, site: str, key: str) -> Answer[shapes.JsonEntry | shapes.BytesEntry]:
        """Show what is kept under a key."""
        entry = await self._database.read(_find, site, values.key_of(key), now_ms())
        assert entry.value is not None
        if entry.kind == "bytes":
            return answer({**_json(entry), "base64": base64.b64encode(entry.value).decode()})
        # As it is stored, so that no number changes on its way.
        return answer({**_json(entry), "value": orjson.Fragment(entry.value)})

    async def set(self, caller: Admin, site: str, key: str, body: NewEntry) -> Answer[shapes.Key]:
        """Keep a value under a key."""
        kind, content = _content(body)
        now = now_ms()
        fields = {"ifVersion": body.if_version} if "if_version" in body.model_fields_set else {}
        write = Write(values.key_of(key), kind, content, values.expiry_of(body.ttl, now))
        version = await self._audit.write(
            caller, Act("kv.set", key, site), _put, site, write, values.expected_of(fields), now
        )
        entry = Entry(write.key, kind, len(content), version, write.expires_at, None)
        return answer(_json(entry))

    async def remove(self, caller: Admin, site: str, key: str) -> NoContent:
        """Remove a key."""
        await self._audit.write(caller, Act("kv.remove", key, site), _remove, site, values.key_of(key), now_ms())
        return NoContent()


def _list(
    connection: apsw.Connection, site: str, prefix: str, after: str | None, limit: int, now: int
) -> Page[shapes.Key]:
    low = kv.page_start(prefix, after)
    owner = sites.get(connection, site)
    entries, complete = kv.list_page(connection, owner.id, low, kv.prefix_end(prefix), limit, now)
    return {"items": [_json(entry) for entry in entries], "next": None if complete else entries[-1].key}


def _find(connection: apsw.Connection, site: str, key: str, now: int) -> Entry:
    entry = kv.find(connection, sites.get(connection, site).id, key, now)
    if entry is None:
        raise NotFound(f"The site {site!r} keeps nothing under the key {key!r}.")
    return entry


def _put(connection: apsw.Connection, site: str, write: Write, expected: int | None, now: int) -> int:
    return kv.put(connection, sites.get(connection, site).id, write, expected, now)


def _remove(connection: apsw.Connection, site: str, key: str, now: int) -> None:
    if _put(connection, site, Write(key, "json", None, None), None, now) == kv.ABSENT:
        raise NotFound(f"The site {site!r} keeps nothing under the key {key!r}.")


def _json(entry: Entry) -> shapes.Key:
    return {
        "key": entry.key,
        "kind": entry.kind,
        "size": entry.size,
        "version": entry.version,
        "expires_at": iso(entry.expires_at),
    }


def _content(body: NewEntry) -> tuple[Kind, bytes]:
    given = body.model_fields_set & {"value", "base64"}
    if len(given) != 1 or ("base64" in given and body.base64 is None):
        raise InvalidInput("Say what is to be kept: `value` (JSON), or `base64` (bytes).")
    if body.base64 is None:
        return "json", values.json_bytes(body.value)
    try:
        return "bytes", values.value_bytes(base64.b64decode(body.base64, validate=True))
    except (binascii.Error, ValueError):
        raise InvalidInput("`base64` is not valid base64.") from None
