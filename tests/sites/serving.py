"""A database with deployed sites and the resolver over it, as the server joins them, without sockets."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fazt._speedups.pages import Page, Pages
from fazt.sites import deploy
from fazt.sites.deploy import Deploy, Deployed, WantedFile
from fazt.sites.hosting import Hosting
from fazt.sites.resolve import Resolver
from fazt.sites.spill import Spill
from fazt.store import blobs
from fazt.store.changes import Change
from fazt.store.database import Database

IDENTITY, GZIP, BROTLI, ZSTD = 0, 1, 2, 4


def wanted(files: Mapping[str, bytes]) -> tuple[WantedFile, ...]:
    return tuple(WantedFile(path, hashlib.sha256(data).digest(), len(data)) for path, data in files.items())


def as_bytes(files: Mapping[str, bytes | str]) -> dict[str, bytes]:
    return {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}


class World:
    """A server's parts on one database."""

    def __init__(self, folder: Path, *, www: str = "redirect-to-bare", spill_bytes: int = 64 << 20) -> None:
        self.database = Database.open(folder / "data.db")
        self.pages = Pages(64 << 20)
        self.spill = Spill(folder / "data.db.cache", spill_bytes, self.database)
        self.hosting = Hosting("localhost", www, lambda host: f"http://{host}:4698/")
        self.resolver = Resolver(self.database, self.pages, self.spill, self.hosting)
        self.database.follow(self._forget)

    def _forget(self, changes: Sequence[Change]) -> None:
        self.pages.forget({change.key for change in changes})

    def close(self) -> None:
        self.spill.close()
        self.database.close()

    def put(self, files: Mapping[str, bytes]) -> None:
        def put_all(connection: Any) -> None:
            for data in files.values():
                blobs.put(connection, data)

        self.database.write_blocking(put_all)

    def deploy(self, site: str, files: Mapping[str, bytes | str], **options: Any) -> Deployed:
        content = as_bytes(files)
        self.put(content)
        fields = {"message": "", "source": "test", "live": True, "create": True} | options
        return self.database.write_blocking(deploy.commit, Deploy(site, wanted(content), **fields))

    def page(self, path: str | bytes, *, host: str = "blog.localhost", query: bytes = b"") -> Page | None:
        raw = path.encode() if isinstance(path, str) else path
        return asyncio.run(self._page(host, raw, query))

    async def _page(self, host: str, path: bytes, query: bytes) -> Page | None:
        return await self.resolver(host, path, query)

    def get(self, path: str | bytes, *, host: str = "blog.localhost", query: bytes = b"", coding: int = 0) -> "Got":
        found = self.page(path, host=host, query=query)
        assert found is not None, "the application would answer"
        return Got(found, coding)


class Got:
    """A page as one client sees it."""

    def __init__(self, page: Page, coding: int = 0) -> None:
        self.page = page
        self.index = page.choose(coding)
        self.status = page.status
        self.headers = {name.decode().lower(): value.decode() for name, value in page.fields(self.index)}
        assert len(self.headers) == len(page.fields(self.index)), "a field came twice"

    @property
    def body(self) -> bytes:
        view = self.page.body(self.index)
        return bytes(view) if view is not None else asyncio.run(self._read())

    async def _read(self) -> bytes:
        source, length = self.page.source(self.index), self.page.length(self.index)
        data = b""
        while len(data) < length:
            piece = await source.read(len(data), length - len(data))
            assert piece
            data += piece
        return data
