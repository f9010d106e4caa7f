"""What a function answered -> what may be sent: status, fields, cookies.

Rule: a function decides about its answer and about nothing else: framing is the edge's, and a cookie of one site never
reaches another (threats: header injection, cookie tossing).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fazt.errors import BadAnswer

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
MOST_FIELDS = 200
MOST_BYTES = 32 << 10
# Framing and the connection are the edge's (RFC 9110 7.6.1, RFC 9112 6).
DROPPED = frozenset(
    b"connection content-length date keep-alive proxy-connection te trailer transfer-encoding upgrade".split()
)
Field = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Head:
    """The checked beginning of an answer; `streams`: the body comes in pieces, `length` long where that is known."""

    status: int
    fields: list[Field]
    streams: bool
    length: int | None


def read_head(value: Any, host: str, domain: str) -> Head:
    """Return the head of an answer as a runner sent it; `host` is the one that was asked, `domain` the server's.

    Raises: BadAnswer.
    """
    if not isinstance(value, dict):
        raise BadAnswer("The function's answer cannot be read.")
    status, headers, body, length = (value.get(key) for key in ("status", "headers", "body", "length"))
    if type(status) is not int or not 200 <= status <= 599:
        raise BadAnswer(f"The function answered with the status {str(status)[:20]}; it must be 200 to 599.")
    if not isinstance(headers, list) or len(headers) > MOST_FIELDS:
        raise BadAnswer(f"The function answered with more than {MOST_FIELDS} headers.")
    fields = list(_fields(headers, host, domain))
    if sum(len(name) + len(value) + 4 for name, value in fields) > MOST_BYTES:
        raise BadAnswer(f"The function answered with more than {MOST_BYTES >> 10} KiB of headers.")
    known = type(length) is int and length >= 0
    return Head(status, fields, body == "stream", length if known else None)


def _fields(headers: Iterable[Any], host: str, domain: str) -> Iterable[Field]:
    for header in headers:
        match header:
            case [str(name), str(value)]:
                pass
            case _:
                raise BadAnswer("The function's answer has a header that is no pair of texts.")
        if not TOKEN.fullmatch(name) or FORBIDDEN.search(value):
            raise BadAnswer(f"The function's answer has a header that cannot be sent: {name[:100]!r}.")
        try:
            field = name.lower().encode("ascii"), value.strip(" \t").encode("latin-1")
        except UnicodeEncodeError:
            raise BadAnswer(f"The function's answer has a header that cannot be sent: {name[:100]!r}.") from None
        if field[0] == b"set-cookie":
            yield field[0], own_cookie(value, host, domain).encode("latin-1")
        elif field[0] not in DROPPED:
            yield field


def own_cookie(cookie: str, host: str, domain: str) -> str:
    """Return a Set-Cookie value without a Domain that reaches beyond the site (RFC 6265 5.3).

    Every host may have a neighbour that is another site's. So a cookie is the host's alone; only a domain of the
    owner's own may name itself, which takes in what is below it.
    """
    kept = []
    for at, part in enumerate(cookie.split(";")):
        name, _, value = part.partition("=")
        if at and name.strip().lower() == "domain":
            wanted = value.strip().lower().strip(".")
            under_ours = host == domain or host.endswith(f".{domain}")
            if under_ours or wanted != host:
                continue
        kept.append(part)
    return ";".join(kept)
