"""`/api/tokens`: keys for this API."""

from typing import Annotated, Literal

import apsw
import orjson
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Admin
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, NoContent, answer, list_answer, token_json
from fazt.api.auditing import Act, Audit, note
from fazt.api.shapes import Page
from fazt.api.users import SiteNames
from fazt.auth.tokens import ACTIONS, Principal, hash_token, new_token, token_id
from fazt.errors import Conflict, InvalidInput
from fazt.sites.names import check_site_names
from fazt.store import tokens
from fazt.store.database import Database, now_ms
from fazt.store.tokens import Token

LONGEST_S = 100 * 366 * 86_400
ATTEMPTS = 20  # ids are short, for people; two tokens may begin alike


class NewToken(BaseModel):
    """A token that is to be made."""

    model_config = ConfigDict(extra="forbid")
    actions: Annotated[list[Literal["read", "deploy", "admin"]], Field(min_length=1, max_length=len(ACTIONS))]
    label: Annotated[str, Field(max_length=200)] = ""
    sites: Annotated[SiteNames | None, Field(description="the only ones that it may touch; null: all")] = None
    expires_in_s: Annotated[int | None, Field(ge=1, le=LONGEST_S)] = None


class Tokens:
    """The calls about tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = Audit(database)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/tokens", self.list_page, methods=["GET"])
        app.add_api_route("/api/tokens", self.create, methods=["POST"], status_code=201)
        app.add_api_route("/api/tokens/{id}", self.remove, methods=["DELETE"], status_code=204)

    async def list_page(
        self, caller: Admin, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Token]]:
        """List the tokens."""
        return answer(await self._database.read(_list, after, limit))

    async def create(self, caller: Admin, body: NewToken) -> Answer[shapes.MadeToken]:
        """Make a token; its secret is told in this answer and never again."""
        secret, token = await self._database.write(_create, caller, body)
        return answer({**token_json(token), "token": secret}, 201)

    async def remove(self, caller: Admin, id: str) -> NoContent:
        """Revoke a token."""
        await self._audit.write(caller, Act("token.remove", id), tokens.remove, id)
        return NoContent()


def _list(connection: apsw.Connection, after: str | None, limit: int) -> Page[shapes.Token]:
    return list_answer(tokens.list_page(connection, after, limit + 1), limit, token_json, lambda token: token.id)


def _create(connection: apsw.Connection, caller: Principal, body: NewToken) -> tuple[str, Token]:
    sites = check_site_names(body.sites)
    if sites == []:
        raise InvalidInput("Name the sites that the token is for, or leave `sites` out for all.")
    actions = [action for action in ACTIONS if action in body.actions]
    expires_at = None if body.expires_in_s is None else now_ms() + body.expires_in_s * 1000
    for _ in range(ATTEMPTS):
        secret = new_token()
        try:
            made = tokens.add(connection, token_id(secret), hash_token(secret), body.label, sites, actions, expires_at)
        except Conflict:
            continue
        told = {"label": made.label, "sites": made.sites, "actions": made.actions}
        note(
            connection,
            caller,
            Act("token.create", made.id, made.sites[0] if made.sites is not None and len(made.sites) == 1 else None),
            None,
            orjson.dumps(told),
        )
        return secret, made
    raise Conflict("No id is free for another token; revoke some that are not used any more.")
