"""Calls that make something once however often they come: the field `Idempotency-Key`.

Plain ASGI between the gate, which says who calls, and the routes. Rule: an answer that may hold a secret is not kept.
"""

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import Sequence

from starlette.datastructures import Headers

from fazt.api.access import PUBLIC
from fazt.api.bodies import read_body
from fazt.api.errors import respond
from fazt.api.routing import Application, Message, Receive, Scope, Send
from fazt.auth.tokens import Principal
from fazt.errors import FaztError, IdempotencyConflict, IdempotencyMismatch, InvalidInput, StoreError
from fazt.store import idempotency
from fazt.store.database import Database
from fazt.store.idempotency import Known

log = logging.getLogger("fazt.api")

KEY = re.compile(r"[\x21-\x7e]{16,200}")
# Calls whose answer is kept and given again; of all others it is only known that they were done.
KEPT = re.compile(r"/api/(sites|sites/[^/]+/versions|domains|users|links|cron/[^/]+/[^/]+/run)")
STREAMED = re.compile(r"/api/sites/[^/]+/upload|/api/blobs")  # never whole in memory; the same twice is one
MOST_KEPT_BYTES = 65_536
REPLAYED = (b"idempotent-replayed", b"true")


class Idempotency:
    """Does a POST with a key once, and answers the same request as before for a day."""

    def __init__(self, app: Application, database: Database) -> None:
        self._app = app
        self._database = database
        self._under_way: dict[bytes, bytes] = {}  # key -> fingerprint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, or answer what it answered before."""
        given = Headers(scope=scope).getlist("idempotency-key") if scope["type"] == "http" else []
        caller: Principal | None = scope["state"]["principal"]
        if not given or scope["method"] != "POST" or caller is None or ("POST", scope["path"]) in PUBLIC:
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._once(scope, receive, caller, given)
        except FaztError as error:
            await respond(error)(scope, receive, send)
            return
        for message in answer:
            await send(message)

    async def _once(self, scope: Scope, receive: Receive, caller: Principal, given: Sequence[str]) -> list[Message]:
        if STREAMED.fullmatch(scope["path"]):
            raise InvalidInput("This call takes no Idempotency-Key: the same content twice is one version anyway.")
        if len(given) > 1 or KEY.fullmatch(given[0]) is None:
            raise InvalidInput("An Idempotency-Key has 16 to 200 visible characters: a UUID, new for each thing.")
        body = await read_body(scope, receive)  # the gate has limited it
        key = hashlib.sha256(f"{caller.actor}\0{given[0]}".encode()).digest()
        fingerprint = _fingerprint(given[0], scope, body)
        if (other := self._under_way.get(key)) is not None:
            _check_same(other, fingerprint)
            raise IdempotencyConflict("The request with this Idempotency-Key is under way; ask again in a moment.")
        self._under_way[key] = fingerprint
        # A task of its own: it goes on when the client goes away, who will ask again to learn how it ended.
        task = asyncio.ensure_future(self._do(key, fingerprint, scope, body))
        task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _do(self, key: bytes, fingerprint: bytes, scope: Scope, body: bytes) -> list[Message]:
        """Call the application and keep how it ended; where that is not known the key stays taken."""
        known = await self._database.write(idempotency.claim, key, fingerprint)
        if known is not None:
            _check_same(known.fingerprint, fingerprint)
            return _again(known)
        sent: list[Message] = []
        left = [body]

        async def receive() -> Message:
            if not left:
                await asyncio.Event().wait()  # nobody's going away is told: it is to be done
            return {"type": "http.request", "body": left.pop(), "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        status: int = sent[0]["status"]
        answer = b"".join(bytes(message.get("body", b"")) for message in sent[1:])
        try:
            if status < 400:
                kept = answer if KEPT.fullmatch(scope["path"]) and len(answer) <= MOST_KEPT_BYTES else None
                await self._database.write(idempotency.finish, key, status, kept)
            elif status != 500:
                await self._database.write(idempotency.release, key)
        except StoreError as error:
            log.warning("how a request with an Idempotency-Key ended was not kept: %s", error)
        return sent


def _fingerprint(key: str, scope: Scope, body: bytes) -> bytes:
    """Return what tells one request from another; without the key nobody can try passwords on it."""
    what = b"\0".join((scope["path"].encode("utf-8", "surrogatepass"), scope["query_string"], body))
    return hmac.digest(key.encode(), what, "sha256")


def _check_same(before: bytes, now: bytes) -> None:
    """Raise IdempotencyMismatch where a key comes with another request than before."""
    if not hmac.compare_digest(before, now):
        raise IdempotencyMismatch("This Idempotency-Key was used for another request; take a new one for a new thing.")


def _again(known: Known) -> list[Message]:
    """Return the answer to a request whose key was used before.

    Raises: IdempotencyConflict.
    """
    if known.status is None:
        raise IdempotencyConflict(
            "The request with this Idempotency-Key was interrupted; look whether it was done before you take a new key."
        )
    if known.body is None:
        raise IdempotencyConflict(
            "The request with this Idempotency-Key was done. Its answer was told once and is not kept: where it held a "
            "secret that did not arrive, remove what was made and make it anew with a new key."
        )
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(known.body)), REPLAYED]
    return [
        {"type": "http.response.start", "status": known.status, "headers": headers},
        {"type": "http.response.body", "body": known.body, "more_body": False},
    ]
