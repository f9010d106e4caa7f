"""The cookie of a session of the dashboard (RFC 6265bis), and where a request that carries it may come from.

Rule: the cookie is `__Host-`: Secure, without Domain, for the whole host; a request with two of them is refused, since
one of them was put there by somebody else.
"""

import hashlib
import secrets

from fazt.errors import Unauthenticated

NAME = "__Host-fazt"
SECRET_BYTES = 32
ID_BYTES = 6
LONGEST = 200
MAX_AGE_S = 365 * 86_400  # the session itself ends sooner
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"


def new_secret() -> str:
    """Return the secret of a new session."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_id() -> str:
    """Return what a new session or invite is called in lists."""
    return secrets.token_hex(ID_BYTES)


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 under which a secret is kept; a look-up by hash tells nothing by its time."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def set_cookie(secret: str) -> str:
    """Return the value of Set-Cookie that signs a browser in."""
    return f"{NAME}={secret}; Max-Age={MAX_AGE_S}; {ATTRIBUTES}"


def clear_cookie() -> str:
    """Return the value of Set-Cookie that makes a browser forget its session."""
    return f"{NAME}=; Max-Age=0; {ATTRIBUTES}"


def values_of(fields: list[str], name: str) -> list[str]:
    """Return the values of all cookies of a name in the Cookie fields of a request."""
    pairs = (pair.strip(" \t").partition("=") for field in fields for pair in field.split(";"))
    return [value for said, equals, value in pairs if equals and said == name]


def find_secret(fields: list[str]) -> str | None:
    """Return the secret in the Cookie fields of a request, None where there is none.

    Raises: Unauthenticated where there are several.
    """
    found = values_of(fields, NAME)
    if len(found) > 1:
        raise Unauthenticated("This request carries two sessions; delete the cookies of this site and sign in again.")
    return found[0] if found and 0 < len(found[0]) <= LONGEST else None
