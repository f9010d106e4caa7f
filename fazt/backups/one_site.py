"""One site out of a backup: its live version, what its functions keep, its variables and secrets.

Rule: nothing else of the backup is looked at, and nothing of other sites is touched.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw

from fazt.errors import NotFound
from fazt.store import environment, kv, schema, sites, versions
from fazt.store.database import Database
from fazt.store.environment import Variable
from fazt.store.versions import File

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class SavedSite:
    """What a backup has of a site; `id` is the site's number there."""

    id: int
    version: str
    files: Sequence[File]
    variables: Sequence[Variable]


def read(connection: apsw.Connection, name: str) -> SavedSite:
    """Return what a backup has of a site. Raises: NotFound; SecretsLocked where the key of its secrets is not here."""
    site = sites.find(connection, name)
    if site is None or site.live_version is None:
        raise NotFound(f"The backup has no version of the site {name!r}.")
    return SavedSite(
        site.id,
        versions.by_number(connection, site.live_version).id,
        versions.files(connection, site.live_version, None, NO_LIMIT),
        environment.load(connection, site.id),
    )


def put_data(connection: apsw.Connection, name: str, saved: SavedSite, copy: Path) -> int:
    """Let a site have the data of the backup, which is at `copy`, in place of its own; return the number of keys."""
    site = sites.get(connection, name)
    sites.check_unlocked(site)
    environment.replace_all(connection, name, saved.variables)
    with closing(schema.open_reader(copy)) as reader:
        return kv.replace_all(connection, site.id, kv.export(reader, saved.id))


def open_copy(copy: Path) -> Database:
    """Open the database of a backup; one of an older Fazt is brought up to date. Raises: StoreError."""
    return Database.open(copy, create=False, readers=1)
