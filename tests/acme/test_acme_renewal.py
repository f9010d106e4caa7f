"""When a certificate is renewed, and when a failed order is tried again."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fazt.acme.renewal import HOUR_MS, PAUSES_MS, limit_ends, next_try_at, renew_at

DAY_MS = 24 * HOUR_MS
NAME = st.text("abc.-*", min_size=1, max_size=20)
NOW = 1_795_000_000_000  # 2026-11-18


@given(NAME, st.integers(0, NOW), st.integers(1, 400))
def test_renewal_comes_in_the_last_half_of_a_life_and_leaves_a_third(name: str, not_before: int, days: int) -> None:
    life = days * DAY_MS
    at = renew_at(name, not_before, not_before + life)
    assert not_before + life // 2 < at <= not_before + life - life // 3


def test_many_certificates_are_not_renewed_at_once() -> None:
    times = {renew_at(f"{number}.example.org", 0, 90 * DAY_MS) for number in range(100)}
    assert max(times) - min(times) > 3 * DAY_MS


def test_a_life_that_is_none() -> None:
    assert renew_at("a", 5, 5) == 5
    assert renew_at("a", 9, 5) == 5


@given(NAME, st.integers(1, 50))
def test_pauses_grow_to_a_day(name: str, failures: int) -> None:
    pause = next_try_at(name, NOW, failures, "") - NOW
    least = PAUSES_MS[min(failures, len(PAUSES_MS)) - 1]
    assert least <= pause <= least * 1.25


def test_a_limit_is_waited_for() -> None:
    said = "too many certificates (5) already issued: retry after 2026-11-20 10:00:00 UTC: see https://letsencrypt.org"
    ends = limit_ends(said)
    assert ends == 1_795_168_800_000
    assert ends <= next_try_at("a", NOW, 1, said) <= ends + 60_000
    assert limit_ends("retry after 2026-11-20T10:00:00Z") == ends
    assert next_try_at("a", NOW, 5, said.replace("11-20", "11-01")) > NOW  # over already
    assert next_try_at("a", NOW, 1, said.replace("2026", "2999")) < NOW + HOUR_MS  # nobody waits for that
    assert limit_ends("retry after 2026-13-45 99:00:00 UTC") is None


@given(st.text(max_size=100))
def test_any_words_are_no_limit_or_one(words: str) -> None:
    for said in (words, f"retry after {words}"):
        ends = limit_ends(said)
        assert ends is None or f"{datetime.fromtimestamp(ends / 1000, UTC):%H:%M:%S}" in said


@given(st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1)), st.sampled_from(["{} UTC", "{}Z"]))
def test_every_moment_is_read(moment: datetime, form: str) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    said = f"too many; Retry After {form.format(moment.strftime('%Y-%m-%d %H:%M:%S'))}: wait"
    assert limit_ends(said) == int(moment.timestamp()) * 1000
