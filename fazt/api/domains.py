"""`/api/domains`: names of its own for a site."""

from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Query, Response
from pydantic import BaseModel, ConfigDict

from fazt.api.access import FilteredAdmin, FilteredReader, check
from fazt.api.answers import DEFAULT_ITEMS, After, Limit, answer, domain_json, list_answer, no_content
from fazt.auth.tokens import Principal
from fazt.errors import InvalidName
from fazt.sites.hosting import Hosting
from fazt.sites.names import check_domain_name, is_under
from fazt.store import domains, sites
from fazt.store.database import Database


class NewDomain(BaseModel):
    """A domain that is to be given to a site."""

    model_config = ConfigDict(extra="forbid")
    name: str
    site: str


class Domains:
    """The calls about custom domains."""

    def __init__(self, database: Database, hosting: Hosting) -> None:
        self._database = database
        self._hosting = hosting

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/domains", self.list_page, methods=["GET"])
        app.add_api_route("/api/domains", self.add, methods=["POST"], status_code=201)
        app.add_api_route("/api/domains/{name}", self.remove, methods=["DELETE"], status_code=204)

    async def list_page(
        self,
        caller: FilteredReader,
        site: Annotated[str | None, Query(max_length=253)] = None,
        limit: Limit = DEFAULT_ITEMS,
        after: After = None,
    ) -> Response:
        """List the domains of a site, or of all, in order of their names."""
        if site is not None:
            check(caller, "read", site)
        return answer(await self._database.read(_list, site or caller.site, after, limit))

    async def add(self, caller: FilteredAdmin, body: NewDomain) -> Response:
        """Give a domain to a site."""
        check(caller, "admin", body.site)
        name = check_domain_name(body.name)
        if is_under(name, self._hosting.domain):
            raise InvalidName(f"{name} is a name of this server already; a site has one of those by its own name.")
        return answer(domain_json(await self._database.write(domains.add, name, body.site)), 201)

    async def remove(self, caller: FilteredAdmin, name: str) -> Response:
        """Take a domain away from its site."""
        await self._database.write(_remove, caller, name.lower().removesuffix("."))
        return no_content()


def _list(connection: apsw.Connection, site: str | None, after: str | None, limit: int) -> Any:
    if site is not None:
        sites.get(connection, site)
    found = domains.list_page(connection, site, after, limit + 1)
    return list_answer(found, limit, domain_json, lambda domain: domain.name)


def _remove(connection: apsw.Connection, caller: Principal, name: str) -> None:
    check(caller, "admin", domains.find_site(connection, name))
    domains.remove(connection, name)
