"""`/api/account`: what a user changes about themselves: password, second factor, sessions.

Rule: what weakens an account takes its password once more; a new password ends all other sessions.
"""

import time
from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import SignedIn, address_of
from fazt.api.answers import Answer, NoContent, answer, user_json, whole_list
from fazt.api.auditing import Act, Audit
from fazt.api.session import Password, SignInDesk
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth import totp
from fazt.auth.passwords import check_choice
from fazt.auth.tokens import Principal
from fazt.errors import Conflict, Forbidden, InvalidInput, Unauthenticated
from fazt.store import sessions, users
from fazt.store.sessions import Session
from fazt.store.users import User


class NewPassword(BaseModel):
    """The password that was, and the one that is to be."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    current: Password = ""
    new: Password


class Code(BaseModel):
    """A code of the second factor."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    code: Annotated[str, Field(max_length=40, repr=False)]


class Confirmation(BaseModel):
    """The account's password, once more."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    password: Password


class AccountCalls:
    """The calls of a user about their own account."""

    def __init__(self, desk: SignInDesk) -> None:
        self._desk = desk
        self._database = desk.database
        self._audit = Audit(desk.database)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/account", self.show, methods=["GET"])
        app.add_api_route("/api/account/password", self.set_password, methods=["PUT"], status_code=204)
        app.add_api_route("/api/account/totp", self.begin_totp, methods=["POST"])
        app.add_api_route("/api/account/totp", self.confirm_totp, methods=["PUT"])
        app.add_api_route("/api/account/totp", self.remove_totp, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/account/recovery-codes", self.renew_codes, methods=["POST"])
        app.add_api_route("/api/account/sessions", self.list_sessions, methods=["GET"])
        app.add_api_route("/api/account/sessions", self.end_others, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/account/sessions/{id}", self.end_session, methods=["DELETE"], status_code=204)

    async def show(self, caller: SignedIn) -> Answer[shapes.User]:
        """Show the account."""
        return answer(user_json(await self._user(caller)))

    async def set_password(self, caller: SignedIn, request: Request, body: NewPassword) -> NoContent:
        """Choose another password; every other session ends."""
        user = await self._user(caller)
        if user.password is not None:
            await self._confirm(user, request, body.current)
        check_choice(body.new, user.name)
        hashed = await self._desk.passwords.hash(body.new)
        await self._change(caller, "user.password", user, _set_password, hashed, caller.session)
        return NoContent()

    async def begin_totp(self, caller: SignedIn) -> Answer[shapes.TotpSecret]:
        """Make a secret for an app that shows codes; it counts once a code has confirmed it."""
        user, secret = await self._user(caller), totp.new_secret()
        if user.totp is not None:
            raise Conflict("This account has a second factor already; remove it first.")
        await self._database.write(users.set_pending_totp, user.id, secret)
        uri = totp.as_uri(secret, user.name, f"Fazt {self._desk.hosting.domain}")
        return answer({"secret": totp.as_text(secret), "uri": uri, "svg": totp.as_svg(uri)})

    async def confirm_totp(self, caller: SignedIn, body: Code) -> Answer[shapes.RecoveryCodes]:
        """Let the new secret count; the answer has the recovery codes, shown this once."""
        user = await self._user(caller)
        if user.pending_totp is None:
            raise InvalidInput("Ask for a secret first.")
        secret = await self._database.read(users.open_pending_totp, user)
        step = None if secret is None else totp.find_step(secret, body.code, time.time())
        if secret is None or step is None:
            raise InvalidInput("This code is wrong; is the clock of your device right?")
        codes = totp.new_recovery_codes()
        hashes = [totp.hash_recovery_code(code) for code in codes]
        await self._change(caller, "user.totp", user, _confirm_totp, secret, step, hashes)
        return answer({"recovery_codes": codes})

    async def remove_totp(self, caller: SignedIn, request: Request, body: Confirmation) -> NoContent:
        """Go without a second factor."""
        user = await self._user(caller)
        await self._confirm(user, request, body.password)
        await self._change(caller, "user.totp", user, _remove_totp)
        return NoContent()

    async def renew_codes(self, caller: SignedIn, request: Request, body: Confirmation) -> Answer[shapes.RecoveryCodes]:
        """Make new recovery codes; the old ones are of no use any more."""
        user = await self._user(caller)
        await self._confirm(user, request, body.password)
        if user.totp is None:
            raise InvalidInput("Recovery codes go with a second factor; this account has none.")
        codes = totp.new_recovery_codes()
        hashes = [totp.hash_recovery_code(code) for code in codes]
        await self._change(caller, "user.recovery_codes", user, users.set_recovery_codes, hashes)
        return answer({"recovery_codes": codes})

    async def list_sessions(self, caller: SignedIn) -> Answer[Page[shapes.Session]]:
        """List the browsers that are signed in to this account."""
        found = await self._database.read(sessions.list_of, caller.user or 0)
        return answer(whole_list([_session_json(session, caller) for session in found]))

    async def end_session(self, caller: SignedIn, id: str) -> NoContent:
        """End one session."""
        await self._audit.write(caller, Act("session.end", id), sessions.remove, id, caller.user or 0)
        return NoContent()

    async def end_others(self, caller: SignedIn) -> NoContent:
        """End every session but this one."""
        act = Act("session.end", "all others")
        await self._audit.write(caller, act, sessions.remove_all, caller.user or 0, caller.session)
        return NoContent()

    async def _user(self, caller: Principal) -> User:
        user = await self._database.read(users.by_id, caller.user or 0)
        if user is None:
            raise Unauthenticated("This account is not there any more.")
        return user

    async def _confirm(self, user: User, request: Request, password: str) -> None:
        address = address_of(request.scope)
        self._desk.attempts.check(address)
        self._desk.attempts.begin(address)
        if not await self._desk.passwords.matches(user.password, password):
            raise Forbidden("The password is wrong.")
        self._desk.attempts.succeeded(address)

    async def _change(self, caller: Principal, action: str, user: User, function: Any, *args: Any) -> None:
        await self._audit.write(caller, Act(action, user.name), function, user.id, *args)


def _set_password(connection: apsw.Connection, id: int, hashed: str, session: str | None) -> None:
    users.set_password(connection, id, hashed)
    sessions.remove_all(connection, id, session)


def _confirm_totp(connection: apsw.Connection, id: int, secret: bytes, step: int, codes: list[bytes]) -> None:
    users.set_totp(connection, id, secret, step, codes)


def _remove_totp(connection: apsw.Connection, id: int) -> None:
    users.set_totp(connection, id, None, 0, ())


def _session_json(session: Session, caller: Principal) -> shapes.Session:
    return {
        "id": session.id,
        "current": session.id == caller.session,
        "address": session.address,
        "user_agent": session.user_agent,
        "created_at": iso(session.created_at),
        "last_seen_at": iso(session.last_seen_at),
        "expires_at": iso(session.expires_at),
    }
