"""The API in this process: the real application on a real database, called as the edge calls it."""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
from answer_shapes import DESCRIPTION, Shapes

from fazt._speedups.pages import Pages
from fazt._speedups.statistics import AccessRing
from fazt.api.error_log import ErrorLog
from fazt.api.parts import Parts
from fazt.server.functions import make_functions
from fazt.server.making import make_hosting, make_spill
from fazt.server.network import make_api
from fazt.server.parts import make_parts
from fazt.settings import LiveSettings, Settings
from fazt.sites.hosting import Hosting
from fazt.sites.pack import Piece, encode
from fazt.store.database import Database

CHUNK = 262_144
PACK = "application/x-fazt-pack"
ORIGIN = "http://dashboard.localhost:4698"
PASSWORD = "a long night of rain"
SHAPES = Shapes()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        code: str = self.json["error"]["code"]
        return code


def chosen(settings: Settings) -> dict[str, Any]:
    """Return what of some settings is not at its default, as flags."""
    return {name: value for name, value in asdict(settings).items() if value != getattr(Settings(), name)}


class Api:
    """One API and its parts."""

    def __init__(self, database: Database, settings: Settings, runner: asyncio.Runner) -> None:
        self.database = database
        self.runner = runner
        self.pages = Pages(1 << 20)
        self.ring = AccessRing(2048)
        self.errors = ErrorLog()
        self.spill = make_spill(settings, database)
        self.woken = 0
        self.restarts = 0
        self.settings = LiveSettings(chosen(settings), {})
        self.parts = runner.run(self._make_parts(make_hosting(settings)))
        self.functions, self.history, self.visits = self.parts.functions, self.parts.history, self.parts.visits
        self.collector = self.parts.collector
        self.history.keep(50)
        self.app = make_api(self.parts)

    async def _make_parts(self, hosting: Hosting) -> Parts:
        return make_parts(
            self.settings,
            hosting,
            self.database,
            self.spill,
            self.pages,
            self.ring,
            self.errors,
            make_functions(self.settings.now, hosting, self.database, spares=0),
            restart=self._note_restart,
            wake_compressor=self._wake,
            connections=lambda: 3,
            started_at_ms=1000,
        )

    def close(self) -> None:
        self.runner.run(self.parts.telling.notifications.close())
        self.runner.run(self.functions.stop())

    def _note_restart(self) -> None:
        self.restarts += 1

    def _wake(self) -> None:
        self.woken += 1

    def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        token: str | None = None,
        peer: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send a request: as the owner, unless a token or another peer is given."""
        uid = None if token is not None else os.getuid() if peer is None else peer
        return self.runner.run(self.call(method, target, body, token, uid, headers))

    async def call(
        self, method: str, target: str, body: Any, token: str | None, uid: int | None, more: Sequence[tuple[str, str]]
    ) -> Answer:
        fields = [(name.lower(), value) for name, value in more]
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        if body is not None and not any(name == "content-type" for name, _ in fields):
            fields.append(("content-type", PACK if isinstance(body, bytes) else "application/json"))
        if token:
            fields.append(("authorization", f"Bearer {token}"))
        messages = [{"type": "http.request", "body": data, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            if not messages:
                await asyncio.Event().wait()  # this client does not go away
            return messages.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(make_scope(method, target, fields, uid), receive, send)
        answer = Answer(
            sent[0]["status"],
            {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]},
            b"".join(bytes(message.get("body", b"")) for message in sent[1:]),
        )
        if answer.status < 300 and answer.headers.get("content-type") == "application/json":
            await self._check(method, unquote(target.partition("?")[0], errors="replace"), answer)
        return answer

    async def _check(self, method: str, path: str, answer: Answer) -> None:
        """Assert that an answer has the shape that is described."""
        if path == DESCRIPTION:
            return
        if not SHAPES.knows(path):
            SHAPES.learn((await self.call("GET", DESCRIPTION, None, None, os.getuid(), ())).json)
        SHAPES.check(method, path, answer.status, answer.json)

    def deploy(self, site: str, files: dict[str, bytes], *, token: str | None = None, **more: Any) -> Answer:
        """Deploy as the command line does: ask, send what is missing, ask again."""
        target = f"/api/sites/{site}/versions"
        by_hash = {hashlib.sha256(data).digest(): data for data in files.values()}
        body = {"files": [wanted(path, data) for path, data in files.items()], **more}
        first = self.ask("POST", target, body, token=token)
        if first.status != 409 or first.code != "blobs_missing":
            return first
        pieces = []
        for item in first.json["error"]["missing"]:
            data = by_hash[bytes.fromhex(item["hash"])]
            numbers = range(max(1, -(-len(data) // CHUNK))) if item["chunks"] is None else item["chunks"]
            for n in numbers:
                pieces.append(Piece(bytes.fromhex(item["hash"]), len(data), n, data[n * CHUNK : (n + 1) * CHUNK]))
        assert self.ask("POST", "/api/blobs", encode(pieces), token=token).status == 200
        return self.ask("POST", target, body, token=token)

    def browser(self, user: str | None = None, *, role: str = "owner", sites: list[str] | None = None) -> "Browser":
        """Return a browser, in which a user of that name is signed in."""
        made = Browser(self)
        if user is not None:
            body = {"name": user, "password": PASSWORD, "role": role, "sites": sites}
            assert self.ask("POST", "/api/users", body).status in (201, 409)
            assert made.sign_in(user).status == 200
        return made

    def token(self, *actions: str, site: str | None = None, expires_in_s: int | None = None) -> str:
        """Make a token."""
        body = {"actions": actions, "sites": None if site is None else [site], "expires_in_s": expires_in_s}
        secret: str = self.ask("POST", "/api/tokens", body).json["token"]
        return secret


class Browser:
    """A browser on the dashboard: it keeps its cookie and sends what scripts of that origin send."""

    def __init__(self, api: Api, origin: str | None = ORIGIN) -> None:
        self.api = api
        self.cookie: str | None = None
        self.fields = {"fazt-request": "1", "content-type": "application/json"}
        if origin is not None:
            self.fields["origin"] = origin

    def ask(self, method: str, target: str, body: Any = None, **fields: str | None) -> Answer:
        """Send a request; a field given as None is left out."""
        wanted: dict[str, str | None] = {**self.fields, "cookie": self.cookie, "sec-fetch-site": "same-origin"}
        wanted |= {name.replace("_", "-"): value for name, value in fields.items()}
        headers = [(name, value) for name, value in wanted.items() if value is not None]
        data = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        answer = self.api.runner.run(self.api.call(method, target, data, None, None, headers))
        if set_cookie := answer.headers.get("set-cookie"):
            name_and_value, *attributes = set_cookie.split("; ")
            assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"} <= set(attributes)
            self.cookie = None if name_and_value.endswith("=") else name_and_value
        return answer

    def sign_in(self, name: str, password: str = PASSWORD, code: str | None = None) -> Answer:
        """Sign in."""
        body = {"name": name, "password": password} | ({} if code is None else {"code": code})
        return self.ask("POST", "/api/session", body)


def make_scope(method: str, target: str, fields: Sequence[tuple[str, str]], uid: int | None) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path, errors="replace"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
        "client": ("127.0.0.1", 1),
        "server": ("dashboard.localhost", 80),
        "extensions": {"fazt": {"host": "dashboard.localhost", "peer_uid": uid, "site": None}},
    }


def wanted(path: str, data: bytes) -> dict[str, Any]:
    return {"path": path, "hash": hashlib.sha256(data).hexdigest(), "size": len(data)}


@contextmanager
def opened(path: Path, settings: Settings | None = None) -> Iterator[Api]:
    """Open an API on a database."""
    with asyncio.Runner() as runner:
        database = Database.open(path)
        api = Api(database, settings or Settings(), runner)
        try:
            yield api
        finally:
            api.close()
            api.spill.close()
            database.close()
