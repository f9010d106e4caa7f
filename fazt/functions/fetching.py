"""`fetch` as a function's script has it: what the runtime asks for, against one call's limits.

Leaves the network to `outbound` and the streams to `streams`. Rule: nothing that one call began outlives it, and what
it received and sent is counted before the script sees it.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from fazt.data.caller import Caller, Operation
from fazt.errors import FaztError, FetchAborted, FetchLimit, InvalidInput, NotFound
from fazt.functions.streams import PIECE, Ends, PerCall, Pipe, Streams, number_in
from fazt.outbound.client import Outbound, Request, Response

MAX_REQUESTS = 20  # of one call, redirects among them
MAX_FETCHED = 64 * 1024 * 1024  # bytes of all answers to one call
MAX_BODY = 10 * 1024 * 1024  # bytes of one request
MAX_OPENED = 256  # requests of one call whose answers nobody took
MOMENT_S = 0.005  # in which a small answer may become complete and is given whole

Reply = tuple[Any, bytes]


@dataclass(frozen=True, slots=True)
class CallBudget:
    """What is left to one call."""

    caller: Caller

    def request(self) -> None:
        """Count one request.

        Raises: FetchLimit.
        """
        if self.caller.subrequests >= MAX_REQUESTS:
            raise FetchLimit(f"A call may fetch {MAX_REQUESTS} times; each redirect that is followed is one more.")
        self.caller.subrequests += 1

    def received(self, size: int) -> None:
        """Count bytes of an answer.

        Raises: FetchLimit.
        """
        self.caller.fetched_bytes += size
        if self.caller.fetched_bytes > MAX_FETCHED:
            raise FetchLimit(f"The answers to what a call fetches may have {MAX_FETCHED} bytes together.")


@dataclass(slots=True)
class _Fetch:
    """One request; `pipe` is its body where the script streams it."""

    task: asyncio.Task[Reply]
    pipe: Pipe | None

    def stream(self) -> int | None:
        """Return the number of the stream that the answer's body became, if it did."""
        task = self.task
        if not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return cast("int | None", task.result()[0]["stream"])


@dataclass(slots=True)
class _CallFetches:
    """What one call has under way, by the numbers that the script knows."""

    by_request: dict[int, _Fetch] = field(default_factory=dict)  # under way, or with an answer that is a stream
    by_stream: dict[int, _Fetch] = field(default_factory=dict)  # those with streamed bodies
    untaken: set[int] = field(default_factory=set)  # of these, where the script did not ask for the answer yet

    def close(self) -> None:
        for fetch in (*self.by_request.values(), *self.by_stream.values()):
            fetch.task.cancel()


class _Fetching:
    """The operations' state: which requests run for which call."""

    def __init__(self, outbound: Outbound, streams: Streams, moment_s: float) -> None:
        self._outbound = outbound
        self._streams = streams
        self._moment_s = moment_s
        self._calls = PerCall(_CallFetches, _CallFetches.close)

    async def fetch(self, caller: Caller, value: Any, data: bytes) -> Reply:
        """Send a request whose body is here; reply when the head of the answer is."""
        body = _text(value, "body", optional=True)
        if body not in (None, "inline"):
            raise InvalidInput("'body' must be null or 'inline'.")
        if len(data) > MAX_BODY:
            raise FetchLimit(f"The body of a request may have {MAX_BODY} bytes.")
        fetch, _ = self._begin(caller, value, data if body else None)
        return await _outcome(fetch)

    async def open(self, caller: Caller, value: Any, data: bytes) -> Reply:
        """Send a request whose body follows through "stream.write"; reply with its number at once."""
        if _text(value, "body") != "stream":
            raise InvalidInput("'body' must be 'stream'.")
        too_much = FetchLimit(f"The body of a request may have {MAX_BODY} bytes.")
        _, number = self._begin(caller, value, Pipe(MAX_BODY, too_much))
        return {"id": number}, b""

    async def response(self, caller: Caller, value: Any, data: bytes) -> Reply:
        """Reply to a request that was opened, when the head of its answer is here."""
        calls, number = self._calls.of(caller), number_in(value)
        if number not in calls.untaken:
            raise NotFound(f"No request {number} waits for its answer in this call.")
        calls.untaken.discard(number)
        fetch = calls.by_stream[number]
        try:
            return await _outcome(fetch)
        finally:
            if fetch.stream() is None:  # nothing is left of it; from here on who still writes is told
                del calls.by_stream[number]
                assert fetch.pipe is not None
                fetch.pipe.abort(_over())

    async def cancel(self, caller: Caller, value: Any, data: bytes) -> Reply:
        """Give a request up, or the stream that its answer became; nothing happens where it is over."""
        calls, ends = self._calls.of(caller), self._streams.of(caller)
        if isinstance(value, dict) and "request" in value:
            fetch = calls.by_request.get(number_in(value, "request"))
        else:
            fetch = calls.by_stream.get(number_in(value))
        if fetch is not None and (stream := fetch.stream()) is not None:
            ends.cancel(stream)
        elif fetch is not None:
            fetch.task.cancel()
        return {}, b""

    def _begin(self, caller: Caller, value: Any, body: bytes | Pipe | None) -> tuple[_Fetch, int]:
        calls, ends = self._calls.of(caller), self._streams.of(caller)
        number = number_in(value, "request")
        if number in calls.by_request:
            raise InvalidInput(f"Request {number} of this call is under way already.")
        if len(calls.untaken) >= MAX_OPENED:
            raise InvalidInput(f"{MAX_OPENED} answers of this call wait to be taken.")
        request = _request(caller, value, body)
        pipe = body if isinstance(body, Pipe) else None
        stream = 0 if pipe is None else ends.add_writable(pipe)
        task = asyncio.get_running_loop().create_task(self._run(caller, request, pipe, ends))
        fetch = calls.by_request[number] = _Fetch(task, pipe)
        if pipe is not None:
            calls.by_stream[stream] = fetch
            calls.untaken.add(stream)

        def ended(task: asyncio.Task[Reply]) -> None:
            if fetch.stream() is None:
                del calls.by_request[number]

        task.add_done_callback(ended)  # it also looks at the failure, which the script may never ask for
        return fetch, stream

    async def _run(self, caller: Caller, request: Request, pipe: Pipe | None, ends: Ends) -> Reply:
        answer: _Answer | None = None
        try:
            answer = _Answer(await self._outbound.fetch(request, CallBudget(caller)), pipe)
            body = await answer.read_whole(self._moment_s)
            stream = None if body is not None else ends.add_readable(answer.read, answer.close)
            return answer.head(stream), body or b""
        except BaseException as error:
            if answer is not None:
                answer.close()
            if pipe is not None:
                pipe.abort(error if isinstance(error, FaztError) else FetchAborted("The request was given up."))
            raise


