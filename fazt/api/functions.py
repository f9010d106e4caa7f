"""`/api/sites/{site}/call` and `/api/calls`: calling a function as its owner, and looking at calls that went wrong.

Rule: what is called here goes through the same application, limits and log as a visitor's request.
"""

import asyncio
import base64
import re
from typing import Annotated, Any, cast
from urllib.parse import quote, unquote

import orjson
from fastapi import FastAPI, Path
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Deployer, FilteredDeployer, FilteredReader, check
from fazt.api.answers import Answer, answer
from fazt.api.call_log import report_json
from fazt.api.failed_calls import FailedCalls
from fazt.api.routing import Application, Message
from fazt.api.times import iso
from fazt.errors import FaztError, InvalidInput, NotFound, TooLarge
from fazt.functions.answers import FORBIDDEN, TOKEN
from fazt.functions.service import Service, Underway
from fazt.sites.hosting import Hosting
from fazt.store import programs, sites
from fazt.store.database import Database
from fazt.store.programs import FailedCall

MOST_BODY = 4 << 20
END_S = 5.0  # what a call does behind its answer is waited for so long
OWNER = ("local", 0)
SAFE = "%/?=&:@!$'()*+,;~-._[]"  # what stands in a path and its query; all else is encoded
PATH = re.compile(r"/api(/[^\s?#]*)?(\?[^\s#]*)?")

Header = tuple[Annotated[str, Field(max_length=256)], Annotated[str, Field(max_length=8192)]]
CallId = Annotated[str, Path(max_length=64)]


class NewCall(BaseModel):
    """A request that is to be made."""

    model_config = ConfigDict(extra="forbid")
    path: Annotated[str, Field(min_length=4, max_length=8192)]
    method: Annotated[str, Field(pattern=r"^[A-Z]{1,16}$")] = "GET"
    headers: Annotated[list[Header], Field(max_length=100)] = []
    body: Annotated[str, Field(max_length=MOST_BODY)] = ""
    body_base64: Annotated[str, Field(max_length=2 * MOST_BODY)] = ""  # in place of `body`, for what is no text


