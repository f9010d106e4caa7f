"""The one client for outgoing HTTP on the server: redirects, limits, and no way into private networks.

Leaves to `addresses` what may be reached, to `outbound_connections` the way there, to `codings` how bodies are
inflated, and to its callers whose budget is used. Rule: each hop of a request is checked anew, from the URL to the
address that is connected to.
"""

import asyncio
import functools
import io
import re
import socket
import ssl
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from fazt.errors import FetchFailed, FetchLimit, FetchRefused, InvalidInput
from fazt.outbound import addresses
from fazt.outbound.addresses import BAD_PORTS, DEFAULT_PORTS, Network, Target, parse_url
from fazt.outbound.codings import ACCEPTED, PIECE, Inflater, inflater_for
from fazt.outbound.connections import MAX_HEADERS, Connections, Resolve, failures

if TYPE_CHECKING:
    import aiohttp

MAX_REDIRECTS = 20
MAX_DEPTH = 4  # functions of this server, each fetching the next
MAX_HEAD = 65_536  # bytes, of a request's or an answer's head
MAX_SITES = 128  # whose connections are kept
LOOP_HEADER = "Fazt-Loop"

REDIRECTS = frozenset((301, 302, 303, 307, 308))
FORBIDDEN_METHODS = frozenset(("CONNECT", "TRACE", "TRACK"))
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
# Set by us or not at all: framing, what is of one connection only, and what this server tells itself.
DROPPED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
    | {"http2-settings", "proxy-authorization", "proxy-authenticate", "proxy-connection", LOOP_HEADER.lower()}
)
# What a server believes of its own proxy: towards our own sites, which we reach from this machine, it would be a lie.
PROXY_HEADERS = frozenset(
    {"forwarded", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"}
)
BODY_HEADERS = frozenset(("content-encoding", "content-language", "content-location", "content-type"))
SECRET_HEADERS = frozenset(("authorization", "cookie"))  # for one origin only
AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # that aiohttp would add

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for every request."""

    connect_s: float = 10.0  # to find the address, and again to connect (TLS included)
    total_s: float = 300.0  # from the beginning to the last byte
    requests: int = 512  # under way at a time
    site_requests: int = 64  # of them for one site


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; `site` names whose connections are used, `net` what that site may reach (None: all)."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()  # values as in HTTP: one character a byte
    body: bytes | AsyncIterable[bytes] | None = None
    redirect: Literal["follow", "manual", "error"] = "follow"
    site: str = ""
    net: tuple[str, ...] | None = None
    depth: int = 0  # how many functions stand behind who asks


class Budget(Protocol):
    """Who counts; each method raises FetchLimit when it is enough."""

    def request(self) -> None:
        """Count one request; a redirect that is followed is one more."""

    def received(self, size: int) -> None:
        """Count bytes of a body: inflated, or as they came where that is more."""


class Unlimited:
    """The budget of the server's own errands."""

    def request(self) -> None:
        """Count nothing."""

    def received(self, size: int) -> None:
        """Count nothing."""


class Response:
    """An answer whose head is here; whoever holds it reads it to its end or closes it."""

    def __init__(
        self,
        answer: "aiohttp.ClientResponse",
        target: Target,
        method: str,
        redirected: bool,
        deadline: float,
        budget: Budget,
        release: Callable[[], None],
    ) -> None:
        self.status = answer.status
        self.reason = _as_bytes_text((answer.reason or "").encode("utf-8", "surrogateescape"))
        self.url = target.url
        self.redirected = redirected
        self._answer = answer
        self._release: Callable[[], None] | None = release
        self._deadline = deadline
        self._budget = budget
        self._inflater = self._choose_inflater(method)
        drop = ("content-encoding", "content-length") if self._inflater else ()
        self.headers: Headers = [
            (name.decode("latin-1").lower(), _as_bytes_text(value))
            for name, value in answer.raw_headers
            if name.decode("latin-1").lower() not in drop  # they would lie about the inflated body
        ]
        self._pieces: Iterator[bytes] = iter(())
        self._wire = self._inflated = self._counted = 0

    def _choose_inflater(self, method: str) -> Inflater | None:
        if method == "HEAD" or self.status in (204, 304):
            return None
        return inflater_for(",".join(self._answer.headers.getall("Content-Encoding", ())))

    async def read(self) -> bytes:
        """Return the next piece of the inflated body, 64 KiB at most; b"" at its end.

        Raises: FetchFailed, FetchTimeout, or what the budget raises; the connection is closed then.
        """
        try:
            while self._release is not None:
                if piece := next(self._pieces, b""):
                    self._inflated += len(piece)
                    self._count()
                    return piece
                if not await self._receive():
                    self.close()
        except BaseException:
            self.close()
            raise
        return b""

    async def _receive(self) -> bool:
        """Wait for bytes of the body; False at its end."""
        with failures(self.url):
            async with asyncio.timeout_at(self._deadline):
                data = await self._answer.content.readany()
        if not data:
            if self._release is not None and self._inflater is not None:
                self._inflater.finish()
            return False
        self._wire += len(data)
        self._count()
        self._pieces = self._inflater.feed(data) if self._inflater else _sliced(data)
        return True

    def _count(self) -> None:
        size = max(self._wire, self._inflated)
        self._budget.received(size - self._counted)
        self._counted = size

    def close(self) -> None:
        """Let the connection go: back to the others when the body was read to its end, else closed."""
        release, self._release = self._release, None
        if release is not None:
            self._answer.close()
            release()


class Outbound:
    """The client; made inside a running event loop, costs nothing until its first request."""

    def __init__(
        self,
        *,
        allowed_networks: tuple[Network, ...] = (),
        resolve: Resolve | None = None,
        is_own_host: Callable[[str], bool] = lambda host: False,
        is_forbidden_host: Callable[[str], bool] = lambda host: False,
        own_address: tuple[str, int] | None = None,
        own_ports: frozenset[int] = frozenset(),
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Name what is allowed beyond the internet.

        `own_address` is where hosts for which `is_own_host` holds are connected to, in plain HTTP; `own_ports` are the
        ports under which visitors find this server (80 and 443 are always among them).
        """
        self._allowed = allowed_networks
        self._resolve = resolve or self._look_up
        self._is_own_host = is_own_host
        self._is_forbidden_host = is_forbidden_host
        self._own_address = own_address
        self._own_ports = own_ports
        self._tls = tls
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(self._limits.requests)
        self._sites: dict[str, Connections] = {}  # the one used last stands last
        self._closing: set[asyncio.Task[None]] = set()
        self._loading: asyncio.Task[None] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._is_closed = False

    async def fetch(self, request: Request, budget: Budget | None = None) -> Response:
        """Send a request and return its answer as soon as the head is there.

        Raises: InvalidInput, FetchRefused, FetchFailed, FetchTimeout, and what `budget` raises.
        """
        deadline = self._loop.time() + self._limits.total_s
        with failures(request.url):
            async with asyncio.timeout_at(deadline):
                await self._load()
                target, method, headers = _understand(request)
                connections = await self._admit(request.site)
                course = _Course(request, budget or Unlimited(), connections, deadline)
                try:
                    return await self._follow(course, target, method, headers)
                except BaseException:
                    self._leave(connections)
                    raise

    async def _follow(self, course: "_Course", target: Target, method: str, headers: Headers) -> Response:
        """Send requests until the answer is no redirect (Fetch standard, HTTP-redirect fetch)."""
        request, body = course.request, course.request.body
        for redirects in range(MAX_REDIRECTS + 1):
            course.budget.request()
            answer = await self._send(course, target, method, headers, body)
            try:
                following = _redirection(answer, target) if request.redirect != "manual" else None
                if following is None:
                    release = functools.partial(self._leave, course.connections)
                    return Response(answer, target, method, redirects > 0, course.deadline, course.budget, release)
                if request.redirect == "error":
                    raise FetchFailed(f"{target.url[:300]} redirects, and the request says that it must not.")
                if not isinstance(body, bytes | None) and answer.status != 303:
                    raise FetchFailed(f"{target.url[:300]} redirects: a streamed body cannot be sent twice.")
            except BaseException:
                answer.close()
                raise
            answer.release()
            if _becomes_get(answer.status, method):
                method, body, headers = "GET", None, _without(headers, BODY_HEADERS)
            if following.origin != target.origin:
                headers = _without(headers, SECRET_HEADERS)
            target = following
        raise FetchFailed(f"{request.url[:300]} leads to more than {MAX_REDIRECTS} redirects.")

    async def _send(
        self,
        course: "_Course",
        target: Target,
        method: str,
        headers: Headers,
        body: bytes | AsyncIterable[bytes] | None,
    ) -> "aiohttp.ClientResponse":
        """Check where one request goes, send it, and wait for the head of the answer."""
        from yarl import URL

        way = target
        headers = [("Host", target.authority), *headers]
        if self._check(target, course.request):
            assert self._own_address is not None
            host, port = self._own_address
            way = replace(target, scheme="http", host=host, port=port)
            headers = [*_without(headers, PROXY_HEADERS), (LOOP_HEADER, str(course.request.depth + 1))]
        url = URL.build(scheme=way.scheme, authority=way.authority, path=way.path, query_string=way.query, encoded=True)
        if (url.raw_host, url.port) != (way.host, way.port):  # the library must not see another host than was checked
            raise FetchRefused(f"fetch may not reach {target.host}: its name cannot be read in one way only.")
        data = io.BytesIO(body) if isinstance(body, bytes) else body if body is None else _Headed(body)
        answer = await course.connections.session.request(
            method, url, headers=headers, data=data, allow_redirects=False, skip_auto_headers=AUTOMATIC
        )
        try:
            _check_head(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def _check(self, target: Target, request: Request) -> bool:
        """Check host and port of one request; True where this server itself is meant.

        Raises: FetchRefused.
        """
        host, refused = target.host, f"fetch may not reach {target.host}"
        if request.net is not None and not addresses.is_listed(request.net, host, target.port):
            raise FetchRefused(f"{refused}: fazt.json does not list it under needs.net.")
        if self._is_forbidden_host(host):
            raise FetchRefused(f"{refused}: it is no site but a part of the platform.")
        public_ports = self._own_ports | set(DEFAULT_PORTS.values())
        if self._is_own_host(host):
            if self._own_address is None or target.port not in public_ports:
                raise FetchRefused(f"{refused} at port {target.port}: no site of this server answers there.")
            if request.depth + 1 > MAX_DEPTH:
                raise FetchRefused(f"{refused}: {MAX_DEPTH} functions stand behind this one, each fetching the next.")
            return True
        if target.port in BAD_PORTS or target.port in public_ports - set(DEFAULT_PORTS.values()):
            raise FetchRefused(f"{refused} at port {target.port}: this port is not for outgoing requests.")
        if target.address is not None and (reason := addresses.refusal(host, self._allowed)):
            raise FetchRefused(f"{refused}: it is {reason}.")
        return False

    async def _admit(self, site: str) -> Connections:
        """Wait for a place among the site's requests, then for one among all."""
        connections = self._connections(site)
        connections.users += 1
        try:
            await connections.places.acquire()
            try:
                await self._places.acquire()
            except BaseException:
                connections.places.release()
                raise
        except BaseException:
            connections.users -= 1
            raise
        return connections

    def _leave(self, connections: Connections) -> None:
        self._places.release()
        connections.places.release()
        connections.users -= 1

    def _connections(self, site: str) -> Connections:
        """Return the connections of a site, making room by closing those of sites that use none."""
        if self._is_closed:
            raise FetchFailed("The server is stopping.")
        connections = self._sites.pop(site, None)
        if connections is None:
            assert self._tls is not None
            connections = Connections(
                self._resolve,
                self._allowed,
                self._own_address,
                self._tls,
                self._limits.connect_s,
                self._limits.site_requests,
            )
            while len(self._sites) >= MAX_SITES:
                idle = next((name for name, other in self._sites.items() if not other.users), None)
                if idle is None:
                    break
                closing = self._loop.create_task(self._sites.pop(idle).close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
        self._sites[site] = connections  # at the end: the one used last
        return connections

    async def _load(self) -> None:
        """Load the library and the certificates on a thread: together they take half a second."""
        if self._loading is None:
            self._loading = self._loop.create_task(asyncio.to_thread(self._load_blocking))
        await asyncio.shield(self._loading)

    def _load_blocking(self) -> None:
        import ada_url  # noqa: F401
        import aiohttp  # noqa: F401

        if self._tls is None:
            self._tls = ssl.create_default_context()

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        """Ask the system for a name's addresses, on threads that nobody else waits for."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(16, thread_name_prefix="fazt-dns")
        found = await self._loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(entry[4][0]) for entry in found]

    async def close(self) -> None:
        """Close every connection; what is under way fails."""
        self._is_closed = True
        sites, self._sites = list(self._sites.values()), {}
        for connections in sites:
            await connections.close()
        await asyncio.gather(*self._closing)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Course:
    """What stays the same over the hops of one request."""

    request: Request
    budget: Budget
    connections: Connections
    deadline: float


class _Headed:
    """A streamed body with an empty piece in front: the library sends the head with the first piece, not before."""

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = aiter(pieces)
        self._has_begun = False

    def __aiter__(self) -> "_Headed":
        return self

    async def __anext__(self) -> bytes:
        if self._has_begun:
            return await anext(self._pieces)
        self._has_begun = True
        return b""


def _understand(request: Request) -> tuple[Target, str, Headers]:
    """Check what a script has written.

    Raises: InvalidInput, FetchRefused.
    """
    target = parse_url(request.url)
    method = request.method
    if not TOKEN.fullmatch(method):
        raise InvalidInput(f"{method[:50]!r} is not an HTTP method.")
    if method.upper() in FORBIDDEN_METHODS:
        raise FetchRefused(f"fetch may not send {method.upper()}.")
    if method.upper() in ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"):
        method = method.upper()
    if request.body is not None and method in ("GET", "HEAD"):
        raise InvalidInput(f"A {method} request has no body.")
    return target, method, _clean(request.headers)


def _clean(pairs: Sequence[tuple[str, str]]) -> Headers:
    """Return the headers that are sent: checked, without those that are not a script's to set, with the defaults."""
    size, headers, listed = 0, [], set(DROPPED)
    for name, value in pairs:
        size += len(name) + len(value) + 4
        if not TOKEN.fullmatch(name):
            raise InvalidInput(f"{name[:50]!r} is not the name of a header.")
        value = value.strip("\t\n\r ")
        if re.search(r"[\0\r\n]", value):
            raise InvalidInput(f"The value of the header {name} holds a line break or NUL.")
        try:
            text = value.encode("latin-1").decode()  # the library writes UTF-8: the same bytes again
        except UnicodeError as error:
            raise InvalidInput(f"The value of the header {name} is neither ASCII nor UTF-8.") from error
        if name.lower() == "connection":
            listed.update(part.strip().lower() for part in text.split(","))
        headers.append((name, text))
    if size > MAX_HEAD or len(headers) > MAX_HEADERS:
        raise InvalidInput(f"A request may have {MAX_HEADERS} headers and {MAX_HEAD} bytes of them.")
    headers = _without(headers, listed)
    given = {name.lower() for name, _ in headers}
    for name, value in (("User-Agent", "Fazt"), ("Accept", "*/*"), ("Accept-Encoding", ACCEPTED)):
        if name.lower() not in given:
            headers.append((name, value))
    return headers


def _without(headers: Headers, names: "frozenset[str] | set[str]") -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]


def _check_head(answer: "aiohttp.ClientResponse") -> None:
    if sum(len(name) + len(value) + 4 for name, value in answer.raw_headers) > MAX_HEAD:
        raise FetchLimit(f"The head of the answer has more than {MAX_HEAD} bytes.")
    if answer.status == 101:
        raise FetchFailed("The answer changes the protocol, which nobody asked for.")


def _redirection(answer: "aiohttp.ClientResponse", target: Target) -> Target | None:
    """Return where an answer sends us; None where it is no redirect.

    Raises: InvalidInput, FetchRefused.
    """
    places = [value for name, value in answer.raw_headers if name.lower() == b"location"]
    if answer.status not in REDIRECTS or not places:
        return None
    following = parse_url(places[0].decode("utf-8", "replace"), target.url)
    if target.fragment and not following.fragment:
        return parse_url(following.url + target.fragment)
    return following


def _becomes_get(status: int, method: str) -> bool:
    return (status in (301, 302) and method == "POST") or (status == 303 and method not in ("GET", "HEAD"))


def _as_bytes_text(value: bytes) -> str:
    """Return bytes as JavaScript's byte strings: one character each, none that a header cannot hold."""
    return value.decode("latin-1").translate({0: " ", 10: " ", 13: " "}).strip(" \t")


def _sliced(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))
