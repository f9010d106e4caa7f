"""This API as OpenAPI describes it: what FastAPI finds out, and what it does not know of every call.

Rule: nothing here is written by hand for one route; what a route takes and who may call it stands at the route alone.
"""

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from fazt.api.access import Requires, anybody, signed_in
from fazt.auth.cookies import NAME

PARTS_OF_A_SITE = re.compile(r"/api/sites/\{site\}/([a-z]+)")
RESOURCE = re.compile(r"/api/([a-z]+)")
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "what went wrong, for programs: it stays the same"},
                "message": {"type": "string", "description": "what went wrong, for people"},
            },
            "additionalProperties": True,
        }
    },
}
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a token: `fazt token create`"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": NAME,
        "description": "who is signed in to the dashboard; a change needs its Origin and the field Fazt-Request too",
    },
}
FAILED = {
    "description": "Why it was refused or failed",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of an application's routes; it is made once."""
    if app.openapi_schema is None:
        described = app.openapi()
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form of errors, which is not ours
            schemas.pop(unused, None)
        schemas["Error"] = ERROR
        described["components"]["securitySchemes"] = SECURITY
        for route in app.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in route.methods or ():
                    _complete(described["paths"][route.path_format][method.lower()], method, route)
        tags = {each["tags"][0] for path in described["paths"].values() for each in path.values()}
        described["tags"] = [{"name": tag} for tag in sorted(tags)]
    assert app.openapi_schema is not None
    return app.openapi_schema


def who_may(route: APIRoute) -> str:
    """Return who may call a route: the action that it takes, `anybody`, or `signed in`."""
    calls = [each.call for each in route.dependant.dependencies]
    found = [named for call in calls if (named := _named(call)) is not None]
    assert len(found) == 1, f"{route.path} does not say who may call it"
    return found[0]


def _named(call: Callable[..., Any] | None) -> str | None:
    if isinstance(call, Requires):
        return call.action
    return "anybody" if call is anybody else "signed in" if call is signed_in else None


def _complete(operation: dict[str, Any], method: str, route: APIRoute) -> None:
    """Add what belongs to every operation."""
    who = who_may(route)
    operation["tags"] = [tag_of(route.path_format)]
    operation["operationId"] = _operation_id(method, route)
    operation["x-fazt-action"] = who
    operation["security"] = {
        "anybody": [],
        "signed in": [{"session": []}],
    }.get(who, [{"bearer": []}, {"session": []}])
    operation["responses"].pop("422", None)
    operation["responses"]["4XX"] = FAILED
    operation["responses"]["5XX"] = FAILED


def tag_of(path: str) -> str:
    """Return the resource that a call is about: the last noun that has a chapter of its own."""
    found = PARTS_OF_A_SITE.match(path) or RESOURCE.match(path)
    return "api" if found is None or path == "/api/openapi.json" else found[1]


def _operation_id(method: str, route: APIRoute) -> str:
    """Return a name for the call that no other has and that stays as long as its path: `get_sites_site_live`."""
    words = re.findall(r"[A-Za-z0-9]+", route.path_format.removeprefix("/api/").removesuffix(".json"))
    return "_".join([method.lower(), *words])
