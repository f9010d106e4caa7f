"""Whatever the description of the API lets a client send, and what it does not: an answer in JSON, never a 5xx."""

import json
import os
import socket
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
import schemathesis
from answer_shapes import Shapes
from api_calls import Answer, Api, opened
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from test_api_access import CALLS

from fazt.api.access import PUBLIC

FULL = os.environ.get("FAZT_TEST_FULL") == "1"
EXAMPLES = 100 if FULL else 5
JSON = ("content-type", "application/json")
ENDLESS = {"/api/events"}
OUTAGES = {501, 502, 503, 507}  # of others, or of what this server does not have; said with a code of their own
# What a library behind the API is most likely to take amiss.
ODD = ["\0", "\ud800", "9999-12-31T23:59:59.999Z", 2**63]
MORE_ODD = ["", "é\r\nSet-Cookie: a=b", "x" * 5000, "0001-01-01T00:00:00Z", "../..", "http://[", "1e400"]
MORE_ODD += [-1, 2**31, 2**63 - 1, 10**400, 1e300, None, True]
PARAMETERS = ["limit", "after", "site", "since", "until", "since_s", "from", "to", "step", "url", "actor", "prefix"]
MORE_FIELDS = {"name", "site", "sites", "expires_in_s", "label", "ttl", "message", "keep", "number"}


