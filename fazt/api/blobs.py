"""/api/blobs: the contents that a deploy sends ahead."""

import asyncio
from typing import Any

import apsw
from fastapi import APIRouter, Depends, Request, Response

from fazt.api.access import Access
from fazt.api.errors import Json
from fazt.errors import TooLarge
from fazt.sites.pack import MAX_PACK_BYTES, Piece, decode
from fazt.store import blobs
from fazt.store.database import Database


def routes(access: Access, database: Database) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/blobs", tags=["blobs"])

    @router.post("", summary="Store a pack", dependencies=[Depends(access.requires("deploy", some_site=True))])
    async def store_pack(request: Request) -> Response:
        pieces = await asyncio.to_thread(decode, await _read(request))
        return Json(await database.write(_store, pieces))

    return router


async def _read(request: Request) -> bytes:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_PACK_BYTES:
            raise TooLarge(f"A pack has at most {MAX_PACK_BYTES} bytes.")
    return bytes(data)


def _store(connection: apsw.Connection, pieces: list[Piece]) -> dict[str, Any]:
    """Store all pieces of a pack in one transaction."""
    for piece in pieces:
        blobs.put_chunk(connection, piece.hash, piece.size, piece.n, piece.data)
    return {"chunks": len(pieces), "bytes": sum(len(piece.data) for piece in pieces)}
