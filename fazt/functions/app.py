"""Requests to `/api/` of a site as ASGI: the function that answers is found, called, and its answer sent.

Rule: visitors are told that a function failed and which call it was; the stack and what it logged are its owner's.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from fazt.data.caller import Caller
from fazt.errors import BadAnswer, FaztError, FunctionBusy, FunctionError, NotFound, TooLarge
from fazt.functions.answers import Field, Head, read_head
from fazt.functions.calls import Call
from fazt.functions.frames import Frame
from fazt.functions.routes import Match
from fazt.functions.service import Service, Underway
from fazt.functions.streams import Streams
from fazt.functions.targets import Target, Targets
from fazt.functions.turns import Turns
from fazt.outbound.client import LOOP_HEADER
from fazt.sites.hosting import Hosting

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

INLINE_BYTES = 64 << 10  # a body that came whole and is no longer goes along with the call
WATCH_S = 0.05  # a call that takes longer is told when its client goes away
RETRY_AFTER: Field = (b"retry-after", b"1")
CALL_ID = b"fazt-call"
DEPTH_FIELD = LOOP_HEADER.lower().encode()


def functions_app(
    targets: Targets, service: Service, streams: Streams, hosting: Hosting, keep: Callable[["Request", str], None]
) -> Application:
    """Return the application; `keep` is given each request whose call went wrong, and the call's id."""
    turns = Turns()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        await turns.come()
        ours = scope["extensions"]["fazt"]
        target = await targets.find(ours["host"])
        if target is None:
            raise NotFound("There is nothing at this address.")
        ours["site"] = target.site
        path = scope["raw_path"].decode("ascii")
        match = target.program.routes.match(path)
        if match is None:
            raise NotFound("No function of this site answers this path.")
        request = Request(scope, receive, send, target, match, path)
        await _Exchange(request, service, streams, hosting, keep).run()

    return app


class Request:
    """One request to a function."""

    __slots__ = ("body", "host", "match", "path", "receive", "scope", "send", "target", "whole")

    def __init__(self, scope: Scope, receive: Receive, send: Send, target: Target, match: Match, path: str) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.target = target
        self.match = match
        self.path = path
        self.host: str = scope["extensions"]["fazt"]["host"]
        self.body = b""  # what has come of it
        self.whole = False


