"""Types of the compiled driver."""

def load(library: str, unicode_data: str, flags: str) -> None:
    """Load mini-racer's library and start V8."""

def warm() -> None:
    """Make an isolate and let it go."""

def prepare(socket: int, source: bytes, *, heap_bytes: int, cpu_cap_s: float) -> None:
    """Make the isolate and evaluate the script that handles frames."""

def serve() -> None:
    """Handle frames until the server hangs up; never returns."""
