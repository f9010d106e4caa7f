"""Orders certificates when hosts appear, and renews them before they expire.

Rule: an authority is asked for what is due and for nothing else, a few orders at a time; one that failed waits, longer
each time, also over a restart. Trouble is told to the owner and never stops the server.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Never, ParamSpec, TypeVar, cast

import apsw

from fazt.acme.renewal import HOUR_MS, next_try_at
from fazt.acme.showing import DnsChoice, Showing
from fazt.acme.wanted import Due, Wanted, survey, to_ask
from fazt.clock import Clock, keep_looking
from fazt.errors import Conflict, FaztError, StoreError
from fazt.sites.hosting import Hosting
from fazt.store import acme, certificates
from fazt.store.acme import Order, Renewal
from fazt.store.certificates import Certificate, NewCertificate
from fazt.store.changes import Change
from fazt.store.database import Database

if TYPE_CHECKING:
    from fazt.acme.authority import Authority

log = logging.getLogger("fazt.acme")
P = ParamSpec("P")
T = TypeVar("T")
AT_ONCE = 4
LONGEST_MS = 12 * HOUR_MS  # until it is looked again
QUIET_MS = 2000  # after a change: a deploy makes several
TELL_AFTER = 3  # failures in a row
STORE_PAUSE_S = 5.0
STOPPED_MS = 60_000  # in a read-only time
CUT_OFF = "The order was cut off."
WAKES = ("site", "domain", certificates.KIND)
DNS = "dns-01"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the settings say; `kinds`: how hosts are proven, the best first."""

    active: bool
    directory: str
    public: bool  # the authority signs for the whole internet
    email: str
    ca_file: str
    binding: tuple[str, str] | None  # id and key that bind the account to one made elsewhere
    kinds: tuple[str, ...]
    dns: DnsChoice = field(default_factory=DnsChoice)


@dataclass(frozen=True, slots=True)
class State:
    """How a certificate that is wanted stands; `order` is None where nothing went wrong."""

    due: Due
    under_way: bool
    order: Order | None


Read = Callable[[bytes, bytes], NewCertificate]
Tell = Callable[[str, str], None]


