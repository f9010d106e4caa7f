"""Which certificate a host is shown, and that a change counts for the next connection."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from made_certificates import make_certificate

from fazt.store import certificates, key_file, sealing
from fazt.store.certificates import Source
from fazt.store.database import Database
from fazt.tls import contexts
from fazt.tls.certificate import read_certificate
from fazt.tls.contexts import Contexts

HOST = "blog.example.org"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "data.db")
    yield opened
    opened.close()


def add(database: Database, *names: str, days: int = 30, source: Source = "uploaded") -> int:
    new = read_certificate(*make_certificate(*names, days=days))
    return database.write_blocking(certificates.add, new, source).number


def shown(context: ssl.SSLContext | None) -> list[str] | None:
    """Return the names of the certificate that a connection is begun with, as a client sees it."""
    if context is None:
        return None
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    client = trusting.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server) * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    encoded = client.getpeercert(binary_form=True)
    assert encoded is not None
    found = x509.load_der_x509_certificate(encoded).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.DNSName)


def ask(database: Database, *hosts: str) -> list[list[str] | None]:
    async def scenario() -> list[list[str] | None]:
        found = Contexts(database, lambda host: f"https://{host}/")
        return [shown(await found.choose(host, [])) for host in hosts]

    return asyncio.run(scenario())


def test_a_host_is_shown_its_own_or_a_wildcard(database: Database) -> None:
    add(database, HOST)
    add(database, "*.example.net", "example.net")
    asked = ask(database, HOST, "a.example.net", "example.net", "a.b.example.net", "example.org", "net", "")
    assert asked == [[HOST], wild := ["*.example.net", "example.net"], wild, None, None, None, None]


def test_an_own_certificate_comes_first_unless_it_has_expired(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, HOST, days=10)
    add(database, HOST, "long.example.org", days=40, source="acme")
    add(database, "*.example.org", days=60, source="acme")
    assert ask(database, HOST) == [[HOST]]
    now = contexts.now_ms()
    for days, wanted in [(20, "long.example.org"), (50, "*.example.org"), (99, HOST)]:
        monkeypatch.setattr(contexts, "now_ms", lambda days=days: now + days * 86_400_000)
        found = ask(database, HOST)[0]
        assert found is not None
        assert wanted in found


def test_what_changes_counts_for_the_next_connection(database: Database) -> None:
    async def scenario() -> None:
        found = Contexts(database, lambda host: f"https://{host}/")
        assert await found.choose(HOST, []) is None
        assert await found.choose("", []) is None
        number = await asyncio.to_thread(add, database, "*.example.org")
        assert shown(first := await found.choose(HOST, [])) == ["*.example.org"]
        assert await found.choose("other.example.org", []) is first
        await asyncio.to_thread(add, database, HOST)
        assert shown(await found.choose(HOST, [])) == [HOST]
        await asyncio.to_thread(database.write_blocking, certificates.remove, number)
        assert await found.choose("other.example.org", []) is None

    asyncio.run(scenario())


def test_what_is_known_is_not_looked_up_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add(database, HOST)
    read: Any = database.read
    reads: list[Any] = []

    async def counting(function: Any, *args: Any) -> Any:
        reads.append(function)
        return await read(function, *args)

    async def scenario() -> None:
        monkeypatch.setattr(database, "read", counting)
        found = Contexts(database, lambda host: f"https://{host}/")
        for _ in range(3):
            await found.choose(HOST, [])
            await found.choose("other.example.org", [])
        assert reads == [certificates.find_for, certificates.get_pem, certificates.find_for]
        now = contexts.now_ms()
        monkeypatch.setattr(contexts, "now_ms", lambda: now + contexts.KNOWN_MS + 1)
        await found.choose(HOST, [])
        assert len(reads) == 4
        monkeypatch.setattr(contexts, "now_ms", lambda: now - 30 * 86_400_000)  # the clock was set back
        await found.choose(HOST, [])
        assert len(reads) == 5

    asyncio.run(scenario())


def test_a_certificate_whose_key_is_locked_is_shown_to_nobody_until_it_opens(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    add(database, HOST)
    key = key_file.beside(database.path)
    kept = key.read_bytes()
    key.unlink()
    sealing.forget_keys()

    async def scenario() -> None:
        found = Contexts(database, lambda host: f"https://{host}/")
        assert [await found.choose(HOST, []) for _ in range(3)] == [None] * 3
        assert caplog.text.count("cannot be used") == 1
        key.write_bytes(kept)
        assert shown(await found.choose(HOST, [])) == [HOST]

    asyncio.run(scenario())


def test_plain_http_is_sent_on_but_for_challenges(database: Database) -> None:
    add(database, HOST)

    async def scenario() -> None:
        found = Contexts(database, lambda host: f"https://{host}:8443/")
        assert await found.to_https(HOST, b"/a%20b", b"c=d") == b"https://blog.example.org:8443/a%20b?c=d"
        assert await found.to_https(HOST, b"/", b"") == b"https://blog.example.org:8443/"
        assert await found.to_https(HOST, b"/.well-known/acme-challenge/x", b"") is None
        assert await found.to_https(HOST, b"/_fazt/health", b"") is None
        assert await found.to_https("other.example.org", b"/", b"") is None

    asyncio.run(scenario())


def test_a_challenge_is_answered_with_its_proof(database: Database) -> None:
    async def scenario() -> None:
        proofs = {HOST: make_certificate(HOST, "proof.example.org")}
        found = Contexts(database, lambda host: f"https://{host}/", proofs.get)
        assert await found.choose("other.example.org", [b"acme-tls/1"]) is None
        assert shown(await found.choose(HOST, [b"acme-tls/1"])) == [HOST, "proof.example.org"]
        assert await found.choose(HOST, [b"http/1.1"]) is None

    asyncio.run(scenario())


def test_old_versions_and_weak_ciphers_are_refused(database: Database) -> None:
    context = contexts.make_context(make_certificate(HOST), "http/1.1")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for cipher in context.get_ciphers():
        assert cipher["aead"], cipher["name"]
        assert cipher["protocol"] == "TLSv1.3" or cipher["name"].startswith("ECDHE-")


def test_a_key_is_never_on_the_disk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    before = sorted(tmp_path.iterdir())
    contexts.make_context(make_certificate(HOST), "http/1.1")
    assert sorted(tmp_path.iterdir()) == before


def test_one_for_the_same_names_gives_way(database: Database) -> None:
    first = add(database, HOST, "a.example.org")
    second = add(database, HOST, "a.example.org", days=31)
    third = add(database, HOST, days=32)
    fourth = add(database, HOST, "a.example.org", days=33, source="acme")
    left = [each.number for each in database.read_blocking(certificates.list_page, None, 10)]
    assert left == [fourth, third, second]
    assert first not in left
