"""Who writes DNS records: a program, DNS updates, and two APIs; against real programs and servers on loopback."""

import base64
import contextlib
import http.server
import json
import os
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import dns.tsig
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.acme.dns import program, zone
from fazt.acme.dns.program import ProgramWriter
from fazt.acme.dns.update import UpdateWriter, read_key, split_server
from fazt.acme.dns.web import CloudflareWriter, DigitalOceanWriter
from fazt.errors import OrderFailed

NAME = "_acme-challenge.example.org"
SECRET = base64.b64encode(b"a secret of 32 bytes for a test!").decode()
KEY = f"fazt:hmac-sha256:{SECRET}"

# A program


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def test_a_program_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAZT_ACME_DNS_TOKEN", "secret")
    said = tmp_path / "said"
    writer = ProgramWriter(script(tmp_path / "data.db.dns", f'echo "$@" >> {said}; env >> {said}.env'))
    written = writer.write(NAME, "a value; $(id)")
    writer.remove(written)
    assert said.read_text().splitlines() == [f"present {NAME} a value; $(id)", f"cleanup {NAME} a value; $(id)"]
    assert "secret" not in (tmp_path / "said.env").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo no such zone >&2; exit 3", r"failed \(3\): no such zone"),
        ("exit 1", "said nothing"),
        ("sleep 9", "longer"),
    ],
)
def test_what_a_program_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    monkeypatch.setattr(program, "TIMEOUT_S", 1)
    writer = ProgramWriter(script(tmp_path / "data.db.dns", text))
    with pytest.raises(OrderFailed, match=words):
        writer.write(NAME, "value")
    writer.remove((NAME, "value"))  # harms nobody


