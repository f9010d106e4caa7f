"""A backup as a file: a line of JSON that people can read, then the database, compressed and maybe encrypted.

The line is padded to HEADER_BYTES. The rest is one zstd frame (RFC 8878); where there is a passphrase it lies in an age
file (age-encryption.org/v1) whose key the header holds, itself encrypted with the passphrase. Rule: nothing that a
header says is believed before what it says was found to be so.
"""

import base64
import binascii
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import orjson
import zstandard

from fazt.errors import BackupRefused, InvalidInput
from fazt.store import faults
from fazt.store.staged import sync_folder

FORMAT = "fazt backup 1"
HEADER_BYTES = 8192
COPY_BYTES = 1 << 20
STEADY_BYTES = 4 << 20  # that may be on their way to the disk
LEVEL = 3
LARGEST_WINDOW = 1 << 27  # of a zstd frame: what reading one may take in memory
LONGEST_PASSPHRASE = 1000
LATEST_MS = 253_370_764_800_000  # the year 9999, which is as far as a calendar goes

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup says of itself; `bytes` and `sha256` are those of the database in it."""

    made_at: int  # milliseconds since 1970
    label: str
    version: str  # of the Fazt that made it
    schema: int
    sequence: int  # number of the last change that is in it
    sites: int
    versions: int
    blobs: int
    bytes: int
    sha256: str
    encrypted_key: str = ""  # base64 of an age file; "": not encrypted
    secrets_key: str = ""  # id of the key that the secrets in it are sealed with; "": made before they were sealed
    with_secrets_key: bool = False  # that key is in it

    @property
    def is_encrypted(self) -> bool:
        """Whether it takes a passphrase."""
        return self.encrypted_key != ""


def write(
    database: Path, target: Path, header: Header, passphrase: str | None = None, progress: Progress | None = None
) -> Header:
    """Write the backup of a closed database to `target`; return the header as it was written. All is on disk then.

    `bytes`, `sha256` and `encrypted_key` of the header are found out here. Raises: StorageFull, StoreError.
    """
    unfinished = target.with_name(f".{target.name}.part")
    try:
        with database.open("rb") as source, create(unfinished) as out:
            out.write(b" " * HEADER_BYTES)
            counting = _Counting(source, database.stat().st_size, progress)
            packed = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).stream_reader(
                cast("IO[bytes]", counting)
            )
            sealed = ""
            steadily = _Steady(out)
            if passphrase is None:
                shutil.copyfileobj(packed, steadily, COPY_BYTES)
            else:
                sealed = _encrypt(packed, steadily, passphrase)
            header = replace(header, bytes=counting.count, sha256=counting.hash.hexdigest(), encrypted_key=sealed)
            out.seek(0)
            out.write(_to_line(header))
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise faults.from_os(error, target) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return header


def read_header(path: Path) -> Header:
    """Return what a backup says of itself.

    Raises: BackupRefused where it is none, StoreError where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            line = file.read(HEADER_BYTES)
    except OSError as error:
        raise faults.from_os(error, path) from error
    try:
        found = orjson.loads(line)
        if found.pop("format") != FORMAT or len(line) != HEADER_BYTES:
            raise ValueError
        return _checked(Header(**found))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackupRefused(f"{path} is no backup of Fazt, or its beginning is damaged.") from None


def read(path: Path, target: Path, passphrase: str | None = None, progress: Progress | None = None) -> Header:
    """Write the database of a backup to `target`, which must be what the header says; return the header.

    All is on disk then; where anything is wrong there is no target. Raises: BackupRefused, StorageFull, StoreError.
    """
    header = read_header(path)
    if header.is_encrypted and passphrase is None:
        raise BackupRefused(f"{path} is encrypted; give its passphrase.")
    try:
        with path.open("rb") as source, create(target) as out:
            source.seek(HEADER_BYTES)
            writer = _Bounded(out, header.bytes, progress)
            unpacker = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
            unpacked = unpacker.stream_writer(cast("IO[bytes]", writer), closefd=False)
            if header.is_encrypted:
                _decrypt(source, unpacked, header.encrypted_key, passphrase or "", writer)
            else:
                shutil.copyfileobj(source, unpacked, COPY_BYTES)
            if (writer.count, writer.hash.hexdigest()) != (header.bytes, header.sha256):
                raise BackupRefused(f"{path} is damaged or not complete: what is in it is not what it says.")
            out.flush()
            os.fsync(out.fileno())
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, zstandard.ZstdError):
            raise BackupRefused(f"{path} is damaged: {error}.") from error
        if isinstance(error, OSError):
            raise faults.from_os(error, target) from error
        raise
    return header


