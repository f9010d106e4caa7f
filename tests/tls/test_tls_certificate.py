"""Certificates as they are brought: what is read of them, and what is refused and why."""

import contextlib
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from made_certificates import make_certificate

from fazt.errors import InvalidInput
from fazt.tls.certificate import MAX_PEM_BYTES, read_certificate

NAMES = ("blog.example.org", "*.example.net")
NOW = datetime.datetime.now(datetime.UTC)


def pem(key: object, encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    encoded: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())  # type: ignore[attr-defined]
    return encoded


def test_what_is_read() -> None:
    chain, key = make_certificate(*NAMES)
    found = read_certificate(chain, key)
    assert found.names == ("*.example.net", "blog.example.org")
    assert found.fingerprint == x509.load_pem_x509_certificate(chain).fingerprint(hashes.SHA256()).hex()
    assert found.issuer == "blog.example.org"
    assert found.not_after - found.not_before == 31 * 86_400_000
    assert (found.chain, found.key) == (chain, key)


def test_names_have_one_form_and_addresses_are_none() -> None:
    chain, key = make_certificate("Blog.Example.ORG", "192.0.2.1", "a b.example.org", "blog.example.org")
    assert read_certificate(chain, key).names == ("blog.example.org",)


def test_another_form_of_key_is_brought_into_one() -> None:
    chain, key = make_certificate(*NAMES)
    private = serialization.load_pem_private_key(key, None)
    traditional = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert traditional != key
    assert read_certificate(b"some text\n" + chain, traditional).key == key


REFUSED = {
    "expired": (*make_certificate("a.example.org", days=-1, age_days=9), "expired on"),
    "another key": (make_certificate(*NAMES)[0], make_certificate("b.example.org")[1], "not that of the certificate"),
    "no certificate": (b"hello", make_certificate(*NAMES)[1], "No certificate"),
    "a key in its place": (*make_certificate(*NAMES)[::-1], "No certificate"),
    "no key": (make_certificate(*NAMES)[0], b"hello", "cannot be read"),
    "a passphrase": (
        make_certificate(*NAMES)[0],
        pem(ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"x")),
        "openssl pkey",
    ),
    "a short key": (make_certificate(*NAMES)[0], pem(rsa.generate_private_key(65537, 1024)), "browsers refuse"),
    "a rare curve": (make_certificate(*NAMES)[0], pem(ec.generate_private_key(ec.SECP256K1())), "browsers refuse"),
    "an unrelated one above": (
        make_certificate(*NAMES)[0] + make_certificate("b.example.org")[0],
        make_certificate(*NAMES)[1],
        "not in order",
    ),
    "only an address": (*make_certificate("192.0.2.1"), "names no host"),
    "too long": (b"-" * (MAX_PEM_BYTES + 1), b"", "more than 64 KB"),
    "too long a key": (make_certificate(*NAMES)[0], b"-" * (MAX_PEM_BYTES + 1), "more than 64 KB"),
    "too many": (make_certificate(*NAMES)[0] * 11, make_certificate(*NAMES)[1], "more than 10"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    chain, key, words = REFUSED[case]
    with pytest.raises(InvalidInput, match=words) as problem:
        read_certificate(chain, key)
    assert "PRIVATE" not in problem.value.message or words == "cannot be read"


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 4))
def test_any_bytes_are_read_or_refused(first: bytes, second: bytes, how: int) -> None:
    chain, key = make_certificate(*NAMES)
    cases = [(first, second), (chain, second), (first, key), (chain[:-40] + first, key), (chain, key[:40] + second)]
    with contextlib.suppress(InvalidInput):
        read_certificate(*cases[how])
