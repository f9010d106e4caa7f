"""The times that a connection may take: for a head, a body, a pause, an answer that nobody reads.

Rule: one sweep a second looks at every connection; no connection has a timer of its own.
"""

from fazt.edge.protocol import HttpProtocol
from fazt.edge.reader import Reader
from fazt.edge.request import Refusal

SWEEP_S = 1.0


def check(protocol: HttpProtocol, now: float) -> None:
    """Cut a connection that took too long; `now` is the Clock's monotonic time in seconds."""
    if not _progresses(protocol, now):
        protocol.abort()
    elif protocol.closing:
        _check_linger(protocol, now)
    elif protocol.upgraded is not None:
        protocol.upgraded.check(now)
    else:
        _check_requests(protocol, now)


def _progresses(protocol: HttpProtocol, now: float) -> bool:
    """Tell whether bytes that wait to be sent still move."""
    waiting = protocol.transport.get_write_buffer_size()
    sender = protocol.sender
    if not waiting and (sender is None or not sender.is_waiting):
        protocol.progress_at = now
        return True
    state = (waiting, 0 if sender is None else sender.moved)
    if state != protocol.progress:
        protocol.progress = state
        protocol.progress_at = now
    return now - protocol.progress_at <= protocol.parts.limits.write_timeout_s


def _check_linger(protocol: HttpProtocol, now: float) -> None:
    """Wait a little for the client to take the last answer and to close; the time runs once all of it is sent."""
    if protocol.transport.get_write_buffer_size() or not protocol.deadline:
        protocol.deadline = now + protocol.parts.limits.linger_s
    elif now > protocol.deadline:
        protocol.transport.abort()


def _check_requests(protocol: HttpProtocol, now: float) -> None:
    limits, reader = protocol.parts.limits, protocol.reader
    if reader is not None and reader.in_head:
        if protocol.active is not None or protocol.paused:
            reader.started_at = now  # the rest of this head waits for us, not for the client
        elif now - reader.started_at > limits.header_timeout_s:
            _time_out(protocol, reader, "The head of the request did not arrive in time.")
    elif reader is not None and reader.current is not None:
        _check_body(protocol, reader, now)
    elif protocol.active is None and (reader is None or not reader.queue):
        idle_s = now - max(protocol.last_active, protocol.answered_at)
        if idle_s > limits.idle_timeout_s:
            protocol.close()


def _check_body(protocol: HttpProtocol, reader: Reader, now: float) -> None:
    """Hold a body to its lowest rate, not counting the time in which nobody wanted to read it."""
    exchange, limits = reader.current, protocol.parts.limits
    assert exchange is not None
    waits = exchange.head.expects_continue and not exchange.continued and not exchange.received
    if protocol.paused or waits:
        reader.started_at += SWEEP_S
        return
    seconds = now - reader.started_at - limits.body_grace_s
    if seconds > 0 and exchange.received < seconds * limits.body_min_bytes_per_s:
        _time_out(protocol, reader, "The body of the request did not arrive in time.")


def _time_out(protocol: HttpProtocol, reader: Reader, message: str) -> None:
    """Let 408 be the answer where no other one has begun, and close."""
    reader.refuse(Refusal(408, "request_timeout", message))
    protocol.advance()
