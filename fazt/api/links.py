"""`/api/links`: short links of the whole server."""

from typing import Annotated, Any

import apsw
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Admin, Reader
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, NoContent, answer, list_answer, number_cursor
from fazt.api.auditing import Act, Audit
from fazt.api.preconditions import IfMatch, held_to, revision_of_fields
from fazt.api.shapes import Page
from fazt.api.tally import Tally
from fazt.api.times import iso
from fazt.errors import Conflict
from fazt.sites.hosting import Hosting
from fazt.sites.short_links import FOLDER, LONGEST_SLUG, check_slug, check_target, random_slug
from fazt.store import links
from fazt.store.database import Database
from fazt.store.links import Link

ATTEMPTS = 20  # random slugs are short; two may be alike
LONGEST_TEXT = 8192  # of a target as it is sent; what is kept is shorter

Label = Annotated[str, Field(max_length=200)]
Target = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class NewLink(BaseModel):
    """A link that is to be made; without a slug it gets a random one."""

    model_config = ConfigDict(extra="forbid")
    slug: Annotated[str | None, Field(max_length=LONGEST_SLUG)] = None
    target: Target
    label: Label = ""


class LinkChanges(BaseModel):
    """What is to be different."""

    model_config = ConfigDict(extra="forbid")
    target: Target | None = None
    label: Label | None = None


class Links:
    """The calls about short links."""

    def __init__(self, database: Database, hosting: Hosting, clicks: Tally) -> None:
        self._database = database
        self._audit = Audit(database)
        self._hosting = hosting
        self._clicks = clicks

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/links", self.list_page, methods=["GET"])
        app.add_api_route("/api/links", self.create, methods=["POST"], status_code=201)
        app.add_api_route("/api/links/{slug}", self.change, methods=["PATCH"])
        app.add_api_route("/api/links/{slug}", self.remove, methods=["DELETE"], status_code=204)

    async def list_page(
        self, caller: Reader, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Link]]:
        """List the links, newest first."""
        found = await self._database.read(links.list_page, number_cursor(after), limit + 1)
        return answer(list_answer(found, limit, self._json, lambda link: str(link.number)))

    async def create(self, caller: Admin, body: NewLink) -> Answer[shapes.Link]:
        """Make a link."""
        target = check_target(body.target)
        if body.slug is not None:
            return answer(self._json(await self._add(caller, check_slug(body.slug), target, body.label)), 201)
        for _ in range(ATTEMPTS):
            try:
                return answer(self._json(await self._add(caller, random_slug(), target, body.label)), 201)
            except Conflict:
                continue
        raise Conflict("No random slug is free; choose one.")

    async def _add(self, caller: Admin, slug: str, target: str, label: str) -> Link:
        return await self._audit.write(caller, _act("create", slug), links.add, slug, target, label)

    async def change(
        self, caller: Admin, slug: str, body: LinkChanges, if_match: IfMatch = None
    ) -> Answer[shapes.Link]:
        """Let a link lead elsewhere, or call it otherwise; with `If-Match` only one of that revision."""
        slug = slug.lower()
        target = None if body.target is None else check_target(body.target)
        made = await self._audit.write(caller, _act("change", slug, if_match), links.change, slug, target, body.label)
        return answer(self._json(made))

    async def remove(self, caller: Admin, slug: str, if_match: IfMatch = None) -> NoContent:
        """Delete a link; its path is the root site's again. `If-Match` as for changing."""
        slug = slug.lower()
        await self._audit.write(caller, _act("remove", slug, if_match), links.remove, slug)
        return NoContent()

    def _json(self, link: Link) -> shapes.Link:
        clicks, last = self._clicks.waiting(link.number)
        return {
            "slug": link.slug,
            "url": f"{self._hosting.url(self._hosting.domain)}{FOLDER}{link.slug}",
            "target": link.target,
            "label": link.label,
            "clicks": link.clicks + clicks,
            "last_clicked_at": iso(max(last, link.last_clicked_at or 0) or None),
            "created_at": iso(link.created_at),
            "revision": _revision(link),
        }


def _act(verb: str, slug: str, if_match: str | None = None) -> Act:
    check = held_to(if_match, lambda connection: links.find(connection, slug), _revision)
    return Act(f"link.{verb}", slug, look=lambda connection: _look(connection, slug), check=check)


def _revision(link: Link) -> str:
    return revision_of_fields(link.slug, link.target, link.label)


def _look(connection: apsw.Connection, slug: str) -> Any:
    link = links.find(connection, slug)
    return None if link is None else {"slug": link.slug, "target": link.target, "label": link.label}
