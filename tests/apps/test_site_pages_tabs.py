"""The tabs of a site: a file is edited, a conflict shown, variables set, functions tried, the log followed."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboard_browser import PASSWORD, Dashboard, sign_in
from loopback import FaztServer
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.slow

Folder = Callable[[dict[str, str]], Path]
HOSTILE = '<img src=x onerror="alert(1)">'
HELLO = 'export const GET = () => { console.log("said <b>hello</b>"); return Response.json({ hello: "world" }); };\n'
BROKEN = "export const GET = () => undefined.nothing;\n"


def write(page: Page, text: str) -> None:
    """Put a text in place of what the editor holds, as a keyboard would."""
    page.locator(".editor.ready .cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_file_is_edited_saved_by_the_keyboard_and_undone(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>before"}), "edited")
    page = dashboard.open("sites/edited/files/live/index.html")
    write(page, "<h1>after")
    page.keyboard.type(", and as fast as keys can come")  # faster than the page is drawn
    expect(page.get_by_text("Changed, not saved")).to_be_visible()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert dashboard.visit("edited", "/") == (200, "<h1>after, and as fast as keys can come")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".cm-content")).to_have_text("<h1>before")
    assert dashboard.visit("edited", "/") == (200, "<h1>before")


def test_what_was_saved_stays_in_the_editor_while_the_new_version_is_slow_to_load(
    dashboard: Dashboard, folder: Folder
) -> None:
    dashboard.deploy(folder({"index.html": "<h1>before"}), "slow")
    page = dashboard.open("sites/slow/files/live/index.html")
    held: list[Route] = []
    write(page, "<h1>after")
    page.route("**/api/sites/slow/versions/*/files?*", lambda route: held.append(route))
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.wait_for_timeout(500)  # for the text of the version before to come back, if it did
    assert len(held) == 1
    expect(page.locator(".cm-content")).to_have_text("<h1>after")
    held.pop().continue_()
    page.wait_for_timeout(500)
    expect(page.locator(".cm-content")).to_have_text("<h1>after")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()


def test_a_file_is_edited_where_the_editor_does_not_load(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>before"}), "plain")
    dashboard.context.route("**/vendor/codemirror.js", lambda route: route.abort(), times=1)
    page = dashboard.open("sites/plain/files/live/index.html")
    text = page.get_by_label("Text of index.html")
    text.fill("<h1>a mistake")
    page.get_by_role("button", name="Discard").click()
    expect(text).to_have_value("<h1>before")
    text.fill("<h1>after")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert dashboard.visit("plain", "/") == (200, "<h1>after")


def test_who_was_slower_is_shown_who_was_faster(dashboard: Dashboard, folder: Folder) -> None:
    place = folder({"index.html": "<h1>old", "other.html": "1"})
    dashboard.deploy(place, "conflict")
    page = dashboard.open("sites/conflict/files/live/index.html")
    write(page, "<h1>mine")
    (place / "other.html").write_text("2")
    dashboard.deploy(place, "conflict", message="Another file")
    page.get_by_role("button", name="Save").click()  # what they changed is another file: both stay
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert dashboard.visit("conflict", "/") == (200, "<h1>mine")
    assert dashboard.visit("conflict", "/other") == (200, "2")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".cm-content")).to_have_text("<h1>old")
    assert dashboard.visit("conflict", "/other") == (200, "2")  # theirs is not taken back with mine

    write(page, "<h1>mine again")
    (place / "index.html").write_text("<h1>theirs")
    dashboard.deploy(place, "conflict", message="The same file")
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The same file")
    assert dashboard.visit("conflict", "/") == (200, "<h1>theirs")
    dialog.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert dashboard.visit("conflict", "/") == (200, "<h1>mine again")


def test_files_are_made_uploaded_and_deleted(dashboard: Dashboard, folder: Folder, tmp_path: Path) -> None:
    dashboard.deploy(folder({"index.html": "<h1>here", "notes/one.html": "1"}), "filed")
    page = dashboard.open("sites/filed/files/live/notes")
    page.get_by_role("button", name="New file").click()
    page.get_by_label("Path").fill("notes/two.html")
    page.get_by_role("button", name="Write it").click()
    write(page, "<p>two")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert dashboard.visit("filed", "/notes/two") == (200, "<p>two")

    upload = tmp_path / "three.txt"
    upload.write_text("three")
    page.goto(f"{dashboard.address}/#/sites/filed/files/live/notes")
    page.get_by_test_id("upload").set_input_files(upload)
    expect(page.get_by_text("1 file uploaded")).to_be_visible()
    assert dashboard.visit("filed", "/notes/three.txt") == (200, "three")

    page.get_by_role("button", name="Delete notes/one.html").click()
    expect(page.get_by_text("notes/one.html is gone")).to_be_visible()
    assert dashboard.visit("filed", "/notes/one")[0] == 404
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert dashboard.visit("filed", "/notes/one") == (200, "1")


def test_a_rule_that_cannot_be_understood_is_marked_at_its_line(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>here"}), "ruled")
    page = dashboard.open("sites/ruled/rules")
    write(page, "/start / 302\n/shop\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("_redirects:2")
    expect(page.locator(".cm-fault")).to_have_text("/shop")
    write(page, "/start / 302\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert dashboard.visit("ruled", "/start")[0] == 302
    understood = page.get_by_role("region", name="Redirects")
    expect(understood.get_by_role("row", name="/start / 302 _redirects:1")).to_be_visible()
    page.get_by_label("Path").fill("/start")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".steps")).to_contain_text("_redirects")


def test_a_secret_goes_in_and_never_comes_out(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>here"}), "secretive")
    page = dashboard.open("sites/secretive/environment")
    page.get_by_role("button", name="Add a variable").click()
    page.get_by_role("textbox", name="Name").fill("GREETING")
    page.get_by_role("textbox", name="Value").fill(HOSTILE)
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("cell", name=HOSTILE, exact=True)).to_be_visible()
    page.get_by_role("button", name="Add a secret").click()
    page.get_by_role("textbox", name="Name").fill("API_KEY")
    page.get_by_role("textbox", name="Value").fill("most-private")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("cell", name="API_KEY", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("cell", name="API_KEY", exact=True)).to_be_visible()
    assert "most-private" not in page.content()
    assert HOSTILE in json.dumps(json.loads(dashboard.server.cli("env", "list", "secretive", "--json").stdout)).replace(
        '\\"', '"'
    )


def test_functions_are_tried_and_failures_looked_at_and_made_again(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"api/hello.js": HELLO, "api/broken.js": BROKEN}), "called")
    page = dashboard.open("sites/called/functions")
    page.get_by_role("button", name="/api/hello").click()
    page.get_by_role("button", name="Call", exact=True).click()
    answer = page.get_by_test_id("answer")
    expect(answer).to_contain_text('"hello": "world"')
    expect(answer).to_contain_text("said <b>hello</b>")
    expect(page.get_by_text("fazt call called /api/hello").first).to_be_visible()
    assert dashboard.visit("called", "/api/broken")[0] == 500
    page.get_by_role("link", name="Failed calls").click()
    page.get_by_role("link", name="GET /api/broken").first.click()
    expect(page.locator(".stack-trace")).to_contain_text("api/broken.js:1")
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_test_id("answer")).to_contain_text("500")


def test_the_log_is_live_filtered_and_held_while_paused(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>here"}), "logged")
    page = dashboard.open("sites/logged/logs")
    expect(page.locator(".log-state")).to_contain_text("Live")
    dashboard.visit("logged", "/first")
    expect(page.locator(".log-line").filter(has_text="/first")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    dashboard.visit("logged", "/second")
    page.get_by_role("button", name="Go on (1 new)").click()
    expect(page.locator(".log-line").filter(has_text="/second")).to_have_count(1)
    page.get_by_label("Status").select_option("2")
    expect(page.locator(".log-line").filter(has_text="/second")).to_have_count(0)


def test_what_strangers_send_is_text_everywhere(dashboard: Dashboard, folder: Folder) -> None:
    name = f"{HOSTILE}.html"
    code = (
        f"export const GET = () => {{ console.log({json.dumps(HOSTILE)}); throw new Error({json.dumps(HOSTILE)}); }};\n"
    )
    dashboard.deploy(folder({"index.html": "<h1>here", name: "1", "api/evil.js": code}), "hostile", message=HOSTILE)
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
    dashboard.visit("hostile", "/", referer=f"https://evil.example/{HOSTILE}", **{"user-agent": agent})
    dashboard.visit("hostile", "/%3Cimg%20src=x%20onerror=alert(1)%3E", **{"user-agent": agent})
    dashboard.visit("hostile", "/api/evil")
    page = dashboard.open("sites/hostile")
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    for place in ("versions", "files", "functions/calls", "logs"):
        page.goto(f"{dashboard.address}/#/sites/hostile/{place}")
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
    page.goto(f"{dashboard.address}/#/sites/hostile/statistics")
    expect(page.get_by_role("button", name="Look again")).to_be_visible()
    dashboard.visit(
        "hostile", "/%3Cimg%20src=x%20onerror=alert(1)%3E", **{"user-agent": agent}
    )  # it looks again itself
    expect(page.get_by_text("/<img src=x onerror=alert(1)>").first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_each_tab_of_a_new_site_teaches_and_none_is_wider_than_a_phone(dashboard: Dashboard) -> None:
    dashboard.server.cli("sites", "create", "fresh")
    page = dashboard.open("sites/fresh")
    page.set_viewport_size({"width": 375, "height": 800})
    texts = {
        "versions": "No version yet",
        "files": "No files yet",
        "domains": "No domain of its own yet",
        "environment": "No secrets",
        "functions": "No functions yet",
        "functions/jobs": "No jobs",
        "functions/cron": "Nothing runs by the clock",
        "functions/kv": "Nothing is kept yet",
        "logs": "Nothing has happened yet",
        "statistics": "Nobody came",
        "settings": "Remove the site",
        "rules": "Where does an address lead?",
    }
    for place, text in texts.items():
        page.goto(f"{dashboard.address}/#/sites/fresh/{place}")
        expect(page.get_by_text(text).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place


def test_a_site_is_renamed_locked_and_removed_by_typing_its_name(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>here"}), "early")
    page = dashboard.open("sites/early/settings")
    page.get_by_role("textbox", name="Name").fill("late")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.get_by_role("heading", name="late", exact=True)).to_be_visible()
    assert dashboard.visit("late", "/") == (200, "<h1>here")
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    page.get_by_role("button", name="Unlock", exact=True).click()
    page.get_by_role("button", name="Remove late").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type").fill("lat")
    expect(dialog.get_by_role("button", name="Remove it for good")).to_be_disabled()
    dialog.get_by_label("Type").fill("late")
    dialog.get_by_role("button", name="Remove it for good").click()
    expect(page.get_by_role("heading", name="Sites", exact=True)).to_be_visible()
    assert dashboard.visit("late", "/")[0] == 404


def test_who_may_only_look_is_offered_nothing_to_change(
    server: FaztServer, chromium: Browser, dashboard: Dashboard, folder: Folder
) -> None:
    place = folder({"index.html": "<h1>one", "api/hello.js": HELLO})
    dashboard.deploy(place, "looked-at")
    (place / "index.html").write_text("<h1>two")
    dashboard.deploy(place, "looked-at")
    server.cli("user", "create", "vera", "--role", "viewer", "--password-stdin", stdin=PASSWORD.encode())
    with contextlib.closing(sign_in(server, chromium, "vera")) as context:
        seen = Dashboard(server, context)
        page = seen.open("sites/looked-at")
        expect(page.get_by_role("heading", name="Live now")).to_be_visible()
        expect(page.get_by_test_id("drop")).to_have_count(0)
        offered = {
            "versions": ("Compare", "Make live"),
            "files": ("index.html", "New file"),
            "files/live/index.html": ("Download", "Save"),
            "environment": ("No secrets", "Add a secret"),
            "functions": ("Routes", "Call"),
            "settings": ("From fazt.json", "Rename"),
        }
        for where, (there, hidden) in offered.items():
            page.goto(f"{seen.address}/#/sites/looked-at/{where}")
            expect(page.get_by_text(there).first).to_be_visible()
            expect(page.get_by_role("button", name=hidden)).to_have_count(0)
        page.goto(f"{seen.address}/#/sites/looked-at/files/live/index.html")
        expect(page.get_by_text("Read only")).to_be_visible()
        assert seen.said == []


def test_a_site_is_protected_and_shared_by_a_link_that_ends(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>for a few", "open/index.html": "<h1>open"}), "private")
    page = dashboard.open("sites/private/protection")
    page.get_by_role("button", name="Protect it").click()
    page.get_by_label("Password", exact=True).fill("let me in")
    page.get_by_role("dialog").get_by_role("button", name="Protect").click()
    expect(page.get_by_role("cell", name="who knows the password")).to_be_visible()
    assert "<h1>for a few" not in dashboard.visit("private", "/")[1]

    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("textbox", name="Label").fill(HOSTILE)
    page.get_by_role("button", name="Make it").click()
    url = page.get_by_test_id("share-url").inner_text()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    page.reload()
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    assert url not in page.content()
    browser = dashboard.context.browser
    assert browser is not None
    guest = browser.new_context()
    looked = guest.new_page()
    looked.goto(url)
    expect(looked.get_by_role("heading", name="for a few")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The link leads nowhere now.")).to_be_visible()
    looked.goto(dashboard.site_url("private"))
    expect(looked.get_by_role("heading", name="for a few")).to_have_count(0)
    guest.close()

    page.get_by_role("button", name="Open /* to all").click()
    page.get_by_role("dialog").get_by_label("Type").fill("private")
    page.get_by_role("button", name="Open it").click()
    expect(page.get_by_text("Nothing is protected here")).to_be_visible()
    assert dashboard.visit("private", "/") == (200, "<h1>for a few")
