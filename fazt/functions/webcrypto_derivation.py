"""What is derived from a secret: PBKDF2 (RFC 8018), HKDF (RFC 5869), ECDH and X25519 (RFC 7748).

Rule: the work is bounded before it begins, whatever the parameters.
"""

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from fazt.errors import CryptoFailed, CryptoNotSupported
from fazt.functions.webcrypto_input import MAX_UNSIGNED, Asked, otherwise
from fazt.functions.webcrypto_keys import Wanted, load_private, load_public

MAX_ITERATIONS = 1_000_000
MAX_ROUNDS = 2_000_000  # iterations times blocks of output: 0.4 s with SHA-256, 1.2 s with SHA-512
MAX_DERIVED_BYTES = 65_536
HASHED_BYTES_OF_A_ROUND = 64  # what a byte of salt costs, which is hashed once for each block of output
MAX_INFO_BYTES = 65_536  # hashed for each block of output too


def derive(asked: Asked) -> bytes:
    """Return `length` bits (null: all that there are); the first part is the secret. Raises: FaztError."""
    match asked.name:
        case "PBKDF2":
            return _stretch(asked)
        case "HKDF":
            return _expand(asked)
        case "ECDH" | "X25519":
            return _agree(asked)
    raise CryptoNotSupported(f"Nothing is derived with {asked.name}.")


def length_bits(asked: Asked) -> int | None:
    """Return the number of bits that are asked for; None: all."""
    bits = asked.value.get("length")
    if bits is None:
        return None
    if not isinstance(bits, int) or isinstance(bits, bool) or not 0 <= bits <= MAX_UNSIGNED:
        raise CryptoFailed("length must be a number of bits.")
    return bits


def _whole_bytes(asked: Asked) -> int:
    bits = length_bits(asked)
    if bits is None or bits % 8:
        raise CryptoFailed("length must be a number of bits, a multiple of 8.")
    if bits > 8 * MAX_DERIVED_BYTES:
        raise CryptoFailed(f"At most {MAX_DERIVED_BYTES} bytes are derived at once.")
    return bits // 8


def _stretch(asked: Asked) -> bytes:
    secret, salt = asked.take(2)
    size, hash = _whole_bytes(asked), asked.hash
    iterations = asked.number("iterations", 0, MAX_UNSIGNED)
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise CryptoFailed(f"PBKDF2 takes 1 to {MAX_ITERATIONS:,} iterations, not {iterations:,}.")
    blocks = -(-size // hash.bytes)
    if blocks * (iterations + len(salt) // HASHED_BYTES_OF_A_ROUND) > MAX_ROUNDS:
        raise CryptoFailed("So many bits with so many iterations or such a long salt take too long.")
    if size == 0:
        return b""
    with otherwise(CryptoFailed, "PBKDF2 cannot be done with these parameters."):
        return PBKDF2HMAC(hash.algorithm, size, bytes(salt), iterations).derive(bytes(secret))


def _expand(asked: Asked) -> bytes:
    secret, salt, info = asked.take(3)
    size, hash = _whole_bytes(asked), asked.hash
    if size > 255 * hash.bytes:
        raise CryptoFailed(f"HKDF gives at most {255 * hash.bytes} bytes with this hash.")
    if len(info) > MAX_INFO_BYTES:
        raise CryptoFailed(f"info has at most {MAX_INFO_BYTES} bytes.")
    if size == 0:
        return b""
    with otherwise(CryptoFailed, "HKDF cannot be done with these parameters."):
        return HKDF(hash.algorithm, size, bytes(salt), bytes(info)).derive(bytes(secret))


def _agree(asked: Asked) -> bytes:
    ours, theirs = asked.take(2)
    wanted = Wanted.of(asked)
    private, public = load_private(wanted, ours), load_public(wanted, theirs)
    with otherwise(CryptoFailed, "These two keys have no secret in common."):
        if isinstance(private, ec.EllipticCurvePrivateKey):
            assert isinstance(public, ec.EllipticCurvePublicKey)
            secret = private.exchange(ec.ECDH(), public)
        else:
            assert isinstance(private, x25519.X25519PrivateKey)
            assert isinstance(public, x25519.X25519PublicKey)
            secret = private.exchange(public)
    return _first_bits(secret, length_bits(asked))


def _first_bits(secret: bytes, bits: int | None) -> bytes:
    if bits is None:
        return secret
    if bits > 8 * len(secret):
        raise CryptoFailed(f"The common secret has {8 * len(secret)} bits, not {bits}.")
    first = bytearray(secret[: (bits + 7) // 8])
    if bits % 8:
        first[-1] &= 0xFF << (8 - bits % 8) & 0xFF
    return bytes(first)
