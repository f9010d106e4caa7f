"""What JavaScript may ask of `fazt.kv`: each operation, transactions, batches, and a model of all of it."""

import asyncio
import contextlib
import math
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fazt.data import kv_unit
from fazt.data.batches import Batches
from fazt.data.caller import Caller
from fazt.data.kv import MOST_UNITS, SWEEP_EVERY_MS, Unit, kv_operations
from fazt.errors import (
    FaztError,
    InvalidInput,
    KvConflict,
    OverQuota,
    SiteNotFound,
    StoreError,
    TooLarge,
)
from fazt.store import kv as store
from fazt.store import sites
from fazt.store.database import Database
from fazt.store.kv import Quota

NOTHING = object()


class Kv:
    """The operations on a database, with a clock that stands still until it is moved."""

    def __init__(self, database: Database, **more: Any) -> None:
        self.database = database
        self.now = 1_000_000
        self.pauses: list[float] = []
        self.callers = {name: self.caller(name) for name in ("blog", "other")}
        self.operations = kv_operations(database, clock=lambda: self.now, pause=self._pause, **more)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def caller(self, site: str) -> Caller:
        found = self.database.read_blocking(sites.find, site)
        made = found or self.database.write_blocking(sites.create, site)
        return Caller(site, made.id, 1, "call")

    async def raw(self, op: str, value: Any, data: bytes = b"", caller: Caller | None = None) -> tuple[Any, bytes]:
        return await self.operations[f"kv.{op}"](caller or self.callers["blog"], value, data)

    async def __call__(self, op: str, data: bytes = b"", *, caller: Caller | None = None, **fields: Any) -> Any:
        return (await self.raw(op, fields, data, caller))[0]

    async def get(self, key: str, **more: Any) -> Any:
        """Return the value under a key, NOTHING where there is none."""
        value, data = await self.raw("get", {"key": key, **more})
        if not value["found"]:
            return NOTHING
        return data if value["kind"] == "bytes" else value["value"]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(Database.open(tmp_path / "data.db")) as database:
        yield database


Test = Callable[[Kv], Coroutine[Any, Any, None]]


@pytest.fixture
def run(database: Database) -> Callable[..., Kv]:
    def run(test: Test, **more: Any) -> Kv:
        kv = Kv(database, **more)
        asyncio.run(test(kv))
        return kv

    return run


VALUES = [None, True, 0, -1.5, "é\x00", "", [], {"a": [1, {"b": None}]}, 2**53, b"", b"\x00\xff" * 10]


