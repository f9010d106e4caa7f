"""`/api/session/passkey`, `/api/account/passkeys` and `/api/setup/passkey`: signing in without a password.

Rule: a passkey that nobody has and one whose answer is wrong cannot be told apart; an account keeps a way in.
"""

import asyncio
from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Anybody, SignedIn, address_of
from fazt.api.answers import Answer, NoContent, answer, whole_list
from fazt.api.auditing import Act, Audit
from fazt.api.session import Name, Secret, SignInDesk
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth.passkeys import REFUSED, Passkeys, credential_id, first_subject
from fazt.auth.user_names import check_user_name
from fazt.errors import Conflict, Forbidden, Unauthenticated
from fazt.store import passkeys, users
from fazt.store.passkeys import Passkey
from fazt.store.users import User

ChallengeId = Annotated[str, Field(max_length=100)]
Credential = Annotated[dict[str, Any], Field(max_length=20)]
Label = Annotated[str, Field(max_length=100)]


class Asked(BaseModel):
    """Who wants to sign in; a name changes nothing, so that nobody learns who has passkeys."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None


class Answered(BaseModel):
    """What the browser answered to what was asked under an id."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    id: ChallengeId
    credential: Credential


class Made(BaseModel):
    """A passkey that the browser has made, and what it is called in lists."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    id: ChallengeId
    credential: Credential
    label: Label = ""


class SetupAsked(BaseModel):
    """The secret of a setup link or an invite, and the name that the account is to have."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    secret: Secret
    name: Name


class PasskeyCalls:
    """The calls about passkeys."""

    def __init__(self, desk: SignInDesk) -> None:
        self._desk = desk
        self._database = desk.database
        self._audit = Audit(desk.database)
        self._passkeys: Passkeys = desk.passkeys

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/session/passkey/options", self.ask, methods=["POST"])
        app.add_api_route("/api/session/passkey", self.sign_in, methods=["POST"])
        app.add_api_route("/api/setup/passkey/options", self.ask_for_first, methods=["POST"])
        app.add_api_route("/api/account/passkeys/options", self.ask_for_new, methods=["POST"])
        app.add_api_route("/api/account/passkeys", self.list_own, methods=["GET"])
        app.add_api_route("/api/account/passkeys", self.add, methods=["POST"], status_code=201)
        app.add_api_route("/api/account/passkeys/{id}", self.remove, methods=["DELETE"], status_code=204)

    async def ask(self, caller: Anybody, body: Asked) -> Answer[shapes.PasskeyOptions]:
        """Ask for any passkey of this server."""
        return answer(await asyncio.to_thread(self._passkeys.ask))

    async def sign_in(self, caller: Anybody, request: Request, body: Answered) -> Answer[shapes.State]:
        """Sign in with a passkey; it takes the place of password and second factor."""
        self._desk.check_secure()
        address = address_of(request.scope)
        self._desk.attempts.check(address)
        self._desk.attempts.begin(address)
        known = await self._database.read(passkeys.find, credential_id(body.credential))
        user = None if known is None else await self._database.read(users.by_id, known.user)
        if known is None or user is None:
            raise Unauthenticated(REFUSED)
        try:
            count = await asyncio.to_thread(
                self._passkeys.check, body.id, body.credential, known.public_key, known.sign_count
            )
        except Forbidden as error:
            raise Unauthenticated(REFUSED) from error
        await self._database.write(passkeys.used, known.id, count)
        self._desk.attempts.succeeded(address)
        return await self._desk.begin(user, request, "passkey")

    async def ask_for_first(self, caller: Anybody, body: SetupAsked) -> Answer[shapes.PasskeyOptions]:
        """Ask for a passkey for an account that a setup link or an invite is about to make."""
        name = check_user_name(body.name)
        return answer(await asyncio.to_thread(self._passkeys.ask_for_new, first_subject(name), name, []))

    async def ask_for_new(self, caller: SignedIn) -> Answer[shapes.PasskeyOptions]:
        """Ask for another passkey for this account."""
        user = await self._user(caller)
        known = [each.id for each in await self._database.read(passkeys.list_of, user.id)]
        return answer(await asyncio.to_thread(self._passkeys.ask_for_new, _subject(user), user.name, known))

    async def list_own(self, caller: SignedIn) -> Answer[Page[shapes.Passkey]]:
        """List the passkeys of this account."""
        found = await self._database.read(passkeys.list_of, caller.user or 0)
        return answer(whole_list([_json(each) for each in found]))

    async def add(self, caller: SignedIn, body: Made) -> Answer[shapes.Passkey]:
        """Keep a passkey that the browser has made."""
        user = await self._user(caller)
        credential_id(body.credential)
        made = await asyncio.to_thread(self._passkeys.check_new, body.id, _subject(user), body.credential)
        act = Act("user.passkey_add", user.name)
        label = body.label.strip() or "Passkey"
        kept = await self._audit.write(
            caller, act, passkeys.add, made.id, user.id, label, made.public_key, made.sign_count
        )
        return answer(_json(kept), 201)

    async def remove(self, caller: SignedIn, id: str) -> NoContent:
        """Forget a passkey; the last way into an account stays."""
        user = await self._user(caller)
        await self._audit.write(caller, Act("user.passkey_remove", user.name), _remove, user.id, id)
        return NoContent()

    async def _user(self, caller: SignedIn) -> User:
        user = await self._database.read(users.by_id, caller.user or 0)
        if user is None:
            raise Unauthenticated("This account is not there any more.")
        return user


def _subject(user: User) -> str:
    return f"user {user.id}"


def _remove(connection: apsw.Connection, user: int, id: str) -> None:
    account = users.by_id(connection, user)
    if account is not None and account.password is None and account.passkeys == 1:
        raise Conflict("This is the only way into your account: choose a password or add another passkey first.")
    passkeys.remove(connection, id, user)


def _json(passkey: Passkey) -> shapes.Passkey:
    return {
        "id": passkey.id,
        "label": passkey.label,
        "created_at": iso(passkey.created_at),
        "last_used_at": iso(passkey.last_used_at),
    }
