"""Turns in the rounds of the event loop: so many steps of functions' calls in one, the others in the next ones.

A page is answered between two rounds, and takes microseconds; a step of a call takes a hundred. Rule: however many
calls there are to begin or to answer, a round of the loop stays short, and the order in which they came is kept.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

AT_ONCE = 2


class Turns:
    """Gives out turns; to be made inside of the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = AT_ONCE
        self._counting = False  # a round is under way in which turns were given out

    def take(self, step: Callable[[], None]) -> None:
        """Run a step now where this round has a turn left, else when its turn comes."""
        if self._left and not self._waiting:
            self._use()
            step()
        else:
            self._waiting.append(step)

    async def come(self) -> None:
        """Return when it is the caller's turn."""
        if self._left and not self._waiting:
            self._use()
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(partial(_give, turn))
        await turn

    def _use(self) -> None:
        self._left -= 1
        if not self._counting:
            self._counting = True
            self._loop.call_soon(self._begin_round)

    def _begin_round(self) -> None:
        self._left = AT_ONCE
        self._counting = False
        while self._left and self._waiting:
            self._use()
            self._waiting.popleft()()


def _give(turn: asyncio.Future[None]) -> None:
    if not turn.done():  # who waited may have gone
        turn.set_result(None)