class _Answer:
    """An answer as it is handed to a script: whole where it is small and there, else as a stream."""

    def __init__(self, response: Response, pipe: Pipe | None) -> None:
        self._response = response
        self._pipe = pipe
        self._early: list[bytes] = []  # read before it was known whether the answer is whole
        self._reading: asyncio.Task[bytes] | None = None

    def head(self, stream: int | None) -> dict[str, Any]:
        response = self._response
        return {
            "status": response.status,
            "statusText": response.reason,
            "url": response.url,
            "redirected": response.redirected,
            "headers": [list(pair) for pair in response.headers],
            "stream": stream,
        }

    async def read_whole(self, moment_s: float) -> bytes | None:
        """Return the body if it ends within a moment and is small; None where it goes on, or fails, as a stream."""
        loop = asyncio.get_running_loop()
        until, size = loop.time() + moment_s, 0
        while size <= PIECE:
            self._reading = loop.create_task(self._response.read())
            await asyncio.wait({self._reading}, timeout=max(0.0, until - loop.time()))
            if not self._reading.done() or self._reading.exception() is not None:
                return None
            piece = self._reading.result()
            if not piece:
                if self._pipe is not None:
                    self._pipe.drop()  # a write that failed now could reach the script before the answer does
                return b"".join(self._early)
            self._early.append(piece)
            self._reading = None
            size += len(piece)
        return None

    async def read(self) -> bytes:
        """Return the next bytes of the stream; b"" at its end."""
        if self._early:
            return self._early.pop(0)
        reading, self._reading = self._reading, None
        try:
            piece = await (reading or self._response.read())
        except BaseException:
            self.close()
            raise
        if not piece:
            self.close()
        return piece

    def close(self) -> None:
        """Let the connection go, and whoever still writes the request know."""
        reading, self._reading = self._reading, None
        if reading is not None and not reading.cancel() and not reading.cancelled():
            reading.exception()  # seen: nobody asks for it any more
        self._response.close()
        if self._pipe is not None:
            self._pipe.abort(_over())


def _over() -> FetchAborted:
    return FetchAborted("The request is over: its body is not read any more.")


async def _outcome(fetch: _Fetch) -> Reply:
    """Wait for a request's reply; it is given up when whoever waits is.

    Raises: FetchAborted where "fetch.cancel" or the end of the call came first.
    """
    try:
        await asyncio.wait({fetch.task})
    except asyncio.CancelledError:
        fetch.task.cancel()
        raise
    if fetch.task.cancelled():
        raise FetchAborted("The request was given up.")
    return fetch.task.result()


def _request(caller: Caller, value: Any, body: bytes | Pipe | None) -> Request:
    """Make a request of what a script sent; `outbound` checks what the strings say.

    Raises: InvalidInput.
    """
    redirect = _text(value, "redirect", optional=True) or "follow"
    if redirect not in ("follow", "manual", "error"):
        raise InvalidInput("'redirect' must be 'follow', 'manual' or 'error'.")
    pairs = value.get("headers", [])
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in pairs
    ):
        raise InvalidInput("'headers' must be a list of pairs of strings.")
    return Request(
        url=_text(value, "url") or "",
        method=_text(value, "method", optional=True) or "GET",
        headers=tuple((name, text) for name, text in pairs),
        body=body,
        redirect=cast("Literal['follow', 'manual', 'error']", redirect),
        site=str(caller.site_id),
        net=caller.net,
        depth=caller.depth,
    )


def _text(value: Any, name: str, optional: bool = False) -> str | None:
    text = value.get(name) if isinstance(value, dict) else None
    if isinstance(text, str) or (text is None and optional and isinstance(value, dict)):
        return text
    raise InvalidInput(f"{name!r} must be a string.")


def fetch_operations(outbound: Outbound, streams: Streams, moment_s: float = MOMENT_S) -> dict[str, Operation]:
    """Return what `fetch` in a script asks of the host; bodies go through `stream_operations(streams)`."""
    fetching = _Fetching(outbound, streams, moment_s)
    return {
        "fetch": fetching.fetch,
        "fetch.open": fetching.open,
        "fetch.response": fetching.response,
        "fetch.cancel": fetching.cancel,
    }
