"""Passkeys in a real browser, with Chromium's own virtual authenticator: made, used to sign in, taken away."""

import contextlib
from collections.abc import Iterator

import pytest
from dashboard_browser import WAIT_MS, Dashboard
from loopback import FaztServer, free_port
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.slow


def give_authenticator(page: Page) -> None:
    """Let a page's browser have a device that is always touched by its owner."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )


def test_a_passkey_is_added_used_and_removed(dashboard: Dashboard) -> None:
    page = dashboard.open("account")
    give_authenticator(page)
    page.get_by_role("button", name="Add a passkey").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What to call it").fill("<b>my laptop</b>")
    dialog.get_by_role("button", name="Make it").click()
    row = page.get_by_role("row").filter(has_text="<b>my laptop</b>")
    expect(row).to_contain_text("never")
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.goto(f"{dashboard.address}/#/account")
    expect(row).to_contain_text("now")
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


@pytest.fixture
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    server = FaztServer(tmp_path_factory.mktemp("new") / "data.db", free_port()).start()
    yield server
    server.stop()


def test_the_first_run_with_a_passkey(new_server: FaztServer, chromium: Browser) -> None:
    link = new_server.cli("init").stdout.split()[-1]
    with contextlib.closing(chromium.new_context()) as context:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        give_authenticator(page)
        page.goto(link)
        page.get_by_label("Name").fill("ann")
        page.get_by_role("button", name="Use a passkey").click()
        page.get_by_role("heading", name="Overview", exact=True).wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_role("button", name="Sign out").wait_for()
