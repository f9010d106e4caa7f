"""A database read beside its writer: changes are found, and a file that was replaced is not read for the right one."""

import asyncio
import shutil
from pathlib import Path

import pytest

from fazt.errors import StoreReplaced
from fazt.store import changes
from fazt.store.beside import Beside
from fazt.store.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


def test_what_changed_is_found_once_and_told(path: Path) -> None:
    database = Database.open(path)
    beside = Beside(path, 1)
    told: list[str] = []
    beside.database.follow(lambda found: told.extend(change.key for change in found))
    database.write_blocking(changes.add, "site", "blog")
    assert [change.key for change in asyncio.run(beside.catch_up())] == ["blog"]
    assert asyncio.run(beside.catch_up()) == []
    assert told == ["blog"]
    beside.close()
    database.close()


def test_a_database_that_was_replaced_is_not_followed(path: Path) -> None:
    Database.open(path).close()
    shutil.copy(path, f"{path}.restore")
    beside = Beside(path, 1)
    told: list[object] = []
    beside.database.follow(told.append)
    database = Database.open(path)  # which swaps the staged one in
    database.write_blocking(changes.add, "site", "blog")
    with pytest.raises(StoreReplaced):
        asyncio.run(beside.catch_up())
    assert not told
    beside.close()
    database.close()
