"""/api/sites/{site}/versions: deploys, rollbacks, what a site was and can be again."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import apsw
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from fazt.api.access import Access
from fazt.api.errors import Json
from fazt.api.shapes import page_of, version_shape
from fazt.api.uploads import Uploads
from fazt.auth.tokens import Principal, allows
from fazt.errors import BlobsMissing, InvalidInput
from fazt.sites import deploy
from fazt.sites.archive import ArchiveLimits
from fazt.sites.deploy import Deploy, Deployed, Plan, WantedFile
from fazt.sites.export import tar_of
from fazt.sites.hosting import Hosting
from fazt.sites.names import check_site_name
from fazt.store import blobs, sites, versions
from fazt.store.blobs import Missing
from fazt.store.database import Database

COLLECTED_AT_ONCE = 500


class FileOfVersion(BaseModel):
    """A file that the new version is to have."""

    model_config = ConfigDict(extra="forbid")
    path: str
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class NewVersion(BaseModel):
    """A deploy."""

    model_config = ConfigDict(extra="forbid")
    files: list[FileOfVersion]
    message: Annotated[str, Field(max_length=2000)] = ""
    source: Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,31}$")] = "api"
    preview: bool = False
    dry_run: bool = False
    create: bool = True


class Pruning(BaseModel):
    """How many of the newest versions stay."""

    model_config = ConfigDict(extra="forbid")
    keep: Annotated[int, Field(ge=0, le=1_000_000)]


class Live(BaseModel):
    """Which version goes live; left out: the one that was live before."""

    model_config = ConfigDict(extra="forbid")
    version: str | None = None


def routes(
    access: Access,
    database: Database,
    hosting: Hosting,
    limits: ArchiveLimits,
    uploads: Uploads,
    compress_soon: Callable[[], None],
) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/sites/{site}", tags=["versions"])
    reads = [Depends(access.requires("read"))]
    deploys = [Depends(access.requires("deploy"))]

    @router.get("/versions", summary="List the versions, newest first", dependencies=reads)
    async def list_versions(
        site: str, after: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> Response:
        return Json(page_of(await database.read(_page, hosting, site, after, limit), limit, "id"))

    @router.post("/versions", status_code=201, summary="Deploy")
    async def create_version(
        site: str, body: NewVersion, principal: Annotated[Principal, Depends(access.requires("deploy"))]
    ) -> Response:
        may_create = allows(principal, "admin", site) or principal.site == site
        wanted = await asyncio.to_thread(_wanted, site, body, may_create, limits)
        if body.dry_run:
            return Json(_planned(hosting, wanted, await database.read(deploy.dry_run, wanted)))
        lacking = await database.write(deploy.missing, wanted)
        if lacking:
            uploads.begin(wanted.site)
            raise BlobsMissing(f"The store lacks {len(lacking)} of the contents.", missing=_missing(lacking))
        made = await database.write(deploy.commit, wanted)
        uploads.end(wanted.site)
        compress_soon()
        return Json(_deployed(hosting, made), 200 if made.unchanged else 201)

    @router.post("/versions/prune", summary="Delete old versions", dependencies=deploys)
    async def prune(site: str, body: Pruning) -> Response:
        removed = await database.write(_prune, site, body.keep)
        freed = await collect(database, uploads.spared_ms)
        return Json({"removed": [version.id for version in removed], "freed_bytes": freed})

    @router.get("/versions/{version}", summary="Show a version", dependencies=reads)
    async def show_version(site: str, version: str) -> Response:
        return Json(await database.read(_show, hosting, site, version))

    @router.get("/versions/{version}/files", summary="List the files of a version", dependencies=reads)
    async def list_files(
        site: str, version: str, after: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> Response:
        return Json(page_of(await database.read(_files, site, version, after, limit), limit, "path"))

    @router.get("/versions/{version}/diff", summary="Compare two versions", dependencies=reads)
    async def diff_versions(site: str, version: str, to: str | None = None) -> Response:
        found = await database.read(deploy.diff, site, version, to)
        return Json({"added": found.added, "changed": found.changed, "removed": found.removed})

    @router.get("/versions/{version}/export", summary="Get a version as a tar", dependencies=reads)
    async def export_version(site: str, version: str) -> Response:
        found = await database.read(_find, site, version)
        return StreamingResponse(tar_of(database, found), media_type="application/x-tar")

    @router.put("/live", summary="Let a version go live: roll back or forward", dependencies=deploys)
    async def set_live(site: str, body: Live) -> Response:
        await database.write(deploy.rollback, site, body.version)
        return Json(await database.read(_show, hosting, site, deploy.LIVE))

    return router


async def collect(database: Database, spared_ms: int) -> int:
    """Delete contents that nothing uses any more and give their room back to the disk; return their bytes."""
    freed = 0
    while (collected := await database.write(blobs.collect, COLLECTED_AT_ONCE, spared_ms)).blobs:
        freed += collected.bytes
    if freed:
        await asyncio.to_thread(database.shrink)
    return freed


def _wanted(site: str, body: NewVersion, may_create: bool, limits: ArchiveLimits) -> Deploy:
    """Return the checked deploy of a request."""
    files = tuple(WantedFile(file.path, bytes.fromhex(file.hash), file.size) for file in body.files)
    if not files:
        raise InvalidInput("There are no files to deploy.")
    wanted = Deploy(
        site=check_site_name(site),
        files=files,
        message=body.message,
        source=body.source,
        live=not body.preview,
        create=body.create and may_create,
    )
    deploy.check(wanted, limits)
    return wanted


def _missing(lacking: list[Missing]) -> list[dict[str, Any]]:
    return [{"hash": item.hash.hex(), "size": item.size, "chunks": item.chunks} for item in lacking]


def _planned(hosting: Hosting, wanted: Deploy, plan: Plan) -> dict[str, Any]:
    return {
        "site": wanted.site,
        "version": None,
        "url": hosting.site_url(wanted.site),
        "preview_url": None,
        "live": False,
        "files": len(wanted.files),
        "bytes": sum(file.size for file in wanted.files),
        "unchanged": plan.unchanged,
        "created": plan.site is None,
        "diff": {"added": plan.added, "changed": plan.changed, "removed": plan.removed},
        "warnings": plan.warnings,
    }


def _deployed(hosting: Hosting, made: Deployed) -> dict[str, Any]:
    return {
        "site": made.site.name,
        "version": made.version.id,
        "url": hosting.site_url(made.site.name),
        "preview_url": hosting.preview_url(made.site.name, made.version.id),
        "live": made.live,
        "files": made.version.files,
        "bytes": made.version.bytes,
        "unchanged": made.unchanged,
        "created": made.created,
        "diff": {"added": len(made.added), "changed": len(made.changed), "removed": len(made.removed)},
        "warnings": made.warnings,
    }


def _find(connection: apsw.Connection, site: str, version: str) -> versions.Version:
    return deploy.find_version(connection, sites.get(connection, site), version)


def _show(connection: apsw.Connection, hosting: Hosting, site: str, version: str) -> dict[str, Any]:
    owner = sites.get(connection, site)
    return version_shape(connection, hosting, owner, deploy.find_version(connection, owner, version))


def _page(
    connection: apsw.Connection, hosting: Hosting, site: str, after: str | None, limit: int
) -> list[dict[str, Any]]:
    owner = sites.get(connection, site)
    before = None if after is None else versions.get(connection, owner.id, after).number
    found = versions.list_page(connection, owner.id, before, limit)
    return [version_shape(connection, hosting, owner, version) for version in found]


def _files(connection: apsw.Connection, site: str, version: str, after: str | None, limit: int) -> list[dict[str, Any]]:
    found = versions.files(connection, _find(connection, site, version).number, after, limit)
    return [{"path": file.path, "hash": file.hash.hex(), "size": file.size, "public": file.public} for file in found]


def _prune(connection: apsw.Connection, site: str, keep: int) -> list[versions.Version]:
    owner = sites.get(connection, site)
    sites.check_unlocked(owner)
    return versions.prune(connection, owner.id, keep)
