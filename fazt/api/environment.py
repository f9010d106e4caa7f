"""`/api/sites/{site}/env` and `/secrets`: what a site's functions are started with.

Who may deploy may write both: whoever puts code into a site can read all of it there anyway. Rule: a secret goes in and
never comes out.
"""

from typing import Annotated

import apsw
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Deployer, Reader
from fazt.api.answers import Answer, NoContent, answer, whole_list
from fazt.api.auditing import Act, Audit
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.data import environment
from fazt.store.database import Database
from fazt.store.environment import Variable


class NewValue(BaseModel):
    """The value that a name is to have."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    value: Annotated[str, Field(repr=False)]


class EnvironmentCalls:
    """The calls about variables and secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = Audit(database)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/sites/{site}/env", self.list_env, methods=["GET"])
        app.add_api_route("/api/sites/{site}/env/{name}", self.set_variable, methods=["PUT"])
        app.add_api_route("/api/sites/{site}/env/{name}", self.remove_variable, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/sites/{site}/secrets", self.list_secrets, methods=["GET"])
        app.add_api_route("/api/sites/{site}/secrets/{name}", self.set_secret, methods=["PUT"])
        app.add_api_route("/api/sites/{site}/secrets/{name}", self.remove_secret, methods=["DELETE"], status_code=204)

    async def list_env(self, caller: Reader, site: str) -> Answer[Page[shapes.Variable]]:
        """List the variables of a site with their values, in order of their names."""
        return answer(await self._database.read(_list_env, site))

    async def set_variable(self, caller: Deployer, site: str, name: str, body: NewValue) -> Answer[shapes.Variable]:
        """Give a variable a value."""
        act = Act("env.set", name, site)
        made = await self._audit.write(caller, act, environment.put, site, name, body.value, False)
        return answer({**_json(made), "value": body.value})

    async def remove_variable(self, caller: Deployer, site: str, name: str) -> NoContent:
        """Take a variable away."""
        await self._audit.write(caller, Act("env.remove", name, site), environment.remove, site, name, False)
        return NoContent()

    async def list_secrets(self, caller: Reader, site: str) -> Answer[Page[shapes.Secret]]:
        """List the names of a site's secrets."""
        return answer(await self._database.read(_list_secrets, site))

    async def set_secret(self, caller: Deployer, site: str, name: str, body: NewValue) -> Answer[shapes.Secret]:
        """Give a secret a value, which is never shown again."""
        act = Act("secret.set", name, site)
        return answer(_json(await self._audit.write(caller, act, environment.put, site, name, body.value, True)))

    async def remove_secret(self, caller: Deployer, site: str, name: str) -> NoContent:
        """Take a secret away."""
        await self._audit.write(caller, Act("secret.remove", name, site), environment.remove, site, name, True)
        return NoContent()


def _json(variable: Variable) -> shapes.Secret:
    return {"name": variable.name, "updated_at": iso(variable.updated_at)}


def _list_env(connection: apsw.Connection, site: str) -> Page[shapes.Variable]:
    found = environment.list_env(connection, site)
    return whole_list([{**_json(variable), "value": value} for variable, value in found])


def _list_secrets(connection: apsw.Connection, site: str) -> Page[shapes.Secret]:
    return whole_list([_json(variable) for variable in environment.list_secrets(connection, site)])
