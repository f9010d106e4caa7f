"""WebCrypto for functions: what `crypto.subtle` of a script asks of the host.

Owns the table of operations and where each one runs; the `webcrypto_` modules know how it is done. What needs no more
than random bytes (`getRandomValues`, secret keys), and what a CryptoKey may be used for, is settled in the script.
Rule: what may take more than about 50 microseconds never runs on the event loop.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fazt.data.caller import Caller, Operation
from fazt.errors import CryptoFailed, CryptoNotSupported, InvalidInput
from fazt.functions import webcrypto_ciphers as ciphers
from fazt.functions import webcrypto_derivation as derivation
from fazt.functions import webcrypto_jwk as jwk
from fazt.functions import webcrypto_keys as keys
from fazt.functions import webcrypto_signatures as signatures
from fazt.functions.webcrypto_input import HASHES, MAX_UNSIGNED, Asked, look_up, read, read_value, whole_number
from fazt.functions.webcrypto_pieces import PIECE_BYTES, Held, Pieces
from fazt.functions.webcrypto_turns import Turns

SHORT_BYTES = 16_384  # 10 to 33 microseconds of SHA-512, HMAC or AES
SHORT_CHECK_BYTES = 4_096
SHORT_RSA_KEY_BYTES = 294  # SubjectPublicKeyInfo of 2048 bits with an exponent of three bytes
SHORT_DERIVED_BITS = 512
SHORT_DERIVATION_BYTES = 1_024
MOST_SPENT_S = 5.0  # of one call, on all threads together: what the server computes for it counts nowhere else
Answer = tuple[Any, bytes]


def crypto_operations() -> dict[str, Operation]:
    """Return the operations by name; the threads for slow ones are shared by all sites."""
    turns, pieces = Turns(), Pieces()

    async def push(caller: Caller, value: Any, data: bytes) -> Answer:
        number = read_value(value).get("id")
        return {"id": pieces.push(pieces.of(caller), None if number is None else _number(number), data)}, b""

    async def pull(caller: Caller, value: Any, data: bytes) -> Answer:
        return None, pieces.pull(pieces.of(caller), _number(read_value(value).get("id")))

    operations = {f"crypto.{name}": _operation(kind, turns, pieces) for name, kind in _KINDS.items()}
    return operations | {"crypto.push": push, "crypto.pull": pull}


def _number(value: Any) -> int:
    return whole_number(value, "id", 1, MAX_UNSIGNED)


@dataclass(frozen=True, slots=True)
class _Kind:
    work: Callable[[Asked], Answer]
    is_short: Callable[[Asked], bool]  # it may run on the event loop


def _operation(kind: _Kind, turns: Turns, pieces: Pieces) -> Operation:
    async def run(caller: Caller, value: Any, data: bytes) -> Answer:
        number = read_value(value).get("pushed")  # of the byte string that came before, in pieces
        if number is None:
            asked = read(value, data)
            if kind.is_short(asked):
                return kind.work(asked)
        else:
            asked = read(value, pieces.take(pieces.of(caller), _number(number)))
        held = pieces.of(caller)
        answer, result = await turns.run(caller.site_id, asked.size, lambda: _bounded(kind, asked, held))
        if len(result) <= PIECE_BYTES:
            return answer, result
        return {"pull": pieces.keep(held, result), "size": len(result)}, b""

    return run


def _bounded(kind: _Kind, asked: Asked, held: Held) -> Answer:
    """Do what is asked, on a thread whose turn has come: perhaps long after, when nobody waits for it any more."""
    if not held.is_open:
        raise CryptoFailed("The call that asked for this has ended.")
    if held.spent_s >= MOST_SPENT_S:
        raise CryptoFailed(f"A call has {MOST_SPENT_S:g} s of CPU time for slow operations of crypto.subtle.")
    began = time.thread_time()
    try:
        return kind.work(asked)
    finally:
        held.spent_s += time.thread_time() - began


# --- what is done ----------------------------------------------------------------------------------------------------


def _digest(asked: Asked) -> Answer:
    (data,) = asked.take(1)
    hash = look_up(asked.name, "algorithm.name", HASHES)
    return None, hashlib.new(hash.openssl, data, usedforsecurity=False).digest()


def _sign(asked: Asked) -> Answer:
    return None, signatures.sign(asked)


def _verify(asked: Asked) -> Answer:
    return signatures.verify(asked), b""


def _encrypt(asked: Asked) -> Answer:
    return None, ciphers.encrypt(asked)


def _decrypt(asked: Asked) -> Answer:
    return None, ciphers.decrypt(asked)


def _derive(asked: Asked) -> Answer:
    return None, derivation.derive(asked)


def _import(asked: Asked) -> Answer:
    """Read a key in a format of WebCrypto: what it is, and its canonical DER."""
    wanted = keys.Wanted.of(asked)
    key: keys.AnyKey
    match asked.value.get("format"):
        case "jwk":
            asked.take(0)
            key = jwk.load(wanted, asked.value.get("jwk"))
        case "spki":
            key = keys.load_public(wanted, *asked.take(1))
        case "pkcs8":
            key = keys.load_private(wanted, *asked.take(1))
        case "raw":
            key = keys.load_raw(wanted, *asked.take(1))
        case _:
            raise InvalidInput("format must be one of raw, spki, pkcs8, jwk.")
    der = keys.write_private(key) if isinstance(key, keys.PrivateKey) else keys.write_public(key)
    return keys.describe(key), der


def _export(asked: Asked) -> Answer:
    """Write a key, which comes as its canonical DER, as a JWK or as a raw point."""
    wanted, (der,) = keys.Wanted.of(asked), asked.take(1)
    is_private = look_up(asked.value.get("type"), "type", {"public": False, "private": True})
    key: keys.AnyKey = keys.load_private(wanted, der) if is_private else keys.load_public(wanted, der)
    match asked.value.get("format"):
        case "jwk":
            return {"jwk": jwk.write(key)}, b""
        case "raw" if not isinstance(key, keys.PrivateKey):
            return None, keys.write_raw(key)
    raise CryptoNotSupported("A key is exported as jwk here, a public one as raw too.")


# --- what is short ---------------------------------------------------------------------------------------------------


def _never(_asked: Asked) -> bool:
    return False


def _is_short_input(asked: Asked) -> bool:
    return asked.size <= SHORT_BYTES


def _is_short_code(asked: Asked) -> bool:
    return asked.name == "HMAC" and asked.size <= SHORT_BYTES


def _is_short_check(asked: Asked) -> bool:
    """Tell whether this is an HMAC or the usual check of a token: RSA of 2048 bits and 65537, some 50 microseconds."""
    is_rsa = asked.name in ("RSASSA-PKCS1-v1_5", "RSA-PSS") and asked.size <= SHORT_CHECK_BYTES
    return _is_short_code(asked) or (is_rsa and all(len(key) <= SHORT_RSA_KEY_BYTES for key in asked.parts[:1]))


def _is_short_cipher(asked: Asked) -> bool:
    return asked.name in ("AES-GCM", "AES-CBC", "AES-CTR") and asked.size <= SHORT_BYTES


def _is_short_derivation(asked: Asked) -> bool:
    bits = derivation.length_bits(asked)
    is_short = asked.size <= SHORT_DERIVATION_BYTES and bits is not None and bits <= SHORT_DERIVED_BITS
    return asked.name == "HKDF" and is_short


# name: value, byte strings -> value, bytes. `lengths` of every value divides the bytes into the byte strings.
_KINDS = {
    "digest": _Kind(_digest, _is_short_input),  # algorithm {name}; data -> null, digest
    "sign": _Kind(_sign, _is_short_code),  # algorithm; key, data -> null, signature
    "verify": _Kind(_verify, _is_short_check),  # algorithm; key, signature, data -> bool, nothing
    "encrypt": _Kind(_encrypt, _is_short_cipher),  # algorithm; key, ..., data -> null, encrypted
    "decrypt": _Kind(_decrypt, _is_short_cipher),  # algorithm; key, ..., data -> null, decrypted
    "derive": _Kind(_derive, _is_short_derivation),  # algorithm, length; secret, ... -> null, derived
    "generate": _Kind(keys.make, _never),  # algorithm; nothing -> lengths, private and public key
    "import": _Kind(_import, _never),  # algorithm, format, jwk?; key? -> what it is, key
    "export": _Kind(_export, _never),  # algorithm, format, type; key -> {jwk} or null, raw
}
