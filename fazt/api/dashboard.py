"""The dashboard's host outside of the API: the files of the dashboard, and nothing of anybody else.

Rule: nothing here depends on who asks, and no site, visitor or mail puts a byte on this host, so that its pages run
their own scripts and no others.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fazt.api.platform import respond_error
from fazt.api.routing import Application, Receive, Scope, Send
from fazt.errors import MethodNotAllowed, NotFound
from fazt.sites.media_types import is_compressible, media_type

FOLDER = Path(__file__).parents[1] / "apps" / "dashboard"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
FIELDS = (
    (b"cache-control", b"no-cache"),  # asked for each time, and answered with 304
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True)
class File:
    """A file of the dashboard; `zipped` is empty where it does not get smaller."""

    media_type: bytes
    etag: bytes
    data: bytes
    zipped: bytes


def dashboard() -> Application:
    """Return the application; reads every file, so that it is made on a thread, at the first request."""
    files = read_files(FOLDER)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        file = files.get(scope["path"])
        if file is None:
            await respond_error(send, NotFound("The dashboard has no such file."))
        elif scope["method"] not in ("GET", "HEAD"):
            await respond_error(send, MethodNotAllowed("Files answer GET and HEAD."), [(b"allow", b"GET, HEAD")])
        else:
            await _send(file, dict(scope["headers"]), send)

    return app


def read_files(folder: Path) -> dict[str, File]:
    """Return the files of a folder by the path that they answer at; `/` is index.html."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    files = {f"/{path.relative_to(folder).as_posix()}": _read(path) for path in paths}
    return files | {"/": files["/index.html"]}


def _read(path: Path) -> File:
    data, kind = path.read_bytes(), media_type(path.name)
    zipped = gzip.compress(data, 6, mtime=0) if is_compressible(kind) else b""
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    return File(kind.encode(), etag.encode(), data, zipped if len(zipped) < len(data) else b"")


async def _send(file: File, asked: dict[bytes, bytes], send: Send) -> None:
    codings = [part.strip().partition(b";")[0] for part in asked.get(b"accept-encoding", b"").split(b",")]
    zipped = bool(file.zipped) and b"gzip" in codings
    etag = file.etag[:-1] + b'-gzip"' if zipped else file.etag  # of the bytes that are sent (RFC 9110 8.8.3)
    headers = [*FIELDS, (b"etag", etag)]
    if etag in asked.get(b"if-none-match", b"").replace(b"W/", b"").replace(b" ", b"").split(b","):
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    body = file.zipped if zipped else file.data
    headers += [(b"content-type", file.media_type), (b"content-length", b"%d" % len(body))]
    if zipped:
        headers.append((b"content-encoding", b"gzip"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
