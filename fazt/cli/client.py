"""The one client of the API that every command uses.

Rule: there is one way to do each thing. A command asks the API, whether a server runs here, elsewhere or not at all.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from fazt import errors
from fazt.cli import remotes
from fazt.cli.transports import ProcessTransport, RemoteTransport, Reply, SocketTransport, Transport
from fazt.errors import FaztError, RemoteError, StoreBusy
from fazt.settings import database_path, socket_path

PACK_TYPE = "application/x-fazt-pack"
BUSY_WAIT_S = 5.0
_CLASSES = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FaztError)}


class Client:
    """Asks one server's API."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def ask(self, method: str, *path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        """Return what the API answers, decoded; None where it answers without a body.

        Raises: the FaztError that the answer names.
        """
        data = self.stream(method, *path, query=query, body=body).read()
        return orjson.loads(data) if data else None

    def stream(self, method: str, *path: str, query: dict[str, Any] | None = None, body: Any = None) -> Reply:
        """Return the answer before its body was read; its status is 2xx."""
        headers = {"Accept": "application/json"}
        content = b""
        if isinstance(body, bytes):
            headers["Content-Type"], content = PACK_TYPE, body
        elif body is not None:
            headers["Content-Type"], content = "application/json", orjson.dumps(body)
        target = "/api/" + "/".join(quote(part, safe="") for part in path)
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        if wanted:
            target += "?" + urlencode(wanted)
        reply = self.transport.send(method, target, headers, content)
        if reply.status >= 300:
            raise self._error(reply)
        return reply

    def _error(self, reply: Reply) -> FaztError:
        """Turn an error of the API back into the exception that it was."""
        data = reply.read()
        try:
            error = orjson.loads(data)["error"]
            details = {key: value for key, value in error.items() if key not in ("code", "message")}
            return _CLASSES.get(error["code"], RemoteError)(error["message"], **details)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            what = f"{self.transport.where} answers with status {reply.status} and no explanation"
            return RemoteError(f"{what}: is it a Fazt server's dashboard host?")

    def items(self, *path: str, query: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page after page."""
        after = None
        while True:
            page = self.ask("GET", *path, query={**(query or {}), "limit": 1000, "after": after})
            yield from page["items"]
            after = page["next"]
            if after is None:
                return


def _local(db: str | None) -> Transport:
    """Return the socket of the server that holds the database, or open the database where there is none."""
    path = database_path(db)
    deadline = time.monotonic() + BUSY_WAIT_S
    while True:
        where = socket_path(path)
        if where.exists() and SocketTransport.is_open(where):
            return SocketTransport(where)
        try:
            return ProcessTransport(path)
        except StoreBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # a server is starting or another command is at work: nothing tells when it is through


@contextmanager
def connect(db: str | None, remote: str | None) -> Iterator[Client]:
    """Give a client for the chosen server: a remote by its name, else the database of this machine."""
    if remote is None and db is None and "FAZT_DB" not in os.environ:
        remote = remotes.load().current
    if remote == "local":
        remote = None
    transport = RemoteTransport(remotes.find(remote)) if remote else _local(db)
    try:
        yield Client(transport)
    finally:
        transport.close()
