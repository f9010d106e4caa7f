"""An API on a database of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_calls import Api, opened


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with opened(tmp_path / "data.db") as api:
        yield api
