"""Content codings of answers that Fazt fetches: gzip, deflate, br, zstd, inflated piece by piece.

Rule: no step inflates more than about PIECE bytes (zstd: ZSTD_STEP's worst case), however small the input is, so that
whoever counts what comes out can stop a bomb in time. RFC 9110 8.4.1, RFC 8878, the Fetch standard's "handle content
codings".
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
import zstandard

from fazt.errors import FetchFailed

PIECE = 65_536  # bytes
MAX_CODINGS = 3  # one upon the other
ZSTD_WINDOW = 8 * 1024 * 1024  # RFC 9659: what every decoder on the web must take, and none has to go beyond
ZSTD_STEP = 128  # bytes of input; four can stand for 128 KiB, and the library has no limit of its own for output


class Decoder(Protocol):
    """One coding being undone."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the bytes inflate to."""

    def is_complete(self) -> bool:
        """Tell whether the coding's own end was reached."""


class _Zlib:
    """gzip (several members in a row are one content, RFC 1952 2.2) and deflate, with zlib's frame or bare."""

    def __init__(self, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._inner: zlib._Decompress | None = None
        self._ended = False  # at least one member is complete
        self._over = False  # what follows the last member is not gzip: ignored, as browsers do

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._over:
            if self._inner is None:
                self._inner = zlib.decompressobj(_window_bits(self._is_gzip, data[0]))
            try:
                yield from self._drain(data)
            except zlib.error:
                if not self._ended:
                    raise
                self._over = True
                return
            data = b""
            if self._inner.eof:
                data, self._inner, self._ended = self._inner.unused_data, None, True
                self._over = not self._is_gzip

    def _drain(self, data: bytes) -> Iterator[bytes]:
        assert self._inner is not None
        while True:
            piece = self._inner.decompress(data, PIECE)
            data = self._inner.unconsumed_tail
            if piece:
                yield piece
            if self._inner.eof or (not data and len(piece) < PIECE):
                return

    def is_complete(self) -> bool:
        return self._ended


class _Brotli:
    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while not self._inner.is_finished():
            piece = self._inner.process(data, output_buffer_limit=PIECE)
            data = b""
            if piece:
                yield piece
            if len(piece) < PIECE and self._inner.can_accept_more_data():
                return  # a full piece means that more is waiting, even where all input was taken

    def is_complete(self) -> bool:
        return bool(self._inner.is_finished())


class _Zstandard:
    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
        self._inner = self._context.decompressobj(write_size=PIECE)
        self._ended = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), ZSTD_STEP):
            rest = data[start : start + ZSTD_STEP]
            while rest:
                if self._inner.eof:  # several frames in a row are one content
                    self._inner = self._context.decompressobj(write_size=PIECE)
                piece = self._inner.decompress(rest)
                rest = self._inner.unused_data if self._inner.eof else b""
                self._ended = self._inner.eof
                if piece:
                    yield piece

    def is_complete(self) -> bool:
        return self._ended


def _window_bits(is_gzip: bool, first: int) -> int:
    if is_gzip:
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS  # some servers send deflate without its frame


DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": lambda: _Zlib(is_gzip=True),
    "x-gzip": lambda: _Zlib(is_gzip=True),
    "deflate": lambda: _Zlib(is_gzip=False),
    "br": _Brotli,
    "zstd": _Zstandard,
}
ACCEPTED = "gzip, deflate, br, zstd"


class Inflater:
    """The codings of one answer being undone, the last one applied first."""

    def __init__(self, codings: list[str]) -> None:
        self._decoders = [DECODERS[coding]() for coding in reversed(codings)]
        self._is_fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield pieces of the content.

        Raises: FetchFailed, while iterating.
        """
        self._is_fed = True
        try:
            yield from self._through(data, 0)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise FetchFailed("The answer's body is not what its Content-Encoding says.") from error

    def _through(self, data: bytes, level: int) -> Iterator[bytes]:
        if level == len(self._decoders):
            for start in range(0, len(data), PIECE):
                yield data[start : start + PIECE]
            return
        for piece in self._decoders[level].feed(data):
            yield from self._through(piece, level + 1)

    def finish(self) -> None:
        """Check that the content did not break off; an empty body needs no end.

        Raises: FetchFailed.
        """
        if self._is_fed and not all(decoder.is_complete() for decoder in self._decoders):
            raise FetchFailed("The answer's body breaks off in the middle of its Content-Encoding.")


def inflater_for(content_encoding: str) -> Inflater | None:
    """Return what undoes a Content-Encoding; None where there is none, or one that is not known and stays as it is.

    Raises: FetchFailed for more codings than anybody uses.
    """
    codings = [coding for part in content_encoding.lower().split(",") if (coding := part.strip(" \t"))]
    codings = [coding for coding in codings if coding != "identity"]
    if not codings or any(coding not in DECODERS for coding in codings):
        return None
    if len(codings) > MAX_CODINGS:
        raise FetchFailed(f"The answer's body has more than {MAX_CODINGS} content codings.")
    return Inflater(codings)
