"""A certificate and its key as PEM -> what is kept of them; anything that a browser would refuse is refused here.

Rule: loaded by the API alone; the library behind it takes longer to load than a start may.
"""

import ipaddress
import itertools
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from fazt._speedups.hosts import normalise
from fazt.errors import InvalidInput
from fazt.store.certificates import NewCertificate

MAX_PEM_BYTES = 64 * 1024
MAX_NAMES = 1000
MAX_CHAIN = 10
LEAST_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")


def read_certificate(chain: bytes, key: bytes, now: datetime | None = None) -> NewCertificate:
    """Return what PEM files hold: the host's own certificate first, each one signed by the next; and its key.

    Raises: InvalidInput.
    """
    certificates = _read_chain(chain)
    leaf = certificates[0]
    private = _read_key(key)
    if _public(private.public_key()) != _public(leaf.public_key()):
        raise InvalidInput("The key is not that of the certificate: give the key with which it was requested.")
    if leaf.not_valid_after_utc <= (now or datetime.now(UTC)):
        raise InvalidInput(f"The certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}: have it renewed first.")
    _check_order(certificates)
    return NewCertificate(
        names=_names(leaf),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        issuer=_issuer(leaf),
        not_before=_ms(leaf.not_valid_before_utc),
        not_after=_ms(leaf.not_valid_after_utc),
        chain=b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates),
        key=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _read_chain(chain: bytes) -> list[x509.Certificate]:
    if len(chain) > MAX_PEM_BYTES:
        raise InvalidInput(f"The certificates have more than {MAX_PEM_BYTES // 1024} KB.")
    try:
        found = x509.load_pem_x509_certificates(chain)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput(
            "No certificate can be read: give a PEM file, which begins with -----BEGIN CERTIFICATE-----."
        ) from None
    if len(found) > MAX_CHAIN:
        raise InvalidInput(f"There are more than {MAX_CHAIN} certificates: give the host's own and those above it.")
    return found


def _read_key(key: bytes) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    if len(key) > MAX_PEM_BYTES:
        raise InvalidInput(f"The key has more than {MAX_PEM_BYTES // 1024} KB.")
    try:
        private = serialization.load_pem_private_key(key, None)
    except TypeError:
        raise InvalidInput("The key is encrypted: give it without its passphrase (openssl pkey -in KEY).") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput(
            "The key cannot be read: give a PEM file, which begins with -----BEGIN PRIVATE KEY-----."
        ) from None
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= LEAST_RSA_BITS:
        return private
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return private
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private
    raise InvalidInput(f"The key is of a kind that browsers refuse: RSA of {LEAST_RSA_BITS} bits or P-256 will do.")


def _check_order(certificates: list[x509.Certificate]) -> None:
    for below, above in itertools.pairwise(certificates):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            raise InvalidInput(
                "The certificates are not in order: the host's own first, each one signed by the next."
            ) from None


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    except (x509.ExtensionNotFound, ValueError):
        found = []
    names = sorted({name for each in found if (name := _name(each))})
    if not names:
        raise InvalidInput("The certificate names no host (subjectAltName): no browser would take it.")
    if len(names) > MAX_NAMES:
        raise InvalidInput(f"The certificate names more than {MAX_NAMES} hosts.")
    return tuple(names)


def _name(name: str) -> str | None:
    """Return a host or a wildcard in its one form."""
    star, bare = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    normal = normalise(bare.encode("ascii", "replace"))
    if normal is None or _is_address(normal):
        return None
    return star + normal


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _issuer(leaf: x509.Certificate) -> str:
    """Return who signed, in a line that can be shown."""
    for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for attribute in leaf.issuer.get_attributes_for_oid(kind):
            text = attribute.value if isinstance(attribute.value, str) else ""
            if text and text.isprintable():
                return text[:200]
    return "unknown"


def _public(key: object) -> bytes:
    if not hasattr(key, "public_bytes"):
        return b""
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
