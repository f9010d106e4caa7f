"""The requests that the benchmarks send: what a browser sends for a page, byte for byte.

Rule: each server gets the same bytes, and the coding is stated: `identity` unless a case is about codings.
"""

from collections.abc import Sequence
from urllib.parse import quote

BROWSER_FIELDS = (
    ("Connection", "keep-alive"),
    ("sec-ch-ua", '"Chromium";v="140", "Not=A?Brand";v="24"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "identity"),
    ("Accept-Language", "en-GB,en;q=0.9"),
)


def request_bytes(
    host: str,
    path: str,
    *,
    method: str = "GET",
    fields: Sequence[tuple[str, str]] = (),
    browser: bool = True,
) -> bytes:
    """Return a request: Host and the 13 fields of a browser, or Host alone; `fields` replace those of the same name."""
    chosen = {
        name.lower(): (name, value) for name, value in (("Host", host), *(BROWSER_FIELDS if browser else ()), *fields)
    }
    lines = [f"{method} {quote(path, safe='/?&=%~:@!$+,;()*')} HTTP/1.1", *(f"{n}: {v}" for n, v in chosen.values())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
