"""What a script asks of the host: its operation is found, run, and answered.

Rule: a script names an operation and gives it JSON and bytes; who asks is known here. A failure that is not ours to
explain goes to the log, and the script learns no more than that there was one.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from fazt.data.caller import Caller, Operation
from fazt.errors import FaztError, InvalidInput, NotAvailable, TooLarge
from fazt.functions.frames import LARGEST_BYTES, Kind, encode

log = logging.getLogger("fazt.functions")

LoadOperations = Callable[[], Mapping[str, Operation]]


class Bridge:
    """The operations that there are; those of a family in `later` are loaded, on a thread, when one is asked for."""

    def __init__(self, operations: Mapping[str, Operation], later: Mapping[str, LoadOperations] | None = None) -> None:
        self._operations = dict(operations)
        self._later = dict(later or {})
        self._loading = asyncio.Lock()

    async def answer(self, caller: Caller, call: int, seq: int, json: bytes, data: bytes) -> bytes:
        """Run what a frame asks for; return the frame that answers it."""
        try:
            value, result = await self._run(caller, json, data)
            if len(result) > LARGEST_BYTES // 2:
                raise TooLarge("The answer is larger than 1 MB; ask for less at once.")
            return encode(Kind.REPLY, call, seq, value, result)
        except FaztError as error:
            return refusal(call, seq, error)
        except ValueError:  # of `encode`: too much JSON
            return refusal(call, seq, TooLarge("The answer is larger than 2 MB; ask for less at once."))
        except Exception:
            log.exception("an operation that a function of %s asked for failed", caller.site)
            return refusal(call, seq, FaztError("Something went wrong on this server; its log says what."))

    async def _run(self, caller: Caller, json: bytes, data: bytes) -> tuple[Any, bytes]:
        try:
            name, value = orjson.loads(json)
            operation = self._operations.get(name)
        except (orjson.JSONDecodeError, ValueError, TypeError):
            raise InvalidInput("This is not a question to the host.") from None
        if caller.closed:
            raise InvalidInput("The call that asks has ended.")
        if operation is None:
            operation = await self._load(str(name))
        if operation is None:
            raise NotAvailable(f"{str(name)[:100]} is not available in this version.")
        return await operation(caller, value, data)

    async def _load(self, name: str) -> Operation | None:
        family = name.partition(".")[0]
        async with self._loading:
            if (load := self._later.get(family)) is not None:
                self._operations.update(await asyncio.to_thread(load))
                del self._later[family]
        return self._operations.get(name)


def refusal(call: int, seq: int, error: FaztError) -> bytes:
    """Return the frame that rejects a promise."""
    return encode(Kind.REFUSED, call, seq, {"code": error.code, "message": error.message[:2000]})
