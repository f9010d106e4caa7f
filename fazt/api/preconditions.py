"""`If-Match`: what a caller has seen, the live version of a site or a revision, and whether it is that still.

RFC 9110 13.1.1.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import apsw
import orjson
from fastapi import Header

from fazt.errors import InvalidInput, PreconditionFailed
from fazt.store import sites, versions

# The header of a request, as a parameter of a call; None: it was not sent
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description='The id of the version, or the revision, that was seen, in "".')
]
CHANGED = "Somebody else has changed this meanwhile; look at it again."
Check = Callable[[apsw.Connection], None]
Thing = TypeVar("Thing")
ENTITY_TAG = re.compile(r'"([0-9a-f]{32})"')


def seen_version(if_match: str | None) -> str:
    """Return the id of the version that a caller has seen.

    Raises: InvalidInput where the header names none.
    """
    seen = ENTITY_TAG.fullmatch((if_match or "").strip())
    if seen is None:
        raise InvalidInput('Say which version you saw: If-Match: "the id of the live version".')
    return seen[1]


def live_id(connection: apsw.Connection, name: str) -> str | None:
    """Return the id of the version of a site that is live; None where there is no site or nothing is live."""
    site = sites.find(connection, name)
    live = None if site is None or site.live_version is None else versions.by_number(connection, site.live_version)
    return None if live is None else live.id


def check_is_live(connection: apsw.Connection, name: str, seen: str) -> None:
    """Raise PreconditionFailed, which tells what is live, unless the version that was seen is."""
    live = live_id(connection, name)
    if live != seen:
        raise PreconditionFailed(
            f"Somebody was faster: {'nothing' if live is None else live[:8]} is live now, not {seen[:8]}.", live=live
        )


def revision_of_fields(*fields: Any) -> str:
    """Return what tells the state of something that can be edited from any other, by all that an edit may change."""
    return revision_of(orjson.dumps(fields))


def held_to(
    if_match: str | None, find: Callable[[apsw.Connection], Thing | None], revision: Callable[[Thing], str]
) -> Check | None:
    """Return the check of an edit that says which state it was made for; None where it does not say.

    Raises: InvalidInput where the header names no revision. What is not there any more is found out by the edit itself.
    """
    seen = seen_revision(if_match)
    if seen is None:
        return None

    def check(connection: apsw.Connection) -> None:
        found = find(connection)
        if found is not None and (present := revision(found)) != seen:
            raise PreconditionFailed(CHANGED, revision=present)

    return check


def revision_of(data: bytes | None) -> str:
    """Return what tells something that is kept from whatever was kept there before."""
    return hashlib.sha256(data or b"").hexdigest()[:32]


def seen_revision(if_match: str | None) -> str | None:
    """Return the revision that a caller has seen; None where they do not say.

    Raises: InvalidInput where the header names none.
    """
    if if_match is None:
        return None
    seen = ENTITY_TAG.fullmatch(if_match.strip())
    if seen is None:
        raise InvalidInput("If-Match has the revision that you saw, in quotes.")
    return seen[1]


def check_revision(data: bytes | None, seen: str | None) -> None:
    """Raise PreconditionFailed unless what is kept is what a caller has seen, or they did not say."""
    revision = revision_of(data)
    if seen is not None and seen != revision:
        raise PreconditionFailed(CHANGED, revision=revision)
