"""An authenticator in software (WebAuthn Level 3, 6.1 and 6.5): makes passkeys and signs with them as browsers do."""

import base64
import hashlib
import secrets
from typing import Any

import cbor2
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, USER_VERIFIED, ATTESTED = 1, 4, 64
ORIGIN = "http://dashboard.localhost:4698"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Authenticator:
    """Holds one key; what a test changes of it, it sends wrong."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.count = 0
        self.origin = ORIGIN
        self.host: str | None = None  # None: the one that it is asked for
        self.flags = USER_PRESENT | USER_VERIFIED

    def make(self, options: dict[str, Any], *, challenge: str | None = None) -> dict[str, Any]:
        """Return the answer to `navigator.credentials.create`."""
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(public)
        data = self._data(options["rp"]["id"], self.flags | ATTESTED) + attested
        client = self._client("webauthn.create", challenge or options["challenge"])
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer({"clientDataJSON": encoded(client), "attestationObject": encoded(attestation)})

    def use(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to `navigator.credentials.get`."""
        self.count += 1
        data = self._data(options["rpId"], self.flags)
        client = self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        sent = {"authenticatorData": data, "signature": signature, "userHandle": b"x", "clientDataJSON": client}
        return self._answer({name: encoded(value) for name, value in sent.items()})

    def _answer(self, response: dict[str, Any]) -> dict[str, Any]:
        id = encoded(self.id)
        return {
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
        }

    def _client(self, kind: str, challenge: str) -> bytes:
        return orjson.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False})

    def _data(self, host: str, flags: int) -> bytes:
        named = hashlib.sha256((self.host or host).encode()).digest()
        return named + bytes((flags,)) + self.count.to_bytes(4, "big")
