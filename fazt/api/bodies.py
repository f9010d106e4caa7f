"""The whole body of a request, as long as it may be: for what answers without FastAPI."""

import sys

from fazt.api.routing import Receive, Scope
from fazt.errors import TooLarge


async def read_body(scope: Scope, receive: Receive, most: int = sys.maxsize) -> bytes:
    """Return the body of a request of at most `most` bytes; one that declares more is not read at all.

    Raises: TooLarge; ConnectionResetError where the client goes away before the end.
    """
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    too_large = TooLarge(f"What is sent here may have {most} bytes at most.")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away")
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)
