"""The second factor: codes that change every 30 seconds (RFC 6238), and recovery codes for when they are lost.

Rule: each code is taken once; whoever keeps the number of its step sees to that.
"""

import base64
import hashlib
import hmac
import io
import secrets
from urllib.parse import quote

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20
WINDOW = (0, -1, 1)  # steps that a clock may be off
CODES = 10
CODE_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
CODE_LENGTH = 10


def new_secret() -> bytes:
    """Return a new secret."""
    return secrets.token_bytes(SECRET_BYTES)


def as_text(secret: bytes) -> str:
    """Return a secret as people type it into an app: base32."""
    return base64.b32encode(secret).decode().rstrip("=")


def as_uri(secret: bytes, account: str, issuer: str) -> str:
    """Return the otpauth URI of a secret, as apps read it from a QR code."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return f"otpauth://totp/{label}?secret={as_text(secret)}&issuer={quote(issuer, safe='')}"


def as_svg(uri: str) -> str:
    """Return the QR code of an URI as an SVG image, dark on white whatever lies behind it."""
    out = io.BytesIO()
    segno.make(uri, error="m").save(
        out, kind="svg", scale=4, border=3, dark="#000", light="#fff", xmldecl=False, svgns=True, nl=False
    )
    return out.getvalue().decode()


def find_step(secret: bytes, code: str, now_s: float) -> int | None:
    """Return the step that a code belongs to, now or next to now; None where it is wrong."""
    code = code.replace(" ", "")
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    codes = TOTP(secret, DIGITS, SHA1(), STEP_S, enforce_key_length=False)  # noqa: S303
    found = None
    for offset in WINDOW:
        step = int(now_s // STEP_S) + offset
        if step >= 0 and hmac.compare_digest(codes.generate(step * STEP_S), code.encode()):
            found = step if found is None else found
    return found


def new_recovery_codes() -> list[str]:
    """Return new recovery codes, as people write them down: five letters, a dash, five letters."""
    return [_dashed("".join(secrets.choice(CODE_CHARACTERS) for _ in range(CODE_LENGTH))) for _ in range(CODES)]


def is_recovery_code(text: str) -> bool:
    """Tell whether a text has the form of a recovery code."""
    bare = _bare(text)
    return len(bare) == CODE_LENGTH and set(bare) <= set(CODE_CHARACTERS)


def hash_recovery_code(code: str) -> bytes:
    """Return what is kept of a recovery code: it is random, so that a plain hash will do."""
    return hashlib.sha256(_bare(code).encode("utf-8", "surrogateescape")).digest()


def _bare(code: str) -> str:
    return code.replace("-", "").replace(" ", "").lower()


def _dashed(code: str) -> str:
    return f"{code[:5]}-{code[5:]}"