def test_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    path = tmp_path / "data.db.dns"
    with pytest.raises(OrderFailed, match="cannot be found"):
        ProgramWriter(path)
    script(path, "true").chmod(0o600)
    with pytest.raises(OrderFailed, match=r"chmod u\+x"):
        ProgramWriter(path)
    path.chmod(0o722)
    with pytest.raises(OrderFailed, match="chmod go-w"):
        ProgramWriter(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(OrderFailed, match="no program"):
        ProgramWriter(path)
    if os.geteuid() == 0:
        path.rmdir()
        os.chown(script(path, "true"), 65534, 65534)
        with pytest.raises(OrderFailed, match="Others may change"):
            ProgramWriter(path)


# DNS updates


class DnsServer:
    """A server for one zone that takes signed updates, over TCP and UDP."""

    def __init__(self) -> None:
        self.records: dict[str, set[str]] = {}
        self.keyring = {dns.name.from_text("fazt"): dns.tsig.Key("fazt", SECRET, "hmac-sha256")}
        self.code = dns.rcode.NOERROR

    def answer(self, wire: bytes) -> bytes:
        try:
            asked = dns.message.from_wire(wire, keyring=self.keyring)
        except (dns.tsig.BadSignature, dns.message.UnknownTSIGKey):
            refused = dns.message.make_response(dns.message.from_wire(wire, ignore_trailing=True, keyring=False))  # type: ignore[arg-type]
            refused.set_rcode(dns.rcode.NOTAUTH)
            return refused.to_wire()
        reply = dns.message.make_response(asked)
        reply.set_rcode(self.code)
        if isinstance(asked, dns.update.UpdateMessage):
            if not asked.had_tsig:
                reply.set_rcode(dns.rcode.REFUSED)
            elif self.code == dns.rcode.NOERROR:
                self._change(asked)
        else:
            question = asked.question[0]
            name = question.name.to_text().rstrip(".")
            if question.rdtype == dns.rdatatype.TXT:
                values = sorted(self.records.get(name, ()))
                if values:
                    reply.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", "TXT", values))
            reply.flags |= dns.flags.AA
        return reply.to_wire()

    def _change(self, asked: dns.update.UpdateMessage) -> None:
        for rrset in asked.update:
            name = rrset.name.to_text().rstrip(".")
            for record in rrset:
                value = record.to_text()
                if rrset.deleting is None:
                    self.records.setdefault(name, set()).add(value)
                else:
                    self.records.get(name, set()).discard(value)


@pytest.fixture
def server() -> Iterator[tuple[DnsServer, int]]:
    names = DnsServer()

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            length = int.from_bytes(self.request.recv(2))
            answer = names.answer(self.request.recv(length))
            self.request.sendall(len(answer).to_bytes(2) + answer)

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, connection = self.request
            connection.sendto(names.answer(data), self.client_address)

    with socketserver.TCPServer(("127.0.0.1", 0), Tcp) as tcp:
        port = tcp.server_address[1]
        with socketserver.UDPServer(("127.0.0.1", port), Udp) as udp:
            for each in (tcp, udp):
                threading.Thread(target=each.serve_forever, args=(0.01,), daemon=True).start()
            yield names, port
            tcp.shutdown()
            udp.shutdown()


def test_records_are_updated(server: tuple[DnsServer, int]) -> None:
    names, port = server
    writer = UpdateWriter(f"127.0.0.1:{port}", KEY, "example.org")
    first, second = writer.write(NAME, "one"), writer.write(NAME, "two")
    assert names.records == {NAME: {'"one"', '"two"'}}
    writer.remove(first)
    assert names.records == {NAME: {'"two"'}}
    writer.remove(second)
    assert names.records == {NAME: set()}


def test_a_refused_update_is_told(server: tuple[DnsServer, int]) -> None:
    names, port = server
    names.code = dns.rcode.NOTZONE
    writer = UpdateWriter(f"127.0.0.1:{port}", KEY, "example.org")
    with pytest.raises(OrderFailed, match=r"refuses a record in example\.org: NOTZONE"):
        writer.write(NAME, "one")
    writer.remove((NAME, "one"))
    names.code = dns.rcode.NOERROR
    wrong = UpdateWriter(f"127.0.0.1:{port}", KEY.replace(SECRET, "bm8="), "example.org")
    with pytest.raises(OrderFailed):
        wrong.write(NAME, "one")
    assert not names.records.get(NAME)


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(OrderFailed, match="does not do"):
        UpdateWriter("127.0.0.1:1", KEY, "example.org").write(NAME, "one")
    with pytest.raises(OrderFailed, match="cannot be found"):
        UpdateWriter("nothing.invalid", KEY)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ns1.example.org", ("ns1.example.org", 53)),
        ("ns1:5353", ("ns1", 5353)),
        ("[::1]:54", ("::1", 54)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
    ],
)
def test_servers(text: str, found: tuple[str, int]) -> None:
    assert split_server(text) == found


@pytest.mark.parametrize("text", ["", ":53", "ns1:", "ns1:0", "ns1:65536", "ns1:x", "[]:1"])
def test_servers_that_are_none(text: str) -> None:
    with pytest.raises(OrderFailed, match="HOST or HOST:PORT"):
        split_server(text)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_none(text: str) -> None:
    for each in (text, f"fazt:hmac-sha256:{text}", f"fazt:{text}:{SECRET}", f"{text}:hmac-sha256:{SECRET}"):
        with contextlib.suppress(OrderFailed):
            assert read_key(each).secret


# The DNS as others see it


def test_a_record_is_waited_for(server: tuple[DnsServer, int], monkeypatch: pytest.MonkeyPatch) -> None:
    names, port = server
    monkeypatch.setattr(zone, "PORT", port)
    monkeypatch.setattr(zone, "PAUSE_S", 0.02)
    monkeypatch.setattr(zone, "_servers", lambda name: ["127.0.0.1"])
    threading.Timer(0.2, lambda: names.records.update({NAME: {'"value"'}})).start()
    zone.wait_until_shown(NAME, "value", patient=False)
    assert names.records
    monkeypatch.setattr(zone, "WAIT_S", 0.1)
    with pytest.raises(OrderFailed, match="does not show the TXT record"):
        zone.wait_until_shown(NAME, "other", patient=False)


