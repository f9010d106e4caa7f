"""The one place where a failure becomes an answer: every error of the API has the same JSON form.

Rule: whatever comes in, nothing but a sentence and a code goes out; tracebacks go to the log.
"""

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from fazt.api.platform import FIELDS
from fazt.api.routing import Application, Message, Receive, Scope, Send
from fazt.errors import FaztError, InvalidInput, MethodNotAllowed, NotFound, TooManyAttempts, Unauthenticated

log = logging.getLogger("fazt.api")

INTERNAL = FaztError("Something went wrong on this server; its log says what.")
LONGEST_PLACE = 100
MOST_FAULTS = 3


def respond(error: FaztError, headers: dict[str, str] | None = None) -> Response:
    """Return the answer that says what went wrong."""
    headers = dict(headers or {})
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(error.details["retry_after_s"])
    # ASCII only: a message may quote a name with halves of surrogate pairs, which UTF-8 cannot hold.
    return Response(json.dumps(error.as_json()), error.status, headers, media_type="application/json")


def add_error_handlers(app: FastAPI) -> None:
    """Have an application answer every failure in the JSON form."""
    app.add_exception_handler(FaztError, _on_fazt_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(UnicodeEncodeError, _on_half_a_character)
    app.add_exception_handler(Exception, _on_failure)


async def _on_fazt_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FaztError)
    return respond(error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return respond(InvalidInput(describe(error.errors())))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, FaztError):  # raised while FastAPI read the body, which hides it
        return respond(error.__cause__)
    what = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return respond(NotFound(f"The API has no {what}."))
    if error.status_code == 405:
        return respond(MethodNotAllowed(f"The API has no {what}."), dict(error.headers or {}))
    return respond(InvalidInput(f"{error.detail}."))


async def _on_half_a_character(request: Request, error: Exception) -> Response:
    """Refuse text that JSON can write and nothing behind the API can keep: `"\\ud800"`."""
    assert isinstance(error, UnicodeEncodeError)
    if error.reason != "surrogates not allowed":
        raise error
    return respond(InvalidInput("What was sent holds half of a surrogate pair, which is not a character."))


async def _on_failure(request: Request, error: Exception) -> Response:
    return respond(INTERNAL)


def describe(faults: Any) -> str:
    """Return what validation found wrong, as a sentence that names the places."""
    told = [f"{_place(fault['loc'])}: {fault['msg']}" for fault in list(faults)[:MOST_FAULTS]]
    return "; ".join(told) + "."


def _place(location: tuple[Any, ...]) -> str:
    """Return where it was: `files.3.hash` of the body, or the name of a parameter."""
    parts = [str(part) for part in location if part not in ("body", "query", "path")]
    return ".".join(parts)[:LONGEST_PLACE] or "The body"


class FailureGuard:
    """The outermost wrapper of the API: what nobody expected becomes a 500 in JSON and a traceback in the log.

    It also puts on every answer what the platform's own answers carry: nobody keeps them, no browser shows them.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application."""
        started = whole = gone = False

        async def receive_and_note() -> Message:
            nonlocal gone
            try:
                return await receive()
            except ConnectionResetError:
                gone = True
                raise

        async def send_and_note(message: Message) -> None:
            nonlocal started, whole
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message.get("headers", ()), *FIELDS]}
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(scope, receive_and_note, send_and_note)
        except (ClientDisconnect, ConnectionResetError) as error:
            raise ConnectionResetError("the client went away") from error
        except Exception as error:
            if gone:  # nobody is there to be told of it
                raise ConnectionResetError("the client went away") from error
            if scope["type"] != "http" or (started and not whole):  # half an answer: the edge cuts the connection
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not started:
                await respond(INTERNAL)(scope, receive, send_and_note)
