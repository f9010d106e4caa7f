"""Asks WebCrypto's operations as the bridge does, and keys of every kind for their tests."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

from fazt.data.caller import Caller
from fazt.functions.crypto import crypto_operations

OPERATIONS = crypto_operations()
HASHES = ("SHA-1", "SHA-256", "SHA-384", "SHA-512")
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
RSA_KEY = rsa.generate_private_key(65537, 2048)


def caller(site_id: int = 1, call: str = "call") -> Caller:
    return Caller("site", site_id, 1, call)


def ask(name: str, algorithm: dict[str, Any], *parts: bytes, **value: Any) -> tuple[Any, bytes]:
    message = {"algorithm": algorithm, "lengths": [len(part) for part in parts], **value}
    return asyncio.run(run(OPERATIONS[f"crypto.{name}"](caller(), message, b"".join(parts))))


async def run(answer: Awaitable[tuple[Any, bytes]]) -> tuple[Any, bytes]:
    return await answer


def x(text: str) -> bytes:
    return bytes.fromhex(text)


def pkcs8(key: Any) -> bytes:
    der: bytes = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return der


def spki(key: Any) -> bytes:
    der: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return der


KEYS: dict[str, tuple[dict[str, Any], Any]] = {
    "RSA": ({"name": "RSA-PSS", "hash": "SHA-256"}, RSA_KEY),
    **{f"EC {name}": ({"name": "ECDSA", "namedCurve": name}, ec.generate_private_key(CURVES[name])) for name in CURVES},
    "Ed25519": ({"name": "Ed25519"}, ed25519.Ed25519PrivateKey.generate()),
    "X25519": ({"name": "X25519"}, x25519.X25519PrivateKey.generate()),
}
