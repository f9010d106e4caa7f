"""Which ASGI application answers a request: by door, by host, by path.

Rule: an application is chosen by what the edge found out (`scope["extensions"]["fazt"]`), never by a header.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def by_door(*, socket: Application, network: Application) -> Application:
    """Return an application that answers the Unix socket with one and the network with another."""

    # Here and below: what the chosen one returns is awaited by the caller, without a coroutine of our own in between.
    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        chosen = network if scope["extensions"]["fazt"]["peer_uid"] is None else socket
        return chosen(scope, receive, send)

    return app


def by_host(hosts: Mapping[str, Application], *, otherwise: Application) -> Application:
    """Return an application that goes by the normalised host."""

    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return hosts.get(scope["extensions"]["fazt"]["host"], otherwise)(scope, receive, send)

    return app


def by_path(prefixes: Sequence[tuple[str, Application]], *, otherwise: Application) -> Application:
    """Return an application that goes by the first prefix that the path begins with."""

    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path = scope["path"]
        for prefix, chosen in prefixes:
            if path.startswith(prefix):
                return chosen(scope, receive, send)
        return otherwise(scope, receive, send)

    return app


def by_another_name(name: str, path: str, app: Application, *, otherwise: Application) -> Application:
    """Return an application that asks `app` for `path` where exactly `name` was asked for."""

    def renamed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"] != name:
            return otherwise(scope, receive, send)
        return app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    return renamed


def at_first_request(build: Callable[[], Application]) -> Application:
    """Return an application that is built, on a thread, when it is asked for the first time."""
    built: asyncio.Future[Application] | None = None

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal built
        if built is None or (built.done() and (built.cancelled() or built.exception() is not None)):
            built = asyncio.ensure_future(asyncio.to_thread(build))
        chosen = await asyncio.shield(built)  # one caller who goes away must not undo it for the others
        await chosen(scope, receive, send)

    return app
