"""Variants made in the background: which blobs get them, that they decode, and that stopping is quick."""

import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
import zstandard
from serving import BROTLI, GZIP, ZSTD, World

from fazt.sites.compress import Compressor, is_worth_it
from fazt.store import blobs, changes

TEXT = "".join(f"<p>line {n} of a page</p>\n" for n in range(2000))
DECODERS = {
    BROTLI: brotli.decompress,
    GZIP: gzip.decompress,
    ZSTD: lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_each_coding_decodes_to_the_file(world: World) -> None:
    world.deploy("blog", {"index.html": TEXT, "noise.txt": os.urandom(5000), "tiny.css": "a{}", "x.png": TEXT})
    assert Compressor(world.database).drain() == 3  # x.png has the content of index.html
    assert Compressor(world.database).drain() == 0
    for coding, decode in DECODERS.items():
        got = world.get("/", coding=coding)
        assert decode(got.body) == TEXT.encode()
        assert len(got.body) < len(TEXT) / 5
        assert got.headers["vary"] == "Accept-Encoding"
    for path in ("/noise.txt", "/tiny.css", "/x.png"):
        assert "content-encoding" not in world.get(path, coding=7).headers


def test_a_group_is_one_change_of_its_site(world: World) -> None:
    world.deploy("blog", {f"{n}.txt": f"{n} {TEXT[:600]}" for n in range(20)})
    before = world.database.read_blocking(changes.last)
    Compressor(world.database).drain()
    assert 0 < world.database.read_blocking(changes.last) - before <= 20
    assert "content-encoding" in world.get("/7.txt", coding=BROTLI).headers


def test_private_files_are_left_alone(world: World) -> None:
    world.deploy("blog", {"index.html": "x", "api/hello.js": TEXT})
    Compressor(world.database).drain()
    assert world.database.read_blocking(blobs.totals)[0] == 2


@pytest.mark.parametrize(
    ("size", "coded", "worth"), [(1000, 950, False), (1000, 936, True), (10000, 9600, False), (10000, 9500, True)]
)
def test_what_saves_too_little_is_not_kept(size: int, coded: int, worth: bool) -> None:
    assert is_worth_it(size, coded) is worth


def wait_until_compressed(world: World, path: str) -> None:
    deadline = time.monotonic() + 30
    while "content-encoding" not in world.get(path, coding=BROTLI).headers:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the thread gives no sign of its own


def test_the_thread_wakes_for_new_files_and_stops(world: World) -> None:
    compressor = Compressor(world.database)
    world.deploy("blog", {"index.html": TEXT})
    compressor.start()
    wait_until_compressed(world, "/")
    world.deploy("blog", {"index.html": TEXT + "more"})
    compressor.wake()
    wait_until_compressed(world, "/")
    compressor.stop()


def test_stopping_does_not_wait_for_a_large_blob(world: World) -> None:
    large = b"".join(b"%d %s\n" % (n, os.urandom(6).hex().encode()) for n in range(500_000))
    world.deploy("blog", {"large.txt": large})
    compressor = Compressor(world.database)
    compressor.start()
    began = time.monotonic()
    compressor.stop()
    assert time.monotonic() - began < 5
    assert "content-encoding" not in world.get("/large.txt", coding=7).headers


def test_a_closed_database_ends_nothing_badly(world: World, caplog: pytest.LogCaptureFixture) -> None:
    compressor = Compressor(world.database)
    world.deploy("blog", {"index.html": TEXT})
    world.database.close()
    compressor.start()
    compressor.stop()
    assert "Traceback" not in caplog.text
