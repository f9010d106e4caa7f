"""A deploy: what is missing, what differs, and the one transaction that makes a version and lets it go live.

Plain functions, to be run through `Database.read` and `Database.write`. Rule: a deploy that fails leaves the site as it
was, and one that changes nothing makes no version.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import apsw

from fazt.errors import (
    BlobsMissing,
    Conflict,
    InvalidInput,
    InvalidName,
    InvalidRules,
    SiteNotFound,
    TooLarge,
    VersionNotFound,
)
from fazt.sites.local_file import ArchiveLimits
from fazt.sites.manifest import Manifest
from fazt.sites.names import check_paths, check_site_name, is_private
from fazt.sites.rules import MAX_FILE_BYTES, Rules, compile_rules
from fazt.store import blobs, sites, versions
from fazt.store.blobs import Missing
from fazt.store.sites import Site
from fazt.store.versions import NewFile, Version

LIVE = "live"  # names the live version wherever a version is asked for
NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file that the new version is to have."""

    path: str
    hash: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Deploy:
    """What is to be deployed; `live` false: a preview; `create`: the site is made where there is none."""

    site: str
    files: tuple[WantedFile, ...]
    message: str
    source: str
    live: bool
    create: bool


@dataclass(frozen=True, slots=True)
class Diff:
    """The paths on which two versions differ, each in order."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is no difference."""
        return not (self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deploy would do; `site` is None where it would be made."""

    site: Site | None
    unchanged: bool
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy did; the differences are to the version that was live before."""

    site: Site
    version: Version
    live: bool
    created: bool
    unchanged: bool
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]


def check(deploy: Deploy, limits: ArchiveLimits) -> None:
    """Check the names, paths and sizes of a deploy before anything is asked of the store.

    Raises: InvalidName, InvalidPath, InvalidInput, TooLarge.
    """
    if check_site_name(deploy.site) != deploy.site:
        raise InvalidName(f"The site {deploy.site!r} is called {check_site_name(deploy.site)!r}.")
    if not deploy.files:
        raise InvalidInput("There are no files to deploy.")
    if len(deploy.files) > limits.max_files:
        raise TooLarge(f"A version has at most {limits.max_files} files, not {len(deploy.files)}.")
    total = 0
    for file in deploy.files:
        if len(file.hash) != hashlib.sha256().digest_size:
            raise InvalidInput(f"The hash of {file.path!r} is not a SHA-256.")
        if file.size < 0:
            raise InvalidInput(f"The file {file.path!r} cannot have {file.size} bytes.")
        if file.size > limits.max_file_bytes:
            raise TooLarge(f"The file {file.path!r} has {file.size} bytes; {limits.max_file_bytes} is the most.")
        total += file.size
    if total > limits.max_total_bytes:
        raise TooLarge(f"The files have {total} bytes together; {limits.max_total_bytes} is the most.")
    check_paths([file.path for file in deploy.files], strict=False)


def missing(connection: apsw.Connection, deploy: Deploy) -> list[Missing]:
    """Return the contents that the store lacks for a deploy, and spare the others from collection."""
    return blobs.missing(connection, [(file.hash, file.size) for file in deploy.files])


def dry_run(connection: apsw.Connection, deploy: Deploy) -> Plan:
    """Return what a deploy would do, without doing it; its rules are checked where their files are there.

    Raises: SiteNotFound, SiteLocked, InvalidPath, InvalidRules.
    """
    warnings = tuple(check_paths([file.path for file in deploy.files], strict=False))
    site = _site(connection, deploy)
    live = None if site is None else _live(connection, site)
    wanted = {file.path: file.hash for file in deploy.files}
    with contextlib.suppress(BlobsMissing):  # a file of rules is still to be sent: it is checked then
        _compile(connection, wanted)
    diff = _difference({} if live is None else _hashes(connection, live.number), wanted)
    return Plan(site, live is not None and diff.is_empty, diff.added, diff.changed, diff.removed, warnings)


