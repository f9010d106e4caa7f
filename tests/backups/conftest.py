"""A database with something in it, and its shelf."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from fazt.backups.shelf import Shelf
from fazt.store import blobs, kv, sites, versions
from fazt.store.database import Database
from fazt.store.kv import Write


def fill(connection: apsw.Connection) -> None:
    """Make a site with a version, and a key."""
    site = sites.create(connection, "blog")
    new = [versions.NewFile("index.html", blobs.put(connection, b"<h1>hello" * 50_000), True)]
    made = versions.create(connection, site.id, new, rules=b"{}", message="", source="test", parent=None)
    sites.set_live(connection, site.id, made.number)
    kv.put(connection, site.id, Write("key", "json", b'"kept"', None), None, 0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "data.db")
    opened.write_blocking(fill)
    yield opened
    opened.close()


@pytest.fixture
def shelf(database: Database, tmp_path: Path) -> Shelf:
    return Shelf(database.path, tmp_path / "backups")
