"""/api/sites: the sites themselves."""

from typing import Annotated, Any

import apsw
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict

from fazt.api.access import Access
from fazt.api.errors import Json
from fazt.api.shapes import find_site, page_of, site_shape
from fazt.auth.tokens import Principal
from fazt.sites.hosting import Hosting
from fazt.sites.names import check_site_name
from fazt.store import sites
from fazt.store.database import Database


class NewSite(BaseModel):
    """A site to be made."""

    model_config = ConfigDict(extra="forbid")
    name: str


class SiteChange(BaseModel):
    """What is to be changed about a site; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    locked: bool | None = None


def routes(access: Access, database: Database, hosting: Hosting) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/sites", tags=["sites"])

    @router.get("", summary="List the sites")
    async def list_sites(
        principal: Annotated[Principal, Depends(access.requires("read", some_site=True))],
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        if principal.site is not None:
            return Json({"items": await database.read(_one, hosting, principal.site), "next": None})
        return Json(page_of(await database.read(_page, hosting, after, limit), limit, "name"))

    @router.post("", status_code=201, summary="Make a site", dependencies=[Depends(access.requires("admin"))])
    async def create_site(body: NewSite) -> Response:
        made = await database.write(sites.create, check_site_name(body.name))
        return Json(await database.read(site_shape, hosting, made), 201)

    @router.get("/{site}", summary="Show a site", dependencies=[Depends(access.requires("read"))])
    async def show_site(site: str) -> Response:
        return Json(await database.read(find_site, hosting, site))

    @router.patch("/{site}", summary="Rename, lock or unlock", dependencies=[Depends(access.requires("admin"))])
    async def change_site(site: str, body: SiteChange) -> Response:
        name = None if body.name is None else check_site_name(body.name)
        return Json(await database.write(_change, hosting, site, name, body.locked))

    @router.delete("/{site}", status_code=204, summary="Delete", dependencies=[Depends(access.requires("admin"))])
    async def remove_site(site: str) -> Response:
        await database.write(sites.remove, site)
        return Response(status_code=204)

    return router


def _page(connection: apsw.Connection, hosting: Hosting, after: str | None, limit: int) -> list[dict[str, Any]]:
    return [site_shape(connection, hosting, site) for site in sites.list_page(connection, after, limit)]


def _one(connection: apsw.Connection, hosting: Hosting, name: str) -> list[dict[str, Any]]:
    site = sites.find(connection, name)
    return [] if site is None else [site_shape(connection, hosting, site)]


def _change(
    connection: apsw.Connection, hosting: Hosting, name: str, new_name: str | None, locked: bool | None
) -> dict[str, Any]:
    """Change a site in one transaction; unlocking comes first, so that it can be renamed in the same call."""
    if locked is False:
        sites.set_locked(connection, name, False)
    if new_name is not None:
        name = sites.rename(connection, name, new_name).name
    if locked:
        sites.set_locked(connection, name, True)
    return find_site(connection, hosting, name)
