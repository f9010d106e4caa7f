"""Host -> what answers it: the site, the version, its compiled functions, its variables and limits.

Rule: a target is kept until something changes, and one that was read before a change is never kept after it.
"""

import hashlib
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import apsw
import orjson

from fazt.data import environment
from fazt.functions.allowance import Allowance, lowered
from fazt.functions.pool import Code
from fazt.functions.program import Program
from fazt.sites.function_rules import function_rules
from fazt.sites.hosting import Hosting
from fazt.sites.resolve import RulesCache
from fazt.sites.rules import Rules
from fazt.store import programs, sites, versions
from fazt.store.changes import Change
from fazt.store.database import Database
from fazt.store.versions import Version

MOST_KEPT = 10_000
KINDS = ("site", "domain", "environment")

Compile = Callable[[int], Awaitable[Program]]  # the functions of a version (its number), and keep them


@dataclass(frozen=True, slots=True)
class Target:
    """What answers the requests to one host; `net`: the hosts that `fetch` may reach, None: all public ones."""

    site: str
    site_id: int
    version: Version
    rules: Rules
    program: Program
    code: Code
    allowance: Allowance
    net: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class _Found:
    site: str
    site_id: int
    version: Version
    rules: Rules
    program: bytes | None
    environment: environment.Environment


class Targets:
    """Finds targets, and keeps those that were asked for last."""

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        allowance: Allowance,
        compile_version: Compile,
        on_replaced: Callable[[Hashable], None],
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._allowance = allowance
        self._compile = compile_version
        self._rules = RulesCache()
        self._kept: dict[str, Target | None] = {}  # a new one with each change: what is put into an old one is lost
        self._keys: dict[str, Hashable] = {}  # of the runners that a host had last
        self._on_replaced = on_replaced
        database.follow(self._forget)

    def allow(self, allowance: Allowance) -> None:
        """Let every site have at most this from now on."""
        self._allowance = allowance
        self._kept = {}

    def _forget(self, changes: Sequence[Change]) -> None:
        """Forget everything; called on the writing thread before the change is answered."""
        if any(change.kind in KINDS for change in changes):
            self._kept = {}

    async def find(self, host: str) -> Target | None:
        """Return the target of a normalised host; None where no site answers there.

        Raises: EngineFailed, InvalidFunction where functions of an older version of Fazt do not compile any more.
        """
        kept = self._kept  # before the read: a change that comes meanwhile leaves it behind
        if host in kept:
            return kept[host]
        found = await self._database.read(self._by_host, host)
        target = None if found is None else await self._target(found)
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[host] = target
        if kept is self._kept:
            self._replace(host, target)
        return target

    async def of_site(self, name: str) -> Target | None:
        """Return the target of a site's live version, whatever its hosts are."""
        return await self.find(self._hosting.site_host(name))

    async def _target(self, found: _Found) -> Target:
        program = None if found.program is None else Program.from_bytes(found.program)
        if program is None:  # deployed before this version of Fazt
            program = await self._compile(found.version.number)
        wanted = function_rules(found.rules.manifest.rest)
        allowance = lowered(self._allowance, wanted.limits)
        host = self._hosting.site_url(found.site)
        env = {**wanted.env, **found.environment.env}
        # What runners are made of. The version is not in it: one that only changes pages keeps the runners warm.
        stamp = _digest(host, program.to_bytes(), env, found.environment.secrets)
        code = Code(
            key=(found.site_id, stamp),
            site_id=found.site_id,
            modules=program.modules,
            site={"name": found.site, "url": host},
            env=env,
            secrets=found.environment.secrets,
            bounds=allowance.bounds,
        )
        return Target(found.site, found.site_id, found.version, found.rules, program, code, allowance, wanted.net)

    def _replace(self, host: str, target: Target | None) -> None:
        """Let runners go that a host had before."""
        before = self._keys.pop(host, None)
        if target is not None:
            if len(self._keys) >= MOST_KEPT:
                self._keys.clear()
            self._keys[host] = target.code.key
        if before is not None and (target is None or target.code.key != before):
            self._on_replaced(before)

    def _by_host(self, connection: apsw.Connection, host: str) -> _Found | None:
        place = self._hosting.place(connection, host)
        if place.site is None or place.kind not in ("site", "preview"):
            return None
        site = sites.find(connection, place.site)
        if site is None:
            return None
        if place.version is not None:
            version = versions.find(connection, site.id, place.version)
        else:
            version = None if site.live_version is None else versions.by_number(connection, site.live_version)
        if version is None:
            return None
        return _Found(
            site.name,
            site.id,
            version,
            self._rules.get(connection, version),
            programs.find(connection, version.number),
            environment.load(connection, site.id),
        )


def _digest(host: str, program: bytes, *values: Mapping[str, str]) -> bytes:
    """Return what tells one runner's content from another's."""
    digest = hashlib.blake2b(program, digest_size=16)
    digest.update(orjson.dumps([host, *map(dict, values)], option=orjson.OPT_SORT_KEYS))
    return digest.digest()
