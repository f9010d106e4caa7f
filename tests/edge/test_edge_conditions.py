"""Conditions and ranges (RFC 9110 13 and 14)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.edge.conditions import evaluate, parse_date, parse_ranges, parse_tags, range_applies

TAG = b'"abc"'
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = b"Sun, 06 Nov 1994 08:49:36 GMT"
LATER = b"Sun, 06 Nov 1994 08:49:38 GMT"
MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
QUICK = settings(max_examples=150, deadline=None)

DATES = [
    (DATE, MOMENT),
    (b"Sunday, 06-Nov-94 08:49:37 GMT", MOMENT),
    (b"Sun Nov  6 08:49:37 1994", MOMENT),
    (b"Sun Nov 16 08:49:37 1994", MOMENT.replace(day=16)),
    (b"Sunday, 06-Nov-26 08:49:37 GMT", MOMENT.replace(year=2026)),
    (b"", None),
    (b"yesterday", None),
    (b"Sun, 32 Nov 1994 08:49:37 GMT", None),
    (b"Sun, 06 Nov 1994 25:49:37 GMT", None),
    (b"Sun, 06-Foo-94 08:49:37 GMT", None),
    (b"\xff\xfe", None),
    (b"0", None),
    (b"Sun, 06 Nov 1994 08:49:37 GMT" + b" " * 50, None),
]


@pytest.mark.parametrize(("value", "moment"), DATES)
def test_dates(value: bytes, moment: datetime | None) -> None:
    assert parse_date(value) == moment


TAGS = [
    (b"*", [b"*"]),
    (b" * ", [b"*"]),
    (b'"a"', [b'"a"']),
    (b'W/"a"', [b'W/"a"']),
    (b'"a", W/"b" ,"c"', [b'"a"', b'W/"b"', b'"c"']),
    (b'"a",, ,"b"', [b'"a"', b'"b"']),
    (b'"a,b"', [b'"a,b"']),
    (b'""', [b'""']),
    (b'"\xe4"', [b'"\xe4"']),
    (b"", None),
    (b", ,", None),
    (b"a", None),
    (b'"a', None),
    (b'a"', None),
    (b'"a" "b"', None),
    (b'w/"a"', None),
    (b'"a b"', None),
    (b'"a", *', None),
]


@pytest.mark.parametrize(("value", "tags"), TAGS)
def test_tags(value: bytes, tags: list[bytes] | None) -> None:
    assert parse_tags(value) == tags


# RFC 9110 13.2.2, in its order
PRECEDENCE = [
    ({}, 200),
    ({b"if-match": TAG}, 200),
    ({b"if-match": b"*"}, 200),
    ({b"if-match": b'"x", "abc"'}, 200),
    ({b"if-match": b'"x"'}, 412),
    ({b"if-match": b'W/"abc"'}, 412),
    ({b"if-match": b"abc"}, 412),
    ({b"if-match": TAG, b"if-unmodified-since": EARLIER}, 200),
    ({b"if-unmodified-since": EARLIER}, 412),
    ({b"if-unmodified-since": DATE}, 200),
    ({b"if-unmodified-since": LATER}, 200),
    ({b"if-unmodified-since": b"nonsense"}, 200),
    ({b"if-none-match": TAG}, 304),
    ({b"if-none-match": b'W/"abc"'}, 304),
    ({b"if-none-match": b'"x", W/"abc"'}, 304),
    ({b"if-none-match": b"*"}, 304),
    ({b"if-none-match": b'"x"'}, 200),
    ({b"if-none-match": b"abc"}, 200),
    ({b"if-none-match": b'"x"', b"if-modified-since": LATER}, 200),
    ({b"if-none-match": b"broken", b"if-modified-since": LATER}, 200),
    ({b"if-modified-since": DATE}, 304),
    ({b"if-modified-since": LATER}, 304),
    ({b"if-modified-since": EARLIER}, 200),
    ({b"if-modified-since": b"Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
    ({b"if-modified-since": b"nonsense"}, 200),
    ({b"if-match": TAG, b"if-none-match": TAG}, 304),
    ({b"if-match": b'"x"', b"if-none-match": TAG}, 412),
    ({b"if-unmodified-since": EARLIER, b"if-modified-since": LATER}, 412),
    ({b"if-unmodified-since": LATER, b"if-modified-since": LATER}, 304),
]


@pytest.mark.parametrize(("headers", "status"), PRECEDENCE)
def test_precedence(headers: dict[bytes, bytes], status: int) -> None:
    assert evaluate(headers, TAG, DATE) == status


def test_a_weak_tag_of_ours_is_never_strong() -> None:
    assert evaluate({b"if-match": b'W/"abc"'}, b'W/"abc"', DATE) == 412
    assert evaluate({b"if-none-match": TAG}, b'W/"abc"', DATE) == 304


def test_without_validators_nothing_matches() -> None:
    assert evaluate({b"if-modified-since": DATE}, b"", b"") == 200
    assert evaluate({b"if-unmodified-since": DATE}, b"", b"") == 200
    assert evaluate({b"if-none-match": b'""'}, b"", b"") == 200
    assert evaluate({b"if-match": b'""'}, b"", b"") == 412


IF_RANGE = [
    (None, True),
    (TAG, True),
    (b'"x"', False),
    (b'W/"abc"', False),
    (DATE, True),
    (LATER, False),
    (EARLIER, False),
    (b"Sunday, 06-Nov-94 08:49:37 GMT", False),
    (b"", False),
    (b"*", False),
]


@pytest.mark.parametrize(("value", "applies"), IF_RANGE)
def test_if_range(value: bytes | None, applies: bool) -> None:
    assert range_applies(value, TAG, DATE) is applies


def test_if_range_wants_a_strong_tag_and_a_date() -> None:
    assert not range_applies(b'W/"abc"', b'W/"abc"', DATE)
    assert not range_applies(b"", TAG, b"")


RANGES = [
    (b"bytes=0-9", 100, [(0, 10)]),
    (b"bytes=0-", 100, [(0, 100)]),
    (b"bytes=99-", 100, [(99, 1)]),
    (b"bytes=90-200", 100, [(90, 10)]),
    (b"bytes=-10", 100, [(90, 10)]),
    (b"bytes=-200", 100, [(0, 100)]),
    (b"BYTES = 0-0", 100, [(0, 1)]),
    (b"bytes= 0 - 0 ,\t2-2 ", 100, [(0, 1), (2, 1)]),
    (b"bytes=0-0,,2-2,", 100, [(0, 1), (2, 1)]),
    (b"bytes=5-5,1-1", 100, [(5, 1), (1, 1)]),
    (b"bytes=0-0,200-300", 100, [(0, 1)]),
    (b"bytes=0-99999999999999999999999999", 100, [(0, 100)]),
    (b"bytes=-99999999999999999999999999", 100, [(0, 100)]),
    (b"bytes=" + b",".join([b"1-1"] * 16), 100, [(1, 1)] * 16),
    (b"bytes=100-", 100, []),
    (b"bytes=100-200", 100, []),
    (b"bytes=-0", 100, []),
    (b"bytes=9-5", 100, []),
    (b"bytes=99999999999999999999999999-", 100, []),
    (b"bytes=0-", 0, None),
    (b"bytes=-5", 0, None),
    (b"bytes=5-", 0, []),
    (b"bytes=" + b",".join([b"1-1"] * 17), 100, None),
    (b"bytes=0-,0-", 100, None),
    (b"bytes=0-60,50-99", 100, None),
    (b"items=0-9", 100, None),
    (b"bytes", 100, None),
    (b"bytes=", 100, None),
    (b"bytes=,", 100, None),
    (b"bytes=-", 100, None),
    (b"bytes=a-b", 100, None),
    (b"bytes=1", 100, None),
    (b"bytes=1-2-3", 100, None),
    (b"bytes=+1-2", 100, None),
    (b"bytes=0x1-2", 100, None),
    (b"bytes=1.0-2", 100, None),
    (b"bytes=--5", 100, None),
    (b"bytes=0-9;x", 100, None),
    ("bytes=٠-٩".encode(), 100, None),
    (b"", 100, None),
]


@pytest.mark.parametrize(("value", "length", "ranges"), RANGES)
def test_ranges(value: bytes, length: int, ranges: list[tuple[int, int]] | None) -> None:
    assert parse_ranges(value, length) == ranges


range_text = st.lists(st.sampled_from([b"0", b"1", b"9", b"-", b",", b" ", b"=", b"bytes=", b"99999999999999999999"]))


@QUICK
@given(
    st.one_of(st.binary(max_size=40), range_text.map(b"".join).map(lambda text: b"bytes=" + text)), st.integers(0, 50)
)
def test_ranges_lie_inside(value: bytes, length: int) -> None:
    ranges = parse_ranges(value, length)
    if ranges:
        assert len(ranges) <= 16
        assert sum(size for _, size in ranges) <= length
        assert all(offset >= 0 and size > 0 and offset + size <= length for offset, size in ranges)


@QUICK
@given(st.binary(max_size=60))
def test_nothing_raises(value: bytes) -> None:
    parse_date(value)
    parse_tags(value)
    for name in (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"):
        assert evaluate({name: value}, TAG, DATE) in (200, 304, 412)
    range_applies(value, TAG, DATE)


@QUICK
@given(st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)))
def test_all_three_forms_say_the_same(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"):
        assert parse_date(moment.strftime(form).encode()) == moment
