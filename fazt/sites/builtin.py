"""The sites that every server has: `root` and `404`, installed from `fazt/apps/` by the code that deploys any site.

Rule: a site that its owner has deployed to is never touched again.
"""

import hashlib
from pathlib import Path

import apsw

from fazt.sites import deploy
from fazt.sites.hosting import NOT_FOUND_SITE, ROOT_SITE
from fazt.store import blobs, sites, versions

APPS = Path(__file__).parents[1] / "apps"
SOURCE = "built-in"


def install_builtin(connection: apsw.Connection, apps: Path = APPS) -> None:
    """Deploy the built-in sites where they are not there, or where an older Fazt's own content is live."""
    for name in (ROOT_SITE, NOT_FOUND_SITE):
        if _is_ours(connection, name):
            _install(connection, name, apps / name)


def _is_ours(connection: apsw.Connection, name: str) -> bool:
    site = sites.find(connection, name)
    if site is None:
        return True
    if site.locked or site.live_version is None:
        return False
    return versions.by_number(connection, site.live_version).source == SOURCE


def _install(connection: apsw.Connection, name: str, folder: Path) -> None:
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            hash = hashlib.sha256(data).digest()
            if blobs.find(connection, hash) is None:
                blobs.put(connection, data)
            files.append(deploy.WantedFile(path.relative_to(folder).as_posix(), hash, len(data)))
    wanted = deploy.Deploy(name, tuple(files), f"The {name} site of Fazt", SOURCE, live=True, create=True)
    deploy.commit(connection, wanted)
