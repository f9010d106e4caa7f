"""HTTPS at the edge: which certificate is shown to whom, who is refused, and that answers are those of plain HTTP."""

import asyncio
import contextlib
import itertools
import logging
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop
from fake_edge import request
from made_certificates import make_certificate
from openssl_hello import openssl_hello

from fazt._speedups.pages import Clock, Page, Pages, Variant
from fazt._speedups.statistics import AccessRing
from fazt.edge.limits import Limits
from fazt.edge.listener import Edge
from fazt.edge.tls_listener import UNRECOGNIZED_NAME
from fazt.errors import StoreError

HOSTS = ("blog.example.org", "shop.example.org")
LARGE = bytes(range(256)) * 20_000
HSTS = b"Strict-Transport-Security: max-age=600\r\n"


class Server:
    """An edge that serves two hosts over TLS, and in plain HTTP."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.pages, self.clock, self.ring = Pages(1 << 24), Clock(), AccessRing()
        self.edge = Edge(
            self.resolve, self.app, pages=self.pages, clock=self.clock, ring=self.ring, limits=Limits(**limits)
        )
        self.contexts = {host: server_context(folder, host) for host in HOSTS}
        self.hellos: list[tuple[str, Sequence[bytes]]] = []
        self.scopes: list[Any] = []
        self.resolved = 0

    async def choose(self, host: str, protocols: Sequence[bytes]) -> ssl.SSLContext | None:
        if host == "broken.example.org":
            raise StoreError("The store is away.")
        self.hellos.append((host, protocols))
        return self.contexts.get(host)

    async def resolve(self, host: str, path: bytes, query: bytes) -> Page | None:
        if path.startswith(b"/api"):
            return None
        self.resolved += 1
        body = LARGE if path == b"/large" else b"home of " + host.encode()
        variant = Variant("", b'"tag"', len(body), body, None)
        site = self.pages.site(host)
        return Page(site, self.pages.generation, 200, [(b"Content-Type", b"text/plain")], [variant], keep=True)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def ask(self, host: str, data: bytes, *, named: str | None = None) -> bytes:
        """Return everything that a connection to `host` answers until its end."""
        return await asyncio.to_thread(self._ask, host, data, named or host)

    def _ask(self, host: str, data: bytes, named: str) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", self.edge.tls_port), timeout=5) as plain,
            client_context(named).wrap_socket(plain, server_hostname=host) as client,
        ):
            client.sendall(data)
            return read_all(client)

    async def send(self, data: bytes, *, slowly: bool = False, half: bool = False) -> bytes:
        """Return what the TLS port answers to bytes that are sent as they are."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.edge.tls_port)
        for piece in [data[at : at + 1] for at in range(len(data))] if slowly else [data]:
            writer.write(piece)
            await asyncio.sleep(0.001 if slowly else 0)
        if half:
            writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


def read_all(client: socket.socket) -> bytes:
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            data += piece
    return bytes(data)


def server_context(folder: Path, host: str) -> ssl.SSLContext:
    chain, key = make_certificate(host)
    (folder / "chain").write_bytes(chain)
    (folder / "key").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain", folder / "key")
    context.set_alpn_protocols(["http/1.1", "acme-tls/1"])
    return context


def client_context(host: str, protocol: str = "http/1.1") -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=make_certificate(host)[0].decode())
    context.set_alpn_protocols([protocol])
    return context


@contextlib.asynccontextmanager
async def serving(folder: Path, **limits: Any) -> AsyncIterator[Server]:
    server = Server(folder, **limits)
    try:
        await server.edge.listen_tcp("127.0.0.1", 0)
        await server.edge.listen_tls("127.0.0.1", 0, server.choose)
        yield server
    finally:
        await server.edge.stop(0)
        assert server.edge.connections == 0


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    uvloop.run(asyncio.wait_for(scenario(), 30))


def get(path: str, host: str = HOSTS[0]) -> bytes:
    return request(path, "Connection: close", host=host)