def check_passphrase(passphrase: str) -> str:
    """Return a passphrase that a backup may have. Raises: InvalidInput."""
    if not 8 <= len(passphrase) <= LONGEST_PASSPHRASE:
        raise InvalidInput(f"The passphrase of a backup has 8 to {LONGEST_PASSPHRASE} characters.")
    return passphrase


def create(path: Path) -> BinaryIO:
    """Open a new file that only its owner can read, in place of one that is there."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b")


def _to_line(header: Header) -> bytes:
    line = orjson.dumps({"format": FORMAT, **asdict(header)})
    assert len(line) < HEADER_BYTES
    return line.ljust(HEADER_BYTES - 1) + b"\n"


def _checked(header: Header) -> Header:
    for each in fields(Header):
        value = getattr(header, each.name)
        if type(value) is not each.type or (isinstance(value, int) and value < 0):
            raise ValueError(each.name)
    bytes.fromhex(header.secrets_key)
    if header.made_at > LATEST_MS:
        raise ValueError("made_at")
    return header


def _encrypt(source: Any, out: Any, passphrase: str) -> str:
    """Encrypt a stream to a new key; return the key, encrypted with the passphrase."""
    import pyrage  # only who encrypts needs it

    key = pyrage.x25519.Identity.generate()
    pyrage.encrypt_io(source, out, [key.to_public()])
    return base64.b64encode(pyrage.passphrase.encrypt(str(key).encode(), passphrase)).decode()


def _decrypt(source: BinaryIO, out: Any, encrypted_key: str, passphrase: str, end: "_Bounded") -> None:
    """Decrypt a stream into another, whose end is `end`. Raises: BackupRefused, OSError of the end."""
    import pyrage

    try:
        key = pyrage.passphrase.decrypt(base64.b64decode(encrypted_key, validate=True), passphrase).decode()
        identity = pyrage.x25519.Identity.from_str(key)
    except (pyrage.DecryptError, pyrage.IdentityError, binascii.Error, ValueError):
        raise BackupRefused("The passphrase is wrong.") from None
    try:
        pyrage.decrypt_io(source, out, [identity])
    except (pyrage.DecryptError, OSError) as error:  # the library makes one of its own of whatever went wrong behind it
        raise end.failed or BackupRefused(f"The backup is damaged: {error}.") from error


class _Counting:
    """A file that is read, counted and hashed."""

    def __init__(self, file: BinaryIO, total: int, progress: Progress | None) -> None:
        self._file, self._total, self._progress = file, total, progress
        self.hash, self.count = hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        self.count += len(data)
        if self._progress is not None:
            self._progress(self.count, self._total)
        return data


class _Steady:
    """A file that is written to the disk as it grows: whoever else writes never waits behind much of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._waiting = file, 0

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        self._waiting += written
        if self._waiting >= STEADY_BYTES:
            self.flush()
        return written

    def flush(self) -> None:
        self._file.flush()
        os.fdatasync(self._file.fileno())
        self._waiting = 0


class _Bounded(RawIOBase):
    """A file that is written, counted and hashed, and no longer than it was said to be."""

    def __init__(self, file: BinaryIO, most: int, progress: Progress | None) -> None:
        super().__init__()
        self._file, self._most, self._progress = file, most, progress
        self.hash, self.count = hashlib.sha256(), 0
        self.failed: OSError | BackupRefused | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.count += len(data)
        if self.count > self._most:
            self.failed = BackupRefused("The backup is damaged: it holds more than it says.")
            raise self.failed
        self.hash.update(data)
        if self._progress is not None:
            self._progress(self.count, self._most)
        try:
            return self._file.write(data)
        except OSError as error:
            self.failed = error
            raise
