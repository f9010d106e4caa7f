"""The page of a site: a folder is dropped on it and is live; what is refused is said; a version is taken back."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboard_browser import Dashboard
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

Folder = Callable[[dict[str, str]], Path]


def drop(page: Page, path: Path) -> None:
    """Drop a file or folder of this machine on the page, as the desktop would."""
    zone = page.get_by_test_id("drop")
    zone.wait_for()
    box = zone.bounding_box()
    assert box is not None
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 40, "y": box["y"] + 40, "data": data})


def test_a_dropped_folder_is_live_without_what_stays_at_home(dashboard: Dashboard, folder: Folder) -> None:
    deep = "/".join(f"folder{number}" for number in range(30))
    files = {
        "index.html": "<h1>dropped",
        f"{deep}/page.html": "<h1>deep",
        "日本語/🙂.html": "<h1>smile",
        "node_modules/left/index.js": "no",
        ".git/config": "no",
        ".well-known/security.txt": "Contact: mailto:ann@example.org",
        "drafts/later.html": "no",
        ".faztignore": "drafts/\n",
    }
    files |= {f"many/{number:03}.txt": str(number) for number in range(250)}  # a folder is read 100 names at a time
    dashboard.server.cli("sites", "create", "dropped")
    page = dashboard.open("sites/dropped")
    drop(page, folder(files))
    expect(page.get_by_text("It is live")).to_be_visible()
    assert dashboard.visit("dropped", "/") == (200, "<h1>dropped")
    assert dashboard.visit("dropped", f"/{deep}/page") == (200, "<h1>deep")
    assert dashboard.visit("dropped", "/%E6%97%A5%E6%9C%AC%E8%AA%9E/%F0%9F%99%82") == (200, "<h1>smile")
    assert dashboard.visit("dropped", "/many/249.txt") == (200, "249")
    assert dashboard.visit("dropped", "/.well-known/security.txt")[0] == 200
    assert dashboard.visit("dropped", "/drafts/later.html")[0] == 404
    assert json.loads(dashboard.server.cli("sites", "show", "dropped", "--json").stdout)["files"] == 254


def test_a_chosen_folder_or_archive_is_deployed_with_its_message_and_undone(
    dashboard: Dashboard, folder: Folder, tmp_path: Path
) -> None:
    one = folder({"index.html": "<h1>one"})
    dashboard.deploy(one, "chosen")
    (one / "index.html").write_text("<h1>two")
    page = dashboard.open("sites/chosen")
    page.get_by_text("Message, preview").click()
    page.get_by_label("Message").fill("Say two")
    page.get_by_test_id("folder").set_input_files(one)
    expect(page.get_by_text("It is live")).to_be_visible()
    assert dashboard.visit("chosen", "/") == (200, "<h1>two")
    assert "Say two" in dashboard.server.cli("versions", "list", "chosen").stdout
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert dashboard.visit("chosen", "/") == (200, "<h1>one")

    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("index.html", "<h1>three")
    page.get_by_role("button", name="Deploy another").click()
    page.get_by_test_id("archive").set_input_files(archive)
    expect(page.get_by_text("It is live")).to_be_visible()
    assert dashboard.visit("chosen", "/") == (200, "<h1>three")


def test_what_is_refused_is_said_with_file_and_line(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.deploy(folder({"index.html": "<h1>kept"}), "refused")
    page = dashboard.open("sites/refused")
    drop(page, folder({"index.html": "<h1>new", "_redirects": "/a /b\n/shop\n"}))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("_redirects:2:")
    assert dashboard.visit("refused", "/") == (200, "<h1>kept")


def test_a_folder_that_is_no_site_is_asked_about(dashboard: Dashboard, folder: Folder) -> None:
    dashboard.server.cli("sites", "create", "doubtful")
    page = dashboard.open("sites/doubtful")
    drop(page, folder({"letter.txt": "private"}))
    expect(page.get_by_text("Is this what you mean?")).to_be_visible()
    assert dashboard.visit("doubtful", "/letter.txt")[0] == 404
    page.get_by_role("button", name="Deploy it anyway").click()
    expect(page.get_by_text("It is live")).to_be_visible()
    assert dashboard.visit("doubtful", "/letter.txt") == (200, "private")


def test_an_older_version_goes_live_by_one_click_and_back(dashboard: Dashboard, folder: Folder) -> None:
    one = folder({"index.html": "<h1>one", "gone.html": "gone"})
    dashboard.deploy(one, "turned", message="First")
    (one / "index.html").write_text("<h1>two")
    (one / "gone.html").unlink()
    dashboard.deploy(one, "turned", message="Second")
    page = dashboard.open("sites/turned/versions")
    row = page.get_by_role("row").filter(has_text="First")
    row.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("dialog")).to_contain_text("gone.html")
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Make").click()
    expect(row.get_by_text("live", exact=True)).to_be_visible()
    assert dashboard.visit("turned", "/") == (200, "<h1>one")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert dashboard.visit("turned", "/") == (200, "<h1>two")


def test_pruning_asks_for_the_name(dashboard: Dashboard, folder: Folder) -> None:
    one = folder({"index.html": "0"})
    for number in range(4):
        (one / "index.html").write_text(str(number))
        dashboard.deploy(one, "pruned", message=f"Number {number}")
    page = dashboard.open("sites/pruned/versions")
    page.get_by_role("button", name="Prune").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("How many").fill("1")
    expect(dialog.get_by_role("button", name="Delete them")).to_be_disabled()
    dialog.get_by_label("Type").fill("pruned")
    dialog.get_by_role("button", name="Delete them").click()
    expect(page.get_by_text("2 versions deleted")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Number 0")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Number 3")).to_have_count(1)
