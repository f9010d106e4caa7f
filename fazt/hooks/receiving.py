"""`Receiver`: takes deliveries of webhooks, and makes jobs of them where a hook names a function.

Rule: what is answered with 2xx is on disk, with the job that it became, in one transaction; of what is refused nothing
is kept but a count.
"""

import asyncio
import base64
import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from fazt.errors import RateLimited, SignatureRefused, StoreError
from fazt.hooks.rates import Rates
from fazt.hooks.signatures import Fields, Style, check_signature, find_sender_id
from fazt.sites.hosting import ROOT_SITE, Hosting
from fazt.store import hooks, queue
from fazt.store.database import Database, now_ms
from fazt.store.hooks import Delivery, Hook, NewDelivery
from fazt.store.queue import NewJob

log = logging.getLogger("fazt.hooks")

MAX_BODY_BYTES = 1 << 20
THREAD_BYTES = 64 << 10  # a body from here on is hashed and read on a thread
ADDRESS_BURST, ADDRESS_PER_S = 600, 10.0  # whatever comes from one address to one hook
# What one hook takes in: counted behind the signature, so that no stranger uses it up.
HOOK_BURST, HOOK_PER_S = 1200, 20.0
TRIM_EVERY_S = 3600.0
HIDDEN = "[hidden]"
# Headers that say who somebody is or prove it: their values are not kept.
SECRET_FIELDS = re.compile(r"authorization|cookie|proxy-authorization|.*(token|secret|key|signature|password).*")
DROPPED_FIELDS = frozenset(("connection", "content-length", "transfer-encoding"))

MakeJob = Callable[[str, Any], NewJob]  # the name of a job and its data; raises TooLarge


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a delivery; `is_new` False: it was here before."""

    id: str
    is_new: bool


class Receiver:
    """Takes the deliveries of all hooks."""

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        make_job: MakeJob,
        wake_jobs: Callable[[], None],
        count_refusal: Callable[[int], None],
    ) -> None:
        """Take `count_refusal`, which is told the number of a hook whose delivery was not signed as it should be."""
        self._database = database
        self._hosting = hosting
        self._make_job = make_job
        self._wake_jobs = wake_jobs
        self._count_refusal = count_refusal
        self._by_address = Rates(ADDRESS_BURST, ADDRESS_PER_S)
        self._by_hook = Rates(HOOK_BURST, HOOK_PER_S)

    async def find(self, host: str, name: str) -> Hook | None:
        """Return the hook that answers to a name under a normalised host; None for all else, whatever it is."""
        return await self._database.read(_find, self._hosting, host, name)

    def admit(self, hook: Hook, address: str) -> None:
        """Count a delivery that comes in, before its body is read.

        Raises: RateLimited.
        """
        _check_rate(self._by_address, (hook.number, _network(address)))

    async def accept(self, hook: Hook, address: str, fields: Fields, body: bytes) -> Accepted:
        """Check a delivery and put it on disk.

        Raises: SignatureRefused, RateLimited, TooLarge, QueueFull, NotFound, StoreError.
        """
        secret = b"" if hook.secret is None else await self._database.read(hooks.open_secret, hook)
        try:
            if len(body) < THREAD_BYTES:
                sender_id = _inspect(hook, secret, fields, body)
            else:
                sender_id = await asyncio.to_thread(_inspect, hook, secret, fields, body)
        except SignatureRefused:
            self._count_refusal(hook.number)
            raise
        _check_rate(self._by_hook, hook.number)
        kept = orjson.dumps(kept_fields(fields))
        delivery = NewDelivery(queue.new_id(), sender_id, now_ms(), address, kept, body)
        job = None if hook.function is None else self._make_job(hook.function, job_data(hook.name, delivery))
        id, is_new = await self._database.write(hooks.add_delivery, hook.number, delivery, job)
        if job is not None:
            self._wake_jobs()
        return Accepted(id, is_new)

    def job_of(self, hook: Hook, function: str, delivery: Delivery) -> NewJob:
        """Return the job that a delivery of the past becomes once more.

        Raises: TooLarge.
        """
        again = NewDelivery(
            delivery.id, delivery.sender_id, delivery.at, delivery.address, delivery.headers, delivery.body
        )
        return self._make_job(function, job_data(hook.name, again))

    async def run(self) -> None:
        """Let go of what is too old to be kept, every hour, until the task is cancelled."""
        while True:
            try:
                await self._database.write(hooks.trim_old, now_ms())
            except StoreError as error:
                log.warning("old deliveries were not deleted: %s", error)
            await asyncio.sleep(TRIM_EVERY_S)


def kept_fields(fields: Fields) -> dict[str, str]:
    """Return the headers of a delivery as they are kept and shown: secrets hidden, those of a connection left out."""
    kept: dict[str, str] = {}
    for name, value in fields:
        key = name.decode("latin-1").lower()
        if key in DROPPED_FIELDS:
            continue
        text = HIDDEN if SECRET_FIELDS.fullmatch(key) else value.decode("latin-1")
        kept[key] = f"{kept[key]}, {text}" if key in kept else text
    return kept


def read_body(body: bytes) -> tuple[str, str]:
    """Return a body as JSON can carry it, and how: `utf-8` or `base64`."""
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), "base64"


def job_data(hook: str, delivery: NewDelivery) -> dict[str, Any]:
    """Return what a function is given of a delivery."""
    body, encoding = read_body(delivery.body)
    return {
        "hook": hook,
        "delivery": delivery.id,
        "sender_id": delivery.sender_id,
        "at": delivery.at,
        "headers": orjson.loads(delivery.headers),
        "body": body,
        "encoding": encoding,
    }


def _find(connection: apsw.Connection, hosting: Hosting, host: str, name: str) -> Hook | None:
    hook = hooks.find(connection, name)
    if hook is None or not hook.enabled:
        return None
    if hook.site in (None, ROOT_SITE) and hosting.is_bare(host):  # with `www` and without, whichever redirects
        return hook
    place = hosting.place(connection, host)
    return hook if place.kind == "site" and place.site == hook.site else None


def _inspect(hook: Hook, secret: bytes, fields: Fields, body: bytes) -> str | None:
    """Return what the sender calls a delivery. Raises: SignatureRefused."""
    style: Style = hook.style
    check_signature(style, secret, fields, body, time.time())
    return find_sender_id(style, fields, body)


def _check_rate(rates: Rates, key: Any) -> None:
    wait_s = rates.take(key, time.monotonic())
    if wait_s:
        seconds = math.ceil(wait_s)
        raise RateLimited(f"Too many deliveries; try again in {seconds} s.", retry_after_s=seconds)


def _network(address: str) -> str:
    """Return the part of an address that one sender cannot choose: of IPv6 the first four groups."""
    if ":" not in address:
        return address
    head = address.partition("::")[0].split(":") if "::" in address else address.split(":")
    return ":".join(head[:4])
