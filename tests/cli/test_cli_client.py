"""The client and its three transports: the socket, HTTP with a token, and the application in this process."""

import asyncio
import contextlib
import http.server
import os
import socket
import socketserver
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fazt.cli import client, remotes, transports
from fazt.cli.client import Client, connect
from fazt.cli.transports import RemoteTransport, SocketTransport
from fazt.errors import (
    BlobsMissing,
    FaztError,
    InvalidInput,
    RemoteError,
    SiteNotFound,
    StorageFull,
    StoreBusy,
    StoreReadOnly,
)
from fazt.settings import socket_path

JSON = ("Content-Type", "application/json")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what a test told the server to, and remembers the request."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        if self.server.refuse_unread:
            self.close_connection = True
        else:
            self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.heads.append((self.command, self.path, dict(self.headers)))
        status, data = self.server.answer
        self.send_response(status)
        self.send_header(*JSON)
        self.send_header("Content-Length", str(len(data) + self.server.missing_bytes))
        self.end_headers()
        self.wfile.write(data)
        if self.server.missing_bytes:
            self.close_connection = True

    do_PUT = do_POST

    def address_string(self) -> str:
        return "test"

    def log_message(self, *_: Any) -> None:
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def start(server: Any) -> Any:
    server.answer = (200, b'{"ok": true}')
    server.heads, server.bodies = [], []
    server.missing_bytes, server.refuse_unread = 0, False
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


@pytest.fixture
def unix(tmp_path: Path) -> Iterator[Any]:
    with UnixServer(str(socket_path(tmp_path / "data.db")), Handler) as server:
        yield start(server)
        server.shutdown()


@pytest.fixture
def tcp() -> Iterator[Any]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        yield start(server)
        server.shutdown()


@pytest.fixture
def local(unix: Any) -> Iterator[Client]:
    with connect("data.db", None) as found:
        yield found


def test_the_socket_carries_requests(unix: Any, local: Client) -> None:
    assert local.ask("GET", "sites", "a/b é", query={"limit": 3, "after": None, "q": "x&y"}) == {"ok": True}
    method, path, headers = unix.heads[0]
    assert (method, path) == ("GET", "/api/sites/a%2Fb%20%C3%A9?limit=3&q=x%26y")
    assert headers["Accept"] == "application/json"
    assert "Authorization" not in headers
    local.ask("POST", "sites", body={"name": "é"})
    local.ask("POST", "blobs", body=b"\0\1")
    local.ask("PUT", "sites", "a", "live", body={})
    unix.answer = (204, b"")
    assert local.ask("POST", "nothing") is None
    assert unix.bodies == ['{"name":"é"}'.encode(), b"\0\1", b"{}", b""]
    assert [head[2].get("Content-Type") for head in unix.heads[1:3]] == ["application/json", client.PACK_TYPE]


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((404, b'{"error": {"code": "site_not_found", "message": "No site x."}}'), SiteNotFound, "No site x."),
        ((507, b'{"error": {"code": "storage_full", "message": "Full."}}'), StorageFull, "Full."),
        ((400, b'{"error": {"code": "of_the_future", "message": "New."}}'), RemoteError, "New."),
        ((308, b""), RemoteError, "answers with status 308 and no explanation"),
        ((500, b"<html>"), RemoteError, "answers with status 500"),
        ((500, b'{"error": "x"}'), RemoteError, "answers with status 500"),
        ((500, b'{"error": ["x"]}'), RemoteError, "answers with status 500"),
        ((500, b'{"error": {"code": [], "message": "x"}}'), RemoteError, "answers with status 500"),
        ((500, b'{"error": {"code": "conflict"}}'), RemoteError, "answers with status 500"),
        ((200, b"<html>"), RemoteError, "is it the dashboard host of a Fazt server"),
    ],
)
def test_errors_come_back_as_they_were(
    unix: Any, local: Client, answer: tuple[int, bytes], kind: type[FaztError], message: str
) -> None:
    unix.answer = answer
    with pytest.raises(kind, match=message) as caught:
        local.ask("GET", "sites")
    assert type(caught.value) is kind


def test_details_come_along(unix: Any, local: Client) -> None:
    unix.answer = (409, b'{"error": {"code": "blobs_missing", "message": "Some.", "missing": [1]}}')
    with pytest.raises(BlobsMissing) as caught:
        local.ask("POST", "sites", body={})
    assert caught.value.details == {"missing": [1]}


