"""One process and several answer the same: whatever is sent, however oddly, a core behind workers is told all of it."""

import re
import socket
import time
from collections.abc import Iterator

import pytest
from loopback import FaztServer, free_port

# What belongs to one connection is not handed on (RFC 9110 7.6.1), and a relay's own field is nobody else's.
ECHO = """
const OWN = ["connection", "te", "trailer", "transfer-encoding", "upgrade", "expect", "keep-alive", "fazt-relay"];
async function echo(request) {
  const body = await request.arrayBuffer();
  const told = [...request.headers].filter(([name]) => !OWN.includes(name));
  const fields = told.map(([name, value]) => `${name}: ${value}`).sort();
  return Response.json({ method: request.method, url: request.url, fields, length: body.byteLength });
}
export { echo as GET, echo as POST, echo as PUT, echo as DELETE, echo as OPTIONS, echo as PATCH };
"""
WEBSOCKET = (
    "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13"
)
SLOW = """
let runs = 0;
export async function GET() {
  runs += 1;
  await new Promise((done) => setTimeout(done, 200));
  return new Response(`${runs}`);
}
"""
REPORT = "POST / HTTP/1.1\nHost: localhost\nFazt-Relay: - 0 report 0\nContent-Length: 2\n\n{}"
SPOOF = "GET /api/echo @one\nFazt-Relay: 192.0.2.1 1 https 443"
# What a client sends before it half-closes; \n stands for CR LF, @one for the version and the host of the site one.
SENT = {
    "a page": "GET / @one\n\n",
    "HEAD of a function": "HEAD /api/echo @one\n\nGET /api/echo @one\n\n",
    "HTTP/1.0": "GET /api/echo?a=1 HTTP/1.0\nHost: one.localhost\n\n",
    "HTTP/1.0 that stays": "GET /api/echo HTTP/1.0\nHost: one.localhost\nConnection: keep-alive\n\n",
    "a URL for a target": "GET http://two.localhost/api/echo?b @one\n\n",
    "a URL with a port": "GET http://two.localhost:81/api/echo @one:82\n\n",
    "a URL without a path": "GET http://two.localhost?x @one\n\n",
    "a URL and a WebSocket": f"GET http://two.localhost/_fazt/room/no @one\n{WEBSOCKET}\n\n",
    "an empty query": "GET /api/echo? @one\n\n",
    "bytes in a path": "GET /api/%65cho/../echo?%ff @one\n\n",
    "a star": "OPTIONS * @one\n\n",
    "a host in capitals": "GET /api/echo HTTP/1.1\nHost: ONE.localhost:80\n\n",
    "no host": "GET /api/echo HTTP/1.1\n\n",
    "two hosts": "GET /api/echo @one\nHost: two.localhost\n\n",
    "a field twice": "GET /api/echo @one\nX-A: 1\nX-A: 2\nCookie: a=1\nCookie: b=2\n\n",
    "a latin field": "GET /api/echo @one\nX-A: caf\xe9\n\n",
    "hop by hop": "GET /api/echo @one\nConnection: X-A\nX-A: 1\nTE: trailers\n\n",
    "a body": "POST /api/echo @one\nContent-Length: 5\n\nhello",
    "a body of nothing": "POST /api/echo @one\nContent-Length: 0\n\n",
    "a body in chunks": "POST /api/echo @one\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
    "trailers": "POST /api/echo @one\nTransfer-Encoding: chunked\nTrailer: X-A\n\n1\na\n0\nX-A: 1\n\n",
    "a body of a GET": "GET /api/echo @one\nContent-Length: 2\n\nhi",
    "a body that is awaited": "POST /api/echo @one\nExpect: 100-continue\nContent-Length: 2\n\nhi",
    "a body that nobody wants": (
        'POST /api/sites HTTP/1.1\nHost: dashboard.localhost\nExpect: 100-continue\nContent-Length: 9\n\n{"name":1'
    ),
    "a body that is awaited by a client of old": (
        "POST /api/echo HTTP/1.0\nHost: one.localhost\nExpect: 100-continue\nContent-Length: 2\n\nhi"
    ),
    "a length and chunks": "POST /api/echo @one\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
    "another upgrade": "POST /api/echo @one\nConnection: Upgrade\nUpgrade: h2c\nContent-Length: 2\n\nhi",
    "one behind the other": "POST /api/echo @one\nContent-Length: 1\n\naGET /api/echo @two\n\n",
    "a method of its own": "PURGE /api/echo @one\n\n",
    "a foreign host": "GET /api/echo HTTP/1.1\nHost: nobody.localhost\n\n",
    "the API of the wrong host": "GET /api/sites @one\n\n",
    "the API without a token": "POST /api/sites/one HTTP/1.1\nHost: dashboard.localhost\nContent-Length: 2\n\n{}",
    "a spoofed relay": f"{SPOOF}\n\n",
    "a relay that says it is a report": REPORT,
    "a WebSocket nobody has": f"GET /no @one\n{WEBSOCKET}\n\n",
    "a request behind a WebSocket nobody has": f"GET /no @one\n{WEBSOCKET}\n\n{REPORT}{SPOOF}\n\n",
    "a request behind a WebSocket of a function": f"GET /api/echo @one\n{WEBSOCKET}\n\n{REPORT}{SPOOF}\n\n",
    "a request behind a WebSocket of another version": (
        f"GET /_fazt/room/no @one\n{WEBSOCKET.replace('13', '12')}\n\n{REPORT}{SPOOF}\n\n"
    ),
    "a request behind a WebSocket with a relay": (
        f"GET /_fazt/room/no @one\nFazt-Relay: nonsense\n{WEBSOCKET}\n\n{REPORT}{SPOOF}\n\n"
    ),
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaztServer, FaztServer]]:
    """A server of one process and one of several, with the same two sites."""
    servers = []
    for name, workers in (("one", "1"), ("several", "2")):
        folder = tmp_path_factory.mktemp(name)
        server = FaztServer(folder / "data.db", free_port(), {}, ["--workers", workers]).start()
        servers.append(server)
        for site in ("one", "two"):
            (folder / site / "api").mkdir(parents=True)
            (folder / site / "index.html").write_text(site)
            (folder / site / "api" / "echo.js").write_text(ECHO)
            (folder / site / "api" / "slow.js").write_text(SLOW)
            server.cli("deploy", str(folder / site), "--site", site)
    yield servers[0], servers[1]
    for server in servers:
        assert "Traceback" not in server.stop()