class Issuing:
    """The one who orders; made inside of the loop.

    `read(chain, key)` checks what an authority gave; `tell(title, text)` is called where the owner has to know.
    """

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        choose: Callable[[], Choice],
        showing: Showing,
        read: Read,
        clock: Clock,
        tell: Tell,
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._choose = choose
        self._showing = showing
        self._read = read
        self._clock = clock
        self._tell = tell
        self._waking = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._under_way: set[Wanted] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(AT_ONCE)
        database.follow(self._follow)

    async def work(self) -> Never:
        """Do what is due, for ever."""
        await keep_looking(self.look, self._waking, self._clock, log)

    def wake(self) -> None:
        """Look at once: settings or hosts have changed."""
        self._waking.set()

    def _follow(self, changes: Sequence[Change]) -> None:
        if any(change.kind in WAKES for change in changes):
            with suppress(RuntimeError):  # the loop has ended, and the last writes come behind it
                self._loop.call_soon_threadsafe(self._loop.call_later, QUIET_MS / 1000, self.wake)

    async def look(self) -> int | None:
        """Begin what is due, without waiting for its end; return when to look again."""
        choice = self._choose()
        if not choice.active:
            return None
        if self._database.is_writing_stopped:  # what an authority gives could not be kept
            return self._clock.now_ms() + STOPPED_MS
        states = [each for each in await self.states() if not each.under_way]
        now = self._clock.now_ms()
        for each in states:
            if _at(each) <= now:
                self._begin(choice, each)
        asked = await self._ask_when(choice, to_ask([each.due for each in states]))
        return min([now + LONGEST_MS, *(_at(each) for each in states if _at(each) > now), *asked])

    async def settle(self) -> None:
        """Wait until every order has ended that was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def states(self) -> list[State]:
        """Return how all that is wanted stands; nothing where nothing is ordered."""
        choice, now = self._choose(), self._clock.now_ms()
        if not choice.active:
            return []
        due, orders = await self._database.read(_survey, self._hosting, now, choice)
        return [State(each, each.wanted in self._under_way, orders.get(each.wanted.names[0])) for each in due]

    @property
    def records(self) -> dict[str, str]:
        """The DNS records that the owner is asked to set, by name."""
        return dict(self._showing.records)

    def _begin(self, choice: Choice, state: State) -> None:
        self._under_way.add(state.due.wanted)
        task = self._loop.create_task(self._in_turn(choice, state))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.wake()

    async def _in_turn(self, choice: Choice, state: State) -> None:
        try:
            async with self._places:
                await self._try(choice, state)
        except StoreError as error:  # nothing can be written down: then nothing was ordered either
            log.warning("the certificate for %s has to wait: %s", state.due.wanted.names[0], error.message)
            await asyncio.sleep(STORE_PAUSE_S)
        except Exception:  # one bad order must not end all others
            log.exception("the certificate for %s has to wait", state.due.wanted.names[0])
            await asyncio.sleep(STORE_PAUSE_S)
        finally:
            self._under_way.discard(state.due.wanted)

    async def _try(self, choice: Choice, state: State) -> None:
        """Order once. It counts as failed before the authority is asked: whoever is cut off must not ask on and on."""
        await self._note(state, CUT_OFF)
        try:
            await self._order(choice, state.due.wanted)
        except FaztError as error:
            await self._failed(state, error.message)

    async def _order(self, choice: Choice, wanted: Wanted) -> None:
        """Order one certificate and keep it. Raises: FaztError."""
        key = await self._account(choice.directory)
        if choice.public:
            await self._showing.check_addresses(wanted.names)
        kinds = (DNS,) if wanted.by_dns else choice.kinds
        new = await on_own_thread(self._order_blocking, choice, key, wanted.names, kinds)
        await self._database.write(_keep, new, wanted.names[0])
        log.info("a certificate for %s was issued by %s", ", ".join(wanted.names), new.issuer)

    def _order_blocking(self, choice: Choice, key: bytes, names: Sequence[str], kinds: Sequence[str]) -> NewCertificate:
        authority = _authority(choice, key)
        try:
            return self._read(*authority.order(names, kinds, self._showing.show(choice.dns)))
        finally:
            authority.close()

    async def _account(self, directory: str) -> bytes:
        key = await self._database.read(acme.find_account, directory)
        if key is not None:
            return key
        return await self._database.write(acme.add_account, directory, await asyncio.to_thread(_make_key))

    async def _failed(self, state: State, error: str) -> None:
        name, failures = state.due.wanted.names[0], await self._note(state, error)
        log.warning("no certificate for %s (attempt %d): %s", name, failures, error)
        if failures == TELL_AFTER:
            self._tell(f"No certificate for {name}", f"{error}\nfazt cert status says how it stands.")

    async def _note(self, state: State, error: str) -> int:
        """Write down that an order failed; return how often it did in a row."""
        name, now = state.due.wanted.names[0], self._clock.now_ms()
        failures = 1 + (0 if state.order is None else state.order.failures)
        order = Order(name, failures, now, next_try_at(name, now, failures, error), error)
        await self._database.write(acme.put_order, order)
        return failures

    async def _ask_when(self, choice: Choice, present: Sequence[Certificate]) -> list[int]:
        """Ask when certificates are best renewed (RFC 9773), where that is due; return when to ask again."""
        now = self._clock.now_ms()
        known = {each.fingerprint: each.ask_at for each in await self._database.read(acme.list_renewals)}
        to_ask = [each for each in present if known.get(each.fingerprint, 0) <= now]
        if to_ask:
            key = await self._account(choice.directory)
            for renewal in await on_own_thread(self._ask_blocking, choice, key, to_ask):
                await self._database.write(acme.put_renewal, renewal)
                known[renewal.fingerprint] = renewal.ask_at
        return [known[each.fingerprint] for each in present if each.fingerprint in known]

    def _ask_blocking(self, choice: Choice, key: bytes, present: Sequence[Certificate]) -> list[Renewal]:
        found, now = [], self._clock.now_ms()
        try:
            authority = _authority(choice, key)
        except FaztError as error:
            log.warning("when to renew could not be asked: %s", error.message)
            return [Renewal(each.fingerprint, 0, now + HOUR_MS) for each in present]
        try:
            for each in present:
                chain, _ = self._database.read_blocking(certificates.get_pem, each.number)
                at, again = authority.renewal(chain)
                found.append(Renewal(each.fingerprint, at or 0, max(again, now + HOUR_MS // 6)))
        except FaztError as error:  # the rest is asked another time
            log.warning("when to renew could not be asked: %s", error.message)
        finally:
            authority.close()
        asked = {each.fingerprint for each in found}
        return found + [
            Renewal(each.fingerprint, 0, now + HOUR_MS) for each in present if each.fingerprint not in asked
        ]


async def on_own_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function on a thread of its own, which a server that stops does not wait for: it asks others, slowly."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error is None:
            done.set_result(cast("T", result))
        else:
            done.set_exception(error)

    def run() -> None:
        result, failed = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            failed = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="fazt-acme", daemon=True).start()
    return await done


def _at(state: State) -> int:
    """Return when something is to be done: when it is due, and not before a failed order has waited."""
    return max(state.due.at, 0 if state.order is None else state.order.next_at)


def _authority(choice: Choice, key: bytes) -> "Authority":
    # The library takes half a second to load: only who orders needs it.
    from fazt.acme.authority import Authority

    return Authority(choice.directory, key, choice.email, choice.ca_file, choice.binding)


def _make_key() -> bytes:
    from fazt.acme.authority import make_key

    return make_key()


def _survey(
    connection: apsw.Connection, hosting: Hosting, now: int, choice: Choice
) -> tuple[list[Due], dict[str, Order]]:
    due = survey(connection, hosting, now, by_dns=bool(choice.dns.provider), publicly=choice.public)
    return due, {each.name: each for each in acme.list_orders(connection)}


def _keep(connection: apsw.Connection, new: NewCertificate, name: str) -> None:
    try:
        certificates.add(connection, new, "acme")
    except Conflict:  # an authority that gave the same one again
        log.warning("the certificate for %s was here already", name)
    acme.remove_order(connection, name)
