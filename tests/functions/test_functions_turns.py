import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

from fazt.functions.turns import AT_ONCE, Turns

OnLoop = Callable[[Coroutine[Any, Any, Any]], Any]


def test_a_round_has_so_many_turns_and_the_order_is_kept(on_loop: OnLoop) -> None:
    async def test() -> None:
        turns, taken = Turns(), []
        for number in range(3 * AT_ONCE + 1):
            turns.take(lambda number=number: taken.append(number))
        counts = [len(taken)]
        while len(taken) < 3 * AT_ONCE + 1:
            await asyncio.sleep(0)
            counts.append(len(taken))
        assert taken == list(range(3 * AT_ONCE + 1))
        assert all(later - before <= AT_ONCE for before, later in pairwise(counts))

    on_loop(test())


def test_a_turn_is_there_at_once_where_nobody_wants_one(on_loop: OnLoop) -> None:
    async def test() -> None:
        turns = Turns()
        for _ in range(5):
            taken: list[int] = []
            turns.take(lambda taken=taken: taken.append(1))
            assert taken == [1]
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    on_loop(test())


def test_whoever_waits_may_go_away(on_loop: OnLoop) -> None:
    async def test() -> None:
        turns, came = Turns(), []

        async def come(number: int) -> None:
            await turns.come()
            came.append(number)

        tasks = [asyncio.ensure_future(come(number)) for number in range(2 * AT_ONCE + 2)]
        await asyncio.sleep(0)
        tasks[AT_ONCE].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert came == [number for number in range(2 * AT_ONCE + 2) if number != AT_ONCE]

    on_loop(test())