def test_each_host_is_shown_its_own_certificate(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            for host in HOSTS:
                assert (await server.ask(host, get("/", host))).endswith(b"home of " + host.encode())
            with pytest.raises(ssl.SSLCertVerificationError):
                await server.ask(HOSTS[0], get("/"), named=HOSTS[1])

    run(scenario)


@pytest.mark.parametrize("host", ["other.example.org", None, "example.org"])
def test_a_name_without_a_certificate_is_refused(tmp_path: Path, host: str | None) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            assert await server.send(openssl_hello(host)) == UNRECOGNIZED_NAME
            assert server.hellos == [(host or "", ())]

    run(scenario)


def test_a_connection_for_one_host_asks_for_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            first, second = HOSTS
            await server.ask(second, get("/", second))  # its page is in memory now
            data = request("/", host=first) + request("/", host=second) + get("/api", second)
            answers = await server.ask(first, data)
            assert answers.count(b"HTTP/1.1 421 Misdirected Request") == 2
            assert answers.count(b"home of") == 1
            assert not server.scopes

    run(scenario)


def test_answers_are_those_of_plain_http_and_ask_to_stay(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            server.edge.secure(None, 600)
            host = HOSTS[0]
            for path, method in [("/", "GET"), ("/", "HEAD"), ("/large", "GET"), ("/api/x", "GET"), ("/", "POST")]:
                data = request(path, "Connection: close", host=host, method=method)
                again = request(path, host=host, method=method) + data  # the second time from memory
                reader, writer = await asyncio.open_connection("127.0.0.1", server.edge.port)
                writer.write(again)
                plain = await reader.read()
                writer.close()
                secure = await server.ask(host, again)
                assert secure.replace(HSTS, b"") == plain
                assert HSTS not in plain
                assert secure.count(HSTS) == 2

    run(scenario)


def test_pages_in_memory_are_not_resolved_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            for _ in range(5):
                answers = await server.ask(HOSTS[0], request("/", host=HOSTS[0]) * 9 + get("/"))
                assert answers.count(b"home of") == 10
            assert server.resolved == 1

    run(scenario)


def test_the_application_knows_that_it_is_https(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            await server.ask(HOSTS[0], get("/api/x"))
            (scope,) = server.scopes
            assert (scope["scheme"], scope["server"]) == ("https", (HOSTS[0], server.edge.tls_port))
            assert scope["client"][0] == "127.0.0.1"

    run(scenario)


def test_plain_http_is_sent_to_https_where_there_is_any(tmp_path: Path) -> None:
    async def to_https(host: str, path: bytes, query: bytes) -> bytes | None:
        return b"https://" + host.encode() + path + b"?" + query if host == HOSTS[0] else None

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            await server.ask(HOSTS[0], get("/"))
            server.edge.secure(to_https, 0)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.edge.port)
            writer.write(request("/a%20b?c=d", host=HOSTS[0]) + request("/", host=HOSTS[0]) + get("/", HOSTS[1]))
            answers = await reader.read()
            assert answers.count(b"HTTP/1.1 308 Permanent Redirect") == 2
            assert b"\r\nLocation: https://blog.example.org/a%20b?c=d\r\n" in answers
            assert answers.endswith(b"home of shop.example.org")
            writer.close()

    run(scenario)


def test_a_hello_may_come_in_pieces(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            assert await server.send(openssl_hello("other.example.org"), slowly=True) == UNRECOGNIZED_NAME

    run(scenario)


def test_waiting_for_the_rest_of_a_hello_takes_no_time_of_the_processor(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.edge.tls_port)
            writer.write(openssl_hello(HOSTS[0])[:-1])
            before = time.process_time()
            await asyncio.sleep(0.5)
            assert time.process_time() - before < 0.25
            writer.close()

    run(scenario)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(9), b"\x00" * 10])
def test_what_is_no_tls_is_told_so(tmp_path: Path, data: bytes) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            answer = await server.send(data)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ")
            assert b"Content-Length: %d\r\n" % len(body) in head

    run(scenario)


def test_whoever_says_nothing_is_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, header_timeout_s=0.2) as server:
            assert await server.send(b"") == b""
            assert await server.send(openssl_hello(HOSTS[0])[:40]) == b""
            assert await server.send(openssl_hello(HOSTS[0])[:40], half=True) == b""
            answered = await server.send(openssl_hello(HOSTS[0]))  # and then no more
            assert answered.startswith(b"\x16\x03")

    run(scenario)


def test_there_are_no_more_handshakes_than_connections_may_be(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, max_connections=2) as server:
            open_now = [await asyncio.open_connection("127.0.0.1", server.edge.tls_port) for _ in range(2)]
            await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.edge.tls_port)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            for _, each in [*open_now, (reader, writer)]:
                each.close()

    run(scenario)


def test_clients_that_leave_fill_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            first = openssl_hello(HOSTS[0])
            for data, how in itertools.product(
                (first, first + b"\x14\x03\x03\x00\x01\x01", first + b"nonsense"), "cfr"
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.edge.tls_port)
                writer.write(data)
                await asyncio.wait_for(reader.read(1000), 5)
                if how == "f":
                    writer.write_eof()
                elif how == "r":
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.close()
                await asyncio.sleep(0.02)
            with pytest.raises(ssl.SSLCertVerificationError):
                await server.ask(HOSTS[0], get("/"), named=HOSTS[1])
            await asyncio.sleep(0.02)

    with caplog.at_level(logging.INFO):
        run(scenario)
    assert not caplog.records


def test_a_store_that_fails_is_said_in_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            assert await server.send(openssl_hello("broken.example.org")) == b""
            await asyncio.sleep(0.02)

    run(scenario)
    (said,) = caplog.records
    assert (said.getMessage(), said.exc_info) == ("a TLS connection could not be begun: The store is away.", None)


def test_a_challenge_ends_behind_its_handshake(tmp_path: Path) -> None:
    def challenge(port: int) -> tuple[str | None, bytes]:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            client_context(HOSTS[0], "acme-tls/1").wrap_socket(plain, server_hostname=HOSTS[0]) as client,
        ):
            return client.selected_alpn_protocol(), read_all(client)

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            assert await asyncio.to_thread(challenge, server.edge.tls_port) == ("acme-tls/1", b"")
            assert server.hellos == [(HOSTS[0], (b"acme-tls/1",))]
            assert server.edge.connections == 0

    run(scenario)


def test_a_stop_lets_handshakes_finish(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as server:
            asking = [asyncio.create_task(server.ask(HOSTS[0], get("/"))) for _ in range(20)]
            while len(server.hellos) < 20:
                await asyncio.sleep(0.001)
            await server.edge.stop(5)
            assert all(answer.endswith(HOSTS[0].encode()) for answer in await asyncio.gather(*asking))

    run(scenario)
