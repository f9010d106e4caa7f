"""Signatures and message authentication codes: HMAC, RSASSA-PKCS1-v1_5, RSA-PSS, ECDSA, Ed25519.

Rule: to verify gives true or false and takes the same time for every wrong code; only what is no key raises.
"""

import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from fazt.errors import CryptoFailed, CryptoNotSupported
from fazt.functions.webcrypto_input import MAX_UNSIGNED, Asked, otherwise
from fazt.functions.webcrypto_keys import MAX_MODULUS_BITS, Wanted, load_private, load_public

# RFC 8032: the prime of the field, and the y of the eight points whose multiples are among themselves.
_P = 2**255 - 19
_Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def sign(asked: Asked) -> bytes:
    """Return the signature of (key, data). Raises: FaztError."""
    der, data = asked.take(2)
    if asked.name == "HMAC":
        return hmac.digest(bytes(der), data, asked.hash.openssl)
    wanted = Wanted.of(asked)
    _check_signs(asked)
    hash = None if wanted.family == "Ed25519" else asked.hash
    key = load_private(wanted, der)
    with otherwise(CryptoFailed, "This key cannot sign with these parameters."):
        match key:
            case rsa.RSAPrivateKey() if hash:
                return key.sign(bytes(data), _padding(asked), hash.algorithm)
            case ec.EllipticCurvePrivateKey() if hash:
                size = (key.curve.key_size + 7) // 8
                r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hash.algorithm)))
                return r.to_bytes(size, "big") + s.to_bytes(size, "big")
            case ed25519.Ed25519PrivateKey():
                return key.sign(data)
    raise CryptoNotSupported(f"{asked.name} does not sign.")


def verify(asked: Asked) -> bool:
    """Tell whether (key, signature, data) belong together. Raises: FaztError where the key is none."""
    der, signature, data = asked.take(3)
    if asked.name == "HMAC":
        return hmac.compare_digest(hmac.digest(bytes(der), data, asked.hash.openssl), bytes(signature))
    wanted = Wanted.of(asked)
    _check_signs(asked)
    hash = None if wanted.family == "Ed25519" else asked.hash
    key = load_public(wanted, der)
    try:
        match key:
            case rsa.RSAPublicKey() if hash:
                key.verify(bytes(signature), bytes(data), _padding(asked), hash.algorithm)
            case ec.EllipticCurvePublicKey() if hash:
                size = (key.curve.key_size + 7) // 8
                key.verify(_der_of(bytes(signature), size), data, ec.ECDSA(hash.algorithm))
            case ed25519.Ed25519PublicKey():
                _refuse_small_order(key.public_bytes_raw(), bytes(signature[:32]))
                key.verify(bytes(signature), data)
    except (InvalidSignature, ValueError, CryptoFailed):
        return False
    return True


def _check_signs(asked: Asked) -> None:
    if asked.name not in ("RSASSA-PKCS1-v1_5", "RSA-PSS", "ECDSA", "Ed25519"):
        raise CryptoNotSupported(f"{asked.name} does not sign.")


def _padding(asked: Asked) -> padding.PKCS1v15 | padding.PSS:
    if asked.name != "RSA-PSS":
        return padding.PKCS1v15()
    salt_bytes = asked.number("saltLength", 0, MAX_UNSIGNED)
    if salt_bytes > MAX_MODULUS_BITS // 8:
        raise CryptoFailed("saltLength is larger than the key.")
    return padding.PSS(padding.MGF1(asked.hash.algorithm), salt_bytes)


def _der_of(signature: bytes, size: int) -> bytes:
    if len(signature) != 2 * size:
        raise InvalidSignature
    return utils.encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def _refuse_small_order(*points: bytes) -> None:
    """Refuse points for which a signature says nothing: it would fit any data (WebCrypto, Ed25519, verify)."""
    for point in points:
        if (int.from_bytes(point, "little") & (2**255 - 1)) % _P in _SMALL_ORDER:
            raise InvalidSignature
