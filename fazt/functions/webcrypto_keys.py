"""Asymmetric keys of WebCrypto: made, read and written as DER and as raw points. JWK has a module of its own.

A script keeps a key as its canonical DER (SubjectPublicKeyInfo or PKCS #8) and sends it with each operation; secret
keys are plain bytes and never come here. Rule: a key is checked each time it is read, because nothing sent is trusted.
"""

from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

from fazt.errors import CryptoDataInvalid, CryptoFailed, CryptoNotSupported
from fazt.functions.webcrypto_input import Asked, look_up, otherwise, whole_number

Family = Literal["rsa", "ec", "Ed25519", "X25519"]
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | x25519.X25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey
AnyKey = PublicKey | PrivateKey
Answer = tuple[Any, bytes]

FAMILIES: dict[str, Family] = {
    "RSASSA-PKCS1-v1_5": "rsa",
    "RSA-PSS": "rsa",
    "RSA-OAEP": "rsa",
    "ECDSA": "ec",
    "ECDH": "ec",
    "Ed25519": "Ed25519",
    "X25519": "X25519",
}
_CLASSES: dict[Family, tuple[type[PublicKey], type[PrivateKey]]] = {
    "rsa": (rsa.RSAPublicKey, rsa.RSAPrivateKey),
    "ec": (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey),
    "Ed25519": (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey),
    "X25519": (x25519.X25519PublicKey, x25519.X25519PrivateKey),
}
_RSA = (rsa.RSAPublicKey, rsa.RSAPrivateKey)
_EC = (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)
CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
CURVE_NAMES = {curve.name: name for name, curve in CURVES.items()}

MIN_MODULUS_BITS, MAX_MODULUS_BITS = 2048, 4096
MAX_EXPONENT_BITS = 64  # RFC 8017 has no bound; each verification costs in proportion
MAX_KEY_BYTES = 16_384  # a PKCS #8 of 4096 bits has 2.4 KB


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a key must be to be of use here."""

    family: Family
    curve: str | None  # P-256, P-384, P-521; None: another family

    @classmethod
    def of(cls, asked: Asked) -> "Wanted":
        """Return what the algorithm of an operation wants."""
        family = look_up(asked.name, "algorithm.name", FAMILIES)
        if family != "ec":
            return cls(family, None)
        asked.choice("namedCurve", CURVES)
        return cls(family, asked.algorithm["namedCurve"])

    def check(self, key: object, private: bool) -> None:
        """Refuse a key of another family, of another curve, of a size out of bounds. Raises: CryptoDataInvalid."""
        if not isinstance(key, _CLASSES[self.family][private]):
            raise CryptoDataInvalid(f"This is not a {'private' if private else 'public'} {self.family} key.")
        if isinstance(key, _EC):
            if CURVE_NAMES.get(key.curve.name) != self.curve:
                raise CryptoDataInvalid(f"This key is not on the curve {self.curve}.")
        elif isinstance(key, _RSA):
            _check_size(key)
            if isinstance(key, rsa.RSAPrivateKey):
                check_rsa_numbers(key.private_numbers())


def _check_size(key: rsa.RSAPublicKey | rsa.RSAPrivateKey) -> None:
    if not MIN_MODULUS_BITS <= key.key_size <= MAX_MODULUS_BITS:
        raise CryptoNotSupported(
            f"An RSA key has {MIN_MODULUS_BITS} to {MAX_MODULUS_BITS} bits here, not {key.key_size}."
        )
    numbers = key.public_numbers() if isinstance(key, rsa.RSAPublicKey) else key.public_key().public_numbers()
    if numbers.e < 3 or numbers.e % 2 == 0 or numbers.e.bit_length() > MAX_EXPONENT_BITS or numbers.n % 2 == 0:
        raise CryptoDataInvalid(
            f"The modulus and the exponent of the key are odd, the latter of <= {MAX_EXPONENT_BITS} bits."
        )


def check_rsa_numbers(numbers: rsa.RSAPrivateNumbers) -> None:
    """Refuse an RSA key whose numbers do not belong together. Raises: CryptoDataInvalid.

    The library's own check also tests p and q for being primes. That takes 0.3 s at 4096 bits and holds the interpreter
    all the while; a key of composite numbers harms nobody but its owner.
    """
    p, q, d, public = numbers.p, numbers.q, numbers.d, numbers.public_numbers
    sound = (
        min(p, q) > 1 and p % 2 == q % 2 == 1 and p * q == public.n and 0 < d < public.n
        and (public.e * d - 1) % (p - 1) == 0 and (public.e * d - 1) % (q - 1) == 0
        and numbers.dmp1 == d % (p - 1) and numbers.dmq1 == d % (q - 1)
        and 0 < numbers.iqmp < p and numbers.iqmp * q % p == 1
    )  # fmt: skip
    if not sound:
        raise CryptoDataInvalid("The numbers of this RSA key do not belong together.")


# --- DER -------------------------------------------------------------------------------------------------------------


def load_public(wanted: Wanted, der: memoryview) -> PublicKey:
    """Return the key of a SubjectPublicKeyInfo. Raises: CryptoDataInvalid, CryptoNotSupported."""
    _check_shape(der, has_version=False, what="SubjectPublicKeyInfo")
    with otherwise(CryptoDataInvalid, "This is not a public key that can be used here."):
        key = serialization.load_der_public_key(bytes(der))
    wanted.check(key, private=False)
    return key  # type: ignore[return-value]  # its class was checked


def load_private(wanted: Wanted, der: memoryview) -> PrivateKey:
    """Return the key of a PKCS #8 that is not encrypted. Raises: CryptoDataInvalid, CryptoNotSupported."""
    _check_shape(der, has_version=True, what="PKCS #8")
    with otherwise(CryptoDataInvalid, "This is not a private key that can be used here."):
        key = serialization.load_der_private_key(bytes(der), None, unsafe_skip_rsa_key_validation=True)
    with otherwise(CryptoDataInvalid, "This private key is damaged."):
        wanted.check(key, private=True)
    return key  # type: ignore[return-value]  # its class was checked


