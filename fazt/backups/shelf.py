"""The folder that backups are kept in: made, listed, looked up, proven, and thinned out.

A backup is `<id>.fazt`; beside it lies `<id>.proof` once somebody has proven it. Rule: what is on the shelf is what is
in the folder, so that a backup that was copied there by hand counts, and one that was deleted does not.
"""

import fcntl
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from fazt import __version__
from fazt.backups import contents, file
from fazt.backups.file import Header, Progress
from fazt.errors import BackupRefused, NotFound, StorageFull, StoreError
from fazt.store import faults, key_file, snapshot
from fazt.store.clock import now_ms
from fazt.store.room import FLOOR_BYTES

ENDING = ".fazt"
PROOF = ".proof"
SHORTEN_BYTES = 16 << 20
SHORTEN_PAUSE_S = 0.01
ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of proving a backup; `failed` is what was wrong, None: all of it was right; `booted`: it was served."""

    at: int
    booted: bool
    failed: str | None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup on the shelf; `size` is that of its file."""

    id: str
    path: Path
    size: int
    header: Header
    proof: Proof | None

    @property
    def is_proven(self) -> bool:
        """Whether it was restored to a place of its own, and all of it was right."""
        return self.proof is not None and self.proof.failed is None


@dataclass(frozen=True, slots=True)
class Retention:
    """How many backups stay: the newest ones, and of so many days, weeks and months that have any the newest each."""

    last: int
    daily: int = 0
    weekly: int = 0
    monthly: int = 0


