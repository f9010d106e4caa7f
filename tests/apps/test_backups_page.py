"""Backups in the dashboard: one is made, proven, restored, and another is deleted."""

from collections.abc import Callable
from pathlib import Path

import pytest
from dashboard_browser import Dashboard
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_a_site_is_brought_back(dashboard: Dashboard, folder: Callable[..., Path]) -> None:
    dashboard.deploy(folder({"index.html": "old"}), "kept")
    page = dashboard.open("backups")
    page.get_by_role("button", name="New backup").first.click()
    page.get_by_label("What it is for").fill("<b>before</b>")
    page.get_by_role("button", name="Make it").click()
    row = page.get_by_role("row").filter(has_text="<b>before</b>")
    row.get_by_role("button", name="Prove").click()
    expect(page.get_by_text("every site was served from it")).to_be_visible(timeout=60_000)
    expect(row).to_contain_text("proven just now")
    dashboard.deploy(folder({"index.html": "new"}), "kept")
    assert dashboard.visit("kept", "/") == (200, "new")
    row.get_by_role("button", name="Restore").click()
    dialog = page.get_by_role("dialog")
    name = row.locator(".mono").inner_text()
    expect(dialog.get_by_role("button", name="Restore", exact=True)).to_be_disabled()
    dialog.get_by_label(f"Type {name} to confirm").fill(name)
    with page.expect_navigation(timeout=60_000):
        dialog.get_by_role("button", name="Restore", exact=True).click()
    expect(page.get_by_role("heading", name="Backups")).to_be_visible()
    assert dashboard.visit("kept", "/") == (200, "old")
    row.get_by_role("button", name="Remove").click()
    dialog.get_by_label(f"Type {name} to confirm").fill(name)
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("No backup yet")).to_be_visible()
