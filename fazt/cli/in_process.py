"""The API in this process, on the opened database: the transport for when no server runs.

Rule: the answer is handed on piece by piece, so that an export takes no more memory than it does through a server.
"""

import asyncio
import os
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fazt.cli.transports import Reply
from fazt.server.alone import open_api

WAITING_PIECES = 16


class ProcessTransport:
    """The application of the API, called without a network.

    Raises: StoreBusy where another process holds the database.
    """

    lanes = 1
    alone = True
    live = False

    def __init__(self, database: Path) -> None:
        self.where = str(database)
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        try:
            self._app: Any = self._runner.run(self._stack.enter_async_context(open_api(database, {})))
        except BaseException:
            self._runner.close()
            raise
        self._answer: Generator[dict[str, Any], None, None] | None = None

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float | None = None
    ) -> Reply:
        """Call the application; it goes on as the answer's pieces are taken."""
        self._end_answer()
        self._answer = messages = self._messages(_scope(method, target, headers), body)
        status = next(messages)["status"]
        return Reply(status, (message.get("body", b"") for message in messages))

    def _messages(self, scope: dict[str, Any], body: bytes) -> Generator[dict[str, Any], None, None]:
        """Yield what the application sends; closing this stops the application."""
        call = self._runner.run(_start(self._app, scope, body))
        try:
            while (message := self._runner.run(call.next_message())) is not None:
                yield message
        finally:
            self._runner.run(call.end())

    def _end_answer(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def close(self) -> None:
        """Close the database."""
        self._end_answer()
        try:
            self._runner.run(self._stack.aclose())
        finally:
            self._runner.close()


class _Call:
    """One request under way in the loop."""

    def __init__(self, app: Any, scope: dict[str, Any], body: bytes) -> None:
        self._body: bytes | None = body
        self._sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(WAITING_PIECES)
        self._wanted = True
        self._task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: Any, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._sent.put)
        finally:
            if self._wanted:
                await self._sent.put(None)

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.Event().wait()  # this client does not go away
        raise AssertionError("never set")

    async def next_message(self) -> dict[str, Any] | None:
        """Return the next message of the application, None after the last."""
        message = await self._sent.get()
        if message is None:
            await self._task  # raises what the application raised
        return message

    async def end(self) -> None:
        """Stop the application where its answer was not taken to the end."""
        self._wanted = False
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


async def _start(app: Any, scope: dict[str, Any], body: bytes) -> _Call:
    return _Call(app, scope, body)


def _scope(method: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("local", 0),
        "server": ("local.fazt", 0),
        "extensions": {"fazt": {"host": "local.fazt", "peer_uid": os.getuid(), "site": None}},
    }
