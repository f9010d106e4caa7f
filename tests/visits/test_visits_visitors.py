"""Counting visitors: how far the estimate is off, and that nobody is known for longer than a day."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.visits.sketch import REGISTERS, Sketch
from fazt.visits.visitors import Visitors, neighbourhood


def counted(hashes: list[int]) -> int:
    sketch = Sketch()
    for hashed in hashes:
        sketch.add(hashed)
    return sketch.count()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60_000), st.integers())
def test_the_estimate_is_near(count: int, seed: int) -> None:
    """The standard error is 1.04 / sqrt(1024) = 3.25 %; five of these are not seen in a lifetime."""
    source = random.Random(seed)
    found = counted([source.getrandbits(64) for _ in range(count)])
    assert abs(found - count) <= max(3, 5 * 1.04 / REGISTERS**0.5 * count)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_are_counted_exactly(count: int) -> None:
    assert counted([(index + 1) << 20 | index for index in range(count)]) == count


@pytest.mark.parametrize("hashed", [0, 1, 2**64 - 1, 2**54, 2**10 - 1])
def test_extreme_hashes(hashed: int) -> None:
    assert counted([hashed] * 3) == 1


def test_a_full_sketch_ends() -> None:
    sketch = Sketch()
    for index in range(REGISTERS):
        sketch.add(index)
    assert sketch.count() > 10**12


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_order_and_repetition_do_not_matter(hashes: list[int]) -> None:
    assert counted(hashes) == counted(hashes[::-1]) == counted(hashes * 2)


def test_news_add_up() -> None:
    visitors = Visitors()
    told = 0
    for index in range(200):
        visitors.add(("blog", ""), 480_000 + index // 100, f"192.0.2.{index % 120}", "agent")
        if index % 17 == 0:
            visitors.tell("blog")
            hours, days = visitors.take()
            assert all(count > 0 for count in (*hours.values(), *days.values()))
            told += days.get(("blog", 20_000), 0)
    assert set(visitors.touched()) == {"blog", ""}
    visitors.tell("blog")
    told += visitors.take()[1].get(("blog", 20_000), 0)
    assert 110 <= told <= 130


def test_a_new_day_knows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    salts = iter([b"a" * 16, b"b" * 16, b"c" * 16])
    monkeypatch.setattr("fazt.visits.visitors.secrets.token_bytes", lambda size: next(salts))
    visitors = Visitors()
    for hour in (24, 25, 48, 49):
        visitors.add(("blog",), hour, "192.0.2.1", "agent")
    visitors.tell("blog")
    hours, days = visitors.take()
    assert days == {("blog", 1): 1, ("blog", 2): 1}
    assert hours == {("blog", hour): 1 for hour in (24, 25, 48, 49)}
    assert visitors._salt == b"b" * 16


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1%eth0", "2001:db8::2", True),
        ("2001:db8:0:1::1", "2001:db8::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("local", "local", True),
        ("no:address", "no:other", False),
    ],
)
def test_of_an_address_the_network_counts(one: str, other: str, same: bool) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) == same
