"""Host and path -> `Page`: the one way from a request to a file of a site.

Rule: everything that one page is made of is read in one snapshot, and `Pages.generation` is read before it, so that a
page from before a change is never kept after it.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from email.utils import formatdate

import apsw

from fazt._speedups.pages import Page, Pages, Variant
from fazt.sites.caching import cache_control
from fazt.sites.decision import (
    INDEX,
    Decision,
    RequestPath,
    Step,
    Trace,
    decide,
    encode_path,
    encode_query,
    read_path,
)
from fazt.sites.hosting import NOT_FOUND_SITE, ROOT_SITE, Hosting, Place
from fazt.sites.media_types import is_compressible, media_type
from fazt.sites.protection import Rule, find_rule, from_json, read_protect
from fazt.sites.rules import Rules
from fazt.sites.short_links import slug_of
from fazt.sites.spill import Spill
from fazt.store import blobs, links, protection, sites, versions
from fazt.store.blobs import Blob
from fazt.store.database import Database
from fazt.store.sites import Site
from fazt.store.versions import File, Version

IN_MEMORY_BYTES = 262144  # a body (of one coding) up to this size is part of its page; a larger one is streamed
LONGEST_PATH = 1024
RULES_KEPT = 1024
RULES_KEPT_BYTES = 4 << 20
EVERYWHERE = "_fazt/"  # the platform's own paths, under every host
RESERVED = ("api/", "db/")
FUNCTIONS = "api"  # the folder itself: its index is a function where there is one
FUNCTION_INDEXES = [f"api/index{suffix}" for suffix in (".js", ".mjs", ".ts", ".mts", ".jsx", ".tsx")]
DYNAMIC = (b"/api/", b"/db/", b"/_fazt/")
LINKS = b"/r/"
HOSTS_KEPT = 10_000
OURS = frozenset(("accept-ranges", "content-length", "etag", "last-modified", "x-content-type-options"))
NO_CACHE = ("Cache-Control", "no-cache")
PRIVATE = ("Cache-Control", "private, no-store")
NOSNIFF = ("X-Content-Type-Options", "nosniff")
BARE_404 = b"<!doctype html><title>Not found</title><h1>Not found</h1><p>There is no page at this address.</p>\n"

Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a request, all but its body: `site` is the one that it is counted for."""

    site: str
    status: int
    fields: Fields
    file: File | None = None
    fixed: bool = False  # it may be kept
    rules: tuple[Rule, ...] = ()  # who may see it, where not everybody may: whoever all of them let in


@dataclass(frozen=True, slots=True)
class Shown:
    """What a host shows, and since when (ms): a rollback must look newer than what it replaced."""

    site: Site
    version: Version | None
    modified_at: int


