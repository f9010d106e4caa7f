"""Keys and values, variables and secrets: the plain functions of the store."""

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import Conflict, InvalidInput, KvConflict, NotFound, OverQuota, SiteLocked, SiteNotFound
from fazt.store import changes, environment, kv, schema, sites
from fazt.store.kv import ABSENT, Entry, Quota, Range, Reads, Total, Write

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
EDGES = st.text(st.sampled_from("a\x00\x7f\ud7ff\ue000\uffff\U0010ffff"), max_size=3)


@pytest.fixture
def site(connection: apsw.Connection) -> int:
    sites.create(connection, "other")
    return sites.create(connection, "blog").id


def put(connection: apsw.Connection, site: int, key: str, value: bytes = b"1", **more: int | None) -> int:
    write = Write(key, "json", value, more.get("expires_at"))
    return kv.put(connection, site, write, more.get("expected"), more.get("now") or 0)


def keys(connection: apsw.Connection, site: int, prefix: str, now: int = 0, limit: int = 99) -> list[str]:
    found, _ = kv.list_page(connection, site, prefix, kv.prefix_end(prefix), limit, now)
    return [entry.key for entry in found]


def test_a_value_and_its_version(connection: apsw.Connection, site: int) -> None:
    assert kv.find(connection, site, "a", 0) is None
    first = put(connection, site, "a", b'"x"')
    assert kv.find(connection, site, "a", 0) == Entry("a", "json", 3, first, None, b'"x"')
    second = put(connection, site, "b")
    third = put(connection, site, "a", b"22")
    assert 0 < first < second < third
    assert kv.find_many(connection, site, ["b", "c"], 0) == [Entry("b", "json", 1, second, None, b"1"), None]


def test_a_version_is_never_used_again(connection: apsw.Connection, site: int) -> None:
    seen = [put(connection, site, "a")]
    kv.put(connection, site, Write("a", "json", None, None), None, 0)
    seen.append(put(connection, site, "a"))
    sites.remove(connection, "blog")
    seen.append(put(connection, sites.create(connection, "blog").id, "a"))
    kv.apply(connection, sites.get(connection, "blog").id, Reads({}), [Write("x", "json", b"1", None)] * 3)
    seen.append(put(connection, sites.get(connection, "other").id, "a"))
    assert seen == sorted(set(seen))


def test_a_write_may_expect_a_version(connection: apsw.Connection, site: int) -> None:
    version = put(connection, site, "a", expected=ABSENT)
    for wrong in (ABSENT, version + 1, version - 1 or 99):
        with pytest.raises(KvConflict, match="'a' has changed"):
            put(connection, site, "a", expected=wrong)
        with pytest.raises(KvConflict):
            kv.put(connection, site, Write("a", "json", None, None), wrong, 0)
    assert put(connection, site, "a", expected=version) > version
    with pytest.raises(KvConflict):
        put(connection, site, "b", expected=version)


def test_what_expired_is_gone_at_once(connection: apsw.Connection, site: int) -> None:
    version = put(connection, site, "a", expires_at=10)
    assert kv.find(connection, site, "a", 9) is not None
    assert kv.find(connection, site, "a", 10) is None
    assert (keys(connection, site, "", 9), keys(connection, site, "", 10)) == (["a"], [])
    with pytest.raises(KvConflict):
        put(connection, site, "a", expected=version, now=10)
    assert kv.put(connection, site, Write("a", "json", None, None), None, 10) == ABSENT
    assert kv.increment(connection, site, "a", 5, None, 10)[0] == 5  # not 1 + 5
    assert put(connection, site, "b", expires_at=10) < put(connection, site, "b", expected=ABSENT, now=10)


def test_sweeping_takes_a_bounded_part(connection: apsw.Connection, site: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        put(connection, site, f"old-{number}", expires_at=number)
    put(connection, site, "later", expires_at=100)
    put(connection, site, "always")
    assert kv.sweep(connection, 50, 2) == 2
    assert keys(connection, site, "", -1) == ["always", "later", "old-2", "old-3", "old-4"]
    monkeypatch.setattr(kv, "SWEEP_BYTES", 1)
    assert kv.sweep(connection, 50) == 1
    monkeypatch.undo()
    assert [kv.sweep(connection, 50), kv.sweep(connection, 50)] == [2, 0]
    assert keys(connection, site, "", 50) == ["always", "later"]
    assert kv.total(connection, site) == Total(2, len("laterallways") - 1 + 2)
    assert [kv.clear(connection, site, 1), kv.clear(connection, site), kv.clear(connection, site)] == [1, 1, 0]
    assert kv.total(connection, site) == Total(0, 0)


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", None),
        ("a", "b"),
        ("az", "a{"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff\U0010ffff", None),
        ("\ud7ff", "\ue000"),
        ("a\x00", "a\x01"),
    ],
)
def test_the_end_of_a_prefix(prefix: str, end: str | None) -> None:
    assert kv.prefix_end(prefix) == end


