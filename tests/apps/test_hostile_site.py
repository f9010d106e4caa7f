"""A hostile site under the same domain, in the browser of the signed-in owner: it reads, rides and plants nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dashboard_browser import Dashboard
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

Folder = Callable[[dict[str, str]], Path]

# Everything that a page may try; each attempt says what came of it.
ATTACK = """<!doctype html><title>evil</title><script>
const DASHBOARD = location.origin.replace("//evil.", "//dashboard.");
const BODY = JSON.stringify({ name: "stolen" });
async function attempt(name, work) {
  try { return [name, await work()]; } catch (error) { return [name, `refused: ${error.name}`]; }
}
const read = (path, options) => async () => {
  const answer = await fetch(DASHBOARD + path, { credentials: "include", ...options });
  return answer.type === "opaque" ? "opaque" : `${answer.status} ${await answer.text()}`;
};
const post = (headers, body = BODY) => ({ method: "POST", headers, body });
const blob = (type) => new Blob([BODY], { type });
const inFrame = (address) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.src = address;
  frame.onload = () => {
    try { done(frame.contentDocument === null ? "closed" : `open: ${frame.contentDocument.body.innerHTML.length}`); }
    catch (error) { done(`refused: ${error.name}`); }
  };
  document.body.append(frame);
});
const socket = (address) => new Promise((done) => {
  const opened = new WebSocket(address);
  opened.onopen = () => done("open");
  opened.onerror = () => done("refused");
});
const image = (address) => new Promise((done) => {
  const seen = new Image();
  seen.onload = () => done("seen");
  seen.onerror = () => done("refused");
  seen.src = address;
});
const events = (address) => new Promise((done) => {
  const source = new EventSource(address, { withCredentials: true });
  source.onmessage = source.onopen = () => { source.close(); done("open"); };
  source.onerror = () => { source.close(); done("refused"); };
});
window.run = async () => {
  for (const cookie of ["__Host-fazt=planted; Path=/; Secure", "__Host-fazt=planted; Path=/; Secure; Domain=localhost",
    "fazt=planted; Path=/; Domain=localhost", "__Host-fazt=planted; Path=/api; Domain=localhost"]) {
    document.cookie = cookie;
  }
  return Object.fromEntries(await Promise.all([
    attempt("session", read("/api/session")),
    attempt("sites", read("/api/sites")),
    attempt("page", read("/")),
    attempt("sites opaquely", read("/api/sites", { mode: "no-cors" })),
    attempt("plain", read("/api/sites", post({ "Content-Type": "text/plain" }))),
    attempt("plain opaquely", read("/api/sites", { mode: "no-cors", ...post({ "Content-Type": "text/plain" }) })),
    attempt("form opaquely", read("/api/sites", { mode: "no-cors", ...post({}, new URLSearchParams("name=x")) })),
    attempt("json", read("/api/sites", post({ "Content-Type": "application/json", "Fazt-Request": "1" }))),
    attempt("blob opaquely", read("/api/sites", { mode: "no-cors", method: "POST", body: blob("application/json") })),
    attempt("delete", read("/api/sites/victim", { method: "DELETE", headers: { "Fazt-Request": "1" } })),
    attempt("beacon", async () => navigator.sendBeacon(`${DASHBOARD}/api/sites`, blob("text/plain")) && "sent"),
    attempt("frame", () => inFrame(`${DASHBOARD}/`)),
    attempt("frame of the API", () => inFrame(`${DASHBOARD}/api/sites`)),
    attempt("image", () => image(`${DASHBOARD}/api/sites`)),
    attempt("socket", () => socket(`${DASHBOARD.replace("http", "ws")}/api/events`)),
    attempt("events", () => events(`${DASHBOARD}/api/events`)),
  ]));
};
window.open_ = () => { window.victim = window.open(`${DASHBOARD}/#/sites`); };
window.look = () => {
  try { return `open: ${window.victim.document.title}`; } catch (error) { return `refused: ${error.name}`; }
};
window.speak = () => { window.victim.postMessage({ delete: "victim" }, "*"); return window.victim.closed; };
</script><body>
<form id="form" method="post" enctype="text/plain"><input name='{"name": "stolen", "x": "' value='"}'></form>
<script>document.getElementById("form").action = `${DASHBOARD}/api/sites`;</script>
"""


def sites(dashboard: Dashboard) -> set[str]:
    page = dashboard.open("sites")
    page.get_by_role("heading", name="Sites", exact=True).wait_for()
    found: Any = page.evaluate("fetch('/api/sites').then((answer) => answer.json())")
    page.close()
    return {site["name"] for site in found["items"]}


@pytest.fixture
def evil(dashboard: Dashboard, folder: Folder) -> Page:
    """A page of the site evil, in the owner's browser; what it is refused is no fault of the dashboard."""
    dashboard.deploy(folder({"index.html": ATTACK}), "evil")
    dashboard.deploy(folder({"index.html": "mine"}), "victim")
    page = dashboard.context.new_page()
    page.goto(dashboard.site_url("evil"))
    return page


def test_a_hostile_site_reads_rides_and_plants_nothing(dashboard: Dashboard, evil: Page) -> None:
    before = sites(dashboard)
    assert "victim" in before
    results: dict[str, str] = evil.evaluate("run()")
    harmless = {"sites opaquely", "plain opaquely", "form opaquely", "blob opaquely", "beacon"}
    assert set(results) >= harmless | {"session", "frame", "socket", "events"}
    for name, result in results.items():
        if name in harmless:  # sent, and nothing of the answer seen: what matters is that nothing was done
            assert result in ("opaque", "sent") or result.startswith("refused"), (name, result)
        else:
            assert result.startswith("refused") or result == "closed", (name, result)
    assert sites(dashboard) == before
    planted = [cookie for cookie in dashboard.context.cookies() if cookie.get("value") == "planted"]
    hosts = {cookie.get("domain") for cookie in planted if cookie.get("name") == "__Host-fazt"}
    assert hosts <= {"evil.localhost"}
    page = dashboard.open("account")
    expect(page.get_by_role("heading", name="Account")).to_be_visible()


def test_a_form_of_a_hostile_site_changes_nothing(dashboard: Dashboard, evil: Page) -> None:
    before = sites(dashboard)
    evil.evaluate("document.getElementById('form').submit()")
    evil.wait_for_url("**/api/sites")
    assert "error" in evil.content()
    assert sites(dashboard) == before


def test_a_window_that_a_hostile_site_opens_is_closed_to_it(dashboard: Dashboard, evil: Page) -> None:
    with dashboard.context.expect_page() as opened:
        evil.evaluate("open_()")
    victim = opened.value
    victim.get_by_role("heading", name="Sites", exact=True).wait_for()
    assert victim.evaluate("window.opener") is None
    look = evil.evaluate("look()")
    assert look.startswith("refused") or evil.evaluate("window.victim.closed")
    evil.evaluate("speak()")
    assert "victim" in sites(dashboard)
