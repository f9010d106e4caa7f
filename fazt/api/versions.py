"""`/api/sites/{site}/versions` and `/live`: what a site was, is, and can be again."""

from functools import partial
from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Deployer, Reader
from fazt.api.answers import (
    DEFAULT_ITEMS,
    After,
    Answer,
    Limit,
    answer,
    list_answer,
    number_cursor,
    version_json,
)
from fazt.api.auditing import Act, Audit
from fazt.api.collection import Collector
from fazt.api.description import sends
from fazt.api.preconditions import IfMatch, check_is_live, live_id, seen_version
from fazt.api.shapes import Page
from fazt.sites import deploy
from fazt.sites.deploy import Diff
from fazt.sites.export import tar_of
from fazt.sites.headers import HeaderRule
from fazt.sites.hosting import Hosting
from fazt.sites.redirects import Redirect
from fazt.sites.rules import Rules
from fazt.store import sites, versions
from fazt.store.database import Database
from fazt.store.versions import File, Version

ONE = "/api/sites/{site}/versions/{version}"
ALL = "/api/sites/{site}/versions"


class Prune(BaseModel):
    """How many of the newest versions are to stay."""

    model_config = ConfigDict(extra="forbid")
    keep: Annotated[int, Field(ge=0, le=1_000_000)]


class Rollback(BaseModel):
    """The version that is to go live; none: the one that was live before."""

    model_config = ConfigDict(extra="forbid")
    version: str | None = None


class Versions:
    """The calls about versions that are there."""

    def __init__(self, database: Database, hosting: Hosting, collector: Collector) -> None:
        self._database = database
        self._audit = Audit(database)
        self._hosting = hosting
        self._collector = collector

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route(ALL, self.list_page, methods=["GET"])
        app.add_api_route(f"{ALL}/prune", self.prune, methods=["POST"])
        app.add_api_route(ONE, self.show, methods=["GET"])
        app.add_api_route(f"{ONE}/files", self.list_files, methods=["GET"])
        app.add_api_route(f"{ONE}/diff", self.diff, methods=["GET"])
        app.add_api_route(f"{ONE}/rules", self.show_rules, methods=["GET"])
        app.add_api_route(f"{ONE}/export", self.export, methods=["GET"], responses=sends("application/x-tar"))
        app.add_api_route("/api/sites/{site}/live", self.set_live, methods=["PUT"])

    async def list_page(
        self, caller: Reader, site: str, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Version]]:
        """List the versions of a site, newest first."""
        return answer(await self._database.read(self._list, site, number_cursor(after), limit))

    async def prune(self, caller: Deployer, site: str, body: Prune) -> Answer[shapes.Pruned]:
        """Delete all but the newest versions, never the live one nor the one that was live before."""
        act = Act("version.prune", f"all but {body.keep}", site)
        removed = await self._audit.write(caller, act, _prune, site, body.keep)
        freed = await self._collector.collect()
        return answer({"removed": [version.id for version in removed], "freed_bytes": freed.bytes})

    async def show(self, caller: Reader, site: str, version: str) -> Answer[shapes.Version]:
        """Show a version."""
        return answer(await self._database.read(self._show, site, version))

    async def list_files(
        self, caller: Reader, site: str, version: str, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.File]]:
        """List the files of a version in order of their paths."""
        return answer(await self._database.read(_list_files, site, version, after, limit))

    async def diff(
        self, caller: Reader, site: str, version: str, to: Annotated[str | None, Query(max_length=64)] = None
    ) -> Answer[shapes.Diff]:
        """Show what differs from a version to another, or to the live one."""
        return answer(_diff_json(await self._database.read(deploy.diff, site, version, to)))

    async def show_rules(self, caller: Reader, site: str, version: str) -> Answer[shapes.SiteRules]:
        """Show the redirects and headers of a version as they were understood, in the order in which they count."""
        return answer(await self._database.read(_rules, site, version))

    async def export(self, caller: Reader, site: str, version: str) -> Response:
        """Send the files of a version as a tar."""
        found = await self._database.read(_find, site, version)
        name = f"{site}-{found.id[:8]}.tar"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(tar_of(self._database, found), headers=headers, media_type="application/x-tar")

    async def set_live(
        self, caller: Deployer, site: str, body: Rollback | None = None, if_match: IfMatch = None
    ) -> Answer[shapes.Version]:
        """Let a version go live; with `If-Match` only where that version is live until then."""
        seen = None if if_match is None else seen_version(if_match)
        act = Act("site.rollback", site, site, partial(_live, site))
        wanted = None if body is None else body.version
        return answer(await self._audit.write(caller, act, self._set_live, site, wanted, seen))

    def _list(self, connection: apsw.Connection, name: str, before: int | None, limit: int) -> Page[shapes.Version]:
        site = sites.get(connection, name)
        found = versions.list_page(connection, site.id, before, limit + 1)
        return list_answer(
            found,
            limit,
            lambda version: version_json(connection, self._hosting, site, version),
            lambda version: str(version.number),
        )

    def _show(self, connection: apsw.Connection, name: str, prefix: str) -> shapes.Version:
        site = sites.get(connection, name)
        return version_json(connection, self._hosting, site, deploy.find_version(connection, site, prefix))

    def _set_live(self, connection: apsw.Connection, name: str, prefix: str | None, seen: str | None) -> shapes.Version:
        if seen is not None:
            check_is_live(connection, name, seen)
        version = deploy.rollback(connection, name, prefix)
        return version_json(connection, self._hosting, sites.get(connection, name), version)


def _find(connection: apsw.Connection, name: str, prefix: str) -> Version:
    return deploy.find_version(connection, sites.get(connection, name), prefix)


def _list_files(
    connection: apsw.Connection, name: str, prefix: str, after: str | None, limit: int
) -> Page[shapes.File]:
    found = versions.files(connection, _find(connection, name, prefix).number, after, limit + 1)
    return list_answer(found, limit, _file_json, lambda file: file.path)


def _rules(connection: apsw.Connection, name: str, prefix: str) -> shapes.SiteRules:
    rules = Rules.from_json(versions.rules(connection, _find(connection, name, prefix).number))
    return {
        "redirects": [_redirect_json(rule) for rule in rules.redirects.rules],
        "headers": [_header_json(rule) for rule in rules.headers.rules],
    }


def _redirect_json(rule: Redirect) -> shapes.RedirectRule:
    return {
        "from": rule.source,
        "to": rule.target,
        "status": rule.status,
        "force": rule.force,
        "query": rule.conditions,
        "where": rule.where,
    }


def _header_json(rule: HeaderRule) -> shapes.HeaderRule:
    return {"path": rule.pattern, "set": rule.fields, "unset": rule.detached, "where": rule.where}


def _file_json(file: File) -> shapes.File:
    return {"path": file.path, "hash": file.hash.hex(), "size": file.size, "public": file.public}


def _diff_json(diff: Diff) -> shapes.Diff:
    return {"added": diff.added, "changed": diff.changed, "removed": diff.removed}


def _prune(connection: apsw.Connection, name: str, keep: int) -> list[Version]:
    site = sites.get(connection, name)
    sites.check_unlocked(site)
    return versions.prune(connection, site.id, keep)


def _live(name: str, connection: apsw.Connection) -> Any:
    live = live_id(connection, name)
    return None if live is None else {"version": live}
