"""The one client of the API that every command uses.

Rule: there is one way to do each thing. A command asks the API, whether a server runs here, elsewhere or not at all.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click
import orjson

from fazt import errors
from fazt.cli import remotes
from fazt.cli.transports import TIMEOUT_S, RemoteTransport, Reply, SocketTransport, Transport
from fazt.errors import FaztError, InvalidInput, RemoteError, StoreBusy
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
        try:
            return orjson.loads(data) if data else None
        except orjson.JSONDecodeError:
            raise self._not_fazt("answers with something that is not JSON") from None

    def stream(
        self,
        method: str,
        *path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        timeout_s: float | None = TIMEOUT_S,
    ) -> Reply:
        """Return the answer before its body was read; its status is 2xx.

        Raises: the FaztError that the answer names; InvalidInput where a name cannot be sent at all.
        """
        if any(part in ("", ".", "..") for part in path):
            raise InvalidInput("A name must not be empty, '.' or '..'.")
        headers = {"Accept": "application/json"}
        content = b""
        try:
            if isinstance(body, bytes):
                headers["Content-Type"], content = PACK_TYPE, body
            elif body is not None:
                headers["Content-Type"], content = "application/json", orjson.dumps(body)
            target = "/api/" + "/".join(quote(part, safe="") for part in path)
            wanted = {name: value for name, value in (query or {}).items() if value is not None}
            if wanted:
                target += "?" + urlencode(wanted)
        except (UnicodeEncodeError, orjson.JSONEncodeError):  # from bytes of the command line or of a file's name
            raise InvalidInput("A name or a text is not valid UTF-8.") from None
        reply = self.transport.send(method, target, headers, content, timeout_s)
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
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            return self._not_fazt(f"answers with status {reply.status} and no explanation")

    def _not_fazt(self, what: str) -> RemoteError:
        return RemoteError(f"{self.transport.where} {what}: is it the dashboard host of a Fazt server?")

    def items(self, *path: str, query: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page after page."""
        after = None
        while True:
            page = self.ask("GET", *path, query={**(query or {}), "limit": 1000, "after": after})
            if not isinstance(page, dict) or not {"items", "next"} <= page.keys():
                raise self._not_fazt("answers without a list where one was asked for")
            yield from page["items"]
            after = page["next"]
            if after is None:
                return


def _local(db: str | None, *, create: bool) -> Transport:
    """Return the socket of the server that holds the database, or open the database where there is none."""
    path = database_path(db)
    deadline = time.monotonic() + BUSY_WAIT_S
    while True:
        where = socket_path(path)
        if _is_ours(where, path) and SocketTransport.is_open(where):
            return SocketTransport(where)
        # The store, and then the whole server's code, is loaded only where no server runs that could answer.
        from fazt.store.staged import is_staged

        if not create and not path.exists() and not is_staged(path):
            raise InvalidInput(f"There is no database at {path}. 'fazt serve' or the first 'fazt deploy' makes one.")
        from fazt.cli.in_process import ProcessTransport

        try:
            return ProcessTransport(path)
        except StoreBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # a server is starting or another command is at work: nothing tells when it is through


def _is_ours(where: Path, database: Path) -> bool:
    """Tell whether a socket was made by this user, root, or the owner of the database.

    Where the socket lies in a folder that everybody may write to, a stranger could wait there for our contents.
    """
    try:
        owner = where.stat().st_uid
        return owner in (0, os.getuid()) or owner == database.stat().st_uid
    except FileNotFoundError:
        return False


def remote_name(db: str | None, remote: str | None) -> str | None:
    """Return which remote a command is about. In this order: the options, FAZT_REMOTE, FAZT_DB, `fazt remote use`."""
    if db is not None and remote is not None:
        raise click.UsageError("Give --db or --remote, not both: one is here, the other elsewhere.")
    if remote is None and db is None:
        remote = os.environ.get("FAZT_REMOTE") or (None if os.environ.get("FAZT_DB") else remotes.load().current)
    return None if remote == "local" else remote


@contextmanager
def connect(db: str | None, remote: str | None, *, create: bool = False) -> Iterator[Client]:
    """Give a client for the chosen server: a remote by its name, else the database of this machine.

    `create` is for what makes sense without a database: it is made then.
    """
    name = remote_name(db, remote)
    transport = RemoteTransport(remotes.find(name)) if name is not None else _local(db, create=create)
    try:
        yield Client(transport)
    finally:
        transport.close()
