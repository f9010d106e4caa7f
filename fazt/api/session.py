"""`/api/session` and `/api/setup`: signing in and out, and the owner's first visit.

Rule: a wrong name, a wrong password and an account without one cannot be told apart, by the answer or by its time; an
attempt is counted before its outcome is known.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from fazt import __version__
from fazt.api import shapes
from fazt.api.access import Anybody, SignedIn, address_of
from fazt.api.answers import Answer, NoContent, answer, user_json
from fazt.api.auditing import Act, Audit, note
from fazt.auth import totp
from fazt.auth.attempts import Attempts, neighbourhood
from fazt.auth.cookies import clear_cookie, hash_secret, new_id, new_secret, set_cookie
from fazt.auth.passkeys import NewPasskey, Passkeys, credential_id, first_subject
from fazt.auth.passwords import Passwords, check_choice
from fazt.auth.roles import principal_of
from fazt.auth.setup import SetupSecret
from fazt.auth.tokens import Principal
from fazt.auth.user_names import check_user_name
from fazt.errors import CodeRequired, Conflict, Forbidden, InvalidInput, Unauthenticated
from fazt.notifications.events import Notify
from fazt.sites.hosting import Hosting
from fazt.store import passkeys, sessions, users
from fazt.store.database import Database
from fazt.store.users import User

LONGEST_AGENT = 300
WRONG = "The name or the password is wrong."
Password = Annotated[str, Field(max_length=4096, repr=False)]
Secret = Annotated[str, Field(max_length=200, repr=False)]
Name = Annotated[str, Field(max_length=100)]


class SignIn(BaseModel):
    """A name and a password, and a code where the account has a second factor."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: Name
    password: Password
    code: Annotated[str | None, Field(max_length=40, repr=False)] = None


class NewAccount(BaseModel):
    """The secret of a setup link or an invite, and the account that is wanted: with a password, or with a passkey."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    secret: Secret
    name: Name
    password: Annotated[str | None, Field(max_length=4096, repr=False)] = None
    id: Annotated[str | None, Field(max_length=100)] = None
    credential: Annotated[dict[str, Any] | None, Field(max_length=20)] = None


@dataclass(frozen=True, slots=True)
class WayIn:
    """How a new account is entered: by the hash of a password, or by a passkey."""

    hashed: str | None
    passkey: NewPasskey | None


class SignInDesk:
    """What every way of signing in needs: where attempts are counted, sessions begun, and the cookie made."""

    def __init__(
        self, database: Database, hosting: Hosting, passwords: Passwords, attempts: Attempts, notify: Notify
    ) -> None:
        self.database = database
        self._notify = notify
        self.passkeys = Passkeys(f"dashboard.{hosting.domain}", hosting.url(f"dashboard.{hosting.domain}").rstrip("/"))
        self.hosting = hosting
        self.passwords = passwords
        self.attempts = attempts

    def check_secure(self) -> None:
        """Let a browser in that will keep the cookie: over HTTPS, or on this machine. Raises: InvalidInput."""
        host = f"dashboard.{self.hosting.domain}"
        local = host == "localhost" or host.endswith(".localhost")
        if not local and self.hosting.url(host).startswith("http://"):
            raise InvalidInput(
                "Signing in needs HTTPS: browsers send this cookie over nothing else. Put the server behind a proxy "
                "that adds TLS and set public_scheme to https."
            )

    async def check_way_in(self, name: str, body: NewAccount) -> WayIn:
        """Return how the account that somebody wants is entered.

        Raises: InvalidInput where the password is no good, or there is no way; Forbidden where the passkey is not.
        """
        if body.password is not None and body.credential is None:
            check_choice(body.password, name)
            return WayIn(await self.passwords.hash(body.password), None)
        if body.password is None and body.credential is not None and body.id is not None:
            credential_id(body.credential)
            made = await asyncio.to_thread(self.passkeys.check_new, body.id, first_subject(name), body.credential)
            return WayIn(None, made)
        raise InvalidInput("An account is made with a `password`, or with the `id` and `credential` of a passkey.")

    async def begin(self, user: User, request: Request, how: str, status: int = 200) -> Answer[shapes.State]:
        """Begin a session of a user, and answer with its cookie; each sign-in has a secret of its own."""
        secret, address = new_secret(), address_of(request.scope)
        agent = request.headers.get("user-agent", "")[:LONGEST_AGENT]
        new = await self.database.write(_begin, user, hash_secret(secret), address, agent, how)
        if new and how != "setup":
            self._notify("sign_in", f"{user.name} signed in from a new place", f"From {address} by {how}\n{agent}")
        made = answer(self.state(user), status)
        made.headers["Set-Cookie"] = set_cookie(secret)
        return made

    def state(self, user: User | None, *, owned: bool = True) -> shapes.State:
        """Return what everybody may know, and who is signed in; `owned`: somebody has set the server up."""
        host = f"dashboard.{self.hosting.domain}"
        url = self.hosting.url(host)
        about: shapes.ServerName = {"domain": self.hosting.domain, "version": __version__, "url": url}
        if user is not None:
            return {"state": "signed_in", "user": user_json(user), "server": about}
        return {"state": "signed_out" if owned else "setup", "user": None, "server": about}


class SessionCalls:
    """The calls that sign in and out."""

    def __init__(self, desk: SignInDesk, setup: SetupSecret) -> None:
        self._desk = desk
        self._database = desk.database
        self._audit = Audit(desk.database)
        self._setup = setup

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/session", self.show, methods=["GET"])
        app.add_api_route("/api/session", self.sign_in, methods=["POST"])
        app.add_api_route("/api/session", self.sign_out, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/setup", self.set_up, methods=["POST"], status_code=201)

    async def show(self, caller: Anybody) -> Answer[shapes.State]:
        """Tell who is signed in, or whether the server was never set up."""
        owned, user = await self._database.read(_who, None if caller is None else caller.user)
        return answer(self._desk.state(user, owned=owned))

    async def sign_in(self, caller: Anybody, request: Request, body: SignIn) -> Answer[shapes.State]:
        """Sign in with a password."""
        self._desk.check_secure()
        address, name = address_of(request.scope), body.name.strip().lower()
        user, known = await self._database.read(_find, name, neighbourhood(address))
        attempts = self._desk.attempts
        attempts.check(address, name, known=known)
        count = attempts.begin(address, name)
        right = await self._desk.passwords.matches(None if user is None else user.password, body.password)
        if user is None or not right:
            await self._note_refusal(address, name, count)
            raise Unauthenticated(WRONG)
        if user.totp is not None:
            if body.code is None:
                attempts.succeeded(address, name)
                raise CodeRequired("This account has a second factor; send its code as well.")
            if not await self._database.write(_take_code, user.id, body.code, time.time()):
                await self._note_refusal(address, name, count)
                raise Unauthenticated("The code is wrong, or was used before.")
        attempts.succeeded(address, name)
        return await self._desk.begin(user, request, "password")

    async def sign_out(self, caller: SignedIn) -> NoContent:
        """End this session."""
        act = Act("session.end", caller.actor.removeprefix("user:"))
        await self._audit.write(caller, act, sessions.remove, caller.session or "", caller.user or 0)
        done = NoContent()
        done.headers["Set-Cookie"] = clear_cookie()
        return done

    async def set_up(self, caller: Anybody, request: Request, body: NewAccount) -> Answer[shapes.State]:
        """Make the owner's account, with the secret of the link that the server printed."""
        self._desk.check_secure()
        address = address_of(request.scope)
        self._desk.attempts.check(address)
        if not self._setup.is_right(body.secret):
            self._desk.attempts.begin(address)
            raise Forbidden("This setup link is not valid any more. `fazt init` prints a new one.")
        name = check_user_name(body.name)
        way = await self._desk.check_way_in(name, body)
        user = await self._database.write(_make_first_owner, name, way, address)
        self._setup.spend()
        return await self._desk.begin(user, request, "setup", 201)

    async def _note_refusal(self, address: str, name: str, count: int) -> None:
        # Each doubling is written down, not each attempt: a guesser must not fill the log.
        if count & (count - 1) == 0:
            stranger = Principal("visitor", frozenset(), frozenset(), address)
            await self._database.write(note, stranger, Act("session.refuse", name))


