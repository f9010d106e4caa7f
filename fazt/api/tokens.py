"""/api/tokens: keys for this API."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from fazt.api.access import Access
from fazt.api.errors import Json
from fazt.api.shapes import page_of, token_shape
from fazt.auth.tokens import ACTIONS, ID_CHARACTERS, hash_token, new_token
from fazt.sites.names import check_site_name
from fazt.store import tokens
from fazt.store.clock import now_ms
from fazt.store.database import Database

LONGEST_S = 10 * 365 * 86400


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")
    label: Annotated[str, Field(max_length=200)] = ""
    site: str | None = None
    actions: Annotated[list[Literal["read", "deploy", "admin"]], Field(min_length=1)]
    expires_in_s: Annotated[int | None, Field(ge=1, le=LONGEST_S)] = None


def routes(access: Access, database: Database) -> APIRouter:
    """Return the routes; a token for one site cannot call them."""
    router = APIRouter(prefix="/api/tokens", tags=["tokens"], dependencies=[Depends(access.requires("admin"))])

    @router.get("", summary="List tokens")
    async def list_tokens(after: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        found = await database.read(tokens.list_page, after, limit)
        return Json(page_of([token_shape(token) for token in found], limit, "id"))

    @router.post("", status_code=201, summary="Make a token; it is shown this once")
    async def create_token(body: NewToken) -> Response:
        secret = new_token()
        site = None if body.site is None else check_site_name(body.site)
        actions = [action for action in ACTIONS if action in body.actions]
        expires_at = None if body.expires_in_s is None else now_ms() + body.expires_in_s * 1000
        made = await database.write(
            tokens.add, secret[:ID_CHARACTERS], hash_token(secret), body.label, site, actions, expires_at
        )
        return Json(token_shape(made) | {"token": secret}, 201)

    @router.delete("/{id}", status_code=204, summary="Revoke a token")
    async def revoke_token(id: str) -> Response:
        await database.write(tokens.remove, id)
        return Response(status_code=204)

    return router
