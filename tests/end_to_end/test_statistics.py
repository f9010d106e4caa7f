"""Visits of real clients, as `fazt stats` shows them, with the fast lane and without."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import FaztServer

FIREFOX = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Sec-Fetch-Dest": "document",
}
HOST = "demo.localhost"


def deploy(server: FaztServer, folder: Path) -> None:
    (folder / "api").mkdir(parents=True)
    (folder / "index.html").write_text(
        "<!doctype html><title>demo</title><script src='/_fazt/beacon.js' defer></script>"
    )
    (folder / "style.css").write_text("p {}")
    page = "new Response('<p>made', { headers: { 'content-type': 'text/html' } })"
    (folder / "api" / "page.js").write_text(f"export const GET = () => {page};\n")
    server.cli("deploy", str(folder), "--site", "demo")


def stats(server: FaztServer) -> Any:
    return json.loads(server.cli("stats", "demo", "--json").stdout)


def test_what_clients_did(server: FaztServer, tmp_path: Path) -> None:
    deploy(server, tmp_path / "site")
    with server.connection():
        for _ in range(3):
            assert server.get("/", host=HOST, headers=FIREFOX | {"Referer": "https://news.example/a"}).status == 200
        tag = server.get("/", host=HOST, headers=FIREFOX).header("etag")
        assert server.get("/", host=HOST, headers=FIREFOX | {"If-None-Match": tag or ""}).status == 304
        assert server.get("/api/page", host=HOST, headers=FIREFOX).status == 200
        assert server.get("/style.css", host=HOST, headers=FIREFOX).status == 200
        assert server.get("/gone", host=HOST, headers=FIREFOX).status == 404
        assert server.get("/", host=HOST, headers=FIREFOX | {"Sec-GPC": "1"}).status == 200
        assert server.get("/", host=HOST, headers={"User-Agent": "curl/8"}).status == 200
        assert server.get("/_fazt/pixel.gif?path=/mail", host=HOST, headers=FIREFOX).status == 200
    found = wait_for(
        lambda: stats(server), lambda found: found["totals"]["requests"] == 11 == found["totals"]["views"] + 4
    )
    totals = found["totals"]
    assert (totals["views"], totals["visitors"], totals["bots"], totals["unseen"]) == (7, 1, 1, 0)
    assert found["pages"] == [
        {"name": "/", "count": 5},
        {"name": "/api/page", "count": 1},
        {"name": "/mail", "count": 1},
    ]
    assert found["missing"] == [{"name": "/gone", "count": 1}]
    assert found["referrers"] == [{"name": "news.example", "count": 3}]
    assert found["browsers"] == [{"name": "Firefox", "count": 7}]
    shown = server.cli("stats", "demo").stdout
    assert "news.example" in shown
    assert server.cli("stats").stdout.splitlines()[-1].split()[0] in ("demo", "root", "404")


def test_what_is_counted_outlives_the_server(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    first = start_server()
    deploy(first, tmp_path / "site")
    assert first.get("/", host=HOST, headers=FIREFOX).status == 200
    first.stop()
    assert stats(first)["totals"]["views"] == 1  # read from the file: no server runs


@pytest.mark.slow
def test_a_single_page_application_in_chromium(start_server: Callable[..., FaztServer], tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    server = start_server()
    deploy(server, tmp_path / "site")
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(user_agent=agent)
        page.goto(f"http://{HOST}:{server.port}/")
        page.wait_for_function("globalThis.fazt !== undefined")
        for script in (
            "history.pushState({}, '', '/second?x=1')",
            "history.replaceState({}, '', '/second?x=2')",
            "fazt.event('signup')",
        ):
            page.evaluate(script)
        found = wait_for(lambda: stats(server), lambda found: found["events"] and found["totals"]["views"] == 2)
        assert found["events"] == [{"name": "signup", "count": 1}]
        assert {each["name"]: each["count"] for each in found["pages"]} == {"/": 1, "/second": 1}
        assert found["totals"]["visitors"] == 1
        silent = browser.new_page(user_agent=agent)
        silent.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })")
        silent.goto(f"http://{HOST}:{server.port}/")
        silent.wait_for_function("globalThis.fazt !== undefined")
        sent: list[str] = []
        silent.on("request", lambda request: sent.append(request.url))
        silent.evaluate("fazt.event('never')")
        silent.evaluate("fetch('/style.css').then((answer) => answer.text())")
        assert [url.rpartition("/")[2] for url in sent] == ["style.css"]
        browser.close()


def wait_for(look: Callable[[], Any], is_there: Callable[[Any], Any], within_s: float = 20) -> Any:
    """Ask until what is awaited is there: what pages send on their own arrives when it does."""
    deadline = time.monotonic() + within_s
    while not is_there(found := look()):
        assert time.monotonic() < deadline, found
    return found
