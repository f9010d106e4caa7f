"""Protected sites over real sockets, with the lane and without it: nothing is told before somebody may see it."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from loopback import Answer, FaztServer

FILES = {
    "index.html": "open front",
    "404.html": "own 404",
    "drafts/index.html": "draft index",
    "drafts/one.html": "draft one",
    "drafts/large.bin": "x" * 600_000,
    "_redirects": "/way /drafts/one.html 200\n/drafts/old /drafts/one 301\n",
    "api/hello.js": "export default () => new Response('hello from a function')",
    "api/drafts.js": "export default () => new Response('x')",
}
PASSWORD = "open sesame"
SHOWN = ("draft", "own 404", "hello from", "xxxx")
PROTECTED = (
    "/drafts/",
    "/drafts",
    "/drafts/one",
    "/drafts/one.html",
    "/drafts/nothing",
    "/drafts/large.bin",
    "/drafts/old",
    "/%64rafts/one",
    "/./drafts/one",
    "/x/../drafts/one",
    "/drafts/one?query=1",
    "/way",
)


def lay(folder: Path, **more: str) -> Path:
    for name, text in {**FILES, **more}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


pytestmark = pytest.mark.slow


@pytest.fixture(params=["lane", "no lane"])
def server(request: pytest.FixtureRequest, start_server: Callable[..., FaztServer], tmp_path: Path) -> FaztServer:
    made = start_server(**({} if request.param == "lane" else {"FAZT_NO_LANE": "1"}))
    made.cli("deploy", str(lay(tmp_path / "site")), "--site", "blog")
    return made


@pytest.fixture
def protected(server: FaztServer) -> FaztServer:
    for path in PROTECTED:  # what was kept before must not be served after
        get(server, path)
        get(server, path)
    server.cli("protect", "blog", "--path", "/drafts/*", "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    return server


def ask(
    server: FaztServer, method: str, path: str, host: str, headers: dict[str, str], body: bytes | None = None
) -> Answer:
    with server.connection() as connection:
        connection.request(method, path, body=body, headers={"Host": f"{host}.localhost:{server.port}", **headers})
        with connection.getresponse() as response:
            return Answer(response.status, response.getheaders(), response.read())


def get(
    server: FaztServer, path: str, method: str = "GET", host: str = "blog", body: bytes | None = None, **fields: str
) -> Answer:
    return ask(server, method, path, host, {name.replace("_", "-"): value for name, value in fields.items()}, body)


def sign_in(server: FaztServer, password: str = PASSWORD, back: str = "/drafts/one", **fields: str) -> Answer:
    body = urlencode({"password": password, "return": back}).encode()
    fields = {"content_type": "application/x-www-form-urlencoded", **fields}
    return get(server, "/_fazt/sign-in", "POST", body=body, **fields)


def cookie_of(answer: Answer) -> str:
    value = answer.header("set-cookie") or ""
    assert "HttpOnly" in value
    assert "SameSite=Lax" in value
    assert "Domain" not in value
    return value.partition(";")[0]


KINDS: tuple[dict[str, str], ...] = (
    {},
    {"range": "bytes=0-3"},
    {"accept_encoding": "br, gzip, zstd"},
    {"if_none_match": "*"},
)


def test_nothing_is_told_to_who_may_not(protected: FaztServer) -> None:
    for path, method, fields in itertools.product(PROTECTED, ("GET", "HEAD", "POST"), KINDS):
        answer = get(protected, path, method, **fields)
        assert answer.status == 401, (path, method, fields)
        assert not any(word in answer.body.decode() for word in SHOWN)
        assert answer.header("etag") is None
        assert answer.header("last-modified") is None
    for path in PROTECTED:
        to = get(protected, path, accept="text/html,*/*")
        assert to.status == 303
        assert (to.header("location") or "").startswith("/_fazt/sign-in?return=%2F")


def test_what_is_not_protected_is_served_as_ever(protected: FaztServer) -> None:
    for _ in range(2):
        assert get(protected, "/").body == b"open front"
        assert get(protected, "/nothing").body == b"own 404"
        assert get(protected, "/api/hello").body == b"hello from a function"
        assert get(protected, "/api/drafts").status == 200


def test_the_password_opens(protected: FaztServer) -> None:
    page = get(protected, "/_fazt/sign-in?return=%2Fdrafts%2Fone", accept="text/html")
    assert page.status == 200
    assert b'name="password"' in page.body
    assert b"<script" not in page.body
    wrong = sign_in(protected, "wrong")
    assert (wrong.status, wrong.header("set-cookie")) == (401, None)
    right = sign_in(protected)
    assert (right.status, right.header("location")) == (303, "/drafts/one")
    cookie = cookie_of(right)
    seen = get(protected, "/drafts/one", cookie=cookie)
    assert (seen.status, seen.body) == (200, b"draft one")
    assert seen.header("cache-control") == "private, no-store"
    assert get(protected, "/drafts/nothing", cookie=cookie).body == b"own 404"
    large = get(protected, "/drafts/large.bin", cookie=cookie, range="bytes=10-19")
    assert (large.status, large.body) == (206, b"x" * 10)
    assert len(get(protected, "/drafts/large.bin", cookie=cookie).body) == 600_000
    assert get(protected, "/drafts/one").status == 401  # nobody else sees it for that


def test_another_password_shuts_out_who_was_in(protected: FaztServer) -> None:
    cookie = cookie_of(sign_in(protected))
    protected.cli("protect", "blog", "--path", "/drafts/*", "--password-stdin", stdin=b"another one\n")
    assert get(protected, "/drafts/one", cookie=cookie).status == 401
    protected.cli("protect", "blog", "--off")
    assert get(protected, "/drafts/one").status == 200


def test_guessing_gets_slow(protected: FaztServer) -> None:
    statuses = [sign_in(protected, f"guess {number}").status for number in range(8)]
    assert statuses == [401] * 5 + [429] * 3


ELSEWHERE = ["//evil.example/", "/\\evil.example", "https://evil.example/", "evil", "/a\r\nX: y", "/_fazt/sign-in"]


def test_nobody_is_sent_elsewhere(protected: FaztServer) -> None:
    cookie = cookie_of(sign_in(protected))
    for back in ELSEWHERE:
        for answer in (
            sign_in(protected, back=back),
            get(protected, f"/_fazt/sign-in?{urlencode({'return': back})}", cookie=cookie),
        ):
            assert (answer.status, answer.header("location")) == (303, "/"), back


def test_another_site_can_neither_sign_in_nor_use_the_pass(protected: FaztServer, tmp_path: Path) -> None:
    assert sign_in(protected, origin="http://evil.localhost").status == 403
    protected.cli("deploy", str(lay(tmp_path / "evil")), "--site", "evil")
    protected.cli("protect", "evil", "--path", "/drafts/*", "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    cookie = cookie_of(sign_in(protected))
    assert get(protected, "/drafts/one", host="evil", cookie=cookie).status == 401


def test_addresses_open_without_a_question(server: FaztServer) -> None:
    server.cli("protect", "blog", "--address", "192.0.2.0/24")
    refused = get(server, "/", accept="text/html")
    assert refused.status == 401 or refused.status == 403
    assert b"open front" not in refused.body
    server.cli("protect", "blog", "--address", "127.0.0.0/8")
    assert get(server, "/").body == b"open front"


def test_functions_rooms_and_previews_are_protected_with_the_whole_site(server: FaztServer) -> None:
    version = json.loads(server.cli("versions", "list", "blog", "--json").stdout)["items"][0]["id"]
    server.cli("protect", "blog", "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    for path in ("/", "/api/hello", "/_fazt/room/chat", "/nothing"):
        assert get(server, path).status == 401, path
    assert get(server, "/", host=f"{version[:8]}--blog").status == 401
    assert get(server, "/_fazt/health").status == 200
    cookie = cookie_of(sign_in(server, back="/"))
    assert get(server, "/api/hello", cookie=cookie).body == b"hello from a function"


def test_fazt_json_protects_and_older_previews_too(server: FaztServer, tmp_path: Path) -> None:
    old = json.loads(server.cli("versions", "list", "blog", "--json").stdout)["items"][0]["id"]
    rule = json.dumps({"protect": {"paths": ["/*"], "password": {"secret": "DOOR"}}})
    server.cli("deploy", str(lay(tmp_path / "new", **{"fazt.json": rule})), "--site", "blog")
    assert get(server, "/").status == 401
    assert get(server, "/", host=f"{old[:8]}--blog").status == 401
    assert sign_in(server, back="/").status == 401  # there is no such secret yet
    server.cli("secrets", "set", "blog", "DOOR", stdin=PASSWORD.encode())
    cookie = cookie_of(sign_in(server, back="/"))
    assert get(server, "/", cookie=cookie).body == b"open front"


def test_a_rewrite_needs_who_may_see_both_its_path_and_its_file(server: FaztServer, tmp_path: Path) -> None:
    way = {"paths": ["/way"], "password": {"secret": "WAY"}}
    drafts = {"paths": ["/drafts/*"], "password": {"secret": "DRAFTS"}}
    rules = json.dumps({"protect": [way, drafts, {"paths": ["/404"], "addresses": ["192.0.2.1"]}]})
    server.cli("deploy", str(lay(tmp_path / "two", **{"fazt.json": rules})), "--site", "blog")
    server.cli("secrets", "set", "blog", "WAY", stdin=b"for the way")
    server.cli("secrets", "set", "blog", "DRAFTS", stdin=PASSWORD.encode())
    half = cookie_of(sign_in(server, "for the way", back="/way"))
    assert get(server, "/way", cookie=half).status == 401
    assert get(server, "/drafts/one", cookie=half).status == 401
    other = cookie_of(sign_in(server, back="/drafts/one"))
    assert get(server, "/way", cookie=other).status == 401
    assert get(server, "/drafts/one", cookie=other).body == b"draft one"
    assert get(server, "/drafts/nothing", cookie=other).body == b"own 404"  # though /404 itself is for others
    assert get(server, "/404").status == 403
    both = cookie_of(sign_in(server, back="/way", cookie=half))
    assert get(server, "/way", cookie=both).body == b"draft one"


def test_a_share_link_opens_what_it_is_for_until_it_ends(server: FaztServer) -> None:
    server.cli("protect", "blog", "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    made = json.loads(server.cli("share", "create", "blog", "--path", "/drafts/*", "--expires", "1h", "--json").stdout)
    path = re.sub(r"^http://[^/]+", "", made["url"])
    entered = get(server, path)
    assert (entered.status, entered.header("location")) == (303, "/drafts/")
    cookie = cookie_of(entered)
    assert get(server, "/drafts/one", cookie=cookie).body == b"draft one"
    assert get(server, "/", cookie=cookie).status == 401
    assert json.loads(server.cli("share", "list", "blog", "--json").stdout)["items"][0]["uses"] == 1
    server.cli("share", "revoke", "blog", made["id"])
    assert get(server, "/drafts/one", cookie=cookie).status == 401
    assert get(server, path).status == 404
    assert get(server, "/_fazt/share/nothing").status == 404


def test_a_share_link_for_a_preview_opens_that_one_alone(server: FaztServer, tmp_path: Path) -> None:
    version = json.loads(server.cli("versions", "list", "blog", "--json").stdout)["items"][0]["id"]
    server.cli("protect", "blog", "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    made = json.loads(server.cli("share", "create", "blog", "--version", version[:8], "--json").stdout)
    host = f"{version[:8]}--blog"
    assert f"//{host}.localhost" in made["url"]
    path = re.sub(r"^http://[^/]+", "", made["url"])
    assert get(server, path).status == 404  # not on the live host
    cookie = cookie_of(get(server, path, host=host))
    assert get(server, "/", host=host, cookie=cookie).body == b"open front"
    assert get(server, "/", cookie=cookie).status == 401


def test_users_of_the_dashboard_come_in_with_a_code_once(server: FaztServer) -> None:
    server.cli("protect", "blog", "--users")
    token = json.loads(server.cli("token", "create", "--action", "read", "--site", "blog", "--json").stdout)["token"]
    page = get(server, "/_fazt/sign-in?return=%2F")
    assert b"dashboard.localhost" in page.body
    assert b"password" not in page.body
    body = json.dumps({"return": "/drafts/one"}).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    made = ask(server, "POST", "/api/sites/blog/pass", "dashboard", headers, body)
    path = re.sub(r"^http://[^/]+", "", json.loads(made.body)["url"])
    entered = get(server, path)
    assert (entered.status, entered.header("location")) == (303, "/drafts/one")
    assert get(server, "/drafts/one", cookie=cookie_of(entered)).body == b"draft one"
    assert get(server, path).status == 403  # used


def test_no_spelling_of_a_functions_path_goes_around_its_rule(server: FaztServer, tmp_path: Path) -> None:
    """Functions would read some paths that no file can have; none of them gets there."""
    code = {"api/admin/[...path].js": "export default () => new Response('hello from the admin')"}
    server.cli("deploy", str(lay(tmp_path / "more", **code)), "--site", "blog")
    assert get(server, "/api/admin/x").body == b"hello from the admin"
    server.cli("protect", "blog", "--path", "/api/admin/*", "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    cookie = cookie_of(sign_in(server, back="/api/admin/x"))
    for path in ("x", "/x", "x//y", "a%2Fb", "%00", "%5C", "x%0a", "x/", "%2e%2e%2f", "a%2f..%2fb", "//", "x?//"):
        refused = get(server, f"/api/admin/{path}")
        assert refused.status in (401, 404), path
        assert b"admin" not in refused.body
        assert get(server, f"/api/admin/{path}", cookie=cookie).status in (200, 404), path
    assert get(server, "/api/admin/x").status == 401
    assert get(server, "/api/hello").status == 200
    server.cli("protect", "blog", "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    for path in ("/x", "a%2Fb", "%00", "%5C"):
        assert get(server, f"/api/admin/{path}").status == 401, path


def test_a_code_counts_once_however_it_is_spelled(server: FaztServer) -> None:
    server.cli("protect", "blog", "--users")
    token = json.loads(server.cli("token", "create", "--action", "read", "--site", "blog", "--json").stdout)["token"]
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    made = ask(server, "POST", "/api/sites/blog/pass", "dashboard", headers, b"{}")
    path = re.sub(r"^http://[^/]+", "", json.loads(made.body)["url"])
    code = re.findall(r"code=([^&]+)", path)[0]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [f"{code[:-1]}{letter}" for letter in letters if letter != code[-1]]
    for other in (*others, f"{code}%3D", code.replace(".", "%3D."), f"{code}.", "", "."):
        assert get(server, f"/_fazt/enter?code={other}").status == 403, other
    assert get(server, path).status == 303
    assert get(server, path).status == 403


def test_more_fields_than_anybody_asks_for_are_no_fault_of_the_server(protected: FaztServer) -> None:
    many = "&".join(f"a{number}=1" for number in range(200))
    for path in ("/_fazt/sign-in", "/_fazt/enter", "/drafts/one"):
        assert get(protected, f"{path}?{many}").status in (303, 401, 403), path
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert ask(protected, "POST", "/_fazt/sign-in", "blog", form, many.encode()).status == 303
    assert ask(protected, "POST", "/_fazt/sign-in", "blog", form, b"x" * 9000).status == 413


def test_links_and_protected_files_of_the_root_site_share_a_folder(server: FaztServer, tmp_path: Path) -> None:
    server.cli("deploy", str(lay(tmp_path / "root", **{"r/plan.html": "draft of the root"})), "--site", "root")
    server.cli("links", "create", "https://example.org/", "--slug", "talk")
    server.cli("protect", "root", "--path", "/r/*", "--password-stdin", stdin=f"{PASSWORD}\n".encode())

    def root(path: str, **fields: str) -> Answer:
        return ask(server, "GET", path, "x", {**fields, "Host": f"localhost:{server.port}"})

    assert root("/r/talk").status == 302
    assert root("/r/plan").status == 401
    assert root("/r/../r/plan").status == 401
    cookie = cookie_of(root_sign_in(server))
    assert root("/r/plan", Cookie=cookie).body == b"draft of the root"


def root_sign_in(server: FaztServer) -> Answer:
    body = urlencode({"password": PASSWORD, "return": "/r/plan"}).encode()
    fields = {"Host": f"localhost:{server.port}", "Content-Type": "application/x-www-form-urlencoded"}
    return ask(server, "POST", "/_fazt/sign-in", "x", fields, body)
