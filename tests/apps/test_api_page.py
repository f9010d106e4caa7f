"""The page on which the API is read and tried: calls are found, filled in, sent, and what they answer is shown."""

import json
from pathlib import Path

import pytest
from dashboard_browser import Dashboard
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.slow


def opened(page: Page, words: str, call: str) -> Locator:
    """Find a call by words, and open it."""
    page.get_by_label("Find a call").fill(words)
    found = page.locator(f"#{call}")
    found.locator("summary").first.click()
    return found


def answer(call: Locator) -> str:
    expect(call.get_by_test_id("answer")).to_be_visible()
    return call.get_by_test_id("answer").inner_text()


def test_a_call_is_found_read_and_sent(dashboard: Dashboard, tmp_path: Path) -> None:
    dashboard.server.cli("sites", "create", "blog")
    page = dashboard.open("api")
    call = opened(page, "get sites/{site} show a site", "get_sites_site")
    expect(call.get_by_text("It takes the action read.")).to_be_visible()
    call.get_by_text("What it answers").click()
    expect(call.get_by_text("live_version: string | null")).to_be_visible()
    call.get_by_label("site", exact=True).fill("blog")
    expect(call.get_by_text(f"curl {dashboard.address}/api/sites/blog")).to_be_visible()
    call.get_by_role("button", name="Ask").click()
    shown = answer(call)
    assert shown.startswith("200")
    assert '"name": "blog"' in shown
    for wrong, told in (("..", "cannot send a path with . or .."), ("../tokens", "not_found")):
        call.get_by_label("site", exact=True).fill(wrong)
        call.get_by_role("button", name="Ask").click()
        expect(call).to_contain_text(told)
    assert page.url.endswith("#/api/get_sites_site")


def test_a_change_is_sent_and_a_delete_asks_for_the_name(dashboard: Dashboard) -> None:
    page = dashboard.open("api")
    call = opened(page, "post /api/links", "post_links")
    body = call.get_by_label("Body", exact=True)
    assert json.loads(body.input_value()) == {"target": ""}
    body.fill('{"target": ')
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_text("The body is not JSON")).to_be_visible()
    body.fill('{"target": "https://example.org/<b>", "slug": "talk"}')
    call.get_by_role("button", name="Send").click()
    assert answer(call).startswith("201")
    made = json.loads(dashboard.server.cli("links", "list", "--json").stdout)
    assert [link["slug"] for link in made["items"]] == ["talk"]

    call = opened(page, "delete /api/links/", "delete_links_slug")
    call.get_by_label("slug", exact=True).fill("talk")
    call.get_by_role("button", name="Send").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Send")).to_be_disabled()
    dialog.get_by_label("Type talk to confirm").fill("talk")
    dialog.get_by_role("button", name="Send").click()
    assert answer(call).startswith("204")
    assert json.loads(dashboard.server.cli("links", "list", "--json").stdout)["items"] == []


def test_a_file_is_sent_and_an_answer_without_end_is_cut_off(dashboard: Dashboard) -> None:
    page = dashboard.open("api/put_sites_site_files_path")
    call = page.locator("#put_sites_site_files_path")
    call.get_by_label("site", exact=True).fill("blog")
    call.get_by_label("path", exact=True).fill("notes/a b.txt")
    call.locator("input[type=file]").set_input_files({"name": "a", "mimeType": "text/plain", "buffer": b"hello"})
    call.get_by_role("button", name="Send").click()
    assert '"invalid_input"' in answer(call)  # which version was seen is not said
    call = opened(page, "/api/events", "get_events")
    call.get_by_role("button", name="Ask").click()
    expect(call.get_by_test_id("answer")).to_contain_text("broken off", timeout=20_000)
    assert "event: traffic" in answer(call)


def test_every_call_has_its_place_and_can_be_opened(dashboard: Dashboard) -> None:
    page = dashboard.open("api")
    described = json.loads(dashboard.server.get("/api/openapi.json", host="dashboard.localhost").body)
    ids = [each["operationId"] for path in described["paths"].values() for each in path.values()]
    expect(page.locator(".api-call")).to_have_count(len(ids))
    page.evaluate("for (const each of document.querySelectorAll('.api-call')) each.open = true")
    expect(page.get_by_text("What it answers")).to_have_count(len(ids))
    page.evaluate("for (const each of document.querySelectorAll('.api-call details')) each.open = true")
    expect(page.get_by_text("undefined")).to_have_count(0)
    page.get_by_label("Find a call").fill("nothing is called that")
    expect(page.get_by_text("No call is called that")).to_be_visible()
