"""/api/domains: names of its own for a site."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict

from fazt.api.access import Access
from fazt.api.errors import Json
from fazt.api.shapes import moment, page_of
from fazt.auth.tokens import Principal, check
from fazt.errors import InvalidName
from fazt.sites.hosting import Hosting
from fazt.sites.names import check_domain_name, is_under
from fazt.store import domains
from fazt.store.database import Database
from fazt.store.domains import Domain


class NewDomain(BaseModel):
    """A domain for a site."""

    model_config = ConfigDict(extra="forbid")
    name: str
    site: str


def routes(access: Access, database: Database, hosting: Hosting) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/domains", tags=["domains"])

    @router.get("", summary="List domains")
    async def list_domains(
        principal: Annotated[Principal, Depends(access.requires("read", some_site=True))],
        site: str | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        wanted = principal.site if site is None else site
        check(principal, "read", wanted)
        found = await database.read(domains.list_page, wanted, after, limit)
        return Json(page_of([_shape(domain) for domain in found], limit, "name"))

    @router.post("", status_code=201, summary="Give a site a domain")
    async def add_domain(
        body: NewDomain, principal: Annotated[Principal, Depends(access.requires("admin", some_site=True))]
    ) -> Response:
        check(principal, "admin", body.site)
        name = check_domain_name(body.name)
        if name == hosting.domain or is_under(name, hosting.domain):
            raise InvalidName(f"{name} belongs to this server itself; a site's own name answers there.")
        return Json(_shape(await database.write(domains.add, name, body.site)), 201)

    @router.delete("/{name}", status_code=204, summary="Take a domain away")
    async def remove_domain(
        name: str, principal: Annotated[Principal, Depends(access.requires("admin", some_site=True))]
    ) -> Response:
        name = check_domain_name(name)
        check(principal, "admin", await database.read(domains.find_site, name))
        await database.write(domains.remove, name)
        return Response(status_code=204)

    return router


def _shape(domain: Domain) -> dict[str, Any]:
    return {"name": domain.name, "site": domain.site, "created_at": moment(domain.created_at)}
