"""The one-time secret of the first run: whoever sees the server's console makes the owner's account.

Rule: it is in the memory of the server alone; a new one makes the old one useless, and so does its use.
"""

import hmac

from fazt.auth.cookies import hash_secret, new_secret


class SetupSecret:
    """The secret that the setup of a new server takes."""

    def __init__(self) -> None:
        self._hash: bytes | None = None

    def renew(self) -> str:
        """Return a new secret; the one before is of no use any more."""
        secret = new_secret()
        self._hash = hash_secret(secret)
        return secret

    def is_right(self, secret: str) -> bool:
        """Tell whether this is the secret."""
        return self._hash is not None and hmac.compare_digest(self._hash, hash_secret(secret))

    def spend(self) -> None:
        """Let the secret be of no use any more."""
        self._hash = None
