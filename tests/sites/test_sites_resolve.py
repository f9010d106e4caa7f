"""Which path of which host gives which file, status and fields."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import World

from fazt.sites.builtin import install_builtin
from fazt.sites.decision import encode_path, read_path
from fazt.store import blobs, domains, sites, versions

SITE = {
    "index.html": "home",
    "about.html": "about",
    "style.css": "css",
    "dir/index.html": "dir",
    "dir/page.html": "page in dir",
    "dir/404.html": "missing in dir",
    "both.html": "both page",
    "both/index.html": "both folder",
    "empty.txt": "",
    "a b&c.txt": "spaces",
    "ünï.txt": "unicode",
    "404.html": "missing",
    "fazt.json": "{}",
    "api/secret.js": "SECRET",
    "Readme": "readme",
    ".well-known/security.txt": "security",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("blog"))
    made.database.write_blocking(install_builtin)
    made.deploy("blog", SITE)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 200, "home"),
        ("/index.html", 200, "home"),
        ("/about", 200, "about"),
        ("/about.html", 200, "about"),
        ("/style.css", 200, "css"),
        ("/dir/", 200, "dir"),
        ("/dir/page", 200, "page in dir"),
        ("/both", 200, "both page"),
        ("/both/", 200, "both folder"),
        ("/empty.txt", 200, ""),
        ("/a%20b&c.txt", 200, "spaces"),
        ("/a%20b%26c.txt", 200, "spaces"),
        ("/%C3%BCn%c3%af.txt", 200, "unicode"),
        ("/ünï.txt", 200, "unicode"),
        ("/Readme", 200, "readme"),
        ("/.well-known/security.txt", 200, "security"),
        ("/dir/../style.css", 200, "css"),
        ("/./dir/./", 200, "dir"),
        ("/dir/.", 200, "dir"),
        ("/dir/x/..", 200, "dir"),
        ("/%2e%2e/style.css", 200, "css"),
        ("/../../style.css", 200, "css"),
        ("/dir", 308, "/dir/"),
        ("/about/", 308, "/about"),
        ("/nothing", 404, "missing"),
        ("/dir/nothing", 404, "missing in dir"),
        ("/dir/deep/deeper/nothing", 404, "missing in dir"),
        ("/readme", 404, "missing"),
        ("/STYLE.css", 404, "missing"),
        ("/style.css/", 404, "missing"),
        ("//style.css", 404, "missing"),
        ("/dir//page.html", 404, "missing"),
        ("/dir%2fpage.html", 404, "missing"),
        ("/dir%5cpage.html", 404, "missing"),
        ("/dir\\page.html", 404, "missing"),
        ("/style.css%00", 404, "missing"),
        ("/style.css%0a", 404, "missing"),
        ("/%zz", 404, "missing"),
        ("/%", 404, "missing"),
        ("/%ff", 404, "missing"),
        ("/%c0%ae%c0%ae/style.css", 404, "missing"),
        ("/%252e%252e/style.css", 404, "missing"),
        ("/API/secret.js", 404, "missing"),
        ("/Api/secret.js", 404, "missing"),
        ("/fazt.json", 404, "missing"),
        ("/fazt", 404, "missing"),
        ("/fazt.json/", 404, "missing"),
        ("/dir%", 404, "missing"),
        ("/%5f%5f", 404, "missing"),
        ("/" + "a/" * 3000, 404, "missing"),
        ("/" + "x" * 5000, 404, "missing"),
    ],
)
def test_paths(blog: World, path: str, status: int, body: str) -> None:
    got = blog.get(path)
    assert got.status == status
    if status == 308:
        assert (got.headers["location"], got.body, got.headers["content-length"]) == (body, b"", "0")
        assert not got.page.keep
    else:
        assert got.body.decode() == body


@pytest.mark.parametrize(
    "path", ["/api/secret.js", "/api/", "/db/x", "/_fazt/health", "/x/../api/secret.js", "/%61pi/secret.js", "/./db/x"]
)
def test_the_application_answers(blog: World, path: str) -> None:
    assert blog.page(path) is None


def test_health_is_answered_under_every_host(blog: World) -> None:
    for host in ("nobody.localhost", "example.org", "localhost", "www.localhost", "admin.localhost"):
        assert blog.page("/_fazt/health", host=host) is None


@pytest.mark.parametrize(
    ("path", "keep"),
    [
        ("/", True),
        ("/about", True),
        ("/a%20b&c.txt", True),
        ("/%C3%BCn%C3%AF.txt", True),
        ("/nothing", True),
        ("/a%20b%26c.txt", False),
        ("/ünï.txt", False),
        ("/%C3%BCn%c3%af.txt", False),
        ("/./about", False),
        ("/%61bout", False),
        ("/%6eothing", False),
        ("//", False),
    ],
)
def test_only_the_one_spelling_is_kept(blog: World, path: str, keep: bool) -> None:
    assert blog.get(path).page.keep is keep


def test_the_query_does_not_change_a_file_and_goes_with_a_redirect(blog: World) -> None:
    assert blog.get("/about", query=b"a=b").page.keep
    assert blog.get("/dir", query=b"a=b&c=%20").headers["location"] == "/dir/?a=b&c=%20"
    assert blog.get("/dir", query=b"a=\x80 \x01").headers["location"] == "/dir/?a=%80%20%01"


def test_fields(blog: World) -> None:
    got = blog.get("/")
    live = blog.database.read_blocking(
        lambda connection: versions.by_number(connection, sites.get(connection, "blog").live_version or 0)
    )
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert got.headers["cache-control"] == "no-cache"
    assert got.headers["vary"] == "Accept-Encoding"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["accept-ranges"] == "bytes"
    assert got.headers["content-length"] == "4"
    assert got.headers["etag"] == f'"{hashlib.sha256(b"home").hexdigest()}"'
    assert got.headers["last-modified"].endswith(" GMT")
    assert got.page.last_modified.decode() == got.headers["last-modified"]
    assert live.created_at > 0
    assert "content-encoding" not in got.headers
    assert blog.get("/style.css").headers["cache-control"] == "public, max-age=300"


def test_a_missing_page_has_no_validators(blog: World) -> None:
    got = blog.get("/nothing")
    assert not {"etag", "last-modified", "accept-ranges"} & got.headers.keys()
    assert got.headers["cache-control"] == "no-cache"
    assert got.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("host", "status", "location"),
    [
        ("localhost", 200, None),
        ("404.localhost", 200, None),
        ("www.localhost", 308, "http://localhost:4698/x/y?q=1"),
        ("admin.localhost", 308, "http://dashboard.localhost:4698/x/y?q=1"),
        ("nobody.localhost", 404, None),
        ("a.blog.localhost", 404, None),
        ("example.org", 404, None),
        ("127.0.0.1", 404, None),
        ("[::1]", 404, None),
        ("blog.localhost.evil.org", 404, None),
        ("blog", 404, None),
        ("mail.localhost", 404, None),
        ("12345678--blog.localhost", 404, None),
        ("12345678--nobody.localhost", 404, None),
    ],
)
def test_hosts(blog: World, host: str, status: int, location: str | None) -> None:
    path, query = ("/x/y", b"q=1") if location else ("/", b"")
    got = blog.get(path, host=host, query=query)
    assert got.status == status
    assert got.headers.get("location") == location
    if status == 404:
        assert b"Nothing lives here" in got.body
        assert got.page.site.name == "404" or "blog" in host
    assert got.body != b"home"


def test_a_redirect_of_a_host_never_leaves_it(blog: World) -> None:
    for path in ("//evil.org/", "/\\evil.org", "/%0d%0aX-Y:z", "/..//evil.org"):
        location = blog.get(path, host="www.localhost").headers["location"]
        assert location == "http://localhost:4698/"


def test_the_dashboard_is_the_applications(blog: World) -> None:
    assert blog.page("/", host="dashboard.localhost") is None
    assert blog.page("/index.html", host="dav.localhost") is None


def test_redirect_to_www(tmp_path: Path) -> None:
    world = World(tmp_path, www="redirect-to-www")
    world.deploy("root", {"index.html": "root"})
    assert world.get("/a", host="localhost").headers["location"] == "http://www.localhost:4698/a"
    assert world.get("/", host="www.localhost").body == b"root"
    world.close()


def test_previews(world: World) -> None:
    first = world.deploy("blog", {"index.html": "one"})
    second = world.deploy("blog", {"index.html": "two"}, live=False)
    assert not second.live
    assert world.get("/").body == b"one"
    preview = world.get("/", host=f"{second.version.id[:8]}--blog.localhost")
    assert (preview.status, preview.body, preview.headers["x-robots-tag"]) == (200, b"two", "noindex")
    assert preview.page.keep
    assert world.get("/", host=f"{first.version.id[:8]}--blog.localhost").body == b"one"
    assert world.get("/", host=f"{first.version.id[:7]}--blog.localhost").status == 404
    assert world.get("/", host=f"{first.version.id[:9]}--blog.localhost").status == 404
    assert "x-robots-tag" not in world.get("/").headers


def test_custom_domains(world: World) -> None:
    world.deploy("blog", {"index.html": "blog"})
    world.database.write_blocking(domains.add, "example.org", "blog")
    assert world.get("/", host="example.org").body == b"blog"
    assert world.get("/", host="www.example.org").status == 404
    world.database.write_blocking(domains.remove, "example.org")
    assert world.get("/", host="example.org").status == 404


def test_a_site_without_a_version(world: World) -> None:
    world.database.write_blocking(sites.create, "blog")
    got = world.get("/")
    assert (got.status, got.page.site.name) == (404, "blog")
    assert b"Not found" in got.body  # there is no site `404` here


def rules(**manifest: object) -> dict[str, bytes | str]:
    return {"fazt.json": json.dumps(manifest)}


@pytest.mark.parametrize(
    ("manifest", "path", "expected"),
    [
        ({"clean_urls": "redirect"}, "/about.html", "/about"),
        ({"clean_urls": "redirect"}, "/index.html", "/"),
        ({"clean_urls": "redirect"}, "/dir/index.html", "/dir/"),
        ({"clean_urls": "redirect"}, "/both.html", "/both"),
        ({"clean_urls": "redirect"}, "/about", b"about"),
        ({"clean_urls": "redirect"}, "/style.css", b"css"),
        ({"clean_urls": False}, "/about", None),
        ({"clean_urls": False}, "/about/", None),
        ({"clean_urls": False}, "/about.html", b"about"),
        ({"clean_urls": False}, "/dir", "/dir/"),
        ({"clean_urls": False}, "/dir/", b"dir"),
        ({"trailing_slash": "add"}, "/about", "/about/"),
        ({"trailing_slash": "add"}, "/about/", b"about"),
        ({"trailing_slash": "add"}, "/about.html", b"about"),
        ({"trailing_slash": "add"}, "/dir", "/dir/"),
        ({"trailing_slash": "add"}, "/style.css", b"css"),
        ({"trailing_slash": "add"}, "/both", b"both page"),
        ({"trailing_slash": "add", "clean_urls": "redirect"}, "/about.html", "/about/"),
        ({"trailing_slash": "add", "clean_urls": "redirect"}, "/both.html", b"both page"),
        ({"trailing_slash": "remove"}, "/dir/", "/dir"),
        ({"trailing_slash": "remove"}, "/dir", b"dir"),
        ({"trailing_slash": "remove"}, "/about/", "/about"),
        ({"trailing_slash": "remove"}, "/about", b"about"),
        ({"trailing_slash": "remove"}, "/both/", b"both folder"),
        ({"trailing_slash": "remove"}, "/", b"home"),
        ({"trailing_slash": "remove", "clean_urls": "redirect"}, "/dir/index.html", "/dir"),
        ({"spa": True}, "/any/where", b"home"),
        ({"spa": True}, "/any/where/", b"home"),
        ({"spa": True}, "/any/where.js", None),
        ({"spa": True}, "/style.css", b"css"),
    ],
)
def test_settings_of_a_site(world: World, manifest: dict[str, object], path: str, expected: bytes | str | None) -> None:
    files = {name: data for name, data in SITE.items() if name not in ("404.html", "dir/404.html")}
    world.deploy("blog", files | rules(**manifest))
    got = world.get(path)
    if expected is None:
        assert got.status == 404
    elif isinstance(expected, str):
        assert (got.status, got.headers["location"]) == (308, expected)
        assert world.get(expected).status == 200, "a redirect leads to a page"
    else:
        assert (got.status, got.body) == (200, expected)


def test_endless_paths_of_an_spa_are_not_kept(world: World) -> None:
    world.deploy("blog", {"index.html": "app", "fazt.json": '{"spa": true}'})
    assert world.get("/").page.keep
    assert not world.get("/some/where").page.keep


REDIRECTS = """\
/old      /about   301
/style.css /about  302!
/about    /never   301
/app/*    /index.html 200
/gone     /dir/page 404
/lost     /nowhere 200
/removed  /about 410
/up p=:p  /dir/:p 200
/post/:id /dir/:id 307
/search q=:term /find/:term 302
/ext      https://example.org/x 302
"""


@pytest.mark.parametrize(
    ("path", "query", "status", "expected"),
    [
        ("/old", b"", 301, "/about"),
        ("/old", b"a=b", 301, "/about?a=b"),
        ("/style.css", b"", 302, "/about"),
        ("/about", b"", 200, b"about"),
        ("/app/x/y", b"", 200, b"home"),
        ("/gone", b"", 404, b"page in dir"),
        ("/lost", b"", 404, b"missing"),
        ("/removed", b"", 410, b"about"),
        ("/up", b"p=page", 200, b"page in dir"),
        ("/up", b"p=../api/secret.js", 404, b"missing"),
        ("/up", b"p=%2e%2e/fazt.json", 404, b"missing"),
        ("/post/7", b"", 307, "/dir/7"),
        ("/search", b"q=x", 302, "/find/x"),
        ("/search", b"", 404, b"missing"),
        ("/ext", b"", 302, "https://example.org/x"),
    ],
)
def test_redirect_rules(world: World, path: str, query: bytes, status: int, expected: bytes | str) -> None:
    world.deploy("blog", SITE | {"_redirects": REDIRECTS})
    got = world.get(path, query=query)
    assert got.status == status
    if isinstance(expected, str):
        assert got.headers["location"] == expected
    else:
        assert got.body == expected
    assert not got.page.keep or path == "/about"


def test_a_page_is_not_kept_where_a_rule_reads_the_query(world: World) -> None:
    world.deploy("blog", SITE | {"_redirects": "/about id=:id /dir/:id 301!\n"})
    assert world.get("/about", query=b"id=7").headers["location"] == "/dir/7"
    plain = world.get("/about")
    assert (plain.status, plain.page.keep) == (200, False)


def test_header_rules(world: World) -> None:
    headers = """\
/*
  X-Site: blog
  Referrer-Policy: no-referrer
/style.css
  Cache-Control: public, max-age=9
  Vary: Origin
  Content-Type: text/plain
/about
  ! X-Site
"""
    world.deploy("blog", SITE | {"_headers": headers})
    css = world.get("/style.css").headers
    assert css["x-site"] == "blog"
    assert css["cache-control"] == "public, max-age=9"
    assert css["vary"] == "Accept-Encoding, Origin"
    assert css["content-type"] == "text/plain"
    assert css["x-content-type-options"] == "nosniff"
    assert "x-site" not in world.get("/about").headers
    assert world.get("/nothing").headers["referrer-policy"] == "no-referrer"
    assert world.get("/nothing").headers["cache-control"] == "no-cache"


def test_static_webapp_is_the_root(world: World) -> None:
    files = {
        "README.md": "outside",
        "fazt.json": "{}",
        "static-webapp/index.html": "app",
        "static-webapp/about.html": "about",
        "static-webapp/fazt.json": "SECRET",
        "static-webapp/api/x.js": "SECRET",
    }
    world.deploy("blog", files)
    assert world.get("/").body == b"app"
    assert world.get("/about").body == b"about"
    for path in ("/README.md", "/static-webapp/index.html", "/fazt.json", "/static-webapp/fazt.json", "/API/x.js"):
        assert world.get(path).status == 404, path


def test_variants_are_served_by_coding(world: World) -> None:
    world.deploy("blog", {"index.html": "x" * 1000, "x.bin": "x" * 1000})
    blob = world.database.read_blocking(lambda connection: blobs.find(connection, hashlib.sha256(b"x" * 1000).digest()))
    assert blob is not None
    coded = [("br", b"brotli"), ("gzip", b"gzipped!")]
    assert world.database.write_blocking(blobs.add_variants, blob.id, coded) == ["blog"]
    got = world.get("/", coding=2)
    assert (got.body, got.headers["content-encoding"]) == (b"brotli", "br")
    assert got.headers["etag"] == f'"{hashlib.sha256(b"brotli").hexdigest()}"'
    assert world.get("/", coding=1).body == b"gzipped!"
    assert world.get("/", coding=4).body == b"x" * 1000
    assert world.get("/x.bin", coding=2).body == b"x" * 1000


def test_a_page_from_before_a_change_is_never_kept(world: World) -> None:
    world.deploy("blog", {"index.html": "one"})

    async def race() -> None:
        page = await world.resolver("blog.localhost", b"/", b"")
        missing = await world.resolver("blog.localhost", b"/new.html", b"")
        assert page is not None
        assert missing is not None
        await asyncio.to_thread(world.deploy, "blog", {"index.html": "two", "new.html": "new"})
        assert not world.pages.put(b"blog.localhost/", page)
        assert not world.pages.put(b"blog.localhost/new.html", missing)
        fresh = await world.resolver("blog.localhost", b"/", b"")
        assert fresh is not None
        assert world.pages.put(b"blog.localhost/", fresh)
        assert bytes(fresh.body(0) or b"") == b"two"

    asyncio.run(race())


def test_rules_of_a_deleted_version_are_not_given_to_the_next_of_its_number(world: World) -> None:
    world.deploy("one", {"index.html": "1", "fazt.json": '{"spa": true}'})
    assert world.get("/x", host="one.localhost").status == 200
    world.database.write_blocking(sites.remove, "one")
    world.deploy("two", {"index.html": "2"})
    assert world.get("/x", host="two.localhost").status == 404


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1)


@settings(deadline=None, max_examples=200)
@given(st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4))
def test_a_path_survives_its_own_encoding(names: list[str]) -> None:
    path = read_path(encode_path("/".join(names)).encode())
    assert path.text == "/".join(names)
    assert path.canonical


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=40) | st.text("/.%2eEfF5cC0a\\x", max_size=30).map(str.encode))
def test_any_bytes_are_read_safely(raw: bytes) -> None:
    path = read_path(b"/" + raw)
    if path.text is not None:
        *folders, last = path.text.split("/")
        assert not {"", ".", ".."} & set(folders)
        assert last not in (".", "..")
        assert not {"\\", "\0", "\n", "\r"} & set(path.text)


SEGMENT = st.text("abcxyzäß_-0129", min_size=1, max_size=6)
PATHS = st.lists(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8, unique=True)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("trees"))
    yield made
    made.close()


@settings(deadline=None, max_examples=25)
@given(names=PATHS)
def test_every_file_of_any_tree_is_served(trees: World, names: list[str]) -> None:
    files = {f"{name}.txt": f"content of {name}" for name in names}
    trees.deploy("tree", files)
    for path, text in files.items():
        got = trees.get(encode_path(path), host="tree.localhost")
        assert (got.status, got.body.decode()) == (200, text)
        assert got.page.keep
        assert trees.get(encode_path(path + "x"), host="tree.localhost").status == 404
