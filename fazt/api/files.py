"""One file of a site: read, written, deleted; and a whole folder as an archive. Each write makes a version.

Rule: whoever writes a file says which version they saw, so that nobody's work is lost without a word.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import apsw
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse

from fazt.api import shapes
from fazt.api.access import Deployer, Reader
from fazt.api.answers import Answer, answer
from fazt.api.description import sends
from fazt.api.preconditions import IfMatch, check_is_live, seen_version
from fazt.api.publishing import UNCHANGED, Publisher, may_create
from fazt.auth.tokens import Principal
from fazt.errors import InvalidInput, NotFound, TooLarge
from fazt.sites import deploy
from fazt.sites.archive import read_archive
from fazt.sites.deploy import LIVE, Deploy, Deployed, WantedFile
from fazt.sites.local_file import ArchiveLimits, LocalFile
from fazt.sites.names import check_path
from fazt.sites.spill import ChunkSource
from fazt.store import blobs, sites, versions
from fazt.store.blobs import CHUNK_BYTES, Blob
from fazt.store.database import Database
from fazt.store.versions import Version

ONE = "/api/sites/{site}/files/{path:path}"
OF_VERSION = "/api/sites/{site}/versions/{version}/files/{path:path}"
UPLOAD = "/api/sites/{site}/upload"
SOURCE = "dashboard"
NO_LIMIT = -1
WRITE_BYTES = 4 << 20  # of contents in one transaction
SPARE_BYTES = 64 << 20  # of an archive's own headers
BINARY = {"type": "string", "format": "binary"}


class Files:
    """The calls about single files, and the upload of an archive."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        raw = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}}
        archive = {"application/zip": {"schema": BINARY}, "application/x-tar": {"schema": BINARY}}
        app.add_api_route(OF_VERSION, self.read, methods=["GET"], responses=sends("application/octet-stream"))
        app.add_api_route(ONE, self.write, methods=["PUT"], status_code=201, responses=UNCHANGED, openapi_extra=raw)
        app.add_api_route(ONE, self.remove, methods=["DELETE"], status_code=201)
        app.add_api_route(
            UPLOAD,
            self.upload,
            methods=["POST"],
            status_code=201,
            responses=UNCHANGED,
            openapi_extra={"requestBody": {"required": True, "content": archive}},
        )

    async def read(self, caller: Reader, site: str, version: str, path: str, request: Request) -> Response:
        """Send a file of a version as it was deployed, private ones too."""
        blob = await self._database.read(_find_file, site, version, path)
        etag = f'"{blob.hash.hex()}"'
        headers = {"ETag": etag, "Content-Disposition": "attachment", "Content-Length": str(blob.size)}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return StreamingResponse(_pieces(self._database, blob), headers=headers, media_type="application/octet-stream")

    async def write(
        self, caller: Deployer, site: str, path: str, request: Request, if_match: IfMatch = None
    ) -> Answer[shapes.Deployed]:
        """Write a file: a version with it goes live. `If-Match` is the id of the version that was seen, in quotes."""
        check_path(path)
        data = await request.body()
        content = await self._database.write(blobs.put, data)
        new = WantedFile(path, content, len(data))
        return await self._replace(caller, site, path, new, if_match)

    async def remove(self, caller: Deployer, site: str, path: str, if_match: IfMatch = None) -> Answer[shapes.Deployed]:
        """Delete a file: a version without it goes live. `If-Match` as for writing."""
        return await self._replace(caller, site, path, None, if_match)

    async def upload(
        self,
        caller: Deployer,
        site: str,
        request: Request,
        message: Annotated[str, Query(max_length=2000)] = "",
        preview: bool = False,
    ) -> Answer[shapes.Deployed]:
        """Deploy a ZIP or a tar of a folder: what it holds is the whole new version."""
        limits = self._publisher.limits()
        with tempfile.TemporaryDirectory(prefix="fazt-") as folder:
            place = Path(folder, "upload")
            await _receive(request, place, limits.max_total_bytes + SPARE_BYTES)
            found = await asyncio.to_thread(_unpack, place, limits)
            wanted = Deploy(
                site,
                tuple(WantedFile(file.path, file.hash, file.size) for file in found),
                message,
                SOURCE,
                live=not preview,
                create=may_create(caller, site),
            )
            self._publisher.check(wanted)
            await self._store(wanted, found)
        return await self._publish(caller, wanted, None)

    async def _store(self, wanted: Deploy, found: list[LocalFile]) -> None:
        """Put those contents into the store that it lacks."""
        lacking = {each.hash for each in await self._database.write(deploy.missing, wanted)}
        batch: list[tuple[bytes, int, int, bytes]] = []
        for file in found:
            if file.hash not in lacking:
                continue
            lacking.discard(file.hash)
            with file.open() as stream:
                for n in range(blobs.chunk_count(file.size)):
                    data = await asyncio.to_thread(stream.read, CHUNK_BYTES)
                    batch.append((file.hash, file.size, n, data))
                    if len(batch) * CHUNK_BYTES >= WRITE_BYTES:
                        await self._database.write(_put, batch)
                        batch = []
        if batch:
            await self._database.write(_put, batch)

    async def _replace(
        self, caller: Principal, site: str, path: str, new: WantedFile | None, if_match: str | None
    ) -> Answer[shapes.Deployed]:
        seen = seen_version(if_match)
        present = await self._database.read(_live_files, site, seen)
        if new is None and path not in present:
            raise NotFound(f"The version has no file {path!r}.")
        files = {**present, path: new}
        what = f"{'Delete' if new is None else 'Edit'} {path}"
        kept = tuple(file for _, file in sorted(files.items()) if file is not None)
        wanted = Deploy(site, kept, what, SOURCE, live=True, create=False)
        self._publisher.check(wanted)
        return await self._publish(caller, wanted, seen)

    async def _publish(self, caller: Principal, wanted: Deploy, expected: str | None) -> Answer[shapes.Deployed]:
        done = await self._publisher.publish(caller, wanted, expected=expected)
        if not isinstance(done, Deployed):
            raise InvalidInput("A content was deleted while it was deployed; send it again.")
        return answer(self._publisher.as_json(done), 200 if done.unchanged else 201)


