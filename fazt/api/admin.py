"""The admin API: one FastAPI application, joined from a router for each resource.

Rule: nothing imports this module before the first call; a server that only serves files never loads FastAPI.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from fazt import __version__
from fazt._speedups.pages import Pages
from fazt.api import blobs, domains, logs, sites, status, tokens, versions
from fazt.api.access import Access
from fazt.api.errors import handle_errors
from fazt.api.journal import Journal
from fazt.api.uploads import Uploads
from fazt.sites.archive import ArchiveLimits
from fazt.sites.hosting import Hosting
from fazt.sites.spill import Spill
from fazt.store.database import Database

STRICT = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def admin(
    *,
    database: Database,
    hosting: Hosting,
    pages: Pages,
    spill: Spill,
    journal: Journal,
    limits: ArchiveLimits,
    uploads: Uploads,
    compress_soon: Callable[[], None],
    started_at_ms: int | None,
    count_connections: Callable[[], int],
) -> Callable[..., Awaitable[None]]:
    """Return the application."""
    # No page that would load its scripts from somewhere else; the description itself is at /api/openapi.json.
    app = FastAPI(title="Fazt", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    access = Access(database)
    app.include_router(sites.routes(access, database, hosting))
    app.include_router(versions.routes(access, database, hosting, limits, uploads, compress_soon))
    app.include_router(blobs.routes(access, database))
    app.include_router(domains.routes(access, database, hosting))
    app.include_router(tokens.routes(access, database))
    app.include_router(logs.routes(access, journal))
    app.include_router(status.routes(access, database, hosting, pages, spill, started_at_ms, count_connections))
    handle_errors(app)
    return _strict(app)


def _strict(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Put the headers of a strict policy on every answer."""

    async def strict(scope: Any, receive: Any, send: Any) -> None:
        async def send_strict(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *STRICT]
            await send(message)

        await app(scope, receive, send_strict)

    return strict
