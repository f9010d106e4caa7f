"""Many small calls of store functions, handed to the database together.

To cross over to a thread and back costs more than what most of these calls do there. So what is asked in one turn of
the event loop, or while an earlier batch is on its way, goes as one. Rule: each call fails by itself; an answer is
given only after the whole batch is done, for a write that is after the COMMIT.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import apsw

MOST_CALLS = 64  # in one batch: the others' writes wait for all of it
MOST_BYTES = 8 << 20

T = TypeVar("T")


Call = tuple[Callable[..., Any], tuple[Any, ...], bool]  # a store function, its arguments, whether in a savepoint
Outcome = tuple[Any, Exception | None]
Submit = Callable[
    [Callable[[apsw.Connection, Sequence[Call]], list[Outcome]], Sequence[Call]], Awaitable[list[Outcome]]
]


class Batches:
    """One door to the database, `Database.read` or `Database.write`, that several calls pass at once."""

    def __init__(self, submit: Submit, most_under_way: int) -> None:
        self._submit = submit
        self._most_under_way = most_under_way
        self._waiting: list[tuple[Call, int, asyncio.Future[Any]]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def call(
        self, function: Callable[..., T], *arguments: Any, size: int = 0, savepoint: bool = False
    ) -> "asyncio.Future[T]":
        """Call `function(connection, *arguments)`, which takes so many bytes.

        `savepoint` is for a function that may raise in the middle of its work, all of which is undone then.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append(((function, arguments, savepoint), size, future))
        if not self._scheduled and len(self._under_way) < self._most_under_way:
            self._scheduled = True
            loop.call_soon(self._send)
        return future

    def _send(self) -> None:
        """Hand over what waits, as much as one batch takes."""
        self._scheduled = False
        count = size = 0
        for _, call_size, _ in self._waiting[:MOST_CALLS]:
            size += call_size
            if count and size > MOST_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        task = asyncio.ensure_future(self._run([item[0] for item in batch], [item[2] for item in batch]))
        self._under_way.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._waiting and not self._scheduled:
            self._send()

    async def _run(self, calls: list[Call], futures: "list[asyncio.Future[Any]]") -> None:
        try:
            outcomes = await self._submit(run_calls, calls)
        except Exception as error:  # of the whole batch: a full disk, a database that was closed
            outcomes = [(None, error)] * len(calls)
        for (result, fault), future in zip(outcomes, futures, strict=True):
            if future.done():  # whoever asked has gone away
                continue
            if fault is None:
                future.set_result(result)
            else:
                future.set_exception(fault)


def run_calls(connection: apsw.Connection, calls: Sequence[Call]) -> list[Outcome]:
    """Run calls one after the other and return what became of each.

    Raises: apsw.Error where the transaction itself cannot go on.
    """
    outcomes: list[Outcome] = []
    for function, arguments, savepoint in calls:
        try:
            if savepoint:
                with connection:
                    outcomes.append((function(connection, *arguments), None))
            else:
                outcomes.append((function(connection, *arguments), None))
        except apsw.ConstraintError as error:  # the one that SQLite undoes alone
            outcomes.append((None, error))
        except apsw.Error:
            raise
        except Exception as error:
            outcomes.append((None, error))
    return outcomes
