"""Settings as they are kept: every change is written down and can be taken back."""

import apsw
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fazt.errors import NotFound
from fazt.store import changes, schema, settings
from fazt.store.database import Database


def test_a_change_is_kept_and_told(database: Database) -> None:
    assert database.write_blocking(settings.change, "user:ann", {"idle_timeout_s": 5.0, "domain": "example.org"})
    assert database.read_blocking(settings.find_all) == {"domain": "example.org", "idle_timeout_s": 5.0}
    told = [(change.kind, change.key) for change in database.read_blocking(changes.since, 0)]
    assert ("setting", "idle_timeout_s") in told
    assert ("setting", "domain") in told
    (row,) = database.read_blocking(settings.history, None, 10)
    assert (row.actor, row.changed) == ("user:ann", {"idle_timeout_s": (None, 5.0), "domain": (None, "example.org")})


def test_what_changes_nothing_leaves_no_row(database: Database) -> None:
    database.write_blocking(settings.change, "socket", {"max_connections": 7})
    assert not database.write_blocking(settings.change, "socket", {"max_connections": 7, "domain": None})
    assert len(database.read_blocking(settings.history, None, 10)) == 1


def test_going_back(database: Database) -> None:
    with pytest.raises(NotFound):
        database.write_blocking(settings.roll_back, "socket", None)
    for value in (1, 2, 3):
        database.write_blocking(settings.change, "socket", {"max_connections": value})
    database.write_blocking(settings.roll_back, "socket", None)
    assert database.read_blocking(settings.find_all) == {"max_connections": 2}
    database.write_blocking(settings.roll_back, "socket", 1)
    assert database.read_blocking(settings.find_all) == {"max_connections": 1}
    database.write_blocking(settings.roll_back, "socket", 0)
    assert database.read_blocking(settings.find_all) == {}
    with pytest.raises(NotFound, match="99"):
        database.write_blocking(settings.roll_back, "socket", 99)
    assert [row.number for row in database.read_blocking(settings.history, None, 10)] == [6, 5, 4, 3, 2, 1]


values = st.none() | st.integers(-1000, 1000) | st.text(max_size=5)
steps = st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=8)


@hypothesis_settings(deadline=None, max_examples=60)
@given(steps, st.data())
def test_every_state_can_be_returned_to(wanted: list[dict[str, int | str | None]], data: st.DataObject) -> None:
    connection = apsw.Connection(":memory:")
    for _, statements in schema.migrations():
        connection.execute(statements)
    states: list[dict[str, object]] = [{}]
    for each in wanted:
        present = {**states[-1], **each}
        if settings.change(connection, "socket", each):
            states.append({name: value for name, value in present.items() if value is not None})
        assert settings.find_all(connection) == states[-1]
    number = data.draw(st.integers(0, len(states) - 1))
    settings.roll_back(connection, "socket", number)
    assert settings.find_all(connection) == states[number]