class RulesCache:
    """Parsed rules of the versions that were served last, bounded in number and bytes; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Rules, int]] = OrderedDict()
        self._bytes = 0

    def get(self, connection: apsw.Connection, version: Version) -> Rules:
        """Return the rules of a version, by its id: numbers of deleted versions are given out again."""
        with self._lock:
            if (kept := self._kept.get(version.id)) is not None:
                self._kept.move_to_end(version.id)
                return kept[0]
        data = versions.rules(connection, version.number)
        rules = Rules.from_json(data)
        with self._lock:
            if version.id not in self._kept:
                self._kept[version.id] = (rules, len(data))
                self._bytes += len(data)
            while len(self._kept) > RULES_KEPT or (self._bytes > RULES_KEPT_BYTES and len(self._kept) > 1):
                self._bytes -= self._kept.popitem(last=False)[1][1]
        return rules


class Resolver:
    """The edge's `resolve`: a page, or None where the ASGI application answers."""

    def __init__(self, database: Database, pages: Pages, spill: Spill, hosting: Hosting) -> None:
        self._database = database
        self._pages = pages
        self._spill = spill
        self._hosting = hosting
        self._rules = RulesCache()
        # Hosts whose dynamic paths are the application's, and since which change that is known: a call of a function
        # must not cost a read of the database first.
        self._dynamic: dict[str, int] = {}

    async def __call__(self, host: str, path: bytes, query: bytes) -> Page | None:
        """Return the page of a normalised host, a path as it came and a query without its "?"."""
        generation = self._pages.generation
        dynamic = path.startswith(DYNAMIC)
        if dynamic and self._dynamic.get(host) == generation:
            return None
        page = await self._database.read(self._resolve, generation, host, path, query)
        if page is None and dynamic:
            if len(self._dynamic) >= HOSTS_KEPT:
                self._dynamic.clear()
            self._dynamic[host] = generation
        return page

    def _resolve(
        self, connection: apsw.Connection, generation: int, host: str, path: bytes, query: bytes
    ) -> Page | None:
        outcome = find_outcome(connection, self._hosting, self._rules, host, path, query)
        if outcome is None or outcome.rules:  # what is protected is never kept: the application asks first
            return None
        return self._page(connection, generation, outcome)

    async def guarded(self, host: str, path: bytes, query: bytes) -> tuple[tuple[Rule, ...], Page | None]:
        """Return who may see what a request asks for, and the page, which nobody may keep; None: the application's."""
        return await self._database.read(self._guarded, self._pages.generation, host, path, query)

    def _guarded(
        self, connection: apsw.Connection, generation: int, host: str, path: bytes, query: bytes
    ) -> tuple[tuple[Rule, ...], Page | None]:
        outcome = find_outcome(connection, self._hosting, self._rules, host, path, query)
        if outcome is None:
            return (), None
        fields = [field for field in outcome.fields if field[0] != "Cache-Control"]
        private = replace(outcome, fields=[*fields, PRIVATE], fixed=False)
        return outcome.rules, self._page(connection, generation, private)

    def rules_of(self, connection: apsw.Connection, place: Place) -> tuple[Rule, ...]:
        """Return who may see what a host shows; none: everybody may see all of it."""
        return protection_of(connection, self._rules, _shown(connection, place))

    def version_id(self, connection: apsw.Connection, place: Place) -> str | None:
        """Return the id of the version that a host shows."""
        version = _shown(connection, place).version
        return None if version is None else version.id

    def _page(self, connection: apsw.Connection, generation: int, outcome: Outcome) -> Page:
        variants = self._variants(connection, outcome)
        in_reach = all(variant.source is None or variant.source.fileno() is not None for variant in variants)
        modified = next((value for name, value in outcome.fields if name == "Last-Modified"), "")
        return Page(
            self._pages.site(outcome.site),
            generation,
            outcome.status,
            [(name.encode(), value.encode()) for name, value in outcome.fields],
            variants,
            keep=outcome.fixed and in_reach,
            last_modified=modified.encode(),
        )

    def _variants(self, connection: apsw.Connection, outcome: Outcome) -> list[Variant]:
        file = outcome.file
        if file is None:
            body = BARE_404 if outcome.status == 404 else b""
            return [Variant("", b"", len(body), body, None)]
        validates = outcome.status == 200
        coded = [("", Blob(file.blob_id, file.hash, file.size))]
        if is_compressible(media_type(file.path)):
            coded += [(variant.encoding, variant.blob) for variant in blobs.variants(connection, file.blob_id)]
        return [self._variant(connection, encoding, blob, validates=validates) for encoding, blob in coded]

    def _variant(self, connection: apsw.Connection, encoding: str, blob: Blob, *, validates: bool) -> Variant:
        etag = f'"{blob.hash.hex()}"'.encode() if validates else b""
        if blob.size <= IN_MEMORY_BYTES:
            return Variant(encoding, etag, blob.size, blobs.read_all(connection, blob.id), None)
        return Variant(encoding, etag, blob.size, None, self._spill.source(blob))