class Shelf:
    """The backups of one database."""

    def __init__(self, database: Path, folder: Path) -> None:
        self._database = database
        self.folder = folder

    def create(
        self,
        label: str = "",
        passphrase: str | None = None,
        progress: Progress | None = None,
        *,
        with_key: bool | None = None,
    ) -> Backup:
        """Copy the database while others write to it, and keep the copy. It is on disk when this returns.

        `with_key`: the key of its secrets goes along; None: where a passphrase keeps it from others, and it is there.
        Blocks its thread. Raises: SecretsLocked where the key is to go along and is missing; StorageFull, StoreError.
        """
        with self._workspace() as work:
            self._check_room()
            copy = work / "data.db"
            snapshot.copy(self._database, copy)
            found = contents.look(copy)
            key = None
            if passphrase is not None if with_key is None else with_key:
                key = contents.take_key_along(copy, self._database, required=with_key is True)
            header = Header(
                made_at=now_ms(),
                label=label,
                version=__version__,
                schema=found.schema,
                sequence=found.sequence,
                sites=len(found.sites),
                versions=found.versions,
                blobs=found.blobs,
                bytes=0,
                sha256="",
                secrets_key="" if found.key_id is None else found.key_id.hex(),
                with_secrets_key=key is not None,
            )
            id = _new_id(header.made_at)
            path = self._path(id)
            file.write(copy, path, header, passphrase, progress)
        return self._backup(path)

    def _check_room(self) -> None:
        """Refuse to begin a copy that would fill the disk, on which others write. Raises: StorageFull."""
        need = self._database.stat().st_size + FLOOR_BYTES
        if shutil.disk_usage(self.folder).free < need:
            raise StorageFull(f"A backup needs {need >> 20} MiB in {self.folder}; free some space and try again.")

    def list_all(self) -> list[Backup]:
        """Return the backups, newest first; what is no backup is passed over."""
        found = []
        for path in self.folder.glob(f"*{ENDING}"):
            try:
                found.append(self._backup(path))
            except StoreError:  # damaged, or gone meanwhile; `find` says so to whoever asks for it
                continue
        return sorted(found, key=lambda backup: (backup.header.made_at, backup.id), reverse=True)

    def find(self, id: str) -> Backup:
        """Return a backup by its id, or by `latest`. Raises: NotFound, BackupRefused."""
        if id == "latest":
            backups = self.list_all()
            if not backups:
                raise NotFound("There is no backup yet. Make one: fazt backup create")
            return backups[0]
        if not ID.fullmatch(id) or not self._path(id).exists():
            raise NotFound(f"There is no backup {id!r}; see fazt backup list.")
        return self._backup(self._path(id))

    def remove(self, id: str) -> None:
        """Delete a backup and its proof. Raises: NotFound."""
        if not ID.fullmatch(id) or not self._path(id).exists():
            raise NotFound(f"There is no backup {id!r}.")
        try:
            self._path(id).with_suffix(PROOF).unlink(missing_ok=True)
            self._path(id).unlink()
        except OSError as error:
            raise faults.from_os(error, self._path(id)) from error

    def prune(self, retention: Retention, *, dry_run: bool = False) -> list[Backup]:
        """Delete what the retention does not keep, never the newest proven one; return what that is or would be."""
        removed = to_prune(self.list_all(), retention)
        if not dry_run:
            for backup in removed:
                self.remove(backup.id)
        return removed

    def prove(
        self,
        backup: Backup,
        passphrase: str | None = None,
        boot: Callable[[Path, Sequence[str]], None] | None = None,
        progress: Progress | None = None,
    ) -> Proof:
        """Restore a backup to a place of its own, check all of it, and write down what came of it.

        `boot(database, sites)` serves the copy and looks at every site. Blocks its thread. Raises: StorageFull where
        there is no room for the copy, BackupRefused where the passphrase is missing or wrong: neither says anything
        about the backup.
        """
        failed = None
        with self._workspace() as work:
            try:
                prove_file(backup.path, work / "data.db", passphrase, boot, progress)
            except BackupRefused as error:
                if backup.header.is_encrypted and "passphrase" in error.message:
                    raise
                failed = error.message
        proof = Proof(now_ms(), boot is not None, failed)
        self._write_proof(backup, proof)
        return proof

    @contextmanager
    def unpacked(self, backup: Backup, passphrase: str | None) -> Iterator[Path]:
        """Give the database of a backup, checked whole, with the key of its secrets beside it where that is here.

        Blocks its thread. Raises: BackupRefused, StorageFull.
        """
        with self._workspace() as work:
            copy = work / "data.db"
            prove_file(backup.path, copy, passphrase, None)
            id = contents.look(copy).key_id
            key = None if id is None else key_file.find(self._database, id)
            if key is not None:
                key_file.put(copy, key)
            yield copy

    def _write_proof(self, backup: Backup, proof: Proof) -> None:
        path = backup.path.with_suffix(PROOF)
        unfinished = path.with_name(f".{path.name}.part")
        try:
            unfinished.write_bytes(orjson.dumps({**_proof_json(proof), "of": _mark(backup.header, backup.size)}))
            unfinished.chmod(0o600)
            unfinished.replace(path)
        except OSError as error:
            raise faults.from_os(error, path) from error

    def _backup(self, path: Path) -> Backup:
        header = file.read_header(path)
        size = path.stat().st_size
        return Backup(path.name.removesuffix(ENDING), path, size, header, _read_proof(path, _mark(header, size)))

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}{ENDING}"

    def _sweep(self) -> None:
        """Delete copies that somebody left who was killed: they are large, and not encrypted."""
        for left in self.folder.glob(".work-*"):
            held = _hold(left)
            if held is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(held)

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        """Give a folder of its own on the disk of the shelf, where there is room if anywhere."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep()
            with tempfile.TemporaryDirectory(prefix=".work-", dir=self.folder) as work:
                held = _hold(Path(work))
                try:
                    yield Path(work)
                finally:
                    for path in Path(work).iterdir():
                        _shorten(path)
                    if held is not None:
                        os.close(held)
        except OSError as error:
            raise faults.from_os(error, self.folder) from error


def prove_file(
    path: Path,
    copy: Path,
    passphrase: str | None,
    boot: Callable[[Path, Sequence[str]], None] | None,
    progress: Progress | None = None,
) -> Header:
    """Write the database of a backup to `copy` and check all of it; return what the backup says of itself.

    Raises: BackupRefused, which says what is wrong; StorageFull.
    """
    header = file.read(path, copy, passphrase, progress)
    found = contents.look(copy)
    said = (header.schema, header.sequence, header.sites, header.versions, header.blobs)
    if said != (found.schema, found.sequence, len(found.sites), found.versions, found.blobs):
        raise BackupRefused("What is in it is not what it says: its counts differ.")
    contents.check(copy)
    if boot is not None:
        boot(copy, found.sites)
    return header


def to_prune(backups: Sequence[Backup], retention: Retention) -> list[Backup]:
    """Return which of some backups, newest first, the retention does not keep."""
    kept = {backup.id for backup in backups[: max(retention.last, 1)]}
    kept |= {backup.id for backup in [each for each in backups if each.is_proven][:1]}
    for form, most in (("%Y-%m-%d", retention.daily), ("%G-%V", retention.weekly), ("%Y-%m", retention.monthly)):
        newest: dict[str, str] = {}
        for backup in backups:
            newest.setdefault(datetime.fromtimestamp(backup.header.made_at / 1000, UTC).strftime(form), backup.id)
        kept |= set(list(newest.values())[:most])
    return [backup for backup in backups if backup.id not in kept]


def _hold(folder: Path) -> int | None:
    """Lock a folder as long as the descriptor is open; None where somebody has it, or it is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _shorten(path: Path) -> None:
    """Give the room of a file back a little at a time: a large one at once holds up whoever waits for the disk."""
    for size in range(path.stat().st_size, 0, -SHORTEN_BYTES):
        os.truncate(path, max(0, size - SHORTEN_BYTES))
        time.sleep(SHORTEN_PAUSE_S)


def _new_id(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _proof_json(proof: Proof) -> dict[str, object]:
    return {"at": proof.at, "booted": proof.booted, "failed": proof.failed}


def _mark(header: Header, size: int) -> list[object]:
    """Return what tells one backup from any other of the same name."""
    return [header.sha256, header.made_at, size]


def _read_proof(path: Path, mark: list[object]) -> Proof | None:
    """Return the proof of a backup, None where there is none or it is of another file of that name."""
    try:
        found = orjson.loads(path.with_suffix(PROOF).read_bytes())
        return Proof(found["at"], found["booted"], found["failed"]) if found["of"] == mark else None
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return None
