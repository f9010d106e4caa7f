"""What goes over the wire for each kind of channel: the request to an ntfy topic, and the signed webhook.

Pure functions. Rule: nothing that an event says can begin another header line: what is not printable ASCII goes encoded
(RFC 2047), in one piece.
"""

import base64
import hashlib
import hmac
import re

import orjson

from fazt.errors import FetchRefused, InvalidInput, SecretsLocked
from fazt.outbound.addresses import parse_url
from fazt.outbound.client import Request
from fazt.store.notifications import Channel, Notice

SIGNATURE = "Fazt-Signature"
LONGEST_URL = 2048
PLAIN = re.compile(r"(?!=\?)[ -~]*")
TOKEN = re.compile(r"[!-~]{1,512}")
PRIORITIES = {"error_burst": "4", "disk": "4", "certificate": "4", "backup": "4"}  # 3 is ntfy's default
TAGS = {
    "deploy": "rocket",
    "error_burst": "rotating_light",
    "disk": "floppy_disk",
    "sign_in": "key",
    "certificate": "lock",
    "backup": "package",
    "test": "wave",
}


def check_url(text: str) -> str:
    """Return where a channel leads, in its one spelling.

    Raises: InvalidInput.
    """
    wrong = InvalidInput(
        "A notification goes to an http or https URL without user name, password and fragment, such as "
        "https://ntfy.sh/my-topic."
    )
    if any(character <= " " or "\x7f" <= character <= "\x9f" for character in text) or "\\" in text:
        raise wrong
    try:
        parsed = parse_url(text)
    except (FetchRefused, InvalidInput):
        raise wrong from None
    if parsed.fragment or len(parsed.url) > LONGEST_URL:
        raise wrong
    return parsed.url


def check_secret(kind: str, secret: str) -> None:
    """Let a secret pass that can be used. Raises: InvalidInput."""
    if kind == "ntfy" and not TOKEN.fullmatch(secret):
        raise InvalidInput("The secret of an ntfy notification is an access token such as tk_..., without spaces.")


def make_request(channel: Channel, secret: str | None, notice: Notice, server: str, now_s: int) -> Request:
    """Return the request that tells a channel of an event; `server` is the domain that tells.

    Raises: SecretsLocked where the address cannot be opened.
    """
    url = channel.url
    if not url:
        raise SecretsLocked("Its address cannot be opened: `fazt key status` says what is missing.")
    if channel.kind == "ntfy":
        return _ntfy(url, secret, notice)
    body = orjson.dumps(
        {
            "id": notice.id,
            "event": notice.event,
            "title": notice.title,
            "text": notice.text,
            "site": notice.site,
            "server": server,
            "at": notice.at,
        }
    )
    headers = [("Content-Type", "application/json"), ("Fazt-Event", notice.event), ("Fazt-Delivery", notice.id)]
    if secret is not None:
        headers.append((SIGNATURE, sign(secret, now_s, body)))
    return Request(url, "POST", tuple(headers), body, redirect="manual")


def sign(secret: str, now_s: int, body: bytes) -> str:
    """Return the value of Fazt-Signature: a time, and HMAC-SHA256 over that time, a dot and the body."""
    digest = hmac.new(secret.encode(), b"%d." % now_s + body, hashlib.sha256).hexdigest()
    return f"t={now_s},v1={digest}"


def _ntfy(url: str, secret: str | None, notice: Notice) -> Request:
    """Return a publication (docs.ntfy.sh/publish)."""
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Title", header_text(notice.title)),
        ("Priority", PRIORITIES.get(notice.event, "3")),
        ("Tags", TAGS.get(notice.event, "bell")),
    ]
    if secret is not None:
        headers.append(("Authorization", f"Bearer {secret}"))
    return Request(url, "POST", tuple(headers), (notice.text or notice.title).encode(), redirect="manual")


def header_text(text: str) -> str:
    """Return a text as a header's value: as it is where it is printable ASCII, else as one word of RFC 2047."""
    if PLAIN.fullmatch(text):
        return text.strip()
    return f"=?UTF-8?B?{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}?="
