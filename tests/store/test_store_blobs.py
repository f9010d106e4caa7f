"""Blobs: chunks, hashes, variants, collection."""

import hashlib
import os
from collections.abc import Callable

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import FaztError, InvalidInput, NotFound
from fazt.store import blobs, changes, schema, sites, versions
from fazt.store.blobs import CHUNK_BYTES

Make = Callable[..., versions.Version]
LONG = os.urandom(2 * CHUNK_BYTES + 77)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def chunk(data: bytes, n: int) -> bytes:
    return data[n * CHUNK_BYTES : (n + 1) * CHUNK_BYTES]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_content_comes_back_as_it_was(connection: apsw.Connection, size: int) -> None:
    data = os.urandom(size)
    hash = blobs.put(connection, data)
    blob = blobs.find(connection, hash)
    assert blob is not None
    assert (blob.hash, blob.size) == (sha(data), size)
    assert blobs.read_all(connection, blob.id) == data
    for n in range(blobs.chunk_count(size)):
        assert blobs.read_chunk(connection, blob.id, n) == chunk(data, n)
    assert blobs.put(connection, data) == hash
    assert blobs.totals(connection) == (1, size)


def test_chunks_in_any_order_make_a_blob(connection: apsw.Connection) -> None:
    hash = sha(LONG)
    assert not blobs.put_chunk(connection, hash, len(LONG), 2, chunk(LONG, 2))
    assert blobs.find(connection, hash) is None
    assert blobs.missing(connection, [(hash, len(LONG))]) == [blobs.Missing(hash, len(LONG), (0, 1))]
    assert not blobs.put_chunk(connection, hash, len(LONG), 0, chunk(LONG, 0))
    assert not blobs.put_chunk(connection, hash, len(LONG), 0, chunk(LONG, 0))
    assert blobs.put_chunk(connection, hash, len(LONG), 1, chunk(LONG, 1))
    assert not blobs.put_chunk(connection, hash, len(LONG), 1, chunk(LONG, 1))
    blob = blobs.find(connection, hash)
    assert blob is not None
    assert blobs.read_all(connection, blob.id) == LONG
    assert blobs.missing(connection, [(hash, len(LONG))]) == []