class _Exchange:
    """A request while it is answered."""

    def __init__(
        self,
        request: Request,
        service: Service,
        streams: Streams,
        hosting: Hosting,
        keep: Callable[[Request, str], None],
    ) -> None:
        self._request = request
        self._service = service
        self._streams = streams
        self._hosting = hosting
        self._keep = keep
        self._depth = 0  # how many functions stand behind the request: one of ours says so in a field of its own
        self._underway: Underway | None = None
        self._received = 0
        self._sent = 0  # of the body, in pieces
        self._length: int | None = None  # of the body, where it is known before
        self._body_ended: asyncio.Future[None] | None = None
        self._started: asyncio.Event | None = None
        self._watching = False

    async def run(self) -> None:
        request = self._request
        await self._read_beginning()
        value = self._value()
        underway = await self._begin(value)
        if underway is None:
            return
        loop = asyncio.get_running_loop()
        watcher = loop.call_later(WATCH_S, self._watch, underway)
        try:
            frame = await underway.call.result
            head = read_head(frame.value(), request.host, self._hosting.domain)
            underway.report.status = head.status
            if head.streams:
                await self._stream(underway, head)
            else:
                await self._send_whole(head, frame)
        except ConnectionError:
            self._service.abort(underway, "The client went away.")
            raise
        except (FaztError, ValueError) as error:
            told = error if isinstance(error, FaztError) else FunctionError("The function's answer cannot be read.")
            self._service.note(underway, told)
            self._keep(request, underway.report.id)
            if self._body_ended is not None:
                raise told from error  # the head is on its way: the edge cuts the connection
            await self._fail(told, underway.report.id)
        finally:
            watcher.cancel()
            self._let_pieces_go()
            self._service.answered(underway)

    # --- the request ---

    async def _read_beginning(self) -> None:
        """Take a body that is here already; a long one, or one that comes slowly, is for the function to read.

        Raises: TooLarge.
        """
        request = self._request
        most = request.target.allowance.request_bytes
        framed = False
        for name, value in request.scope["headers"]:
            if name == b"content-length":
                framed = True
                if int(value) > most:
                    raise TooLarge(f"A function of this site takes a body of at most {most} bytes.")
            elif name == b"transfer-encoding":
                framed = True
            elif name == DEPTH_FIELD and value.isdigit() and len(value) < 3:
                self._depth = int(value)
        if not framed and request.scope["method"] in ("GET", "HEAD"):
            request.whole = True
            return
        while not request.whole and len(request.body) <= INLINE_BYTES:
            message = await request.receive()
            if message["type"] != "http.request":
                raise ConnectionResetError("the client went away")
            request.body += message.get("body", b"")
            request.whole = not message.get("more_body", False)
        self._received = len(request.body)

    def _value(self) -> dict[str, Any]:
        request = self._request
        scope, match = request.scope, request.match
        query = scope["query_string"]
        url = self._hosting.url(request.host)[:-1] + request.path + (f"?{query.decode('latin-1')}" if query else "")
        return {
            "kind": "http",
            "module": match.module,
            "middleware": match.middleware,
            "params": match.params,
            "method": scope["method"],
            "url": url,
            "headers": [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in scope["headers"]
                if name != DEPTH_FIELD
            ],
            "ip": scope["client"][0],
            "body": "none",
        }

    async def _begin(self, value: dict[str, Any]) -> Underway | None:
        request = self._request
        data = b""
        if request.whole and len(request.body) <= INLINE_BYTES:
            data = request.body
            value["body"] = "inline" if data else "none"

        def prepare(caller: Caller, told: dict[str, Any]) -> None:
            if not request.whole or len(request.body) > INLINE_BYTES:
                told["body"] = "stream"
                told["stream"] = self._streams.add_readable(caller, self._read_on, lambda: None)

        try:
            underway = await self._service.begin(
                request.target,
                value,
                data,
                kind="http",
                name=request.path,
                method=request.scope["method"],
                depth=self._depth,
                body=self._take_body,
                prepare=prepare,
            )
            request.scope["extensions"]["fazt"]["underway"] = self._underway = underway
            return underway
        except FunctionBusy as error:
            await respond_error(request.send, error, [RETRY_AFTER])
            return None

    async def _read_on(self) -> bytes:
        """Return the next piece of the body for the function; b"" at its end."""
        request = self._request
        if request.body:
            piece, request.body = request.body, b""
            return piece
        while not request.whole:
            message = await request.receive()
            if message["type"] != "http.request":
                raise FunctionError("The client went away.")
            request.whole = not message.get("more_body", False)
            piece = message.get("body", b"")
            self._received += len(piece)
            most = request.target.allowance.request_bytes
            if self._received > most:
                error = TooLarge(f"A function of this site takes a body of at most {most} bytes.")
                if self._underway is not None:
                    self._underway.call.fail(error)  # what the script makes of it comes too late
                raise error
            if piece:
                return bytes(piece)
        return b""

    def _watch(self, underway: Underway) -> None:
        """Wait for the client to go away, while the function takes its time."""
        if self._request.whole and not underway.call.ended and not self._watching:
            self._watching = True
            task = asyncio.get_running_loop().create_task(self._wait_for_end(underway))
            underway.call.caller.closers.append(task.cancel)  # type: ignore[arg-type]  # what it returns is not used

    async def _wait_for_end(self, underway: Underway) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while (await self._request.receive())["type"] != "http.disconnect":
                pass  # the end of a body that is not there
            self._service.abort(underway, "The client went away.")

    # --- the answer ---

    async def _send_whole(self, head: Head, frame: Frame) -> None:
        send, body = self._request.send, frame.data
        if len(body) > self._request.target.allowance.response_bytes:
            raise BadAnswer("The function's answer is larger than its site may send.")
        fields = head.fields if head.status in (204, 304) else [*head.fields, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": head.status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, underway: Underway, head: Head) -> None:
        """Send the head, and the body's pieces as they come; returns behind the last one."""
        self._body_ended = asyncio.get_running_loop().create_future()
        fields = head.fields
        if head.length is not None:
            if head.length > self._request.target.allowance.response_bytes:
                self._body_ended = None
                raise BadAnswer("The function's answer is larger than its site may send.")
            self._length = head.length
            fields = [*fields, (b"content-length", b"%d" % head.length)]
        await self._request.send({"type": "http.response.start", "status": head.status, "headers": fields})
        self._let_pieces_go()
        if self._request.whole:  # else nobody is told when the client goes away
            self._watch(underway)
            self._service.answering(underway)
        await self._request.send({"type": "http.response.body", "body": b"", "more_body": True})
        ended = self._body_ended

        def end(call: Call) -> None:
            if not ended.done():
                ended.set_exception(FunctionError("The function ended in the middle of its answer."))
                ended.exception()

        underway.call.on_end.append(end)
        if underway.call.ended and not ended.done():
            raise FunctionError("The function ended in the middle of its answer.")
        await ended

    async def _take_body(self, what: str, piece: bytes) -> None:
        """Send a piece of the body; returns once the client has room for more."""
        if self._body_ended is None:
            # The piece may have come in the same breath as the head, which is still to be sent.
            self._started = self._started or asyncio.Event()
            await self._started.wait()
        ended = self._body_ended
        if ended is None or ended.done():
            raise ConnectionResetError("the answer has ended")
        self._sent += len(piece)
        if self._length is not None and (self._sent > self._length or (what == "end" and self._sent < self._length)):
            ended.set_exception(FunctionError("The function's answer is not as long as it said."))
            ended.exception()
            raise ConnectionResetError("the answer is not as long as it said")
        try:
            if what == "end":
                await self._request.send({"type": "http.response.body", "body": b""})
                if not ended.done():
                    ended.set_result(None)
                if self._underway is not None:
                    self._service.answered(self._underway)
            else:
                await self._request.send({"type": "http.response.body", "body": piece, "more_body": True})
        except ConnectionError as error:
            if not ended.done():
                ended.set_exception(error)
                ended.exception()
            raise

    def _let_pieces_go(self) -> None:
        """Let pieces of the body go on that wait for its head; they fail where it has none, or has ended."""
        self._started = self._started or asyncio.Event()
        self._started.set()

    async def _fail(self, error: FaztError, call: str) -> None:
        await respond_error(self._request.send, error, [(CALL_ID, call.encode())], {"call": call})


async def respond_error(
    send: Send, error: FaztError, fields: list[Field], details: dict[str, Any] | None = None
) -> None:
    """Send an error in its JSON form."""
    value = {"error": {"code": error.code, "message": error.message, **(details or {})}}
    body = orjson.dumps(value)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *fields,
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
