"""The API answers at the dashboard's host alone, whatever is sent along; and no site rides or reads a session of it."""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import FaztServer, free_port

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
PATHS = sorted({re.sub(r"\{\w+\}", "blog", path) for path in re.findall(r"`GET (/api/[^`?]*)", DOCUMENT)})
HOSTS = ["localhost", "www.localhost", "blog.localhost", "evil.localhost", "dav.localhost", "admin.localhost"]
HOSTS += ["api.localhost", "dashboard.evil.localhost", "dashboard.example", "nobody.example", "127.0.0.1"]
PASSWORD = b"a password for tests only"
# A site that tries to plant the dashboard's cookie for the whole domain, and to have it sent to itself.
PLANT = """
export const GET = (request) => new Response(request.headers.get("cookie") ?? "none", { headers: [
  ["Set-Cookie", "__Host-fazt=planted; Path=/; Secure; Domain=localhost"],
  ["Set-Cookie", "fazt=planted; Path=/; Domain=localhost"],
  ["Access-Control-Allow-Origin", "http://dashboard.localhost"],
] });
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    folder = tmp_path_factory.mktemp("hosts")
    running = FaztServer(folder / "data.db", free_port())
    running.cli("init", "--admin", "ann", "--password-stdin", stdin=PASSWORD)
    running.start()
    for site in ("blog", "evil"):
        (folder / site / "api").mkdir(parents=True)
        (folder / site / "api" / "plant.js").write_text(PLANT)
        (folder / site / "index.html").write_text(site)
        running.cli("deploy", str(folder / site), "--site", site)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def keys(server: FaztServer) -> dict[str, str]:
    """A token of the owner, and a session of theirs."""
    token = server.cli("token", "create", "--action", "read", "--action", "admin").stdout.strip()
    origin = f"http://dashboard.localhost:{server.port}"
    body = b'{"name": "ann", "password": "%s"}' % PASSWORD
    fields = {"Host": f"dashboard.localhost:{server.port}", "Origin": origin, "Fazt-Request": "1"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/api/session", body, fields | {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return {"Cookie": cookie, "Authorization": f"Bearer {token}"}


def test_the_keys_open_the_dashboards_host(server: FaztServer, keys: dict[str, str]) -> None:
    for name, value in keys.items():
        assert server.get("/api/sites", host="dashboard.localhost", headers={name: value}).status == 200
    assert server.get("/api/sites", host="dashboard.localhost").status == 401


@pytest.mark.parametrize("host", HOSTS)
def test_no_other_host_has_the_api(server: FaztServer, keys: dict[str, str], host: str) -> None:
    assert len(PATHS) > 30
    for path in PATHS:
        for headers in ({}, keys, {"Cookie": keys["Cookie"], "Origin": f"http://{host}"}):
            answer = server.get(path, host=host, headers=headers)
            assert answer.status in (301, 302, 307, 308, 404, 421), (path, answer)
            assert b'"items"' not in answer.body


def test_a_site_can_neither_plant_nor_get_the_session(server: FaztServer, keys: dict[str, str]) -> None:
    answer = server.get("/api/plant", host="evil.localhost")
    planted = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    assert not any("domain" in value.lower() for value in planted)
    two = {"Cookie": f"{keys['Cookie']}; __Host-fazt=planted"}
    assert server.get("/api/sites", host="dashboard.localhost", headers=two).status == 401
    shown = server.get("/api/sites", host="dashboard.localhost", headers={"Cookie": keys["Cookie"]})
    assert shown.header("access-control-allow-origin") is None
    ridden = {"Cookie": keys["Cookie"], "Origin": f"http://evil.localhost:{server.port}", "Sec-Fetch-Site": "same-site"}
    assert server.get("/api/sites", host="dashboard.localhost", headers=ridden).status == 403
    assert server.get("/api/sites", host="dashboard.localhost", method="OPTIONS", headers=ridden).status in (401, 403)


def test_metrics_are_at_the_dashboards_host_alone_and_take_a_token(server: FaztServer, keys: dict[str, str]) -> None:
    token = {"Authorization": keys["Authorization"]}
    told = server.get("/_fazt/metrics", host="dashboard.localhost", headers=token)
    assert told.status == 200
    assert b"# TYPE fazt_requests_total counter" in told.body
    assert server.get("/_fazt/metrics", host="dashboard.localhost").status == 401
    assert server.get("/_fazt/metrics/", host="dashboard.localhost", headers=token).status == 404
    for host in HOSTS:
        assert server.get("/_fazt/metrics", host=host, headers=token).status == 404
