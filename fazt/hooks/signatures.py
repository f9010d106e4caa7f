"""Who sent a delivery: the signature that each style of webhook carries, over the body as it came.

Rule: signatures are compared in constant time as bytes, never as text, and what is doubtful (a header that comes twice,
a digest of another length) is refused. Sources: GitHub, "Validating webhook deliveries"; Stripe, "Verify webhook
signatures manually".
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Literal

import orjson

from fazt.errors import SignatureRefused

Style = Literal["github", "stripe", "hmac", "none"]
Fields = Sequence[tuple[bytes, bytes]]

TOLERANCE_S = 300  # by which a signed time may differ from ours
MOST_SIGNATURES = 16  # in one Stripe-Signature: while a secret is changed there are two
LONGEST_ID = 200
LONGEST_FIELD = 4096
HEX_DIGEST = re.compile(rb"[0-9a-fA-F]{64}")
BASE64_DIGEST = re.compile(rb"[A-Za-z0-9+/_-]{43}=?")
SECONDS = re.compile(rb"[0-9]{1,15}")
ID = re.compile(rf"[!-~]{{1,{LONGEST_ID}}}")
ID_FIELDS = {"github": b"x-github-delivery", "hmac": b"x-delivery-id", "none": b"x-delivery-id"}


def check_signature(style: Style, secret: bytes, fields: Fields, body: bytes, now_s: float) -> None:
    """Let a delivery pass that is signed with the secret of its hook.

    Raises: SignatureRefused, with the same words whatever is wrong.
    """
    if style == "none":
        return
    right = {"github": _is_github, "hmac": _is_hmac}[style](secret, fields, body) if style != "stripe" else False
    if style == "stripe":
        right = _is_stripe(secret, fields, body, now_s)
    if not right:
        raise SignatureRefused("The signature of this delivery is missing, too old or wrong.")


def find_sender_id(style: Style, fields: Fields, body: bytes) -> str | None:
    """Return what the sender calls a delivery, None where it says nothing that can be used."""
    found: object = None
    if style == "stripe":
        try:
            event = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        found = event.get("id") if isinstance(event, dict) else None
    else:
        value = _only(fields, ID_FIELDS[style])
        found = None if value is None else value.decode("latin-1")
    return found if isinstance(found, str) and ID.fullmatch(found) else None


def _is_github(secret: bytes, fields: Fields, body: bytes) -> bool:
    """Tell whether X-Hub-Signature-256 holds."""
    value = _only(fields, b"x-hub-signature-256") or b""
    return value.startswith(b"sha256=") and _matches(_digest_of_hex(value[7:]), _sign(secret, body))


def _is_hmac(secret: bytes, fields: Fields, body: bytes) -> bool:
    """Tell whether X-Signature holds: HMAC-SHA256 in hexadecimal or base64, `sha256=` before it or not."""
    value = (_only(fields, b"x-signature") or b"").removeprefix(b"sha256=")
    digest = _digest_of_hex(value) or _digest_of_base64(value)
    return _matches(digest, _sign(secret, body))


def _is_stripe(secret: bytes, fields: Fields, body: bytes, now_s: float) -> bool:
    """Tell whether Stripe-Signature holds: `t=` and one of the `v1=`, over time and body."""
    value = _only(fields, b"stripe-signature") or b""
    times, digests = [], []
    for part in value.split(b","):
        name, _, text = part.strip(b" \t").partition(b"=")
        if name == b"t":
            times.append(text)
        elif name == b"v1":
            digests.append(_digest_of_hex(text))
    if len(times) != 1 or not SECONDS.fullmatch(times[0]) or len(digests) > MOST_SIGNATURES:
        return False
    if abs(now_s - int(times[0])) > TOLERANCE_S:
        return False
    expected = _sign(secret, times[0] + b"." + body)
    matching = [_matches(digest, expected) for digest in digests]  # all of them: the time tells nothing of which one
    return any(matching)


def _only(fields: Fields, name: bytes) -> bytes | None:
    """Return the value of a field that came once; None where it did not come, came twice or is too long."""
    values = [value for key, value in fields if key.lower() == name]
    return values[0].strip(b" \t") if len(values) == 1 and len(values[0]) <= LONGEST_FIELD else None


def _digest_of_hex(text: bytes) -> bytes | None:
    return bytes.fromhex(text.decode("ascii")) if HEX_DIGEST.fullmatch(text) else None


def _digest_of_base64(text: bytes) -> bytes | None:
    if not BASE64_DIGEST.fullmatch(text):
        return None
    try:
        return base64.b64decode(text.rstrip(b"=") + b"=", altchars=b"-_" if re.search(b"[-_]", text) else None)
    except binascii.Error:
        return None


def _matches(digest: bytes | None, expected: bytes) -> bool:
    return digest is not None and hmac.compare_digest(digest, expected)


def _sign(secret: bytes, data: bytes) -> bytes:
    return hmac.digest(secret, data, hashlib.sha256)