@settings(deadline=None, max_examples=60)
@given(st.lists(KEYS | EDGES.filter(len), max_size=12), KEYS | EDGES, st.none() | KEYS, st.integers(1, 4))
def test_lists_are_in_the_order_of_bytes(names: list[str], prefix: str, after: str | None, limit: int) -> None:
    connection = apsw.Connection(":memory:")
    for _, sql in schema.migrations():
        connection.execute(sql).fetchall()
    blog, other = sites.create(connection, "blog").id, sites.create(connection, "other").id
    for name in names:
        put(connection, blog, name)
        put(connection, other, name + "x")
    expected = sorted({name for name in names if name.startswith(prefix)}, key=str.encode)
    expected = [name for name in expected if after is None or name.encode() > after.encode()]
    found: list[str] = []
    while True:
        start = kv.page_start(prefix, after)
        page, complete = kv.list_page(connection, blog, start, kv.prefix_end(prefix), limit, 0)
        found += [entry.key for entry in page]
        assert len(page) == limit or complete
        if complete:
            break
        after = page[-1].key
    assert found == expected
    connection.close()


def test_a_page_is_bounded_in_bytes(connection: apsw.Connection, site: int) -> None:
    for name in "abc":
        put(connection, site, name, bytes(1000))
    room = 2 * kv.weight("a", 1000)
    page, complete = kv.list_page(connection, site, "", None, 9, 0, True, room)
    assert ([entry.value for entry in page], complete) == ([bytes(1000)] * 2, False)
    page, complete = kv.list_page(connection, site, "", None, 9, 0, True, 1)  # never none at all
    assert ([entry.key for entry in page], complete) == (["a"], False)
    page, complete = kv.list_page(connection, site, "", None, 9, 0, False, room)
    assert ([entry.value for entry in page], complete) == ([None] * 3, True)


def test_counting(connection: apsw.Connection, site: int) -> None:
    assert kv.increment(connection, site, "n", 5, 100, 0)[0] == 5
    number, version = kv.increment(connection, site, "n", -7, 999, 0)
    assert kv.find(connection, site, "n", 0) == Entry("n", "json", 2, version, 100, b"-2")  # its end does not move
    assert number == -2
    top = kv.LARGEST_NUMBER
    assert kv.increment(connection, site, "n", top, None, 0)[0] == top - 2
    for by in (3, -2 * top):
        with pytest.raises(InvalidInput, match="exact numbers"):
            kv.increment(connection, site, "n", by, None, 0)
    for value in (b'"1"', b"1.5", b"1e3", b"null", b"[1]", b"true", b"", b"9" * 17, b"9" * 30, b"1 "):
        put(connection, site, "x", value)
        with pytest.raises(InvalidInput, match="whole number"):
            kv.increment(connection, site, "x", 1, None, 0)
    kv.put(connection, site, Write("x", "bytes", b"1", None), None, 0)
    with pytest.raises(InvalidInput, match="whole number"):
        kv.increment(connection, site, "x", 1, None, 0)


def test_totals_follow_every_write(connection: apsw.Connection, site: int) -> None:
    assert kv.total(connection, site) == Total(0, 0)
    put(connection, site, "é\x00k", bytes(10))
    assert kv.total(connection, site) == Total(1, 4 + 10)
    put(connection, site, "é\x00k", bytes(3))
    put(connection, site, "b", bytes(5), expires_at=1)
    assert kv.total(connection, site) == Total(2, 4 + 3 + 1 + 5)
    put(connection, site, "b", bytes(6), now=7)
    assert kv.total(connection, site) == Total(2, 4 + 3 + 1 + 6)
    kv.put(connection, site, Write("é\x00k", "json", None, None), None, 0)
    assert kv.total(connection, site) == Total(1, 7)
    sites.remove(connection, "blog")
    assert connection.execute("SELECT (SELECT count(*) FROM kv) + (SELECT count(*) FROM kv_total)").get == 0


def test_a_site_that_is_full(connection: apsw.Connection, site: int) -> None:
    quota = Quota(keys=2, bytes=20)

    def write(key: str, size: int, now: int = 0) -> None:
        kv.put(connection, site, Write(key, "bytes", bytes(size), None), None, now, quota)

    write("a", 19)
    with pytest.raises(OverQuota, match="20 bytes"):
        write("a", 20)
    with pytest.raises(OverQuota, match="20 bytes"):
        write("b", 1)
    with pytest.raises(OverQuota):
        kv.increment(connection, site, "n", 1, None, 0, quota)
    write("a", 5)
    put(connection, site, "old", b"1", expires_at=10)
    with pytest.raises(OverQuota, match="2 keys"):
        write("b", 1)
    write("b", 1, now=10)  # what expired makes room
    assert keys(connection, site, "", -1) == ["a", "b"]
    tight = Quota(keys=1, bytes=1)
    kv.put(connection, site, Write("a", "bytes", bytes(4), None), None, 0, tight)  # what does not grow may always be
    with pytest.raises(OverQuota):
        kv.put(connection, site, Write("a", "bytes", bytes(5), None), None, 0, tight)
    kv.put(connection, site, Write("a", "bytes", None, None), None, 0, tight)


