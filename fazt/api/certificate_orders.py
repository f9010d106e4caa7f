"""`/api/certificates/orders`: how the certificates stand that are ordered by themselves."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from fazt.acme.issuing import Issuing, State
from fazt.acme.showing import PREFIX
from fazt.api import shapes
from fazt.api.access import Admin, Reader
from fazt.api.answers import Answer, answer, whole_list
from fazt.api.auditing import Act, Audit
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.errors import Conflict, NotFound
from fazt.store import acme
from fazt.store.acme import Renewal
from fazt.store.database import Database, now_ms


class OrderNow(BaseModel):
    """The first name of a certificate that is to be ordered at once; `renew`: also where there is a good one."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=255)]
    renew: bool = False


class CertificateOrders:
    """The calls about orders."""

    def __init__(self, database: Database, issuing: Issuing) -> None:
        self._database = database
        self._audit = Audit(database)
        self._issuing = issuing

    def add_to(self, app: FastAPI) -> None:
        """Add the routes; before those of single certificates, whose path would take them."""
        app.add_api_route("/api/certificates/orders", self.list_all, methods=["GET"])
        app.add_api_route("/api/certificates/orders", self.order, methods=["POST"], status_code=202)

    async def list_all(self, caller: Reader) -> Answer[Page[shapes.CertificateOrder]]:
        """List what is ordered by itself, and how that stands; nothing where nothing is ordered."""
        records = self._issuing.records
        return answer(whole_list([_json(each, records) for each in await self._issuing.states()]))

    async def order(self, caller: Admin, body: OrderNow) -> Answer[shapes.CertificateOrder]:
        """Order a certificate now, without waiting for when it is due or for a failed order's pause."""
        state = await self._find(body.name)
        present = state.due.present
        if not body.renew and present is not None and state.due.at > now_ms():
            raise Conflict(f"The certificate of {body.name} is good yet; `renew` orders another one all the same.")
        act = Act("certificate.order", body.name)
        if present is not None:
            renewal = Renewal(present.fingerprint, 1, present.not_after)
            await self._audit.write(caller, act, acme.put_renewal, renewal)
        else:
            await self._audit.write(caller, act, acme.hurry, body.name)
        self._issuing.wake()
        return answer(_json(await self._find(body.name), self._issuing.records), 202)

    async def _find(self, name: str) -> State:
        for each in await self._issuing.states():
            if each.due.wanted.names[0] == name:
                return each
        raise NotFound(f"No certificate is ordered for {name} by itself: `fazt cert status` lists those that are.")


def _json(state: State, records: dict[str, str]) -> shapes.CertificateOrder:
    due, order = state.due, state.order
    own = {f"{PREFIX}{name.removeprefix('*.')}" for name in due.wanted.names}
    return {
        "names": due.wanted.names,
        "state": _state(state),
        "expires_at": iso(None if due.present is None else due.present.not_after),
        "next_at": iso(max(due.at, 0 if order is None else order.next_at)),
        "failures": 0 if order is None else order.failures,
        "error": "" if order is None else order.error,
        "records": [{"name": name, "value": value} for name, value in records.items() if name in own],
    }


def _state(state: State) -> shapes.OrderState:
    if state.under_way:
        return "ordering"
    if state.order is not None and state.order.error:
        return "failed"
    return "waiting" if state.due.at <= now_ms() else "valid"
