"""Databases with thousands of small sites, made without a server.

Rule: sites are made by the same deploy that users' sites are made by; only the way to it is shorter.
"""

import hashlib
from pathlib import Path

import apsw

from fazt.bench import site
from fazt.sites.deploy import Deploy, WantedFile, commit
from fazt.store import blobs
from fazt.store.database import Database

SITES_IN_ONE_WRITE = 500
PAGE_BYTES = 1_000
FILES = 10


def seed(path: Path, sites: int) -> None:
    """Make a database with `sites` sites of ten files each, every file another one."""
    database = Database.open(path)
    try:
        for first in range(0, sites, SITES_IN_ONE_WRITE):
            database.write_blocking(_add_sites, first, min(first + SITES_IN_ONE_WRITE, sites))
    finally:
        database.close()


def _add_sites(connection: apsw.Connection, first: int, stop: int) -> None:
    for number in range(first, stop):
        files = []
        for place in range(FILES):
            content = site.text(PAGE_BYTES if place == 0 else 200, number * FILES + place)
            blobs.put(connection, content)
            path = "index.html" if place == 0 else f"assets/file-{place}.css"
            files.append(WantedFile(path=path, hash=hashlib.sha256(content).digest(), size=len(content)))
        wanted = Deploy(
            site=site.seeded_name(number), files=tuple(files), message="", source="bench", live=True, create=True
        )
        commit(connection, wanted)
