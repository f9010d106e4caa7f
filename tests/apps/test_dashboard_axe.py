"""Every page of the dashboard held against WCAG 2.2 AA by axe, light on a wide screen and dark on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from dashboard_browser import WAIT_MS, Dashboard, sign_in
from loopback import FaztServer
from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SITE = (
    "",
    "versions",
    "files",
    "files/live/index.html",
    "domains",
    "rules",
    "environment",
    "functions",
    "functions/calls",
)
SITE += ("functions/jobs", "functions/cron", "functions/kv", "logs", "statistics", "protection", "settings")
SERVER = (
    "overview",
    "sites",
    "jobs",
    "logs",
    "links",
    "hooks",
    "notifications",
    "users",
    "tokens",
    "settings",
    "backups",
    "audit",
    "api",
    "api/get_account",
)
PLACES = (
    *SERVER,
    "account",
    *(f"sites/axe/{tab}" for tab in SITE),
    *(f"sites/empty/{tab}" for tab in ("", "files", "functions")),
)
CODE = 'export const GET = () => { console.log("hello"); return undefined.nothing; };\n'


@pytest.fixture(scope="module")
def busy(server: FaztServer, tmp_path_factory: pytest.TempPathFactory) -> FaztServer:
    """The server with a site of which every list has something in it."""
    folder: Path = tmp_path_factory.mktemp("axe")
    (folder / "api").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>Axe</title><h1>Axe</h1>")
    (folder / "api" / "hello.js").write_text(CODE)
    for message in ("First", "Second"):
        (folder / "about.html").write_text(message)
        server.cli("deploy", str(folder), "--site", "axe", "-m", message)
    server.cli("sites", "create", "empty")
    server.cli("backup", "create", "--label", "before the change")
    server.cli("domains", "add", "axe", "axe.example.org")
    server.cli("env", "set", "axe", "GREETING=hello")
    server.cli("secrets", "set", "axe", "API_KEY", stdin=b"secret")
    server.cli("kv", "axe", "set", "greeting", '"hello"')
    for path in ("/", "/about", "/missing", "/api/hello"):
        server.get(path, host=f"axe.localhost:{server.port}")
    return server


@pytest.fixture(scope="module", params=[("light", 1280), ("dark", 375)], ids=["light", "dark"])
def looking(request: pytest.FixtureRequest, busy: FaztServer, chromium: Browser) -> Iterator[BrowserContext]:
    """A browser in one theme and one width."""
    scheme, width = request.param
    context = sign_in(busy, chromium, "ann", color_scheme=scheme, viewport={"width": width, "height": 900})
    yield context
    context.close()


def test_no_page_breaks_a_rule(busy: FaztServer, looking: BrowserContext) -> None:
    dashboard = Dashboard(busy, looking)
    page = dashboard.open(PLACES[0])
    found = {}
    for place in PLACES:
        page.goto("about:blank")  # a change behind the # alone would leave the page before for a moment
        page.goto(f"{dashboard.address}/#/{place}")
        _wait_until_still(page)
        if violations := _violations(page):
            found[place] = violations
    assert found == {}
    assert dashboard.said == []


def _wait_until_still(page: Page) -> None:
    """Wait until nothing is loading any more: no skeleton, and a heading."""
    still = (
        "() => document.querySelector('h1') && !document.querySelector('.skeleton, [aria-busy=true], .editor.loading')"
    )
    page.wait_for_function(still, timeout=WAIT_MS)


def _violations(page: Page) -> list[str]:
    options: dict[str, Any] = {"runOnly": LEVELS, "resultTypes": ["violations"]}
    results = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in results]
