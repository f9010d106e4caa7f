"""`/api/backups` and `/api/restart`: backups that are kept on the server, proven, and put in the place of the database.

Rule: a backup holds all that the server has, what nobody is shown among it; only who may do everything gets at one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Admin
from fazt.api.answers import Answer, NoContent, answer, whole_list
from fazt.api.auditing import Act, Audit, entry_of
from fazt.api.description import sends
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.auth.tokens import Principal
from fazt.backups import restoring
from fazt.backups.boot import boot
from fazt.backups.file import check_passphrase
from fazt.backups.shelf import Backup, Proof, Retention, Shelf
from fazt.errors import Conflict, Forbidden, StoreReadOnly
from fazt.store.database import Database

log = logging.getLogger("fazt.backups")

CONTENT = "application/octet-stream"
PIECE_BYTES = 1 << 20
RESTORE = "backup.restore"
Passphrase = Annotated[str | None, Field(max_length=1000, repr=False)]
Count = Annotated[int, Field(ge=0, le=10_000)]


class NewBackup(BaseModel):
    """A backup that is to be made; with a passphrase it is encrypted.

    `with_key`: the key of the secrets goes along; null: only where there is a passphrase.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    label: Annotated[str, Field(max_length=200)] = ""
    passphrase: Passphrase = None
    with_key: bool | None = None


class Check(BaseModel):
    """How a backup is to be proven; `boot`: a server is started on it and asked for every site."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    passphrase: Passphrase = None
    boot: bool = True


class Restore(BaseModel):
    """The passphrase of a backup that has one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    passphrase: Passphrase = None


class Prune(BaseModel):
    """How many of the newest stay, and of how many days, weeks and months the newest."""

    model_config = ConfigDict(extra="forbid")
    last: Annotated[int, Field(ge=1, le=10_000)]
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    dry_run: bool = False


