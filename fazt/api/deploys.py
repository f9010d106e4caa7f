"""`POST /api/sites/{site}/versions`: the list of files comes in, what is missing or a version goes out.

Rule: what cannot be deployed is refused before anybody sends a byte of content for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fazt.api.access import Deployer
from fazt.api.answers import answer
from fazt.api.collection import Collector
from fazt.api.errors import describe
from fazt.auth.tokens import Principal, allows
from fazt.errors import BlobsMissing, Forbidden, InvalidInput, SiteNotFound
from fazt.functions.program import Program
from fazt.functions.routes import FOLDER
from fazt.sites import deploy
from fazt.sites.archive import ArchiveLimits
from fazt.sites.builtin import SOURCE as BUILT_IN
from fazt.sites.cron_rules import CronRule, find_handler
from fazt.sites.deploy import Deploy, Deployed, Plan, WantedFile
from fazt.sites.hosting import Hosting
from fazt.store import programs
from fazt.store.blobs import Missing
from fazt.store.database import Database

LARGEST_SIZE = 1 << 62

Compile = Callable[[Mapping[str, bytes], Sequence[str]], Awaitable[Program]]


class NewVersionFile(BaseModel):
    """A file of a version that is to be made."""

    model_config = ConfigDict(extra="forbid")
    path: str
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0, le=LARGEST_SIZE)]


class NewVersion(BaseModel):
    """A version that is to be made."""

    model_config = ConfigDict(extra="forbid")
    files: list[NewVersionFile]
    message: Annotated[str, Field(max_length=2000)] = ""
    source: Annotated[str, Field(min_length=1, max_length=64)] = "api"
    preview: bool = False
    dry_run: bool = False
    create: bool = True


def _schema() -> dict[str, Any]:
    """Return the description of the body, which is read and checked here and not by FastAPI."""
    schema = NewVersion.model_json_schema()
    schema["properties"]["files"]["items"] = schema.pop("$defs")["NewVersionFile"]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


class Deploys:
    """The call that deploys; `made` is called after a version was made."""

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        limits: ArchiveLimits,
        collector: Collector,
        compile_files: Compile,
        made: Callable[[], None],
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._limits = limits
        self._collector = collector
        self._compile = compile_files
        self._made = made

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.add_api_route(
            "/api/sites/{site}/versions", self.deploy, methods=["POST"], status_code=201, openapi_extra=_schema()
        )

    async def deploy(self, caller: Deployer, site: str, request: Request) -> Response:
        """Make a version of a site and let it go live, or say which contents are missing."""
        data = await request.body()
        # A list of 100,000 files takes a while to read; visitors must not wait for it.
        wanted, dry_run = await asyncio.to_thread(self._read, site, data, caller)
        try:
            if dry_run:
                plan = await self._database.read(deploy.dry_run, wanted)
                return answer(self._plan_json(wanted, plan))
            program = await self._compiled(wanted)
            done = await self._database.write(_commit, wanted, program)
        except SiteNotFound as error:
            raise error if _may_create(caller, site) else _may_not_create(site) from error
        if isinstance(done, Deployed):
            self._collector.upload_ended(site)
            self._made()
            return answer(self._deployed_json(done), 200 if done.unchanged else 201)
        self._collector.upload_goes_on(site)
        missing = [{"hash": each.hash.hex(), "size": each.size, "chunks": each.chunks} for each in done]
        raise BlobsMissing(f"The server lacks {len(missing)} of the contents; send them first.", missing=missing)

    async def _compiled(self, wanted: Deploy) -> bytes:
        """Compile the functions of a deploy, b"" where it has none or lacks contents: before the transaction.

        Raises: InvalidFunction, InvalidRules, EngineFailed.
        """
        hashes = {file.path: file.hash for file in wanted.files}
        if not any(path.startswith(FOLDER) for path in hashes):
            return b""
        if await self._database.write(deploy.missing, wanted):
            return b""
        cron = await self._database.read(_cron_handlers, wanted)
        return (await self._compile(hashes, cron)).to_bytes()

    def _read(self, site: str, data: bytes, caller: Principal) -> tuple[Deploy, bool]:
        """Return the deploy that a body asks for, checked, and whether it is only asked what it would do.

        Raises: InvalidInput and its kin, TooLarge.
        """
        try:
            body = NewVersion.model_validate_json(data)
        except ValidationError as error:
            raise InvalidInput(describe(error.errors(include_url=False, include_input=False))) from None
        if body.source == BUILT_IN:
            raise InvalidInput(f"source: {BUILT_IN!r} is what Fazt itself deploys.")
        wanted = Deploy(
            site,
            tuple(WantedFile(file.path, bytes.fromhex(file.hash), file.size) for file in body.files),
            body.message,
            body.source,
            live=not body.preview,
            create=body.create and _may_create(caller, site),
        )
        deploy.check(wanted, self._limits)
        return wanted, body.dry_run

    def _deployed_json(self, done: Deployed) -> dict[str, Any]:
        return {
            "site": done.site.name,
            "version": done.version.id,
            "url": self._hosting.site_url(done.site.name),
            "preview_url": self._hosting.preview_url(done.site.name, done.version.id),
            "live": done.live,
            "files": done.version.files,
            "bytes": done.version.bytes,
            "unchanged": done.unchanged,
            "created": done.created,
            "diff": {"added": len(done.added), "changed": len(done.changed), "removed": len(done.removed)},
            "warnings": done.warnings,
        }

    def _plan_json(self, wanted: Deploy, plan: Plan) -> dict[str, Any]:
        return {
            "site": wanted.site,
            "version": None,
            "url": self._hosting.site_url(wanted.site),
            "preview_url": None,
            "live": wanted.live,
            "files": len(wanted.files),
            "bytes": sum(file.size for file in wanted.files),
            "unchanged": plan.unchanged,
            "created": plan.site is None,
            "diff": {"added": plan.added, "changed": plan.changed, "removed": plan.removed},
            "warnings": plan.warnings,
        }


def _may_create(caller: Principal, site: str) -> bool:
    """Tell whether a caller may make a site by deploying to it: with `admin`, or a token for that very name."""
    return allows(caller, "admin", site) or caller.site == site


def _may_not_create(site: str) -> Forbidden:
    return Forbidden(f"There is no site {site!r}, and this token may not make it: that takes the action 'admin'.")


def _cron_handlers(connection: apsw.Connection, wanted: Deploy) -> list[str]:
    """Return the modules that the triggers of a deploy run. Raises: InvalidRules."""
    hashes = {file.path: file.hash for file in wanted.files}
    rules = deploy.manifest(connection, hashes).rest.get("cron", ())
    return sorted({path for rule in rules if (path := find_handler(CronRule.from_json(rule).handler, hashes))})


def _commit(connection: apsw.Connection, wanted: Deploy, program: bytes) -> Deployed | list[Missing]:
    """Make the version where every content is there; else return what is missing, if the rest is in order."""
    lacking = deploy.missing(connection, wanted)
    if not lacking:
        done = deploy.commit(connection, wanted)
        if not done.unchanged:
            programs.put(connection, done.version.number, program)
        return done
    deploy.dry_run(connection, wanted)
    return lacking
