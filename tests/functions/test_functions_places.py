"""The places of a site among the calls under way: handed on, and never lost with whoever stops waiting."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fazt.errors import FunctionBusy
from fazt.functions import service as service_module
from fazt.functions.service import Service

TARGET = cast(Any, SimpleNamespace(site_id=1, allowance=SimpleNamespace(concurrency=1)))


def make_service() -> Service:
    return Service(cast(Any, None), lambda *_: None, lambda *_: None)


def test_a_place_that_comes_as_its_caller_leaves_goes_on_to_the_next() -> None:
    async def test() -> None:
        service = make_service()
        give_back = await service._place(TARGET)
        leaving = asyncio.ensure_future(service._place(TARGET))
        await asyncio.sleep(0)
        give_back()  # it is handed to the one who waits,
        leaving.cancel()  # who leaves in the same turn
        with pytest.raises(asyncio.CancelledError):
            await leaving
        (await service._place(TARGET))()
        assert service._sites == {}

    asyncio.run(test())


def test_who_waits_too_long_is_refused_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        service = make_service()
        give_back = await service._place(TARGET)
        with pytest.raises(FunctionBusy):
            await service._place(TARGET)
        give_back()
        assert service._sites == {}

    monkeypatch.setattr(service_module, "WAIT_S", 0.01)
    asyncio.run(test())
