"""The way of an owner through a new server, in one browser: from the link on the console to a link for a friend."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dashboard_browser import PASSWORD, WAIT_MS, Dashboard
from loopback import FAZT, FaztServer, free_port
from playwright.sync_api import Browser, Page, expect
from test_site_pages_deploy import drop

pytestmark = pytest.mark.slow

Folder = Callable[[dict[str, str]], Path]
VISITORS = "open sesame"


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[FaztServer]:
    server = FaztServer(tmp_path / "new.db", free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def walker(new_server: FaztServer, chromium: Browser) -> Iterator[Dashboard]:
    """A browser that nobody has signed in with yet."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    dashboard = Dashboard(new_server, context)
    yield dashboard
    context.close()
    assert dashboard.said == []


def set_up(walker: Dashboard) -> Page:
    """Open the one-time link, and make the owner's account."""
    link = walker.server.cli("init").stdout.strip()
    assert "/#/setup/" in link
    page = walker.open(link.partition("#/")[2])
    page.locator("[name=username]").fill("ann")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=again]").fill(PASSWORD)
    page.get_by_role("button", name="Create the owner").click()
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    return page


def make_site(page: Page, name: str) -> None:
    page.get_by_role("link", name="Sites", exact=True).click()
    page.get_by_role("button", name="New site").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def make_token(page: Page) -> str:
    """Make a token, and return what is shown once."""
    page.get_by_role("link", name="Tokens", exact=True).click()
    page.get_by_role("button", name="New token").first.click()
    page.get_by_label("What it is for").fill("the laptop")
    page.get_by_role("button", name="Make the token").click()
    token = page.locator("[data-token]").inner_text()
    assert token.startswith("fazt_")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("the laptop")).to_be_visible()
    return token


def remote_cli(walker: Dashboard, home: Path, token: str, *arguments: str) -> str:
    """Run the command line as on another machine: with nothing but a token."""
    environment = os.environ | {"XDG_CONFIG_HOME": str(home), "FAZT_TOKEN": token}
    environment.pop("FAZT_DB", None)
    done = subprocess.run(
        [*FAZT, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_the_first_run_to_a_link_for_a_friend(
    walker: Dashboard, chromium: Browser, folder: Folder, tmp_path: Path
) -> None:
    page = set_up(walker)

    make_site(page, "garden")
    drop(page, folder({"index.html": "<h1>My garden</h1>", "plan/index.html": "<h1>The plan</h1>"}))
    expect(page.get_by_text("It is live")).to_be_visible()
    assert walker.visit("garden", "/") == (200, "<h1>My garden</h1>")

    page.goto(f"{walker.address}/#/sites/garden/files/live/index.html")
    editor = page.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.type("<h1>My gradne</h1>")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert "gradne" in walker.visit("garden", "/")[1]

    page.get_by_role("link", name="Versions", exact=True).click()
    page.get_by_role("row").nth(2).get_by_role("button", name="Make").click()
    expect(page.get_by_role("row").nth(2).get_by_text("live", exact=True)).to_be_visible()
    assert walker.visit("garden", "/") == (200, "<h1>My garden</h1>")

    token = make_token(page)
    home = tmp_path / "laptop"
    remote_cli(walker, home, token, "remote", "add", "home", walker.address)
    assert "garden" in remote_cli(walker, home, token, "sites", "list", "--remote", "home")

    page.goto(f"{walker.address}/#/sites/garden/protection")
    page.get_by_role("button", name="Protect it").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password", exact=True).fill(VISITORS)
    dialog.get_by_role("button", name="Protect", exact=True).click()
    expect(page.get_by_text("who knows the password")).to_be_visible()
    assert walker.visit("garden", "/")[0] == 401

    page.get_by_role("button", name="Make a link").first.click()
    page.get_by_label("Label").fill("for Bob")
    page.get_by_role("dialog").get_by_role("button", name="Make it").click()
    link = page.get_by_test_id("share-url").inner_text()

    friend = chromium.new_context()
    visit = friend.new_page()
    visit.goto(f"http://garden.localhost:{walker.server.port}/plan/")
    expect(visit.get_by_role("heading", name="garden")).to_be_visible()
    visit.get_by_label("Password").fill(VISITORS)
    visit.get_by_role("button", name="Continue").click()
    expect(visit.get_by_role("heading", name="The plan")).to_be_visible()
    friend.close()

    friend = chromium.new_context()
    visit = friend.new_page()
    visit.goto(link)
    expect(visit.get_by_role("heading", name="My garden")).to_be_visible()
    friend.close()

    page.goto(f"{walker.address}/#/audit")
    for action in ("user.create", "site.create", "site.deploy", "site.rollback", "token.create", "protection.set"):
        expect(page.get_by_text(action, exact=True).first).to_be_visible()
    assert token not in page.content()


def test_nothing_is_there_before_the_set_up(walker: Dashboard) -> None:
    page = walker.open("sites")
    expect(page.get_by_role("heading", name="Not set up yet")).to_be_visible()
    page.goto(f"{walker.address}/#/setup/guessed")
    page.locator("[name=username]").fill("eve")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=again]").fill(PASSWORD)
    page.get_by_role("button", name="Create the owner").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid any more")
    assert "Nobody has an account" in walker.server.cli("user", "list").stdout


def test_the_keyboard_alone_signs_in_and_finds_a_page(walker: Dashboard) -> None:
    walker.server.cli("init", "--admin", "ann", "--password-stdin", stdin=PASSWORD.encode())
    page = walker.open("overview")
    page.locator("[name=username]").wait_for(timeout=WAIT_MS)
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("setti")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
