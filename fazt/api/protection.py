"""`/api/sites/{site}/protection`, `/shares`, `/pass`: who may see a site, links for others, and a user's way in.

Rule: a password goes in and never comes out, and the secret of a link is told once.
"""

from typing import Annotated, Any
from urllib.parse import urlencode

import apsw
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from fazt._speedups.hosts import normalise
from fazt.api import shapes
from fazt.api.access import Admin, Deployer, Reader
from fazt.api.answers import Answer, NoContent, answer, whole_list
from fazt.api.auditing import Act, Audit, Look
from fazt.api.guard import ENTER, SHARE
from fazt.api.preconditions import IfMatch, check_revision, revision_of, seen_revision
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth import passes
from fazt.auth.cookies import hash_secret, new_id, new_secret
from fazt.auth.passes import CODE_S, Pass
from fazt.auth.passwords import Passwords
from fazt.errors import InvalidInput
from fazt.sites import deploy
from fazt.sites.hosting import Hosting
from fazt.sites.protection import Rule, check_addresses, check_paths, from_json, refuse_input, to_json
from fazt.store import protection, sites
from fazt.store.database import Database, now_ms
from fazt.store.protection import Share

SHORTEST_PASSWORD = 4
LONGEST_SHARE_S = 366 * 86_400
ONE = "/api/sites/{site}/protection"
SHARES = "/api/sites/{site}/shares"
Path = Annotated[str, Field(max_length=500)]


class NewRule(BaseModel):
    """Who may see some paths; `password` true: the one that this rule has already."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    paths: Annotated[list[Path], Field(min_length=1, max_length=100)] = ["/*"]
    password: Annotated[str | bool, Field(repr=False)] = False
    users: bool = False
    addresses: Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=200)] = []
    previews: bool = False


class NewProtection(BaseModel):
    """All rules of a site; the first about a path counts."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    rules: Annotated[list[NewRule], Field(min_length=1, max_length=50)]


class NewShare(BaseModel):
    """A link for whoever has it; with `version` (an id or its beginning) it is for that preview."""

    model_config = ConfigDict(extra="forbid")
    path: Path = "/*"
    version: Annotated[str | None, Field(max_length=64)] = None
    expires_in_s: Annotated[int, Field(ge=60, le=LONGEST_SHARE_S)] = 7 * 86_400
    label: Annotated[str, Field(max_length=200)] = ""


class Entry(BaseModel):
    """Where a user wants to go: a path of the site, at one of its hosts."""

    model_config = ConfigDict(extra="forbid")
    host: Annotated[str | None, Field(max_length=253)] = None
    to: Annotated[str, Field(max_length=4000, alias="return")] = "/"


