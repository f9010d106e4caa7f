"""Who has to wait before the next guess, and who never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.auth import attempts
from fazt.auth.attempts import Attempts, neighbourhood
from fazt.errors import TooManyAttempts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def waits(counter: Attempts, address: str, account: str | None = None, *, known: bool = False) -> int:
    try:
        counter.check(address, account, known=known)
    except TooManyAttempts as error:
        seconds: int = error.details["retry_after_s"]
        return seconds
    return 0


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    clock = Clock()
    counter = Attempts(clock)
    seen = []
    for _ in range(20):
        counter.begin("192.0.2.1")
        seen.append(waits(counter, "192.0.2.1"))
        clock.now += seen[-1]
    assert seen[:8] == [0, 0, 0, 0, 3, 5, 9, 17]
    assert max(seen) == 901
    assert waits(counter, "192.0.2.2") == 0
    clock.now += 3601
    counter.begin("192.0.2.1")
    assert waits(counter, "192.0.2.1") == 0


def test_an_account_under_attack_lets_its_owner_in_from_where_they_were_before() -> None:
    counter = Attempts(Clock())
    for number in range(200):
        counter.begin(f"198.51.100.{number}", "ann")
    assert waits(counter, "203.0.113.9", "ann") > 0
    assert waits(counter, "203.0.113.9", "ann", known=True) == 0
    assert waits(counter, "203.0.113.9", "bob") == 0


def test_success_takes_back_what_was_counted() -> None:
    counter = Attempts(Clock())
    for _ in range(100):
        counter.begin("192.0.2.1", "ann")
        counter.succeeded("192.0.2.1", "ann")
    assert waits(counter, "192.0.2.1", "ann") == 0
    assert waits(counter, "192.0.2.2", "ann") == 0


def test_a_network_of_ipv6_counts_as_one() -> None:
    counter = Attempts(Clock())
    for number in range(10):
        counter.begin(f"2001:db8:0:1::{number}")
    assert waits(counter, "2001:db8:0:1:ffff::") > 0
    assert waits(counter, "2001:db8:0:2::1") == 0
    assert neighbourhood("::ffff:192.0.2.1") == "192.0.2.1"


@given(st.text())
def test_any_address_has_a_neighbourhood(text: str) -> None:
    assert isinstance(neighbourhood(text), str)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST_REMEMBERED", 100)
    counter = Attempts(Clock())
    for number in range(1000):
        counter.begin(f"10.0.{number // 250}.{number % 250}", f"user{number}")
    assert len(counter._failures) == 100
