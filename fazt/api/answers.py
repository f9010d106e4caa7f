"""What the API's JSON looks like: times, hashes, lists, sites and versions.

Rule: everything that is answered goes through `answer`; no number of the store (`id`, `number`) gets out.
"""

import heapq
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import apsw
import orjson
from fastapi import Query, Response

from fazt.api import shapes
from fazt.api.preconditions import revision_of_fields
from fazt.api.shapes import Page
from fazt.api.times import iso
from fazt.errors import InvalidInput
from fazt.sites.hosting import Hosting
from fazt.store import domains, sites, versions
from fazt.store.domains import Domain
from fazt.store.sites import Site
from fazt.store.tokens import Token
from fazt.store.users import User
from fazt.store.versions import Version

DEFAULT_ITEMS = 100
MOST_ITEMS = 1000
NO_LIMIT = -1
LARGEST_NUMBER = 2**63 - 1

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS)]
After = Annotated[str | None, Query(max_length=2048)]
Item = TypeVar("Item")
Shape = TypeVar("Shape")


class Answer(Response, Generic[Shape]):
    """An answer in JSON of some shape: see `shapes.py`."""

    media_type = "application/json"


class NoContent(Response):
    """The answer to what is done and has nothing to say."""

    def __init__(self) -> None:
        super().__init__(status_code=204)


def answer(value: Shape, status: int = 200) -> Answer[Shape]:
    """Return an answer in JSON."""
    return Answer(orjson.dumps(value), status)


def list_answer(
    found: Sequence[Item], limit: int, shape: Callable[[Item], Shape], cursor: Callable[[Item], str]
) -> Page[Shape]:
    """Return a list as JSON has it; `found` holds one more than `limit` where there is a next page."""
    items = found[:limit]
    return {"items": [shape(item) for item in items], "next": cursor(items[-1]) if len(found) > limit else None}


def whole_list(items: list[Shape]) -> Page[Shape]:
    """Return a list that is never long as JSON has it."""
    return {"items": items, "next": None}


def of_sites(
    connection: apsw.Connection,
    wanted: frozenset[str] | None,
    list_one: Callable[[Site | None], Sequence[Item]],
    key: Callable[[Item], Any],
    *,
    newest_first: bool = False,
) -> list[Item]:
    """Return one list made of those of several sites, each in order of `key`; None: `list_one(None)` has all sites.

    A site that is not there has nothing.
    """
    if wanted is None:
        return list(list_one(None))
    there = [site for name in sorted(wanted) if (site := sites.find(connection, name)) is not None]
    return list(heapq.merge(*(list_one(site) for site in there), key=key, reverse=newest_first))


def number_cursor(after: str | None) -> int | None:
    """Return the number that a cursor of a list of versions stands for.

    Raises: InvalidInput.
    """
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 20 and int(after) <= LARGEST_NUMBER):
        raise InvalidInput("`after` must be the `next` of the page before.")
    return int(after)


def site_json(connection: apsw.Connection, hosting: Hosting, site: Site) -> shapes.Site:
    """Return a site as JSON has it."""
    live = None if site.live_version is None else versions.by_number(connection, site.live_version)
    return {
        "name": site.name,
        "url": hosting.site_url(site.name),
        "live_version": None if live is None else live.id,
        "locked": site.locked,
        "created_at": iso(site.created_at),
        "files": 0 if live is None else live.files,
        "bytes": 0 if live is None else live.bytes,
        "versions": versions.count(connection, site.id),
        "revision": site_revision(site),
        "domains": [domain.name for domain in domains.list_page(connection, site.name, None, NO_LIMIT)],
    }


def site_revision(site: Site) -> str:
    """Return the revision of what can be edited about a site itself; its versions have ids of their own."""
    return revision_of_fields(site.name, site.locked)


def version_json(connection: apsw.Connection, hosting: Hosting, site: Site, version: Version) -> shapes.Version:
    """Return a version as JSON has it."""
    parent = None if version.parent is None else versions.by_number(connection, version.parent)
    return {
        "id": version.id,
        "site": site.name,
        "url": hosting.preview_url(site.name, version.id),
        "live": version.number == site.live_version,
        "parent": None if parent is None else parent.id,
        "message": version.message,
        "source": version.source,
        "created_at": iso(version.created_at),
        "files": version.files,
        "bytes": version.bytes,
    }


def domain_json(domain: Domain) -> shapes.Domain:
    """Return a domain as JSON has it."""
    return {"name": domain.name, "site": domain.site, "created_at": iso(domain.created_at)}


def user_json(user: User) -> shapes.User:
    """Return a user as JSON has it."""
    return {
        "name": user.name,
        "role": user.role,
        "sites": None if user.sites is None else list(user.sites),
        "password": user.password is not None,
        "totp": user.totp is not None,
        "passkeys": user.passkeys,
        "recovery_codes": user.recovery_codes,
        "created_at": iso(user.created_at),
        "last_seen_at": iso(user.last_seen_at),
        "revision": user_revision(user),
    }


def user_revision(user: User) -> str:
    """Return the revision of what others may change about a user."""
    return revision_of_fields(user.name, user.role, user.sites)


def token_json(token: Token) -> shapes.Token:
    """Return a token as JSON has it, without its secret, which nobody knows any more."""
    return {
        "id": token.id,
        "label": token.label,
        "sites": token.sites,
        "actions": list(token.actions),
        "expires_at": iso(token.expires_at),
        "last_used_at": iso(token.last_used_at),
        "created_at": iso(token.created_at),
    }
