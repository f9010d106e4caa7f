"""A fresh database for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fazt.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "data.db")
    yield opened
    opened.close()
