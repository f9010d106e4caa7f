"""Packs: what was put in comes out, and anything else is refused whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidInput
from fazt.sites.pack import HEAD, MAX_CHUNK_BYTES, Piece, decode, encode

PIECES = st.lists(
    st.builds(
        Piece,
        st.binary(min_size=32, max_size=32),
        st.integers(0, 1 << 62),
        st.integers(0, (1 << 32) - 1),
        st.binary(max_size=300),
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=100)
@given(PIECES)
def test_what_was_put_in_comes_out(pieces: list[Piece]) -> None:
    assert decode(encode(pieces)) == pieces


@settings(deadline=None, max_examples=100)
@given(PIECES, st.data())
def test_a_pack_that_was_cut_is_refused_or_shorter(pieces: list[Piece], data: st.DataObject) -> None:
    whole = encode(pieces)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    ends = [len(encode(pieces[:count])) for count in range(len(pieces) + 1)]
    if len(cut) in ends:
        assert decode(cut) == pieces[: ends.index(len(cut))]
    else:
        with pytest.raises(InvalidInput, match="ends in the middle"):
            decode(cut)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_anything_is_a_pack_or_refused(data: bytes) -> None:
    try:
        pieces = decode(data)
    except InvalidInput:
        return
    assert encode(pieces) == data


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (HEAD.pack(bytes(32), 1, 0, MAX_CHUNK_BYTES + 1) + bytes(MAX_CHUNK_BYTES + 1), "at most"),
        (HEAD.pack(bytes(32), (1 << 62) + 1, 0, 0), "cannot be"),
        (HEAD.pack(bytes(32), 1, 0, 2) + b"x", "middle of a chunk"),
        (b"x", "middle of a head"),
    ],
)
def test_what_does_not_add_up_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        decode(data)
