"""Schedules: what can be written, when it happens, and what clocks that are put forward and back do to it."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidInput
from fazt.sites.schedule import Schedule, find_zone, parse_duration_s, parse_schedule

# Every rule that is in use from 2024 on, and every odd one: half hours, two hours, Ramadan, southern, across midnight.
ZONES = """
    Africa/Cairo Africa/Casablanca Africa/El_Aaiun Africa/Lagos America/Anchorage America/Asuncion America/Bogota
    America/Chicago America/Denver America/Halifax America/Havana America/Los_Angeles America/Mexico_City
    America/Miquelon America/New_York America/Nuuk America/Phoenix America/Port-au-Prince America/Santiago
    America/Scoresbysund America/St_Johns America/Sao_Paulo Antarctica/Casey Antarctica/Troll Asia/Almaty Asia/Beirut
    Asia/Gaza Asia/Hebron Asia/Jerusalem Asia/Kathmandu Asia/Kolkata Asia/Tehran Asia/Tokyo Atlantic/Azores
    Atlantic/Stanley Australia/Adelaide Australia/Brisbane Australia/Eucla Australia/Lord_Howe Australia/Sydney
    Europe/Berlin Europe/Chisinau Europe/Dublin Europe/Kyiv Europe/Lisbon Europe/London Pacific/Apia
    Pacific/Auckland Pacific/Chatham Pacific/Easter Pacific/Fiji Pacific/Kiritimati Pacific/Norfolk UTC
