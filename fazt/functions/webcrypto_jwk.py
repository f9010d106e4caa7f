"""Asymmetric keys as JSON Web Keys (RFC 7517, 7518 6, 8037).

Owns the numbers of a key; `use`, `key_ops`, `ext` and `alg` are the script side's, and so are secret keys ("oct").
Rule: each private JWK repeats its public half, and a key whose halves do not belong together is refused.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

from fazt.errors import CryptoDataInvalid, InvalidInput
from fazt.functions.webcrypto_input import otherwise
from fazt.functions.webcrypto_keys import CURVE_NAMES, CURVES, MAX_MODULUS_BITS, AnyKey, PrivateKey, Wanted

_TEXT = re.compile(r"[A-Za-z0-9_-]*")
_MAX_CHARACTERS = MAX_MODULUS_BITS // 6 + 1
_RSA_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def load(wanted: Wanted, jwk: Any) -> AnyKey:
    """Return the key of a JWK. Raises: CryptoDataInvalid, CryptoNotSupported, InvalidInput."""
    if not isinstance(jwk, dict):
        raise InvalidInput("jwk must be an object.")
    key: AnyKey
    with otherwise(CryptoDataInvalid, "The numbers of this JWK are not a key."):
        match wanted.family:
            case "rsa":
                key = _load_rsa(jwk)
            case "ec":
                key = _load_ec(wanted, jwk)
            case _:
                key = _load_okp(wanted, jwk)
        wanted.check(key, private=isinstance(key, PrivateKey))
    return key


def write(key: AnyKey) -> dict[str, str]:
    """Return the JWK of a key: `kty` and its numbers."""
    match key:
        case rsa.RSAPublicKey():
            return _write_rsa(key)
        case rsa.RSAPrivateKey():
            numbers = key.private_numbers()
            values = (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
            return _write_rsa(key.public_key()) | {
                name: _text_of(value) for name, value in zip(_RSA_PRIVATE, values, strict=True)
            }
        case ec.EllipticCurvePublicKey():
            return _write_ec(key)
        case ec.EllipticCurvePrivateKey():
            return _write_ec(key.public_key()) | {"d": _text_of(key.private_numbers().private_value, _size(key.curve))}
        case ed25519.Ed25519PrivateKey() | x25519.X25519PrivateKey():
            return _write_okp(key.public_key()) | {"d": _encode(key.private_bytes_raw())}
        case ed25519.Ed25519PublicKey() | x25519.X25519PublicKey():
            return _write_okp(key)


def _write_rsa(key: rsa.RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _text_of(numbers.n), "e": _text_of(numbers.e)}


def _write_ec(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers, size = key.public_numbers(), _size(key.curve)
    crv = CURVE_NAMES[key.curve.name]
    return {"kty": "EC", "crv": crv, "x": _text_of(numbers.x, size), "y": _text_of(numbers.y, size)}


def _write_okp(key: ed25519.Ed25519PublicKey | x25519.X25519PublicKey) -> dict[str, str]:
    crv = "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "X25519"
    return {"kty": "OKP", "crv": crv, "x": _encode(key.public_bytes_raw())}


def _load_rsa(jwk: Mapping[str, Any]) -> AnyKey:
    _check_type(jwk, "RSA", None)
    public = rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n"))
    if "d" not in jwk:
        return public.public_key()
    d, p, q, dmp1, dmq1, iqmp = (_number(jwk, name) for name in _RSA_PRIVATE)
    private = rsa.RSAPrivateNumbers(p=p, q=q, d=d, dmp1=dmp1, dmq1=dmq1, iqmp=iqmp, public_numbers=public)
    return private.private_key(unsafe_skip_rsa_key_validation=True)  # checked by `Wanted.check`, in less time


def _load_ec(wanted: Wanted, jwk: Mapping[str, Any]) -> AnyKey:
    _check_type(jwk, "EC", wanted.curve)
    curve = CURVES[wanted.curve or ""]
    size = _size(curve)
    x, y = (int.from_bytes(_bytes(jwk, name, size), "big") for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    if "d" not in jwk:
        return public
    private = ec.derive_private_key(int.from_bytes(_bytes(jwk, "d", size), "big"), curve)
    _check_halves(private.public_key().public_numbers() == public.public_numbers())
    return private


def _load_okp(wanted: Wanted, jwk: Mapping[str, Any]) -> AnyKey:
    _check_type(jwk, "OKP", wanted.family)
    x = _bytes(jwk, "x", 32)
    if wanted.family == "Ed25519":
        if "d" not in jwk:
            return ed25519.Ed25519PublicKey.from_public_bytes(x)
        signer = ed25519.Ed25519PrivateKey.from_private_bytes(_bytes(jwk, "d", 32))
        _check_halves(signer.public_key().public_bytes_raw() == x)
        return signer
    if "d" not in jwk:
        return x25519.X25519PublicKey.from_public_bytes(x)
    private = x25519.X25519PrivateKey.from_private_bytes(_bytes(jwk, "d", 32))
    _check_halves(private.public_key().public_bytes_raw() == x)
    return private


def _check_halves(belong: bool) -> None:
    if not belong:
        raise CryptoDataInvalid("The private half of this JWK does not belong to its public half.")


def _check_type(jwk: Mapping[str, Any], kty: str, crv: str | None) -> None:
    if jwk.get("kty") != kty:
        raise CryptoDataInvalid(f"kty of this JWK must be {kty}.")
    if crv is not None and jwk.get("crv") != crv:
        raise CryptoDataInvalid(f"crv of this JWK must be {crv}.")


def _size(curve: ec.EllipticCurve) -> int:
    return (curve.key_size + 7) // 8


def _bytes(jwk: Mapping[str, Any], name: str, size: int | None = None) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS or not _TEXT.fullmatch(text) or len(text) % 4 == 1:
        raise CryptoDataInvalid(f"{name} of this JWK must be base64url.")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if size is not None and len(data) != size:
        raise CryptoDataInvalid(f"{name} of this JWK must have {size} bytes, not {len(data)}.")
    return data


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_bytes(jwk, name), "big")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _text_of(number: int, size: int | None = None) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8 if size is None else size, "big"))
