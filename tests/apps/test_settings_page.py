"""The settings in the dashboard: one is changed and taken back, and what others changed meanwhile stays."""

import json

import pytest
from dashboard_browser import Dashboard
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


def value_of(dashboard: Dashboard, name: str) -> object:
    return json.loads(dashboard.server.cli("config", "get", name, "--json").stdout)["value"]


def change(page: Page, name: str, value: str) -> None:
    page.get_by_role("button", name=f"Change {name}", exact=True).click()
    page.get_by_role("dialog").get_by_label("Value").fill(value)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{name} is {value}.")).to_be_visible()


def test_a_change_is_taken_back_alone(dashboard: Dashboard) -> None:
    page = dashboard.open("settings")
    default = value_of(dashboard, "log_history_lines")
    for before, value in ((default, "20000"), (20000, "30000")):
        change(page, "log_history_lines", value)
        assert value_of(dashboard, "log_history_lines") == int(value)
        dashboard.server.cli("config", "set", "max_connections", "1234")
        page.get_by_role("button", name="Undo").last.click()
        expect(page.get_by_text("Undone.").last).to_be_visible()
        assert value_of(dashboard, "log_history_lines") == before
        assert value_of(dashboard, "max_connections") == 1234
        dashboard.server.cli("config", "set", "log_history_lines", "20000")
        page.reload()
