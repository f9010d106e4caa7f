"""Buckets: how much passes at once, how soon there is room again, and that memory is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from fazt.hooks import rates
from fazt.hooks.rates import Rates


def test_so_many_pass_at_once_and_one_more_with_time() -> None:
    buckets = Rates(3, 0.5)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 2.0]
    assert buckets.take("b", 0.0) == 0
    assert buckets.take("a", 1.0) == 1.0
    assert buckets.take("a", 2.0) == 0
    assert buckets.take("a", 2.0) == 2.0
    assert [buckets.take("a", 1000.0) for _ in range(4)] == [0, 0, 0, 2.0]


@given(st.lists(st.floats(0, 10), max_size=200), st.integers(1, 10), st.floats(0.1, 10))
def test_no_more_passes_than_burst_and_rate_allow(pauses: list[float], burst: int, per_s: float) -> None:
    buckets, now, passed = Rates(burst, per_s), 0.0, 0
    for pause in pauses:
        now += pause
        passed += buckets.take("a", now) == 0
    assert passed <= burst + now * per_s + 1e-6


def test_a_clock_that_goes_back_gives_nothing() -> None:
    buckets = Rates(1, 1.0)
    assert buckets.take("a", 10.0) == 0
    assert buckets.take("a", 5.0) == 1.0


def test_memory_is_bounded() -> None:
    buckets = Rates(1, 1.0)
    for number in range(rates.MOST_KEYS + 100):
        buckets.take(number, 0.0)
    assert len(buckets._buckets) == rates.MOST_KEYS
