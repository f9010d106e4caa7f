"""The settings that the owner chose, and all versions of them.

What a name and a value may be is decided in `fazt.settings`. Rule: settings change by `change` alone, which writes down
what they were; a change that changes nothing leaves no row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import apsw
import orjson

from fazt.errors import NotFound
from fazt.store import changes, rows
from fazt.store.clock import now_ms

Value = str | int | float
KIND = "setting"

ALL = "SELECT name, value FROM setting ORDER BY name"
PUT = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
REMOVE = "DELETE FROM setting WHERE name = ?"
ADD_CHANGE = "INSERT INTO setting_change (at, actor, changed, settings) VALUES (?, ?, ?, ?)"
HISTORY = """
    SELECT number, at, actor, changed FROM setting_change
    WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2
"""
AFTER = "SELECT settings FROM setting_change WHERE number = ?"
LAST = "SELECT max(number) FROM setting_change"
BEFORE = "SELECT settings FROM setting_change WHERE number < ? ORDER BY number DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One change: who changed what, from what to what; None: it was or is not set."""

    number: int
    at: int
    actor: str
    changed: dict[str, tuple[Value | None, Value | None]]


def find_all(connection: apsw.Connection) -> dict[str, Value]:
    """Return what is set, by name."""
    return {name: orjson.loads(value) for name, value in rows.fetch(connection, ALL)}


def change(connection: apsw.Connection, actor: str, wanted: Mapping[str, Value | None]) -> bool:
    """Set values, None: back to the default; return whether anything is different now."""
    present = find_all(connection)
    changed = {name: (present.get(name), value) for name, value in wanted.items() if present.get(name) != value}
    if not changed:
        return False
    for name, (_, value) in changed.items():
        if value is None:
            connection.execute(REMOVE, (name,))
        else:
            connection.execute(PUT, (name, orjson.dumps(value)))
        changes.add(connection, KIND, name)
    after = orjson.dumps(find_all(connection))
    connection.execute(ADD_CHANGE, (now_ms(), actor, orjson.dumps(changed), after))
    return True


def replace(connection: apsw.Connection, actor: str, wanted: Mapping[str, Value]) -> bool:
    """Set exactly these, and all others back to their defaults; return whether anything is different now."""
    return change(connection, actor, dict.fromkeys(find_all(connection)) | dict(wanted))


def roll_back(connection: apsw.Connection, actor: str, number: int | None) -> bool:
    """Set what was set right after change `number`, 0: nothing; None: what was set before the last change.

    Raises: NotFound.
    """
    if number is None:
        last = rows.value(connection, LAST)
        if last is None:
            raise NotFound("No setting was ever changed: there is nothing to go back to.")
        stored = rows.value(connection, BEFORE, (last,))
    elif number == 0:
        stored = None
    else:
        stored = rows.value(connection, AFTER, (number,))
        if stored is None:
            raise NotFound(f"There is no change {number} of the settings; `fazt config history` shows them.")
    return replace(connection, actor, {} if stored is None else orjson.loads(stored))


def history(connection: apsw.Connection, before: int | None, limit: int) -> list[SettingChange]:
    """Return at most `limit` changes, newest first, beginning behind the number `before`."""
    found = rows.fetch(connection, HISTORY, (before, limit))
    return [
        SettingChange(number, at, actor, {name: (old, new) for name, (old, new) in orjson.loads(changed).items()})
        for number, at, actor, changed in found
    ]
