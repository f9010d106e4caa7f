"""The one who orders, with Pebble as the authority: the DNS for a wildcard, failures that wait, who is told."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pebble
import pytest
from made_certificates import make_certificate
from pebble import Pebble

from fazt.acme.dns import zone
from fazt.acme.issuing import CUT_OFF, TELL_AFTER, Choice, Issuing
from fazt.acme.proofs import Proofs
from fazt.acme.renewal import HOUR_MS
from fazt.acme.showing import DnsChoice, Showing
from fazt.sites.hosting import Hosting
from fazt.store import acme, certificates, sites
from fazt.store.database import Database, now_ms
from fazt.tls.certificate import read_certificate

DOMAIN = "fazt.example"
WRITES = """#!/bin/sh
case "$1" in
  present) what=set-txt; body="{\\"host\\": \\"$2.\\", \\"value\\": \\"$3\\"}" ;;
  *) what=clear-txt; body="{\\"host\\": \\"$2.\\"}" ;;
esac
echo "$1 $2" >> written
exec curl -sf -d "$body" {dns}/$what
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    with pebble.running(tmp_path_factory.mktemp("pebble")) as running:
        yield running


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = now_ms()

    def now_ms(self) -> int:
        return self.now

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        raise AssertionError("nobody waits here")


class Orderer:
    """An orderer on a database, inside of a loop of its own."""

    def __init__(self, database: Database, authority: Pebble, **chosen: Any) -> None:
        self.database, self.clock, self.told = database, Hand(), list[tuple[str, str]]()
        values = {
            "kinds": ("http-01",),
            "directory": authority.directory,
            "ca_file": str(authority.ca_file),
            "binding": None,
        }
        self.choice = Choice(**{"active": True, "public": False, "email": "ann@fazt.example", **values, **chosen})
        self.folder = database.path.parent
        self.proofs = Proofs()
        self.issuing = Issuing(
            database,
            Hosting(DOMAIN, "redirect-to-bare", lambda host: f"https://{host}/"),
            lambda: self.choice,
            Showing(self.proofs, self.folder / "data.db.dns"),
            read_certificate,
            self.clock,
            lambda title, text: self.told.append((title, text)),
        )

    async def look(self) -> int | None:
        """Begin what is due, and wait until it has ended."""
        again = await self.issuing.look()
        await self.issuing.settle()
        return again

    def names(self) -> set[tuple[str, ...]]:
        return {each.names for each in self.database.read_blocking(certificates.list_page, None, 100)}


def test_a_wildcard_by_a_program_that_writes_records(
    database: Database, authority: Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zone, "wait_until_shown", lambda *about, **how: None)
    program = database.path.with_name("data.db.dns")
    program.write_text(WRITES.replace("{dns}", authority.dns))
    program.chmod(0o700)
    database.write_blocking(sites.create, "blog")

    async def scenario() -> None:
        found = Orderer(database, authority, dns=DnsChoice("program"))
        again = await found.look()
        assert found.names() == {(f"*.{DOMAIN}", DOMAIN)}
        assert again is not None
        assert again >= found.clock.now
        assert {each.due.wanted.names for each in await found.issuing.states()} == {(DOMAIN, f"*.{DOMAIN}")}
        await found.look()  # nothing is due any more
        assert len(found.names()) == 1

    asyncio.run(scenario())
    written = (database.path.parent / "written").read_text().splitlines()
    assert written == [f"{word} _acme-challenge.{DOMAIN}" for word in ("present", "present", "cleanup", "cleanup")]


def test_an_account_is_bound_to_one_made_elsewhere(database: Database, tmp_path: Path) -> None:
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    with pebble.running(tmp_path, {"kid-1": key}) as strict:

        async def error(**chosen: Any) -> str:
            """Return what the first order says; the authority finds nobody who proves a host."""
            found = Orderer(database, strict, **chosen)
            last = max((order.next_at for order in database.read_blocking(acme.list_orders)), default=0)
            found.clock.now = max(found.clock.now, last + 1)
            await found.look()
            return min(database.read_blocking(acme.list_orders), key=lambda order: order.name).error

        unbound = asyncio.run(error())
        assert "externalAccountBinding" in unbound
        wrong = asyncio.run(error(binding=("kid-1", key[::-1])))
        assert "the authority says" in wrong
        assert key[::-1] not in wrong
        assert "could not be proven" in asyncio.run(error(binding=("kid-1", key)))
        known = asyncio.run(error(binding=("kid-2", key)))  # a binding is for a new account
        assert "could not be proven" in known


