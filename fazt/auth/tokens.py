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
    """Who calls: the owner, whom the kernel vouched for, or the bearer of a token."""

    uid_owner: bool
    token: Token | None

    @property
    def site(self) -> str | None:
        """The name of the only site that this caller may touch; None: all."""
        return None if self.token is None else self.token.site


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
    if principal.uid_owner:
        return True
    token = principal.token
    return token is not None and action in token.actions and (token.site is None or token.site == site)


def has_action(principal: Principal, action: str) -> bool:
    """Tell whether a caller may do `action` to any site at all."""
    return allows(principal, action, principal.site)
