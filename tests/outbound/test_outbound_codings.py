"""Content codings, over generated contents, cuts and rubbish."""

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fazt.errors import FetchFailed
from fazt.outbound.codings import DECODERS, PIECE, inflater_for

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=4),
    "zstd": zstandard.compress,
}
CODINGS = st.lists(st.sampled_from(sorted(DECODERS)), min_size=1, max_size=3)
CONTENTS = st.binary(max_size=300) | st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 20_000)).map(
    lambda pair: pair[0] * pair[1]
)


def inflate(codings: str, pieces: list[bytes]) -> bytes:
    inflater = inflater_for(codings)
    assert inflater is not None
    inflated = [part for piece in pieces for part in inflater.feed(piece)]
    inflater.finish()
    assert all(0 < len(part) <= PIECE for part in inflated)
    return b"".join(inflated)


@given(CONTENTS, CODINGS, st.lists(st.integers(1, 5000), min_size=1))
def test_whatever_was_encoded_comes_back_however_it_is_cut(content: bytes, codings: list[str], cuts: list[int]) -> None:
    data = content
    for coding in codings:
        data = ENCODERS[coding](data)
    pieces = []
    while data:
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(data[:size])
        data = data[size:]
    assert inflate(", ".join(codings), pieces) == content


@given(st.binary(max_size=400), CODINGS, CONTENTS, st.integers(0, 400), st.booleans())
def test_rubbish_fails_in_one_way_only(rubbish: bytes, codings: list[str], content: bytes, at: int, cut: bool) -> None:
    data = content
    for coding in codings:
        data = ENCODERS[coding](data)
    damaged = data[:at] if cut else data[:at] + rubbish + data[at + len(rubbish) :]
    with contextlib.suppress(FetchFailed):
        inflate(", ".join(codings), [damaged])


@pytest.mark.parametrize("coding", sorted(DECODERS))
def test_what_breaks_off_is_noticed(coding: str) -> None:
    data = ENCODERS[coding](b"content " * 1000)
    for size in range(1, len(data)):
        with pytest.raises(FetchFailed):
            inflate(coding, [data[:size]])


@pytest.mark.parametrize("codings", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "br, zstd"])
def test_a_bomb_takes_no_more_memory_than_its_pieces(codings: str) -> None:
    data = bytes(50_000_000)
    for coding in codings.split(", "):
        data = ENCODERS[coding](data)
    inflater = inflater_for(codings)
    assert inflater is not None
    tracemalloc.start()
    try:
        for size, piece in enumerate(inflater.feed(data)):
            assert len(piece) <= PIECE
            if size == 100:
                break
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_what_is_no_coding_of_ours() -> None:
    for text in ("", "identity", " , identity,", "x-own", "gzip, x-own", "compress"):
        assert inflater_for(text) is None
    with pytest.raises(FetchFailed, match="more than 3"):
        inflater_for("gzip, gzip, br, zstd")


def test_what_follows_gzip_and_is_not_gzip_is_ignored() -> None:
    assert inflate("gzip", [gzip.compress(b"content") + b"\0\0\0 rubbish"]) == b"content"
