"""`/api/users` and `/api/invites`: who may use this server, and links that make accounts.

Rule: an invite makes one account, however many try at the same time; only an owner makes and unmakes owners.
"""

from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Admin, Anybody, address_of
from fazt.api.answers import (
    DEFAULT_ITEMS,
    After,
    Answer,
    Limit,
    NoContent,
    answer,
    list_answer,
    user_json,
    user_revision,
)
from fazt.api.auditing import Act, Audit, note
from fazt.api.preconditions import Check, IfMatch, held_to
from fazt.api.session import Name, NewAccount, Password, SignInDesk, WayIn, add_user
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth.cookies import hash_secret, new_id, new_secret
from fazt.auth.passwords import check_choice
from fazt.auth.roles import check_may_give, check_role
from fazt.auth.setup import SetupSecret
from fazt.auth.tokens import Principal
from fazt.auth.user_names import check_user_name
from fazt.errors import Conflict, Forbidden, InvalidInput
from fazt.sites.names import check_site_names
from fazt.store import sessions, users
from fazt.store.database import Database, now_ms
from fazt.store.sessions import Invite
from fazt.store.users import User

DEFAULT_INVITE_S = 7 * 86_400
LONGEST_INVITE_S = 30 * 86_400
SiteNames = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=1000)]


class NewUser(BaseModel):
    """An account that is made with its password at once."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: Name
    role: Annotated[str, Field(max_length=20)] = "viewer"
    sites: SiteNames | None = None
    password: Password


class UserChange(BaseModel):
    """What is to change about a user; a role comes with its sites."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    role: Annotated[str | None, Field(max_length=20)] = None
    sites: SiteNames | None = None
    password: Annotated[str | None, Field(max_length=4096, repr=False)] = None


class NewInvite(BaseModel):
    """What the account will be that the link makes."""

    model_config = ConfigDict(extra="forbid")
    role: Annotated[str, Field(max_length=20)] = "viewer"
    sites: SiteNames | None = None
    expires_in_s: Annotated[int, Field(ge=60, le=LONGEST_INVITE_S)] = DEFAULT_INVITE_S


