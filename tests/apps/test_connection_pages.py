"""Short links, webhooks and notifications in the dashboard: made, used, changed, and safe from what strangers send."""

import hashlib
import hmac
import http.client
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboard_browser import Dashboard
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

HOSTILE = '<img src=x onerror="alert(1)">'


def deliver(dashboard: Dashboard, name: str, secret: str, body: bytes, host: str = "localhost") -> int:
    """Deliver as GitHub does, with a hostile word in each place that a sender can fill."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    fields = {
        "Host": host,
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Event": HOSTILE,
        "X-GitHub-Delivery": f"<b>{signature[:8]}</b>",
        "User-Agent": HOSTILE,
    }
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.server.port, timeout=10)
    try:
        connection.request("POST", f"/_fazt/hooks/{name}", body, fields)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_link_is_made_changed_removed_and_brought_back(dashboard: Dashboard) -> None:
    page = dashboard.open("links")
    page.get_by_role("button", name="New link").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Leads to").fill("https://example.org/one")
    dialog.get_by_label("Name behind /r/").fill("talk")
    dialog.get_by_label("Label").fill(HOSTILE)
    dialog.get_by_role("button", name="Make it").click()
    row = page.get_by_role("row").filter(has_text="/r/talk")
    expect(row).to_contain_text(HOSTILE)
    answer = dashboard.server.get("/r/talk", host="localhost")
    assert (answer.status, answer.header("location")) == (302, "https://example.org/one")
    row.get_by_role("button", name="Change").click()
    dialog.get_by_label("Leads to").fill("https://example.org/two")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("example.org/two")
    expect(row).to_contain_text("1")
    row.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No link yet")).to_be_visible()
    page.get_by_role("button", name="Undo").last.click()
    expect(row).to_be_visible()
    page.get_by_role("button", name="New link").first.click()
    dialog.get_by_label("Leads to").fill("ftp://example.org/")
    dialog.get_by_role("button", name="Make it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("http or https")


def test_what_somebody_else_made_of_a_link_is_not_overwritten(dashboard: Dashboard) -> None:
    dashboard.server.cli("links", "create", "https://example.org/one", "--slug", "shared")
    page = dashboard.open("links")
    row = page.get_by_role("row").filter(has_text="/r/shared")
    row.get_by_role("button", name="Change").click()
    dashboard.server.cli("links", "set", "shared", "--to", "https://example.org/theirs")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Leads to").fill("https://example.org/mine")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody else has changed this meanwhile")
    answer = dashboard.server.get("/r/shared", host="localhost")
    assert answer.header("location") == "https://example.org/theirs"


def test_a_webhook_shows_its_secret_once_and_what_it_brought(
    dashboard: Dashboard, folder: Callable[[dict[str, str]], Path]
) -> None:
    dashboard.deploy(folder({"index.html": "1", "api/_jobs/build.js": "export default async () => 1;"}), "hooked")
    page = dashboard.open("hooks")
    page.get_by_role("button", name="New webhook").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("pushes")
    dialog.get_by_label("Belongs to").select_option("hooked")
    dialog.get_by_label("Function").fill("build")
    dialog.get_by_role("button", name="Make it").click()
    expect(dialog).to_contain_text("not shown again")
    secret = dialog.locator("code").last.inner_text()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    dialog.get_by_role("button", name="I have copied it").click()
    expect(page.get_by_role("heading", name="pushes")).to_be_visible()
    assert secret not in page.content()
    host = "hooked.localhost"
    assert deliver(dashboard, "pushes", "wrong", b"{}", host) == 401
    assert deliver(dashboard, "pushes", secret, b'{"name": "<script>alert(1)</script>"}', host) == 202
    page.reload()
    expect(page.get_by_text("1 refused")).to_be_visible()
    expect(page.get_by_role("table")).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Look at the delivery").click()
    expect(dialog).to_contain_text("<script>alert(1)</script>")
    expect(dialog).to_contain_text("x-hub-signature-256: [hidden]")
    dialog.get_by_role("button", name="Run it again").click()
    expect(page.get_by_text("again ×1")).to_be_visible()
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()
    assert deliver(dashboard, "pushes", secret, b"{}", host) == 404
    page.get_by_role("button", name="Remove").click()
    dialog.get_by_label("Type pushes to confirm").fill("pushes")
    dialog.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("No webhook yet")).to_be_visible()


def test_a_notification_says_why_it_does_not_arrive(dashboard: Dashboard) -> None:
    page = dashboard.open("notifications")
    page.get_by_role("button", name="New notification").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("phone")
    dialog.get_by_label("Address of the topic").fill("http://127.0.0.1:9999/topic")
    dialog.get_by_label("The disk fills up").uncheck()
    dialog.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="phone")).to_be_visible()
    expect(page.get_by_text("Nothing was told yet")).to_be_visible()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("table")).to_contain_text("notifications_private")
    expect(page.get_by_role("table")).to_contain_text("given up")
    page.get_by_role("button", name="Change").click()
    expect(dialog.get_by_label("The disk fills up")).not_to_be_checked()
    dialog.get_by_label("The disk fills up").check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("tells of everything")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    dialog.get_by_label("Type phone to confirm").fill("phone")
    dialog.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Nobody is told yet")).to_be_visible()


@pytest.mark.parametrize("place", ["links", "hooks", "notifications"])
def test_a_phone_shows_all_of_it(dashboard: Dashboard, place: str) -> None:
    page = dashboard.open(place)
    page.set_viewport_size({"width": 375, "height": 700})
    page.locator(".page h1").wait_for()
    page.get_by_role("button", name=re.compile("^New ")).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
