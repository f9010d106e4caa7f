"""One file at a time, and a folder as an archive: each write makes a version, and nobody's work is lost."""

import hashlib
import io
import random
import tarfile
import zipfile
from typing import Any

import pytest
from api_calls import Answer, Api

from fazt.store import audit
from fazt.store.audit import Filter

FILES = {
    "index.html": b"<h1>one</h1>",
    "docs/guide.html": b"guide",
    "api/hello.js": b"export default () => new Response('x')",
}
BYTES = [("content-type", "application/octet-stream")]


@pytest.fixture
def blog(api: Api) -> Api:
    api.deploy("blog", FILES)
    return api


def live(api: Api) -> str:
    version: str = api.ask("GET", "/api/sites/blog").json["live_version"]
    return version


def put(api: Api, path: str, data: bytes, seen: str | None) -> Answer:
    fields = BYTES if seen is None else [*BYTES, ("if-match", seen)]
    return api.ask("PUT", f"/api/sites/blog/files/{path}", data, headers=fields)


def quoted(id: str) -> str:
    return f'"{id}"'


def read(api: Api, path: str, version: str = "live") -> Answer:
    return api.ask("GET", f"/api/sites/blog/versions/{version}/files/{path}")


@pytest.mark.parametrize(("path", "data"), FILES.items())
def test_a_file_is_sent_as_it_was_deployed(blog: Api, path: str, data: bytes) -> None:
    sent = read(blog, path)
    assert (sent.status, sent.body) == (200, data)
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["content-disposition"] == "attachment"
    assert sent.headers["etag"] == quoted(hashlib.sha256(data).hexdigest())
    again = blog.ask(
        "GET", f"/api/sites/blog/versions/live/files/{path}", headers=[("if-none-match", sent.headers["etag"])]
    )
    assert (again.status, again.body) == (304, b"")


def test_a_large_file_is_sent_in_pieces(blog: Api) -> None:
    data = bytes(range(256)) * 4096  # 1 MiB
    blog.deploy("blog", {"large.bin": data})
    assert read(blog, "large.bin").body == data


def test_writing_makes_a_version(blog: Api) -> None:
    before = live(blog)
    made = put(blog, "index.html", b"<h1>two</h1>", quoted(before))
    assert (made.status, made.json["diff"]) == (201, {"added": 0, "changed": 1, "removed": 0})
    assert live(blog) == made.json["version"] != before
    assert read(blog, "index.html").body == b"<h1>two</h1>"
    assert read(blog, "index.html", before).body == b"<h1>one</h1>"
    assert read(blog, "api/hello.js").body == FILES["api/hello.js"]
    row = blog.database.read_blocking(audit.list_page, Filter(), None, 1)[0]
    assert (row.action, row.site, row.subject) == ("site.deploy", "blog", made.json["version"])
    assert put(blog, "new/dir/page.html", b"new", quoted(live(blog))).json["diff"]["added"] == 1
    unchanged = put(blog, "new/dir/page.html", b"new", quoted(live(blog)))
    assert (unchanged.status, unchanged.json["unchanged"]) == (200, True)


def test_who_was_slower_is_told(blog: Api) -> None:
    seen = live(blog)
    first = put(blog, "index.html", b"first", quoted(seen))
    second = put(blog, "index.html", b"second", quoted(seen))
    assert (second.status, second.code) == (412, "precondition_failed")
    assert second.json["error"]["live"] == first.json["version"]
    assert read(blog, "index.html").body == b"first"


def test_going_back_may_be_held_to_what_was_seen(blog: Api) -> None:
    first = live(blog)
    mine = put(blog, "index.html", b"mine", quoted(first)).json["version"]
    theirs = put(blog, "index.html", b"theirs", quoted(mine)).json["version"]

    def go_back(seen: str) -> Answer:
        return blog.ask("PUT", "/api/sites/blog/live", {"version": first}, headers=[("if-match", seen)])

    refused = go_back(quoted(mine))
    assert (refused.status, refused.code, refused.json["error"]["live"]) == (412, "precondition_failed", theirs)
    assert [go_back(seen).status for seen in ("", "*", mine)] == [400, 400, 400]
    assert live(blog) == theirs
    assert go_back(quoted(theirs)).status == 200
    assert live(blog) == first


