"""What one edge tells another when it hands a request on: who asks, and which way they came.

It travels as a field of the request, over a Unix socket that nobody but this user can open. Rule: the field is believed
there and nowhere else, and what a client sends under its name is never handed on.
"""

from dataclasses import dataclass

from fazt.edge.request import Fields, Head, bad

FIELD = b"fazt-relay"
REPORT = "report"  # in the place of the scheme: no client asks, the other edge tells of itself
NOBODY = "-"  # a client that was gone already


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks: address and port of the client, scheme and port that it was answered by."""

    client: str
    client_port: int
    scheme: str
    port: int


def origin_field(origin: Origin) -> tuple[bytes, bytes]:
    """Return the field that tells it."""
    value = f"{origin.client or NOBODY} {origin.client_port} {origin.scheme} {origin.port}"
    return FIELD, value.encode("latin-1", "replace")


def take_origin(head: Head) -> Origin:
    """Return what the other edge tells, and take it out of the request.

    Raises: Refusal where it tells nothing: whoever that is, it is no edge of ours.
    """
    told = [value for name, value in head.fields if name == FIELD]
    parts = told[0].decode("latin-1").split(" ") if len(told) == 1 else []
    if len(parts) != 4 or not parts[1].isdigit() or not parts[3].isdigit():
        raise bad("This socket is for another process of the server.")
    head.fields = without_relay(head.fields)
    client, client_port, scheme, port = parts
    return Origin("" if client == NOBODY else client, int(client_port), scheme, int(port))


def without_relay(fields: Fields) -> Fields:
    """Return the fields of a request without what only another edge may say."""
    return [field for field in fields if field[0] != FIELD]


def relayed_target(target: bytes, authority: bytes, fields: Fields) -> bytes:
    """Return the target of a request for an authority, which stands in it where another one stands in the Host field.

    Both edges have to mean the same host (RFC 9112 3.2.2).
    """
    return target if (b"host", authority) in fields else b"http://" + authority + target
