"""`/api/backups/{id}/sites/{name}`: one site brought back out of a backup, while all else goes on.

Its version of then becomes a new one of today, so that it can be rolled back; its data take the place of today's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Admin
from fazt.api.answers import Answer, answer
from fazt.api.auditing import Act, Audit
from fazt.api.backups import check_owner
from fazt.api.publishing import Publisher
from fazt.backups import one_site
from fazt.backups.one_site import SavedSite
from fazt.backups.shelf import Backup, Shelf
from fazt.errors import StoreError
from fazt.sites.deploy import Deploy, Deployed, WantedFile
from fazt.store import blobs
from fazt.store.blobs import Missing
from fazt.store.database import Database

SOURCE = "backup"
Passphrase = Annotated[str | None, Field(max_length=1000, repr=False)]


@asynccontextmanager
async def _on_thread(manager: AbstractContextManager[Path]) -> AsyncIterator[Path]:
    """Enter and leave a context manager that blocks on a thread."""
    entered = await asyncio.to_thread(manager.__enter__)
    try:
        yield entered
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


class RestoreSite(BaseModel):
    """The passphrase of a backup that has one; `data`: keys and values, variables and secrets come back too."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    passphrase: Passphrase = None
    data: bool = True


class SiteRestores:
    """The call that brings back one site."""

    def __init__(self, database: Database, shelf: Shelf, publisher: Publisher) -> None:
        self._database = database
        self._audit = Audit(database)
        self._shelf = shelf
        self._publisher = publisher
        self._one = asyncio.Lock()  # a copy takes disk and time: one after the other

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        # Not `site`: who has one site alone has no part in the backups of all.
        app.add_api_route("/api/backups/{id}/sites/{name}", self.restore, methods=["POST"])

    async def restore(self, caller: Admin, id: str, name: str, body: RestoreSite) -> Answer[shapes.RestoredSite]:
        """Bring back a site: its live version of then goes live as a new one, its data replace those of now."""
        check_owner(caller)
        backup = await asyncio.to_thread(self._shelf.find, id)
        async with self._one, _on_thread(self._shelf.unpacked(backup, body.passphrase)) as copy:
            with closing(await asyncio.to_thread(one_site.open_copy, copy)) as old:
                saved = await old.read(one_site.read, name)
                done = await self._deploy(caller, backup, name, saved, old)
                keys = await self._put_data(caller, name, saved, copy) if body.data else None
        return answer({**self._publisher.as_json(done), "from_version": saved.version, "keys": keys})

    async def _deploy(self, caller: Admin, backup: Backup, site: str, saved: SavedSite, old: Database) -> Deployed:
        files = tuple(WantedFile(file.path, file.hash, file.size) for file in saved.files)
        message = f"{saved.version} of the backup {backup.id}"
        wanted = Deploy(site, files, message, SOURCE, live=True, create=True)
        done = await self._publisher.publish(caller, wanted)
        if isinstance(done, Deployed):
            return done
        for missing in done:
            await self._copy(missing, old)
        done = await self._publisher.publish(caller, wanted)
        if not isinstance(done, Deployed):  # only a collection in this very moment could take them away again
            raise StoreError("Contents of the site went missing meanwhile; try again.")
        return done

    async def _copy(self, missing: Missing, old: Database) -> None:
        found = await old.read(blobs.find, missing.hash)
        if found is None:
            raise StoreError(f"The backup lacks the content {missing.hash.hex()}.")
        chunks = range(blobs.chunk_count(missing.size)) if missing.chunks is None else missing.chunks
        for number in chunks:
            data = await old.read(blobs.read_chunk, found.id, number)
            await self._database.write(blobs.put_chunk, missing.hash, missing.size, number, data)

    async def _put_data(self, caller: Admin, site: str, saved: SavedSite, copy: Path) -> int:
        act = Act("site.restore_data", saved.version, site)
        return await self._audit.write(caller, act, one_site.put_data, site, saved, copy)
