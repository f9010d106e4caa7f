"""`/api/certificates`: what HTTPS is answered with.

Rule: a key comes in and never goes out.
"""

import asyncio
from typing import Annotated, Any

import apsw
from fastapi import FastAPI, Path
from pydantic import BaseModel, ConfigDict, Field

from fazt.api import shapes
from fazt.api.access import Admin, Reader
from fazt.api.answers import DEFAULT_ITEMS, After, Answer, Limit, NoContent, answer, list_answer, number_cursor
from fazt.api.auditing import Act, Audit
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.store import certificates
from fazt.store.certificates import LARGEST_NUMBER, Certificate
from fazt.store.database import Database
from fazt.tls.certificate import MAX_PEM_BYTES, read_certificate

Pem = Annotated[str, Field(max_length=MAX_PEM_BYTES)]
Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]


class NewCertificate(BaseModel):
    """A certificate with those above it, the host's own first, and its key; both PEM."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    chain: Pem
    key: Annotated[Pem, Field(repr=False)]


class Certificates:
    """The calls about certificates."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = Audit(database)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route("/api/certificates", self.list_page, methods=["GET"])
        app.add_api_route("/api/certificates", self.add, methods=["POST"], status_code=201)
        app.add_api_route("/api/certificates/{number}", self.show, methods=["GET"])
        app.add_api_route("/api/certificates/{number}", self.remove, methods=["DELETE"], status_code=204)

    async def list_page(
        self, caller: Reader, limit: Limit = DEFAULT_ITEMS, after: After = None
    ) -> Answer[Page[shapes.Certificate]]:
        """List the certificates, newest first."""
        found = await self._database.read(certificates.list_page, number_cursor(after), limit + 1)
        return answer(list_answer(found, limit, certificate_json, lambda each: str(each.number)))

    async def show(self, caller: Reader, number: Number) -> Answer[shapes.Certificate]:
        """Show a certificate."""
        return answer(certificate_json(await self._database.read(certificates.get, number)))

    async def add(self, caller: Admin, body: NewCertificate) -> Answer[shapes.Certificate]:
        """Keep a certificate and answer HTTPS with it at once; an older one for the same names gives way to it."""
        new = await asyncio.to_thread(read_certificate, body.chain.encode(), body.key.encode())
        act = Act("certificate.add", new.fingerprint, look=lambda connection: _look(connection, new.fingerprint))
        made = await self._audit.write(caller, act, certificates.add, new, "uploaded")
        return answer(certificate_json(made), 201)

    async def remove(self, caller: Admin, number: Number) -> NoContent:
        """Delete a certificate and its key. Hosts that have no other are refused by HTTPS from then on."""
        gone = await self._database.read(certificates.get, number)
        act = Act("certificate.remove", gone.fingerprint, look=lambda connection: _look(connection, gone.fingerprint))
        await self._audit.write(caller, act, certificates.remove, number)
        return NoContent()


def certificate_json(certificate: Certificate) -> shapes.Certificate:
    """Return a certificate as the API shows it."""
    return {
        "number": certificate.number,
        "names": certificate.names,
        "source": certificate.source,
        "issuer": certificate.issuer,
        "fingerprint": certificate.fingerprint,
        "not_before": iso(certificate.not_before),
        "not_after": iso(certificate.not_after),
        "created_at": iso(certificate.created_at),
    }


def _look(connection: apsw.Connection, fingerprint: str) -> Any:
    found = certificates.find(connection, fingerprint)
    return None if found is None else {"names": list(found.names), "issuer": found.issuer}
