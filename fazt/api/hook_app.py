"""`POST /_fazt/hooks/<name>`: where senders of webhooks deliver.

Plain ASGI. Rule: a hook that is not there, belongs to another host or is switched off looks the same; and nothing of
what a hook holds is ever told to who delivers.
"""

import re
from collections.abc import Coroutine
from dataclasses import dataclass

import orjson

from fazt.api.bodies import read_body
from fazt.api.platform import respond, respond_error
from fazt.api.routing import Application, Receive, Scope, Send
from fazt.api.tally import Tally
from fazt.errors import FaztError, MethodNotAllowed, NotFound, RateLimited
from fazt.hooks.receiving import MAX_BODY_BYTES, Receiver

PREFIX = "/_fazt/hooks/"
PATH = re.compile(rb"/_fazt/hooks/([a-z0-9][a-z0-9_-]{0,63})")


@dataclass(frozen=True, slots=True)
class Receiving:
    """What takes deliveries, and the count of those that were not signed as they should be."""

    receiver: Receiver
    refusals: Tally

    def background(self) -> list[Coroutine[None, None, None]]:
        """Return what runs as long as the server does."""
        return [self.receiver.run(), self.refusals.run()]


def hook_app(receiver: Receiver) -> Application:
    """Return the application of all hosts."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        try:
            await _answer(receiver, scope, receive, send)
        except RateLimited as error:
            await respond_error(send, error, [(b"retry-after", b"%d" % error.details["retry_after_s"])])
        except MethodNotAllowed as error:
            await respond_error(send, error, [(b"allow", b"POST")])
        except FaztError as error:
            await respond_error(send, error)

    return app


async def _answer(receiver: Receiver, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] != "POST":
        raise MethodNotAllowed("Webhooks are delivered with POST.")
    ours = scope["extensions"]["fazt"]
    match = PATH.fullmatch(scope["raw_path"])
    hook = await receiver.find(ours["host"], match[1].decode("ascii")) if match else None
    if hook is None:
        raise NotFound("There is nothing at this address.")
    ours["site"] = hook.site  # whose request it is counted as
    address = client[0] if (client := scope.get("client")) else ""
    receiver.admit(hook, address)
    body = await read_body(scope, receive, MAX_BODY_BYTES)
    accepted = await receiver.accept(hook, address, scope["headers"], body)
    told = orjson.dumps({"id": accepted.id, "new": accepted.is_new})
    await respond(send, 202 if accepted.is_new else 200, b"application/json", told)
