"""Changes that are written down: one transaction holds what a caller did and the row that tells of it.

Rule: a handler that changes anything writes through `Audit.write`; what it shows of before and after has no secrets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import apsw
import orjson

from fazt.auth.tokens import Principal
from fazt.store import audit
from fazt.store.audit import Entry
from fazt.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")
Look = Callable[[apsw.Connection], Any]
LONGEST_SUBJECT = 2000


@dataclass(frozen=True, slots=True)
class Act:
    """What a caller does: an action such as `site.rename`, on what, of which site (None: of the server).

    `look` returns the subject as JSON has it, None where it is not there; it is asked before and after the change.
    `check` raises where the change must not be made, as of the transaction that makes it.
    """

    action: str
    subject: str
    site: str | None = None
    look: Look | None = None
    check: Callable[[apsw.Connection], None] | None = None


class Audit:
    """Writes changes together with their rows of the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(
        self,
        caller: Principal,
        act: Act,
        function: Callable[Concatenate[apsw.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do what `Database.write` does, and write down who did it; a change that fails leaves no row."""
        return await self._database.write(self._audited(caller, act, function, *args, **kwargs))

    async def write_always(
        self,
        caller: Principal,
        act: Act,
        function: Callable[Concatenate[apsw.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do the same in a read-only time too."""
        return await self._database.write_always(self._audited(caller, act, function, *args, **kwargs))

    def _audited(
        self,
        caller: Principal,
        act: Act,
        function: Callable[Concatenate[apsw.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Callable[[apsw.Connection], T]:
        def change(connection: apsw.Connection) -> T:
            if act.check is not None:
                act.check(connection)
            before = _seen(act.look, connection)
            result = function(connection, *args, **kwargs)
            note(connection, caller, act, before, _seen(act.look, connection))
            return result

        return change


def note(
    connection: apsw.Connection, caller: Principal, act: Act, before: bytes | None = None, after: bytes | None = None
) -> None:
    """Write down a change inside of the transaction that makes it."""
    audit.add(connection, entry_of(caller, act, before, after))


def entry_of(caller: Principal, act: Act, before: bytes | None = None, after: bytes | None = None) -> Entry:
    """Return what is written down of a change."""
    return Entry(caller.actor, caller.address, act.action, act.site, act.subject[:LONGEST_SUBJECT], before, after)


def _seen(look: Look | None, connection: apsw.Connection) -> bytes | None:
    seen = None if look is None else look(connection)
    return None if seen is None else orjson.dumps(seen)
