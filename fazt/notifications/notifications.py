"""`Notifications`: takes events, and sees to it that each reaches the channels that want it, or is given up.

Rule: an event that is written down is tried until its channel has answered 2xx or all attempts are used up, whatever
happens to the process; a channel that stalls keeps no other one waiting.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import apsw

from fazt.clock import TROUBLE_PAUSE_MS, Clock, keep_looking
from fazt.errors import FaztError, FetchRefused, NotFound, StoreError
from fazt.notifications.events import KINDS, TEST, Kind, make_event
from fazt.notifications.messages import make_request
from fazt.outbound.client import Limits, Outbound, Response
from fazt.store import notifications as store
from fazt.store.database import Database
from fazt.store.notifications import Attempt, Channel, Event, Notice, State

log = logging.getLogger("fazt.notifications")

PAUSES_S = (60, 300, 1800, 7200, 21_600)  # behind each attempt that failed; then it is given up
LIMITS = Limits(connect_s=10.0, total_s=30.0, requests=8, site_requests=8)
ANSWER_BYTES = 1024  # of an answer's body that are read
ANSWER_S = 5.0  # for which they are waited for
ANSWER_CHARACTERS = 500
MOST_RAISED = 1000  # events in memory that the store has not taken yet
TEST_MS = 300_000  # until the worker takes up a test that nobody sent
TRIM_EVERY_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class _Raised:
    event: Event
    subject: str | None = None  # told once in `every_ms`
    every_ms: int = 0


class Notifications:
    """All channels of a server."""

    def __init__(self, database: Database, make_outbound: Callable[[], Outbound], clock: Clock, server: str) -> None:
        """Take how the client for outgoing requests is made, and the domain that tells."""
        self._database = database
        self._make_outbound = make_outbound
        self._outbound: Outbound | None = None
        self._clock = clock
        self._server = server
        self._waking = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._raised: list[_Raised] = []
        self._sending: dict[int, asyncio.Task[None]] = {}  # by the number of the channel
        self._closing: set[asyncio.Task[None]] = set()
        self._trim_at = 0

    def notify(self, kind: Kind, title: str, text: str, site: str | None = None) -> None:
        """Tell the owner of an event, without waiting for it; from any thread."""
        self._raise(_Raised(self._event(kind, title, text, site)))

    def notify_once(
        self, subject: str, every_s: float, kind: Kind, title: str, text: str, site: str | None = None
    ) -> None:
        """Do the same, but of one subject only once in a while, also where the server was started anew meanwhile."""
        self._raise(_Raised(self._event(kind, title, text, site), subject, int(every_s * 1000)))

    def _event(self, kind: str, title: str, text: str, site: str | None) -> Event:
        if kind not in KINDS:
            raise ValueError(f"there is no event {kind!r}")
        return make_event(kind, title, text, site, self._clock.now_ms())

    def _raise(self, raised: _Raised) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, raised)

    def _take(self, raised: _Raised) -> None:
        if len(self._raised) < MOST_RAISED:
            self._raised.append(raised)
        else:
            log.warning("an event was not told, since %d wait: %s", MOST_RAISED, raised.event.title)
        self._waking.set()

    def wake(self) -> None:
        """Look again: a channel was changed."""
        self._waking.set()

    def renew(self) -> None:
        """Make the next requests with a new client: what may be reached has changed."""
        before, self._outbound = self._outbound, None
        if before is not None:
            task = self._loop.create_task(before.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def test(self, channel: Channel) -> Notice:
        """Tell a channel that it works, now and without another attempt; return how that went.

        Raises: NotFound where the channel has gone meanwhile.
        """
        now = self._clock.now_ms()
        event = make_event(TEST, f"Fazt on {self._server}", "This notification works.", None, now)
        notice = await self._database.write(_add_test, channel, event)
        attempt = await self._attempt(channel, notice)
        state: State = "sent" if _is_good(attempt) else "failed"
        return await self._database.write(store.end, notice, state, None, attempt)

    async def work(self) -> None:
        """Send what is due until the task is cancelled; what is under way then is sent again the next time."""
        try:
            await keep_looking(self._look, self._waking, self._clock, log)
        finally:
            await self._stop()

    async def _look(self) -> int | None:
        """Write down what was raised, begin what is due; return when to look again."""
        now = self._clock.now_ms()
        if now >= self._trim_at:
            await self._database.write(store.trim, now)
            self._trim_at = now + TRIM_EVERY_MS
        if taken := list(self._raised):
            await self._database.write(_tell, taken)
            del self._raised[: len(taken)]
        for channel, notice in await self._database.read(store.due, now, frozenset(self._sending)):
            task = asyncio.create_task(self._send(channel, notice), name=f"notification {channel.name}")
            self._sending[channel.number] = task
            task.add_done_callback(partial(self._on_end, channel.number))
        next_at = await self._database.read(store.next_due, frozenset(self._sending))
        return self._trim_at if next_at is None else min(next_at, self._trim_at)

    def _on_end(self, number: int, task: asyncio.Task[None]) -> None:
        del self._sending[number]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a notification was not sent", exc_info=error)
        self._waking.set()

    async def _send(self, channel: Channel, notice: Notice) -> None:
        attempt = await self._attempt(channel, notice)
        state, due_at = _outcome(notice, attempt, self._clock.now_ms())
        try:
            await self._database.write(store.end, notice, state, due_at, attempt)
        except NotFound:  # its channel was removed meanwhile
            return
        except StoreError as error:
            log.warning("the end of a notification was not written: %s", error)
            await asyncio.sleep(TROUBLE_PAUSE_MS / 1000)  # it is due still, and must not be sent without a pause

    async def _attempt(self, channel: Channel, notice: Notice) -> Attempt:
        """Send one request, and return how that went, whatever it was."""
        began = time.monotonic()
        tried_at = self._clock.now_ms()
        status = answer = error = None
        try:
            secret = None if channel.secret is None else await self._database.read(store.open_secret, channel)
            request = make_request(channel, secret, notice, self._server, tried_at // 1000)
            response = await self._client().fetch(request)
            try:
                status = response.status
                answer = await _read_beginning(response)
            finally:
                response.close()
            if not 200 <= status < 300:
                error = f"It answered with status {status}" + (", a redirect." if 300 <= status < 400 else ".")
        except FetchRefused as refusal:
            error = refusal.message[:ANSWER_CHARACTERS]
            if "address" in error:
                error += " The setting notifications_private opens your own networks."
        except FaztError as failure:
            error = failure.message[:ANSWER_CHARACTERS]
        duration_ms = int((time.monotonic() - began) * 1000)
        return Attempt(status, answer, error, duration_ms, tried_at)

    def _client(self) -> Outbound:
        if self._outbound is None:
            self._outbound = self._make_outbound()
        return self._outbound

    async def _stop(self) -> None:
        if self._raised:
            with contextlib.suppress(StoreError):
                await self._database.write(_tell, list(self._raised))
                self._raised.clear()
        under_way = list(self._sending.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, *self._closing, return_exceptions=True)
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        outbound, self._outbound = self._outbound, None
        if outbound is not None:
            await outbound.close()


async def _read_beginning(response: Response) -> str:
    """Return the beginning of an answer, fit to be shown; what comes late or not at all is not waited for."""
    data = b""
    with contextlib.suppress(TimeoutError, FaztError):
        async with asyncio.timeout(ANSWER_S):
            while len(data) < ANSWER_BYTES and (piece := await response.read()):
                data += piece
    text = data[:ANSWER_BYTES].decode("utf-8", "replace")
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)[:ANSWER_CHARACTERS]


def pause_ms(attempts: int) -> int:
    """Return how long to wait behind so many attempts: a quarter more or less than planned, at random."""
    pause = PAUSES_S[attempts - 1] * 1000
    return pause * 3 // 4 + secrets.randbelow(pause // 2 + 1)


def _outcome(notice: Notice, attempt: Attempt, now: int) -> tuple[State, int | None]:
    """Return what becomes of a notice, and when it is tried again."""
    if _is_good(attempt):
        return "sent", None
    attempts = notice.attempts + 1
    if attempts > len(PAUSES_S):
        return "failed", None
    return "waiting", now + pause_ms(attempts)


def _is_good(attempt: Attempt) -> bool:
    return attempt.error is None


def _tell(connection: apsw.Connection, raised: Sequence[_Raised]) -> None:
    for each in raised:
        if each.subject is None:
            store.tell(connection, each.event, secrets.token_hex(10))
        else:
            store.tell_once(connection, each.event, secrets.token_hex(10), each.subject, each.every_ms)


def _add_test(connection: apsw.Connection, channel: Channel, event: Event) -> Notice:
    """Put a test on its way; the worker takes it up only where this process ends before it was sent."""
    return store.add_test(connection, channel, event, secrets.token_hex(10), event.at + TEST_MS)
