"""`/api/domains`: names of its own for a site."""

import asyncio
import socket
from typing import Annotated

import apsw
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict

from fazt.api import shapes
from fazt.api.access import FilteredAdmin, FilteredReader, check
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, NoContent, answer, domain_json, list_answer, of_sites
from fazt.api.auditing import Act, Audit
from fazt.api.shapes import Page
from fazt.auth.tokens import Principal
from fazt.errors import InvalidName, NotFound
from fazt.sites.hosting import Hosting
from fazt.sites.names import check_domain_name, is_under
from fazt.store import domains, sites
from fazt.store.database import Database
from fazt.store.domains import Domain
from fazt.store.sites import Site

LOOK_UP_TIMEOUT_S = 5


class NewDomain(BaseModel):
    """A domain that is to be given to a site."""

    model_config = ConfigDict(extra="forbid")
    name: str
    site: str


class Domains:
    """The calls about custom domains."""

    def __init__(self, database: Database, hosting: Hosting) -> None:
        self._database = database
        self._audit = Audit(database)
        self._hosting = hosting

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/domains", self.list_page, methods=["GET"])
        app.add_api_route("/api/domains", self.add, methods=["POST"], status_code=201)
        app.add_api_route("/api/domains/{name}/check", self.look_up, methods=["GET"])
        app.add_api_route("/api/domains/{name}", self.remove, methods=["DELETE"], status_code=204)

    async def list_page(
        self,
        caller: FilteredReader,
        site: Annotated[str | None, Query(max_length=253)] = None,
        limit: Limit = DEFAULT_ITEMS,
        after: After = None,
    ) -> Answer[Page[shapes.Domain]]:
        """List the domains of a site, or of all, in order of their names."""
        if site is not None:
            check(caller, "read", site)
            await self._database.read(sites.get, site)
        return answer(await self._database.read(_list, caller.asks_about(site), after, limit))

    async def add(self, caller: FilteredAdmin, body: NewDomain) -> Answer[shapes.Domain]:
        """Give a domain to a site."""
        check(caller, "admin", body.site)
        name = check_domain_name(body.name)
        if is_under(name, self._hosting.domain):
            raise InvalidName(f"{name} is a name of this server already; a site has one of those by its own name.")
        act = Act("domain.add", name, body.site)
        return answer(domain_json(await self._audit.write(caller, act, domains.add, name, body.site)), 201)

    async def look_up(self, caller: FilteredReader, name: str) -> Answer[shapes.DomainCheck]:
        """Look up where a domain of a site points, as seen from the server."""
        name = name.lower().removesuffix(".")
        site = await self._database.read(domains.find_site, name)  # others' names are not looked up for anybody
        check(caller, "read", site)
        if site is None:
            raise NotFound(f"No site has the domain {name}.")
        return answer({"name": name, "site": site, "addresses": await addresses_of(name)})

    async def remove(self, caller: FilteredAdmin, name: str) -> NoContent:
        """Take a domain away from its site."""
        name = name.lower().removesuffix(".")
        site = await self._database.read(domains.find_site, name)
        await self._audit.write(caller, Act("domain.remove", name, site), _remove, caller, name)
        return NoContent()


async def addresses_of(name: str) -> list[str]:
    """Return the addresses that the DNS gives for a name; none where it has none, or says nothing in time."""
    try:
        async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    return sorted({str(entry[4][0]) for entry in found})


def _list(
    connection: apsw.Connection, wanted: frozenset[str] | None, after: str | None, limit: int
) -> Page[shapes.Domain]:
    def of_one(site: Site | None) -> list[Domain]:
        return domains.list_page(connection, None if site is None else site.name, after, limit + 1)

    found = of_sites(connection, wanted, of_one, lambda domain: domain.name)
    return list_answer(found, limit, domain_json, lambda domain: domain.name)


def _remove(connection: apsw.Connection, caller: Principal, name: str) -> None:
    check(caller, "admin", domains.find_site(connection, name))
    domains.remove(connection, name)
