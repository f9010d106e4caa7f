"""What a script asks of WebCrypto, read with suspicion: a JSON value, and byte strings packed one after the other.

Owns the reading and the limits that hold for every operation; what is asked means something to the other `webcrypto_`
modules only. Rule: whatever a script sends, nothing but a FaztError comes out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from cryptography.exceptions import InternalError, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap

from fazt.errors import CryptoFailed, FaztError, InvalidInput

MAX_BYTES = 33_554_432  # of one operation, keys and all
MAX_PARTS = 8
MAX_UNSIGNED = 2**32 - 1  # of WebIDL's `unsigned long`

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hash:
    """One of WebCrypto's hash functions, as each library calls it."""

    openssl: str
    bytes: int
    algorithm: hashes.HashAlgorithm


HASHES: Mapping[str, Hash] = {
    "SHA-1": Hash("sha1", 20, hashes.SHA1()),  # noqa: S303  the standard has it; nothing here chooses it
    "SHA-256": Hash("sha256", 32, hashes.SHA256()),
    "SHA-384": Hash("sha384", 48, hashes.SHA384()),
    "SHA-512": Hash("sha512", 64, hashes.SHA512()),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation as it was asked for: `value` without meaning yet, `parts` its byte strings in order."""

    value: dict[str, Any]
    algorithm: dict[str, Any]
    name: str
    parts: tuple[memoryview, ...]

    @property
    def size(self) -> int:
        """The number of bytes of all parts together."""
        return sum(len(part) for part in self.parts)

    def take(self, count: int) -> tuple[memoryview, ...]:
        """Return the parts, which must be `count`."""
        if len(self.parts) != count:
            raise InvalidInput(f"{self.name} takes {count} byte strings here, not {len(self.parts)}.")
        return self.parts

    def number(self, key: str, low: int, high: int) -> int:
        """Return a whole number of the algorithm's parameters."""
        return whole_number(self.algorithm.get(key), key, low, high)

    def choice(self, key: str, table: Mapping[str, T]) -> T:
        """Return what a table has under a word of the algorithm's parameters."""
        return look_up(self.algorithm.get(key), key, table)

    @property
    def hash(self) -> Hash:
        """The hash function of the algorithm's parameters."""
        return self.choice("hash", HASHES)


def read_value(value: Any) -> dict[str, Any]:
    """Return the JSON value of an operation. Raises: InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput("An operation of crypto takes an object.")
    return value


def read(value: dict[str, Any], data: bytes | bytearray) -> Asked:
    """Return what was asked. Raises: InvalidInput, CryptoFailed."""
    algorithm = value.get("algorithm")
    if not isinstance(algorithm, dict) or not isinstance(name := algorithm.get("name"), str):
        raise InvalidInput("algorithm must be an object with a name.")
    if len(data) > MAX_BYTES:
        raise CryptoFailed(f"One operation of crypto.subtle takes at most {MAX_BYTES} bytes, not {len(data)}.")
    return Asked(value, algorithm, name, _split(value.get("lengths", []), data))


def _split(lengths: Any, data: bytes | bytearray) -> tuple[memoryview, ...]:
    if not isinstance(lengths, list) or len(lengths) > MAX_PARTS:
        raise InvalidInput(f"lengths must be a list of at most {MAX_PARTS} numbers.")
    counts = [whole_number(length, "lengths", 0, MAX_BYTES) for length in lengths]
    if sum(counts) != len(data):
        raise InvalidInput("lengths do not add up to the bytes that came with them.")
    parts, at, view = [], 0, memoryview(data)
    for count in counts:
        parts.append(view[at : at + count])
        at += count
    return tuple(parts)


def whole_number(value: Any, what: str, low: int, high: int) -> int:
    """Return a value that must be a whole number between two others."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(f"{what} must be a whole number from {low} to {high}.")
    return value


def look_up(value: Any, what: str, table: Mapping[str, T]) -> T:
    """Return what a table has under a word that must be in it."""
    if not isinstance(value, str) or value not in table:
        raise InvalidInput(f"{what} must be one of {', '.join(table)}.")
    return table[value]


# What the library raises where it was given nonsense. A fault of OpenSSL that it cannot name is an InternalError.
_REFUSALS = (ValueError, TypeError, OverflowError, InvalidTag, InvalidUnwrap, UnsupportedAlgorithm, InternalError)


@contextmanager
def otherwise(kind: type[FaztError], message: str) -> Iterator[None]:
    """Turn what the library refuses into an error of ours. The cause is dropped: it may quote what is secret."""
    try:
        yield
    except _REFUSALS:
        raise kind(message) from None
