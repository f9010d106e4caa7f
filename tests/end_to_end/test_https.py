"""HTTPS of a real server: certificates brought by the CLI, hosts without one, plain HTTP that is sent on."""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from loopback import Answer, FaztServer, free_port, send
from made_certificates import make_certificate

DOMAIN = "example.org"
NAMES = ("blog.example.org", "dashboard.example.org")
REFUSED = r"(?i)unrecognized.name"
FUNCTION = """
export async function GET(request, { fazt }) {
  const answer = await fetch(new URL("/", request.url));
  return Response.json({ url: request.url, status: answer.status, text: await answer.text() });
}
"""


@dataclass
class Secure:
    """A server with a blog, and its port of HTTPS."""

    server: FaztServer
    port: int
    folder: Path

    def bring(self, *names: str) -> str:
        chain, key = make_certificate(*names)
        (self.folder / "chain.pem").write_bytes(chain)
        (self.folder / "key.pem").write_bytes(key)
        return self.server.cli("cert", "add", str(self.folder / "chain.pem"), str(self.folder / "key.pem")).stdout

    def get(self, path: str, host: str, *, trusted: tuple[str, ...] = NAMES, asked: str = "") -> Answer:
        context = ssl.create_default_context(cadata=make_certificate(*trusted)[0].decode())
        connection = http.client.HTTPConnection("127.0.0.1", timeout=10)
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            connection.sock = context.wrap_socket(plain, server_hostname=host)
            try:
                return send(connection, path, host=asked or host)
            finally:
                connection.close()


@pytest.fixture
def secure(start_server: Callable[..., FaztServer], tmp_path: Path) -> Iterator[Secure]:
    port = free_port()
    server = start_server(flags=["--domain", DOMAIN, "--https", f"127.0.0.1:{port}"])
    blog = tmp_path / "blog"
    (blog / "api").mkdir(parents=True)
    (blog / "index.html").write_text("the blog")
    (blog / "api" / "self.js").write_text(FUNCTION)
    server.cli("deploy", str(blog), "--site", "blog")
    yield Secure(server, port, tmp_path)
    assert "Traceback" not in server.stop()


def test_a_certificate_is_brought_and_answered_with_at_once(secure: Secure) -> None:
    with pytest.raises(ssl.SSLError, match=REFUSED):
        secure.get("/", NAMES[0])
    assert secure.server.get("/", host=NAMES[0]).body == b"the blog"  # nothing else is there to send it to
    assert "blog.example.org" in secure.bring(*NAMES)
    for _ in range(2):  # from the database, then from memory
        answer = secure.get("/", NAMES[0])
        assert (answer.status, answer.body) == (200, b"the blog")
        assert answer.header("Strict-Transport-Security") == "max-age=604800"
    with pytest.raises(ssl.SSLError, match=REFUSED):
        secure.get("/", "shop.example.org")
    assert secure.get("/", NAMES[0], asked="shop.example.org").status == 421
    (listed,) = orjson.loads(secure.server.cli("cert", "list", "--json").stdout)["items"]
    secure.server.cli("cert", "remove", str(listed["number"]))
    with pytest.raises(ssl.SSLError, match=REFUSED):
        secure.get("/", NAMES[0])


def test_plain_http_is_sent_on_as_the_settings_say(secure: Secure) -> None:
    secure.bring(*NAMES)
    sent = secure.server.get("/a?b=c", host=NAMES[0])
    assert (sent.status, sent.header("Location")) == (308, f"https://blog.example.org:{secure.port}/a?b=c")
    assert sent.header("Strict-Transport-Security") is None
    assert secure.server.get("/", host="shop.example.org").status == 404
    secure.server.cli("config", "set", "https_redirect", "no")
    secure.server.cli("config", "set", "hsts_s", "0")
    assert secure.server.get("/", host=NAMES[0]).body == b"the blog"
    assert secure.get("/", NAMES[0]).header("Strict-Transport-Security") is None


def test_a_function_fetches_its_own_site(secure: Secure) -> None:
    secure.bring(*NAMES)
    found = orjson.loads(secure.get("/api/self", NAMES[0]).body)
    assert found == {"url": f"https://blog.example.org:{secure.port}/api/self", "status": 200, "text": "the blog"}


def test_a_session_is_kept_by_https(secure: Secure) -> None:
    secure.bring(*NAMES)
    answer = secure.get("/api/session", NAMES[1])
    assert answer.status == 200
    assert orjson.loads(answer.body)["state"] == "setup"


def test_a_taken_port_is_told(secure: Secure) -> None:
    database = secure.folder / "other.db"
    taken = f"127.0.0.1:{secure.port}"
    done = secure.server.cli(
        "serve", "--http", f"127.0.0.1:{free_port()}", "--https", taken, "--db", str(database), check=False
    )
    assert done.returncode == 1
    assert f"{taken} is already in use" in done.stderr
    assert "--https" in done.stderr
