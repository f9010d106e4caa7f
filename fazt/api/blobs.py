"""`POST /api/blobs`: packs of chunks come in; what was acknowledged is on disk."""

import asyncio

import apsw
from fastapi import FastAPI, Request

from fazt.api import shapes
from fazt.api.access import FilteredDeployer
from fazt.api.answers import Answer, answer
from fazt.api.collection import Collector
from fazt.errors import InvalidInput
from fazt.sites import pack
from fazt.sites.pack import Piece
from fazt.store import blobs
from fazt.store.database import Database

PACK_TYPE = "application/x-fazt-pack"


class Blobs:
    """The call that takes contents. They belong to no site, so a token for one site may send them too."""

    def __init__(self, database: Database, collector: Collector) -> None:
        self._database = database
        self._collector = collector

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        body = {"required": True, "content": {PACK_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
        app.add_api_route("/api/blobs", self.put, methods=["POST"], openapi_extra={"requestBody": body})

    async def put(self, caller: FilteredDeployer, request: Request) -> Answer[shapes.Received]:
        """Take a pack, all of it in one transaction."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != PACK_TYPE:
            raise InvalidInput(f"The body must be a pack, of type {PACK_TYPE}.")
        data = await request.body()
        pieces = await asyncio.to_thread(pack.decode, data)
        self._collector.upload_goes_on()
        await self._database.write(_put, pieces)
        return answer({"chunks": len(pieces), "bytes": sum(len(piece.data) for piece in pieces)})


def _put(connection: apsw.Connection, pieces: list[Piece]) -> None:
    for piece in pieces:
        blobs.put_chunk(connection, piece.hash, piece.size, piece.n, piece.data)
