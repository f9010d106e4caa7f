"""The admin API as one ASGI application: its routes, who may call them, and how failures are told.

Rule: FastAPI's own pages stay off. They load scripts from elsewhere, and they ask nobody for a token.
"""

from collections.abc import Sequence
from typing import Protocol

from fastapi import FastAPI, Response

from fazt import __version__
from fazt.api.access import FilteredReader, Gate
from fazt.api.answers import answer
from fazt.api.errors import FailureGuard, add_error_handlers
from fazt.api.routing import Application
from fazt.store.database import Database


class Resource(Protocol):
    """One noun of the API."""

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""


def routes(resources: Sequence[Resource]) -> FastAPI:
    """Return the application of the resources' routes, without its gate."""
    app = FastAPI(
        title="Fazt", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    add_error_handlers(app)
    for resource in resources:
        resource.add_to(app)

    async def describe(caller: FilteredReader) -> Response:
        """Describe this API as OpenAPI does."""
        return answer(app.openapi())

    app.add_api_route("/api/openapi.json", describe, methods=["GET"])
    return app


def admin(database: Database, resources: Sequence[Resource]) -> Application:
    """Return the admin API."""
    return FailureGuard(Gate(routes(resources), database))
