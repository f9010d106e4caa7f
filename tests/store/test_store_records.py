"""Tokens, changes, statistics and log lines."""

import struct

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import Conflict, NotFound
from fazt.store import changes, log_lines, schema, statistics, tokens

counts = st.integers(0, 1000)
hours = st.builds(
    statistics.Hour,
    site=st.sampled_from(["blog", "shop"]),
    hour=st.integers(0, 2),
    requests=counts,
    bytes=counts,
    hits=counts,
    statuses=st.tuples(counts, counts, counts, counts, counts),
    latency=st.lists(st.integers(0, 2**32 - 1), max_size=4).map(
        lambda values: struct.pack(f"<{len(values)}I", *values)
    ),
)


def test_a_token_is_found_by_the_hash_of_its_secret(
    connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000_000]
    monkeypatch.setattr(tokens, "now_ms", lambda: now[0])
    made = tokens.add(connection, "fazt_abc", b"h1", "laptop", None, ("read", "deploy"), 2_000_000)
    assert tokens.find_by_hash(connection, b"h1") == made
    assert tokens.find_by_hash(connection, b"h2") is None
    for id, hash in (("fazt_abc", b"h2"), ("other", b"h1")):
        with pytest.raises(Conflict):
            tokens.add(connection, id, hash, "", None, (), None)
    uses = []
    for passed in (1000, 1000, 60_000):
        now[0] += passed
        tokens.touch(connection, "fazt_abc")
        uses.append(tokens.list_page(connection, None, 1)[0].last_used_at)
    assert uses == [1_001_000, 1_001_000, 1_062_000]
    tokens.add(connection, "zzz", b"h3", "", ["blog", "shop"], (), None)
    found = tokens.list_page(connection, "fazt_abc", 9)
    assert [(token.actions, token.sites) for token in found] == [((), ("blog", "shop"))]
    tokens.remove(connection, "fazt_abc")
    assert tokens.find_by_hash(connection, b"h1") is None
    with pytest.raises(NotFound):
        tokens.remove(connection, "fazt_abc")


def test_changes_are_read_from_any_number_on(connection: apsw.Connection) -> None:
    assert changes.last(connection) == 0
    for key in "abc":
        changes.add(connection, "site", key)
    assert [change.key for change in changes.since(connection, 0, 2)] == ["a", "b"]
    assert [change.key for change in changes.since(connection, 1)] == ["b", "c"]
    assert changes.last(connection) == 3


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(hours, max_size=4), max_size=4))
def test_hours_add_up(batches: list[list[statistics.Hour]]) -> None:
    connection = apsw.Connection(":memory:")
    for _, sql in schema.migrations():
        connection.execute(sql)
    for batch in batches:
        statistics.add_hours(connection, batch)
    added = [hour for batch in batches for hour in batch]
    for name in ("blog", "shop"):
        of_site = [hour for hour in added if hour.site == name and hour.hour >= 1]
        stored = statistics.hours(connection, name, 1)
        assert [hour.hour for hour in stored] == sorted({hour.hour for hour in of_site})
        for hour in stored:
            parts = [one for one in of_site if one.hour == hour.hour]
            assert hour.requests == sum(one.requests for one in parts)
            assert (hour.bytes, hour.hits) == (sum(one.bytes for one in parts), sum(one.hits for one in parts))
            assert hour.statuses == tuple(map(sum, zip(*(one.statuses for one in parts), strict=True)))
            width = max(len(one.latency) for one in parts)
            buckets = [struct.unpack(f"<{width // 4}I", one.latency.ljust(width, b"\0")) for one in parts]
            expected = [min(2**32 - 1, sum(column)) for column in zip(*buckets, strict=True)]
            assert list(struct.unpack(f"<{width // 4}I", hour.latency)) == expected
    connection.close()


def test_the_newest_lines_are_kept_and_read(connection: apsw.Connection) -> None:
    kinds = ("access", "error")
    log_lines.add(connection, [(n, "blog" if n % 2 else "shop", kinds[n % 2], b"%d" % n) for n in range(10)])

    def lines(site: str | None, since_ms: int, limit: int) -> list[bytes]:
        return [line.line for line in log_lines.since(connection, site, since_ms, limit)]

    assert lines(None, 0, 3) == [b"7", b"8", b"9"]
    assert lines("blog", 0, 2) == [b"7", b"9"]
    assert lines("shop", 5, 9) == [b"6", b"8"]
    log_lines.trim(connection, 20)
    assert len(lines(None, 0, 99)) == 10
    log_lines.trim(connection, 4)
    assert lines(None, 0, 99) == [b"6", b"7", b"8", b"9"]
    log_lines.trim(connection, 0)
    assert lines(None, 0, 99) == []