""".split()
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2031, 1, 1, tzinfo=UTC)
MINUTE = 60_000


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def at(text: str) -> int:
    return ms(datetime.fromisoformat(text))


def changes_of(zone: ZoneInfo) -> list[datetime]:
    """Return the hours (UTC) in 2024-2030 after which the offset is another."""
    found = []
    for day in range((END - BEGIN).days):
        hours = [BEGIN + timedelta(days=day, hours=hour) for hour in range(25)]
        if hours[0].astimezone(zone).utcoffset() != hours[-1].astimezone(zone).utcoffset():
            offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
            found += [hours[at] for at in range(24) if offsets[at] != offsets[at + 1]]
    return found


def matcher(expression: str) -> tuple[set[int], ...]:
    """Read an expression in the slow, plain way: which numbers each field allows."""
    sets = []
    for text, (low, high) in zip(expression.split(), ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6)), strict=True):
        allowed: set[int] = set()
        for part in text.split(","):
            numbers, _, step = part.partition("/")
            first, _, last = numbers.partition("-")
            if numbers == "*":
                first, last = str(low), str(high)
            allowed |= set(range(int(first), int(last or first) + 1, int(step or 1)))
        sets.append(allowed)
    return tuple(sets)


def matches(local: datetime, sets: tuple[set[int], ...], expression: str) -> bool:
    minute, hour, day, month, weekday = sets
    if local.minute not in minute or local.hour not in hour or local.month not in month:
        return False
    by_day, by_weekday = local.day in day, local.isoweekday() % 7 in {number % 7 for number in weekday}
    _, _, day_text, _, weekday_text = expression.split()
    if "*" in (day_text, weekday_text):
        return by_day and by_weekday
    return by_day or by_weekday


Walk = list[tuple[datetime, list[datetime]]]


def walk(zone: ZoneInfo, begin: datetime, end: datetime) -> Walk:
    """Return the minutes between two moments and the local minutes that happen in each: the reference of the rule.

    A local minute happens when it comes for the first time. Those that a change leaps over happen at the change.
    """
    walked: Walk = []
    seen: set[datetime] = set()
    now = begin - timedelta(hours=4)
    last = now.astimezone(zone).replace(tzinfo=None, fold=0)
    while now < end:
        local = now.astimezone(zone).replace(tzinfo=None, fold=0)
        happening = []
        leapt = last + timedelta(minutes=1)
        while leapt < local:
            happening.append(leapt)
            leapt += timedelta(minutes=1)
        happening = [each for each in [*happening, local] if each not in seen]
        seen.update(happening)
        if now > begin:
            walked.append((now, happening))
        last = local
        now += timedelta(minutes=1)
    return walked


def moments(expression: str, walked: Walk) -> list[int]:
    """Return when an expression matches, by looking at every minute."""
    sets = matcher(expression)
    return [ms(now) for now, happening in walked if any(matches(each, sets, expression) for each in happening)]


def found_between(schedule: Schedule, begin: datetime, end: datetime) -> list[int]:
    return list(takewhile(lambda moment: moment < ms(end), schedule.upcoming(ms(begin))))


@pytest.mark.parametrize("zone", ZONES)
def test_each_local_time_happens_once(zone: str) -> None:
    """Around every change of the clocks in seven years, forwards and backwards, against the reference."""
    expressions = ("30 2 * * *", "*/20 * * * *", "5 0-3 * * *", "0 0 * * *", "59 23 * * *", "15 1,2 * * 0")
    for number, change in enumerate(changes_of(ZoneInfo(zone)) or [datetime(2024, 3, 31, tzinfo=UTC)]):
        begin, end = change - timedelta(hours=5), change + timedelta(hours=5)
        walked = walk(ZoneInfo(zone), begin, end)
        for expression in expressions if number < 2 else expressions[number % 5 : number % 5 + 2]:
            schedule = parse_schedule(expression, zone)
            expected = moments(expression, walked)
            assert found_between(schedule, begin, end) == expected, (expression, change)
            for until in range(ms(begin), ms(end), 71 * MINUTE):
                back = [moment for moment in expected if moment <= until][::-1]
                assert schedule.latest(until, ms(begin) + 1, 1000) == back, (expression, change, until)


def test_the_zones_are_many_and_change_a_lot() -> None:
    assert len(ZONES) >= 40
    assert sum(map(bool, map(changes_of, map(ZoneInfo, ZONES[::4])))) >= 8


def test_the_rule_in_words() -> None:
    night = parse_schedule("30 2 * * *", "Europe/Berlin")
    skipped = [at("2024-03-30T01:30+00:00"), at("2024-03-31T01:00+00:00"), at("2024-04-01T00:30+00:00")]
    assert list(islice(night.upcoming(at("2024-03-30T00:00+00:00")), 3)) == skipped
    repeated = [at("2024-10-26T00:30+00:00"), at("2024-10-27T00:30+00:00"), at("2024-10-28T01:30+00:00")]
    assert list(islice(night.upcoming(at("2024-10-26T00:00+00:00")), 3)) == repeated


FIELD = {
    "minute": st.sampled_from(["*", "0", "59", "*/7", "10-20", "10-20/3", "0,30", "5,15-17"]),
    "hour": st.sampled_from(["*", "0", "23", "*/5", "8-18/2", "1,2,3"]),
    "day": st.sampled_from(["*", "1", "31", "*/9", "10-12", "28,29,30"]),
    "month": st.sampled_from(["*", "2", "*/3", "6-8", "1,12"]),
    "weekday": st.sampled_from(["*", "0", "7", "1-5", "*/2", "6,0", "5-7"]),
}


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(*FIELD.values()).map(" ".join),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 1), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
)
def test_expressions_against_the_reference(expression: str, begin: datetime, zone: str) -> None:
    begin = begin.replace(second=0, microsecond=0)
    end = begin + timedelta(days=1)
    if expression.split()[2:] == ["31", "2", "*"]:
        with pytest.raises(InvalidInput, match="never happens"):
            parse_schedule(expression, zone)
        return
    assert found_between(parse_schedule(expression, zone), begin, end) == moments(
        expression, walk(ZoneInfo(zone), begin, end)
    )


@settings(deadline=None, max_examples=200)
@given(st.integers(10, 400_000), st.integers(0, 2**42), st.integers(1, 50))
def test_periods_are_multiples_since_1970(period_s: int, now: int, limit: int) -> None:
    schedule = parse_schedule(f"every {period_s}s")
    following = schedule.after(now)
    assert following is not None
    assert following % (period_s * 1000) == 0
    assert 0 < following - now <= period_s * 1000
    latest = schedule.latest(now, now - 10 * period_s * 1000, limit)
    assert len(latest) in (min(limit, 10), min(limit, 11))
    assert all(schedule.after(moment - 1) == moment for moment in latest)
    assert latest == sorted(latest, reverse=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("every 90s", 90),
        ("every 1h30m", 5400),
        ("every 1h 30m", 5400),
        ("every 15 minutes", 900),
        ("Every  15 Min", 900),
        ("every hour", 3600),
        ("every day", 86_400),
        ("every 2 weeks", 14 * 86_400),
        ("every 10 sec", 10),
    ],
)
def test_periods(text: str, seconds: int) -> None:
    assert parse_schedule(text).every_ms == seconds * 1000


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("@daily", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
        ("  5  4 * * sun ", "5 4 * * 0"),
        ("0 0 1 jan-mar/2,dec *", "0 0 1 1-3/2,12 *"),
        ("*/59 */23 */30 */11 */6", "*/59 */23 */30 */11 */6"),
        ("0 0 29 2 *", "0 0 29 2 *"),
    ],
)
def test_expressions(text: str, expression: str) -> None:
    assert parse_schedule(text) == Schedule(text, None, expression, "UTC")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'A schedule is "every 15m"'),
        ("x" * 300, "A schedule is"),
        ("5 4 * * \x00", "A schedule is"),
        ("every", "A length of time"),
        ("every 5", "A length of time"),
        ("every 1h1h", "each unit once"),
        ("every 1.5h", "A length of time"),
        ("every 9s", "shortest period is 10 s"),
        ("every 0m", "shortest period"),
        ("every 367 days", "longest 366 days"),
        ("every 999999999 weeks", "longest"),
        ("every 1 month", "A length of time"),
        ("@reboot", "@reboot is not known"),
        ("hourly", "five fields"),
        ("* * * *", "this one has 4"),
        ("*/5 * * * * *", "For seconds write every 30s"),
        ("*/90 * * * *", r"The step of '\*/90' is larger than the minute goes"),
        ("*/60 * * * *", "larger than"),
        ("0 */24 * * *", "larger than the hour"),
        ("0 0 */31 * *", "larger than the day of the month"),
        ("0 0 * */12 *", "larger than the month"),
        ("0 0 * * */7", "larger than the day of the week"),
        ("10-20/15 * * * *", "larger than"),
        ("*/0 * * * *", "larger than"),
        ("5/15 * * * *", "a step needs a range"),
        ("22-2 * * * *", "runs backwards"),
        ("60 * * * *", "'60' is not a minute; those go from 0 to 59"),
        ("0 24 * * *", "not a hour"),
        ("0 0 0 * *", "not a day of the month"),
        ("0 0 * 13 *", "not a month"),
        ("0 0 * * 8", "not a day of the week"),
        ("0 0 * * monday", "cannot be understood"),
        ("0 0 L * *", "not a day of the month"),
        ("0 0 ? * *", "cannot be understood"),
        ("H * * * *", "not a minute"),
        ("0 0 * * 5#3", "cannot be understood"),
        ("-1 * * * *", "cannot be understood"),
        ("1,,2 * * * *", "cannot be understood"),
        ("٣ * * * *", "cannot be understood"),
        ("0 0 30 2 *", "never happens"),
        ("0 0 31 4,6,9,11 *", "never happens"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_schedule(text)


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Olympus", "America", "../../etc/passwd", "/etc/passwd", "localtime", "right/UTC", "zone.tab", "\0"],
)
def test_unknown_zones(name: str) -> None:
    with pytest.raises(InvalidInput, match="There is no time zone"):
        parse_schedule("@daily", name)


def test_a_zone_says_nothing_to_a_period() -> None:
    with pytest.raises(InvalidInput, match="tz means nothing"):
        parse_schedule("every 1h", "Europe/Berlin")


def test_lengths_of_time() -> None:
    assert parse_duration_s("1d 2h 3m 4s") == 93_784
    assert parse_duration_s("0s") == 0
    for wrong in ("", "1", "s", "1x", "1s1s", "-1s", "1h-", "9999999999s"):
        with pytest.raises(InvalidInput):
            parse_duration_s(wrong)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=20) | st.text("0123456789*/,-@ every mhd", max_size=20), st.text(max_size=12) | st.none())
def test_any_text_is_refused_or_has_a_next_time(text: str, zone: str | None) -> None:
    try:
        schedule = parse_schedule(text, zone)
    except InvalidInput:
        return
    following = schedule.after(1_800_000_000_000)
    assert following is not None
    assert following > 1_800_000_000_000


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_the_zone_of_the_machine_does_not_matter() -> None:
    every_half_hour = parse_schedule("*/30 * * * *", "UTC")
    begin = at("2024-03-31T00:00+00:00")
    assert list(islice(every_half_hour.upcoming(begin), 6)) == [begin + n * 30 * MINUTE for n in range(1, 7)]


def test_the_calendar_ends() -> None:
    assert parse_schedule("@yearly").after(ms(datetime(9000, 12, 31, tzinfo=UTC))) is None
    assert find_zone("Europe/Berlin").key == "Europe/Berlin"
