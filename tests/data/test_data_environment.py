"""Variables and secrets on their way into the store and out of it."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import pytest

from fazt.data import environment
from fazt.errors import InvalidInput, SiteNotFound, StoreError, TooLarge
from fazt.store import sites
from fazt.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Any:
    with contextlib.closing(Database.open(tmp_path / "data.db")) as database:
        for name in ("blog", "other"):
            database.write_blocking(sites.create, name)
        yield database


def put(database: Database, name: str, value: str, secret: bool = False, site: str = "blog") -> None:
    database.write_blocking(environment.put, site, name, value, secret)


def load(database: Database, site: str) -> environment.Environment:
    return database.read_blocking(environment.load, database.read_blocking(sites.get, site).id)


def test_what_functions_are_given(database: Database) -> None:
    put(database, "GREETING", "hello\né\x00")
    put(database, "EMPTY", "")
    put(database, "KEY", "s3cret", True)
    put(database, "KEY", "of the other", True, "other")
    found = load(database, "blog")
    assert found.env == {"GREETING": "hello\né\x00", "EMPTY": ""}
    assert found.secrets == {"KEY": "s3cret"}
    assert load(database, "other").secrets == {"KEY": "of the other"}
    database.write_blocking(environment.remove, "blog", "KEY", True)
    assert load(database, "blog").secrets == {}
    with pytest.raises(SiteNotFound):
        put(database, "A", "1", site="nothing")


def test_no_value_is_told_by_accident(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    put(database, "KEY", "s3cret", True)
    shown = repr(load(database, "blog")) + repr(database.read_blocking(environment.list_secrets, "blog"))
    with pytest.raises(TooLarge) as caught:
        put(database, "KEY", "s3cret" * 10_000, True)
    with pytest.raises(InvalidInput) as refused:
        put(database, "KEY", "s3cret\ud800", True)
    assert "s3cret" not in shown + str(caught.value) + str(refused.value) + caplog.text
    assert [name.name for name in database.read_blocking(environment.list_secrets, "blog")] == ["KEY"]
    assert database.read_blocking(environment.list_env, "blog") == []


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "É", "A\n", " A", "A" * 129, "__proto__é", "A.B"])
def test_names_that_cannot_be(database: Database, name: str) -> None:
    with pytest.raises(InvalidInput, match="letters, digits"):
        put(database, name, "1")


@pytest.mark.parametrize("name", ["A", "_", "a1", "__proto__", "A" * 128])
def test_names_that_can_be(database: Database, name: str) -> None:
    put(database, name, "x" * environment.MOST_VALUE_BYTES)
    assert list(load(database, "blog").env) == [name]


def test_a_value_that_a_newer_fazt_keeps_otherwise(database: Database) -> None:
    put(database, "KEY", "1")
    database.write_blocking(lambda connection: connection.execute("UPDATE environment SET value = x'07'").fetchall())
    with pytest.raises(StoreError, match="newer Fazt"):
        load(database, "blog")