def _unpack(place: Path, limits: ArchiveLimits) -> list[LocalFile]:
    """Return the files of an archive, which lie beside it."""
    spool = place.with_name("content")
    spool.mkdir()
    return read_archive(place, spool, limits=limits)


async def _receive(request: Request, place: Path, most: int) -> None:
    """Write the body of a request to a file. Raises: TooLarge."""
    size = 0
    with place.open("wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise TooLarge(f"An archive may have {most} bytes at most.")
            await asyncio.to_thread(file.write, piece)


async def _pieces(database: Database, blob: Blob) -> AsyncIterator[bytes]:
    source, at = ChunkSource(database, blob), 0
    while at < blob.size:
        piece = await source.read(at, CHUNK_BYTES)
        at += len(piece)
        yield piece


def _find_file(connection: apsw.Connection, site: str, prefix: str, path: str) -> Blob:
    version = deploy.find_version(connection, sites.get(connection, site), prefix)
    file = versions.find_files(connection, version.number, [path]).get(path)
    blob = None if file is None else blobs.find(connection, file.hash)
    if blob is None:
        raise NotFound(f"The version has no file {path!r}.")
    return blob


def _live_files(connection: apsw.Connection, name: str, expected: str) -> dict[str, WantedFile | None]:
    """Return the files of the live version, which must be the expected one."""
    site = sites.get(connection, name)
    sites.check_unlocked(site)
    check_is_live(connection, name, expected)
    live: Version = deploy.find_version(connection, site, LIVE)
    found = versions.files(connection, live.number, None, NO_LIMIT)
    return {file.path: WantedFile(file.path, file.hash, file.size) for file in found}


def _put(connection: apsw.Connection, chunks: list[tuple[bytes, int, int, bytes]]) -> None:
    for hash, size, n, data in chunks:
        blobs.put_chunk(connection, hash, size, n, data)