def find_outcome(
    connection: apsw.Connection,
    hosting: Hosting,
    rules: RulesCache,
    host: str,
    raw_path: bytes,
    query: bytes,
    trace: Trace | None = None,
) -> Outcome | None:
    """Return the answer to a request; None where the ASGI application answers."""
    path = read_path(raw_path)
    if trace is not None:
        trace.append(Step("path", "no file can have this path" if path.text is None else f"/{path.text}"))
    if path.text is not None and path.text.startswith(EVERYWHERE):
        return None
    if raw_path.startswith(LINKS) and hosting.is_bare(host) and (slug := slug_of(raw_path)) is not None:
        link = links.find(connection, slug)
        if trace is not None:
            trace.append(Step("short link", "none of this name" if link is None else link.target))
        if link is not None:  # before the root site's own file of that name
            return None
    place = hosting.place(connection, host)
    if trace is not None:
        trace.append(Step("host", _told(place)))
    if place.kind == "platform":
        return None
    if place.location is not None:
        target = "/" if path.text is None else encode_path(path.text)
        return _redirect(ROOT_SITE, 308, place.location + target + _with_mark(query))
    if place.site is None:
        return _server_404(connection, rules, NOT_FOUND_SITE, fixed=path.canonical)
    if path.text is not None and path.text.startswith(RESERVED):
        return None
    shown = _shown(connection, place)
    version = shown.version
    if trace is not None:
        trace.append(Step("version", "none" if version is None else version.id))
    if version is None:
        return _server_404(connection, rules, place.site, fixed=path.canonical)
    its_rules = rules.get(connection, version)
    files = Files(connection, version.number, its_rules.root)
    decision = decide(files.find, its_rules, path, encode_query(query), trace)
    is_function = path.text == FUNCTIONS and decision.status == 404
    if is_function and versions.find_files(connection, version.number, FUNCTION_INDEXES):
        return None
    outcome = _outcome(connection, rules, place, path, decision, its_rules, shown.modified_at)
    about = _rules_about(connection, rules, place, shown, path, decision)
    if trace is not None and about:
        trace.append(Step("protection", f"for some only: {', '.join(path for rule in about for path in rule.paths)}"))
    return replace(outcome, rules=about) if about else outcome


def _outcome(
    connection: apsw.Connection,
    rules: RulesCache,
    place: Place,
    path: RequestPath,
    decision: Decision,
    its_rules: Rules,
    modified_at: int,
) -> Outcome:
    site = place.site or ""
    if decision.location:
        return _redirect(site, decision.status, decision.location)
    fixed = decision.fixed and path.canonical
    if decision.file is None:
        return _server_404(connection, rules, site, fixed=fixed)
    fields = _fields(its_rules, path, decision, decision.file, modified_at, preview=place.kind == "preview")
    return Outcome(site, decision.status, fields, decision.file, fixed)


def protection_of(connection: apsw.Connection, rules: RulesCache, shown: Shown) -> tuple[Rule, ...]:
    """Return who may see a site: as its owner chose, else as `fazt.json` of the live version and the one shown says.

    So a version from before the protection is not open as a preview.
    """
    chosen = protection.rules(connection, shown.site.id)
    if chosen is not None:
        return from_json(chosen)
    found = [] if shown.version is None else [shown.version]
    live = shown.site.live_version
    if live is not None and (shown.version is None or shown.version.number != live):
        found = sorted((*found, versions.by_number(connection, live)), key=lambda each: -each.number)
    return tuple(
        rule for each in found for rule in read_protect(rules.get(connection, each).manifest.rest.get("protect", ()))
    )


def _rules_about(
    connection: apsw.Connection,
    rules: RulesCache,
    place: Place,
    shown: Shown,
    path: RequestPath,
    decision: Decision,
) -> tuple[Rule, ...]:
    """Return who may see a path and who the file that it leads to: a rewrite must not open what is protected."""
    owned = protection_of(connection, rules, shown)
    if not owned:
        return ()
    preview = place.kind == "preview"
    about = [find_rule(owned, f"/{path.text or ''}", preview=preview)]
    is_lost = decision.status == 404 and about[0] is not None  # who may look there may be told that nothing is
    if decision.file is not None and shown.version is not None and not is_lost:
        root = rules.get(connection, shown.version).root
        about.append(find_rule(owned, f"/{decision.file.path.removeprefix(root)}", preview=preview))
    return tuple(dict.fromkeys(rule for rule in about if rule is not None))


