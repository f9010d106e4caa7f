"""Large bodies: from chunks, from the spill cache, and what happens when somebody deletes its files."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import World

from fazt.errors import NotFound
from fazt.sites.spill import UNFINISHED, ChunkSource, FileSource, Spill
from fazt.store import blobs, sites
from fazt.store.blobs import Blob

SIZE = 700_000
DATA = bytes(range(251)) * (SIZE // 251)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def put(world: World, data: bytes = DATA) -> Blob:
    hash = world.database.write_blocking(blobs.put, data)
    blob = world.database.read_blocking(blobs.find, hash)
    assert blob is not None
    return blob


def read(source: ChunkSource | FileSource, offset: int, length: int) -> bytes:
    async def all_of_it() -> bytes:
        data = b""
        while len(data) < length:
            piece = await source.read(offset + len(data), length - len(data))
            assert 0 < len(piece) <= 262144
            data += piece
        return data

    return asyncio.run(all_of_it())


def wait_for_copies(spill: Spill) -> None:
    spill._queue.join()


def test_first_chunks_then_a_file(world: World) -> None:
    blob = put(world)
    first, second = world.spill.source(blob), world.spill.source(blob)
    assert first.fileno() is None
    assert second.fileno() is None
    wait_for_copies(world.spill)
    third = world.spill.source(blob)
    descriptor = third.fileno()
    assert descriptor is not None
    assert os.pread(descriptor, SIZE, 0) == DATA
    for source in (first, second, third):
        assert read(source, 0, len(DATA)) == DATA
        assert read(source, 262_000, 1000) == DATA[262_000:263_000]
        assert read(source, len(DATA) - 1, 1) == DATA[-1:]
    statistics = world.spill.statistics()
    assert (statistics.files, statistics.bytes, statistics.copies) == (1, len(DATA), 1)
    assert (statistics.hits, statistics.misses) == (1, 2)


def spilled(world: World, data: bytes = DATA) -> tuple[Blob, FileSource]:
    blob = put(world, data)
    for _ in range(2):
        world.spill.source(blob)
    wait_for_copies(world.spill)
    source = world.spill.source(blob)
    assert isinstance(source, FileSource)
    return blob, source


def test_a_file_may_be_deleted_or_cut_short_while_it_is_sent(world: World, tmp_path: Path) -> None:
    blob, source = spilled(world)
    path = tmp_path / "data.db.cache" / blob.hash.hex()[:2] / blob.hash.hex()
    assert path.stat().st_mode & 0o777 == 0o600
    shutil.rmtree(tmp_path / "data.db.cache")
    assert read(source, 0, len(DATA)) == DATA
    again = world.spill.source(blob)
    assert again.fileno() is None
    assert read(again, 0, len(DATA)) == DATA
    wait_for_copies(world.spill)
    assert world.spill.source(blob).fileno() is not None
    cut = world.spill.source(blob)
    os.truncate(path, 1000)
    assert read(cut, 0, len(DATA)) == DATA
    assert world.spill.source(blob).fileno() is None, "a file of another size is none"


def test_the_folder_is_bounded(tmp_path: Path) -> None:
    world = World(tmp_path, spill_bytes=2_000_000)
    held = [spilled(world, DATA + bytes([n]))[1] for n in range(4)]
    statistics = world.spill.statistics()
    assert (statistics.files, statistics.copies) == (2, 4)
    files = [path for path in (tmp_path / "data.db.cache").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) == statistics.bytes <= 2_000_000
    assert read(held[0], 0, len(DATA)) == DATA
    world.spill.clear()
    assert world.spill.statistics().bytes == 0
    assert not [path for path in (tmp_path / "data.db.cache").rglob("*") if path.is_file()]
    world.close()


def test_a_blob_larger_than_the_folder_is_not_copied(tmp_path: Path) -> None:
    world = World(tmp_path, spill_bytes=1000)
    blob = put(world)
    for _ in range(4):
        assert world.spill.source(blob).fileno() is None
    assert world.spill.statistics().copies == 0
    world.close()


def test_the_last_of_the_disk_is_left_to_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fazt.sites.spill.KEPT_FREE_BYTES", 1 << 60)
    blob = put(world)
    for _ in range(4):
        assert read(world.spill.source(blob), 0, len(DATA)) == DATA
        wait_for_copies(world.spill)
    assert world.spill.statistics().copies == 0


def test_a_copy_that_goes_wrong_is_not_used(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fazt.sites.spill._chunk", lambda connection, hash, n: bytes(10))
    blob = put(world)
    for _ in range(3):
        world.spill.source(blob)
        wait_for_copies(world.spill)
    assert world.spill.source(blob).fileno() is None
    assert "another hash" in caplog.text


def test_files_of_an_earlier_run_are_used_and_unfinished_ones_deleted(world: World, tmp_path: Path) -> None:
    blob, _ = spilled(world)
    folder = tmp_path / "data.db.cache"
    (folder / f"{UNFINISHED}1234").write_bytes(b"half")
    (folder / "somebody-elses.txt").write_bytes(b"mine")
    later = Spill(folder, 10 << 20, world.database)
    assert later.source(blob).fileno() is not None
    later.close()
    assert later.statistics().files == 1
    assert not (folder / f"{UNFINISHED}1234").exists()
    assert (folder / "somebody-elses.txt").exists()
    smaller = Spill(folder, 1000, world.database)
    smaller.close()
    assert smaller.statistics().files == 0


def test_a_deleted_blob_is_not_mistaken_for_the_next(world: World) -> None:
    blob = put(world)
    source = world.spill.source(blob)
    world.database.write_blocking(blobs.collect, 10, -1000)
    other = put(world, DATA[::-1])
    assert other.id == blob.id, "numbers are given out again"
    with pytest.raises(NotFound):
        read(source, 0, 1)


def descriptors_into(folder: Path) -> int:
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one of this very listing
            links.append(os.readlink(link))
    return sum(link.startswith(str(folder)) for link in links)


def test_descriptors_are_given_back(world: World, tmp_path: Path) -> None:
    blob, source = spilled(world)
    sources = [source, *(world.spill.source(blob) for _ in range(20))]
    assert descriptors_into(tmp_path / "data.db.cache") == 21
    del source, sources
    assert descriptors_into(tmp_path / "data.db.cache") == 0


def test_pages_of_large_files(world: World) -> None:
    made = world.deploy("blog", {"large.bin": DATA, "limit.bin": bytes(262144), "over.bin": bytes(262145)})
    assert made.version.bytes == len(DATA) + 262144 + 262145
    assert world.get("/limit.bin").page.body(0) is not None
    assert world.get("/over.bin").page.body(0) is None
    for _ in range(2):
        got = world.get("/large.bin")
        assert got.page.body(0) is None
        assert not got.page.keep, "a page that reads chunks makes way for one that has the file"
        assert got.body == DATA
    wait_for_copies(world.spill)
    got = world.get("/large.bin")
    assert got.page.keep
    assert got.page.source(0).fileno() is not None
    assert got.body == DATA
    assert world.pages.put(b"blog.localhost/large.bin", got.page)
    world.database.write_blocking(sites.remove, "blog")
    assert world.pages.get(b"blog.localhost/large.bin") is None
