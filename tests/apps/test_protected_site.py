"""A protected site as visitors see it in a real browser: the form, the password, and what comes behind it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from dashboard_browser import WAIT_MS, Dashboard
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.slow


def test_a_visitor_signs_in_with_the_password(
    dashboard: Dashboard, chromium: Browser, folder: Callable[[dict[str, str]], Path]
) -> None:
    dashboard.deploy(folder({"index.html": "<h1>open</h1>", "drafts/plan.html": "<h1>the plan</h1>"}), "guarded")
    dashboard.server.cli("protect", "guarded", "--path", "/drafts/*", "--password", stdin=b"open sesame\n")
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{dashboard.site_url('guarded')}/drafts/plan?a=1")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_contain_text("not the password")
        page.get_by_label("Password").fill("open sesame")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="the plan")).to_be_visible()
        assert page.url.endswith("/drafts/plan?a=1")
    finally:
        context.close()