def test_a_failed_order_waits_longer_each_time_and_is_told(database: Database, authority: Pebble) -> None:
    async def scenario() -> None:
        found = Orderer(database, authority)  # nobody answers on the port that Pebble asks
        pauses = []
        for attempt in range(1, TELL_AFTER + 1):
            assert not found.told
            await found.look()
            orders = database.read_blocking(acme.list_orders)
            assert len(orders) == 5
            assert {order.failures for order in orders} == {attempt}
            assert all("could not be proven" in order.error for order in orders)
            found.clock.now += 60_000
            await found.look()  # too soon: nothing is tried
            assert {order.failures for order in database.read_blocking(acme.list_orders)} == {attempt}
            latest = max(order.next_at for order in orders)
            pauses.append(latest - found.clock.now)
            found.clock.now = latest + 1
        assert pauses == sorted(pauses)
        assert pauses[0] < HOUR_MS < pauses[-1]
        assert len(found.told) == 5
        title, text = found.told[0]
        assert title.startswith("No certificate for ")
        assert "fazt cert status" in text
        assert not found.names()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"directory": "https://localhost:1/dir"}, "the authority cannot be used"),
        ({"ca_file": ""}, "the authority cannot be used"),
        ({"ca_file": "/nothing"}, "the authority cannot be used"),
        ({"kinds": ("dns-02",)}, "proves fazt.example by"),
        ({"dns": DnsChoice("program")}, "cannot be found"),
        ({"public": True, "directory": "https://localhost:1/dir"}, ""),
    ],
)
def test_what_goes_wrong_is_said(database: Database, authority: Pebble, changed: dict[str, Any], words: str) -> None:
    async def scenario() -> None:
        found = Orderer(database, authority, **changed)
        await found.look()
        orders = {order.name: order for order in database.read_blocking(acme.list_orders)}
        if changed.get("public"):
            assert not orders  # .example is a name that no public authority signs
        else:
            assert words in orders[DOMAIN].error

    asyncio.run(scenario())


def test_nothing_is_ordered_where_it_is_switched_off(database: Database, authority: Pebble) -> None:
    async def scenario() -> None:
        found = Orderer(database, authority, active=False)
        assert await found.look() is None
        assert await found.issuing.states() == []
        assert not database.read_blocking(acme.list_orders)

    asyncio.run(scenario())


def test_the_key_of_an_account_is_kept_sealed(database: Database, authority: Pebble) -> None:
    async def scenario() -> None:
        await Orderer(database, authority).look()
        first = database.read_blocking(acme.find_account, authority.directory)
        await Orderer(database, authority).look()
        assert database.read_blocking(acme.find_account, authority.directory) == first
        assert first is not None
        assert first.startswith(b"-----BEGIN PRIVATE KEY-----")

    asyncio.run(scenario())
    stored = b"".join(path.read_bytes() for path in database.path.parent.glob("data.db*") if path.is_file())
    assert b"PRIVATE KEY" not in stored


def test_a_slow_order_holds_up_no_other_and_no_stop(
    database: Database, authority: Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    class Slow:
        def __init__(self, *_: object) -> None:
            """Take any account."""

        def order(self, names: Sequence[str], *_: object) -> tuple[bytes, bytes]:
            if names[0] == DOMAIN:
                released.wait(60)
            return make_certificate(*names)

        def renewal(self, _: bytes) -> tuple[None, int]:
            return None, 1 << 50

        def close(self) -> None:
            """End nothing."""

    monkeypatch.setattr("fazt.acme.issuing._authority", lambda *_: Slow())

    async def scenario() -> None:
        found = Orderer(database, authority)
        assert await found.issuing.look() is not None
        while len(found.names()) < 4:  # all but the slow one
            await asyncio.sleep(0.01)
        database.write_blocking(sites.create, "blog")
        await found.issuing.look()
        while (f"blog.{DOMAIN}",) not in found.names():
            await asyncio.sleep(0.01)
        slow = next(each for each in await found.issuing.states() if each.due.wanted.names == (DOMAIN,))
        assert slow.under_way
        # It counts as failed until it succeeds: whoever is killed now waits before the authority is asked again.
        assert slow.order is not None
        assert (slow.order.failures, slow.order.error) == (1, CUT_OFF)
        assert slow.order.next_at > found.clock.now

    began = time.monotonic()
    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert time.monotonic() - began < 15  # the loop ended although the slow order has not
    released.set()


def test_nothing_is_ordered_where_nothing_can_be_kept(
    database: Database, authority: Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the authority was asked")

    monkeypatch.setattr("fazt.acme.issuing._authority", refuse)
    monkeypatch.setattr("fazt.acme.issuing.STORE_PAUSE_S", 0.01)
    database.stop_writing(True)

    async def scenario() -> None:
        found = Orderer(database, authority)
        await found.look()
        assert not found.told

    asyncio.run(scenario())
    database.stop_writing(False)
    assert database.read_blocking(acme.list_orders) == []
