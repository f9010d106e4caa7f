"""Packages from npm that lie in a site: Hono as the one handler of `api/`, Zod for what is sent to it."""

import json
from pathlib import Path
from typing import Any

import pytest
from module_isolate import Compiler, Site

from fazt.functions.compile import compile_program
from fazt.functions.program import Program

FIXTURES = Path(__file__).parent / "fixtures"
SHOP = FIXTURES / "shop"


@pytest.fixture(scope="module")
def program(compiler: Compiler) -> Program:
    paths = [str(path.relative_to(SHOP)) for path in SHOP.rglob("*") if path.is_file()]
    made = compile_program(paths, lambda path: (SHOP / path).read_bytes(), compiler)
    again = Program.from_bytes(made.to_bytes())
    assert again is not None
    return again


@pytest.fixture(scope="module")
def shop(compiler: Compiler, program: Program) -> Any:
    isolate = Site(compiler, program.modules)
    isolate.run((FIXTURES / "web_stubs.js").read_text())
    yield isolate
    isolate.close()


def ask(shop: Site, path: str, method: str = "GET", body: object = None) -> tuple[int, str | None, Any]:
    options = {"method": method, "body": None if body is None else json.dumps(body)}
    status, mark, text = shop.value(
        "(async () => { const answer = await loader.load('api/index.ts').default.fetch("
        f"new Request('https://shop.example{path}', {json.dumps(options)}));"
        "return [answer.status, answer.headers.get('x-shop'), await answer.text()] })()"
    )
    return status, mark, json.loads(text) if text.startswith(("{", "[")) else text


def test_all_paths_lead_to_the_one_handler(program: Program) -> None:
    for path in ("/api", "/api/goods", "/api/goods/tea"):
        found = program.routes.match(path)
        assert found is not None
        assert found.module == "api/index.ts"
    assert set(program.modules) == {
        "api/index.ts",
        "api/_lib/goods.json",
        "api/_lib/prices.ts",
        "api/_vendor/hono.js",
        "api/_vendor/zod.js",
    }


def test_routes_and_middleware_of_hono(shop: Site) -> None:
    assert ask(shop, "/api/goods") == (200, "open", {"tea": 3, "cake": 5})
    assert ask(shop, "/api/goods/cake") == (200, "open", {"name": "cake", "price": 5})
    assert ask(shop, "/api/goods/gold")[:2] == (404, "open")
    assert ask(shop, "/api/nothing")[0] == 404


def test_validation_by_zod(shop: Site) -> None:
    order = {"name": "tea", "count": 2, "email": "a@b.example"}
    assert ask(shop, "/api/orders", "POST", order) == (201, "open", {**order, "total": 6})
    assert ask(shop, "/api/orders", "POST", {"name": "cake"})[2] == {"name": "cake", "count": 1, "total": 5}
    wrong = {"name": "", "count": 1.5, "email": "x"}
    assert ask(shop, "/api/orders", "POST", wrong) == (
        400,
        "open",
        {
            "issues": [
                {"path": ["name"], "code": "too_small"},
                {"path": ["count"], "code": "invalid_type"},
                {"path": ["email"], "code": "invalid_format"},
            ]
        },
    )


def test_a_stack_leads_through_the_vendored_package(shop: Site) -> None:
    status, _, stack = ask(shop, "/api/broken")
    assert status == 500
    assert "api/index.ts:31:9" in stack
    assert "api/_vendor/hono.js:" in stack
