"""The admin API as one ASGI application: its routes, who may call them, and how failures are told.

Rule: FastAPI's own pages stay off, since they load scripts from elsewhere.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fastapi import FastAPI

from fazt import __version__
from fazt.api.access import Anybody, Gate
from fazt.api.answers import Answer, answer
from fazt.api.description import describe
from fazt.api.errors import FailureGuard, add_error_handlers
from fazt.api.idempotency import Idempotency
from fazt.api.routing import Application
from fazt.store.database import Database


class Resource(Protocol):
    """One noun of the API."""

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""


class _Routes(FastAPI):
    """Takes the type of what a call returns for what it is: an answer that is made already (see `description.py`)."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().add_api_route(path, endpoint, response_model=None, **options)


def routes(resources: Sequence[Resource]) -> FastAPI:
    """Return the application of the resources' routes, without its gate."""
    app = _Routes(
        title="Fazt", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    add_error_handlers(app)
    for resource in resources:
        resource.add_to(app)

    async def show(caller: Anybody) -> Answer[dict[str, Any]]:
        """Describe this API as OpenAPI does."""
        return answer(describe(app))

    app.add_api_route("/api/openapi.json", show, methods=["GET"])
    return app


def admin(database: Database, resources: Sequence[Resource], origin: str) -> Application:
    """Return the admin API; a browser may call it from `origin` alone."""
    return FailureGuard(Gate(Idempotency(routes(resources), database), database, origin))
