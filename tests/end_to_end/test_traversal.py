"""Hundreds of spellings of a way out: nothing outside the site, no function source, no manifest is ever served."""

from collections.abc import Callable, Iterator

import pytest
from loopback import FaztServer, free_port

SECRETS = {
    "api/secret.js": "// SECRET-function\nexport const GET = () => new Response('an answer');\n",
    "api/nested/[id].js": "// SECRET-nested\nexport const GET = () => new Response('an answer');\n",
    "fazt.json": '{"name": "inner", "title": "SECRET-manifest"}',
    "_redirects": "/SECRET-redirect / 301\n",
    "_headers": "/*\n  X-Note: outside\n",
}

# Each climbs or disguises; TARGET is put behind it.
CLIMBS = r"""
    /../ /../../ /../../../../../../../../ /./../ /a/../../ /a/b/../../../ /.../ /..../ /%2e%2e/ /%2e%2e%2f
    /..%2f /%2e./ /.%2e/ /%2E%2E%2F /%2e%2e/%2e%2e/%2e%2e/ /%252e%252e%252f /%252e%252e/ /..%252f
    /%25252e%25252e%25252f /..\ /\..\ /..%5c /%5c..%5c /%2e%2e%5c /..%255c /.%5c.%5c /%c0%ae%c0%ae/
    /%c0%ae%c0%ae%c0%af /..%c0%af /%e0%80%ae%e0%80%ae/ /..%e0%80%af /%f0%80%80%ae%f0%80%80%ae/ /..%c1%9c
    /%uff0e%uff0e%u2215 /..%u2215 /%ef%bc%8e%ef%bc%8e/ /..%ef%bc%8f /..;/ /;/../ /..;a=b/ /.;/ /%2e%2e;/ /..%3b/
    // /// //../ /..// /.//../ //%2e%2e// /%00/ /..%00/ /%00../ /../%00 /a%00/../ /..%0d%0a/ /..%09/ /%20../
    /..%20/ /static-webapp/../ /static-webapp/%2e%2e/ /index.html/../ /index.html/..%2f /index.html%2f..%2f
    /?/../ /#/../ /.%00./ /~/../ /~root/../ /C:/../ /C:%5c /file:/// /....//....// /..../..../ /.%252e/
    /%2e%252e/ /..%2f..%2f..%2f /%2f..%2f /%2f%2f /%2e/ /%2e%2f /././ /.%2f
""".split()
TARGETS = ["api/secret.js", "fazt.json", "_redirects", "_headers", "etc/passwd", "data.db"]

DISGUISES = r"""
    /api/secret.js /API/secret.js /Api/Secret.JS /api%2fsecret.js /api//secret.js //api/secret.js
    /api/./secret.js /api/../api/secret.js /api/secret.js/ /api/secret.js%00 /api/secret.js%00.html
    /api/secret.js. /api/secret.js%20 /api/secret.js::$DATA /api/secret /api/secret.js?raw /%61pi/secret.js
    /ap%69/secret.js /a%70i/%73ecret.js /api%5csecret.js /api\secret.js /x/../api/secret.js
    /x/%2e%2e/api/secret.js /./api/secret.js /%2e/api/secret.js /api/nested/[id].js /api/nested/%5Bid%5D.js
    /api/nested/%5bid%5d.js /static-webapp/../api/secret.js /fazt.json /FAZT.JSON /fazt%2ejson /fazt.json/
    /fazt.json%00 /%66azt.json /./fazt.json //fazt.json /x/../fazt.json /fazt.json?x /fazt /fazt.json;x
    /fazt.json%20 /fazt.json. /_redirects /%5fredirects /%5Fredirects /_redirects/ /_redirects.html
    /./_redirects //_redirects /_headers /%5fheaders /_headers%00 /x/../_headers /_HEADERS
""".split()

RAW_EIGHT_BIT = "/\u2025/".encode().decode("latin-1")
SPELLINGS = DISGUISES + [climb + target for climb in [*CLIMBS, RAW_EIGHT_BIT] for target in TARGETS]


@pytest.fixture(scope="module", params=["lane", "no lane"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    """One server for all of these, which only ask."""
    folder = tmp_path_factory.mktemp("guarded")
    server = FaztServer(folder / "data.db", free_port(), {} if request.param == "lane" else {"FAZT_NO_LANE": "1"})
    site = folder / "site"
    for path, text in SECRETS.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    (site / "index.html").write_text("PUBLIC")
    (site / "x").mkdir()
    (site / "x" / "page.html").write_text("PUBLIC")
    (folder / "outside").mkdir()
    (folder / "outside" / "index.html").write_text("OUTSIDE-site")
    server.start()
    server.cli("deploy", str(folder / "outside"), "--site", "outside")
    server.cli("deploy", str(site), "--site", "inner")
    yield server
    server.stop()


def test_nothing_private_is_served(guarded: FaztServer) -> None:
    assert len(SPELLINGS) > 100
    for path in SPELLINGS:
        target = path.encode("latin-1")
        request = b"GET " + target + b" HTTP/1.1\r\nHost: inner.localhost\r\nConnection: close\r\n\r\n"
        answer = guarded.raw(request)
        assert answer.startswith(b"HTTP/1.1 "), (path, answer[:100])
        status = int(answer[9:12])
        assert status in (200, 301, 308, 400, 404), (path, status)
        for forbidden in (b"SECRET", b"OUTSIDE", b"root:", b"SQLite format"):
            assert forbidden not in answer, (path, answer[-300:])
        if status == 200:
            assert answer.endswith((b"PUBLIC", b"an answer")), (path, answer[-100:])
        if status in (301, 308):
            location = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"location:"))[9:].strip()
            assert location.startswith(b"/"), (path, location)
            assert not location.startswith((b"//", b"/\\")), (path, location)


@pytest.mark.parametrize("host", ["OUTSIDE.localhost", "outside.localhost.", "outside.localhost:4698"])
def test_a_site_is_reached_under_each_spelling_of_its_host(guarded: FaztServer, host: str) -> None:
    assert guarded.get("/", host=host).body == b"OUTSIDE-site"


@pytest.mark.parametrize(
    "host",
    [
        "outside",
        "outside.example.org",
        "outside.localhost.evil.org",
        "a.outside.localhost",
        "127.0.0.1",
        "[::1]",
        "outside%2elocalhost",
    ],
)
def test_no_other_host_reaches_it(guarded: FaztServer, host: str) -> None:
    answer = guarded.get("/", host=host)
    assert answer.status in (400, 404)
    assert b"OUTSIDE" not in answer.body


def test_a_forwarded_host_is_not_believed(guarded: FaztServer, start_server: Callable[..., FaztServer]) -> None:
    headers = {
        "X-Forwarded-Host": "outside.localhost",
        "Forwarded": "host=outside.localhost",
        "X-Host": "outside.localhost",
    }
    assert guarded.get("/", host="inner.localhost", headers=headers).body == b"PUBLIC"