def _check_shape(der: memoryview, *, has_version: bool, what: str) -> None:
    """Refuse the older containers (PKCS #1, SEC 1), which the library reads too and WebCrypto does not.

    Both containers of WebCrypto are a sequence in which another one, the AlgorithmIdentifier, stands first or after a
    version.
    """
    if len(der) > MAX_KEY_BYTES:
        raise CryptoDataInvalid(f"A key has at most {MAX_KEY_BYTES} bytes.")
    head = bytes(der[:8])
    at = 2 if len(head) < 2 or head[1] < 0x80 else 2 + (head[1] & 0x7F)
    if has_version:
        at += 3
    if not head.startswith(b"\x30") or bytes(der[at : at + 1]) != b"\x30":
        raise CryptoDataInvalid(f"This is not the DER of {what}.")


def write_public(key: PublicKey) -> bytes:
    """Return the canonical SubjectPublicKeyInfo of a key."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def write_private(key: PrivateKey) -> bytes:
    """Return the canonical PKCS #8 of a key."""
    unencrypted = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, unencrypted)


# --- raw public keys -------------------------------------------------------------------------------------------------


def load_raw(wanted: Wanted, data: memoryview) -> PublicKey:
    """Return the public key of a point (SEC 1 2.3.4, RFC 7748, RFC 8032). Raises: CryptoDataInvalid."""
    with otherwise(CryptoDataInvalid, "These bytes are not a point of the curve."):
        match wanted.family:
            case "ec":
                return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[wanted.curve or ""], bytes(data))
            case "Ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(bytes(data))
            case "X25519":
                return x25519.X25519PublicKey.from_public_bytes(bytes(data))
    raise CryptoNotSupported("An RSA key has no raw format.")


def write_raw(key: PublicKey) -> bytes:
    """Return the bytes that `load_raw` reads. Raises: CryptoNotSupported."""
    match key:
        case ec.EllipticCurvePublicKey():
            return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        case rsa.RSAPublicKey():
            raise CryptoNotSupported("An RSA key has no raw format.")
    return key.public_bytes_raw()


# --- making and describing -------------------------------------------------------------------------------------------


def make(asked: Asked) -> Answer:
    """Make a pair of keys: the bytes are the PKCS #8 and the SubjectPublicKeyInfo, of the lengths in the value."""
    asked.take(0)
    wanted = Wanted.of(asked)
    key: PrivateKey
    match wanted.family:
        case "rsa":
            key = _make_rsa(asked)
        case "ec":
            key = ec.generate_private_key(CURVES[wanted.curve or ""])
        case "Ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        case "X25519":
            key = x25519.X25519PrivateKey.generate()
    private, public = write_private(key), write_public(key.public_key())
    return {"lengths": [len(private), len(public)]}, private + public


def _make_rsa(asked: Asked) -> rsa.RSAPrivateKey:
    bits = asked.algorithm.get("modulusLength")
    if not isinstance(bits, int) or not MIN_MODULUS_BITS <= bits <= MAX_MODULUS_BITS or bits % 8:
        raise CryptoFailed(f"modulusLength must be {MIN_MODULUS_BITS} to {MAX_MODULUS_BITS}, in steps of 8.")
    exponent = 0
    for byte in _bytes_of_list(asked.algorithm.get("publicExponent")):
        exponent = exponent << 8 | byte
    if exponent not in (3, 65537):
        raise CryptoFailed("publicExponent must be 65537 or 3.")
    return rsa.generate_private_key(exponent, bits)


def _bytes_of_list(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > MAX_MODULUS_BITS // 8:
        raise CryptoFailed("publicExponent must be a list of bytes.")
    return [whole_number(byte, "publicExponent", 0, 255) for byte in value]


def describe(key: AnyKey) -> dict[str, Any]:
    """Return what a CryptoKey tells of a key: whether it is private, and what an RSA key is made of."""
    facts: dict[str, Any] = {"type": "private" if isinstance(key, PrivateKey) else "public"}
    if isinstance(key, _RSA):
        exponent = (key if isinstance(key, rsa.RSAPublicKey) else key.public_key()).public_numbers().e
        facts["modulusLength"] = key.key_size
        facts["publicExponent"] = list(exponent.to_bytes((exponent.bit_length() + 7) // 8, "big"))
    return facts
