"""The limits that always hold at the front of the server: sizes, counts and times. None of them can be switched off."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection, one request and all of them together may take."""

    max_head_bytes: int = 16_384
    max_target_bytes: int = 8_192
    max_headers: int = 100
    max_body_bytes: int = 1 << 30
    max_discarded_bytes: int = 262_144  # of a body that nobody reads; with more the connection is closed
    max_framing_bytes: int = 16_384  # chunk sizes, extensions and trailers beyond eight times the body
    max_pipelined: int = 64
    receive_buffer_bytes: int = 262_144  # of a body that waits to be read; with more reading pauses
    max_message_bytes: int = 1 << 20  # of a WebSocket message
    header_timeout_s: float = 10.0
    idle_timeout_s: float = 60.0
    body_min_bytes_per_s: int = 1024
    body_grace_s: float = 10.0
    write_timeout_s: float = 30.0
    linger_s: float = 2.0  # how long a refused client may go on sending before the connection is cut
    websocket_ping_s: float = 20.0
    max_connections: int = 20_000
    max_connections_per_address: int = 1_000


def relayed(limits: Limits) -> Limits:
    """Return the limits for requests of another edge: it held the client to these, and adds a field of its own."""
    more = {"max_head_bytes": limits.max_head_bytes + 1024, "max_headers": limits.max_headers + 8}
    return replace(limits, **more)
