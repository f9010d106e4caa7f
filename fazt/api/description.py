"""This API as OpenAPI describes it: what FastAPI finds out, and what it does not know of every call.

Rule: nothing here is written by hand for one route; what a route takes and who may call it stands at the route alone.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from fazt.api.access import Requires, anybody, signed_in
from fazt.api.answers import Answer
from fazt.auth.cookies import NAME

Endpoint = Callable[..., Any]
Schema = dict[str, Any]

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
        documented = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
        answers, shapes = _shapes(documented)
        assert not schemas.keys() & shapes.keys(), "what is sent and what is answered need names of their own"
        schemas |= shapes
        for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form of errors, which is not ours
            schemas.pop(unused, None)
        schemas["Error"] = ERROR
        described["components"]["securitySchemes"] = SECURITY
        for route in documented:
            for method in route.methods or ():
                operation = described["paths"][route.path_format][method.lower()]
                _complete(operation, method, route)
                _say_answers(operation, answers.get(route.endpoint))
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


def _shapes(routes: Sequence[APIRoute]) -> tuple[dict[Endpoint, Schema], Schema]:
    """Return the schema of what each endpoint answers in JSON, and the shapes that these refer to."""
    adapters: list[tuple[Endpoint, Literal["serialization"], TypeAdapter[Any]]] = []
    for route in routes:
        returned = get_type_hints(route.endpoint, include_extras=True).get("return")
        if get_origin(returned) is Answer:
            adapters.append((route.endpoint, "serialization", TypeAdapter(get_args(returned)[0])))
    found, defined = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
    return {endpoint: schema for (endpoint, _), schema in found.items()}, defined.get("$defs", {})


def _say_answers(operation: Schema, schema: Schema | None) -> None:
    """Say what a call answers where all went well; without a schema it is no JSON."""
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if status.startswith("2") and schema is not None:
            response["content"] = {"application/json": {"schema": schema}}
        elif content.get("application/json") == {"schema": {}}:
            del content["application/json"]


def sends(*kinds: str) -> dict[int | str, Schema]:
    """Return what a route says that answers with a file of one of these media types."""
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}}}


def _complete(operation: dict[str, Any], method: str, route: APIRoute) -> None:
    """Add what belongs to every operation."""
    who = who_may(route)
    operation["summary"], operation["description"] = _in_short(operation["description"])
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


def _in_short(description: str) -> tuple[str, str]:
    """Return the first sentence of what a call does, and all of it on one line."""
    whole = " ".join(description.split())
    return re.split(r"(?<=[.;:]) |[.]$", whole, maxsplit=1)[0].rstrip(".;:"), whole


def tag_of(path: str) -> str:
    """Return the resource that a call is about: the last noun that has a chapter of its own."""
    found = PARTS_OF_A_SITE.match(path) or RESOURCE.match(path)
    return "api" if found is None or path == "/api/openapi.json" else found[1]


def _operation_id(method: str, route: APIRoute) -> str:
    """Return a name for the call that no other has and that stays as long as its path: `get_sites_site_live`."""
    words = re.findall(r"[A-Za-z0-9]+", route.path_format.removeprefix("/api/").removesuffix(".json"))
    return "_".join([method.lower(), *words])
