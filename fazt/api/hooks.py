"""`/api/hooks`: incoming webhooks and what they brought.

A hook of a site is that site's: who may deploy to it may change the hook, since its deliveries go to the site's code.
Hooks of the server take `admin`. Rule: a secret is told when its hook is made, and never again.
"""

import re
import secrets
from collections.abc import Callable
from typing import Annotated, Any

import apsw
import orjson
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import FilteredDeployer, FilteredReader, check
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, NoContent, answer, list_answer, number_cursor
from fazt.api.auditing import Act, Audit
from fazt.api.hook_app import PREFIX, Receiving
from fazt.api.preconditions import IfMatch, held_to, revision_of_fields
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth.tokens import Principal
from fazt.errors import Conflict, InvalidInput
from fazt.hooks.receiving import read_body
from fazt.hooks.signatures import Style
from fazt.jobs.options import FOLDER, NAME
from fazt.sites.hosting import Hosting
from fazt.store import hooks, sites
from fazt.store.database import Database
from fazt.store.hooks import Delivery, Hook

HOOK_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
SECRET_BYTES = 32
LONGEST_SECRET = 512

Secret = Annotated[str, Field(min_length=1, max_length=LONGEST_SECRET)]
Function = Annotated[str, Field(min_length=1, max_length=100)]


class NewHook(BaseModel):
    """A hook that is to be made; `site` null: of the server; `function`: the job that each delivery becomes."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: Annotated[str, Field(max_length=64)]
    site: Annotated[str | None, Field(max_length=253)] = None
    style: Style = "hmac"
    secret: Secret | None = None
    function: Function | None = None


class HookChanges(BaseModel):
    """What is to be different; `function` null: deliveries are kept and nothing runs."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    style: Style | None = None
    secret: Secret | None = None
    function: Function | None = None
    enabled: bool | None = None


class Hooks:
    """The calls about incoming webhooks."""

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        receiving: Receiving,
        wake_jobs: Callable[[], None],
    ) -> None:
        self._database = database
        self._audit = Audit(database)
        self._hosting = hosting
        self._receiver = receiving.receiver
        self._refusals = receiving.refusals
        self._wake_jobs = wake_jobs

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        one = "/api/hooks/{name}"
        app.add_api_route("/api/hooks", self.list_page, methods=["GET"])
        app.add_api_route("/api/hooks", self.create, methods=["POST"], status_code=201)
        app.add_api_route(one, self.show, methods=["GET"])
        app.add_api_route(one, self.change, methods=["PATCH"])
        app.add_api_route(one, self.remove, methods=["DELETE"], status_code=204)
        app.add_api_route(f"{one}/deliveries", self.list_deliveries, methods=["GET"])
        app.add_api_route(f"{one}/deliveries/{{id}}", self.show_delivery, methods=["GET"])
        app.add_api_route(f"{one}/deliveries/{{id}}/replay", self.replay, methods=["POST"])

    async def list_page(
        self,
        caller: FilteredReader,
        site: Annotated[str | None, Query(max_length=253)] = None,
        limit: Limit = DEFAULT_ITEMS,
        after: After = None,
    ) -> Answer[Page[shapes.Hook]]:
        """List the hooks of a site, or all that the caller may see, in order of their names."""
        if site is not None:
            check(caller, "read", site)
        shown = caller.asks_about(site)
        of_sites = None if shown is None else orjson.dumps(sorted(shown)).decode()
        found = await self._database.read(_list, site, of_sites, after, limit + 1)
        return answer(list_answer(found, limit, self._json, lambda hook: hook.name))

    async def create(self, caller: FilteredDeployer, body: NewHook) -> Answer[shapes.MadeHook]:
        """Make a hook; its secret is told in this answer and never again."""
        _check_owner(caller, body.site)
        if not HOOK_NAME.fullmatch(body.name):
            raise InvalidInput("The name of a hook has 1 to 64 of the characters a-z, 0-9, - and _: github-pushes.")
        secret = _secret_for(body.style, body.secret)
        _check_function(body.function, body.site)
        kept = None if secret is None else _encoded(secret)
        act = _act("create", body.name, body.site)
        made = await self._audit.write(caller, act, hooks.add, body.name, body.site, body.style, kept, body.function)
        return answer({**self._json(made), "secret": secret}, 201)

    async def show(self, caller: FilteredReader, name: str) -> Answer[shapes.Hook]:
        """Show a hook."""
        return answer(self._json(await self._find(caller, "read", name)))

    async def change(
        self, caller: FilteredDeployer, name: str, body: HookChanges, if_match: IfMatch = None
    ) -> Answer[shapes.Hook]:
        """Change a hook; a new secret counts from the next delivery on. With `If-Match` only one of that revision."""
        hook = await self._find(caller, "deploy", name)
        wanted = body.model_fields_set
        style = body.style or hook.style
        if body.secret is None and style != "none" and hook.secret is None:
            raise InvalidInput(f"A hook of the style {style} needs a secret; send one.")
        given = None if body.secret is None else _secret_for(style, body.secret)
        secret = None if given is None else _encoded(given)
        function = body.function if "function" in wanted else hook.function
        _check_function(function, hook.site)
        enabled = hook.enabled if body.enabled is None else body.enabled
        act = _act("change", name, hook.site, secret_changed=body.secret is not None, if_match=if_match)
        made = await self._audit.write(caller, act, hooks.change, hook, style, secret, function, enabled)
        return answer(self._json(made))

    async def remove(self, caller: FilteredDeployer, name: str, if_match: IfMatch = None) -> NoContent:
        """Delete a hook with all that it brought. `If-Match` as for changing."""
        hook = await self._find(caller, "deploy", name)
        await self._audit.write(caller, _act("remove", name, hook.site, if_match=if_match), hooks.remove, name)
        return NoContent()

    async def list_deliveries(
        self, caller: FilteredReader, name: str, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.HookDelivery]]:
        """List what a hook brought, newest first, without headers and bodies."""
        hook = await self._find(caller, "read", name)
        found = await self._database.read(hooks.list_deliveries, hook, number_cursor(after), limit + 1)
        return answer(list_answer(found, limit, _delivery_json, lambda delivery: str(delivery.number)))

    async def show_delivery(self, caller: FilteredDeployer, name: str, id: str) -> Answer[shapes.WholeHookDelivery]:
        """Show a delivery with headers and body."""
        hook = await self._find(caller, "deploy", name)
        delivery = await self._database.read(hooks.get_delivery, hook, id)
        body, encoding = read_body(delivery.body)
        headers = orjson.loads(delivery.headers)
        return answer({**_delivery_json(delivery), "headers": headers, "body": body, "encoding": encoding})

    async def replay(self, caller: FilteredDeployer, name: str, id: str) -> Answer[shapes.HookDelivery]:
        """Run the function of a hook once more on what it was brought."""
        hook = await self._find(caller, "deploy", name)
        if hook.function is None:
            raise Conflict(f"The hook {name!r} names no function: there is nothing to run. Give it one first.")
        delivery = await self._database.read(hooks.get_delivery, hook, id)
        job = self._receiver.job_of(hook, hook.function, delivery)
        act = Act("hook.replay", f"{name} {id}", hook.site)
        made = await self._audit.write(caller, act, hooks.replay, hook, delivery, job)
        self._wake_jobs()
        return answer(_delivery_json(made))

    async def _find(self, caller: Principal, action: str, name: str) -> Hook:
        """Return a hook that the caller may do `action` to.

        Raises: NotFound, Forbidden.
        """
        hook = await self._database.read(hooks.get, name)
        if action == "read":
            check(caller, action, hook.site)
        else:
            _check_owner(caller, hook.site)
        return hook

    def _json(self, hook: Hook) -> shapes.Hook:
        """Return a hook as JSON has it, without its secret."""
        refused, last = self._refusals.waiting(hook.number)
        host = self._hosting.domain if hook.site is None else None
        base = self._hosting.url(host) if host else self._hosting.site_url(hook.site or "")
        return {
            **_plain(hook),
            "url": f"{base.rstrip('/')}{PREFIX}{hook.name}",
            "received": hook.received,
            "last_received_at": iso(hook.received_at),
            "refused": hook.refused + refused,
            "last_refused_at": iso(max(last, hook.refused_at or 0) or None),
            "created_at": iso(hook.created_at),
            "revision": _revision(hook),
        }