def told(server: FaztServer, sent: str) -> bytes:
    """Return what a server answers, without what differs from moment to moment."""
    sent, answer = re.sub("@(one|two)", r"HTTP/1.1\nHost: \1.localhost", sent), b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent.replace("\n", "\r\n").encode("latin-1"))
        if "websocket" not in sent or "GET /no" in sent:  # what is refused there ends by itself
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(1 << 16):
            answer += piece
    answer = answer.replace(b":%d" % server.port, b":PORT")
    return re.sub(rb"(?i)(date|last-modified|fazt-request-id|etag): [^\r]*", rb"\1", answer)


def test_nobody_is_told_to_send_what_nobody_wants(pair: tuple[FaztServer, FaztServer]) -> None:
    for server in pair:
        for _ in range(3):
            assert told(server, SENT["a body that nobody wants"]).startswith(b"HTTP/1.1 401 ")
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                fields = b"Host: one.localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
                connection.sendall(b"POST /api/echo HTTP/1.1\r\n" + fields)
                assert connection.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
                connection.sendall(b"hi")
                assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name", SENT)
def test_several_answer_like_one(pair: tuple[FaztServer, FaztServer], name: str) -> None:
    one, several = pair
    for _ in range(3):  # whichever worker has it, on a connection to the core that is new or was kept
        assert told(several, SENT[name]) == told(one, SENT[name])


def test_what_a_client_left_behind_ran_once(pair: tuple[FaztServer, FaztServer]) -> None:
    _, several = pair
    for _ in range(4):
        several.get("/api/echo", host="two.localhost")  # each worker keeps a connection to the core
    before = int(several.get("/api/slow", host="two.localhost").body)
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", several.port)) as connection:
            connection.sendall(b"GET /api/slow HTTP/1.1\r\nHost: two.localhost\r\n\r\n")
            time.sleep(0.1)  # it runs
    assert int(several.get("/api/slow", host="two.localhost").body) == before + 5
