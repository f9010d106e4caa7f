"""Byte strings that do not fit in one frame of the bridge: they come and go in pieces, and wait here in between.

Rule: what waits belongs to one call, is bounded for each site, and is gone when the call ends.
"""

from dataclasses import dataclass, field

from fazt.data.caller import Caller
from fazt.errors import CryptoFailed, InvalidInput
from fazt.functions.webcrypto_input import MAX_BYTES

PIECE_BYTES = 1_048_576
MAX_BYTES_OF_A_SITE = 134_217_728
MAX_STRINGS_OF_A_CALL = 64


@dataclass(slots=True)
class _String:
    data: bytes | bytearray  # the latter grows: more of it may come
    fetched: int = 0


@dataclass(slots=True)
class Held:
    """What one call has waiting here, by number."""

    site_id: int
    strings: dict[int, _String] = field(default_factory=dict)
    last: int = 0
    spent_s: float = 0.0  # CPU time of its slow operations so far
    is_open: bool = True


class Pieces:
    """What all calls have waiting; used from the event loop only."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, str], Held] = {}
        self._bytes: dict[int, int] = {}  # by site; a site without any is not in it

    def of(self, caller: Caller) -> Held:
        """Return what a call has waiting; it is dropped when the call ends."""
        key = caller.site_id, caller.call
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = Held(caller.site_id)
            caller.closers.append(lambda: self._forget(key))
        return held

    def push(self, held: Held, number: int | None, data: bytes) -> int:
        """Add a piece to a byte string, or begin one, and return its number. Raises: CryptoFailed, InvalidInput."""
        if number is None:
            return self.keep(held, bytearray(data))
        so_far = self._find(held, number).data
        if isinstance(so_far, bytes):
            raise InvalidInput("This byte string is complete.")
        if len(so_far) + len(data) > MAX_BYTES:
            raise CryptoFailed(f"One operation of crypto.subtle takes at most {MAX_BYTES} bytes.")
        self._count(held.site_id, len(data))
        so_far += data
        return number

    def keep(self, held: Held, data: bytes | bytearray) -> int:
        """Keep a byte string, which is not copied, and return its number. Raises: CryptoFailed."""
        if not held.is_open:
            raise CryptoFailed("The call that asked for this has ended.")
        if len(held.strings) >= MAX_STRINGS_OF_A_CALL:
            raise CryptoFailed("Too many large operations of crypto.subtle at once: wait for some first.")
        self._count(held.site_id, len(data))
        held.last += 1
        held.strings[held.last] = _String(data)
        return held.last

    def take(self, held: Held, number: int) -> bytes | bytearray:
        """Return a byte string whole and forget it. Raises: InvalidInput."""
        string = self._find(held, number)
        del held.strings[number]
        self._count(held.site_id, -len(string.data))
        return string.data

    def pull(self, held: Held, number: int) -> bytes:
        """Return the next piece of a byte string, which is forgotten with the last one. Raises: InvalidInput."""
        string = self._find(held, number)
        piece = bytes(string.data[string.fetched : string.fetched + PIECE_BYTES])
        string.fetched += len(piece)
        if string.fetched == len(string.data):
            self.take(held, number)
        return piece

    def _find(self, held: Held, number: int) -> _String:
        string = held.strings.get(number)
        if string is None:
            raise InvalidInput("There is no byte string of this number.")
        return string

    def _count(self, site_id: int, more: int) -> None:
        total = self._bytes.get(site_id, 0) + more
        if more > 0 and total > MAX_BYTES_OF_A_SITE:
            raise CryptoFailed("Too many bytes for crypto.subtle at once: wait for some operations first.")
        self._bytes[site_id] = total
        if total == 0:
            del self._bytes[site_id]

    def _forget(self, key: tuple[int, str]) -> None:
        held = self._held.pop(key)
        held.is_open = False
        for number in list(held.strings):
            self.take(held, number)
