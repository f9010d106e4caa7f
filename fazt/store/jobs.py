"""One call of a store function on its way to a thread and back.

Rule: every job is answered exactly once, whatever happens to the function, to the thread or to the caller's loop.
"""

import asyncio
import concurrent.futures
import traceback
from collections.abc import Callable
from types import GeneratorType
from typing import Any

import apsw

from fazt.errors import InvalidInput

Waiter = asyncio.Future[Any] | concurrent.futures.Future[Any]


class Refused(InvalidInput):
    """Input that a write refuses after it wrote something which must be kept: the writer commits that."""


class Job:
    """A function, its arguments, and who waits for the answer (on which event loop; None: a thread)."""

    __slots__ = ("arguments", "error", "function", "keywords", "loop", "result", "transaction", "waiter")

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
        transaction: bool = True,
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.keywords = keywords
        self.loop = loop
        self.transaction = transaction
        self.waiter: Waiter = concurrent.futures.Future() if loop is None else loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def call(self, connection: apsw.Connection) -> bool:
        """Run the function; return whether it succeeded. The outcome is kept until `answer`."""
        self.result = self.error = None
        try:
            self.result = self.function(connection, *self.arguments, **self.keywords)
            if isinstance(self.result, apsw.Cursor | GeneratorType):
                self.result = None
                raise TypeError(f"{self.function.__qualname__} returned rows that would outlive their transaction")
        except StopIteration as error:
            self.error = RuntimeError(f"{self.function.__qualname__} raised StopIteration")  # no future can carry it
            self.error.__cause__ = error
        except BaseException as error:  # whoever waits is told, whatever it is
            self.error = error
        return self.error is None

    def release(self, connection: apsw.Connection) -> None:
        """End the statements that a failed function left open, since they hold an old snapshot of the database."""
        if self.error is not None and connection.txn_state("main") != apsw.SQLITE_TXN_NONE:
            traceback.clear_frames(self.error.__traceback__)

    def wait(self) -> Any:
        """Block the calling thread until the answer is there, and return or raise it."""
        assert isinstance(self.waiter, concurrent.futures.Future), "an event loop must not be blocked"
        return self.waiter.result()

    def answer(self) -> None:
        """Hand the outcome to whoever waits; a second answer is not heard."""
        if self.loop is None:
            _settle(self.waiter, self.result, self.error)
            return
        try:
            self.loop.call_soon_threadsafe(_settle, self.waiter, self.result, self.error)
        except RuntimeError:
            if not self.loop.is_closed():  # a closed loop has nobody left who waits
                raise


def _settle(waiter: Waiter, result: Any, error: BaseException | None) -> None:
    if waiter.done():  # answered before, or given up by its task: what was written stays written
        return
    if error is None:
        waiter.set_result(result)
    else:
        waiter.set_exception(error)
