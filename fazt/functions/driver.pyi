"""Types of the compiled driver."""

from collections.abc import Callable
from typing import NoReturn

def load(library: str, unicode_data: str, flags: str) -> None:
    """Load mini-racer's library and start V8."""

def prepare(source: bytes) -> None:
    """Make the isolate and evaluate the script that handles frames."""

def hold(work: Callable[[], None]) -> NoReturn:
    """Do `work` on the thread of the isolate, which a process keeps that is forked there."""

def bound(socket: int, *, heap_bytes: int, cpu_cap_s: float) -> None:
    """Set the limits of the isolate, and where its frames come from."""

def serve_held() -> None:
    """Begin to handle frames, in a process that was forked on the isolate's thread, as soon as that returns."""

def serve() -> NoReturn:
    """Handle frames until the server hangs up; never returns."""
