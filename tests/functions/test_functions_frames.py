"""Frames of a runner: whatever comes, in whatever pieces, is frames of a sane size or an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.functions.frames import HEAD, LARGEST_BYTES, Decoder, Frame, Kind, encode

WORD = st.integers(0, 2**32 - 1)
FRAMES = st.lists(st.tuples(WORD, WORD, WORD, WORD, st.binary(max_size=200), st.binary(max_size=200)), max_size=8)


def packed(kind: int, call: int, seq: int, cpu_us: int, json: bytes, data: bytes) -> bytes:
    return HEAD.pack(len(json) + len(data), kind, call, seq, len(json), cpu_us) + json + data


@given(FRAMES, st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[tuple[int, int, int, int, bytes, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(packed(*frame) for frame in frames)
    decoder = Decoder()
    found: list[Frame] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert [tuple(frame) for frame in found] == frames


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    decoder = Decoder()
    try:
        frames = decoder.feed(data)
    except ValueError:
        return
    assert sum(HEAD.size + len(frame.json) + len(frame.data) for frame in frames) <= len(data)


@pytest.mark.parametrize(("length", "json_length"), [(LARGEST_BYTES + 1, 0), (2**32 - 1, 0), (3, 4), (0, 1)])
def test_a_frame_that_cannot_be_is_refused_at_its_head(length: int, json_length: int) -> None:
    with pytest.raises(ValueError, match="a runner sent"):
        Decoder().feed(HEAD.pack(length, Kind.LOG, 0, 0, json_length, 0))


def test_a_frame_to_a_runner_is_bounded() -> None:
    assert len(encode(Kind.REPLY, 1, 2, None, bytes(LARGEST_BYTES - 4))) == HEAD.size + LARGEST_BYTES
    with pytest.raises(ValueError, match="is the most"):
        encode(Kind.REPLY, 1, 2, None, bytes(LARGEST_BYTES))