class ProtectionCalls:
    """The calls about who may see a site."""

    def __init__(self, database: Database, hosting: Hosting, passwords: Passwords) -> None:
        self._database = database
        self._audit = Audit(database)
        self._hosting = hosting
        self._passwords = passwords

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route(ONE, self.show, methods=["GET"])
        app.add_api_route(ONE, self.protect, methods=["PUT"])
        app.add_api_route(ONE, self.open, methods=["DELETE"], status_code=204)
        app.add_api_route(SHARES, self.list_shares, methods=["GET"])
        app.add_api_route(SHARES, self.share, methods=["POST"], status_code=201)
        app.add_api_route(f"{SHARES}/{{id}}", self.revoke, methods=["DELETE"], status_code=204)
        app.add_api_route("/api/sites/{site}/pass", self.let_in, methods=["POST"])

    async def show(self, caller: Reader, site: str) -> Answer[shapes.Protection]:
        """Show who may see a site; no rules: as its `fazt.json` says."""
        return answer(_protection_json(await self._database.read(_kept, site)))

    async def protect(
        self, caller: Admin, site: str, body: NewProtection, if_match: IfMatch = None
    ) -> Answer[shapes.Protection]:
        """Let only some see a site, or some of its paths; counts for every request after this answer.

        With `If-Match` only where the rules are of that revision until then.
        """
        seen = seen_revision(if_match)
        before = _rules(await self._database.read(_kept, site))
        rules = tuple([await self._rule(number, each, before) for number, each in enumerate(body.rules)])
        act = Act("protection.set", site, site, _look(site))
        await self._audit.write(caller, act, _put, site, to_json(rules), seen)
        return answer(_protection_json(to_json(rules)))

    async def open(self, caller: Admin, site: str, if_match: IfMatch = None) -> NoContent:
        """Forget these rules; what `fazt.json` says counts again. `If-Match` as for setting them."""
        seen = seen_revision(if_match)
        act = Act("protection.remove", site, site, _look(site))
        await self._audit.write(caller, act, _remove, site, seen)
        return NoContent()

    async def list_shares(self, caller: Reader, site: str) -> Answer[Page[shapes.Share]]:
        """List the share links of a site, newest first."""
        found = await self._database.read(_shares, site)
        return answer(whole_list([_share_json(share) for share in found]))

    async def share(self, caller: Deployer, site: str, body: NewShare) -> Answer[shapes.MadeShare]:
        """Make a share link; it is told in this answer and never again."""
        check_paths([body.path], lambda message: refuse_input(message, "path"))
        version = None if body.version is None else await self._database.read(_version, site, body.version)
        id, secret = new_id(), new_secret()
        made = await self._audit.write(
            caller,
            Act("share.create", id, site),
            protection.add_share,
            site,
            id,
            hash_secret(secret),
            body.path,
            version,
            body.label,
            caller.actor,
            now_ms() + body.expires_in_s * 1000,
        )
        base = self._hosting.site_url(site) if version is None else self._hosting.preview_url(site, version)
        return answer({**_share_json(made), "url": f"{base.rstrip('/')}{SHARE}{secret}"}, 201)

    async def revoke(self, caller: Deployer, site: str, id: str) -> NoContent:
        """Revoke a share link."""
        await self._audit.write(caller, Act("share.remove", id, site), protection.remove_share, site, id)
        return NoContent()

    async def let_in(self, caller: Reader, site: str, body: Entry) -> Answer[shapes.Url]:
        """Give a user the address at which they may see a site, once and soon."""
        url, site_id, key = await self._database.read(self._entry, site, body.host)
        code = passes.sign(key, Pass(site_id, ("users", new_id()), now_ms() + CODE_S * 1000, "code"))
        return answer({"url": f"{url.rstrip('/')}{ENTER}?{urlencode({'code': code, 'return': body.to})}"})

    def _entry(self, connection: apsw.Connection, name: str, host: str | None) -> tuple[str, int, bytes]:
        site = sites.get(connection, name)
        normal = normalise((host or self._hosting.site_host(name)).encode("ascii", "replace"))
        if normal is None or self._hosting.place(connection, normal).site != name:
            raise InvalidInput(f"{host} is no host of the site {name}.")
        return self._hosting.url(normal), site.id, protection.signing_key(connection)

    async def _rule(self, number: int, wanted: NewRule, before: tuple[Rule, ...]) -> Rule:
        rule = Rule(
            check_paths(wanted.paths, lambda message: refuse_input(message, "rules", number, "paths")),
            await self._password(number, wanted, before),
            None,
            wanted.users,
            check_addresses(wanted.addresses, lambda message: refuse_input(message, "rules", number, "addresses")),
            wanted.previews,
        )
        if not (rule.password or rule.users or rule.addresses):
            refuse_input("a rule needs a way in: a password, users or addresses", "rules", number)
        return rule

    async def _password(self, number: int, wanted: NewRule, before: tuple[Rule, ...]) -> str | None:
        """Return the hash that a rule is to have: of a new password, or the one that it has."""
        if isinstance(wanted.password, str):
            if not SHORTEST_PASSWORD <= len(wanted.password) <= 1000:
                refuse_input(f"it has {SHORTEST_PASSWORD} to 1000 characters", "rules", number, "password")
            return await self._passwords.hash(wanted.password)
        if not wanted.password:
            return None
        about = (wanted.paths, wanted.previews)
        same = [rule for rule in before if rule.password and (list(rule.paths), rule.previews) == about]
        same += [rule for rule in before[number : number + 1] if rule.password]
        if not same:
            refuse_input("this rule has no password yet; give one", "rules", number, "password")
        return same[0].password


def _kept(connection: apsw.Connection, name: str) -> bytes | None:
    return protection.rules(connection, sites.get(connection, name).id)


def _rules(kept: bytes | None) -> tuple[Rule, ...]:
    return () if kept is None else from_json(kept)


def _put(connection: apsw.Connection, name: str, data: bytes, seen: str | None) -> None:
    check_revision(_kept(connection, name), seen)
    protection.put_rules(connection, name, data)


def _remove(connection: apsw.Connection, name: str, seen: str | None) -> None:
    check_revision(_kept(connection, name), seen)
    protection.remove_rules(connection, name)


def _protection_json(kept: bytes | None) -> shapes.Protection:
    return {"rules": [_rule_json(rule) for rule in _rules(kept)], "revision": revision_of(kept)}


def _look(name: str) -> Look:
    def look(connection: apsw.Connection) -> Any:
        site = sites.find(connection, name)
        data = None if site is None else protection.rules(connection, site.id)
        return None if data is None else {"rules": [_rule_json(rule) for rule in from_json(data)]}

    return look


def _shares(connection: apsw.Connection, name: str) -> list[Share]:
    return protection.shares(connection, sites.get(connection, name).id)


def _version(connection: apsw.Connection, name: str, prefix: str) -> str:
    return deploy.find_version(connection, sites.get(connection, name), prefix).id


def _rule_json(rule: Rule) -> shapes.Rule:
    return {
        "paths": list(rule.paths),
        "password": rule.password is not None or rule.secret is not None,
        "users": rule.users,
        "addresses": list(rule.addresses),
        "previews": rule.previews,
    }


def _share_json(share: Share) -> shapes.Share:
    return {
        "id": share.id,
        "path": share.path,
        "version": share.version,
        "label": share.label,
        "made_by": share.made_by,
        "created_at": iso(share.created_at),
        "expires_at": iso(share.expires_at),
        "uses": share.uses,
    }