class UserCalls:
    """The calls about users and invites."""

    def __init__(self, desk: SignInDesk, setup: SetupSecret) -> None:
        self._desk = desk
        self._database: Database = desk.database
        self._audit = Audit(desk.database)
        self._setup = setup

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/users", self.list_page, methods=["GET"])
        app.add_api_route("/api/users", self.create, methods=["POST"], status_code=201)
        app.add_api_route("/api/users/{name}", self.change, methods=["PATCH"])
        app.add_api_route("/api/users/{name}", self.remove, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/users/{name}/sessions", self.end_sessions, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/invites", self.list_invites, methods=["GET"])
        app.add_api_route("/api/invites", self.invite, methods=["POST"], status_code=201)
        app.add_api_route("/api/invites/redeem", self.redeem, methods=["POST"], status_code=201)
        app.add_api_route("/api/invites/{id}", self.remove_invite, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/setup/link", self.setup_link, methods=["POST"])

    async def list_page(
        self, caller: Admin, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.User]]:
        """List the users."""
        found = await self._database.read(users.list_page, after, limit + 1)
        return answer(list_answer(found, limit, user_json, lambda user: user.name))

    async def create(self, caller: Admin, body: NewUser) -> Answer[shapes.User]:
        """Make an account with its password; an invite lets its bearer choose one."""
        name, sites = check_user_name(body.name), check_site_names(body.sites)
        check_role(body.role, sites)
        check_may_give(caller, body.role)
        check_choice(body.password, name)
        hashed = await self._desk.passwords.hash(body.password)
        act = Act("user.create", name, look=_look(name))
        user = await self._audit.write(caller, act, users.add, name, body.role, sites, hashed)
        return answer(user_json(user), 201)

    async def change(self, caller: Admin, name: str, body: UserChange, if_match: IfMatch = None) -> Answer[shapes.User]:
        """Give a user another role or a new password; their sessions end. With `If-Match` only one of that revision."""
        if body.role is None and body.password is None:
            raise InvalidInput("Say what is to change: `role` (with its `sites`), `password`, or both.")
        sites, hashed = check_site_names(body.sites), None
        if body.role is not None:
            check_role(body.role, sites)
            check_may_give(caller, body.role)
        if body.password is not None:
            check_choice(body.password, name)
            hashed = await self._desk.passwords.hash(body.password)
        act = Act("user.change", name, look=_look(name), check=_held(name, if_match))
        return answer(user_json(await self._audit.write(caller, act, _change, caller, name, body.role, sites, hashed)))

    async def remove(self, caller: Admin, name: str, if_match: IfMatch = None) -> NoContent:
        """Remove a user; their sessions end at once. `If-Match` as for changing."""
        act = Act("user.remove", name, look=_look(name), check=_held(name, if_match))
        await self._audit.write(caller, act, _remove, caller, name)
        return NoContent()

    async def end_sessions(self, caller: Admin, name: str) -> NoContent:
        """End all sessions of a user."""
        await self._audit.write(caller, Act("session.end", f"all of {name}"), _end_sessions, caller, name)
        return NoContent()

    async def list_invites(
        self, caller: Admin, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Invite]]:
        """List the invites that still hold."""
        found = await self._database.read(sessions.list_invites, after, limit + 1)
        return answer(list_answer(found, limit, _invite_json, lambda invite: invite.id))

    async def invite(self, caller: Admin, body: NewInvite) -> Answer[shapes.MadeInvite]:
        """Make a link that makes one account; its secret is told in this answer and never again."""
        sites = check_site_names(body.sites)
        check_role(body.role, sites)
        check_may_give(caller, body.role)
        id, secret = new_id(), new_secret()
        expires_at = now_ms() + body.expires_in_s * 1000
        made = await self._audit.write(
            caller,
            Act("invite.create", id),
            sessions.add_invite,
            id,
            hash_secret(secret),
            body.role,
            sites,
            caller.actor,
            expires_at,
        )
        url = self._desk.hosting.url(f"dashboard.{self._desk.hosting.domain}")
        return answer({**_invite_json(made), "secret": secret, "url": f"{url}#/invite/{secret}"}, 201)

    async def redeem(self, caller: Anybody, request: Request, body: NewAccount) -> Answer[shapes.State]:
        """Make the account that an invite is for, and sign in."""
        self._desk.check_secure()
        address = address_of(request.scope)
        self._desk.attempts.check(address)
        name = check_user_name(body.name)
        if body.password is not None:
            check_choice(body.password, name)  # a bad choice is no guess
        self._desk.attempts.begin(address)
        way = await self._desk.check_way_in(name, body)
        user = await self._database.write(_redeem, hash_secret(body.secret), name, way, address)
        self._desk.attempts.succeeded(address)
        return await self._desk.begin(user, request, "invite", 201)

    async def remove_invite(self, caller: Admin, id: str) -> NoContent:
        """Take an invite back."""
        await self._audit.write(caller, Act("invite.remove", id), sessions.remove_invite, id)
        return NoContent()

    async def setup_link(self, caller: Admin) -> Answer[shapes.Url]:
        """Make a new one-time link with which the owner's account is made."""
        if await self._database.read(users.has_owner):
            raise Conflict("This server has an owner already. `fazt user create` invites others.")
        url = self._desk.hosting.url(f"dashboard.{self._desk.hosting.domain}")
        return answer({"url": f"{url}#/setup/{self._setup.renew()}"})


def _look(name: str) -> Any:
    def look(connection: apsw.Connection) -> Any:
        user = users.find(connection, name)
        return None if user is None else {"name": user.name, "role": user.role, "sites": user.sites}

    return look


def _held(name: str, if_match: str | None) -> Check | None:
    return held_to(if_match, lambda connection: users.find(connection, name), user_revision)


def _change(
    connection: apsw.Connection,
    caller: Principal,
    name: str,
    role: str | None,
    sites: list[str] | None,
    hashed: str | None,
) -> User:
    user = users.get(connection, name)
    check_may_give(caller, user.role)
    if role is not None:
        users.set_role(connection, name, role, sites)
    if hashed is not None:
        users.set_password(connection, user.id, hashed)
    sessions.remove_all(connection, user.id, caller.session if caller.user == user.id else None)
    return users.get(connection, name)


def _remove(connection: apsw.Connection, caller: Principal, name: str) -> None:
    check_may_give(caller, users.get(connection, name).role)
    users.remove(connection, name)


def _end_sessions(connection: apsw.Connection, caller: Principal, name: str) -> None:
    user = users.get(connection, name)
    check_may_give(caller, user.role)
    sessions.remove_all(connection, user.id)


def _redeem(connection: apsw.Connection, hash: bytes, name: str, way: WayIn, address: str) -> User:
    """Use an invite up and make its account: both, or neither."""
    invite = sessions.take_invite(connection, hash)
    if invite is None:
        raise Forbidden("This invite was used, taken back, or is too old; ask for another.")
    user = add_user(connection, name, invite.role, invite.sites, way)
    who = Principal(f"user:{name}", frozenset(), None, address)
    note(connection, who, Act("user.create", f"{name} by invite {invite.id} of {invite.made_by}"))
    return user


def _invite_json(invite: Invite) -> shapes.Invite:
    return {
        "id": invite.id,
        "role": invite.role,
        "sites": None if invite.sites is None else list(invite.sites),
        "made_by": invite.made_by,
        "created_at": iso(invite.created_at),
        "expires_at": iso(invite.expires_at),
    }
