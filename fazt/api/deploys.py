"""`POST /api/sites/{site}/versions`: the list of files comes in, what is missing or a version goes out.

Rule: what cannot be deployed is refused before anybody sends a byte of content for it.
"""

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fazt.api import shapes
from fazt.api.access import Deployer
from fazt.api.answers import Answer, answer
from fazt.api.errors import describe
from fazt.api.publishing import UNCHANGED, Publisher, may_create
from fazt.auth.tokens import Principal
from fazt.errors import BlobsMissing, InvalidInput
from fazt.sites import deploy
from fazt.sites.builtin import SOURCE as BUILT_IN
from fazt.sites.deploy import Deploy, Deployed, Plan, WantedFile
from fazt.sites.hosting import Hosting
from fazt.store.database import Database

LARGEST_SIZE = 1 << 62


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
    """The call that deploys."""

    def __init__(self, database: Database, hosting: Hosting, publisher: Publisher) -> None:
        self._database = database
        self._hosting = hosting
        self._publisher = publisher

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.add_api_route(
            "/api/sites/{site}/versions",
            self.deploy,
            methods=["POST"],
            status_code=201,
            responses=UNCHANGED,
            openapi_extra=_schema(),
        )

    async def deploy(self, caller: Deployer, site: str, request: Request) -> Answer[shapes.Deployed]:
        """Make a version of a site and let it go live, or say which contents are missing."""
        data = await request.body()
        # A list of 100,000 files takes a while to read; visitors must not wait for it.
        wanted, dry_run = await asyncio.to_thread(self._read, site, data, caller)
        if dry_run:
            return answer(self._plan_json(wanted, await self._database.read(deploy.dry_run, wanted)))
        done = await self._publisher.publish(caller, wanted)
        if isinstance(done, Deployed):
            return answer(self._publisher.as_json(done), 200 if done.unchanged else 201)
        missing = [{"hash": each.hash.hex(), "size": each.size, "chunks": each.chunks} for each in done]
        raise BlobsMissing(f"The server lacks {len(missing)} of the contents; send them first.", missing=missing)

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
            create=body.create and may_create(caller, site),
        )
        self._publisher.check(wanted)
        return wanted, body.dry_run

    def _plan_json(self, wanted: Deploy, plan: Plan) -> shapes.Deployed:
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
