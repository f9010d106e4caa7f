"""Who calls the API and what they may do.

A token is random; only its SHA-256 is kept. Rule: what is not allowed here by name is refused.
"""

import hashlib
import secrets
from dataclasses import dataclass

from fazt.store.tokens import Token

ACTIONS = ("read", "deploy", "admin")
PREFIX = "fazt_"
SECRET_BYTES = 32
ID_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and what they may do.

    `actor` is how the audit log names them (`socket`, `token:fazt_ab1`, `user:ann`); `sites` are the names of the only
    sites that they may touch, None: all and the server itself; `address` is where they call from, "" for the socket;
    `user` is the number of a user who is signed in, `session` the id of their session.
    """

    actor: str
    actions: frozenset[str]
    sites: frozenset[str] | None
    address: str = ""
    owner: bool = False
    user: int | None = None
    session: str | None = None

    def asks_about(self, site: str | None) -> frozenset[str] | None:
        """Return the sites that a list is about: the one that is named, else all that this caller may touch."""
        return self.sites if site is None else frozenset((site,))


def local_owner() -> Principal:
    """Return the owner, whom the kernel vouched for at the Unix socket."""
    return Principal("socket", frozenset(ACTIONS), None, owner=True)


def bearer_of(token: Token, address: str = "") -> Principal:
    """Return who bears a token."""
    sites = None if token.sites is None else frozenset(token.sites)
    return Principal(f"token:{token.id}", frozenset(token.actions), sites, address)


def new_token() -> str:
    """Return a new secret: `fazt_` and 43 characters that may stand in a URL."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def token_id(token: str) -> str:
    """Return what a token is called in lists: its first characters."""
    return token[:ID_CHARACTERS]


def hash_token(token: str) -> bytes:
    """Return the SHA-256 under which a token is kept and looked up; a look-up by hash tells nothing by its time."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def is_expired(token: Token, now_ms: int) -> bool:
    """Tell whether a token's time is over."""
    return token.expires_at is not None and token.expires_at <= now_ms


def allows(principal: Principal, action: str, site: str | None) -> bool:
    """Tell whether a caller may do `action` to a site; None: to the whole server."""
    if action not in ACTIONS:
        raise ValueError(f"there is no action {action!r}")
    if action not in principal.actions:
        return False
    return principal.sites is None or site in principal.sites


def has_action(principal: Principal, action: str) -> bool:
    """Tell whether a caller may do `action` to any site at all."""
    if action not in ACTIONS:
        raise ValueError(f"there is no action {action!r}")
    return action in principal.actions
