"""Passes: what a visitor's browser keeps that may see protected paths of one site.

A pass is signed, says what it opens, for which site and until when; the rules that it names must still be there. Rule:
a pass is believed about nothing that is not signed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from fazt.auth.cookies import values_of

COOKIE = "__Host-fazt-pass"
PLAIN_COOKIE = (
    "fazt-pass"  # over plain HTTP on a name that is not this machine's, where browsers keep no __Host- cookie
)
LONGEST = 2000
MOST_OPENED = 30
CODE_S = 60


@dataclass(frozen=True, slots=True)
class Pass:
    """What a browser may see: fingerprints of rules and `share:ID`; `purpose` keeps codes and passes apart."""

    site: int
    opens: tuple[str, ...]
    expires_at: int
    purpose: str = "pass"


def sign(key: bytes, made: Pass) -> str:
    """Return a pass as text that may stand in a cookie or a URL."""
    body = orjson.dumps([made.purpose, made.site, list(made.opens), made.expires_at])
    return f"{_encode(body)}.{_encode(_seal(key, body))}"


def read(key: bytes, text: str, site: int, now_ms: int, purpose: str = "pass") -> Pass | None:
    """Return a pass of a site that holds; None for everything else."""
    if len(text) > LONGEST:
        return None
    head, _, seal = text.partition(".")
    try:
        body, signature = _decode(head), _decode(seal)
    except (ValueError, binascii.Error):
        return None
    if (
        text != f"{_encode(body)}.{_encode(signature)}"
    ):  # base64 spells the same bytes in several ways; a code counts once
        return None
    if not hmac.compare_digest(_seal(key, body), signature):
        return None
    said_purpose, said_site, opens, expires_at = orjson.loads(body)
    if said_purpose != purpose or said_site != site or expires_at <= now_ms:
        return None
    return Pass(said_site, tuple(opens), expires_at, said_purpose)


def with_more(old: Pass | None, site: int, opened: Iterable[str], expires_at: int) -> Pass:
    """Return a pass that opens more; what it opened before it opens as long as the new one does at most."""
    before = () if old is None else old.opens
    opens = tuple(dict.fromkeys((*opened, *before)))[:MOST_OPENED]
    return Pass(site, opens, expires_at if old is None else min(expires_at, old.expires_at) if before else expires_at)


def find(fields: list[str], name: str) -> str | None:
    """Return the value of a cookie; None where it is not there, or there twice: one of them is somebody else's."""
    found = values_of(fields, name)
    return found[0] if len(found) == 1 else None


def _seal(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
