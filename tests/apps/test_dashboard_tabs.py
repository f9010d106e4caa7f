"""Many tabs of the dashboard in one browser, which opens six connections to a host and no more."""

import pytest
from dashboard_browser import Dashboard
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

TABS = 8


def show(page: Page, *, hidden: bool) -> None:
    """Say that another tab is in front of this one, or not; without a screen Chromium shows them all."""
    page.evaluate(
        "(hidden) => { Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_the_dashboard_opens_in_many_tabs_and_a_hidden_one_catches_up(dashboard: Dashboard) -> None:
    first = dashboard.open("overview")
    expect(first.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    show(first, hidden=True)
    for _ in range(TABS):
        page = dashboard.open("overview")
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
        show(page, hidden=True)
    dashboard.server.cli("sites", "create", "meanwhile")
    assert first.get_by_role("link", name="meanwhile", exact=True).count() == 0
    show(first, hidden=False)
    expect(first.get_by_role("link", name="meanwhile", exact=True).first).to_be_visible()
    dashboard.server.cli("sites", "create", "since")  # and hears again of what happens
    expect(first.get_by_role("link", name="since", exact=True).first).to_be_visible()
