"""`/r/<slug>` on the bare domain: the redirect of a short link.

Plain ASGI. The resolver sends here only what is a link at that moment. Rule: an answer is never kept by anybody, so
that each click is seen and a change counts at once.
"""

from fazt.api.platform import respond_error
from fazt.api.routing import Application, Receive, Scope, Send
from fazt.api.tally import Tally
from fazt.errors import MethodNotAllowed
from fazt.sites.hosting import ROOT_SITE
from fazt.sites.short_links import slug_of
from fazt.store import links
from fazt.store.database import Database


def short_links_app(database: Database, clicks: Tally, *, otherwise: Application) -> Application:
    """Return the application; each GET that is answered with a redirect is a click. What is no link goes on."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        slug = slug_of(scope["raw_path"]) if scope["type"] == "http" else None
        link = None if slug is None else await database.read(links.find, slug)
        if link is None:  # of a protected path of the root site, say
            await otherwise(scope, receive, send)
            return
        scope["extensions"]["fazt"]["site"] = ROOT_SITE
        if scope["method"] not in ("GET", "HEAD"):
            error = MethodNotAllowed("A short link answers GET and HEAD.")
            await respond_error(send, error, [(b"allow", b"GET, HEAD")])
            return
        if scope["method"] == "GET":
            clicks.count(link.number)
        fields = [
            (b"location", link.target.encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": 302, "headers": fields})
        await send({"type": "http.response.body", "body": b""})

    return app
