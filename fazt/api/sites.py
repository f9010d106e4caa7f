"""`/api/sites`: the sites of the server."""

from collections.abc import Callable
from typing import Any

import apsw
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from fazt.api import shapes
from fazt.api.access import Admin, FilteredAdmin, FilteredReader, Reader, check
from fazt.api.answers import (
    DEFAULT_ITEMS,
    After,
    Answer,
    Limit,
    NoContent,
    answer,
    list_answer,
    site_json,
    site_revision,
)
from fazt.api.auditing import Act, Audit, Look
from fazt.api.preconditions import IfMatch, held_to
from fazt.api.shapes import Page
from fazt.errors import InvalidInput
from fazt.sites.hosting import Hosting
from fazt.sites.names import check_site_name
from fazt.store import sites
from fazt.store.database import Database


class NewSite(BaseModel):
    """A site that is to be made."""

    model_config = ConfigDict(extra="forbid")
    name: str


class SiteChange(BaseModel):
    """What is to change about a site."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    locked: bool | None = None


class Sites:
    """The calls about sites; `collect` is called when contents became unused."""

    def __init__(self, database: Database, hosting: Hosting, collect: Callable[[], None]) -> None:
        self._database = database
        self._audit = Audit(database)
        self._hosting = hosting
        self._collect = collect

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/sites", self.list_page, methods=["GET"])
        app.add_api_route("/api/sites", self.create, methods=["POST"], status_code=201)
        app.add_api_route("/api/sites/{site}", self.show, methods=["GET"])
        app.add_api_route("/api/sites/{site}", self.change, methods=["PATCH"])
        app.add_api_route("/api/sites/{site}", self.remove, methods=["DELETE"], status_code=204)

    async def list_page(
        self, caller: FilteredReader, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Site]]:
        """List the sites in order of their names."""
        return answer(await self._database.read(self._list, caller.sites, after, limit))

    async def create(self, caller: FilteredAdmin, body: NewSite) -> Answer[shapes.Site]:
        """Make a site without any version."""
        name = check_site_name(body.name)
        check(caller, "admin", name)
        return answer(await self._audit.write(caller, Act("site.create", name, name), self._create, name), 201)

    async def show(self, caller: Reader, site: str) -> Answer[shapes.Site]:
        """Show a site."""
        return answer(await self._database.read(self._show, site))

    async def change(self, caller: Admin, site: str, body: SiteChange, if_match: IfMatch = None) -> Answer[shapes.Site]:
        """Rename a site, lock or unlock it; with `If-Match` only one of that revision."""
        if body.name is None and body.locked is None:
            raise InvalidInput("Say what is to change: `name`, `locked`, or both.")
        name = None
        if body.name is not None:
            name = check_site_name(body.name)
            check(caller, "admin", name)
        held = held_to(if_match, lambda connection: sites.find(connection, site), site_revision)
        act = Act("site.change", site, site, _look(name or site, site), held)
        return answer(await self._audit.write(caller, act, self._change, site, name, body.locked))

    async def remove(self, caller: Admin, site: str) -> NoContent:
        """Delete a site with its versions."""
        await self._audit.write(caller, Act("site.remove", site, site, _look(site)), sites.remove, site)
        self._collect()
        return NoContent()

    def _list(
        self, connection: apsw.Connection, only: frozenset[str] | None, after: str | None, limit: int
    ) -> Page[shapes.Site]:
        if only is None:
            found = sites.list_page(connection, after, limit + 1)
        else:
            names = sorted(name for name in only if after is None or name > after)
            found = [site for name in names if (site := sites.find(connection, name)) is not None]
        return list_answer(
            found, limit, lambda site: site_json(connection, self._hosting, site), lambda site: site.name
        )

    def _create(self, connection: apsw.Connection, name: str) -> shapes.Site:
        return site_json(connection, self._hosting, sites.create(connection, name))

    def _show(self, connection: apsw.Connection, name: str) -> shapes.Site:
        return site_json(connection, self._hosting, sites.get(connection, name))

    def _change(self, connection: apsw.Connection, name: str, new_name: str | None, locked: bool | None) -> shapes.Site:
        site = sites.get(connection, name)
        if locked is False:
            site = sites.set_locked(connection, name, False)
        if new_name is not None:
            site = sites.rename(connection, name, new_name)
        if locked:
            site = sites.set_locked(connection, site.name, True)
        return site_json(connection, self._hosting, site)


def _look(*names: str) -> Look:
    """Return what shows a site under the first of these names that there is."""

    def look(connection: apsw.Connection) -> Any:
        found = (sites.find(connection, name) for name in names)
        return next(({"name": site.name, "locked": site.locked} for site in found if site is not None), None)

    return look