@pytest.mark.parametrize("seen", [None, "", "*", "abc", '"abc"', 'W/"' + "0" * 32 + '"'])
def test_a_version_must_be_named(blog: Api, seen: str | None) -> None:
    assert put(blog, "index.html", b"x", seen).status == 400


def test_code_that_does_not_compile_is_refused(blog: Api) -> None:
    refused = put(blog, "api/hello.js", b"export default (", quoted(live(blog)))
    assert (refused.status, refused.code) == (400, "invalid_function")
    assert read(blog, "api/hello.js").body == FILES["api/hello.js"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a//b", "a%00b", "a%5Cb", ".git/config%00"])
def test_a_path_that_cannot_be(blog: Api, path: str) -> None:
    assert put(blog, path, b"x", quoted(live(blog))).status in (400, 404)


def test_a_file_is_deleted(blog: Api) -> None:
    gone = blog.ask("DELETE", "/api/sites/blog/files/docs/guide.html", headers=[("if-match", quoted(live(blog)))])
    assert (gone.status, gone.json["diff"]["removed"]) == (201, 1)
    assert read(blog, "docs/guide.html").status == 404
    again = blog.ask("DELETE", "/api/sites/blog/files/docs/guide.html", headers=[("if-match", quoted(live(blog)))])
    assert again.status == 404


def test_a_locked_site_stays_as_it_is(blog: Api) -> None:
    seen = live(blog)
    blog.ask("PATCH", "/api/sites/blog", {"locked": True})
    assert put(blog, "index.html", b"x", quoted(seen)).code == "site_locked"
    assert upload(blog, tar_of(FILES | {"a": b"b"})).code == "site_locked"


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return out.getvalue()


def upload(api: Api, data: bytes, site: str = "blog", query: str = "", **more: Any) -> Answer:
    headers = [("content-type", "application/x-tar")]
    return api.ask("POST", f"/api/sites/{site}/upload{query}", data, headers=headers, **more)


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_a_folder_is_uploaded(api: Api, pack: Any) -> None:
    large = random.Random(1).randbytes(1_000_000)  # several chunks
    files = {"index.html": b"hello", "large.bin": large, "copy.bin": large, "node_modules/x.js": b"no", ".env": b"no"}
    made = upload(api, pack(files), query="?message=by%20hand")
    assert (made.status, made.json["files"], made.json["created"]) == (201, 3, True)
    assert read(api, "large.bin").body == large
    version = api.ask("GET", "/api/sites/blog/versions").json["items"][0]
    assert (version["message"], version["source"]) == ("by hand", "dashboard")
    assert upload(api, pack(files)).json["unchanged"] is True


def test_a_preview_leaves_the_live_version(blog: Api) -> None:
    before = live(blog)
    made = upload(blog, tar_of({"index.html": b"preview"}), query="?preview=true")
    assert (made.status, made.json["live"]) == (201, False)
    assert live(blog) == before


BAD = [b"", b"no archive", tar_of({"../evil": b"x"}), zip_of({"a/../../evil": b"x"}), tar_of({}), zip_of(FILES)[:-30]]


@pytest.mark.parametrize("data", BAD)
def test_a_bad_archive_changes_nothing(blog: Api, data: bytes) -> None:
    before = live(blog)
    assert upload(blog, data).status == 400
    assert live(blog) == before


def test_a_first_upload_takes_admin_or_a_token_for_that_name(api: Api) -> None:
    archive = tar_of({"index.html": b"x"})
    assert upload(api, archive, "new", token=api.token("deploy")).status == 403
    assert upload(api, archive, "new", token=api.token("deploy", site="new")).status == 201
