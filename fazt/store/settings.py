"""The settings that the owner chose, and all versions of them.

What a name and a value may be is decided in `fazt.settings`, and which are secret: those are sealed, in the versions
too. Rule: every change goes through `_write`, which writes down what was; one that changes nothing leaves no row.
"""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import apsw
import orjson

from fazt.errors import NotFound, SecretsLocked
from fazt.settings import HIDDEN, is_secret
from fazt.store import changes, rows, sealing
from fazt.store.clock import now_ms

Value = str | int | float
Kept = Value | dict[str, str]  # {SEALED: base64} of a secret
KIND = "setting"
SEALED = "sealed"
logger = logging.getLogger("fazt.store")

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
    """Return what is set, by name; a secret whose key is missing counts as not set, and is kept."""
    found: dict[str, Value] = {}
    for name, kept in _find_kept(connection).items():
        try:
            found[name] = _open(connection, name, kept)
        except SecretsLocked as error:
            logger.warning("the setting %s does not count: %s", name, error.message)
    return found


def find_shown(connection: apsw.Connection) -> dict[str, Value]:
    """Return what is set, by name, as it may be shown."""
    return {name: HIDDEN if isinstance(kept, dict) else kept for name, kept in _find_kept(connection).items()}


def change(connection: apsw.Connection, actor: str, wanted: Mapping[str, Value | None]) -> bool:
    """Set values, None: back to the default; return whether anything is different now. Raises: SecretsLocked."""
    present = _find_kept(connection)
    return _write(
        connection, actor, {name: _keep(connection, name, value, present.get(name)) for name, value in wanted.items()}
    )


def replace(connection: apsw.Connection, actor: str, wanted: Mapping[str, Value]) -> bool:
    """Set exactly these, and all others back to their defaults; return whether anything is different now.

    Secrets that are not named stay: what is shown or exported never has them.
    """
    others = [name for name in _find_kept(connection) if not is_secret(name)]
    return change(connection, actor, dict.fromkeys(others) | dict(wanted))


def _write(connection: apsw.Connection, actor: str, wanted: Mapping[str, Kept | None]) -> bool:
    present = _find_kept(connection)
    changed = {name: (present.get(name), value) for name, value in wanted.items() if present.get(name) != value}
    if not changed:
        return False
    for name, (_, value) in changed.items():
        if value is None:
            connection.execute(REMOVE, (name,))
        else:
            connection.execute(PUT, (name, orjson.dumps(value)))
        changes.add(connection, KIND, name)
    shown = {name: (_shown(before), _shown(after)) for name, (before, after) in changed.items()}
    connection.execute(ADD_CHANGE, (now_ms(), actor, orjson.dumps(shown), orjson.dumps(_find_kept(connection))))
    return True


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
    wanted: dict[str, Kept] = {} if stored is None else orjson.loads(stored)
    return _write(connection, actor, dict.fromkeys(_find_kept(connection)) | wanted)


def history(connection: apsw.Connection, before: int | None, limit: int) -> list[SettingChange]:
    """Return at most `limit` changes, newest first, beginning behind the number `before`."""
    found = rows.fetch(connection, HISTORY, (before, limit))
    return [
        SettingChange(number, at, actor, {name: (old, new) for name, (old, new) in orjson.loads(changed).items()})
        for number, at, actor, changed in found
    ]


def _find_kept(connection: apsw.Connection) -> dict[str, Kept]:
    return {name: orjson.loads(value) for name, value in rows.fetch(connection, ALL)}


def _keep(connection: apsw.Connection, name: str, value: Value | None, present: Kept | None) -> Kept | None:
    """Return a value as it is kept; of a secret that is the same as before, what is kept already."""
    if value is None or not is_secret(name):
        return value
    if present is not None and _open(connection, name, present) == value:
        return present
    sealed = sealing.seal(connection, str(value).encode(), "setting", name)
    return {SEALED: base64.b64encode(sealed).decode()}


def _open(connection: apsw.Connection, name: str, kept: Kept) -> Value:
    """Return the value that is kept. Raises: SecretsLocked, StoreCorrupt."""
    if not isinstance(kept, dict):
        return kept
    return sealing.open_sealed(connection, base64.b64decode(kept[SEALED]), "setting", name).decode()


def _shown(kept: Kept | None) -> Value | None:
    return HIDDEN if isinstance(kept, dict) else kept
