"""The calls about functions: calling one as its owner, looking at what went wrong, and making it again."""

import base64
import os

import pytest
from api_calls import Api

FUNCTION = b"""
export function GET(request, { id }) {
  console.log("asked", request.headers.get("x-a"));
  return new Response("got " + new URL(request.url).search, { headers: { "x-b": "2" } });
}
export async function POST(request, { fazt }) {
  if (await fazt.kv.get("fixed")) return new Response(await request.text());
  throw new TypeError("not yet");
}
export const PUT = () => new Response(new Uint8Array([0xff, 0]));
"""


@pytest.fixture
def called(api: Api) -> Api:
    assert api.deploy("blog", {"api/f.js": FUNCTION, "index.html": b"1"}).status == 201
    return api


def test_an_answer_comes_with_what_it_took_and_logged(called: Api) -> None:
    body = {"path": "/api/f?q=1", "headers": [["X-A", "1"]]}
    found = called.ask("POST", "/api/sites/blog/call", body).json
    assert (found["status"], found["body"], found["encoding"]) == (200, "got ?q=1", "utf-8")
    assert ["x-b", "2"] in found["headers"]
    assert found["logs"] == [{"level": "info", "message": "asked 1"}]
    assert found["duration_us"] > 0 < found["cpu_us"]
    assert len(found["call"]) == 16
    binary = called.ask("POST", "/api/sites/blog/call", {"path": "/api/f", "method": "PUT"}).json
    assert (binary["encoding"], base64.b64decode(binary["body"])) == ("base64", b"\xff\0")


def test_a_call_that_went_wrong_is_kept_without_secrets_and_made_again(called: Api) -> None:
    fields = [["Authorization", "Bearer hush"], ["Cookie", "a=hush"], ["X-Api-Key", "hush"], ["X-Plain", "seen"]]
    wanted = {"path": "/api/f", "method": "POST", "body": "text", "headers": fields}
    failed = called.ask("POST", "/api/sites/blog/call", wanted).json
    assert (failed["status"], failed["error"]) == (500, "function_failed")
    assert failed["failure"]["message"] == "not yet"
    assert "api/f.js:8" in failed["failure"]["stack"]
    kept = called.ask("GET", f"/api/calls/{failed['call']}")
    assert b"hush" not in kept.body
    assert kept.json["site"] == "blog"
    assert ["x-plain", "seen"] in kept.json["request"]["headers"]
    assert called.ask("PUT", "/api/sites/blog/kv/fixed", {"value": True}).status in (200, 201, 204)
    again = called.ask("POST", f"/api/calls/{failed['call']}/replay").json
    assert (again["status"], again["body"], again["replays"]) == (200, "text", failed["call"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"path": "/x"}, "invalid_input"),
        ({"path": "/api/nothing"}, "not_found"),
        ({"path": "/api/f", "method": "get"}, "invalid_input"),
        ({"path": "/api/f", "headers": [["a b", "c"]]}, "invalid_input"),
        ({"path": "/api/f", "headers": [["a", "b\nc"]]}, "invalid_input"),
        ({"path": "/api/f", "body_base64": "?"}, "invalid_input"),
    ],
)
def test_what_cannot_be_called(called: Api, body: object, code: str) -> None:
    assert called.ask("POST", "/api/sites/blog/call", body).code == code


@pytest.mark.parametrize("call", ["0123456789abcdef", "x", "%20"])
def test_a_call_that_nobody_knows(called: Api, call: str) -> None:
    assert called.ask("GET", f"/api/calls/{call}").code == "not_found"
    assert called.ask("POST", f"/api/calls/{call}/replay").code == "not_found"


def test_a_deploy_that_does_not_compile_is_refused_with_its_place(api: Api) -> None:
    refused = api.deploy(
        "blog", {"api/f.ts": b"const n: number = 1;\nexport const GET = n + ;\n", "api/g.js": b"import 'x'"}
    )
    assert (refused.status, refused.code) == (400, "invalid_function")
    errors = refused.json["error"]["errors"]
    assert ("api/f.ts", 2) in {(error["file"], error["line"]) for error in errors}
    assert any(error["file"] == "api/g.js" for error in errors)
    assert api.ask("GET", "/api/sites/blog").code == "site_not_found"


def test_the_status_counts_calls(called: Api) -> None:
    for _ in range(3):
        called.ask("POST", "/api/sites/blog/call", {"path": "/api/f"})
    called.ask("POST", "/api/sites/blog/call", {"path": "/api/f", "method": "POST"})
    (site,) = called.ask("GET", "/api/status", peer=os.getuid()).json["functions"]["sites"]
    assert (site["name"], site["calls"], site["failed"]) == ("blog", 4, 1)
    assert site["duration_ms"]["p50"] > 0 < site["cpu_ms"]["p99"]
