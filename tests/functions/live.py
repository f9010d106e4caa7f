"""Functions that really run: a database, the engine and the application, called as the edge calls it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from fazt.api.function_parts import FunctionParts
from fazt.errors import FaztError
from fazt.server.functions import make_functions
from fazt.server.making import make_hosting
from fazt.settings import Settings
from fazt.sites import deploy
from fazt.sites.deploy import Deploy, WantedFile
from fazt.store import blobs, programs
from fazt.store.database import Database

DOMAIN = "localhost"


@dataclass(slots=True)
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    pieces: list[bytes] = field(default_factory=list)
    whole: bool = False

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        code: str = self.json["error"]["code"]
        return code

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Client:
    """One request, with a client that may read slowly, send its body in pieces, or go away."""

    def __init__(self, pieces: Sequence[bytes] = (b"",)) -> None:
        self.answer = Answer()
        self.gone = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.came = asyncio.Condition()
        self._pieces = list(pieces)

    async def receive(self) -> dict[str, Any]:
        if self._pieces:
            piece = self._pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        if self.gone.is_set():
            raise ConnectionResetError("the client went away")
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
        else:
            piece = bytes(message.get("body", b""))
            self.answer.body += piece
            self.answer.pieces += [piece] if piece else []
            self.answer.whole = not message.get("more_body", False)
        async with self.came:
            self.came.notify_all()
        await self.may_read.wait()

    async def wait_for_bytes(self, count: int) -> None:
        async with self.came:
            await self.came.wait_for(lambda: len(self.answer.body) >= count)


@dataclass(slots=True)
class Live:
    """A server's functions."""

    database: Database
    parts: FunctionParts
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def deploy(self, site: str, files: Mapping[str, str | bytes], *, live: bool = True) -> str:
        """Deploy files; return the version's id."""
        contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        hashes = {path: hashlib.sha256(data).digest() for path, data in contents.items()}
        for data in contents.values():
            await self.database.write(blobs.put, data)
        program = await self.parts.workshop.compile(hashes)
        wanted = tuple(WantedFile(path, hashes[path], len(data)) for path, data in contents.items())

        def commit(connection: Any) -> str:
            done = deploy.commit(connection, Deploy(site, wanted, "", "test", live=live, create=True))
            if not done.unchanged:
                programs.put(connection, done.version.number, program.to_bytes())
            return done.version.id

        return await self.database.write(commit)

    async def ask(
        self,
        site: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes | Sequence[bytes] = b"",
        headers: Sequence[tuple[str, str]] = (),
        host: str | None = None,
        client: Client | None = None,
    ) -> Answer:
        """Send a request to a site's function, and wait for the end of the answer."""
        client = client or Client([body] if isinstance(body, bytes) else body)
        raw_path, _, query = path.partition("?")
        fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        if isinstance(body, bytes) and body:
            fields.append((b"content-length", b"%d" % len(body)))
        elif body:
            fields.append((b"transfer-encoding", b"chunked"))
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": raw_path,
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "headers": fields,
            "client": ("203.0.113.7", 1234),
            "extensions": {"fazt": {"host": host or f"{site}.{DOMAIN}", "peer_uid": None, "site": None}},
        }
        try:
            await self.parts.app(scope, client.receive, client.send)
        except FaztError as error:
            client.answer.status, client.answer.body = error.status, orjson.dumps(error.as_json())
        return client.answer

    async def call(self, source: str, **more: Any) -> Answer:
        """Deploy one function and ask it."""
        await self.deploy("one", {"api/f.js": source})
        return await self.ask("one", "/api/f", **more)

    async def value(self, source: str) -> Any:
        """Return the value of an async function's body, as JSON."""
        answer = await self.call(
            f"export default async function (request, {{ fazt, env, params, waitUntil }}) {{\n"
            f"  return Response.json(await (async () => {{ {source} }})());\n}}"
        )
        assert answer.status == 200, answer.body
        return answer.json

    async def lines(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the lines of the log of one kind, once there are so many: a call is reported behind its answer."""
        async with asyncio.timeout(5):
            while True:
                found = [orjson.loads(line.line) for line in self.parts.log.since(0)[1] if line.kind == kind]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0)


@asynccontextmanager
async def live(folder: Path, **settings: Any) -> AsyncIterator[Live]:
    """Open everything that functions need, on a database in a folder."""
    wanted = Settings(**settings)
    database = Database.open(folder / "data.db")
    parts = make_functions(wanted, make_hosting(wanted), database)
    tasks = [asyncio.ensure_future(work) for work in parts.background()]
    try:
        yield Live(database, parts, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.stop()
        database.close()