def _plain(hook: Hook) -> shapes.HookChoices:
    return {
        "name": hook.name,
        "site": hook.site,
        "style": hook.style,
        "function": hook.function,
        "enabled": hook.enabled,
    }


def _delivery_json(delivery: Delivery) -> shapes.HookDelivery:
    return {
        "id": delivery.id,
        "sender_id": delivery.sender_id,
        "at": iso(delivery.at),
        "address": delivery.address,
        "bytes": delivery.size,
        "event": _event_of(delivery),
        "job": delivery.job,
        "replays": delivery.replays,
    }


def _event_of(delivery: Delivery) -> str | None:
    """Return what the sender says that it is about, where a header says so."""
    event: str | None = orjson.loads(delivery.headers).get("x-github-event")
    return event


def _check_owner(caller: Principal, site: str | None) -> None:
    """Let pass who may change the hooks of a site (None: of the server). Raises: Forbidden."""
    check(caller, "admin" if site is None else "deploy", site)


def _secret_for(style: Style, given: str | None) -> str | None:
    """Return the secret that a hook gets.

    Raises: InvalidInput.
    """
    if style == "none":
        if given is not None:
            raise InvalidInput("A hook of the style none has no secret: whoever knows its address can deliver.")
        return None
    if given is None and style == "stripe":
        raise InvalidInput("Stripe makes the secret (whsec_...): add the endpoint there first, then send it along.")
    return secrets.token_urlsafe(SECRET_BYTES) if given is None else given


def _encoded(secret: str) -> bytes:
    try:
        return secret.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The secret is not valid UTF-8.") from None


def _check_function(function: str | None, site: str | None) -> None:
    if function is None:
        return
    if site is None:
        raise InvalidInput("A hook of the server runs no function; make it a hook of the site whose function it is.")
    if not NAME.fullmatch(function):
        raise InvalidInput(f"A function of a hook is named as its file in {FOLDER} without the ending: a-z, 0-9, -, _.")


def _act(verb: str, name: str, site: str | None, *, secret_changed: bool = False, if_match: str | None = None) -> Act:
    """Return what is written down; that a secret changed is told, not what it was or is."""

    def look(connection: apsw.Connection) -> Any:
        hook = hooks.find(connection, name)
        if hook is None:
            return None
        return {**_plain(hook), **({"secret": "changed"} if secret_changed else {})}

    check = held_to(if_match, lambda connection: hooks.find(connection, name), _revision)
    return Act(f"hook.{verb}", name, site, look, check)


def _revision(hook: Hook) -> str:
    return revision_of_fields(hook.name, hook.style, hook.function, hook.enabled, hook.secret is not None)


def _list(
    connection: apsw.Connection, site: str | None, of_sites: str | None, after: str | None, limit: int
) -> list[Hook]:
    if site is not None:
        sites.get(connection, site)
    return hooks.list_page(connection, of_sites, after, limit)
