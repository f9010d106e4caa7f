"""A fresh database for each test of the store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from fazt.store import blobs, schema, sites, versions
from fazt.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "data.db")
    yield opened
    opened.close()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    """The writer's connection without its thread, for tests of the plain functions."""
    schema.make_file(tmp_path / "plain.db")
    opened = schema.open_writer(tmp_path / "plain.db")
    opened.execute("PRAGMA synchronous = OFF")
    yield opened
    opened.close()


@pytest.fixture
def make_version() -> Callable[..., versions.Version]:
    """Return a function that makes a version of a site from {path: content}."""

    def make(
        connection: apsw.Connection, site: str, files: dict[str, bytes], *, live: bool = False, **options: Any
    ) -> versions.Version:
        owner = sites.find(connection, site) or sites.create(connection, site)
        new = [versions.NewFile(path, blobs.put(connection, data), True) for path, data in files.items()]
        fields = {"rules": b"{}", "message": "", "source": "test", "parent": None} | options
        version = versions.create(connection, owner.id, new, **fields)
        if live:
            sites.set_live(connection, owner.id, version.number)
        return version

    return make
