"""`/_fazt/beacon` and `/_fazt/pixel.gif` of every site: what pages tell of visits that the server cannot see.

Plain ASGI. Rule: anybody may call this as often as they like; it takes little of each address, believes little, and
counts nothing of who asks not to be tracked.
"""

import time
from base64 import b64decode
from urllib.parse import parse_qs

from fazt.api.bodies import read_body
from fazt.api.platform import respond, respond_error
from fazt.api.routing import Application, Receive, Scope, Send
from fazt.errors import FaztError, MethodNotAllowed, NotFound, RateLimited
from fazt.sites.hosting import Hosting
from fazt.store.database import Database, now_ms
from fazt.visits.agents import read_agent
from fazt.visits.allowances import Allowances
from fazt.visits.beacon import MOST_BYTES, Told, check_same_host, read_beacon
from fazt.visits.visits import Visit, Visits

BEACON, PIXEL = "/_fazt/beacon", "/_fazt/pixel.gif"
METHODS = {BEACON: ("POST",), PIXEL: ("GET", "HEAD")}
A_SECOND, AT_ONCE, MOST_ADDRESSES = 2.0, 60.0, 10_000
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # one transparent dot
LONGEST_AGENT = 255  # as in the edge's own records: both name the same visitor
LONGEST_QUERY = 4096

Fields = dict[str, str]


def beacon_app(database: Database, hosting: Hosting, visits: Visits) -> Application:
    """Return the application of the two addresses."""
    allowances = Allowances(A_SECOND, AT_ONCE, MOST_ADDRESSES, time.monotonic)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        try:
            site, kind = await _place(scope)
            fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            told = await _read_told(scope, fields, receive)
            silent = fields.get("dnt") == "1" or fields.get("sec-gpc") == "1"
            if told is not None and kind == "site" and not silent and not read_agent(fields.get("user-agent", "")).bot:
                _note(scope, fields, site, told)
        except RateLimited as error:
            await respond_error(send, error, [(b"retry-after", b"30")])
        except MethodNotAllowed as error:
            await respond_error(send, error, [(b"allow", ", ".join(METHODS[scope["path"]]).encode())])
        except FaztError as error:
            await respond_error(send, error)
        else:
            await _answer(scope, send)

    async def _place(scope: Scope) -> tuple[str, str]:
        """Return the site that is asked, and whether it is a preview of it."""
        if scope["path"] not in METHODS:
            raise NotFound("There is nothing at this address.")
        found = await database.read(hosting.place, scope["extensions"]["fazt"]["host"])
        if found.site is None:
            raise NotFound("There is no site at this host.")
        scope["extensions"]["fazt"]["site"] = found.site
        if scope["method"] not in METHODS[scope["path"]]:
            raise MethodNotAllowed(f"{scope['path']} answers {' and '.join(METHODS[scope['path']])}.")
        if not allowances.take(scope["client"][0]):
            raise RateLimited("This address sends more than is counted; later ones count again.")
        return found.site, found.kind

    def _note(scope: Scope, fields: Fields, site: str, told: Told) -> None:
        if told.event:
            visits.note_event(site, told.event, now_ms())
            return
        host = scope["extensions"]["fazt"]["host"]
        who = (scope["client"][0], fields.get("user-agent", "")[:LONGEST_AGENT])
        visits.note_view(Visit(site, host, now_ms(), *who, told.path, told.referrer))

    return app


async def _read_told(scope: Scope, fields: Fields, receive: Receive) -> Told | None:
    """Return what a request tells; None: nothing that counts.

    Raises: FaztError.
    """
    host = scope["extensions"]["fazt"]["host"]
    if scope["path"] == BEACON:
        check_same_host(host, fields.get("origin", ""), fields.get("sec-fetch-site", ""))
        return read_beacon(await read_body(scope, receive, MOST_BYTES))
    # An image is in mails and feeds too, so it may come without a page; a page of another host is none of ours.
    try:
        query = parse_qs(scope["query_string"][:LONGEST_QUERY].decode("latin-1"), errors="replace", max_num_fields=20)
        check_same_host(host, fields.get("referer", ""), fields.get("sec-fetch-site", "").replace("none", ""))
    except (ValueError, FaztError):
        return None
    path = query.get("path", ["/"])[0]
    return Told(path=path) if scope["method"] == "GET" and path.startswith("/") else None


async def _answer(scope: Scope, send: Send) -> None:
    if scope["path"] == BEACON:
        await send({"type": "http.response.start", "status": 204, "headers": [(b"cache-control", b"no-store")]})
        await send({"type": "http.response.body", "body": b""})
        return
    await respond(send, 200, b"image/gif", GIF, [(b"cross-origin-resource-policy", b"cross-origin")])
