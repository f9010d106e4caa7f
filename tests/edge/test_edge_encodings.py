"""Accept-Encoding (RFC 9110 12.5.3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.edge.encodings import preferences

GZIP, BR, ZSTD, ALL, IDENTITY = 1, 2, 4, 7, 0
CASES = [
    (None, (IDENTITY,)),
    ("", (IDENTITY,)),
    ("gzip", (GZIP, IDENTITY)),
    ("GZip", (GZIP, IDENTITY)),
    ("x-gzip", (GZIP, IDENTITY)),
    ("gzip, br", (GZIP | BR, IDENTITY)),
    ("gzip, deflate, br, zstd", (ALL, IDENTITY)),
    ("gzip;q=0.5, br", (BR, GZIP, IDENTITY)),
    ("gzip ; q = 0.5 , br", (BR, GZIP, IDENTITY)),
    ("gzip;Q=0.5, br", (BR, GZIP, IDENTITY)),
    ("gzip;q=0", (IDENTITY,)),
    ("gzip;q=0.000", (IDENTITY,)),
    ("gzip;q=1.000", (GZIP, IDENTITY)),
    ("*", (ALL, IDENTITY)),
    ("*;q=0", (IDENTITY,)),
    ("*;q=0.1, br", (BR, GZIP | ZSTD, IDENTITY)),
    ("br;q=0, *", (GZIP | ZSTD, IDENTITY)),
    ("identity", (IDENTITY,)),
    ("identity, gzip", (GZIP, IDENTITY)),
    ("identity, gzip;q=0.5", (IDENTITY, GZIP)),
    ("identity;q=0.5, gzip;q=0.4, br;q=0.6", (BR, IDENTITY, GZIP)),
    ("identity;q=0", (IDENTITY,)),
    ("identity;q=0, *;q=0", (IDENTITY,)),
    ("identity;q=0, gzip", (GZIP, IDENTITY)),
    ("gzip;q=1.1", (IDENTITY,)),
    ("gzip;q=0.1234", (IDENTITY,)),
    ("gzip;q=-1", (IDENTITY,)),
    ("gzip;q=", (IDENTITY,)),
    ("gzip;level=9", (IDENTITY,)),
    ("gzip, , br", (GZIP | BR, IDENTITY)),
    ("gzip br", (IDENTITY,)),
    ("gzip, gzip;q=0", (GZIP, IDENTITY)),
    ("compress, deflate", (IDENTITY,)),
    ("gzip," * 2000, (GZIP, IDENTITY)),
]


@pytest.mark.parametrize(("value", "masks"), CASES, ids=lambda value: str(value)[:40])
def test_preferences(value: str | None, masks: tuple[int, ...]) -> None:
    assert preferences(value) == masks


names = st.sampled_from(
    ["gzip", "br", "zstd", "identity", "*", "deflate", ";q=0", ";q=0.5", ";q=1", ",", " ", "x", ";"]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=30), st.lists(names, max_size=12).map("".join)))
def test_it_never_raises_and_ends_with_something_that_is_always_there(value: str) -> None:
    masks = preferences(value)
    assert IDENTITY in masks
    named = [mask for mask in masks if mask]
    assert sum(named) == (named[0] | sum(named[1:]) if named else 0)  # no coding twice
    assert all(0 <= mask <= ALL for mask in masks)