def test_where_the_dns_cannot_be_asked_a_while_is_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(zone.time, "sleep", waited.append)

    def fail(name: object, *more: object) -> None:
        raise dns.resolver.NoNameservers

    monkeypatch.setattr(dns.resolver, "zone_for_name", fail)
    zone.wait_until_shown(NAME, "value", patient=False)
    assert waited == [zone.BLIND_S]
    with pytest.raises(OrderFailed, match="zone of"):
        zone.find_zone(NAME)


# APIs over HTTP


class Api(http.server.BaseHTTPRequestHandler):
    """Both providers: what they keep, and who may ask."""

    kept: dict[str, Any]
    asked: list[str]

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self) -> None:
        self._answer(None)

    def _answer(self, body: Any) -> None:
        self.asked.append(f"{self.command} {self.path}")
        if self.headers["Authorization"] != "Bearer right":
            self._send(403, {"success": False, "errors": [{"message": "Invalid\naccess token"}], "message": "no"})
        elif self.command == "DELETE":
            self.kept.pop(self.path.rpartition("/")[2])
            self._send(204, None)
        elif self.command == "POST":
            self.kept["7"] = body
            self._send(200, {"result": {"id": "7"}, "domain_record": {"id": 7}})
        elif self.path.startswith("/zones?"):
            self._send(200, {"result": [{"id": "z1"}] if self.path == "/zones?name=example.org" else []})
        else:
            self._send(200, {"domains": [{"name": "org.example"}, {"name": "example.org"}, {"name": "ample.org"}]})

    def _send(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[tuple[type[Api], str]]:
    handler = type("Handler", (Api,), {"kept": {}, "asked": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield handler, f"http://127.0.0.1:{made.server_address[1]}"
        made.shutdown()


def test_cloudflare(api: tuple[type[Api], str]) -> None:
    handler, base = api
    writer = CloudflareWriter("right", base)
    written = writer.write("_acme-challenge.deep.example.org", "value")
    record = {"type": "TXT", "name": "_acme-challenge.deep.example.org", "content": "value", "ttl": 60}
    assert handler.kept == {"7": record}
    writer.remove(written)
    assert handler.kept == {}
    assert handler.asked[-2:] == ["POST /zones/z1/dns_records", "DELETE /zones/z1/dns_records/7"]
    with pytest.raises(OrderFailed, match=r"no zone for _acme-challenge\.example\.com"):
        writer.write("_acme-challenge.example.com", "value")


def test_digitalocean(api: tuple[type[Api], str]) -> None:
    handler, base = api
    writer = DigitalOceanWriter("right", base)
    written = writer.write("_acme-challenge.deep.example.org", "value")
    assert handler.kept == {"7": {"type": "TXT", "name": "_acme-challenge.deep", "data": "value", "ttl": 60}}
    writer.remove(written)
    assert handler.kept == {}
    with pytest.raises(OrderFailed, match=r"no domain for _acme-challenge\.example\.com"):
        writer.write("_acme-challenge.example.com", "value")


@pytest.mark.parametrize("kind", [CloudflareWriter, DigitalOceanWriter])
def test_what_an_api_says_is_told_and_its_token_is_not(api: tuple[type[Api], str], kind: Any) -> None:
    with pytest.raises(OrderFailed, match="answers 403: Invalid access token; no") as problem:
        kind("wrong-token", api[1]).write(NAME, "value")
    assert "wrong-token" not in problem.value.message
    with pytest.raises(OrderFailed, match="cannot be asked: ConnectionError"):
        kind("right", "http://127.0.0.1:1").write(NAME, "value")
    with pytest.raises(OrderFailed, match="acme_dns_token"):
        kind("")
    kind("right", "http://127.0.0.1:1").remove("/x")  # harms nobody
