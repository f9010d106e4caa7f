"""The times that a connection may take: for a head, a body, a pause, an answer that nobody reads.

Rule: one sweep a second looks at every connection; no connection has a timer of its own.
"""

from fazt.edge.answer import error_answer
from fazt.edge.protocol import HttpProtocol


def check(protocol: HttpProtocol, now: float) -> None:
    """Cut a connection that took too long; `now` is the Clock's monotonic time in seconds."""
    if protocol.closing:
        if (protocol.deadline and now > protocol.deadline) or not _progresses(protocol, now):
            protocol.transport.abort()
        return
    if protocol.upgraded is not None:
        protocol.upgraded.check(now)
        return
    if not _progresses(protocol, now):
        protocol.abort()
        return
    limits = protocol.parts.limits
    if protocol.in_head:
        if now - protocol.started_at > limits.header_timeout_s:
            _time_out(protocol, "The head of the request did not arrive in time.")
    elif protocol.current is not None:
        _check_body(protocol, now)
    elif protocol.active is None and not protocol.queue and _idle_s(protocol, now) > limits.idle_timeout_s:
        protocol.lane_open = False
        protocol.transport.close()


def _idle_s(protocol: HttpProtocol, now: float) -> float:
    return now - max(protocol.last_active, protocol.started_at)


def _progresses(protocol: HttpProtocol, now: float) -> bool:
    """Tell whether bytes that wait to be sent still move."""
    waiting = protocol.transport.get_write_buffer_size()
    sender = protocol.sender
    moved = sender.moved if sender is not None else 0
    if not waiting and (sender is None or sender.done is None or sender.done.done()):
        protocol.progress_at = now
        return True
    if (waiting, moved) != protocol.progress:
        protocol.progress = (waiting, moved)
        protocol.progress_at = now
    return now - protocol.progress_at <= protocol.parts.limits.write_timeout_s


def _check_body(protocol: HttpProtocol, now: float) -> None:
    """Hold a body to its lowest rate, not counting the time in which nobody wanted to read it."""
    exchange, limits = protocol.current, protocol.parts.limits
    assert exchange is not None
    if protocol.paused or (exchange.head.expects_continue and not exchange.continued):
        protocol.started_at += 1.0  # the sweep comes once a second
        return
    seconds = now - protocol.started_at - limits.body_grace_s
    if seconds > 0 and exchange.received < seconds * limits.body_min_bytes_per_s:
        _time_out(protocol, "The body of the request did not arrive in time.")


def _time_out(protocol: HttpProtocol, message: str) -> None:
    """Answer 408 where no other answer is on its way, and close."""
    if protocol.active is None:
        protocol.write(error_answer(408, "request_timeout", message, protocol.clock, close=True).data)
        protocol.lane_open = False
        protocol.transport.close()
    else:
        protocol.abort()