@pytest.mark.parametrize(
    ("size", "n", "data", "named"),
    [
        (5, 0, b"other", "another hash"),
        (5, 1, b"right", "none with number 1"),
        (5, -1, b"right", "none with number -1"),
        (5, 0, b"righ", "must have 5 bytes, not 4"),
        (5, 0, b"rights", "must have 5 bytes, not 6"),
        (-1, 0, b"", "cannot have -1 bytes"),
        (CHUNK_BYTES + 5, 1, b"four", "must have 5 bytes, not 4"),
    ],
)
def test_a_wrong_chunk_is_refused(connection: apsw.Connection, size: int, n: int, data: bytes, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        blobs.put_chunk(connection, sha(b"right"), size, n, data)
    assert blobs.totals(connection) == (0, 0)


def test_a_hash_has_32_bytes(connection: apsw.Connection) -> None:
    with pytest.raises(InvalidInput, match="32 bytes"):
        blobs.put_chunk(connection, b"short", 5, 0, b"right")
    with pytest.raises(InvalidInput, match="32 bytes"):
        blobs.missing(connection, [(b"short", 5)])


def test_a_blob_of_a_wrong_hash_is_forgotten(connection: apsw.Connection) -> None:
    hash = sha(b"something else")
    for n in (0, 1):
        blobs.put_chunk(connection, hash, len(LONG), n, chunk(LONG, n))
    with pytest.raises(InvalidInput, match="another hash"):
        blobs.put_chunk(connection, hash, len(LONG), 2, chunk(LONG, 2))
    assert blobs.missing(connection, [(hash, len(LONG))]) == [blobs.Missing(hash, len(LONG), None)]
    assert connection.execute("SELECT count(*) FROM chunk").fetchall() == [(0,)]


def test_missing_names_each_once_and_refuses_two_sizes(connection: apsw.Connection) -> None:
    hash = blobs.put(connection, b"here")
    absent = sha(b"absent")
    wanted = [(absent, 6), (hash, 4), (absent, 6)]
    assert blobs.missing(connection, wanted) == [blobs.Missing(absent, 6, None)]
    with pytest.raises(InvalidInput, match="two sizes, 4 and 5"):
        blobs.missing(connection, [(hash, 4), (hash, 5)])
    with pytest.raises(InvalidInput, match="has 4 bytes, not 5"):
        blobs.missing(connection, [(hash, 5)])
    with pytest.raises(InvalidInput, match="has 4 bytes, not 400000"):
        blobs.put_chunk(connection, hash, 400_000, 0, bytes(CHUNK_BYTES))


def test_an_unfinished_upload_of_another_size_is_not_in_the_way(connection: apsw.Connection) -> None:
    hash = sha(LONG)
    blobs.put_chunk(connection, hash, 2 * CHUNK_BYTES, 0, bytes(CHUNK_BYTES))
    assert blobs.missing(connection, [(hash, len(LONG))]) == [blobs.Missing(hash, len(LONG), None)]
    results = [blobs.put_chunk(connection, hash, len(LONG), n, chunk(LONG, n)) for n in range(3)]
    assert results == [False, False, True]


def test_put_finishes_an_unfinished_upload(connection: apsw.Connection) -> None:
    blobs.put_chunk(connection, sha(LONG), len(LONG), 0, chunk(LONG, 0))
    blobs.put(connection, LONG)
    assert blobs.totals(connection) == (1, len(LONG))


def test_what_is_gone_is_not_found(connection: apsw.Connection) -> None:
    calls: list[Callable[[], object]] = [
        lambda: blobs.read_all(connection, 7),
        lambda: blobs.read_chunk(connection, 7, 0),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert blobs.find(connection, sha(b"nothing")) is None
    assert blobs.variants(connection, 7) == []


def test_variants_are_made_once(connection: apsw.Connection, make_version: Make) -> None:
    make_version(connection, "blog", {"index.html": b"text " * 100, "copy.html": b"text " * 100}, live=True)
    make_version(connection, "draft", {"index.html": b"text " * 100})
    (waiting,) = blobs.to_compress(connection, 10)
    assert waiting.path in ("index.html", "copy.html")
    seq = changes.last(connection)
    assert blobs.add_variants(connection, waiting.blob.id, [("br", b"short"), ("gzip", b"longer")]) == ["blog"]
    assert [(change.kind, change.key) for change in changes.since(connection, seq)] == [("site", "blog")]
    assert blobs.to_compress(connection, 10) == []
    coded = blobs.variants(connection, waiting.blob.id)
    assert [variant.encoding for variant in coded] == ["br", "gzip"]
    assert [blobs.read_all(connection, variant.blob.id) for variant in coded] == [b"short", b"longer"]


def test_what_is_not_worth_compressing_is_not_offered_again(connection: apsw.Connection, make_version: Make) -> None:
    make_version(connection, "blog", {"a": b"1", "b": b"2"}, live=True)
    seq = changes.last(connection)
    for waiting in blobs.to_compress(connection, 10):
        assert blobs.add_variants(connection, waiting.blob.id, []) == []
    assert blobs.to_compress(connection, 10) == []
    assert changes.last(connection) == seq
    assert blobs.add_variants(connection, 99, [("br", b"x")]) == []


def test_only_public_files_are_compressed(connection: apsw.Connection) -> None:
    hash = blobs.put(connection, b"secret")
    site = sites.create(connection, "blog")
    files = [versions.NewFile("api/a.js", hash, False)]
    versions.create(connection, site.id, files, rules=b"", message="", source="", parent=None)
    assert blobs.to_compress(connection, 10) == []


def test_collection_takes_what_nothing_uses(connection: apsw.Connection, make_version: Make) -> None:
    version = make_version(connection, "blog", {"index.html": b"kept"}, live=True)
    blobs.put(connection, b"dropped")
    blobs.put_chunk(connection, sha(LONG), len(LONG), 0, chunk(LONG, 0))
    assert blobs.collect(connection, 10, 60_000) == blobs.Collected(0, 0)
    assert blobs.collect(connection, 1, 0).blobs == 1
    assert blobs.collect(connection, 10, 0).blobs == 1
    assert blobs.collect(connection, 10, 0) == blobs.Collected(0, 0)
    assert connection.execute("SELECT count(*) FROM chunk").fetchall() == [(1,)]
    assert blobs.read_all(connection, versions.files(connection, version.number, None, 1)[0].blob_id) == b"kept"


def test_collection_takes_the_variants_with_their_blob(connection: apsw.Connection, make_version: Make) -> None:
    make_version(connection, "blog", {"index.html": b"text"}, live=True)
    (waiting,) = blobs.to_compress(connection, 1)
    blobs.add_variants(connection, waiting.blob.id, [("br", b"coded"), ("zstd", b"other")])
    assert blobs.collect(connection, 10, 0) == blobs.Collected(0, 0)
    sites.remove(connection, "blog")
    assert blobs.collect(connection, 10, 0) == blobs.Collected(3, 14)
    assert blobs.totals(connection) == (0, 0)


def test_a_content_that_is_a_variant_elsewhere_is_kept(connection: apsw.Connection, make_version: Make) -> None:
    make_version(connection, "blog", {"index.html": b"text"}, live=True)
    make_version(connection, "other", {"text.br": b"coded"}, live=True)
    text = next(waiting for waiting in blobs.to_compress(connection, 9) if waiting.path == "index.html")
    blobs.add_variants(connection, text.blob.id, [("br", b"coded")])
    sites.remove(connection, "other")
    assert blobs.collect(connection, 10, 0).blobs == 0
    sites.remove(connection, "blog")
    assert blobs.collect(connection, 10, 0).blobs == 2


def test_being_asked_for_spares_from_collection(connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000]
    monkeypatch.setattr(blobs, "now_ms", lambda: now[0])
    hash = blobs.put(connection, b"wanted")
    blobs.put(connection, b"unwanted")
    now[0] += 5000
    blobs.missing(connection, [(hash, 6)])
    now[0] += 5000
    assert blobs.collect(connection, 10, 6000) == blobs.Collected(1, 8)
    assert blobs.find(connection, hash) is not None


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 3 * CHUNK_BYTES), st.randoms(use_true_random=False), st.data())
def test_uploads_of_any_size_and_order(size: int, random: object, data: st.DataObject) -> None:
    connection = apsw.Connection(":memory:")
    for _, sql in schema.migrations():
        connection.execute(sql)
    content = random.randbytes(size)  # type: ignore[attr-defined]
    count = blobs.chunk_count(size)
    order = data.draw(st.permutations(range(count)))
    for position, n in enumerate(order):
        piece = chunk(content, n)
        with pytest.raises(FaztError):
            blobs.put_chunk(connection, sha(content), size, n, piece + b"x")
        assert blobs.put_chunk(connection, sha(content), size, n, piece) == (position == count - 1)
    blob = blobs.find(connection, sha(content))
    assert blob is not None
    assert blobs.read_all(connection, blob.id) == content
    connection.close()
