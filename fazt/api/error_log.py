"""What the server logs: to stderr for whoever runs it, and as lines in memory for `fazt logs`."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from fazt.api.lines import Line, error_line

KEPT_LINES = 500
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


class ErrorLog(logging.Handler):
    """Keeps the last warnings and errors as lines."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._count = 0
        self._lines: deque[tuple[int, Line]] = deque(maxlen=KEPT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as a line; its traceback goes to stderr only."""
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            message = f"{message}: {type(error).__name__}: {error}"
        self._count += 1
        self._lines.append((self._count, error_line(int(record.created * 1000), message)))

    def since(self, number: int) -> tuple[int, list[Line]]:
        """Return the number of the last line, and the lines behind the one of that number."""
        self.acquire()
        try:
            return self._count, [line for own, line in self._lines if own > number]
        finally:
            self.release()


class EscapingFormatter(logging.Formatter):
    """Writes a message on one line in which no control character is left."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without a traceback."""
        return super().formatMessage(record).translate(_ESCAPES)


@contextmanager
def logging_to(errors: ErrorLog) -> Iterator[None]:
    """Send warnings and errors to stderr and to `errors`, as long as the block runs."""
    stderr = logging.StreamHandler()
    stderr.setLevel(logging.WARNING)
    stderr.setFormatter(EscapingFormatter(FORMAT))
    root = logging.getLogger()
    for handler in (stderr, errors):
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in (stderr, errors):
            root.removeHandler(handler)
