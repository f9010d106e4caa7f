"""`fazt.kv` as the host answers it: one operation for each method, and transactions.

A caller that writes into a `Unit` (a job's run, a transaction) reads its own writes; everybody else's are committed one
by one. Rule: the site is the caller's and is never taken from what a script sends.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fazt.data import kv_values as values
from fazt.data.batches import Batches
from fazt.data.caller import Caller, Operation
from fazt.data.kv_unit import Unit
from fazt.errors import InvalidInput, TooLarge
from fazt.store import kv as store
from fazt.store.database import Database, now_ms
from fazt.store.kv import ABSENT, DEFAULT_QUOTA, Entry, Kind, Quota, Write

__all__ = ["Unit", "kv_operations"]

MOST_UNITS = 4  # that one call has open at a time
ANSWER_BYTES = 1_500_000  # of a list: what goes to an isolate in one piece is bounded
READS_UNDER_WAY = 2
FIRST_PAUSE_S = 0.002  # before a transaction is tried again; doubled each time
MOST_DOUBLINGS = 8
SWEEP_EVERY_MS = 60_000
PENDING = -1  # the version of what a unit is going to write

Answer = tuple[Any, bytes]


def kv_operations(
    database: Database,
    *,
    clock: Callable[[], int] = now_ms,
    pause: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    quota: Quota = DEFAULT_QUOTA,
) -> dict[str, Operation]:
    """Return the operations by their names; `clock` counts milliseconds since 1970, `pause` waits so many seconds."""
    kv = _Kv(database, clock, pause, quota)
    return {
        "kv.get": kv.get,
        "kv.getMany": kv.get_many,
        "kv.set": kv.set,
        "kv.increment": kv.increment,
        "kv.delete": kv.delete,
        "kv.list": kv.list,
        "kv.begin": kv.begin,
        "kv.commit": kv.commit,
        "kv.abort": kv.abort,
    }


@dataclass(slots=True)
class _Open:
    """The transactions that a call has open; it is held so that nobody else gets its identity."""

    caller: Caller
    units: dict[int, Unit] = field(default_factory=dict)
    last: int = 0


class _Kv:
    def __init__(
        self, database: Database, clock: Callable[[], int], pause: Callable[[float], Awaitable[Any]], quota: Quota
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._quota = quota
        self._reads = Batches(database.read, READS_UNDER_WAY)
        self._writes = Batches(database.write, 1)
        self._open: dict[int, _Open] = {}
        self._swept_at = clock()

    async def get(self, caller: Caller, value: Any, data: bytes) -> Answer:
        fields = values.fields_of(value)
        key = values.key_of(fields.get("key"))
        return _answer(await self._find(caller, self._unit(caller, fields), key))

    async def get_many(self, caller: Caller, value: Any, data: bytes) -> Answer:
        fields = values.fields_of(value)
        keys = values.keys_of(fields.get("keys"))
        unit = self._unit(caller, fields)
        found: Sequence[Entry | None]
        if unit is None:
            found = await self._reads.call(store.find_many, caller.site_id, keys, self._clock())
        else:
            found = await asyncio.gather(*(self._find(caller, unit, key) for key in keys))
        weights = [store.weight("", each.size) for each in found if each is not None]
        if store.fitting(weights, ANSWER_BYTES) < len(weights):
            raise TooLarge(f"These values have more than {ANSWER_BYTES} bytes together; ask for fewer keys at a time.")
        items = [_answer(each) for each in found]
        return {"items": [item for item, _ in items]}, b"".join(part for _, part in items)

    async def set(self, caller: Caller, value: Any, data: bytes) -> Answer:
        fields = values.fields_of(value)
        key = values.key_of(fields.get("key"))
        kind, content = _content(fields, data)
        now = self._clock()
        write = Write(key, kind, content, values.expiry_of(fields.get("ttl"), now))
        expected = values.expected_of(fields)
        unit = self._unit(caller, fields)
        if unit is None:
            return {"version": await self._put(caller, write, expected, now)}, b""
        if expected is not None:
            _expect(key, expected, await self._find(caller, unit, key))
        unit.put(write)
        return {"version": None}, b""

    async def increment(self, caller: Caller, value: Any, data: bytes) -> Answer:
        fields = values.fields_of(value)
        key = values.key_of(fields.get("key"))
        by = values.step_of(fields.get("by"))
        now = self._clock()
        expires_at = values.expiry_of(fields.get("ttl"), now)
        unit = self._unit(caller, fields)
        if unit is None:
            self._sweep(now)
            number, version = await self._writes.call(
                store.increment, caller.site_id, key, by, expires_at, now, self._quota
            )
            return {"value": number, "version": version}, b""
        found = await self._find(caller, unit, key)
        number = by
        if found is not None:  # from here on nothing is awaited: two increments at once must not see the same
            number, expires_at = store.add(key, found.kind, found.value, by), found.expires_at
        unit.put(Write(key, "json", b"%d" % number, expires_at))
        return {"value": number, "version": None}, b""

    async def delete(self, caller: Caller, value: Any, data: bytes) -> Answer:
        fields = values.fields_of(value)
        key = values.key_of(fields.get("key"))
        expected = values.expected_of(fields, may_be_absent=False)
        write = Write(key, "json", None, None)
        unit = self._unit(caller, fields)
        if unit is None:
            return {"deleted": await self._put(caller, write, expected, self._clock()) != ABSENT}, b""
        found = await self._find(caller, unit, key)
        if expected is not None:
            _expect(key, expected, found)
        unit.put(write)
        return {"deleted": found is not None}, b""

    async def list(self, caller: Caller, value: Any, data: bytes) -> Answer:
        fields = values.fields_of(value)
        prefix, cursor = values.prefix_of(fields.get("prefix")), values.cursor_of(fields.get("cursor"))
        limit, with_values = values.limit_of(fields.get("limit")), bool(fields.get("values"))
        unit = self._unit(caller, fields)
        now, high = self._clock(), store.prefix_end(prefix)
        low = store.page_start(prefix, cursor)
        entries, complete = await self._reads.call(
            store.list_page, caller.site_id, low, high, limit, now, with_values, ANSWER_BYTES
        )
        seen: Sequence[Entry | Write] = entries
        if unit is not None:
            unit.check_open()
            seen, complete = unit.merge_page(low, high, entries, complete, limit, ANSWER_BYTES)
        shown = [
            each if isinstance(each, Entry) else _entry_of(each)
            for each in seen
            if isinstance(each, Entry) or not _is_gone(each, now)
        ]
        items = [_item(each, with_values) for each in shown]
        content = b"".join(each.value or b"" for each in shown if with_values and each.kind == "bytes")
        return {"items": items, "cursor": None if complete else seen[-1].key}, content

    async def begin(self, caller: Caller, value: Any, data: bytes) -> Answer:
        fields = values.fields_of(value)
        attempt = fields.get("attempt", 0)
        if not isinstance(attempt, int) or attempt < 0:
            raise InvalidInput("`attempt` is a whole number from 0.")
        if caller.unit is not None:
            caller.unit.check_open()
        mine = self._open.get(id(caller))
        if mine is None:
            mine = self._open[id(caller)] = _Open(caller)
            caller.closers.append(lambda: self._close(caller))
        if attempt:  # whoever collided comes back at a moment of their own
            await self._pause(FIRST_PAUSE_S * 2 ** min(attempt, MOST_DOUBLINGS) * random.random())  # noqa: S311
            if self._open.get(id(caller)) is not mine:
                raise InvalidInput("The call that this transaction belongs to has ended.")
        if len(mine.units) >= MOST_UNITS:
            raise TooLarge(f"A call may have at most {MOST_UNITS} transactions open at a time.")
        mine.last += 1
        mine.units[mine.last] = Unit(caller.unit)
        return {"unit": mine.last}, b""

    async def commit(self, caller: Caller, value: Any, data: bytes) -> Answer:
        unit = self._take(caller, value)
        unit.check_open()
        unit.end()
        if caller.unit is not None:
            unit.merge_into_parent()
        else:
            now = self._clock()
            reads, writes = unit.reads, unit.writes
            if not writes:
                await self._reads.call(store.apply, caller.site_id, reads, writes, now, self._quota)
                return {}, b""
            self._sweep(now)
            await self._writes.call(
                store.apply, caller.site_id, reads, writes, now, self._quota, size=unit.size, savepoint=True
            )
        return {}, b""

    async def abort(self, caller: Caller, value: Any, data: bytes) -> Answer:
        self._take(caller, value).end()
        return {}, b""

    async def _find(self, caller: Caller, unit: Unit | None, key: str) -> Entry | None:
        """Return what the caller sees under a key; between the last look and the return nothing is awaited."""
        now = self._clock()
        if unit is None:
            return await self._reads.call(store.find, caller.site_id, key, now)
        write = unit.pending(key)
        if write is None:
            entry = await self._reads.call(store.find, caller.site_id, key, now)
            unit.check_open()
            unit.found(key, ABSENT if entry is None else entry.version)
            write = unit.pending(key)  # another operation of the same script may have come in between
            if write is None:
                return entry
        return None if _is_gone(write, now) else _entry_of(write)

    async def _put(self, caller: Caller, write: Write, expected: int | None, now: int) -> int:
        self._sweep(now)
        return await self._writes.call(
            store.put, caller.site_id, write, expected, now, self._quota, size=len(write.value or b"")
        )

    def _unit(self, caller: Caller, fields: dict[str, Any]) -> Unit | None:
        """Return the unit that an operation belongs to: the one it names, else the caller's own.

        Raises: InvalidInput where it names one that is not open.
        """
        number = fields.get("unit")
        if number is None:
            unit: Unit | None = caller.unit
        else:
            mine = self._open.get(id(caller))
            unit = mine.units.get(number) if mine is not None and isinstance(number, int) else None
            if unit is None:
                raise InvalidInput("This transaction has ended; use the `tx` of one only while its function runs.")
        if unit is not None:
            unit.check_open()
        return unit

    def _take(self, caller: Caller, value: Any) -> Unit:
        fields = values.fields_of(value)
        number = fields.get("unit")
        mine = self._open.get(id(caller))
        unit = mine.units.pop(number, None) if mine is not None and isinstance(number, int) else None
        if unit is None:
            raise InvalidInput("There is no such transaction; it has ended already.")
        return unit

    def _close(self, caller: Caller) -> None:
        """Forget the transactions that a call left open."""
        mine = self._open.pop(id(caller), None)
        for unit in () if mine is None else mine.units.values():
            unit.end()

    def _sweep(self, now: int) -> None:
        """Have expired rows deleted now and then, together with what is written anyway."""
        if now - self._swept_at >= SWEEP_EVERY_MS:
            self._swept_at = now
            self._writes.call(store.sweep, now).add_done_callback(lambda done: self._swept(done, now))

    def _swept(self, done: "asyncio.Future[int]", now: int) -> None:
        if not done.cancelled() and done.exception() is None and done.result() > 0:
            self._writes.call(store.sweep, now).add_done_callback(lambda done: self._swept(done, now))


def _content(fields: dict[str, Any], data: bytes) -> tuple[Kind, bytes]:
    """Return what is to be kept: the bytes beside a request of the kind "bytes", else its `value`."""
    kind = fields.get("kind", "json")
    if kind == "bytes":
        return "bytes", values.value_bytes(data)
    if kind != "json" or "value" not in fields:
        raise InvalidInput("A value is JSON, or bytes; there is none.")
    return "json", values.json_bytes(fields["value"])


def _expect(key: str, expected: int, found: Entry | None) -> None:
    """Let pass a write whose key is as it expects.

    Raises: KvConflict.
    """
    if expected != (ABSENT if found is None else found.version):
        raise store.conflict(key)


def _entry_of(write: Write) -> Entry:
    """Return a write as those see it who read their own ones; it has no version yet."""
    assert write.value is not None
    return Entry(write.key, write.kind, len(write.value), PENDING, write.expires_at, write.value)


def _is_gone(write: Write, now: int) -> bool:
    return write.value is None or (write.expires_at is not None and write.expires_at <= now)


def _answer(found: Entry | None) -> Answer:
    """Return one entry as an operation answers it: bytes go beside the rest, and their number stands there."""
    if found is None:
        return {"found": False}, b""
    item = _item(found, True)
    del item["key"]
    return {"found": True, **item}, found.value if found.kind == "bytes" and found.value is not None else b""


def _item(found: Entry, with_value: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "key": found.key,
        "kind": found.kind,
        "version": None if found.version == PENDING else found.version,
        "expires_at": found.expires_at,
    }
    if with_value and found.kind == "json":
        assert found.value is not None
        item["value"] = orjson.loads(found.value)
    elif with_value:
        item["size"] = found.size
    return item
