"""The dashboard's scripts: what they weigh all told, and that none makes HTML of text or sets styles by attribute."""

import gzip
import re
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).parents[2] / "fazt/apps/dashboard"
OWN = sorted(path for path in DASHBOARD.rglob("*.js") if "vendor" not in path.parts)
MOST_BYTES = 300_000


def test_all_scripts_weigh_less_than_300_kilobytes_as_they_are_sent() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 6)) for path in DASHBOARD.rglob("*.js")}
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda item: -item[1])[:8]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(DASHBOARD).as_posix())
def test_no_script_makes_html_or_code_of_text(path: Path) -> None:
    source = re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|javascript:"
    assert not re.search(forbidden, source)
    assert not re.search(r"""\bstyle=["']""", source), "a style attribute; the policy allows styles set by script only"
