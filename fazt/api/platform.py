"""What every host has beside its files: `/_fazt/health`. Everything else that is no file is a 404 in JSON.

Plain ASGI: it is loaded before the server listens. Rule: nothing here may be kept by anybody.
"""

import os
from pathlib import Path

import apsw
import orjson

from fazt.api.routing import Application, Receive, Scope, Send
from fazt.errors import FaztError, MethodNotAllowed, NotFound, StorageFull
from fazt.store import changes
from fazt.store.database import Database
from fazt.store.room import FLOOR_BYTES

HEALTH = "/_fazt/health"
FIELDS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


async def respond(
    send: Send, status: int, media_type: bytes, body: bytes, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Send a whole answer."""
    length = (b"content-length", b"%d" % len(body))
    headers = [(b"content-type", media_type), length, *FIELDS, *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_error(send: Send, error: FaztError, extra: list[tuple[bytes, bytes]] | None = None) -> None:
    """Send an error in its JSON form."""
    await respond(send, error.status, b"application/json", orjson.dumps(error.as_json()), extra)


def platform(database: Database) -> Application:
    """Return the application of all hosts."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["path"] != HEALTH:
            await respond_error(send, NotFound("There is nothing at this address."))
        elif scope["method"] not in ("GET", "HEAD"):
            error = MethodNotAllowed(f"{HEALTH} answers GET and HEAD.")
            await respond_error(send, error, [(b"allow", b"GET, HEAD")])
        else:
            await _answer_health(database, send)

    return app


async def _answer_health(database: Database, send: Send) -> None:
    try:
        await database.read(_check, database.path)
    except FaztError as error:
        await respond(send, 503, b"text/plain; charset=utf-8", f"{error.message}\n".encode())
    else:
        await respond(send, 200, b"text/plain; charset=utf-8", b"ok\n")


def _check(connection: apsw.Connection, path: Path) -> None:
    """Read something, and see whether there is room to write.

    Raises: StorageFull, StoreError.
    """
    changes.last(connection)
    disk = os.statvfs(path)
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < FLOOR_BYTES:
        raise StorageFull("The disk is full.")
