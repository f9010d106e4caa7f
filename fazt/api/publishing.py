"""The one door through which a version is made: functions compiled, one transaction, a row of the audit log.

The call that deploys, the upload of an archive and the editor of a file all go through it. Rule: what cannot be
deployed leaves the site as it was.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import apsw

from fazt.api import shapes
from fazt.api.auditing import Act, note
from fazt.api.collection import Collector
from fazt.api.preconditions import check_is_live, live_id
from fazt.auth.tokens import Principal, allows
from fazt.errors import Forbidden, SiteNotFound
from fazt.functions.program import Program
from fazt.functions.routes import FOLDER
from fazt.sites import deploy
from fazt.sites.cron_rules import CronRule, find_handler
from fazt.sites.deploy import Deploy, Deployed
from fazt.sites.hosting import Hosting
from fazt.sites.local_file import ArchiveLimits
from fazt.store import programs
from fazt.store.blobs import Missing
from fazt.store.database import Database

# What a call that deploys answers where it made no version, since all was as it is already (or for `dry_run`)
UNCHANGED: dict[int | str, dict[str, Any]] = {200: {"description": "Nothing was made"}}
Compile = Callable[[Mapping[str, bytes], Sequence[str]], Awaitable[Program]]


class Publisher:
    """Makes versions; `made` is called after each."""

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        limits: Callable[[], ArchiveLimits],
        collector: Collector,
        compile_files: Compile,
        made: Callable[[], None],
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._limits = limits
        self._collector = collector
        self._compile = compile_files
        self._made = made

    def limits(self) -> ArchiveLimits:
        """Return what a version may take now."""
        return self._limits()

    def check(self, wanted: Deploy) -> None:
        """Check a deploy before anything is asked of the store. Raises: InvalidInput and its kin, TooLarge."""
        deploy.check(wanted, self._limits())

    async def publish(
        self, caller: Principal, wanted: Deploy, *, expected: str | None = None
    ) -> Deployed | list[Missing]:
        """Make a version and let it go live, or return which contents are missing.

        `expected`: the id of the version that must be live until then. Raises: SiteNotFound, Forbidden,
        PreconditionFailed, InvalidFunction, InvalidRules, EngineFailed.
        """
        try:
            program = await self._compiled(wanted)
            done = await self._database.write(_commit, caller, wanted, program, expected)
        except SiteNotFound as error:
            raise error if may_create(caller, wanted.site) else _may_not_create(wanted.site) from error
        if isinstance(done, Deployed):
            self._collector.upload_ended(wanted.site)
            self._made()
        else:
            self._collector.upload_goes_on(wanted.site)
        return done

    async def _compiled(self, wanted: Deploy) -> bytes:
        """Compile the functions of a deploy, b"" where it has none or lacks contents: before the transaction."""
        hashes = {file.path: file.hash for file in wanted.files}
        if not any(path.startswith(FOLDER) for path in hashes):
            return b""
        if await self._database.write(deploy.missing, wanted):
            return b""
        cron = await self._database.read(_cron_handlers, wanted)
        return (await self._compile(hashes, cron)).to_bytes()

    def as_json(self, done: Deployed) -> shapes.Deployed:
        """Return what a deploy did, as JSON has it."""
        return {
            "site": done.site.name,
            "version": done.version.id,
            "url": self._hosting.site_url(done.site.name),
            "preview_url": self._hosting.preview_url(done.site.name, done.version.id),
            "live": done.live,
            "files": done.version.files,
            "bytes": done.version.bytes,
            "unchanged": done.unchanged,
            "created": done.created,
            "diff": {"added": len(done.added), "changed": len(done.changed), "removed": len(done.removed)},
            "warnings": done.warnings,
        }


def may_create(caller: Principal, site: str) -> bool:
    """Tell whether a caller may make a site by deploying to it: with `admin`, or being made for that very name."""
    return allows(caller, "admin", site) or (caller.sites is not None and site in caller.sites)


def _may_not_create(site: str) -> Forbidden:
    return Forbidden(f"There is no site {site!r}, and you may not make it: that takes the action 'admin'.")


def _cron_handlers(connection: apsw.Connection, wanted: Deploy) -> list[str]:
    """Return the modules that the triggers of a deploy run. Raises: InvalidRules."""
    hashes = {file.path: file.hash for file in wanted.files}
    rules = deploy.manifest(connection, hashes).rest.get("cron", ())
    return sorted({path for rule in rules if (path := find_handler(CronRule.from_json(rule).handler, hashes))})


def _commit(
    connection: apsw.Connection, caller: Principal, wanted: Deploy, program: bytes, expected: str | None
) -> Deployed | list[Missing]:
    """Make the version where every content is there; else return what is missing, if the rest is in order."""
    if expected is not None:
        check_is_live(connection, wanted.site, expected)
    before = live_id(connection, wanted.site)
    lacking = deploy.missing(connection, wanted)
    if lacking:
        deploy.dry_run(connection, wanted)
        return lacking
    done = deploy.commit(connection, wanted)
    if not done.unchanged:
        programs.put(connection, done.version.number, program)
        act = Act("site.deploy" if done.live else "site.preview", done.version.id, done.site.name)
        note(connection, caller, act, _quoted(before), _quoted(done.version.id))
    return done


def _quoted(id: str | None) -> bytes | None:
    return None if id is None else f'{{"version":"{id}"}}'.encode()
