"""The head of one request, checked: one Host, a target in one of its forms, framing without doubt (RFC 9112 3, 6).

Rule: a request that two servers could read differently is refused here with the connection closed behind the answer.
"""

from dataclasses import dataclass, field

from fazt._speedups.hosts import normalise

Fields = list[tuple[bytes, bytes]]
SINGLE = (b"content-length", b"transfer-encoding", b"host", b"expect", b"range", b"if-range", b"content-type")


@dataclass(slots=True)
class Refusal(Exception):
    """Why a request is answered with an error and the connection closed."""

    status: int
    code: str
    message: str


@dataclass(slots=True)
class Head:
    """A request as it came in."""

    method: bytes = b""
    raw_host: bytes = b""  # as it came, with its port
    host: str = ""  # normalised
    path: bytes = b""  # as it came, begins with "/"
    query: bytes = b""
    has_query: bool = False
    version: str = "1.1"
    keep_alive: bool = True
    content_length: int | None = 0  # None: chunked
    expects_continue: bool = False
    fields: Fields = field(default_factory=list)  # names in lower case, values without white space around them

    def first(self) -> dict[bytes, bytes]:
        """Return name -> value; the values of a name that came several times are joined with commas."""
        values: dict[bytes, bytes] = {}
        for name, value in self.fields:
            values[name] = values[name] + b", " + value if name in values else value
        return values


def bad(message: str) -> Refusal:
    """Return the refusal of a malformed request."""
    return Refusal(400, "bad_request", message)


def read_head(method: bytes, target: bytes, version: str, fields: Fields, *, keep_alive: bool) -> Head:
    """Return the checked head.

    Raises: Refusal.
    """
    if version not in ("1.0", "1.1"):
        raise Refusal(505, "version_not_supported", f"HTTP/{version} is not spoken here; HTTP/1.1 is.")
    counts: dict[bytes, int] = {}
    values: dict[bytes, bytes] = {}
    for name, value in fields:
        if name in SINGLE:
            counts[name] = counts.get(name, 0) + 1
            values[name] = value
    for name, count in counts.items():
        if count > 1:
            raise bad(f"There are {count} {name.decode()} fields; there may be one.")
    # A repeated or malformed If-Range, Range or Content-Type is not framing, but two readings of it are two requests.
    head = Head(method=method, version=version, keep_alive=keep_alive and version == "1.1", fields=fields)
    _read_framing(head, values)
    _read_target(head, target, values.get(b"host"))
    return head


def _read_framing(head: Head, values: dict[bytes, bytes]) -> None:
    """Find out how long the body is (RFC 9112 6.1 to 6.3) and whether the client waits for a 100."""
    coding, length = values.get(b"transfer-encoding"), values.get(b"content-length")
    if coding is not None:
        if head.version == "1.0":
            raise bad("Transfer-Encoding does not exist in HTTP/1.0.")
        if length is not None:
            raise bad("Transfer-Encoding and Content-Length contradict each other.")
        if coding.lower() != b"chunked":
            raise Refusal(501, "not_implemented", "The only transfer coding understood here is chunked.")
        head.content_length = None
    elif length is not None:
        if not length.isdigit() or len(length) > 18:
            raise bad("Content-Length is not a number.")
        head.content_length = int(length)
    expectation = values.get(b"expect")
    if expectation is not None and head.version == "1.1":
        if expectation.lower() != b"100-continue":
            raise Refusal(417, "expectation_failed", "The only expectation understood here is 100-continue.")
        head.expects_continue = head.content_length != 0


def _read_target(head: Head, target: bytes, host_field: bytes | None) -> None:
    """Find the host and the path (RFC 9112 3.2 and 3.3)."""
    if host_field is None:
        raise bad("There is no Host field.")
    host = normalise(host_field)
    if host is None:
        raise bad("The Host field is not a host.")
    head.raw_host, head.host = host_field, host
    if head.method == b"CONNECT":
        raise Refusal(501, "not_implemented", "This server is no proxy.")
    if b"#" in target or not target.isascii() or min(target, default=0) <= 32 or 127 in target:
        raise bad("The request target has characters that do not belong into one.")
    if target == b"*":
        if head.method != b"OPTIONS":
            raise bad("The target * is for OPTIONS.")
        head.path = target
        return
    if not target.startswith(b"/"):
        target = _read_absolute(head, target)
    head.path, mark, head.query = target.partition(b"?")
    head.has_query = bool(mark)


def _read_absolute(head: Head, target: bytes) -> bytes:
    """Take the host out of an absolute-form target, where it counts before the Host field (RFC 9112 3.2.2)."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise bad("The request target is neither a path nor an http URL.")
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    host = normalise(rest[:end])
    if host is None:
        raise bad("The host of the request target is not a host.")
    head.raw_host, head.host = rest[:end], host
    return rest[end:] if rest[end : end + 1] == b"/" else b"/" + rest[end:]
