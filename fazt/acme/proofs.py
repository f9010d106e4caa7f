"""What proves to an authority that a host is ours, for as long as it looks (RFC 8555 8, RFC 8737).

Rule: only what an order under way asked for is shown, and only for its host. Written from the threads of orders, read
from the loop: each entry is put there and taken away whole.
"""

import hashlib
from datetime import UTC, datetime, timedelta

CHALLENGES = "/.well-known/acme-challenge/"
ALPN_EXTENSION = "1.3.6.1.5.5.7.1.31"  # id-pe-acmeIdentifier
VALID = timedelta(days=1)

Pem = tuple[bytes, bytes]  # the certificate, and its key


class Proofs:
    """The proofs that are shown now."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], bytes] = {}
        self._certificates: dict[str, Pem] = {}

    def show_token(self, host: str, token: str, authorization: str) -> None:
        """Answer `http://host/.well-known/acme-challenge/token`."""
        self._tokens[host, token] = authorization.encode()

    def show_certificate(self, host: str, authorization: str) -> None:
        """Answer a TLS connection for `acme-tls/1`."""
        self._certificates[host] = make_proof(host, authorization)

    def hide(self, host: str, token: str) -> None:
        """Show nothing of an order any more."""
        self._tokens.pop((host, token), None)
        self._certificates.pop(host, None)

    def find_token(self, host: str, path: str) -> bytes | None:
        """Return what a request for a path of a host is answered with; None: that is no challenge of ours."""
        if not path.startswith(CHALLENGES):
            return None
        return self._tokens.get((host, path.removeprefix(CHALLENGES)))

    def find_certificate(self, host: str) -> Pem | None:
        """Return what a connection for `acme-tls/1` is shown."""
        return self._certificates.get(host)


def make_proof(host: str, authorization: str) -> Pem:
    """Return the certificate that proves a host by TLS (RFC 8737 3), signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ACME challenge")])
    now = datetime.now(UTC)
    digest = b"\x04\x20" + hashlib.sha256(authorization.encode()).digest()  # an OCTET STRING of 32 bytes
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - VALID)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(ALPN_EXTENSION), digest), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return made.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
