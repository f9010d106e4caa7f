"""Chromium on the dashboard of a server: who is signed in, what pages say, and what goes wrong in them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopback import FaztServer
from playwright.sync_api import Browser, BrowserContext, Page, expect

PASSWORD = "a password for tests only"
WAIT_MS = 10_000
expect.set_options(timeout=WAIT_MS)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@dataclass(slots=True)
class Dashboard:
    """The dashboard of one server, as its owner sees it."""

    server: FaztServer
    context: BrowserContext
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://dashboard.localhost:{self.server.port}"

    def site_url(self, name: str) -> str:
        return f"http://{name}.localhost:{self.server.port}"

    def open(self, place: str) -> Page:
        """Open a place of the dashboard in a page that notes everything that goes wrong in it."""
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda message: self._note(message))  # playwright marks a bound method, which has slots
        page.goto(f"{self.address}/#/{place}")
        return page

    def _note(self, message: Any) -> None:
        # What the API refuses Chromium calls an error too; the pages show it, and the tests look for it there.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.said.append(f"console: {message.text}")

    def deploy(self, folder: Path, site: str, *, message: str = "") -> None:
        self.server.cli("deploy", str(folder), "--site", site, "-m", message)

    def visit(self, site: str, path: str, **headers: str) -> tuple[int, str]:
        answer = self.server.get(path, host=f"{site}.localhost:{self.server.port}", headers=headers)
        return answer.status, answer.body.decode()


def sign_in(server: FaztServer, chromium: Browser, name: str, **options: Any) -> BrowserContext:
    """Return a browser in which somebody has signed in."""
    context = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    page.goto(f"http://dashboard.localhost:{server.port}/#/sites")
    page.locator("input").first.fill(name)
    page.locator("input[type=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Sites", exact=True).wait_for(timeout=WAIT_MS)
    page.close()
    return context
