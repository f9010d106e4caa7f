"""Certificates by themselves: a real server, and Pebble as its authority."""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pebble
import pytest
from loopback import Answer, FaztServer, send
from pebble import Pebble

DOMAIN = "fazt.example"
WAIT_S = 40


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Pebble]:
    with pebble.running(tmp_path) as running:
        yield running


@dataclass
class Secure:
    """A server that orders from an authority."""

    server: FaztServer
    authority: Pebble

    def get(self, host: str, path: str = "/") -> Answer:
        context = ssl.create_default_context(cadata=self.authority.root())
        connection = http.client.HTTPConnection("127.0.0.1", timeout=10)
        with socket.create_connection(("127.0.0.1", self.authority.tls_port), timeout=10) as plain:
            connection.sock = context.wrap_socket(plain, server_hostname=host)
            try:
                return send(connection, path, host=host)
            finally:
                connection.close()

    def wait_for(self, host: str) -> Answer:
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                return self.get(host)
            except ssl.SSLError:
                assert time.monotonic() < deadline, self.server.cli("cert", "status").stdout
                time.sleep(0.2)

    def orders(self) -> dict[str, dict[str, object]]:
        items = orjson.loads(self.server.cli("cert", "status", "--json").stdout)["items"]
        return {item["names"][0]: item for item in items}


@pytest.fixture
def make_server(authority: Pebble, tmp_path: Path) -> Iterator[Callable[..., Secure]]:
    started: list[FaztServer] = []

    def make(**environment: str) -> Secure:
        settings = {"FAZT_ACME_DIRECTORY": authority.directory, "FAZT_ACME_CA_FILE": str(authority.ca_file)}
        flags = ["--domain", DOMAIN, "--https", f"127.0.0.1:{authority.tls_port}"]
        server = FaztServer(tmp_path / "data.db", authority.http_port, settings | environment, flags)
        started.append(server)
        return Secure(server.start(), authority)

    yield make
    for server in started:
        if server.process is not None and server.process.poll() is None:
            assert "Traceback" not in server.stop()


def deploy(secure: Secure, folder: Path, site: str) -> None:
    (folder / site).mkdir()
    (folder / site / "index.html").write_text(f"the {site}")
    secure.server.cli("deploy", str(folder / site), "--site", site)


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
def test_hosts_get_certificates_when_they_appear(make_server: Callable[..., Secure], tmp_path: Path, kind: str) -> None:
    secure = make_server(FAZT_ACME_CHALLENGE=kind)
    assert secure.wait_for(DOMAIN).status == 200
    assert secure.wait_for(f"dashboard.{DOMAIN}").status == 200
    deploy(secure, tmp_path, "blog")
    assert secure.wait_for(f"blog.{DOMAIN}").body == b"the blog"
    secure.server.cli("domains", "add", "blog", "blog.example.net")
    assert secure.wait_for("blog.example.net").body == b"the blog"
    with pytest.raises(ssl.SSLError):
        secure.get(f"shop.{DOMAIN}")
    orders = secure.orders()
    platform = {DOMAIN} | {f"{name}.{DOMAIN}" for name in ("www", "admin", "dashboard", "dav")}
    assert orders.keys() == platform | {f"blog.{DOMAIN}", "blog.example.net"}
    assert {order["state"] for order in orders.values()} == {"valid"}
    moved = secure.server.get("/", host=f"blog.{DOMAIN}")
    assert (moved.status, moved.header("Location")) == (308, f"https://blog.{DOMAIN}:{secure.authority.tls_port}/")


def test_a_certificate_is_renewed_and_kept_over_a_restart(make_server: Callable[..., Secure]) -> None:
    secure = make_server()
    secure.wait_for(DOMAIN)
    first = shown(secure, DOMAIN)
    secure.server.cli("cert", "order", DOMAIN, "--renew")
    deadline = time.monotonic() + WAIT_S
    while shown(secure, DOMAIN) == first:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    second = shown(secure, DOMAIN)
    secure.server.stop()
    secure.server.start()
    assert shown(secure, DOMAIN) == second


def shown(secure: Secure, host: str) -> bytes:
    """Return the certificate that a host is shown."""
    context = ssl.create_default_context(cadata=secure.authority.root())
    with (
        socket.create_connection(("127.0.0.1", secure.authority.tls_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as client,
    ):
        found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


def test_what_cannot_be_proven_waits_and_says_why(make_server: Callable[..., Secure]) -> None:
    secure = make_server()
    secure.wait_for(DOMAIN)
    secure.server.cli("sites", "create", "blog")
    secure.authority.tell_dns("add-a", host=f"shop.{DOMAIN}.", addresses=["127.0.0.99"])  # nobody answers there
    secure.server.cli("sites", "create", "shop")
    secure.wait_for(f"blog.{DOMAIN}")
    deadline = time.monotonic() + WAIT_S
    while (order := secure.orders()[f"shop.{DOMAIN}"])["state"] != "failed":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert order["failures"] == 1
    assert "127.0.0.99" in str(order["error"])
    with pytest.raises(ssl.SSLError):
        secure.get(f"shop.{DOMAIN}")
    secure.authority.tell_dns("clear-a", host=f"shop.{DOMAIN}.")
    secure.server.cli("cert", "order", f"shop.{DOMAIN}")
    assert secure.wait_for(f"shop.{DOMAIN}").status == 404