def add_user(connection: apsw.Connection, name: str, role: str, sites: Sequence[str] | None, way: WayIn) -> User:
    """Make a user with their way in: both, or neither. Raises: Conflict."""
    user = users.add(connection, name, role, sites, way.hashed)
    if way.passkey is not None:
        made = way.passkey
        passkeys.add(connection, made.id, user.id, "Passkey", made.public_key, made.sign_count)
        return users.get(connection, name)
    return user


def _who(connection: apsw.Connection, id: int | None) -> tuple[bool, User | None]:
    return users.has_owner(connection), None if id is None else users.by_id(connection, id)


def _find(connection: apsw.Connection, name: str, place: str) -> tuple[User | None, bool]:
    user = users.find(connection, name)
    return user, user is not None and users.knows(connection, user.id, place)


def _take_code(connection: apsw.Connection, id: int, code: str, now_s: float) -> bool:
    """Use up a code of the second factor, or a recovery code; tell whether it was right."""
    user = users.by_id(connection, id)
    if user is None or user.totp is None:
        return False
    if totp.is_recovery_code(code):
        return users.take_recovery_code(connection, id, totp.hash_recovery_code(code))
    secret = users.open_totp(connection, user)
    step = None if secret is None else totp.find_step(secret, code, now_s)
    return step is not None and users.take_step(connection, id, step)


def _make_first_owner(connection: apsw.Connection, name: str, way: WayIn, address: str) -> User:
    if users.has_owner(connection):
        raise Conflict("This server has an owner already.")
    user = add_user(connection, name, "owner", None, way)
    who = Principal(f"user:{name}", frozenset(), None, address)
    note(connection, who, Act("user.create", name, look=None))
    return user


def _begin(connection: apsw.Connection, user: User, hash: bytes, address: str, agent: str, how: str) -> bool:
    """Return whether the user was never seen at that place."""
    id = new_id()
    sessions.add(connection, hash, id, user.id, address, agent)
    new = users.know(connection, user.id, neighbourhood(address))
    users.seen(connection, user.id)
    act = Act("session.create", f"{user.name} by {how}" + (", from a new place" if new else ""))
    note(connection, principal_of(user, id, address), act)
    return new