class Files:
    """The public files of a version under its root folder; each path is looked up once."""

    def __init__(self, connection: apsw.Connection, version: int, root: str) -> None:
        self._connection = connection
        self._version = version
        self._root = root
        self._seen: dict[str, File | None] = {}

    def find(self, path: str) -> File | None:
        """Return the public file of that path below the root."""
        if len(path) > LONGEST_PATH:
            return None
        if path not in self._seen:
            whole = self._root + path
            file = versions.find_files(self._connection, self._version, [whole]).get(whole)
            self._seen[path] = file if file is not None and file.public else None
        return self._seen[path]


def _with_mark(query: bytes) -> str:
    return f"?{encode_query(query)}" if query else ""


def _shown(connection: apsw.Connection, place: Place) -> Shown:
    site = sites.get(connection, place.site or "")
    if place.version is not None:
        preview = versions.find(connection, site.id, place.version)
        return Shown(site, preview, preview.created_at if preview else 0)
    if site.live_version is None:
        return Shown(site, None, 0)
    return Shown(site, versions.by_number(connection, site.live_version), site.live_since or 0)


def _redirect(site: str, status: int, location: str) -> Outcome:
    return Outcome(site, status, [("Location", location), NO_CACHE, NOSNIFF])


def _server_404(connection: apsw.Connection, rules: RulesCache, site: str, *, fixed: bool) -> Outcome:
    """Return the index of the site `404` with status 404, counted for `site`."""
    owner = sites.find(connection, NOT_FOUND_SITE)
    if owner is not None and owner.live_version is not None:
        version = versions.by_number(connection, owner.live_version)
        file = Files(connection, version.number, rules.get(connection, version).root).find(INDEX)
        if file is not None:
            fields = [("Content-Type", media_type(file.path)), NO_CACHE, ("Vary", "Accept-Encoding"), NOSNIFF]
            return Outcome(site, 404, fields, file, fixed)
    return Outcome(site, 404, [("Content-Type", media_type(INDEX)), NO_CACHE, NOSNIFF], None, fixed)


def _fields(
    rules: Rules, path: RequestPath, decision: Decision, file: File, modified_at: int, *, preview: bool
) -> Fields:
    """Return the header fields of a file's answer: our own, then what the site's rules add or replace."""
    kind = media_type(file.path)
    found = decision.status == 200
    fields: Fields = [("Content-Type", kind)]
    fields.append(("Cache-Control", cache_control(file.path, kind)) if found else NO_CACHE)
    if found:
        fields.append(("Last-Modified", formatdate(modified_at // 1000, usegmt=True)))
        fields.append(("Accept-Ranges", "bytes"))
    if is_compressible(kind):
        fields.append(("Vary", "Accept-Encoding"))
    fields.append(NOSNIFF)
    if preview:
        fields.append(("X-Robots-Tag", "noindex"))
    return _with_rules(fields, rules, f"/{path.text or ''}", found=found)


def _with_rules(fields: Fields, rules: Rules, path: str, *, found: bool) -> Fields:
    added, detached = rules.headers.fields(path)
    kept_out = OURS if found else OURS | {"cache-control"}  # an answer that will change is not to be kept by anybody
    own = [(name, value) for name, value in added if name.lower() not in kept_out]
    replaced = {name.lower() for name, _ in own} | (detached - kept_out - {"vary"})
    if "vary" in replaced and any(name == "Vary" for name, _ in fields):
        own = [(name, f"Accept-Encoding, {value}" if name.lower() == "vary" else value) for name, value in own]
    return [field for field in fields if field[0].lower() not in replaced] + own


def _told(place: Place) -> str:
    what = {
        "site": f"the site {place.site}",
        "preview": f"version {place.version} of the site {place.site}",
        "platform": f"the platform ({place.name})",
        "redirect": f"a redirect to {place.location}",
        "unknown": "unknown: no site, preview or domain has this name",
    }
    return what[place.kind]
