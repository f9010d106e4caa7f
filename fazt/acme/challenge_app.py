"""`/.well-known/acme-challenge/`: what an authority asks for in plain HTTP (RFC 8555 8.3), before any page."""

from collections.abc import Awaitable, Callable
from typing import Any

from fazt._speedups.pages import Page
from fazt.acme.proofs import Proofs

Application = Callable[..., Awaitable[None]]
Resolve = Callable[[str, bytes, bytes], Awaitable[Page | None]]


def challenge_app(proofs: Proofs, otherwise: Application) -> Application:
    """Return an ASGI application that answers challenges, and leaves everything else to another one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        proof = None
        if scope["type"] == "http":
            proof = proofs.find_token(scope["extensions"]["fazt"]["host"], scope["path"])
        if proof is None:
            await otherwise(scope, receive, send)
            return
        fields = [(b"content-type", b"application/octet-stream"), (b"cache-control", b"no-store")]
        fields.append((b"content-length", b"%d" % len(proof)))
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": proof})

    return app


def resolve_unless_challenge(proofs: Proofs, resolve: Resolve) -> Resolve:
    """Return what resolves paths to pages, but for challenges."""

    async def resolve_or_not(host: str, path: bytes, query: bytes) -> Page | None:
        if proofs.find_token(host, path.decode("latin-1")) is not None:
            return None
        return await resolve(host, path, query)

    return resolve_or_not