class BackupCalls:
    """The calls about backups; `restart` starts this server anew, None where none runs."""

    def __init__(self, database: Database, shelf: Shelf, restart: Callable[[], None] | None) -> None:
        self._database = database
        self._audit = Audit(database)
        self._shelf = shelf
        self._restart = restart
        self._one = asyncio.Lock()  # a copy takes disk and time: one after the other

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        one = "/api/backups/{id}"
        app.add_api_route("/api/backups", self.list_all, methods=["GET"])
        app.add_api_route("/api/backups", self.create, methods=["POST"], status_code=201)
        app.add_api_route("/api/backups/prune", self.prune, methods=["POST"])
        app.add_api_route(one, self.show, methods=["GET"])
        app.add_api_route(one, self.remove, methods=["DELETE"], status_code=204)
        app.add_api_route(f"{one}/content", self.send, methods=["GET"], responses=sends(CONTENT))
        app.add_api_route(f"{one}/verify", self.verify, methods=["POST"])
        app.add_api_route(f"{one}/restore", self.restore, methods=["POST"], status_code=202)
        app.add_api_route("/api/restart", self.start_anew, methods=["POST"], status_code=202)

    async def list_all(self, caller: Admin) -> Answer[Page[shapes.Backup]]:
        """List the backups that are kept on the server, newest first."""
        found = await asyncio.to_thread(self._shelf.list_all)
        return answer(whole_list([_json(backup) for backup in found]))

    async def create(self, caller: Admin, body: NewBackup) -> Answer[shapes.Backup]:
        """Make a backup while the server goes on; it is on disk when this is answered."""
        passphrase = None if body.passphrase is None else check_passphrase(body.passphrase)
        async with self._one:
            made = await asyncio.to_thread(self._shelf.create, body.label, passphrase, with_key=body.with_key)
        await self._note(caller, "backup.create", made.id)
        return answer(_json(made), 201)

    async def show(self, caller: Admin, id: str) -> Answer[shapes.Backup]:
        """Show a backup; `latest` is the newest."""
        return answer(_json(await asyncio.to_thread(self._shelf.find, id)))

    async def send(self, caller: Admin, id: str) -> Response:
        """Send the file of a backup."""
        check_owner(caller)
        found = await asyncio.to_thread(self._shelf.find, id)
        await self._note(caller, "backup.download", found.id)
        headers = {
            "Content-Disposition": f'attachment; filename="{found.path.name}"',
            "Content-Length": str(found.size),
        }
        return StreamingResponse(_pieces(found.path), headers=headers, media_type=CONTENT)

    async def remove(self, caller: Admin, id: str) -> NoContent:
        """Delete a backup."""
        await asyncio.to_thread(self._shelf.remove, id)
        await self._note(caller, "backup.remove", id)
        return NoContent()

    async def prune(self, caller: Admin, body: Prune) -> Answer[shapes.PrunedBackups]:
        """Delete all but some backups, never the newest that is proven."""
        retention = Retention(body.last, body.daily, body.weekly, body.monthly)
        removed = await asyncio.to_thread(self._shelf.prune, retention, dry_run=body.dry_run)
        if removed and not body.dry_run:
            await self._note(caller, "backup.prune", ", ".join(backup.id for backup in removed))
        return answer(
            {"removed": [backup.id for backup in removed], "freed_bytes": sum(backup.size for backup in removed)}
        )

    async def verify(self, caller: Admin, id: str, body: Check) -> Answer[shapes.Backup]:
        """Prove a backup: restore it to a place of its own, check all of it, and serve every site from it."""
        found = await asyncio.to_thread(self._shelf.find, id)
        async with self._one:
            await asyncio.to_thread(self._shelf.prove, found, body.passphrase, boot if body.boot else None)
        await self._note(caller, "backup.verify", found.id)
        return answer(_json(await asyncio.to_thread(self._shelf.find, found.id)))

    async def restore(self, caller: Admin, id: str, body: Restore) -> Answer[shapes.Restoring]:
        """Put a backup in the place of the database: it is checked whole, then the server starts anew with it.

        The database as it was stays beside it. Where no server runs, whoever opens the database next finishes this.
        """
        check_owner(caller)
        found = await asyncio.to_thread(self._shelf.find, id)
        async with self._one:
            entry = entry_of(caller, Act(RESTORE, found.id))
            place = self._database.path
            await asyncio.to_thread(restoring.stage, found.path, place, body.passphrase, entry=entry)
        await self._note(caller, RESTORE, found.id)
        if self._restart is not None:
            self._restart()
        return answer({"backup": found.id, "restarting": self._restart is not None}, 202)

    async def start_anew(self, caller: Admin) -> Answer[shapes.Restarting]:
        """Start the server anew: settings that wait for a start count then, and a backup that is staged."""
        if self._restart is None:
            raise Conflict("No server runs here that could start anew.")
        await self._note(caller, "server.restart", "server")
        self._restart()
        return answer({"restarting": True}, 202)

    async def _note(self, caller: Principal, action: str, subject: str) -> None:
        """Write down what was done to files, which no transaction holds."""
        try:
            await self._audit.write(caller, Act(action, subject), lambda _: None)
        except StoreReadOnly as error:  # a time in which nothing is written is a good one for a backup
            log.warning("%s of %s was not written down: %s", action, subject, error.message)


def check_owner(caller: Principal) -> None:
    """Let pass owners, and tokens, which owners made. Raises: Forbidden."""
    if caller.user is not None and not caller.owner:
        raise Forbidden("A backup holds the accounts of the owners too: only an owner may take or restore one.")


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


def _json(backup: Backup) -> shapes.Backup:
    header = backup.header
    return {
        "id": backup.id,
        "label": header.label,
        "made_at": iso(header.made_at),
        "version": header.version,
        "schema": header.schema,
        "sequence": header.sequence,
        "sites": header.sites,
        "versions": header.versions,
        "blobs": header.blobs,
        "database_bytes": header.bytes,
        "sha256": header.sha256,
        "bytes": backup.size,
        "encrypted": header.is_encrypted,
        "with_key": header.with_secrets_key,
        "key_id": header.secrets_key or None,
        "path": str(backup.path),
        "proof": None if backup.proof is None else _proof_json(backup.proof),
    }


def _proof_json(proof: Proof) -> shapes.BackupProof:
    return {"at": iso(proof.at), "booted": proof.booted, "failed": proof.failed}