def test_a_site_that_does_not_exist(connection: apsw.Connection) -> None:
    with pytest.raises(SiteNotFound):
        put(connection, 99, "a")
    with pytest.raises(SiteNotFound):
        kv.increment(connection, 99, "a", 1, None, 0)
    with pytest.raises(SiteNotFound):
        kv.apply(connection, 99, Reads({}), [Write("a", "json", b"1", None)])
    assert kv.find(connection, 99, "a", 0) is None


def test_all_is_applied_or_nothing(connection: apsw.Connection, site: int) -> None:
    a, b = put(connection, site, "a"), put(connection, site, "b", expires_at=50)
    writes = [Write("a", "bytes", b"new", 70), Write("b", "json", None, None), Write("c", "json", b"3", None)]
    for reads in (
        Reads({"a": a + 1}),
        Reads({"a": a, "c": a}),
        Reads({"b": ABSENT}),
        Reads({}, (Range("a", "c", 1),)),
        Reads({}, (Range("a", None, 3),)),
    ):
        with pytest.raises(KvConflict):
            kv.apply(connection, site, reads, writes, 0)
    with pytest.raises(KvConflict):
        kv.apply(connection, site, Reads({"b": b}), writes, 50)
    assert keys(connection, site, "", 0) == ["a", "b"]
    with connection:
        kv.apply(connection, site, Reads({"a": a, "b": b, "c": ABSENT}, (Range("a", None, 2),)), writes, 0)
    assert keys(connection, site, "", 0) == ["a", "c"]
    found = kv.find(connection, site, "a", 0)
    assert found is not None
    assert (found.value, found.kind, found.expires_at) == (b"new", "bytes", 70)
    assert found.version > b
    kv.apply(connection, site, Reads({"a": found.version}), [], 0)


def test_applying_holds_the_quota(connection: apsw.Connection, site: int) -> None:
    put(connection, site, "old", bytes(10), expires_at=5)
    writes = [Write("a", "json", bytes(8), None), Write("b", "json", bytes(8), None)]
    with pytest.raises(OverQuota), connection:
        kv.apply(connection, site, Reads({}), writes, 0, Quota(2, 99))
    assert keys(connection, site, "", 0) == ["old"]
    kv.apply(connection, site, Reads({}), writes, 5, Quota(2, 18))
    assert keys(connection, site, "", 0) == ["a", "b"]
    kv.apply(connection, site, Reads({}), [Write("a", "json", b"", None)], 5, Quota(1, 1))


def test_sites_do_not_see_each_other(connection: apsw.Connection, site: int) -> None:
    other = sites.get(connection, "other").id
    put(connection, site, "a", b"1")
    assert (kv.find(connection, other, "a", 0), keys(connection, other, "")) == (None, [])
    put(connection, other, "a", b"2", expected=ABSENT)
    kv.put(connection, other, Write("a", "json", None, None), None, 0)
    kv.clear(connection, other)
    assert keys(connection, site, "") == ["a"]


def test_variables_and_secrets(connection: apsw.Connection, site: int) -> None:
    before = changes.last(connection)
    environment.put(connection, "blog", "B", b"sealed", True)
    environment.put(connection, "blog", "A", b"1", False)
    environment.put(connection, "blog", "A", b"2", False)
    environment.put(connection, "other", "A", b"3", True)
    assert [(each.name, each.secret, each.value) for each in environment.load(connection, site)] == [
        ("A", False, b"2"),
        ("B", True, b"sealed"),
    ]
    assert [(each.name, each.value) for each in environment.list_kind(connection, site, secret=True)] == [("B", None)]
    assert [(each.name, each.value) for each in environment.list_kind(connection, site, secret=False)] == [("A", b"2")]
    assert "sealed" not in repr(environment.load(connection, site))
    for name, secret in (("A", True), ("B", False)):
        with pytest.raises(Conflict, match="is a"):
            environment.put(connection, "blog", name, b"", secret)
        with pytest.raises(NotFound):
            environment.remove(connection, "blog", name, secret)
    environment.remove(connection, "blog", "A", False)
    kinds = [(change.kind, change.key) for change in changes.since(connection, before)]
    assert kinds == [("environment", "blog")] * 3 + [("environment", "other"), ("environment", "blog")]
    sites.set_locked(connection, "blog", True)
    with pytest.raises(SiteLocked):
        environment.put(connection, "blog", "A", b"1", False)
    with pytest.raises(SiteLocked):
        environment.remove(connection, "blog", "B", True)


def test_a_site_has_so_many_names(connection: apsw.Connection, site: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MOST_NAMES", 2)
    for name in ("A", "B", "A"):
        environment.put(connection, "blog", name, b"1", False)
    with pytest.raises(OverQuota, match="at most 2"):
        environment.put(connection, "blog", "C", b"1", True)
