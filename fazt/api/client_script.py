"""The scripts that pages use Fazt with: `/_fazt/client.js` for `import`, `/_fazt/client.classic.js` for `<script src>`.

A file with `export` in it is no classic script, so there are two addresses for one source. `/_fazt/beacon.js` tells of
the page views of single-page applications.
Rule: a browser may keep it, and asks each time whether it is still the one.
"""

import hashlib
from pathlib import Path

from fazt.api.platform import respond_error
from fazt.api.routing import Application, Receive, Scope, Send
from fazt.errors import MethodNotAllowed, NotFound

SOURCE = Path(__file__).with_name("client.js")
BEACON = "/_fazt/beacon.js"
MODULE, CLASSIC = "/_fazt/client.js", "/_fazt/client.classic.js"
EXPORT = "export { room };\n"


def client_scripts() -> dict[str, bytes]:
    """Return the scripts by their path."""
    module = SOURCE.read_text()
    assert module.endswith(EXPORT)
    classic = f"(() => {{\n{module.removesuffix(EXPORT)}globalThis.fazt = {{ ...globalThis.fazt, room }};\n}})();\n"
    beacon = SOURCE.with_name("beacon.js").read_bytes()
    return {MODULE: module.encode(), CLASSIC: classic.encode(), BEACON: beacon}


def client_script_app() -> Application:
    """Return the application of these addresses."""
    scripts = {
        path: (body, b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode())
        for path, body in client_scripts().items()
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["path"] not in scripts:
            await respond_error(send, NotFound("There is nothing at this address."))
            return
        if scope["method"] not in ("GET", "HEAD"):
            error = MethodNotAllowed(f"{scope['path']} answers GET and HEAD.")
            await respond_error(send, error, [(b"allow", b"GET, HEAD")])
            return
        body, tag = scripts[scope["path"]]
        headers = [
            (b"etag", tag),
            (b"cache-control", b"no-cache"),
            (b"x-content-type-options", b"nosniff"),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"access-control-allow-origin", b"*"),  # pages of other sites join rooms that are open to anyone
        ]
        if _has(scope, tag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers += [(b"content-type", b"text/javascript; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _has(scope: Scope, tag: bytes) -> bool:
    """Tell whether the client has the script already (RFC 9110 13.1.2)."""
    values = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    tags = [value.strip(b" \t").removeprefix(b"W/") for value in values.split(b",")]
    return tag in tags or b"*" in tags