@schemathesis.serializer("application/zip", "application/x-tar", "application/x-fazt-pack")
def as_bytes(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else encode(value)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with pytest.MonkeyPatch.context() as patch, opened(tmp_path_factory.mktemp("schema") / "data.db") as api:
        patch.setattr(socket, "getaddrinfo", lambda *_, **__: [])  # a call asks the DNS
        api.deploy("blog", {"index.html": b"1", "api/hello.js": b"export default () => 'hello'"})
        api.deploy("other", {"index.html": b"1"})
        yield api


@pytest.fixture(scope="module")
def schema(api: Api) -> Any:
    made = schemathesis.openapi.from_dict(api.ask("GET", "/api/openapi.json").json)
    made.config.generation.update(modes=list(GenerationMode))
    return made


def test_every_operation_says_what_it_is_and_who_may_call_it(api: Api) -> None:
    described = api.ask("GET", "/api/openapi.json").json
    paths = described["paths"]
    operations = {(method.upper(), path): paths[path][method] for path in paths for method in paths[path]}
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    assert set(described["components"]["securitySchemes"]) == {"bearer", "session"}
    tags = {tag["name"] for tag in described["tags"]}
    for call, operation in operations.items():
        who = operation["x-fazt-action"]
        assert (who == "anybody") is (call in PUBLIC), call
        wanted = {"anybody": [], "signed in": [{"session": []}]}.get(who, [{"bearer": []}, {"session": []}])
        assert operation["security"] == wanted, call
        assert set(operation["tags"]) < tags, call
        assert operation["summary"]
        assert "422" not in operation["responses"]
        failure = operation["responses"]["4XX"]["content"]["application/json"]["schema"]
        assert failure == {"$ref": "#/components/schemas/Error"}
    assert operations["PUT", "/api/sites/{site}/live"]["tags"] == ["live"]
    assert operations["PUT", "/api/sites/{site}/live"]["x-fazt-action"] == "deploy"
    assert operations["GET", "/api/jobs"]["operationId"] == "get_jobs"
    assert described["components"]["schemas"]["Error"]["required"] == ["error"]
    assert api.ask("GET", "/api/openapi.json").json == described


@pytest.mark.slow
def test_nothing_that_is_sent_is_a_fault_of_the_server(api: Api, schema: Any) -> None:
    asked, faults = 0, []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in ENDLESS:
            continue
        for mode in GenerationMode:
            tried, fault = _try(api, operation, mode)
            asked += tried
            faults += [fault] if fault else []
    assert not faults, "\n".join(faults)
    assert asked > 500


def _try(api: Api, operation: Any, mode: GenerationMode) -> tuple[int, str | None]:
    asked = 0

    @settings(
        deadline=None,
        max_examples=EXAMPLES,
        derandomize=not FULL,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        nonlocal asked
        asked += 1
        answer = send(api, case)
        assert answer.status < 500 or answer.status in OUTAGES, told(case, answer)
        if answer.status >= 400:
            error = answer.json["error"]
            assert set(error["code"]) <= set(string.ascii_lowercase + "_"), told(case, answer)
            assert "Traceback" not in error["message"]

    try:
        check()
    except Unsatisfiable:  # nothing can be sent there that is not as it is described
        assert mode is GenerationMode.NEGATIVE, operation.label
    except AssertionError as error:
        return asked, str(error)
    return asked, None


def test_half_a_character_is_refused(api: Api) -> None:
    answer = api.ask("POST", "/api/domains", b'{"name": "new.example", "site": "\\ud800"}', headers=[JSON])
    assert (answer.status, answer.code) == (400, "invalid_input")


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD + (MORE_ODD if FULL else []), ids=lambda odd: repr(odd)[:30])
def test_odd_values_in_every_place(api: Api, odd: Any) -> None:
    faults = []
    text = quote(str(odd), safe="", errors="surrogatepass")
    for method, target, body, *_ in CALLS:
        path, _, query = target.partition("?")
        if path in ENDLESS:
            continue
        segments = path.split("/")
        targets = ["/".join([*segments[:n], text, *segments[n + 1 :]]) for n in range(3, len(segments))]
        targets += [f"{path}?{name}={text}" for name in (*PARAMETERS, *([query.partition("=")[0]] if query else []))]
        asked = [(each, encode(body) if body is not None else None) for each in targets]
        if isinstance(body, dict):
            names = set(body) | MORE_FIELDS
            asked += [(target, encode(body | {name: value})) for name in names for value in (odd, [odd])]
        for each, sent in asked:
            answer = api.ask(method, each, sent, headers=[JSON])
            if answer.status >= 500 and answer.status not in OUTAGES:
                faults.append(f"{method} {each} {sent!r} -> {answer.body!r}")
    assert not faults, "\n".join(faults)


def told(case: Any, answer: Answer) -> str:
    return f"{case.method} {case.formatted_path} {case.query} {case.headers} {case.body!r} -> {answer.body!r}"


def send(api: Api, case: Any) -> Answer:
    """Send a case as the owner does, with as much of it as HTTP can carry."""
    prepared = case.as_transport_kwargs(base_url="http://dashboard.localhost:4698")
    query = {name: value for name, value in (case.query or {}).items() if name != "follow"}
    target = case.formatted_path + ("?" + urlencode(query, doseq=True, errors="replace") if query else "")
    headers = [
        (str(name), str(value))
        for name, value in dict(prepared.get("headers") or {}).items()
        if str(name).lower() not in ("authorization", "cookie")
    ]
    headers = [(name, value) for name, value in headers if _is_field(name) and _is_field(value)]
    return api.ask(case.method, target, _body(prepared), headers=headers)


def _body(prepared: dict[str, Any]) -> bytes | None:
    if "json" in prepared:
        return encode(prepared["json"])
    data = prepared.get("data")
    return data if data is None or isinstance(data, bytes) else encode(data)


def encode(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, half of a surrogate pair
        return json.dumps(value, default=str).encode("utf-8", "surrogatepass")


def _is_field(text: str) -> bool:
    return all("\x20" <= letter <= "\xff" for letter in text)


def test_every_answer_in_json_is_described(api: Api) -> None:
    described = api.ask("GET", "/api/openapi.json").json
    bare = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            good = {status: each for status, each in operation["responses"].items() if status.startswith("2")}
            assert good, (method, path)
            for status, response in good.items():
                schemas = [kind.get("schema") for kind in response.get("content", {}).values()]
                if status != "204" and not (schemas and all(schemas)):
                    bare.append(f"{method} {path} {status}")
    assert not bare
    site = described["components"]["schemas"]["Site"]
    assert site["properties"]["created_at"] == {"type": "string", "format": "date-time", "title": "Created At"}
    assert "live_version" in site["required"]


def test_the_helper_notices_an_answer_that_is_not_as_described(api: Api) -> None:
    shapes = Shapes()
    shapes.learn(api.ask("GET", "/api/openapi.json").json)
    shown = api.ask("GET", "/api/sites/blog").json
    shapes.check("GET", "/api/sites/blog", 200, shown)
    for wrong in ({**shown, "more": 1}, {**shown, "files": "1"}, {n: v for n, v in shown.items() if n != "url"}):
        with pytest.raises(AssertionError, match="GET /api/sites/"):
            shapes.check("GET", "/api/sites/blog", 200, wrong)
    with pytest.raises(AssertionError, match="not described"):
        shapes.check("GET", "/api/sites/blog", 201, shown)