def test_values_come_back_as_they_were(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        for number, value in enumerate(VALUES):
            key = f"{number}/\x00é\U0010ffff"
            if isinstance(value, bytes):
                written = await kv("set", value, key=key, kind="bytes")
            else:
                written = await kv("set", key=key, value=value)
            found, data = await kv.raw("get", {"key": key})
            assert found == {
                "found": True,
                "kind": "bytes" if isinstance(value, bytes) else "json",
                "version": written["version"],
                "expires_at": None,
                **({"size": len(value)} if isinstance(value, bytes) else {"value": value}),
            }
            assert data == (value if isinstance(value, bytes) else b"")
        assert await kv("get", key="none") == {"found": False}

    run(test)


def test_what_was_acknowledged_is_read(run: Callable[..., Kv]) -> None:
    """Reads that are under way when a write is answered may be older; those that come later are not."""

    async def test(kv: Kv) -> None:
        async def one(number: int) -> None:
            for turn in range(30):
                await kv("set", key=f"k{number}", value=turn)
                assert await kv.get(f"k{number}") == turn
                assert (await kv("increment", key="all"))["value"] <= 240
                assert [item["value"] for item in (await kv("getMany", keys=[f"k{number}"]))["items"]] == [turn]

        await asyncio.gather(*map(one, range(8)))
        assert await kv.get("all") == 240

    run(test)


def test_a_time_to_live(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        await kv("set", key="a", value=1, ttl=1.5)
        await kv("increment", key="n", ttl=1)
        assert (await kv("get", key="a"))["expires_at"] == kv.now + 1500
        kv.now += 999
        assert (await kv("increment", key="n", ttl=1))["value"] == 2  # its end was set by the first
        kv.now += 1
        assert (await kv("increment", key="n", ttl=1))["value"] == 1
        assert await kv.get("a") == 1
        kv.now += 500
        assert await kv.get("a") is NOTHING
        await kv("set", key="n", value=1)
        kv.now += 10**9
        assert await kv.get("n") == 1

    run(test)


def test_comparing_and_setting(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        first = await kv("set", key="a", value=1, ifVersion=None)
        for wrong in (None, 0, first["version"] + 1):
            with pytest.raises(KvConflict) as caught:
                await kv("set", key="a", value=2, ifVersion=wrong)
            assert caught.value.code == "kv_conflict"
        second = await kv("set", key="a", value=2, ifVersion=first["version"])
        with pytest.raises(KvConflict):
            await kv("delete", key="a", ifVersion=first["version"])
        assert await kv("delete", key="a", ifVersion=second["version"]) == {"deleted": True}
        assert await kv("delete", key="a") == {"deleted": False}
        outcomes = await asyncio.gather(
            *(kv("set", key="b", value=n, ifVersion=None) for n in range(9)), return_exceptions=True
        )
        assert sum(isinstance(outcome, KvConflict) for outcome in outcomes) == 8

    run(test)


def test_lists_and_their_pages(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        for number in range(5):
            await kv("set", key=f"p/{number}", value=[number])
        await kv("set", b"one", key="p/b", kind="bytes")
        await kv("set", b"two!", key="p/c", kind="bytes")
        await kv("set", key="q", value=0)
        page = await kv("list", prefix="p/", limit=2)
        assert [item["key"] for item in page["items"]] == ["p/0", "p/1"]
        assert "value" not in page["items"][0]
        rest, data = await kv.raw("list", {"prefix": "p/", "cursor": page["cursor"], "values": True})
        assert [item.get("value", item.get("size")) for item in rest["items"]] == [[2], [3], [4], 3, 4]
        assert (rest["cursor"], data) == (None, b"onetwo!")
        assert [item["key"] for item in (await kv("list", prefix="q"))["items"]] == ["q"]
        assert await kv("list", prefix="r") == {"items": [], "cursor": None}
        found, data = await kv.raw("getMany", {"keys": ["p/c", "x", "p/0", "p/b"]})
        assert [item["found"] for item in found["items"]] == [True, False, True, True]
        assert data == b"two!one"

    run(test)


def test_answers_fit_into_an_isolate(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        for name in "abc":
            await kv("set", bytes(700_000), key=name, kind="bytes")
        page, data = await kv.raw("list", {"values": True})
        assert (len(page["items"]), page["cursor"], len(data)) == (2, "b", 1_400_000)
        with pytest.raises(TooLarge, match="fewer keys"):
            await kv("getMany", keys=["a", "b", "c"])
        assert len((await kv.raw("getMany", {"keys": ["a", "c"]}))[1]) == 1_400_000
        await kv("set", key="a", value="é" * 500_000)
        assert len(await kv.get("a")) == 500_000
        with pytest.raises(TooLarge, match="1048576"):
            await kv("set", key="a", value="é" * 600_000)
        with pytest.raises(TooLarge):
            await kv("set", bytes((1 << 20) + 1), key="a", kind="bytes")

    run(test)


def test_sites_do_not_see_each_other(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        blog, other = kv.callers.values()
        await kv("set", key="a", value="blog's", caller=blog)
        hostile = {"key": "a", "keys": ["a"], "site": "blog", "site_id": blog.site_id, "unit": None}
        assert await kv("get", caller=other, **hostile) == {"found": False}
        assert (await kv("getMany", caller=other, **hostile))["items"] == [{"found": False}]
        assert (await kv("list", caller=other, **hostile))["items"] == []
        assert (await kv("delete", caller=other, **hostile)) == {"deleted": False}
        assert (await kv("increment", caller=other, **hostile))["value"] == 1
        unit = (await kv("begin", caller=blog))["unit"]
        for op in ("get", "set", "increment", "delete", "list", "getMany", "commit", "abort"):
            with pytest.raises(InvalidInput, match=r"transaction"):
                await kv(op, caller=other, **{**hostile, "unit": unit, "value": 1})
        assert await kv.get("a") == "blog's"
        blog.close()

    run(test)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["key", "keys", "value", "kind", "ttl", "ifVersion", "by", "prefix", "cursor", "limit", "values", "unit"]
LIKELY = st.sampled_from(["a", "bytes", "json", 1, 0, -1, 2**53, 2**70, math.inf, [], ["a"], "x" * 513, "\ud800"])
REQUESTS = JSON | st.dictionaries(st.sampled_from([*FIELDS, "attempt"]), JSON | LIKELY, max_size=8)
OPS = ["get", "getMany", "set", "increment", "delete", "list", "begin", "commit", "abort"]


@pytest.fixture(scope="module")
def hostile_kv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kv, asyncio.Runner]]:
    with (
        contextlib.closing(Database.open(tmp_path_factory.mktemp("hostile") / "data.db")) as database,
        asyncio.Runner() as runner,
    ):
        yield Kv(database), runner


@settings(deadline=None, max_examples=400)
@given(op=st.sampled_from(OPS), value=REQUESTS, data=st.binary(max_size=5))
def test_whatever_is_asked_is_answered(hostile_kv: tuple[Kv, asyncio.Runner], op: str, value: Any, data: bytes) -> None:
    kv, runner = hostile_kv
    outcome = runner.run(answered(kv, op, value, data))
    if isinstance(outcome, FaztError):
        assert outcome.status in (400, 409, 413), outcome
        assert outcome.message[-1] in ".)"
    else:
        assert isinstance(outcome[0], dict)
        assert isinstance(outcome[1], bytes)


async def answered(kv: Kv, op: str, value: Any, data: bytes) -> tuple[Any, bytes] | FaztError:
    try:
        return await kv.raw(op, value, data)
    except FaztError as error:
        return error


REFUSED = [
    ("get", None),
    ("get", []),
    ("get", {"key": ""}),
    ("get", {"key": 1}),
    ("get", {"key": "é" * 257}),
    ("get", {"key": "\ud800"}),
    ("set", {"key": "a"}),
    ("set", {"key": "a", "kind": "text", "value": 1}),
    ("set", {"key": "a", "value": "\udfff"}),
    ("set", {"key": "a", "value": 2**64}),
    ("set", {"key": "a", "value": 1, "ttl": 0}),
    ("set", {"key": "a", "value": 1, "ttl": True}),
    ("set", {"key": "a", "value": 1, "ttl": math.inf}),
    ("set", {"key": "a", "value": 1, "ttl": math.nan}),
    ("set", {"key": "a", "value": 1, "ttl": "1"}),
    ("set", {"key": "a", "value": 1, "ifVersion": "1"}),
    ("set", {"key": "a", "value": 1, "ifVersion": True}),
    ("delete", {"key": "a", "ifVersion": None}),
    ("increment", {"key": "a", "by": 1.5}),
    ("increment", {"key": "a", "by": 2**53}),
    ("list", {"limit": 0}),
    ("list", {"limit": 1001}),
    ("list", {"prefix": 1}),
    ("list", {"cursor": "x" * 513}),
    ("getMany", {"keys": "a"}),
    ("getMany", {"keys": ["a"] * 101}),
    ("begin", {"attempt": -1}),
    ("commit", {"unit": 1}),
    ("abort", {}),
    ("get", {"key": "a", "unit": 7}),
    ("get", {"key": "a", "unit": [1]}),
]


@pytest.mark.parametrize(("op", "value"), REFUSED)
def test_what_cannot_be_is_refused(run: Callable[..., Kv], op: str, value: Any) -> None:
    async def test(kv: Kv) -> None:
        with pytest.raises(InvalidInput):
            await kv.raw(op, value)

    run(test)


def test_a_nest_too_deep_is_refused(run: Callable[..., Kv]) -> None:
    deep: Any = 1
    for _ in range(1000):
        deep = [deep]

    async def test(kv: Kv) -> None:
        with pytest.raises(InvalidInput, match="cannot be kept"):
            await kv("set", key="a", value=deep)

    run(test)


def test_one_failure_of_a_batch_is_alone(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        await kv("set", key="text", value="x")
        gone = Caller("gone", 999, 1, "call")
        unit = (await kv("begin"))["unit"]
        await kv("set", key="a", value="of the unit", unit=unit)
        await kv("get", key="b", unit=unit)
        outcomes = await asyncio.gather(
            kv("increment", key="b"),
            kv("increment", key="text"),
            kv("set", key="a", value=1, caller=gone),
            kv("commit", unit=unit),
            kv("set", key="c", value=2),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [dict, InvalidInput, SiteNotFound, KvConflict, dict]
        assert [await kv.get(key) for key in "abc"] == [NOTHING, 1, 2]

    run(test)


def test_batches(database: Database) -> None:
    sent: list[int] = []

    async def submit(function: Any, calls: Any) -> Any:
        sent.append(len(calls))
        return await database.write(function, calls)

    def bad(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO kv_total VALUES (999, 1, 1)")

    def broken(connection: apsw.Connection) -> None:
        raise ZeroDivisionError

    async def test() -> None:
        batches = Batches(submit, 1)
        calls = [batches.call(lambda _, n: n, number, size=1 << 20) for number in range(70)]
        calls[3].cancel()
        assert [call.result() for call in (await asyncio.wait(calls))[0] if not call.cancelled()]
        assert [call.result() for call in calls if not call.cancelled()] == [n for n in range(70) if n != 3]
        assert sent == [8] * 8 + [6]
        outcomes = await asyncio.gather(
            batches.call(bad), batches.call(broken, savepoint=True), batches.call(lambda _: 1), return_exceptions=True
        )
        assert [type(each) for each in outcomes] == [apsw.ConstraintError, ZeroDivisionError, int]
        database.close()
        with pytest.raises(StoreError, match="closed"):
            await batches.call(broken)

    asyncio.run(test())


def test_a_site_that_is_full(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        await kv("set", key="a", value=1)
        with pytest.raises(OverQuota):
            await kv("set", key="b", value=1)
        unit = (await kv("begin"))["unit"]
        await kv("set", key="b", value=1, unit=unit)
        with pytest.raises(OverQuota):
            await kv("commit", unit=unit)
        assert await kv.get("b") is NOTHING
        await kv("set", key="a", value=1, caller=kv.callers["other"])

    run(test, quota=Quota(keys=1))


def test_what_expired_is_swept_with_later_writes(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        for number in range(3):
            await kv("set", key=f"{number}", value=1, ttl=1)
        kv.now += SWEEP_EVERY_MS
        await asyncio.gather(kv("increment", key="n"), kv("increment", key="n"))
        await kv("increment", key="n")
        assert (await kv.database.read(store.total, kv.callers["blog"].site_id)).keys == 1

    run(test)


def test_a_transaction_reads_its_own_writes(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        for key in ("a", "b", "c"):
            await kv("set", key=key, value=1)
        u = (await kv("begin"))["unit"]
        assert await kv("set", key="a", value=2, unit=u) == {"version": None}
        assert await kv("delete", key="b", unit=u) == {"deleted": True}
        assert await kv("delete", key="b", unit=u) == {"deleted": False}
        assert (await kv("increment", key="c", by=4, unit=u))["value"] == 5
        await kv("set", b"raw", key="bb", kind="bytes", unit=u)
        await kv("set", key="t", value=1, ttl=1, unit=u)
        kv.now += 1000
        assert [await kv.get(key, unit=u) for key in ("a", "b", "bb", "c", "t")] == [2, NOTHING, b"raw", 5, NOTHING]
        assert [await kv.get(key) for key in ("a", "b", "bb", "c")] == [1, 1, NOTHING, 1]
        page, data = await kv.raw("list", {"values": True, "unit": u})
        assert [(item["key"], item.get("value")) for item in page["items"]] == [("a", 2), ("bb", None), ("c", 5)]
        assert ([item["version"] for item in page["items"]], data) == ([None] * 3, b"raw")
        page = await kv("list", limit=2, unit=u)
        assert ([item["key"] for item in page["items"]], page["cursor"]) == (["a"], "b")  # b stands there no more
        page = await kv("list", cursor="b", limit=2, unit=u)
        assert ([item["key"] for item in page["items"]], page["cursor"]) == (["bb", "c"], "c")
        found = await kv("getMany", keys=["a", "b", "z"], unit=u)
        assert [item["found"] for item in found["items"]] == [True, False, False]
        assert await kv("commit", unit=u) == {}
        assert [await kv.get(key) for key in ("a", "b", "bb", "c", "t")] == [2, NOTHING, b"raw", 5, NOTHING]
        with pytest.raises(InvalidInput, match="ended"):
            await kv("commit", unit=u)
        with pytest.raises(InvalidInput, match="ended"):
            await kv.get("a", unit=u)

    run(test)


MOVES: list[tuple[str, dict[str, Any], str, dict[str, Any], bool]] = [
    ("get", {"key": "a"}, "set", {"key": "a", "value": 1}, True),
    ("get", {"key": "none"}, "set", {"key": "none", "value": 1}, True),
    ("get", {"key": "a"}, "delete", {"key": "a"}, True),
    ("getMany", {"keys": ["b", "a"]}, "increment", {"key": "a"}, True),
    ("increment", {"key": "a"}, "increment", {"key": "a"}, True),
    ("delete", {"key": "a"}, "set", {"key": "a", "value": 1}, True),
    ("set", {"key": "a", "value": 1, "ifVersion": "now"}, "set", {"key": "a", "value": 1}, True),
    ("list", {}, "set", {"key": "new", "value": 1}, True),
    ("list", {"prefix": "a"}, "set", {"key": "a1", "value": 1}, True),
    ("list", {"limit": 1}, "set", {"key": "0", "value": 1}, True),
    ("list", {"limit": 1}, "set", {"key": "a", "value": 1}, True),
    ("list", {"limit": 1}, "set", {"key": "aa", "value": 1}, False),
    ("list", {"prefix": "b"}, "set", {"key": "a", "value": 1}, False),
    ("set", {"key": "a", "value": 1}, "set", {"key": "a", "value": 2}, False),
    ("get", {"key": "b"}, "set", {"key": "a", "value": 2}, False),
]


@pytest.mark.parametrize(("op", "fields", "other_op", "other", "conflicts"), MOVES)
@pytest.mark.parametrize("inside", [False, True], ids=["transaction", "transaction in a job"])
def test_a_commit_tells_what_moved(
    run: Callable[..., Kv],
    op: str,
    fields: dict[str, Any],
    other_op: str,
    other: dict[str, Any],
    conflicts: bool,
    inside: bool,
) -> None:
    async def test(kv: Kv) -> None:
        for key in ("a", "b"):
            version = (await kv("set", key=key, value=1))["version"] - (key == "b")
        caller = kv.caller("blog")
        caller.unit = Unit() if inside else None
        u = (await kv("begin", caller=caller))["unit"]
        asked = {**fields, **({"ifVersion": version} if "ifVersion" in fields else {})}
        await kv(op, **asked, unit=u, caller=caller)
        await kv("set", key="mark", value=1, unit=u, caller=caller)
        await kv(other_op, **other, caller=caller)  # in a job: by the job itself, beside the transaction
        if conflicts:
            with pytest.raises(KvConflict):
                await kv("commit", unit=u, caller=caller)
        else:
            await kv("commit", unit=u, caller=caller)
        marked = (await kv("get", key="mark", caller=caller))["found"]
        assert marked != conflicts

    run(test)


def test_a_key_that_moves_while_it_is_read_again(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        u = (await kv("begin"))["unit"]
        await kv.get("a", unit=u)
        await kv("set", key="a", value=1)
        with pytest.raises(KvConflict):
            await kv.get("a", unit=u)

    run(test)


def test_a_transaction_that_only_reads(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        for moved in (False, True):
            u = (await kv("begin"))["unit"]
            await kv.get("a", unit=u)
            if moved:
                await kv("set", key="a", value=1)
                with pytest.raises(KvConflict):
                    await kv("commit", unit=u)
            else:
                await kv("commit", unit=u)

    run(test)


def test_two_increments_at_once_in_one_transaction(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        u = (await kv("begin"))["unit"]
        values = await asyncio.gather(*(kv("increment", key="n", unit=u) for _ in range(5)))
        assert sorted(value["value"] for value in values) == [1, 2, 3, 4, 5]
        await kv("commit", unit=u)
        assert await kv.get("n") == 5

    run(test)


def test_transactions_under_contention(run: Callable[..., Kv]) -> None:
    """As the JavaScript side does it: whoever meets a conflict begins again."""

    async def test(kv: Kv) -> None:
        async def add() -> None:
            attempt = 0
            while True:
                u = (await kv("begin", attempt=attempt, caller=caller))["unit"]
                try:
                    value, _ = await kv.raw("get", {"key": "sum", "unit": u}, caller=caller)
                    number = value.get("value", 0) + 1
                    await kv("set", key="sum", value=number, unit=u, caller=caller)
                    await kv("set", key=f"seen/{number}", value=1, unit=u, caller=caller)
                    await kv("commit", unit=u, caller=caller)
                    return
                except KvConflict:
                    attempt += 1
                    with contextlib.suppress(InvalidInput):
                        await kv("abort", unit=u, caller=caller)

        caller = kv.callers["blog"]
        for _ in range(5):
            await asyncio.gather(*(add() for _ in range(MOST_UNITS)))
        assert await kv.get("sum") == 5 * MOST_UNITS
        assert len((await kv("list", prefix="seen/"))["items"]) == 5 * MOST_UNITS
        caller.close()

    kv = run(test)
    assert kv.pauses
    assert 0 <= min(kv.pauses) <= max(kv.pauses) < 0.6


def test_transactions_are_bounded_and_end_with_their_call(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        caller = kv.callers["blog"]
        units = [(await kv("begin"))["unit"] for _ in range(MOST_UNITS)]
        with pytest.raises(TooLarge, match="at most 4"):
            await kv("begin")
        await kv("abort", unit=units[0])
        units[0] = (await kv("begin"))["unit"]
        await kv("set", key="a", value=1, unit=units[0])
        caller.close()
        for unit in units:
            with pytest.raises(InvalidInput, match="ended"):
                await kv("commit", unit=unit)
        assert await kv.get("a") is NOTHING
        assert (await kv("begin"))["unit"] == 1

    run(test)


def test_a_call_that_ends_while_it_waits_for_its_turn(database: Database) -> None:
    async def test() -> None:
        async def end(_: float) -> None:
            caller.close()

        kv = Kv(database)
        caller = kv.caller("blog")
        operations = kv_operations(database, pause=end)
        with pytest.raises(InvalidInput, match="has ended"):
            await operations["kv.begin"](caller, {"attempt": 1}, b"")

    asyncio.run(test())


@pytest.mark.parametrize("limit", ["MOST_WRITES", "MOST_READS", "MOST_RANGES", "MOST_BYTES"])
def test_a_transaction_is_bounded(run: Callable[..., Kv], monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(kv_unit, limit, 4)

    async def test(kv: Kv) -> None:
        ask = {
            "MOST_WRITES": lambda n, u: kv("set", key=f"{n}", value=n, unit=u),
            "MOST_READS": lambda n, u: kv("get", key=f"{n}", unit=u),
            "MOST_RANGES": lambda n, u: kv("list", unit=u),
            "MOST_BYTES": lambda n, u: kv("set", key="k", value=10 ** (n - 1), unit=u),
        }[limit]
        u = (await kv("begin"))["unit"]
        count = 3 if limit == "MOST_BYTES" else 4
        for number in range(1, count + 1):
            await ask(number, u)
        with pytest.raises(TooLarge, match="A transaction may"):
            await ask(count + 1, u)
        await kv("commit", unit=u)

    run(test)


def test_a_job_takes_over_what_its_transactions_wrote(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        caller = kv.caller("blog")
        unit = caller.unit = Unit()
        await kv("set", key="a", value=1, caller=caller)
        for _ in range(2):
            u = (await kv("begin", caller=caller))["unit"]
            assert (await kv("increment", key="a", unit=u, caller=caller))["value"]
            assert (await kv("increment", key="b", unit=u, caller=caller))["value"]
            await kv("commit", unit=u, caller=caller)
        u = (await kv("begin", caller=caller))["unit"]
        await kv("delete", key="a", unit=u, caller=caller)
        await kv("abort", unit=u, caller=caller)
        assert (await kv("get", key="a", caller=caller))["value"] == 3
        assert await kv.get("a") is NOTHING
        unit.end()
        await kv.database.write(store.apply, caller.site_id, unit.reads, unit.writes)
        assert [await kv.get(key) for key in "ab"] == [3, 2]
        for op in ("get", "set", "begin"):
            with pytest.raises(InvalidInput, match="ended"):
                await kv(op, key="a", value=1, caller=caller)

    run(test)


def test_two_transactions_of_one_job_at_once(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        caller = kv.caller("blog")
        caller.unit = Unit()
        first, second, third = [(await kv("begin", caller=caller))["unit"] for _ in range(3)]
        for u in (first, second):
            await kv("increment", key="a", unit=u, caller=caller)
        await kv("list", unit=third, caller=caller)
        await kv("commit", unit=first, caller=caller)
        for u in (second, third):
            with pytest.raises(KvConflict):
                await kv("commit", unit=u, caller=caller)
        assert (await kv("get", key="a", caller=caller))["value"] == 1

    run(test)


def test_a_job_finds_out_that_something_moved(run: Callable[..., Kv]) -> None:
    async def test(kv: Kv) -> None:
        caller = kv.caller("blog")
        unit = caller.unit = Unit()
        await kv("increment", key="a")
        await kv("increment", key="a", caller=caller)
        await kv("increment", key="a")
        with pytest.raises(KvConflict):
            await kv.database.write(store.apply, caller.site_id, unit.reads, unit.writes)
        assert await kv.get("a") == 2

    run(test)


KEY = st.sampled_from(["a", "b", "ab", "b\x00", "é", "\U0010ffff"])
PREFIX = st.sampled_from(["", "a", "b", "\U0010ffff", "x"])
SITE = st.sampled_from(["blog", "other"])
TTL = st.sampled_from([None, None, 1, 2.5])
VALUE = st.sampled_from([0, 7, "x", [1], b"raw"])
PLACE = st.sampled_from([None, None, 0, 1])


class KvMachine(RuleBasedStateMachine):
    """Two sites, with two transactions each, against dictionaries. A commit must succeed exactly if replaying what the
    transaction saw gives the same answers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database.open(Path(self.folder.name) / "data.db", readers=1)
        self.runner = asyncio.Runner()
        self.kv = Kv(self.database)
        self.rows: dict[str, dict[str, tuple[Any, int | None, int]]] = {"blog": {}, "other": {}}
        self.units: dict[tuple[str, int], dict[str, Any]] = {}
        self.writes = 0

    def teardown(self) -> None:
        self.runner.close()
        self.database.close()
        self.folder.cleanup()

    def ask(self, site: str, place: int | None, op: str, data: bytes = b"", **fields: Any) -> Any:
        if place is not None:
            fields["unit"] = self.unit(site, place)["number"]
        fields = {name: value for name, value in fields.items() if value is not None or name == "value"}
        try:
            return self.runner.run(self.kv.raw(op, fields, data, self.kv.callers[site]))
        except FaztError as error:
            return error

    def unit(self, site: str, place: int) -> dict[str, Any]:
        if (site, place) not in self.units:
            number = self.runner.run(self.kv("begin", caller=self.kv.callers[site]))["unit"]
            self.units[site, place] = {"number": number, "writes": {}, "seen": {}, "spoiled": False}
        return self.units[site, place]

    def look(self, site: str, place: int | None, key: str) -> tuple[Any, int | None] | None:
        """Return what a caller should see under a key; note what it saw of the store."""
        unit = None if place is None else self.unit(site, place)
        if unit is not None and key in unit["writes"]:
            found = unit["writes"][key]
        else:
            found = self.rows[site].get(key)
            if found is not None and found[1] is not None and found[1] <= self.kv.now:
                found = None
            if unit is not None:
                number = 0 if found is None else found[2]
                unit["spoiled"] |= unit["seen"].setdefault(key, number) != number
        if found is not None and found[1] is not None and found[1] <= self.kv.now:
            return None
        return None if found is None else found[:2]

    def write(self, site: str, place: int | None, key: str, value: Any, expires_at: int | None) -> None:
        self.writes += 1
        entry = None if value is NOTHING else (value, expires_at, self.writes)
        if place is not None:
            self.unit(site, place)["writes"][key] = entry
        elif entry is None:
            self.rows[site].pop(key, None)
        else:
            self.rows[site][key] = entry

    def expires(self, ttl: float | None) -> int | None:
        return None if ttl is None else self.kv.now + math.ceil(ttl * 1000)

    def spoiled(self, site: str, place: int | None, answer: Any) -> bool:
        """Tell whether a transaction has met a conflict already; it is over then."""
        if place is None or not self.unit(site, place)["spoiled"]:
            return False
        assert isinstance(answer, KvConflict)
        self.ask(site, place, "abort")
        del self.units[site, place]
        return True

    @rule(site=SITE, place=PLACE, key=KEY)
    def get(self, site: str, place: int | None, key: str) -> None:
        expected = self.look(site, place, key)
        answer = self.ask(site, place, "get", key=key)
        if self.spoiled(site, place, answer):
            return
        value, data = answer
        assert value["found"] == (expected is not None)
        if expected is not None:
            assert (data if value["kind"] == "bytes" else value["value"]) == expected[0]
            assert value["expires_at"] == expected[1]

    @rule(site=SITE, place=PLACE, key=KEY, value=VALUE, ttl=TTL, guess=st.sampled_from(["none", "new", "right"]))
    def set(self, site: str, place: int | None, key: str, value: Any, ttl: float | None, guess: str) -> None:
        fields: dict[str, Any] = {"ttl": ttl, "kind": "bytes" if isinstance(value, bytes) else "json"}
        if not isinstance(value, bytes):
            fields["value"] = value
        fits = True
        if guess != "none":
            present = self.look(site, place, key)
            found = self.ask(site, place, "get", key=key)
            if self.spoiled(site, place, found):
                return
            version = found[0].get("version", 0)
            if version is None:  # its own write has no version to name
                return
            fits = guess == "right" or present is None
            fields["ifVersion"] = version if guess == "right" else 0
        answer = self.ask(site, place, "set", value if isinstance(value, bytes) else b"", key=key, **fields)
        assert isinstance(answer, KvConflict) != fits
        if fits:
            self.write(site, place, key, value, self.expires(ttl))

    @rule(site=SITE, place=PLACE, key=KEY, by=st.integers(-3, 3), ttl=TTL)
    def increment(self, site: str, place: int | None, key: str, by: int, ttl: float | None) -> None:
        present = self.look(site, place, key)
        answer = self.ask(site, place, "increment", key=key, by=by, ttl=ttl)
        if self.spoiled(site, place, answer):
            return
        if present is not None and not isinstance(present[0], int):
            assert isinstance(answer, InvalidInput)
            return
        number = by if present is None else present[0] + by
        assert answer[0]["value"] == number
        self.write(site, place, key, number, self.expires(ttl) if present is None else present[1])

    @rule(site=SITE, place=PLACE, key=KEY)
    def delete(self, site: str, place: int | None, key: str) -> None:
        present = self.look(site, place, key)
        answer = self.ask(site, place, "delete", key=key)
        if self.spoiled(site, place, answer):
            return
        assert answer[0] == {"deleted": present is not None}
        self.write(site, place, key, NOTHING, None)

    @rule(site=SITE, prefix=PREFIX)
    def list(self, site: str, prefix: str) -> None:
        found, _ = self.ask(site, None, "list", prefix=prefix)
        keys = sorted(key for key in self.rows[site] if key.startswith(prefix) and self.look(site, None, key))
        assert [item["key"] for item in found["items"]] == keys

    @rule(site=SITE, place=st.sampled_from([0, 1]))
    def commit(self, site: str, place: int) -> None:
        unit = self.unit(site, place)
        fits = True
        for key, number in unit["seen"].items():
            row = self.rows[site].get(key)
            gone = row is None or (row[1] is not None and row[1] <= self.kv.now)
            fits &= number == (0 if gone or row is None else row[2])
        answer = self.ask(site, place, "commit")
        assert isinstance(answer, KvConflict) != fits
        del self.units[site, place]
        if fits:
            for key, entry in unit["writes"].items():
                value, expires_at, _ = entry or (NOTHING, None, 0)
                self.write(site, None, key, value, expires_at)

    @rule(site=SITE, place=st.sampled_from([0, 1]))
    def abort(self, site: str, place: int) -> None:
        self.unit(site, place)
        self.ask(site, place, "abort")
        del self.units[site, place]

    @rule(ms=st.sampled_from([1, 1000, 1500, SWEEP_EVERY_MS]))
    def time_goes_on(self, ms: int) -> None:
        self.kv.now += ms

    @rule()
    def sweep(self) -> None:
        self.database.write_blocking(store.sweep, self.kv.now)

    @invariant()
    def totals_are_true(self) -> None:
        for caller in self.kv.callers.values():
            total = self.database.read_blocking(store.total, caller.site_id)
            visible = sum(self.look(caller.site, None, key) is not None for key in self.rows[caller.site])
            assert total.keys >= visible


TestKvMachine = KvMachine.TestCase
TestKvMachine.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
