"""Sizes, ages and tables."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.cli import output

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (14_230, "14.2 kB"),
        (1_000_000, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert output.size(count) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")])
def test_numbers(count: int, shown: str) -> None:
    assert output.number(count, "file") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "just now"),
        (7, "7 seconds ago"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86400 * 3, "3 days ago"),
        (86400 * 62, "2 months ago"),
        (86400 * 800, "2 years ago"),
        (-86400 * 90, "in 3 months"),
    ],
)
def test_ages(seconds: int, shown: str) -> None:
    moment = (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert output.age(moment, NOW) == shown


def test_what_never_was_is_never() -> None:
    assert output.age(None) == "never"


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("NAME", "FILES", ""), [("a", "1", "live"), ("longer", "1,000", "")])
    assert capsys.readouterr().out == "NAME    FILES\na           1  live\nlonger  1,000\n"


def test_a_table_without_rows_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("NAME", "FILES"), [])
    assert capsys.readouterr().out == "NAME  FILES\n"


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_no_text_moves_the_cursor(text: str) -> None:
    shown = output.plain(text)
    assert len(shown) == len(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


def test_a_cell_with_escapes_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("MESSAGE",), [("\x1b[2Jgone\nnext",)])
    output.facts([("message", "a\rb")])
    assert capsys.readouterr().out == "MESSAGE\n\ufffd[2Jgone\ufffdnext\nmessage  a\ufffdb\n"
