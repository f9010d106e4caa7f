"""`/api/settings`: what the owner may choose, what counts and why, and what was chosen before.

Rule: a change is checked whole before anything of it is kept, and counts in this process before it is answered.
"""

from dataclasses import fields
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from fazt.api import shapes
from fazt.api.access import Admin
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, answer, list_answer, number_cursor, whole_list
from fazt.api.auditing import Act, Audit
from fazt.api.preconditions import IfMatch, held_to, revision_of_fields
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth.tokens import Principal
from fazt.settings import HIDDEN, LARGEST, LiveSettings, Settings, Value, check_value, find, is_secret, variable
from fazt.store import settings as store
from fazt.store.database import Database
from fazt.store.settings import SettingChange

MOST_VALUES = 500
Given = StrictStr | StrictInt | StrictFloat


class NewSetting(BaseModel):
    """The value that a setting is to have."""

    model_config = ConfigDict(extra="forbid")
    value: Given


class NewSettings(BaseModel):
    """Several values at once, null: back to the default; `replace`: what is not named goes back to its default too."""

    model_config = ConfigDict(extra="forbid")
    values: Annotated[dict[str, Given | None], Field(max_length=MOST_VALUES)]
    replace: bool = False


class Return(BaseModel):
    """The change behind which the settings are to be as they were; none: undo the last one; 0: all defaults."""

    model_config = ConfigDict(extra="forbid")
    number: Annotated[int | None, Field(ge=0, le=LARGEST)] = None


class SettingsCalls:
    """The calls about settings."""

    def __init__(self, database: Database, live: LiveSettings) -> None:
        self._database = database
        self._audit = Audit(database)
        self._live = live

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/settings", self.list_all, methods=["GET"])
        app.add_api_route("/api/settings", self.change, methods=["PATCH"])
        app.add_api_route("/api/settings/history", self.history, methods=["GET"])
        app.add_api_route("/api/settings/rollback", self.roll_back, methods=["POST"])
        app.add_api_route("/api/settings/{name}", self.show, methods=["GET"])
        app.add_api_route("/api/settings/{name}", self.set_one, methods=["PUT"])
        app.add_api_route("/api/settings/{name}", self.unset_one, methods=["DELETE"])

    async def list_all(self, caller: Admin) -> Answer[Page[shapes.Setting]]:
        """List all settings with what they are, what counts, and where that comes from."""
        return answer(whole_list([self._json(each.name) for each in fields(Settings)]))

    async def show(self, caller: Admin, name: str) -> Answer[shapes.Setting]:
        """Show a setting, and what each source says of it."""
        return answer(self._json(name))

    async def set_one(
        self, caller: Admin, name: str, body: NewSetting, if_match: IfMatch = None
    ) -> Answer[shapes.Setting]:
        """Set a setting; with `If-Match` only one of that revision."""
        value = check_value(name, body.value)
        await self._write(caller, name, store.change, {name: value}, if_match)
        return answer(self._json(name))

    async def unset_one(self, caller: Admin, name: str, if_match: IfMatch = None) -> Answer[shapes.Setting]:
        """Set a setting back to its default. `If-Match` as for setting it."""
        find(name)
        await self._write(caller, name, store.change, {name: None}, if_match)
        return answer(self._json(name))

    async def change(self, caller: Admin, body: NewSettings) -> Answer[Page[shapes.Setting]]:
        """Set several settings at once: all of them, or none where one cannot be."""
        wanted = {name: None if value is None else check_value(name, value) for name, value in body.values.items()}
        for name in wanted:
            find(name)
        if body.replace:
            chosen = {name: value for name, value in wanted.items() if value is not None}
            await self._write(caller, "", store.replace, chosen)
        else:
            await self._write(caller, "", store.change, wanted)
        return await self.list_all(caller)

    async def history(
        self, caller: Admin, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.SettingChange]]:
        """List the changes of the settings, newest first."""
        found = await self._database.read(store.history, number_cursor(after), limit + 1)
        return answer(list_answer(found, limit, _change_json, lambda change: str(change.number)))

    async def roll_back(self, caller: Admin, body: Return) -> Answer[Page[shapes.Setting]]:
        """Set everything as it was before."""
        await self._write(caller, "", store.roll_back, body.number)
        return await self.list_all(caller)

    async def _write(
        self, caller: Principal, subject: str, function: Any, wanted: Any, if_match: str | None = None
    ) -> None:
        check = held_to(if_match, store.find_shown, lambda chosen: _revision(subject, chosen.get(subject)))
        act = Act("setting.change", subject or "settings", look=store.find_shown, check=check)
        await self._audit.write_always(caller, act, function, caller.actor, wanted)  # one of them ends a read-only time
        self._live.take(await self._database.read(store.find_all))

    def _json(self, name: str) -> shapes.Setting:
        setting, said = find(name), self._live.because(name)
        counts = next(each for each in said if each.value is not None)
        about = setting.metadata
        default: Value = getattr(Settings(), name)
        value: Value = getattr(self._live.now, name)
        chosen = next(each.value for each in said if each.source == "database")
        return {
            "name": name,
            "type": type(default).__name__,
            "default": default,
            "value": _shown(name, value),
            "unit": about["unit"],
            "help": about["help"],
            "choices": list(about["choices"]),
            "low": about["low"],
            "high": None if about["high"] >= LARGEST else about["high"],
            "variable": variable(name),
            "source": counts.source,
            "because": [
                {"source": each.source, "value": None if each.value is None else _shown(name, each.value)}
                for each in said
            ],
            "secret": about["secret"],
            "live": about["live"],
            "restart_needed": name in self._live.waiting,
            "revision": _revision(name, None if chosen is None else _shown(name, chosen)),
            "editable": counts.source in ("database", "default"),
        }


def _shown(name: str, value: Value) -> Value:
    """Return a value as it may be shown: of a secret, whether there is one."""
    return HIDDEN if is_secret(name) and value != "" else value


def _revision(name: str, chosen: Value | None) -> str:
    return revision_of_fields(name, chosen)


def _change_json(change: SettingChange) -> shapes.SettingChange:
    changed: list[shapes.ChangedSetting] = [
        {"name": name, "before": old, "after": new} for name, (old, new) in sorted(change.changed.items())
    ]
    return {"number": change.number, "at": iso(change.at), "actor": change.actor, "changed": changed}