def commit(connection: apsw.Connection, deploy: Deploy) -> Deployed:
    """Make the version, and let it go live where that is asked for; one that is live already is left as it is.

    Raises: SiteNotFound, SiteLocked, BlobsMissing, InvalidPath, InvalidInput, InvalidRules.
    """
    warnings = tuple(check_paths([file.path for file in deploy.files], strict=False))
    found = _site(connection, deploy)
    site = found or sites.create(connection, deploy.site)
    live = _live(connection, site)
    wanted = {file.path: file.hash for file in deploy.files}
    diff = _difference({} if live is None else _hashes(connection, live.number), wanted)
    rules = _compile(connection, wanted)
    if live is not None and diff.is_empty and versions.rules(connection, live.number) == rules:
        return Deployed(site, live, True, False, True, (), (), (), warnings)
    root = Rules.from_json(rules).root
    files = [NewFile(file.path, file.hash, _is_public(file.path, root)) for file in deploy.files]
    version = versions.create(
        connection,
        site.id,
        files,
        rules=rules,
        message=deploy.message,
        source=deploy.source,
        parent=None if live is None else live.number,
    )
    if version.bytes != sum(file.size for file in deploy.files):
        raise InvalidInput("The files have other sizes than the deploy says.")
    if deploy.live:
        sites.set_live(connection, site.id, version.number)
        site = sites.get(connection, deploy.site)
    return Deployed(site, version, deploy.live, found is None, False, diff.added, diff.changed, diff.removed, warnings)


def manifest(connection: apsw.Connection, hashes: Mapping[str, bytes]) -> Manifest:
    """Return what `fazt.json` says among files given by path and hash, whose contents are there.

    Raises: InvalidRules, BlobsMissing.
    """
    return Rules.from_json(_compile(connection, hashes)).manifest


def rollback(connection: apsw.Connection, site: str, version_prefix: str | None) -> Version:
    """Let a version go live again: the named one, or the one that was live before the present one.

    Raises: SiteNotFound, SiteLocked, VersionNotFound, InvalidInput, Conflict where there is nothing to go back to.
    """
    owner = sites.get(connection, site)
    sites.check_unlocked(owner)
    if version_prefix is not None:
        version = find_version(connection, owner, version_prefix)
    else:
        before = versions.previous_live(connection, owner.id)
        if before is None:
            raise Conflict(f"No version of the site {site!r} was live before this one; name the version to go to.")
        version = before
    sites.set_live(connection, owner.id, version.number)
    return version


def diff(connection: apsw.Connection, site: str, from_prefix: str, to_prefix: str | None) -> Diff:
    """Return what differs from one version to another (None: the live one).

    Raises: SiteNotFound, VersionNotFound, InvalidInput.
    """
    owner = sites.get(connection, site)
    before = find_version(connection, owner, from_prefix)
    after = find_version(connection, owner, LIVE if to_prefix is None else to_prefix)
    return _difference(_hashes(connection, before.number), _hashes(connection, after.number))


def find_version(connection: apsw.Connection, site: Site, prefix: str) -> Version:
    """Return the version that a prefix of its id names, or the live one for `live`.

    Raises: VersionNotFound; InvalidInput where the prefix is too short or fits several.
    """
    if prefix != LIVE:
        return versions.get(connection, site.id, prefix)
    live = _live(connection, site)
    if live is None:
        raise VersionNotFound(f"The site {site.name!r} has no live version.")
    return live


def _site(connection: apsw.Connection, deploy: Deploy) -> Site | None:
    site = sites.find(connection, deploy.site)
    if site is None and not deploy.create:
        raise SiteNotFound(f"There is no site {deploy.site!r}.")
    if site is not None:
        sites.check_unlocked(site)
    return site


def _live(connection: apsw.Connection, site: Site) -> Version | None:
    return None if site.live_version is None else versions.by_number(connection, site.live_version)


def _hashes(connection: apsw.Connection, version: int) -> dict[str, bytes]:
    return {file.path: file.hash for file in versions.files(connection, version, None, NO_LIMIT)}


def _difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Diff:
    return Diff(
        added=tuple(sorted(path for path in after if path not in before)),
        changed=tuple(sorted(path for path, hash in after.items() if before.get(path, hash) != hash)),
        removed=tuple(sorted(path for path in before if path not in after)),
    )


def _is_public(path: str, root: str) -> bool:
    return not is_private(path) and not is_private(path.removeprefix(root))


def _compile(connection: apsw.Connection, wanted: Mapping[str, bytes]) -> bytes:
    """Compile the rules out of their files among the contents of the store."""

    def read(path: str) -> bytes | None:
        if path not in wanted:
            return None
        blob = blobs.find(connection, wanted[path])
        if blob is None:
            raise _lacking(connection, wanted.values())
        if blob.size > MAX_FILE_BYTES:
            raise InvalidRules(f"{path}:1: the file has {blob.size} bytes; {MAX_FILE_BYTES} is the most.")
        return blobs.read_all(connection, blob.id)

    return compile_rules(read, wanted.keys())


def _lacking(connection: apsw.Connection, hashes: Iterable[bytes]) -> BlobsMissing:
    absent = [hash.hex() for hash in dict.fromkeys(hashes) if blobs.find(connection, hash) is None]
    return BlobsMissing(f"The store lacks {len(absent)} of the contents; send them first.", missing=absent)