@pytest.mark.parametrize("page", [b"[]", b'"x"', b"null", b'{"items": []}'])
def test_what_is_not_a_list_is_an_error(unix: Any, local: Client, page: bytes) -> None:
    unix.answer = (200, page)
    with pytest.raises(RemoteError, match="without a list"):
        list(local.items("sites"))


def test_lists_are_read_to_the_end(server: Any) -> None:
    def page(asked: Any) -> tuple[int, Any]:
        start = int(asked.query.get("after", 0))
        return 200, {"items": [start, start + 1], "next": str(start + 2) if start < 4 else None}

    server.answers["GET", "/api/sites"] = page
    assert list(Client(server).items("sites", query={"site": "a"})) == [0, 1, 2, 3, 4, 5]
    assert all(asked.query["site"] == "a" and asked.query["limit"] == "1000" for asked in server.asked)


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_name_cannot_change_the_path(server: Any, part: str) -> None:
    with pytest.raises(InvalidInput):
        Client(server).ask("DELETE", "sites", part)
    assert server.asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": ("sites", "\udcff")},
        {"path": ("sites",), "body": {"name": "\udcff"}},
        {"path": ("sites",), "query": {"site": "\udcff"}},
    ],
)
def test_what_is_not_utf_8_is_refused(server: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="UTF-8"):
        Client(server).ask("POST", *arguments.pop("path"), **arguments)
    assert server.asked == []


def test_an_answer_that_breaks_off_is_an_error(unix: Any, local: Client) -> None:
    unix.missing_bytes = 10
    reply = local.stream("GET", "sites")
    with pytest.raises(RemoteError, match="broke off"):
        reply.read()


def test_what_a_server_says_before_it_read_everything_counts(unix: Any, local: Client) -> None:
    unix.refuse_unread = True
    unix.answer = (413, b'{"error": {"code": "too_large", "message": "Too large."}}')
    with pytest.raises(FaztError, match=r"Too large\.|does not answer"):
        local.ask("POST", "blobs", body=bytes(8 << 20))


def test_a_server_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match=r"nothing.sock does not answer: No such file or directory\.$"):
        Client(SocketTransport(tmp_path / "nothing.sock")).ask("GET", "sites")


def test_a_remote_gets_the_token_and_its_name(tcp: Any) -> None:
    port = tcp.server_address[1]
    transport = RemoteTransport(remotes.Remote("here", f"http://dashboard.localhost:{port}", "fazt_x"))
    assert Client(transport).ask("GET", "sites") == {"ok": True}
    headers = tcp.heads[0][2]
    assert (headers["Host"], headers["Authorization"]) == (f"dashboard.localhost:{port}", "Bearer fazt_x")


def test_a_remote_that_is_away_is_one_line() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    transport = RemoteTransport(remotes.Remote("here", f"http://localhost:{port}", "fazt_x"))
    with pytest.raises(RemoteError, match=r"cannot be reached: Connection refused\.$"):
        Client(transport).ask("GET", "sites")


def test_a_server_may_be_silent_while_it_is_followed(unix: Any, local: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float | None] = []
    real = transports.UnixConnection.connect

    def remembering(self: transports.UnixConnection) -> None:
        seen.append(self.timeout)
        real(self)

    monkeypatch.setattr(transports.UnixConnection, "connect", remembering)
    local.stream("GET", "logs", timeout_s=None).read()
    local.stream("GET", "logs").read()
    assert seen == [None, transports.TIMEOUT_S]


# In process