class Functions:
    """The calls about functions."""

    def __init__(self, database: Database, hosting: Hosting, app: Application, failed: FailedCalls) -> None:
        self._database = database
        self._hosting = hosting
        self._app = app
        self._failed = failed

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/sites/{site}/call", self.call, methods=["POST"])
        app.add_api_route("/api/calls/{call}", self.show, methods=["GET"])
        app.add_api_route("/api/calls/{call}/replay", self.replay, methods=["POST"])

    async def call(self, caller: Deployer, site: str, body: NewCall) -> Answer[shapes.Call | shapes.RefusedCall]:
        """Call a function of a site, and tell what it answered, logged and took."""
        await self._database.read(sites.get, site)
        return answer(await self._run(site, body))

    async def show(self, caller: FilteredReader, call: CallId) -> Answer[shapes.FailedCall]:
        """Show a call that went wrong: its stack, what it logged, and the request without secrets."""
        found = await self._find(call)
        check(caller, "read", found.site)
        return answer(_failed_json(found))

    async def replay(self, caller: FilteredDeployer, call: CallId) -> Answer[shapes.Replay | shapes.RefusedReplay]:
        """Make the request of a call that went wrong again, on the code that is live now."""
        found = await self._find(call)
        check(caller, "deploy", found.site)
        request = orjson.loads(found.request)
        if request.get("handler"):
            raise InvalidInput("This was a job or an event of a room and no request; see fazt jobs retry.")
        kept = [(name, value) for name, value in request["headers"] if value != "[hidden]"]
        wanted = NewCall(path=request["path"], method=request["method"], headers=kept, body_base64=request["body"])
        made = {"replays": call, **await self._run(found.site, wanted)}
        return answer(cast(shapes.Replay | shapes.RefusedReplay, made))

    async def _find(self, call: str) -> FailedCall:
        await self._failed.flush()
        found = await self._database.read(programs.find_failed, call)
        if found is None:
            most = programs.KEPT_FAILED
            raise NotFound(f"No call {call} that went wrong is kept; of each site the newest {most} are.")
        return found

    async def _run(self, site: str, wanted: NewCall) -> shapes.Call | shapes.RefusedCall:
        """Send a request to the application as the edge would."""
        scope = self._scope(site, wanted)
        try:
            data = base64.b64decode(wanted.body_base64, validate=True) or wanted.body.encode()
        except ValueError:  # of either
            raise InvalidInput("The body is not valid UTF-8, or body_base64 not base64.") from None
        scope["headers"] += [(b"content-length", b"%d" % len(data))] if data else []
        asked = [{"type": "http.request", "body": data, "more_body": False}]
        sent: list[Message] = []
        size = 0

        async def receive() -> Message:
            if asked:
                return asked.pop()
            await asyncio.Event().wait()  # this client does not go away
            raise AssertionError

        async def send(message: Message) -> None:
            nonlocal size
            size += len(message.get("body", b""))
            if size > MOST_BODY:
                raise TooLarge(f"The answer is larger than {MOST_BODY >> 20} MiB; ask for it by its URL.")
            sent.append(message)

        try:
            await self._app(scope, receive, send)
        except FaztError as error:
            if not sent:
                raise
            sent.append({"error": error.message})
        except ConnectionResetError:
            sent.append({"error": "the function stopped in the middle of its answer"})
        underway: Underway | None = scope["extensions"]["fazt"].get("underway")
        if underway is not None:
            await asyncio.wait({asyncio.ensure_future(Service.wait_for_end(underway))}, timeout=END_S)
        return _answer_json(sent, underway)

    def _scope(self, site: str, wanted: NewCall) -> dict[str, Any]:
        """Return the scope of a request as the edge makes it.

        Raises: InvalidInput.
        """
        path = quote(wanted.path, safe=SAFE, errors="surrogateescape")
        if not PATH.fullmatch(path):
            raise InvalidInput("The path of a function begins with /api/.")
        raw_path, _, query = path.partition("?")
        host = self._hosting.site_host(site)
        fields = [(b"host", host.encode())]
        for name, value in wanted.headers:
            if not TOKEN.fullmatch(name) or FORBIDDEN.search(value) or not value.isascii():
                raise InvalidInput(f"{name[:100]!r} is not a header that can be sent.")
            if name.lower() not in ("host", "content-length", "transfer-encoding"):
                fields.append((name.lower().encode(), value.encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": wanted.method,
            "scheme": "http",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": fields,
            "client": OWNER,
            "server": (host, 0),
            "extensions": {"fazt": {"host": host, "peer_uid": None, "site": None}},
        }


def _answer_json(sent: list[Message], underway: Underway | None) -> shapes.Call | shapes.RefusedCall:
    head: Message = sent[0] if sent and "status" in sent[0] else {"status": 0, "headers": []}
    data = b"".join(bytes(message.get("body", b"")) for message in sent)
    try:
        body, encoding = data.decode(), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(data).decode(), "base64"
    result: shapes.RefusedCall = {
        "status": head["status"],
        "headers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head["headers"]],
        "body": body,
        "encoding": encoding,
        "broken_off": next((message["error"] for message in sent if "error" in message), None),
    }
    if underway is None:
        return result
    report = underway.report
    logs: list[shapes.ConsoleLine] = [{"level": level, "message": text} for level, text in report.logs]
    return {**report_json(report), **result, "logs": logs}


def _failed_json(found: FailedCall) -> shapes.FailedCall:
    report: shapes.LoggedReport = orjson.loads(found.report)
    request = orjson.loads(found.request)
    return {**report, "call": found.id, "site": found.site, "at": iso(found.at), "request": request}
