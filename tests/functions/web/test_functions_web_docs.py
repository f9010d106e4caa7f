"""docs/web-standards.md says what the tests and an isolate say. `tools/assets --docs` writes it anew."""

import os
from pathlib import Path

import pytest
import standards_page
import wpt
from bare_v8 import Isolate

PAGE = Path(__file__).parents[3] / "docs/web-standards.md"


@pytest.mark.slow
def test_the_page_says_what_is_there() -> None:
    written = standards_page.page()
    if os.environ.get("FAZT_WRITE_DOCS"):
        PAGE.write_text(written)
    assert PAGE.read_text() == written, "docs/web-standards.md is stale: run tools/assets --docs"


def test_every_area_of_the_tests_is_on_the_page() -> None:
    on_page = {folder for _, _, folders in standards_page.AREAS for folder in folders}
    assert on_page == {wpt.interface_of(path) for path in wpt.test_files()}


def test_what_is_not_there_is_not_there() -> None:
    isolate = Isolate()
    names = [name for names, _ in standards_page.ABSENT for name in names.split(", ")]
    assert [name for name in names if not standards_page.is_absent(isolate, name)] == []
