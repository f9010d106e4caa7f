"""A server with an owner, and Chromium signed in to its dashboard: what the tests of the dashboard look at."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dashboard_browser import ARGUMENTS, PASSWORD, Dashboard, sign_in
from loopback import FaztServer, free_port
from playwright.sync_api import Browser, BrowserContext, sync_playwright


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; not longer than one module, since its loop keeps those of other tests from running."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    """A server whose owner is ann."""
    server = FaztServer(tmp_path_factory.mktemp("server") / "data.db", free_port())
    server.cli("init", "--admin", "ann", "--password-stdin", stdin=PASSWORD.encode())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def signed_in(server: FaztServer, chromium: Browser) -> Iterator[BrowserContext]:
    """A browser in which ann has signed in."""
    with contextlib.closing(sign_in(server, chromium, "ann")) as context:
        yield context


@pytest.fixture
def dashboard(server: FaztServer, signed_in: BrowserContext) -> Iterator[Dashboard]:
    """The dashboard; a test fails where a page had an error, broke its policy, or ran what is not its own."""
    dashboard = Dashboard(server, signed_in)
    yield dashboard
    for page in signed_in.pages:
        page.close()
    assert dashboard.said == []


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Return a function that writes files into a folder of their own."""

    def write(files: dict[str, str], name: str = "folder") -> Path:
        for path, text in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return tmp_path / name

    return write
