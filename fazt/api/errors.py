"""The one place where a failure of the API becomes an answer: `{"error": {"code", "message", ...}}`."""

import logging
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from fazt.errors import FaztError, InvalidInput, MethodNotAllowed, NotFound

log = logging.getLogger("fazt.api")


class Json(Response):
    """An answer in JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return orjson.dumps(content)


def handle_errors(app: FastAPI) -> None:
    """Have an application answer every failure in the one form."""

    async def on_fazt_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, FaztError)
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s", error.message)
        return Json(error.as_json(), error.status)

    async def on_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return Json(InvalidInput(_sentence(error)).as_json(), InvalidInput.status)

    async def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        made: FaztError
        if error.status_code == HTTPStatus.NOT_FOUND:
            made = NotFound("The API has nothing at this path.")
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            made = MethodNotAllowed("This path of the API does not answer this method.")
        else:
            made = InvalidInput(str(error.detail))
        return Json(made.as_json(), error.status_code, dict(error.headers or {}))

    app.add_exception_handler(FaztError, on_fazt_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)


def _sentence(error: RequestValidationError) -> str:
    """Return the first thing that is wrong, and where, in words."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{where}: {first['msg']}." if where else f"{first['msg']}."
