"""`/r/<slug>` on a real server: what visitors get, whatever stood at that path before."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from loopback import FaztServer, free_port

TARGET = "https://example.org/page"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaztServer]:
    folder = tmp_path_factory.mktemp("links")
    running = FaztServer(folder / "data.db", free_port()).start()
    (folder / "root" / "r").mkdir(parents=True)
    (folder / "root" / "index.html").write_text("root")
    (folder / "root" / "r" / "file").write_text("a file of the root site")
    running.cli("deploy", str(folder / "root"), "--site", "root")
    yield running
    running.stop()


def ask(server: FaztServer, method: str, path: str, body: object = None) -> bytes:
    """Ask the API as the command line does."""
    from fazt.cli.client import connect

    with connect(str(server.database), None) as client:
        return orjson.dumps(client.ask(method, "links", *path.split("/")[1:], body=body))


def twice(server: FaztServer, path: str, **more: str) -> tuple[int, str | None]:
    """Ask two times on one connection: the second answer may come from the page cache."""
    answers = [server.get(path, host=more.get("host", "localhost")) for _ in range(3)]
    assert len({answer.status for answer in answers}) == 1
    return answers[-1].status, answers[-1].header("location")


def test_a_link_is_seen_at_once_where_a_404_was_kept(server: FaztServer) -> None:
    assert twice(server, "/r/new") == (404, None)
    ask(server, "POST", "", {"slug": "new", "target": TARGET})
    answer = server.get("/r/new", host="localhost")
    assert (answer.status, answer.header("location"), answer.body) == (302, TARGET, b"")
    assert answer.header("cache-control") == "no-store"
    assert twice(server, "/r/NEW", host="www.localhost") == (302, TARGET)
    head = server.get("/r/new", host="localhost", method="HEAD")
    assert (head.status, head.header("location")) == (302, TARGET)
    assert server.get("/r/new", host="localhost", method="POST").status == 405
    ask(server, "PATCH", "/new", {"target": "https://example.com/"})
    assert twice(server, "/r/new") == (302, "https://example.com/")
    ask(server, "DELETE", "/new")
    assert twice(server, "/r/new") == (404, None)


def test_a_link_goes_before_a_file_of_the_root_site(server: FaztServer) -> None:
    assert twice(server, "/r/file") == (200, None)
    ask(server, "POST", "", {"slug": "file", "target": TARGET})
    assert twice(server, "/r/file") == (302, TARGET)
    ask(server, "DELETE", "/file")
    assert server.get("/r/file", host="localhost").body == b"a file of the root site"


def test_links_are_of_the_bare_domain_alone(server: FaztServer, tmp_path: Path) -> None:
    ask(server, "POST", "", {"slug": "here", "target": TARGET})
    (tmp_path / "index.html").write_text("blog")
    server.cli("deploy", str(tmp_path), "--site", "blog")
    for host in ("blog.localhost", "dashboard.localhost", "root.localhost", "other.example"):
        assert server.get("/r/here", host=host).status == 404
    for path in ("/r/here/", "/r/", "/r", "/r/here%0d%0aX:y", "/r//here", "/R/here"):
        assert server.get(path, host="localhost").status in (404, 308)
    ask(server, "DELETE", "/here")


def test_clicks_are_counted_and_outlive_a_stop(server: FaztServer) -> None:
    ask(server, "POST", "", {"slug": "count", "target": TARGET})
    for method in ("GET", "GET", "HEAD", "POST"):
        server.get("/r/count", host="localhost", method=method)
    assert orjson.loads(ask(server, "GET", ""))["items"][0]["clicks"] == 2
    server.stop()
    server.start()
    (link,) = orjson.loads(ask(server, "GET", ""))["items"]
    assert (link["slug"], link["clicks"]) == ("count", 2)
    ask(server, "DELETE", "/count")


def test_a_link_is_explained(server: FaztServer) -> None:
    ask(server, "POST", "", {"slug": "why", "target": TARGET})
    told = server.cli("route", "explain", f"http://localhost:{server.port}/r/why").stdout
    assert TARGET in told
    ask(server, "DELETE", "/why")
