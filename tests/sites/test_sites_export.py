"""A version as a tar: the same bytes each time, and readable by others."""

import asyncio
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import World, as_bytes

from fazt.errors import NotFound
from fazt.sites.export import tar_of
from fazt.store import sites
from fazt.store.versions import Version

FILES = {
    "index.html": "home",
    "empty.txt": "",
    "api/hello.js": "private",
    "exact.bin": bytes(512),
    "limit.bin": bytes(262144),
    "large.bin": bytes(range(256)) * 3000,
    "long/" + "x" * 120 + "/" + "y" * 120 + ".txt": "long",
    "ünï/cödé.txt": "unicode",
} | {f"many/{n:04}.txt": f"{n}" for n in range(1100)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


async def pieces_of(world: World, version: Version) -> list[bytes]:
    return [piece async for piece in tar_of(world.database, version)]


def test_export(world: World) -> None:
    version = world.deploy("blog", FILES).version
    pieces = asyncio.run(pieces_of(world, version))
    assert max(map(len, pieces)) < 400_000
    data = b"".join(pieces)
    assert data == b"".join(asyncio.run(pieces_of(world, version)))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        read = {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]
    assert read == as_bytes(FILES)
    assert {(member.uid, member.gid, member.mode, member.mtime) for member in members} == {
        (0, 0, 0o644, version.created_at // 1000)
    }


def test_an_empty_version(world: World) -> None:
    version = world.deploy("blog", {}).version
    assert asyncio.run(pieces_of(world, version)) == [bytes(1024)]


def test_a_version_that_goes_away(world: World) -> None:
    version = world.deploy("blog", {"a.bin": bytes(600_000)}).version

    async def read_and_remove() -> None:
        stream = tar_of(world.database, version)
        await anext(stream)
        await anext(stream)

        def remove(connection: object) -> None:
            from fazt.store import blobs

            sites.remove(connection, "blog")  # type: ignore[arg-type]
            blobs.collect(connection, 10, -1000)  # type: ignore[arg-type]

        await world.database.write(remove)
        await anext(stream)

    with pytest.raises(NotFound):
        asyncio.run(read_and_remove())