class Application:
    """An ASGI application that answers with what it was asked and then with pieces."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.sent = 0
        self.ended: list[str] = []
        self.pieces = 3
        self.fails = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.bodies.append((await receive())["body"])
        if self.fails:
            raise StoreReadOnly("Read-only.")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(self.pieces):
                await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
                self.sent += 1
            await send({"type": "http.response.body", "body": b""})
            self.ended.append("whole")
        except asyncio.CancelledError:
            self.ended.append("cut")
            raise


class Opened:
    """Stands in for fazt.server.alone: gives the application, or says that somebody else has the file."""

    def __init__(self) -> None:
        self.app = Application()
        self.busy = 0
        self.open_now = 0
        self.when_busy: Callable[[], None] = lambda: None

    @contextlib.asynccontextmanager
    async def open_api(self, path: Path, _: Any) -> AsyncIterator[Application]:
        if self.busy:
            self.busy -= 1
            self.when_busy()
            raise StoreBusy(f"{path} is in use.")
        self.open_now += 1
        yield self.app
        self.open_now -= 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opened:
    found = Opened()
    (tmp_path / "data.db").touch()
    monkeypatch.delitem(sys.modules, "fazt.cli.in_process", raising=False)
    monkeypatch.setitem(sys.modules, "fazt.server.alone", types.SimpleNamespace(open_api=found.open_api))  # type: ignore[arg-type]
    monkeypatch.setattr(client, "BUSY_WAIT_S", 2.0)
    yield found
    sys.modules.pop("fazt.cli.in_process", None)
    assert found.open_now == 0


def test_without_a_server_the_application_is_called(opened: Opened) -> None:
    with connect("data.db", None) as found:
        assert not found.transport.live
        assert found.stream("POST", "sites", "a é", query={"q": 1}, body={"x": 1}).read() == b"012"
        assert found.stream("GET", "sites").read() == b"012"
    scope = opened.app.scopes[0]
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/api/sites/a é", b"q=1")
    assert scope["raw_path"] == b"/api/sites/a%20%C3%A9"
    assert scope["extensions"]["fazt"]["peer_uid"] == os.getuid()
    assert opened.app.bodies == [b'{"x":1}', b""]
    assert opened.app.ended == ["whole", "whole"]


def test_a_long_answer_is_not_collected_in_memory(opened: Opened) -> None:
    opened.app.pieces = 1000
    with connect("data.db", None) as found:
        reply = found.stream("GET", "export")
        assert next(reply.pieces) == b"0"
        assert opened.app.sent < 100
        assert sum(1 for _ in reply.pieces) == 1000
        assert opened.app.ended == ["whole"]


def test_an_answer_that_nobody_reads_is_ended(opened: Opened) -> None:
    opened.app.pieces = 1000
    with connect("data.db", None) as found:
        found.stream("GET", "export")
        found.stream("GET", "export")
    assert opened.app.ended == ["cut", "cut"]


def test_what_the_application_raises_arrives(opened: Opened) -> None:
    opened.app.fails = True
    with connect("data.db", None) as found, pytest.raises(StoreReadOnly):
        found.ask("GET", "sites")


def test_it_may_be_called_from_another_thread(opened: Opened) -> None:
    with connect("data.db", None) as found:
        got: list[bytes] = []
        worker = threading.Thread(target=lambda: got.append(found.stream("GET", "sites").read()))
        worker.start()
        worker.join()
        assert got == [b"012"]


def test_a_socket_that_nobody_listens_at_is_no_server(opened: Opened, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(socket_path(tmp_path / "data.db")))
    with connect("data.db", None) as found:
        assert found.stream("GET", "sites").read() == b"012"


def test_a_busy_database_is_waited_for(opened: Opened) -> None:
    opened.busy = 2
    with connect("data.db", None) as found:
        assert found.stream("GET", "sites").read() == b"012"


def test_a_server_that_starts_meanwhile_is_asked(opened: Opened, tmp_path: Path) -> None:
    servers: list[Any] = []
    opened.busy = 1
    opened.when_busy = lambda: servers.append(start(UnixServer(str(socket_path(tmp_path / "data.db")), Handler)))
    with connect("data.db", None) as found:
        assert found.ask("GET", "sites") == {"ok": True}
    servers[0].shutdown()
    servers[0].server_close()


def test_a_database_that_stays_busy_is_an_error(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BUSY_WAIT_S", 0.0)
    opened.busy = 1000
    with pytest.raises(StoreBusy), connect("data.db", None):
        pass


def test_a_database_that_is_not_there_is_made_only_by_what_makes_sense(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no database at other\.db"), connect("other.db", None):
        pass
    with connect("other.db", None, create=True) as found:
        assert not found.transport.live


def test_logs_cannot_be_followed_without_a_server(opened: Opened, run: Callable[..., Any]) -> None:
    done = run("logs", "blog", "-f", "--db", "data.db")
    assert done.code == 1
    assert "No server runs" in done.err
    assert opened.app.scopes == []


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_a_stranger_s_socket_is_not_asked(tmp_path: Path) -> None:
    database = tmp_path / "data.db"
    database.touch()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(socket_path(database)))
        assert client._is_ours(socket_path(database), database)
        os.chown(socket_path(database), 12345, 12345)
        assert not client._is_ours(socket_path(database), database)
        os.chown(database, 12345, 12345)  # the server runs as a user of its own, and root asks it
        assert client._is_ours(socket_path(database), database)
