"""What proves a host to an authority: shown for its host alone, and not a moment longer."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from fazt.acme.challenge_app import challenge_app, resolve_unless_challenge
from fazt.acme.proofs import ALPN_EXTENSION, CHALLENGES, Proofs
from fazt.acme.showing import DnsChoice, Showing
from fazt.errors import OrderFailed

HOST = "blog.example.org"


def ask(proofs: Proofs, host: str, path: str) -> bytes | None:
    """Return what the application answers, None where it leaves that to another one."""
    sent: list[Any] = []

    async def otherwise(scope: Any, receive: Any, send: Any) -> None:
        sent.clear()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "extensions": {"fazt": {"host": host}}}
    asyncio.run(challenge_app(proofs, otherwise)(scope, None, send))  # type: ignore[arg-type]
    if not sent:
        return None
    head, body = sent
    assert head["status"] == 200
    assert dict(head["headers"])[b"content-length"] == b"%d" % len(body["body"])
    return bytes(body["body"])


def resolve(proofs: Proofs, host: str, path: bytes) -> bool:
    """Tell whether the pages of sites are asked."""
    asked: list[bytes] = []

    async def pages(host: str, path: bytes, query: bytes) -> None:
        asked.append(path)

    asyncio.run(resolve_unless_challenge(proofs, pages)(host, path, b""))
    return bool(asked)


def test_a_token_is_answered_for_its_host_while_it_is_shown(tmp_path: Path) -> None:
    proofs = Proofs()
    show = Showing(proofs, tmp_path).show(DnsChoice())
    path = f"{CHALLENGES}token"
    with show("http-01", HOST, "token", "token.thumb"):
        assert ask(proofs, HOST, path) == b"token.thumb"
        assert ask(proofs, "other.example.org", path) is None
        for other in (f"{CHALLENGES}other", CHALLENGES, "/token", f"{path}/", f"{CHALLENGES}../token"):
            assert ask(proofs, HOST, other) is None
        assert not resolve(proofs, HOST, path.encode())
        assert resolve(proofs, "other.example.org", path.encode())
        assert resolve(proofs, HOST, b"/index.html")
        assert proofs.find_certificate(HOST) is None
    assert ask(proofs, HOST, path) is None
    assert resolve(proofs, HOST, path.encode())


def test_a_certificate_is_shown_for_its_host(tmp_path: Path) -> None:
    proofs = Proofs()
    show = Showing(proofs, tmp_path).show(DnsChoice())
    with show("tls-alpn-01", HOST, "token", "token.thumb"):
        found = proofs.find_certificate(HOST)
        assert found is not None
        made = x509.load_pem_x509_certificate(found[0])
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [HOST]
        extension = made.extensions.get_extension_for_oid(x509.ObjectIdentifier(ALPN_EXTENSION))
        assert extension.critical
        assert isinstance(extension.value, x509.UnrecognizedExtension)
        assert extension.value.value == b"\x04\x20" + hashlib.sha256(b"token.thumb").digest()
        assert proofs.find_certificate("other.example.org") is None
    assert proofs.find_certificate(HOST) is None


def test_what_fails_in_between_is_hidden_too(tmp_path: Path) -> None:
    proofs = Proofs()
    with pytest.raises(RuntimeError), Showing(proofs, tmp_path).show(DnsChoice())("http-01", HOST, "t", "t.x"):
        raise RuntimeError
    assert ask(proofs, HOST, f"{CHALLENGES}t") is None


def test_a_record_that_a_person_sets_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[Any] = []
    monkeypatch.setattr("fazt.acme.dns.zone.wait_until_shown", lambda *about, **how: waited.append((about, how)))
    showing = Showing(Proofs(), tmp_path)
    value = "pXUJkCBYrCw0PnBRXkGOQwKfVUGeQBDBNUxRxpO1ZXY"
    with showing.show(DnsChoice("manual"))("dns-01", HOST, "token", "token.thumb"):
        ((name, told),) = showing.records.items()
        assert (name, len(told)) == (f"_acme-challenge.{HOST}", len(value))
        assert waited == [((name, told), {"patient": True})]
    assert showing.records == {}


def test_names_without_an_address_are_not_ordered(tmp_path: Path) -> None:
    showing = Showing(Proofs(), tmp_path)
    asyncio.run(showing.check_addresses(["localhost"]))
    with pytest.raises(OrderFailed, match=r"nothing\.invalid has no address"):
        asyncio.run(showing.check_addresses(["*.nothing.invalid"]))
