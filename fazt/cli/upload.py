"""Sending what a server lacks: the list of files first, then the missing chunks in packs, then the list again.

Rule: each pack that was acknowledged is on the server's disk, so an upload that was cut goes on where it stopped.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import Any

import click

from fazt.cli.client import Client
from fazt.errors import BlobsMissing, InvalidInput, RemoteError
from fazt.sites.local_file import LocalFile
from fazt.sites.pack import MAX_CHUNK_BYTES, Piece, encode

PACK_BYTES = 4 << 20
PAUSES_S = (0.2, 1.0)  # before the second and the third attempt
ROUNDS = 3


class Upload:
    """The files of one deploy and what was sent of them."""

    def __init__(self, client: Client, site: str, files: list[LocalFile], *, quiet: bool) -> None:
        self.client = client
        self.site = site
        self.files = files
        self.quiet = quiet
        self.files_sent = 0
        self.bytes_sent = 0

    def send(self, missing: list[dict[str, Any]]) -> None:
        """Send chunks in packs, several at once; with a progress bar where somebody looks."""
        by_hash = {file.hash.hex(): file for file in self.files}
        wanted = [(by_hash[item["hash"]], item["chunks"]) for item in missing]
        self.files_sent += len(wanted)
        total = sum(_length(file, chunks) for file, chunks in wanted)
        shown = not self.quiet and sys.stderr.isatty() and total > PACK_BYTES
        progress = click.progressbar(length=total, label="Sending", file=sys.stderr) if shown else nullcontext()
        lanes = self.client.transport.lanes
        with progress as bar, ThreadPoolExecutor(lanes) as pool:
            under_way: set[Future[int]] = set()
            try:
                for pack in _packs(wanted):
                    if len(under_way) >= lanes * 2:
                        under_way = self._collect(under_way, bar)
                    under_way.add(pool.submit(self._send_pack, pack))
                while under_way:
                    under_way = self._collect(under_way, bar)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _collect(self, under_way: set[Future[int]], bar: Any) -> set[Future[int]]:
        done, rest = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            count = future.result()
            self.bytes_sent += count
            if bar is not None:
                bar.update(count)
        return rest

    def _send_pack(self, pack: list[Piece]) -> int:
        """Send one pack; a connection that broke is tried again, since a chunk may arrive twice."""
        data = encode(pack)
        for pause_s in PAUSES_S:
            try:
                self.client.ask("POST", "blobs", body=data)
                break
            except RemoteError:
                time.sleep(pause_s)  # a server that starts anew, or a network that is away for a moment
        else:
            self.client.ask("POST", "blobs", body=data)
        return sum(len(piece.data) for piece in pack)


def _length(file: LocalFile, chunks: list[int] | None) -> int:
    if chunks is None:
        return file.size
    return sum(min(MAX_CHUNK_BYTES, file.size - n * MAX_CHUNK_BYTES) for n in chunks)


def _packs(wanted: list[tuple[LocalFile, list[int] | None]]) -> Iterator[list[Piece]]:
    """Yield the chunks of files as packs of about 4 MiB."""
    pack: list[Piece] = []
    filled = 0
    for file, chunks in wanted:
        for piece in _pieces(file, chunks):
            pack.append(piece)
            filled += len(piece.data) + 48
            if filled >= PACK_BYTES:
                yield pack
                pack, filled = [], 0
    if pack:
        yield pack


def _pieces(file: LocalFile, chunks: list[int] | None) -> Iterator[Piece]:
    numbers = range(max(1, -(-file.size // MAX_CHUNK_BYTES))) if chunks is None else chunks
    with file.open() as stream:
        for n in numbers:
            stream.seek(n * MAX_CHUNK_BYTES)
            data = stream.read(min(MAX_CHUNK_BYTES, file.size - n * MAX_CHUNK_BYTES))
            if len(data) != min(MAX_CHUNK_BYTES, file.size - n * MAX_CHUNK_BYTES):
                raise InvalidInput(f"{file.path} became shorter while it was read; deploy again.")
            yield Piece(file.hash, file.size, n, data)


def publish(upload: Upload, *, message: str, live: bool, dry_run: bool) -> dict[str, Any]:
    """Make the version, sending first what the server says it lacks; return what the API says of it."""
    body = {
        "files": [{"path": file.path, "hash": file.hash.hex(), "size": file.size} for file in upload.files],
        "message": message,
        "source": "cli",
        "preview": not live,
        "dry_run": dry_run,
    }
    for _ in range(ROUNDS):
        try:
            made: dict[str, Any] = upload.client.ask("POST", "sites", upload.site, "versions", body=body)
        except BlobsMissing as lacking:
            upload.send(lacking.details["missing"])
        else:
            return made
    raise RemoteError("The server goes on asking for contents that were sent; try again.")
